//! Watches the arguments of a call as they stream: whether the pieces make one whole JSON object.
//!
//! A client that gets half of the arguments may run the call with what it has. Brackets and quotes are enough to know.

use super::fault::DEPTH;
use super::json::Text;

#[derive(Debug, Default)]
pub(super) struct Pieces {
    state: State,
    depth: usize,
    /// What an escape of the outer string has told of its digits so far.
    outer: Outer,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Before,
    Within,
    Quoted,
    Escaped,
    After,
    /// No object, or too deep.
    Broken,
}

#[derive(Debug, Default, Clone, Copy)]
enum Outer {
    #[default]
    Plain,
    Backslash,
    Code(u8, u32),
}

impl Pieces {
    /// Takes the next piece: JSON text inside of a JSON string.
    pub(super) fn push(&mut self, piece: Text<'_>) {
        for byte in piece.inner().bytes() {
            self.outer = match (self.outer, byte) {
                (Outer::Plain, b'\\') => Outer::Backslash,
                (Outer::Plain, byte) => self.take(byte),
                (Outer::Backslash, b'u') => Outer::Code(0, 0),
                (Outer::Backslash, b'n' | b'r' | b't') => self.take(b' '),
                (Outer::Backslash, b'b' | b'f') => self.take(b'?'),
                (Outer::Backslash, byte) => self.take(byte),
                (Outer::Code(digits, code), byte) => {
                    let code = code * 16 + char::from(byte).to_digit(16).unwrap_or(0);
                    if digits == 3 {
                        self.take(u8::try_from(code).unwrap_or(b'?'))
                    } else {
                        Outer::Code(digits + 1, code)
                    }
                }
            };
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state == State::Before
    }

    pub(super) fn is_whole(&self) -> bool {
        self.state == State::After
    }

    fn take(&mut self, byte: u8) -> Outer {
        self.state = match (self.state, byte) {
            (State::Escaped, _) => State::Quoted,
            (State::Quoted, b'"') => State::Within,
            (State::Quoted, b'\\') => State::Escaped,
            (State::Quoted, _) => State::Quoted,
            (State::Before | State::After, b' ' | b'\n' | b'\r' | b'\t') => self.state,
            (State::Before, b'{') => self.deeper(),
            (State::Within, b'{' | b'[') => self.deeper(),
            (State::Within, b'}' | b']') => {
                self.depth -= 1;
                if self.depth == 0 { State::After } else { State::Within }
            }
            (State::Within, b'"') => State::Quoted,
            (State::Within, _) => State::Within,
            _ => State::Broken,
        };
        Outer::Plain
    }

    fn deeper(&mut self) -> State {
        self.depth += 1;
        if self.depth > DEPTH { State::Broken } else { State::Within }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_is_what_ends_with_its_object() {
        for (pieces, whole) in [
            (&[r#""{}""#][..], true),
            (&[r#""{""#, r#""}""#], true),
            (&[r#"" \n{\"a\":[{\"b\":1}]} \t""#], true),
            // Brackets and quotes in strings, and escapes in every spelling, cut anywhere.
            (&[r#""{\"}\\\"]\":1}""#], true),
            (&[r#""{\u0022a\u0022:\u0022\u005c\u0022}\u0022}""#], true),
            (&[r#""{\"a\\""#, r#""\"\":1}""#], true),
            (&[r#""{\"\ud83d""#, r#""\ude00\":\"\/\f\"}""#], true),
            (&[r#""""#], false),
            (&[r#""{""#], false),
            (&[r#""{\"a\":\"}""#], false),
            (&[r#""{}}""#], false),
            (&[r#""{} {""#], false),
            (&[r#""[]""#], false),
            (&[r#""1""#], false),
        ] {
            let mut seen = Pieces::default();
            pieces.iter().for_each(|piece| seen.push(Text::written(piece).unwrap()));
            assert_eq!(seen.is_whole(), whole, "{pieces:?}");
        }
        let mut deep = Pieces::default();
        let text = format!("\"{{\\\"a\\\":{}{}}}\"", "[".repeat(DEPTH), "]".repeat(DEPTH));
        deep.push(Text::written(&text).unwrap());
        assert!(!deep.is_whole() && !deep.is_empty());
    }
}
