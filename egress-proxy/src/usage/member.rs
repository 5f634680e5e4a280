//! One member of a document, found without reading the rest of it as anything.
//!
//! An answer is some kilobytes of text and a hundred bytes of numbers. The text is passed over in masks of 64 bytes, by the
//! reader that redaction uses.

use wardkeep_redaction::{Token, Visit, read_json_on};

/// The value of the top level's only member called `name`; nothing where there is none or more than one, or where the document
/// is no object that can be read.
pub(super) fn member<'a>(document: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut search = Search { document, name, depth: 0, open: None, found: None, count: 0 };
    read_json_on(document, None, &mut search, |search, place| {
        if place.depth() == 1
            && let Some(start) = search.open.take()
        {
            search.found = search.document.get(start..place.at());
        }
        None
    })
    .ok()?;
    search.found.filter(|_| search.count == 1)
}

struct Search<'a, 'n> {
    document: &'a [u8],
    name: &'n [u8],
    depth: usize,
    /// Where its value comes, while that is open.
    open: Option<usize>,
    found: Option<&'a [u8]>,
    count: u32,
}

impl Visit for Search<'_, '_> {
    fn begin(&mut self, _: bool, _: usize) {
        self.depth += 1;
    }

    fn end(&mut self, _: usize) {
        self.depth -= 1;
    }

    fn key(&mut self, token: Token) {
        if self.depth == 1 && token.text(self.document).as_ref() == self.name {
            self.count += 1;
            // Behind the quote stand a colon, and white space perhaps.
            let behind = &self.document[token.end + 1..];
            let colon = behind.iter().position(|byte| *byte == b':').unwrap_or(0);
            self.open = Some(token.end + 2 + colon);
        }
    }

    fn string(&mut self, _: Token) {}

    fn number(&mut self, _: Token) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_of_the_top_level_is_found() {
        for (document, want) in [
            (r#"{"usage":{"a":1}}"#, Some(r#"{"a":1}"#)),
            (r#"{"x":{"usage":1},"usage" : [2, {"usage":3}] ,"y":0}"#, Some(" [2, {\"usage\":3}]")),
            (r#"{"us\u0061ge":null}"#, Some("null")),
            (r#"{"usage":"u","x":"usage"}"#, Some("\"u\"")),
            (r#"{"x":[{"usage":1}],"usage":7}"#, Some("7")),
            (r#"{"usage":1,"usage":1}"#, None),
            (r#"{"usage":1,"us\u0061ge":1}"#, None),
            (r#"{"x":{"usage":1}}"#, None),
            (r#"[{"usage":1}]"#, None),
            (r#""usage""#, None),
            (r#"{"usage":1"#, None),
            (r#"{"usage":1} x"#, None),
            ("{}", None),
            ("", None),
        ] {
            let found = member(document.as_bytes(), b"usage").map(|found| std::str::from_utf8(found).unwrap());
            assert_eq!(found, want, "{document}");
        }
    }
}
