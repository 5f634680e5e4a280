//! A `.env` file.

use zeroize::Zeroizing;

use super::{Found, Namer};
use crate::binding::Bindings;

/// The assignments of `text`, the last one of a name winning, and what could not be read.
pub(super) fn read(text: &str) -> Found {
    let mut found = Found::default();
    let mut assigned: Vec<(String, Zeroizing<String>)> = Vec::new();
    let Read { text: literal, references } = without_substitution(text);
    for (number, entry) in dotenvy::from_read_iter(literal.as_bytes()).enumerate() {
        // The parser's own error repeats the line, so it must not travel.
        let Ok((key, value)) = entry else {
            found.skip(format!("entry {}", number + 1), "it is not NAME=value; quote the value");
            continue;
        };
        let value = Zeroizing::new(value);
        match assigned.iter_mut().find(|(earlier, _)| *earlier == key) {
            Some((_, earlier)) => *earlier = value,
            None => assigned.push((key, value)),
        }
    }
    let mut namer = Namer::default();
    let keys: Vec<String> = assigned.iter().map(|(key, _)| key.clone()).collect();
    for (key, value) in assigned {
        if let Some((_, other)) = references.iter().find(|(of, other)| *of == key && keys.contains(other)) {
            let why =
                format!("it is made of ${{{other}}}; write the value out, or in single quotes if it means just that");
            found.skip(key, why);
            continue;
        }
        if value.is_empty() {
            found.skip(key, "it is empty");
            continue;
        }
        found.items.push(namer.item(&[&key], value.to_string(), &Bindings::none()));
    }
    found
}

/// A file that the parser reads as it is written.
struct Read {
    text: Zeroizing<String>,
    /// Names of assignments, and the names that their values are made of: `URL=${HOST}/x`.
    references: Vec<(String, String)>,
}

/// Escapes every `$` outside single quotes: a password with a dollar sign is that password, not a look into the environment
/// of the process that imports it. In double quotes undoes `\t` and `\r`, which the parser does not know, and keeps a
/// backslash before anything else that has no meaning there.
fn without_substitution(text: &str) -> Read {
    let mut out = Zeroizing::new(String::with_capacity(text.len() * 2));
    let mut references = Vec::new();
    for line in text.split_inclusive('\n') {
        let (mut single, mut double, mut escaped) = (false, false, false);
        for (at, c) in line.char_indices() {
            if escaped {
                escaped = false;
                match c {
                    't' | 'r' if double => {
                        out.pop();
                        out.push(if c == 't' { '\t' } else { '\r' });
                        continue;
                    }
                    '\\' | '\'' | '"' | '$' | ' ' | 'n' => {}
                    _ if double => out.push('\\'),
                    _ => {}
                }
            } else if single {
                single = c != '\'';
            } else if c == '\\' {
                escaped = true;
            } else if c == '$' {
                references.extend(reference(line, at));
                out.push('\\');
            } else if c == '"' {
                double = !double;
            } else if c == '\'' {
                single = !double;
            }
            out.push(c);
        }
    }
    Read { text: out, references }
}

/// Of the line's name and the name in `${…}` at byte `at`.
fn reference(line: &str, at: usize) -> Option<(String, String)> {
    let (other, _) = line[at..].strip_prefix("${")?.split_once('}')?;
    let (key, _) = line.split_once('=')?;
    let key = key.trim();
    let key = key.strip_prefix("export ").map_or(key, str::trim);
    Some((key.to_owned(), other.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, String)> {
        read(text).items.iter().map(|item| (item.name.to_string(), item.value.expose().to_owned())).collect()
    }

    #[test]
    fn an_error_does_not_repeat_the_line() {
        let Found { items, skipped } = read("GOOD=12345678\nBAD='unclosed-hunter2\n");
        assert_eq!(items.len(), 1);
        assert_eq!(skipped.len(), 1);
        assert!(!format!("{skipped:?}").contains("hunter2"));
    }

    #[test]
    fn a_dollar_sign_is_kept() {
        for (line, value) in [
            ("K=pa$$word$HOME", "pa$$word$HOME"),
            ("K=\"pa$word${HOME}\"", "pa$word${HOME}"),
            ("K='pa$word'", "pa$word"),
            ("K=pa\\$word", "pa$word"),
            ("K=\"it's $5\"", "it's $5"),
        ] {
            assert_eq!(values(line), [("k".to_owned(), value.to_owned())], "{line}");
        }
    }

    #[test]
    fn escapes_in_double_quotes_are_those_of_other_readers() {
        for (line, value) in [
            (r#"ESC="tab\tq\"uote9Zk""#, "tab\tq\"uote9Zk"),
            (r#"K="a\rb\nc""#, "a\rb\nc"),
            (r#"K="C:\dir\x""#, r"C:\dir\x"),
            (r#"K="a\\tb""#, r"a\tb"),
            (r"K='a\tb'", r"a\tb"),
        ] {
            let values: Vec<String> = values(line).into_iter().map(|(_, value)| value).collect();
            assert_eq!(values, [value], "{line}");
        }
    }

    #[test]
    fn a_value_made_of_others_is_not_stored_as_it_is_written() {
        let Found { items, skipped } = read(
            "API_KEY=correct-horse-1\nREF=${API_KEY}-suffix\nexport URL=\"x/${API_KEY}\"\nLITERAL='${API_KEY}'\nALONE=${NONE}-9\n",
        );
        let names: Vec<&str> = items.iter().map(|item| item.name.as_str()).collect();
        assert_eq!(names, ["api_key", "literal", "alone"]);
        assert_eq!(skipped.iter().map(|skipped| skipped.key.as_str()).collect::<Vec<_>>(), ["REF", "URL"]);
        assert!(skipped[0].why.contains("${API_KEY}") && skipped[0].why.contains("write the value out"));
    }

    #[test]
    fn the_last_assignment_wins_and_names_are_made_valid() {
        assert_eq!(values("A=1\nexport A=2 # two\n"), [("a".to_owned(), "2".to_owned())]);
        let names: Vec<_> =
            values("_X=12345678\nA.B=12345678\nA_B=12345678").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["x", "a_b", "a_b_2"]);
    }
}
