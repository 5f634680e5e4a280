//! Private keys in PEM, as they are and in base64 once more, as Kubernetes keeps them and `base64 key.pem` prints them.

use data_encoding::BASE64;

use crate::cursor::{Cursor, Decision, More};

/// Longest private key, in bytes: RSA with 16,384 bits is 12.8 kB.
const PEM: usize = 16 * 1024;
/// The same in base64, in lines.
const ENCODED: usize = PEM / 3 * 4 + PEM / 32;
/// Least bytes of an encoded key, its first line included.
const LEAST: usize = 80;
/// First bytes of an encoded key, in which `PRIVATE KEY` stands: 31 for the longest name that is in use.
const LABEL: usize = 36;

/// How a key begins: as it is, and in base64 when none, one or two bytes of a group stand before it.
pub(in crate::rules) const BEGINS: &[&str] = &["-----BEGIN ", "LS0tLS1CRUdJTi", "0tLS0tQkVHSU4g", "tLS0tLUJFR0lOI"];

const fn in_label(b: u8) -> bool {
    b.is_ascii_uppercase() || b.is_ascii_digit() || b == b' '
}

/// A private key at its first line, whichever way that is written.
pub(in crate::rules) fn pem(cursor: Cursor<'_>) -> Decision {
    match cursor.peek()? {
        Some(b'-') => plain(cursor),
        _ => encoded(cursor),
    }
}

/// From the first to the last line, both included; a key that is cut off is taken as far as it goes.
fn plain(mut cursor: Cursor<'_>) -> Decision {
    let from = cursor.at;
    cursor.word(b"-----")?;
    let label = cursor.run(48, in_label)?;
    let private = label.windows(11).any(|w| w == b"PRIVATE KEY") || label.ends_with(b"OPENSSH KEY");
    if !private || !cursor.word(b"-----")? {
        return Ok(None);
    }
    let body = cursor.at;
    let mut key = 0;
    loop {
        // Headers, escaped line ends, indentation and quotes may stand between the lines.
        let run = cursor.run(PEM, |b| {
            b.is_ascii_alphanumeric() || b.is_ascii_whitespace() || b"+/=\\\"',:;()._>|*#$%&@".contains(&b)
        })?;
        key += run.len();
        if key > PEM || cursor.peek()? != Some(b'-') {
            break;
        }
        if cursor.word(b"-----END ")? {
            cursor.run(48, in_label)?;
            cursor.run(5, |b| b == b'-')?;
            // Between the mere names of both lines there are words.
            let base64 = |b: &u8| b.is_ascii_alphanumeric() || b"+/=".contains(b);
            let lines = cursor.text_between(body, cursor.at).split(|b| !base64(b));
            let written = key > 20 && lines.clone().any(|line| line.len() >= 16);
            return Ok(written.then_some(from..cursor.at));
        }
        if cursor.word(b"-----")? {
            break;
        }
        cursor.run(1, |b| b == b'-')?;
    }
    // Without an end only base64 counts as the key, so that text after a mere mention stays.
    cursor.at = body;
    let end = truncated(cursor)?;
    Ok(end.map(|end| from..end))
}

fn truncated(mut cursor: Cursor<'_>) -> Result<Option<usize>, More> {
    let (mut end, most) = (None, cursor.at + PEM);
    while cursor.at < most {
        let gap = cursor.run(64, |b| b.is_ascii_whitespace() || b"\\\"',".contains(&b))?;
        let breaks = gap.iter().filter(|b| **b == b'\n').count();
        let escaped = gap.ends_with(b"\\") && cursor.take(|b| b == b'n' || b == b'r')?.is_some();
        let line = cursor.run(PEM, |b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))?;
        if line.len() < 16 {
            // The last line of a key, or as much of a line as there was room for: alone on its line, right under another.
            let under = !line.is_empty() && breaks + usize::from(escaped) == 1;
            let alone = cursor.peek()?.is_none_or(|b| b"\n\r\\\"'".contains(&b));
            return Ok(end.map(|end| if under && alone { cursor.at } else { end }));
        }
        end = Some(cursor.at);
    }
    Ok(end)
}

/// Base64 from the first line on, over all lines when it is wrapped, to the last line of the key.
fn encoded(mut cursor: Cursor<'_>) -> Decision {
    let from = cursor.at;
    let Some(mut key) = Decoded::begin(&cursor)? else { return Ok(None) };
    cursor.at += key.before;
    let mut end = None;
    loop {
        let line = cursor.at;
        while cursor.at - from < ENCODED && key.stage != Stage::Over {
            let Some(letter) = cursor.take(is_base64)? else { break };
            key.take(letter);
        }
        if key.stage == Stage::Other {
            return Ok(None);
        }
        let length = cursor.at - line;
        let over = key.stage == Stage::Over;
        // Behind the last line of a key: its line end, and what fills up the group.
        let filled = if over { cursor.run(6, |b| is_base64(b) || b == b'=')? } else { cursor.run(2, |b| b == b'=')? };
        // A line of wrapped text stands alone.
        let alone = cursor.peek()?.is_none_or(|b| b"\n\r\\\"'<".contains(&b));
        if end.is_some() && !over && (length == 0 || !alone) {
            break;
        }
        end = Some(cursor.at);
        if over || !filled.is_empty() || length < 16 || cursor.at - from >= ENCODED || !line_break(&mut cursor)? {
            break;
        }
    }
    Ok(end.filter(|_| key.bytes >= LEAST).map(|end| from..end))
}

const fn is_base64(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_')
}

/// Takes one line end, escaped or not, with the blanks around it.
fn line_break(cursor: &mut Cursor<'_>) -> Result<bool, More> {
    let mut breaks = 0;
    for _ in 0..64 {
        let mut ahead = *cursor;
        let blank = match ahead.run(4, |b| b == b'\\')?.is_empty() {
            true => ahead.take(|b| b.is_ascii_whitespace())?,
            false => ahead.take(|b| b == b'n' || b == b'r')?,
        };
        let Some(blank) = blank else { break };
        breaks += usize::from(blank == b'n' || blank == b'\n');
        *cursor = ahead;
    }
    Ok(breaks == 1)
}

/// How far the text of a key was read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its first line.
    Label,
    /// No private key.
    Other,
    /// What is secret.
    Body,
    /// The dashes of its last line, or of another text's first.
    Last,
    /// The last line's name.
    End,
    /// Nothing that follows belongs to it.
    Over,
}

/// A key, letter by letter.
struct Decoded {
    /// Letters of the begin that belong to a group with what stands before.
    before: usize,
    stage: Stage,
    group: Vec<u8>,
    label: Vec<u8>,
    /// The dashes just read.
    dashes: usize,
    /// All bytes read.
    bytes: usize,
}

impl Decoded {
    /// If an encoded key begins at `cursor`.
    fn begin(cursor: &Cursor<'_>) -> Result<Option<Self>, More> {
        for (text, before) in BEGINS[1..].iter().zip([0, 2, 1]) {
            // Keywords are found in any case.
            if cursor.clone().word(text.as_bytes())? {
                let (group, label) = (Vec::with_capacity(4), Vec::with_capacity(LABEL));
                return Ok(Some(Self { before, stage: Stage::Label, group, label, dashes: 0, bytes: 0 }));
            }
        }
        Ok(None)
    }

    fn take(&mut self, letter: u8) {
        self.group.push(match letter {
            b'-' => b'+',
            b'_' => b'/',
            usual => usual,
        });
        if self.group.len() == 4 {
            for byte in BASE64.decode(&self.group).unwrap_or_default() {
                self.byte(byte);
            }
            self.group.clear();
        }
    }

    fn byte(&mut self, byte: u8) {
        self.bytes += 1;
        let before = self.dashes;
        self.dashes = if byte == b'-' { before + 1 } else { 0 };
        self.stage = match self.stage {
            Stage::Label => {
                self.label.push(byte);
                if self.label.len() < LABEL { Stage::Label } else { self.labelled() }
            }
            // No other dashes stand in a key, and as many are certain wherever a begin stands.
            Stage::Body if self.dashes == 3 => Stage::Last,
            // Another text begins where this one was cut off.
            Stage::Last if self.dashes == 0 => {
                if byte == b'E' {
                    Stage::End
                } else {
                    Stage::Over
                }
            }
            Stage::End if self.dashes == 5 => Stage::Over,
            stage => stage,
        };
    }

    /// What the first bytes say.
    fn labelled(&self) -> Stage {
        let name = b"PRIVATE KE";
        let place = self.label.windows(name.len()).position(|w| w == name);
        let named = place.is_some_and(|at| self.label[..at].iter().all(|b| in_label(*b) || *b == b'-'));
        if named { Stage::Body } else { Stage::Other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Engine, RuleSet};

    /// A key of so many lines, all different.
    fn key(lines: usize) -> String {
        let line = |n: usize| BASE64.encode(format!("{:048}", n * 7_654_321 + 1).as_bytes());
        let body: Vec<String> = (0..lines).map(line).collect();
        format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n", body.join("\n"))
    }

    fn wrapped(text: &str, by: &str) -> String {
        let lines: Vec<_> = text.as_bytes().chunks(76).map(String::from_utf8_lossy).collect();
        lines.join(by)
    }

    #[test]
    fn keys_of_any_length_go_to_their_end_in_base64_too() {
        let engine = Engine::build([], &RuleSet::builtin(), [7; 32]).unwrap();
        // 52 lines is RSA with 4,096 bits, 200 with 16,384.
        for lines in [2, 52, 200] {
            let once = BASE64.encode(key(lines).as_bytes());
            let bare = once.trim_end_matches('=').to_owned();
            let url = once.replace('+', "-").replace('/', "_");
            let ways =
                [once.clone(), bare, url, wrapped(&once, "\n"), wrapped(&once, "\r\n    "), wrapped(&once, "\\n")];
            for way in &ways {
                for (before, after) in [("tls.key: ", "\nkind: Secret\n"), ("{\"key\":\"", "\"}"), ("", "")] {
                    let text = format!("{before}{way}{after}");
                    let out = engine.redact(&text);
                    assert_eq!(out.findings.len(), 1, "{text}");
                    assert_eq!(out.findings[0].rule, "private-key", "{text}");
                    let (start, len) = (out.findings[0].start, out.findings[0].len);
                    assert_eq!((start, len), (before.len(), way.len()), "{lines}: {text}");
                    for size in [7, 1000] {
                        let (mut stream, mut pieced) = (engine.stream(), Vec::new());
                        text.as_bytes().chunks(size).for_each(|piece| stream.push_into(piece, &mut pieced));
                        pieced.extend(stream.finish());
                        assert_eq!(String::from_utf8_lossy(&pieced), out.text, "in pieces of {size}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_key_within_other_encoded_text_goes_at_every_place_of_a_group() {
        let engine = Engine::build([], &RuleSet::builtin(), [7; 32]).unwrap();
        for before in ["", "a", "ab", "abc", "users:\n- key: |\n"] {
            let text = BASE64.encode(format!("{before}{}# the next entry follows\n", key(52)).as_bytes());
            let out = engine.redact(&text).text.into_owned();
            let (left, right) = out.split_once("[REDACTED:private-key:").expect("found");
            assert!(left.len() <= before.len() * 4 / 3 + 3 && (20..50).contains(&right.len()), "{before}: {out}");
        }
    }

    #[test]
    fn one_that_is_cut_off_goes_as_far_as_it_goes() {
        let engine = Engine::build([], &RuleSet::builtin(), [7; 32]).unwrap();
        let once = BASE64.encode(key(52).as_bytes());
        for text in [once[..2000].to_owned(), wrapped(&once[..2000], "\n")] {
            let out = engine.redact(&format!("{text}\nand some prose\n")).text.into_owned();
            assert!(out.starts_with("[REDACTED:private-key:") && out.ends_with("]\nand some prose\n"), "{out}");
        }
    }

    #[test]
    fn no_more_is_held_back_than_the_longest_key_takes() {
        let engine = Engine::build([], &RuleSet::builtin(), [7; 32]).unwrap();
        let endless = key(4000);
        for (text, most) in [(BASE64.encode(endless.as_bytes()), ENCODED), (endless, 2 * PEM)] {
            let (mut stream, mut held) = (engine.stream(), 0);
            for piece in text.as_bytes().chunks(1009) {
                stream.push(piece);
                held = held.max(stream.held_back());
            }
            assert!((PEM - 1009..most + most / 8).contains(&held), "{held}");
        }
    }

    #[test]
    fn what_is_public_stays() {
        let engine = Engine::build([], &RuleSet::builtin(), [7; 32]).unwrap();
        let public = |label: &str| BASE64.encode(key(25).replace("RSA PRIVATE KEY", label).as_bytes());
        let mention = BASE64.encode(b"a line with -----BEGIN PRIVATE KEY----- in prose");
        for text in [public("CERTIFICATE"), public("PUBLIC KEY"), mention, "ls0tls1crudjti".repeat(9)] {
            assert_eq!(engine.redact(&text).text, text);
        }
    }
}
