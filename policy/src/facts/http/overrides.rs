//! Methods that a request names beside its own: many servers obey a header, or a field of the query or the body, more than the method.

use crate::facts::OPAQUE;

/// What a field may say that it is meant as.
const METHODS: &[&str] =
    &["CONNECT", "COPY", "DELETE", "LOCK", "MOVE", "PATCH", "POST", "PURGE", "PUT", "TRACE", "UNLINK", "UNLOCK"];
/// What keys of that kind are called, alone or as a part: `_method`, `X-HTTP-Method-Override`, `httpVerb`.
const KEYS: &[&str] = &["method", "verb"];
/// Signs of which one stands between a key and its value: `a=b`, `"a": "b"`, `<a>b</a>`, the lines of a form in parts.
const BETWEEN: &[char] = &['=', ':', '>', '\n'];
/// A method that is only known at run time.
const ANY: &str = "\u{fffc}";
/// So many signs at most are neither key nor value.
const GAP: usize = 16;

/// The methods that a header stands for, in upper case.
pub(crate) fn of_header(name: &str, value: &str) -> Vec<String> {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    // What a browser asks and is told before it sends.
    if !KEYS.iter().any(|key| letters.contains(key)) || letters.starts_with("accesscontrol") {
        return Vec::new();
    }
    // What it says is only known at run time.
    if value.contains(OPAQUE) {
        return vec![OPAQUE.to_string()];
    }
    let words = value.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').filter(|word| !word.is_empty());
    let words = words.map(str::to_ascii_uppercase);
    // `X-Payment-Method: card` speaks of something else.
    let surely = letters.contains("override")
        || ["", "x", "http", "xhttp", "xrest", "rest", "request", "xrequest"]
            .iter()
            .any(|start| KEYS.iter().any(|key| letters.strip_prefix(start) == Some(key)));
    words.filter(|word| surely || METHODS.contains(&word.as_str())).collect()
}

/// The methods that fields of a query or a body name: `_method=DELETE`, `{"_method": "DELETE"}`.
pub(crate) fn of_text(text: &str) -> Vec<&'static str> {
    let mut out = Vec::new();
    let lower = text.to_ascii_lowercase();
    for (at, key) in KEYS.iter().flat_map(|key| lower.match_indices(key)) {
        let behind = &lower[at + key.len()..];
        let overriding = behind.trim_start_matches(['-', '_', ' ']).strip_prefix("override");
        let own = lower[..at].strip_suffix('_').is_some_and(|before| !before.ends_with(|c: char| c.is_alphanumeric()));
        let named = own || overriding.is_some();
        let behind = overriding.unwrap_or(behind);
        if named
            && behind.trim_start_matches(|c: char| BETWEEN.contains(&c) || "\"' []".contains(c)).starts_with(OPAQUE)
        {
            out.push(ANY);
        }
        let Some(from) = behind.find(|c: char| c.is_ascii_alphanumeric()) else { continue };
        let value = &behind[from..];
        let value = &value[..value.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(value.len())];
        if from <= GAP && behind[..from].contains(BETWEEN) {
            out.extend(METHODS.iter().find(|method| method.eq_ignore_ascii_case(value)).copied());
        }
    }
    out
}

/// Whether what is called so may name a method.
pub(crate) fn is_key(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    KEYS.iter().any(|key| lower.contains(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_may_stand_for_a_method() {
        for (name, value, want) in [
            ("X-HTTP-Method-Override", "DELETE", "DELETE"),
            ("X-HTTP-Method", "delete", "DELETE"),
            ("x-method-override", "frob", "FROB"),
            ("X_HTTP_METHOD_OVERRIDE", "\"PURGE\"", "PURGE"),
            ("X-Method", "DELETE", "DELETE"),
            ("X-HTTP-Verb", "DELETE", "DELETE"),
            ("_method", "DELETE", "DELETE"),
            ("X-Some-Method", "DELETE", "DELETE"),
            ("X-Some-Method", "card", ""),
            ("X-Payment-Method", "card", ""),
            ("Access-Control-Request-Method", "DELETE", ""),
            ("Accept", "DELETE", ""),
            ("X-HTTP-Method-Override", "", ""),
            ("X-HTTP-Method-Override", "\u{fffc}", ANY),
            ("X-Method", "DEL\u{fffc}", ANY),
            ("Authorization", "Bearer \u{fffc}", ""),
        ] {
            assert_eq!(of_header(name, value).join(" "), want, "{name}: {value}");
        }
    }

    #[test]
    fn a_field_may_stand_for_a_method() {
        for (text, want) in [
            ("_method=DELETE", "DELETE"),
            ("a=1&_METHOD=delete&b=2", "DELETE"),
            ("{\"_method\": \"DELETE\"}", "DELETE"),
            ("{\"_method\" : \"patch\"}", "PATCH"),
            ("/x?x-http-method-override=PUT", "PUT"),
            ("name=\"_method\"\r\n\r\nDELETE", "DELETE"),
            ("<_method>DELETE</_method>", "DELETE"),
            ("_method[]=DELETE", "DELETE"),
            ("httpVerb: 'DELETE'", "DELETE"),
            ("_method=\u{fffc}", ANY),
            ("{\"_method\": \"\u{fffc}\"}", ANY),
            ("x-http-method-override=\u{fffc}", ANY),
            ("payment_method=\u{fffc}", ""),
            ("_method=GET", ""),
            ("payment_method=card", ""),
            ("{\"method\":\"deleted\"}", ""),
            ("this method deletes it", ""),
            ("the method delete", ""),
            ("", ""),
        ] {
            assert_eq!(of_text(text).join(" "), want, "{text}");
        }
    }
}
