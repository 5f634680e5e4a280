//! What of an answer is given back: the fields that an adapter keeps.

use serde_json::{Map, Value};
use wardkeep_policy::adapters::Reply;
use zeroize::Zeroizing;

use super::Raw;

/// Of an answer that is no success, bytes: what went wrong is said at its beginning.
const ERROR_BYTES: usize = 4 * 1024;

const TOO_LONG: &str = "[the answer is longer than this tool gives back; ask for fewer]";
const NO_JSON: &str = "[the answer is not JSON, and this tool gives back fields only]";

/// How much of an answer is read, bytes, where a run that gives back `cap` of them reads `most`: what is shown is cut after redaction, so
/// the margin between the two stays. Fields can be told from a whole answer only.
pub(super) fn to_read(reply: &Reply, cap: usize, most: usize) -> usize {
    let own = reply.max_bytes.filter(|_| reply.keep.is_empty()).map(|own| own as usize);
    own.map_or(most, |own| most.min(own + most.saturating_sub(cap)))
}

/// The answer without what the adapter does not keep. What cannot be read as JSON is not given where fields are named.
pub(super) fn shaped(mut raw: Raw, reply: &Reply) -> Raw {
    // Without a status it is our own words.
    let Some(status) = raw.http_status else { return raw };
    raw.most = reply.max_bytes.map(|own| own as usize);
    if reply.keep.is_empty() {
        return raw;
    }
    if !(200..300).contains(&status) {
        raw.most = Some(raw.most.map_or(ERROR_BYTES, |own| own.min(ERROR_BYTES)));
        return raw;
    }
    if raw.cut {
        return instead(raw, TOO_LONG);
    }
    if raw.output.is_empty() {
        return raw;
    }
    let Ok(value) = serde_json::from_slice::<Value>(&raw.output) else { return instead(raw, NO_JSON) };
    let kept = kept(value, &reply.keep.iter().map(String::as_str).collect::<Vec<_>>()).to_string();
    if raw.most.is_some_and(|most| kept.len() > most) {
        return instead(raw, TOO_LONG);
    }
    Raw { output: Zeroizing::new(kept.into_bytes()), ..raw }
}

/// A note in place of the answer: it is ours, so all of it is told.
fn instead(raw: Raw, note: &str) -> Raw {
    Raw { output: Zeroizing::new(note.as_bytes().to_vec()), cut: false, left_out: true, most: None, ..raw }
}

/// Lists are looked through; what a way does not lead into is left out.
fn kept(value: Value, ways: &[&str]) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(|item| kept(item, ways)).collect()),
        Value::Object(map) => {
            let mut out = Map::new();
            for (name, value) in map {
                let further: Vec<&str> = ways.iter().filter_map(|way| way.strip_prefix(name.as_str())).collect();
                if further.contains(&"") {
                    out.insert(name, value);
                    continue;
                }
                let further: Vec<&str> = further.iter().filter_map(|way| way.strip_prefix('.')).collect();
                if !further.is_empty() {
                    let inner = kept(value, &further);
                    out.insert(name, inner);
                }
            }
            Value::Object(out)
        }
        // A plain value where a way leads further is not what was named.
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_named_fields_come_back() {
        let answer = json!({"data": [{"id": 1, "key": "x", "user": {"login": "a", "token": "y"}}, 7], "more": true, "dataset": 1});
        let want = json!({"data": [{"id": 1, "user": {"login": "a"}}, null], "more": true});
        assert_eq!(kept(answer, &["data.id", "data.user.login", "more"]), want);
    }
}
