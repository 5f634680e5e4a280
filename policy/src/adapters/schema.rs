//! The arguments of a tool: as JSON Schema for models, and checked before anything is made of them.

use serde_json::{Map, Value, json};

use super::{Format, Kind, MAX_LENGTH, Param, Tool};
use crate::action::InvalidAction;

/// Largest whole number that canonical JSON keeps apart from its neighbours.
const MAX_WHOLE: i64 = (1 << 53) - 1;
/// Entries of a list whose parameter names no other limit.
const MAX_ENTRIES: usize = 100;

/// The arguments of `tool` as JSON Schema; any other argument is refused.
#[must_use]
pub fn input_schema(tool: &Tool) -> Value {
    let properties: Map<String, Value> =
        tool.params.iter().map(|param| (param.name.clone(), property(param))).collect();
    let required: Vec<&str> = tool.params.iter().filter(|param| param.required).map(|p| p.name.as_str()).collect();
    let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn property(param: &Param) -> Value {
    let mut out = match param.kind {
        Kind::String | Kind::Text | Kind::Path => text(param),
        Kind::Integer => json!({"type": "integer"}),
        Kind::Number => json!({"type": "number"}),
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::List => json!({"type": "array", "items": text(param), "maxItems": entries(param)}),
    };
    if matches!(param.kind, Kind::Integer | Kind::Number) {
        for (key, bound) in [("minimum", param.min), ("maximum", param.max)] {
            if let Some(bound) = bound {
                out[key] = bound.into();
            }
        }
    }
    out["description"] = param.description.as_str().into();
    out
}

fn text(param: &Param) -> Value {
    let mut out = json!({"type": "string", "maxLength": param.max_length.unwrap_or(MAX_LENGTH)});
    if !param.one_of.is_empty() {
        out["enum"] = json!(param.one_of);
    }
    match param.format {
        Some(Format::Email) => out["format"] = "email".into(),
        Some(Format::Date) => out["format"] = "date".into(),
        Some(Format::DateTime) => out["format"] = "date-time".into(),
        Some(Format::Id) => out["pattern"] = "^[A-Za-z0-9_.-]+$".into(),
        None => {}
    }
    out
}

fn entries(param: &Param) -> usize {
    param.max.and_then(|most| usize::try_from(most).ok()).unwrap_or(MAX_ENTRIES)
}

/// The arguments that were given; one that is `null` was not.
///
/// # Errors
/// What is missing, unknown or of another form; never quotes what was sent.
pub(super) fn given(tool: &Tool, name: &str, args: &Value) -> Result<Map<String, Value>, InvalidAction> {
    let map = args.as_object().ok_or_else(|| InvalidAction::NotAnObject { tool: name.to_owned() })?;
    if map.keys().any(|key| !tool.params.iter().any(|param| param.name == *key)) {
        let known: Vec<&str> = tool.params.iter().map(|param| param.name.as_str()).collect();
        return Err(InvalidAction::Unlisted { tool: name.to_owned(), known: known.join(", ") });
    }
    let mut out = Map::new();
    for param in &tool.params {
        match map.get(&param.name).filter(|value| !value.is_null()) {
            Some(value) => {
                fits(param, value).map_err(|form| InvalidAction::Argument { name: param.name.clone(), form })?;
                out.insert(param.name.clone(), value.clone());
            }
            None if param.required => {
                return Err(InvalidAction::Argument { name: param.name.clone(), form: "given".to_owned() });
            }
            None => {}
        }
    }
    Ok(out)
}

/// What it must be, if it is not.
fn fits(param: &Param, value: &Value) -> Result<(), String> {
    let must = |what: &str| Err(what.to_owned());
    match param.kind {
        Kind::Boolean if value.is_boolean() => Ok(()),
        Kind::Boolean => must("true or false"),
        Kind::Integer => match value.as_i64().filter(|n| n.abs() <= MAX_WHOLE) {
            Some(n) => bounds(param, n as f64),
            None => must("a whole number, not a text"),
        },
        Kind::Number => match value.as_f64().filter(|n| n.is_finite() && n.abs() <= MAX_WHOLE as f64) {
            Some(n) => bounds(param, n),
            None => must("a number, not a text"),
        },
        Kind::String | Kind::Text | Kind::Path => match value.as_str() {
            Some(text) => line(param, text),
            None => must("a text"),
        },
        Kind::List => {
            let Some(items) = value.as_array() else { return must("a list of texts") };
            if items.len() > entries(param) {
                return Err(format!("a list of at most {} texts", entries(param)));
            }
            items.iter().try_for_each(|item| match item.as_str() {
                Some(text) => line(param, text),
                None => must("a list of texts"),
            })
        }
    }
}

fn bounds(param: &Param, n: f64) -> Result<(), String> {
    if param.min.is_some_and(|least| n < least as f64) || param.max.is_some_and(|most| n > most as f64) {
        let bound = |bound: Option<i64>, open: &str| bound.map_or_else(|| open.to_owned(), |n| n.to_string());
        return Err(format!("from {} to {}", bound(param.min, "any number"), bound(param.max, "any number")));
    }
    Ok(())
}

fn line(param: &Param, text: &str) -> Result<(), String> {
    let most = param.max_length.unwrap_or(MAX_LENGTH);
    if text.chars().count() > most as usize {
        return Err(format!("at most {most} characters"));
    }
    let breaks = matches!(param.kind, Kind::Text);
    if text.chars().any(|c| c.is_control() && !(breaks && matches!(c, '\n' | '\r' | '\t'))) {
        return Err(
            if breaks { "text without control characters" } else { "one line without control characters" }.to_owned()
        );
    }
    if !param.one_of.is_empty() && !param.one_of.iter().any(|one| one == text) {
        return Err(format!("one of {}", param.one_of.join(", ")));
    }
    match param.format {
        None => Ok(()),
        Some(format) if looks_like(format, text) => Ok(()),
        Some(Format::Email) => Err("one plain e-mail address".to_owned()),
        Some(Format::Date) => Err("a date such as 2026-11-21".to_owned()),
        Some(Format::DateTime) => Err("a moment such as 2026-11-21T18:00:00Z".to_owned()),
        Some(Format::Id) => Err("letters, digits, _, - and . only".to_owned()),
    }
}

fn looks_like(format: Format, text: &str) -> bool {
    match format {
        Format::Id => !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b)),
        Format::Email => {
            let plain =
                |c: char| !c.is_whitespace() && !matches!(c, ',' | ';' | '<' | '>' | '"' | '(' | ')' | ':' | '\\');
            let (name, host) = text.split_once('@').unwrap_or(("", ""));
            !name.is_empty() && host.contains('.') && !host.contains('@') && text.chars().all(plain)
        }
        Format::Date => is_date(text),
        Format::DateTime => text.split_once('T').is_some_and(|(date, time)| is_date(date) && is_time(time)),
    }
}

fn is_date(text: &str) -> bool {
    shaped(text, "0000-00-00")
}

/// RFC 3339, section 5.6.
fn is_time(text: &str) -> bool {
    let (time, offset) = match text.find(['Z', '+', '-']) {
        Some(at) => text.split_at(at),
        None => return false,
    };
    let (whole, part) = time.split_once('.').unwrap_or((time, "0"));
    let part_is_fine = (1..=9).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    shaped(whole, "00:00:00") && part_is_fine && (offset == "Z" || shaped(&offset[1..], "00:00"))
}

fn shaped(text: &str, like: &str) -> bool {
    text.len() == like.len()
        && text.bytes().zip(like.bytes()).all(|(b, like)| if like == b'0' { b.is_ascii_digit() } else { b == like })
}
