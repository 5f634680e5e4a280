//! From arguments to the one request that they give.

use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use super::{Adapter, AdapterRequest, Body, Kind, Param, Place, Tool, schema};
use crate::action::{Call, InvalidAction};

/// The call that these arguments make.
///
/// # Errors
/// [`InvalidAction`], for the agent to read.
pub(super) fn call(adapter: &Adapter, tool: &Tool, args: &Value) -> Result<Call, InvalidAction> {
    let name = adapter.name_of(tool);
    let given = schema::given(tool, &name, args)?;
    let request = Box::new(AdapterRequest {
        method: tool.method.clone(),
        url: url(adapter, tool, &given)?,
        headers: headers(adapter, tool),
        auth: adapter.auth.clone(),
        body: body(tool, &given),
        reply: tool.reply.clone(),
    });
    let to = (!tool.recipients.is_empty()).then(|| recipients(tool, &given));
    Ok(Call::Adapter {
        title: format!("{} ({})", tool.title, adapter.title),
        // As they were given: the same call is the same digest.
        args: Value::Object(given),
        request,
        to,
    })
}

fn recipients(tool: &Tool, given: &Map<String, Value>) -> Vec<String> {
    let named = tool.recipients.iter().filter_map(|name| given.get(name));
    named.flat_map(texts).collect()
}

/// A value as the texts that stand for it in a query or a form.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        other => vec![other.to_string()],
    }
}

fn headers(adapter: &Adapter, tool: &Tool) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> =
        adapter.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let media_type = match &tool.body {
        None => return out,
        Some(Body::Json) => "application/json",
        Some(Body::Form) => "application/x-www-form-urlencoded",
        Some(Body::Text { media_type }) => media_type,
    };
    out.push(("Content-Type".to_owned(), media_type.to_owned()));
    out
}

fn url(adapter: &Adapter, tool: &Tool, given: &Map<String, Value>) -> Result<String, InvalidAction> {
    let mut url = adapter.base_url.trim_end_matches('/').to_owned();
    let base = url.len();
    for segment in tool.path.split('/').skip(1) {
        url.push('/');
        match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            None => url.push_str(segment),
            Some(name) => {
                let param = tool.params.iter().find(|param| param.name == name);
                let (param, value) = param.zip(given.get(name)).ok_or_else(|| no_segment(name))?;
                url.push_str(&segments(param, value)?);
            }
        }
    }
    let written = url[base..].to_owned();
    let query = pairs(tool, given, Place::Query);
    if !query.is_empty() {
        url.push('?');
        url.push_str(&form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish());
    }
    // Whatever the rules above say: what a client reads there is what stands there.
    let read = Url::parse(&url).map_err(|_| no_segment("path"))?;
    let ours = Url::parse(&adapter.base_url).map_err(|_| no_segment("path"))?;
    let below = read.path().strip_prefix(ours.path().trim_end_matches('/'));
    if read.origin() != ours.origin() || below != Some(&written) || read.as_str() != url || read.fragment().is_some() {
        return Err(no_segment("path"));
    }
    Ok(url)
}

fn no_segment(name: &str) -> InvalidAction {
    InvalidAction::Argument {
        name: name.to_owned(),
        form: "a plain part of an address, without / \\ ? # % and dots alone".to_owned(),
    }
}

/// One segment, or several where the parameter is a path.
fn segments(param: &Param, value: &Value) -> Result<String, InvalidAction> {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let parts: Vec<&str> = if param.kind == Kind::Path { text.split('/').collect() } else { vec![&text] };
    let encoded = parts.into_iter().map(|part| {
        let leads_away = part.is_empty() || part == "." || part == ".." || part.contains(['/', '\\', '?', '#', '%']);
        if leads_away { Err(no_segment(&param.name)) } else { Ok(encode(part)) }
    });
    Ok(encoded.collect::<Result<Vec<_>, _>>()?.join("/"))
}

/// All but RFC 3986's unreserved characters as `%XX`.
fn encode(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// What stands in a query or form, in the order of the description.
fn pairs(tool: &Tool, given: &Map<String, Value>, place: Place) -> Vec<(String, String)> {
    let fixed = tool.fixed.iter().filter(|fixed| fixed.place == place).map(|fixed| (fixed.to.as_slice(), &fixed.value));
    let params = tool.params.iter().filter(|param| param.place == place);
    let params = params.filter_map(|param| Some((param.way(), given.get(&param.name)?)));
    fixed.chain(params).flat_map(|(way, value)| texts(value).into_iter().map(|text| (bracketed(way), text))).collect()
}

/// `["a", "b"]` as `a[b]`, the way into a structure that forms have.
fn bracketed(way: &[String]) -> String {
    let mut parts = way.iter();
    let mut out = parts.next().cloned().unwrap_or_default();
    parts.for_each(|part| out.push_str(&format!("[{part}]")));
    out
}

fn body(tool: &Tool, given: &Map<String, Value>) -> Option<String> {
    match tool.body.as_ref()? {
        Body::Form => {
            Some(form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs(tool, given, Place::Body)).finish())
        }
        Body::Text { .. } => {
            let param = tool.params.iter().find(|param| param.place == Place::Body)?;
            Some(given.get(&param.name).and_then(Value::as_str).unwrap_or_default().to_owned())
        }
        Body::Json => {
            let mut root = Map::new();
            for fixed in tool.fixed.iter().filter(|fixed| fixed.place == Place::Body) {
                put(&mut root, &fixed.to, fixed.value.clone());
            }
            for param in tool.params.iter().filter(|param| param.place == Place::Body) {
                if let Some(value) = given.get(&param.name) {
                    put(&mut root, param.way(), wrapped(param, value.clone()));
                }
            }
            Some(Value::Object(root).to_string())
        }
    }
}

fn wrapped(param: &Param, value: Value) -> Value {
    match (&param.each, value) {
        (Some(field), Value::Array(items)) => {
            let one = |item| Value::Object(Map::from_iter([(field.clone(), item)]));
            Value::Array(items.into_iter().map(one).collect())
        }
        (_, value) => value,
    }
}

/// Puts a value where `way` leads; that no two ways meet was checked when the adapter was.
fn put(map: &mut Map<String, Value>, way: &[String], value: Value) {
    let Some((last, before)) = way.split_last() else { return };
    let mut at = map;
    for part in before {
        let next = at.entry(part.clone()).or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(next) = next else { return };
        at = next;
    }
    at.insert(last.clone(), value);
}
