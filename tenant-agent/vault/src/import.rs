//! Reading a `.env` file.

use std::io::Read;

use wardkeep_proto::ids::SecretName;
use wardkeep_proto::secret::SecretValue;
use zeroize::Zeroizing;

use crate::vault::VaultError;

/// Largest `.env` file that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// What an import did. Holds no value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// New secrets.
    pub added: Vec<SecretName>,
    /// Secrets with a new version.
    pub updated: Vec<SecretName>,
    /// Secrets that already had this value.
    pub unchanged: Vec<SecretName>,
    /// Lines that were left out.
    pub skipped: Vec<Skipped>,
}

/// One assignment that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The variable, or where it would have stood.
    pub key: String,
    /// Why, and what to do.
    pub why: String,
}

/// What a `.env` file says.
pub(crate) struct Assignments {
    pub(crate) found: Vec<(SecretName, SecretValue)>,
    pub(crate) skipped: Vec<Skipped>,
}

/// The assignments of `reader`, the last one of a name winning, and what could not be read.
pub(crate) fn read(reader: impl Read) -> Result<Assignments, VaultError> {
    let mut text = Zeroizing::new(String::new());
    let read = reader.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(VaultError::ImportRead)?;
    if read as u64 > MAX_BYTES {
        return Err(VaultError::ImportTooLarge);
    }
    let mut found: Vec<(SecretName, SecretValue)> = Vec::new();
    let mut skipped = Vec::new();
    let literal = without_substitution(text.strip_prefix('\u{feff}').unwrap_or(&text));
    for (number, entry) in dotenvy::from_read_iter(literal.as_bytes()).enumerate() {
        // The parser's own error repeats the line, so it must not travel.
        let Ok((key, value)) = entry else {
            skipped.push(Skipped {
                key: format!("entry {}", number + 1),
                why: "it is not NAME=value; quote the value".into(),
            });
            continue;
        };
        let value = SecretValue::new(value);
        let Ok(name) = key.to_ascii_lowercase().parse::<SecretName>() else {
            skipped
                .push(Skipped { key, why: "a name is 1 to 64 letters, digits and underscores, a letter first".into() });
            continue;
        };
        found.retain(|(earlier, _)| *earlier != name);
        found.push((name, value));
    }
    Ok(Assignments { found, skipped })
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
        let Assignments { found, .. } = read(text.as_bytes()).unwrap();
        found.iter().map(|(n, v)| (n.to_string(), v.expose().to_owned())).collect()
    }

    #[test]
    fn an_error_does_not_repeat_the_line() {
        let Assignments { found, skipped } = read(&b"GOOD=12345678\nBAD='unclosed-hunter2\n"[..]).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(skipped.len(), 1);
        assert!(!format!("{skipped:?}").contains("hunter2"));
        assert!(matches!(read(&[0xff][..]), Err(VaultError::ImportRead(_))));
        assert!(matches!(read(std::io::repeat(b'#')), Err(VaultError::ImportTooLarge)));
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
    fn the_last_assignment_wins_and_bad_names_are_named() {
        assert_eq!(values("A=1\nexport A=2 # two\n"), [("a".to_owned(), "2".to_owned())]);
        let Assignments { skipped, .. } = read(&b"_X=12345678\nA.B=12345678"[..]).unwrap();
        assert_eq!(skipped.iter().map(|s| s.key.as_str()).collect::<Vec<_>>(), ["_X", "A.B"]);
    }
}
