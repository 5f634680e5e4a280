//! Canonical JSON (RFC 8785), written fast: each call is written so three times before it is answered.
//!
//! `serde_json_canonicalizer` reads each key again to sort it and writes each piece through a box; it stays the judge of numbers
//! that are not whole, and of what is right in the tests.

use std::io::Write as _;

use serde_json::{Map, Value};

/// Whole numbers up to here are written as they are; RFC 8785 has no others than those of a double.
const EXACT: u64 = 1 << 53;

/// The canonical bytes of `value`, the same that `serde_json_canonicalizer::to_vec` gives.
///
/// # Errors
/// As that does, for a number that no JSON can say.
pub fn to_vec(value: &Value) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(512);
    put(&mut out, value)?;
    Ok(out)
}

fn put(out: &mut Vec<u8>, value: &Value) -> serde_json::Result<()> {
    match value {
        Value::Null => out.extend(b"null"),
        Value::Bool(true) => out.extend(b"true"),
        Value::Bool(false) => out.extend(b"false"),
        Value::Number(number) => match number.as_i64() {
            Some(whole) if whole.unsigned_abs() <= EXACT => write!(out, "{whole}").map_err(serde_json::Error::io)?,
            _ => out.extend(serde_json_canonicalizer::to_vec(number)?),
        },
        // Its escapes are the ones that the RFC asks for.
        Value::String(text) => serde_json::to_writer(out, text)?,
        Value::Array(list) => put_list(out, list)?,
        Value::Object(map) => put_map(out, map)?,
    }
    Ok(())
}

fn put_list(out: &mut Vec<u8>, list: &[Value]) -> serde_json::Result<()> {
    out.push(b'[');
    for (place, value) in list.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        put(out, value)?;
    }
    out.push(b']');
    Ok(())
}

fn put_map(out: &mut Vec<u8>, map: &Map<String, Value>) -> serde_json::Result<()> {
    let mut members: Vec<_> = map.iter().collect();
    // By units of UTF-16, which is not the order of UTF-8 beyond the surrogates.
    members.sort_unstable_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    out.push(b'{');
    for (place, (key, value)) in members.into_iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        serde_json::to_writer(&mut *out, key)?;
        out.push(b':');
        put(out, value)?;
    }
    out.push(b'}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What the RFC's own implementation says of it is what we say.
    fn same(value: &Value) {
        let wanted = serde_json_canonicalizer::to_vec(value).unwrap();
        assert_eq!(String::from_utf8(to_vec(value).unwrap()).unwrap(), String::from_utf8(wanted).unwrap(), "{value}");
    }

    #[test]
    fn every_kind_of_value_is_written_as_the_rfc_says() {
        for value in [
            json!(null),
            json!([true, false, [], {}, [[]], ""]),
            json!({"b": 1, "a": {"z": [], "y": {"x": null}}, "": 0, "A": -1}),
            json!([0, -0.0, -1, 1.0, 1.5, 1e21, 1e-7, 333_333_333.333_333_3, f64::MAX, 5e-324]),
            json!([i64::MIN, i64::MAX, u64::MAX, EXACT, EXACT - 1, EXACT + 1]),
            json!([-(EXACT as i64), -(EXACT as i64) - 1]),
        ] {
            same(&value);
        }
    }

    #[test]
    fn every_sign_is_escaped_as_the_rfc_says() {
        let every: String = (0..=0x2_ffff_u32).filter_map(char::from_u32).collect();
        same(&json!({"text": every}));
        for sign in ('\0'..='\u{a0}').chain(['\u{2028}', '\u{feff}', '\u{ffff}', '\u{1f600}']) {
            same(&json!({format!("{sign}"): format!("a{sign}b"), "k": sign.to_string()}));
        }
    }

    #[test]
    fn keys_are_sorted_by_units_of_utf_16() {
        let keys = [
            "\u{fb33}",
            "\u{1f600}",
            "\r",
            "1",
            "\u{80}",
            "\u{f6}",
            "\u{20ac}",
            "\u{e000}",
            "\u{10000}",
            "aa",
            "a",
            "a\u{301}",
        ];
        let map: Map<String, Value> = keys.iter().enumerate().map(|(at, key)| ((*key).to_owned(), json!(at))).collect();
        same(&Value::Object(map.clone()));
        let back: Map<String, Value> = map.into_iter().rev().collect();
        same(&Value::Object(back));
    }

    /// Values of a fixed sequence, nested and of all kinds.
    #[test]
    fn ten_thousand_values_are_written_the_same() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..10_000 {
            same(&drawn(&mut state, 4));
        }
    }

    fn next(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    fn drawn(state: &mut u64, depth: u32) -> Value {
        let text = |state: &mut u64| -> String {
            let length = next(state) % 6;
            (0..length).filter_map(|_| char::from_u32((next(state) % 0x1_1000) as u32 >> (next(state) % 12))).collect()
        };
        match next(state) % if depth == 0 { 6 } else { 8 } {
            0 => json!(next(state) as i64),
            1 => json!(next(state) >> (next(state) % 64)),
            2 => json!(-((next(state) >> (1 + next(state) % 63)) as i64)),
            3 => {
                Some(f64::from_bits(next(state))).filter(|number| number.is_finite()).map_or(Value::Null, |n| json!(n))
            }
            4 | 5 => Value::String(text(state)),
            6 => (0..next(state) % 5).map(|_| drawn(state, depth - 1)).collect(),
            _ => Value::Object((0..next(state) % 6).map(|_| (text(state), drawn(state, depth - 1))).collect()),
        }
    }
}
