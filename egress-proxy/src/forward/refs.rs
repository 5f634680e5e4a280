//! References to stored secrets, found in bytes that come in pieces.
//!
//! Three spellings mean the same: `SECRET_REF(name)`, `SECRET_REF%28name%29` as URL encoding makes it, and
//! `SECRET_REF-name-END` for clients that check or encode what they send. What looks like one and is none is text.

use wardkeep_proto::ids::SecretName;
use zeroize::Zeroizing;

const WORD: &[u8] = b"SECRET_REF";
const BRACKETS: [(&[u8], &[u8]); 3] = [(b"(", b")"), (b"%28", b"%29"), (b"-", b"-END")];
/// Longest name of a secret.
const NAME: usize = 64;

/// A finder of references. It holds back what may become one: 81 bytes at most.
#[derive(Default)]
pub(crate) struct Finder {
    tail: Zeroizing<Vec<u8>>,
}

/// What a finder sees.
pub(crate) enum Part<'a> {
    Text(&'a [u8]),
    Ref(SecretName),
}

enum Seen {
    Ref(SecretName, usize),
    Text,
    /// It goes on behind the end.
    Unfinished,
}

impl Finder {
    /// Takes the next piece and tells what is in it, in order.
    pub(crate) fn push<E>(&mut self, piece: &[u8], mut each: impl FnMut(Part<'_>) -> Result<(), E>) -> Result<(), E> {
        if self.tail.is_empty() && memchr::memchr(WORD[0], piece).is_none() {
            return each(Part::Text(piece));
        }
        let mut buffer = std::mem::take(&mut self.tail);
        buffer.extend_from_slice(piece);
        let (mut told, mut from) = (0, 0);
        while let Some(found) = memchr::memmem::find(&buffer[from..], WORD) {
            let at = from + found;
            match look(&buffer[at..]) {
                Seen::Ref(name, length) => {
                    each(Part::Text(&buffer[told..at]))?;
                    each(Part::Ref(name))?;
                    told = at + length;
                    from = told;
                }
                Seen::Text => from = at + WORD.len(),
                Seen::Unfinished => {
                    each(Part::Text(&buffer[told..at]))?;
                    self.tail = Zeroizing::new(buffer[at..].to_vec());
                    return Ok(());
                }
            }
        }
        let begun = (1..WORD.len()).rev().find(|count| buffer[from..].ends_with(&WORD[..*count])).unwrap_or(0);
        let end = buffer.len() - begun;
        each(Part::Text(&buffer[told..end]))?;
        self.tail = Zeroizing::new(buffer[end..].to_vec());
        Ok(())
    }

    /// What was held back when the bytes ended.
    pub(crate) fn finish(&mut self) -> Zeroizing<Vec<u8>> {
        std::mem::take(&mut self.tail)
    }

    /// Bytes held back.
    pub(crate) fn held(&self) -> usize {
        self.tail.len()
    }
}

/// Whether a reference begins at the word that `text` begins with.
fn look(text: &[u8]) -> Seen {
    let rest = &text[WORD.len()..];
    for (open, close) in BRACKETS {
        if rest.len() < open.len() {
            if open.starts_with(rest) {
                return Seen::Unfinished;
            }
            continue;
        }
        let Some(inner) = rest.strip_prefix(open) else { continue };
        let length = inner.iter().take(NAME + 1).take_while(|byte| is_name(**byte)).count();
        let after = &inner[length..];
        if length <= NAME && after.len() < close.len() && close.starts_with(after) {
            return Seen::Unfinished;
        }
        let name = std::str::from_utf8(&inner[..length]).ok().and_then(|name| name.parse().ok());
        return match name {
            Some(name) if after.starts_with(close) => Seen::Ref(name, WORD.len() + open.len() + length + close.len()),
            _ => Seen::Text,
        };
    }
    Seen::Text
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'
}

/// The one spelling that redaction knows and leaves alone.
pub(crate) fn write_canonical(name: &SecretName, out: &mut Vec<u8>) {
    out.extend_from_slice(WORD);
    out.push(b'(');
    out.extend_from_slice(name.as_str().as_bytes());
    out.push(b')');
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// Text with references as `<name>`.
    fn read(pieces: &[&[u8]]) -> String {
        let (mut finder, mut out) = (Finder::default(), Vec::new());
        let each = |out: &mut Vec<u8>, part: Part<'_>| match part {
            Part::Text(text) => out.extend_from_slice(text),
            Part::Ref(name) => out.extend_from_slice(format!("<{name}>").as_bytes()),
        };
        for piece in pieces {
            finder
                .push(piece, |part| {
                    each(&mut out, part);
                    Ok::<_, Infallible>(())
                })
                .unwrap();
            assert!(finder.held() <= 81);
        }
        out.extend_from_slice(&finder.finish());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_no_reference_is_text() {
        let long = format!("SECRET_REF({})", "x".repeat(65));
        for text in [
            "SECRET_REF",
            "SECRET_REF(",
            "SECRET_REF()",
            "SECRET_REF(Name)",
            "SECRET_REF(na me)",
            "SECRET_REF(name",
            "SECRET_REF%28name)",
            "SECRET_REF(name%29",
            "SECRET_REF-name",
            "SECRET_REF-name-EN",
            "SECRET_REF-name-end",
            "SECRET_REF(1name)",
            "secret_ref(name)",
            "SECRET_REF%2",
            "SECRET_REFS(name)",
            "SECRET_RESECRET_RE",
            &long,
        ] {
            assert_eq!(read(&[text.as_bytes()]), text);
            for cut in 0..=text.len() {
                assert_eq!(read(&[&text.as_bytes()[..cut], &text.as_bytes()[cut..]]), text, "{cut}");
            }
        }
    }

    #[test]
    fn every_spelling_is_found_however_it_is_cut() {
        let name = "n".repeat(64);
        let text = format!(
            "a SECRET_REF(x)SECRET_REF%28db_1%29&b=SECRET_REF-key-END SECRET_REF SECRET_REFSECRET_REF(y)S SECRET_REF({name})SECRET_R"
        );
        let want = format!("a <x><db_1>&b=<key> SECRET_REF SECRET_REF<y>S <{name}>SECRET_R");
        let bytes = text.as_bytes();
        for cut in 0..=bytes.len() {
            assert_eq!(read(&[&bytes[..cut], &bytes[cut..]]), want, "{cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&single), want);
    }
}
