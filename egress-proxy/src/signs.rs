//! What the pass that reads every body notices on its way, so that nobody else reads one in which there is nothing to find.

use wardkeep_redaction::Token;

/// What may stand in what was read; a closer look follows where it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signs {
    /// Something may be a file.
    pub(crate) files: bool,
    /// Something may be a reference.
    pub(crate) references: bool,
    /// The conversation may bring tools with it.
    pub(crate) tools: bool,
}

impl Signs {
    pub(crate) const fn and(self, other: Self) -> Self {
        Self {
            files: self.files | other.files,
            references: self.references | other.references,
            tools: self.tools | other.tools,
        }
    }
}

/// What a member's name says of what stands under it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Name {
    /// The id or address of a file.
    File,
    /// The address of a picture, or an object that has it.
    Picture,
    /// Anthropic: an object that may have an address.
    Source,
    /// A file, which some providers take as an address.
    Inline,
    Url,
    Type,
    /// Tools, one tool, or what defines it.
    Tools,
    /// Anybody's: what a tool was or may be called with, or gave back. No provider reads files or tools from there.
    Free,
    #[default]
    Other,
}

/// The longest name that says something.
const LONGEST: usize = 16;

impl Name {
    /// The type of an item of `OpenAI`'s that stands there by its id.
    pub(crate) const ITEM: &'static [u8] = b"item_reference";

    /// Small and capital letters, with underscores or without: some readers take them for one.
    pub(crate) fn of(name: &[u8]) -> Self {
        let mut folded = [0_u8; LONGEST];
        let mut len = 0;
        for byte in name.iter().filter(|byte| **byte != b'_') {
            let Some(place) = folded.get_mut(len) else { return Self::Other };
            *place = byte.to_ascii_lowercase();
            len += 1;
        }
        match &folded[..len] {
            b"fileid" | b"fileids" | b"fileuri" | b"fileurl" | b"file" | b"documenturl" | b"videourl" | b"audiourl" => {
                Self::File
            }
            b"imageurl" => Self::Picture,
            b"source" => Self::Source,
            b"filedata" | b"data" | b"inputaudio" => Self::Inline,
            b"url" => Self::Url,
            b"type" => Self::Type,
            b"tool" | b"tools" | b"definition" => Self::Tools,
            b"args" | b"arguments" | b"input" | b"inputschema" | b"parameters" | b"response" | b"schema" => Self::Free,
            _ => Self::Other,
        }
    }
}

/// What is noticed from one value to the next.
#[derive(Debug, Default)]
pub(crate) struct Scent {
    /// Of the member whose value comes, or of the list that is open.
    name: Name,
    /// The level beneath which everything is anybody's.
    free: Option<usize>,
}

impl Scent {
    /// A name in an object at that depth; that of the body is 1.
    pub(crate) fn key(&mut self, name: &[u8], depth: usize) -> Signs {
        if self.free.is_none() {
            self.name = Name::of(name);
        }
        Signs { tools: self.free.is_none() && self.name == Name::Tools && depth > 1, ..Signs::default() }
    }

    /// A list or an object begins within so many others.
    pub(crate) fn begin(&mut self, is_object: bool, depth: usize) {
        let is_free = self.name == Name::Free;
        // At the top `input` is the conversation itself.
        if is_free && depth > 1 {
            self.free = self.free.or(Some(depth));
        }
        if is_object || is_free {
            self.name = Name::Other;
        }
    }

    /// One ended; so many are open still.
    pub(crate) fn end(&mut self, depth: usize) {
        if self.free == Some(depth) {
            self.free = None;
        }
        self.name = Name::Other;
    }

    pub(crate) fn string(&self, token: Token, body: &[u8]) -> Signs {
        let raw = || token.raw(body);
        let has = |what: &[u8]| token.escaped || memchr::memmem::find(&raw()[..raw().len().min(64)], what).is_some();
        let references = self.free.is_none()
            && match self.name {
                Name::File | Name::Picture | Name::Url => token.escaped || !raw().starts_with(b"data:"),
                Name::Inline => has(b"://"),
                Name::Type if token.escaped => raw().len() <= 6 * Name::ITEM.len() && *token.text(body) == *Name::ITEM,
                Name::Type => raw() == Name::ITEM,
                _ => false,
            };
        Signs { references, ..Signs::default() }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use wardkeep_redaction::{Visit, read_json};

    use super::*;

    struct Reader<'a> {
        body: &'a [u8],
        depth: usize,
        scent: Scent,
        signs: Signs,
    }

    impl Visit for Reader<'_> {
        fn begin(&mut self, object: bool, _: usize) {
            self.scent.begin(object, self.depth);
            self.depth += 1;
        }

        fn end(&mut self, _: usize) {
            self.depth -= 1;
            self.scent.end(self.depth);
        }

        fn key(&mut self, token: Token) {
            self.signs = self.signs.and(self.scent.key(&token.text(self.body), self.depth));
        }

        fn string(&mut self, token: Token) {
            self.signs = self.signs.and(self.scent.string(token, self.body));
        }

        fn number(&mut self, _: Token) {}
    }

    pub(crate) fn of(body: &str) -> Signs {
        let body = body.as_bytes();
        let mut reader = Reader { body, depth: 0, scent: Scent::default(), signs: Signs::default() };
        read_json(body, &mut reader).unwrap();
        reader.signs
    }

    #[test]
    fn what_most_requests_hold_is_no_sign() {
        for body in [
            r#"{"model":"m","stream":true,"messages":[{"role":"user","content":[{"type":"text","text":"url: \"file_id\": x"}]}]}"#,
            r#"{"tools":[{"type":"function","function":{"name":"file","parameters":{"properties":{"url":{"type":"string"},"tools":{}}}}}]}"#,
            r#"{"tools":[{"name":"a","input_schema":{"properties":{"file":{"source":"x","file":"y"}},"required":["file"]}}]}"#,
            r#"{"messages":[{"content":[{"type":"tool_use","input":{"url":"https://x.example","tools":[{"type":"saw"}]}}]}]}"#,
            r#"{"messages":[{"tool_calls":[{"function":{"arguments":"{\"url\":\"x\"}"}}]},{"role":"tool","tool_call_id":"a"}]}"#,
            r#"{"contents":[{"parts":[{"functionCall":{"args":{"file":"a"}}},{"functionResponse":{"response":{"url":"b"}}}]}]}"#,
            r#"{"messages":[{"content":[{"source":{"type":"base64","data":"iVBORw0KGgo="}},{"image_url":{"url":"data:image/png;base64,AA=="}}]}]}"#,
        ] {
            assert_eq!(of(body), Signs::default(), "{body}");
        }
    }

    #[test]
    fn what_follows_something_free_is_seen() {
        let body =
            r#"{"input":[{"input":[[1],{"a":[]}],"arguments":"x","content":[{"image_url":"https://x.example"}]}]}"#;
        assert!(of(body).references, "{body}");
        for body in [
            r#"{"input":[{"arguments":{"tools":1},"tools":[]}]}"#,
            r#"{"messages":[{"content":[{"\u0054ools":[]}]}]}"#,
            r#"{"messages":[{"content":[{"type":"tool_addition","tool":{}}]}]}"#,
            r#"{"system":[[{"definition":{}}]]}"#,
        ] {
            assert!(of(body).tools, "{body}");
        }
    }
}
