//! How deep a JSON document nests, watched while it passes in pieces. A document that is held whole is refused beyond
//! [`JSON_DEPTH`], because readers give up there, each in its own way; one that is too long to be held is refused as well.

use wardkeep_redaction::{JSON_DEPTH, Unscannable};

/// Follows one document to where it is none, or to its end. Only what decides about brackets is looked at.
pub(crate) struct Depth {
    state: State,
    /// One bit for each level that is open: is it an object?
    open: u128,
    depth: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A value must begin.
    Value,
    /// Behind a bracket that opens: its end, a key or a value.
    First,
    Key,
    Colon,
    String {
        is_key: bool,
        is_escaped: bool,
    },
    /// A number or a word.
    Word,
    /// Behind a value.
    Behind,
    /// No JSON, or all of it has passed: other text, which may hold what it likes.
    Over,
}

impl Depth {
    pub(crate) const fn new() -> Self {
        Self { state: State::Value, open: 0, depth: 0 }
    }

    /// The next bytes.
    ///
    /// # Errors
    /// [`Unscannable::TooDeep`].
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<(), Unscannable> {
        while self.state != State::Over {
            if let State::String { is_key, is_escaped } = self.state {
                match string_end(bytes, is_escaped) {
                    Ok(behind) => bytes = behind,
                    Err(is_escaped) => {
                        self.state = State::String { is_key, is_escaped };
                        return Ok(());
                    }
                }
                self.state = if is_key { State::Colon } else { State::Behind };
                continue;
            }
            let Some((byte, rest)) = bytes.split_first() else { return Ok(()) };
            bytes = rest;
            self.step(*byte)?;
        }
        Ok(())
    }

    /// One byte outside of strings.
    fn step(&mut self, byte: u8) -> Result<(), Unscannable> {
        if self.state == State::Word {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.') {
                return Ok(());
            }
            self.state = State::Behind;
        }
        let is_object = self.open & 1 == 1;
        self.state = match (self.state, byte) {
            (state, b' ' | b'\t' | b'\n' | b'\r') => state,
            (State::First, b'}') if is_object => self.close(),
            (State::First, b']') if !is_object => self.close(),
            (State::First, b'"') if is_object => State::String { is_key: true, is_escaped: false },
            (State::First, _) if is_object => State::Over,
            (State::Value | State::First, b'{' | b'[') => {
                if self.depth == JSON_DEPTH {
                    return Err(Unscannable::TooDeep);
                }
                (self.open, self.depth) = (self.open << 1 | u128::from(byte == b'{'), self.depth + 1);
                State::First
            }
            (State::Value | State::First, b'"') => State::String { is_key: false, is_escaped: false },
            (State::Value | State::First, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => State::Word,
            (State::Key, b'"') => State::String { is_key: true, is_escaped: false },
            (State::Colon, b':') => State::Value,
            (State::Behind, b',') if self.depth > 0 => {
                if is_object {
                    State::Key
                } else {
                    State::Value
                }
            }
            (State::Behind, b'}') if self.depth > 0 && is_object => self.close(),
            (State::Behind, b']') if self.depth > 0 && !is_object => self.close(),
            _ => State::Over,
        };
        Ok(())
    }

    fn close(&mut self) -> State {
        (self.open, self.depth) = (self.open >> 1, self.depth - 1);
        State::Behind
    }
}

/// What stands behind the quote that ends a string; if none does, whether the byte behind these is escaped. What no string may
/// hold is passed over.
fn string_end(bytes: &[u8], is_escaped: bool) -> Result<&[u8], bool> {
    if bytes.is_empty() {
        return Err(is_escaped);
    }
    let mut at = usize::from(is_escaped);
    while let Some(rest) = bytes.get(at..) {
        match memchr::memchr2(b'"', b'\\', rest) {
            Some(found) if rest[found] == b'"' => return Ok(&rest[found + 1..]),
            Some(found) => at += found + 2,
            None => return Err(false),
        }
    }
    Err(true)
}

#[cfg(test)]
mod tests {
    use wardkeep_redaction::{Engine, RuleSet};

    use super::*;

    fn watched(pieces: &[&[u8]]) -> bool {
        let mut depth = Depth::new();
        pieces.iter().all(|piece| depth.push(piece).is_ok())
    }

    /// What is refused in pieces is what is refused whole, and nothing else, wherever it is cut.
    #[test]
    fn pieces_and_the_whole_agree() {
        let engine = Engine::build([], &RuleSet::builtin(), [7; 32]).unwrap();
        let lists = |count: usize| "[".repeat(count);
        let objects = |count: usize| "{\"a\\\"\\\\\":".repeat(count);
        let mut texts = Vec::new();
        for depth in [JSON_DEPTH - 1, JSON_DEPTH, JSON_DEPTH + 1, 1000] {
            texts.push(format!("{}{}", lists(depth), "]".repeat(depth)));
            texts.push(format!("{}1{}", objects(depth), "}".repeat(depth)));
            texts.push(format!(" [1, \"{}\", -2.5e+3, true ,{{\"k\" : {}", "[".repeat(300), lists(depth)));
            texts.push(format!("[{{}},[],\"\\\\\",\"\\\"[[\",{}", lists(depth)));
            // No JSON before it is deep, or deep behind its end.
            texts.push(format!("[x{}", lists(depth)));
            texts.push(format!("[INFO] \u{1b}{}", lists(depth)));
            texts.push(format!("[]{}", lists(depth)));
            texts.push(format!("{{\"a\" 1 {}", lists(depth)));
            texts.push(format!("{{a:{}", lists(depth)));
            texts.push(format!("[1}}{}", lists(depth)));
            texts.push(format!("{{\"a\":1,{}", lists(depth)));
        }
        texts.extend(["", "[", "\"[[", "[\"\\", "[1]\n[2]\n"].map(str::to_owned));
        for text in texts {
            let whole = engine.redact_json(text.as_bytes()) != Err(Unscannable::TooDeep);
            let bytes = text.as_bytes();
            for cut in 0..=bytes.len().min(700) {
                assert_eq!(watched(&[&bytes[..cut], &bytes[cut..]]), whole, "{cut}: {text:.60}");
            }
            assert_eq!(watched(&bytes.chunks(1).collect::<Vec<_>>()), whole, "{text:.60}");
        }
    }
}
