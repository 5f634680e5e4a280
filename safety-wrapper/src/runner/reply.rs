//! What of an answer is given back: the fields that an adapter keeps.

use serde_json::{Map, Value};
use wardkeep_policy::adapters::Reply;
use zeroize::Zeroizing;

use super::Raw;

/// Of an answer that is no success, bytes: what went wrong is said at its beginning.
const ERROR_BYTES: usize = 4 * 1024;

/// The answer without what the adapter does not keep. What cannot be read as JSON is not given where fields are named.
pub(super) fn shaped(mut raw: Raw, reply: &Reply) -> Raw {
    let Some(status) = raw.http_status.filter(|_| !reply.keep.is_empty()) else { return raw };
    if !(200..300).contains(&status) {
        raw.cut |= raw.output.len() > ERROR_BYTES;
        raw.output.truncate(ERROR_BYTES);
        return raw;
    }
    let said = match serde_json::from_slice::<Value>(&raw.output) {
        _ if raw.cut => "[the answer is longer than this tool gives back; ask for fewer]".to_owned(),
        Ok(value) => kept(value, &reply.keep.iter().map(String::as_str).collect::<Vec<_>>()).to_string(),
        Err(_) if raw.output.is_empty() => String::new(),
        Err(_) => "[the answer is not JSON, and this tool gives back fields only]".to_owned(),
    };
    raw.output = Zeroizing::new(said.into_bytes());
    raw
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

    #[test]
    fn what_is_no_json_is_not_given() {
        let reply = Reply { max_bytes: None, keep: vec!["id".to_owned()] };
        let raw = |text: &str, status, cut| Raw {
            http_status: Some(status),
            output: Zeroizing::new(text.as_bytes().to_vec()),
            cut,
            ..Raw::default()
        };
        for (text, status, cut, want) in [
            ("<html>secret</html>", 200, false, "[the answer is not JSON, and this tool gives back fields only]"),
            (r#"{"id":1,"#, 200, true, "[the answer is longer than this tool gives back; ask for fewer]"),
            (r#"{"id":1,"k":2}"#, 200, false, r#"{"id":1}"#),
            ("", 204, false, ""),
            ("no such thing", 404, false, "no such thing"),
        ] {
            let given = shaped(raw(text, status, cut), &reply);
            assert_eq!(String::from_utf8_lossy(&given.output), want);
        }
    }
}
