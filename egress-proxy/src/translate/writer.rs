//! Writing JSON: the order is that of the calls, and what was read is written as it was.

use super::json::Text;

#[derive(Default)]
pub(super) struct Writer(String);

impl Writer {
    pub(super) fn key(&mut self, key: &'static str) -> &mut Self {
        self.separate();
        self.0.push('"');
        self.0.push_str(key);
        self.0.push_str("\":");
        self
    }

    pub(super) fn object(&mut self, write: impl FnOnce(&mut Self)) {
        self.separate();
        self.0.push('{');
        write(self);
        self.0.push('}');
    }

    pub(super) fn array(&mut self, write: impl FnOnce(&mut Self)) {
        self.separate();
        self.0.push('[');
        write(self);
        self.0.push(']');
    }

    /// JSON that was read.
    pub(super) fn raw(&mut self, json: &str) {
        self.separate();
        self.0.push_str(json);
    }

    pub(super) fn text(&mut self, text: Text<'_>) {
        self.raw(text.token());
    }

    /// What was told, or else a text of ours.
    pub(super) fn text_or(&mut self, told: Option<Text<'_>>, ours: &str) {
        match told {
            Some(told) => self.text(told),
            None => self.string(ours),
        }
    }

    /// Texts as one.
    pub(super) fn joined<'a>(&mut self, texts: impl Iterator<Item = Text<'a>>) {
        self.separate();
        self.0.push('"');
        texts.for_each(|text| self.0.push_str(text.inner()));
        self.0.push('"');
    }

    /// A text behind a mark of ours, which needs no escapes.
    pub(super) fn marked(&mut self, mark: &'static str, text: Text<'_>) {
        self.separate();
        self.0.push('"');
        self.0.push_str(mark);
        self.0.push_str(text.inner());
        self.0.push('"');
    }

    /// A text that was decoded, or is ours.
    pub(super) fn string(&mut self, text: &str) {
        self.strings(&[text]);
    }

    /// The same in pieces.
    pub(super) fn strings(&mut self, pieces: &[&str]) {
        self.separate();
        self.0.push('"');
        pieces.iter().for_each(|piece| escape(&mut self.0, piece));
        self.0.push('"');
    }

    pub(super) fn number(&mut self, number: u64) {
        self.raw(&number.to_string());
    }

    pub(super) fn flag(&mut self, flag: bool) {
        self.raw(if flag { "true" } else { "false" });
    }

    pub(super) fn null(&mut self) {
        self.raw("null");
    }

    pub(super) fn finish(self) -> String {
        self.0
    }

    fn separate(&mut self) {
        // A value never ends with one of these, so what follows is the first.
        if !matches!(self.0.as_bytes().last(), None | Some(b'{' | b'[' | b':')) {
            self.0.push(',');
        }
    }
}

fn escape(out: &mut String, text: &str) {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[from..at]);
        from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => out.push_str(&format!("\\u{byte:04x}")),
        }
    }
    out.push_str(&text[from..]);
}
