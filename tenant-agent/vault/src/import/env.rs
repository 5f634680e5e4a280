//! A `.env` file.

use zeroize::Zeroizing;

use super::{Found, Namer};
use crate::binding::Bindings;

/// The assignments of `text`, the last one of a name winning, and what could not be read.
pub(super) fn read(text: &str) -> Found {
    let mut found = Found::default();
    let mut assigned: Vec<(String, Zeroizing<String>)> = Vec::new();
    let literal = without_substitution(text);
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
    for (key, value) in assigned {
        if value.is_empty() {
            found.skip(key, "it is empty");
            continue;
        }
        found.items.push(namer.item(&[&key], value.to_string(), &Bindings::none()));
    }
    found
}

/// Escapes every `$` outside single quotes: a password with a dollar sign is that password, not a look into the environment
/// of the process that imports it.
fn without_substitution(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len() * 2));
    for line in text.split_inclusive('\n') {
        let (mut single, mut double, mut escaped) = (false, false, false);
        for c in line.chars() {
            if escaped {
                escaped = false;
            } else if single {
                single = c != '\'';
            } else if c == '\\' {
                escaped = true;
            } else if c == '$' {
                out.push('\\');
            } else if c == '"' {
                double = !double;
            } else if c == '\'' {
                single = !double;
            }
            out.push(c);
        }
    }
    out
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
    fn the_last_assignment_wins_and_names_are_made_valid() {
        assert_eq!(values("A=1\nexport A=2 # two\n"), [("a".to_owned(), "2".to_owned())]);
        let names: Vec<_> =
            values("_X=12345678\nA.B=12345678\nA_B=12345678").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["x", "a_b", "a_b_2"]);
    }
}
