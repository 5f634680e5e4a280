//! Input by reference: files by id and anything by address, which a provider reads and counts though it does not stand in the
//! request.
//!
//! What each costs is known to nobody here, so that a fixed amount is held for it; more where the agent's requests used more. The
//! pass that reads every body tells whether there may be any ([`crate::signs`]); they are counted only then.

use wardkeep_redaction::{Token, Visit, read_json};

use crate::signs::Name;

/// Tokens that are held for a file, a document or anything else that is no picture: ten pages.
pub(crate) const FILE: u64 = 16_384;
/// Tokens that are held for a picture by its address.
pub(crate) const PICTURE: u64 = 2_048;

/// Tokens that are held for what `body` refers to.
pub(crate) fn tokens(body: &[u8]) -> u64 {
    let mut search = Search { body, levels: Vec::new(), tokens: 0 };
    // What cannot be read was refused before.
    let _ = read_json(body, &mut search);
    search.tokens
}

struct Search<'a> {
    body: &'a [u8],
    levels: Vec<Level>,
    tokens: u64,
}

/// An object or list that is open.
#[derive(Default)]
struct Level {
    /// The name under which it stands.
    under: Name,
    /// That of its member that comes next; all elements of a list have the list's.
    name: Name,
    is_list: bool,
    /// Each type that it names is that of a picture. Where two stand there, nobody knows which one counts.
    is_picture: Option<bool>,
    /// References of which its type says what they are.
    open: u64,
}

impl Visit for Search<'_> {
    fn begin(&mut self, object: bool, _: usize) {
        let under = self.levels.last().map_or(Name::Other, |around| match around.under {
            Name::Free => Name::Free,
            _ => around.name,
        });
        let name = if object { Name::Other } else { under };
        self.levels.push(Level { under, name, is_list: !object, ..Level::default() });
    }

    fn end(&mut self, _: usize) {
        let Some(level) = self.levels.pop() else { return };
        match self.levels.last_mut().filter(|_| matches!(level.under, Name::Source | Name::File)) {
            Some(around) => around.open += level.open,
            None => {
                let each = if level.is_picture == Some(true) { PICTURE } else { FILE };
                self.tokens = self.tokens.saturating_add(level.open.saturating_mul(each));
            }
        }
    }

    fn key(&mut self, token: Token) {
        let depth = self.levels.len();
        let Some(level) = self.levels.last_mut() else { return };
        level.name = match Name::of(&token.text(self.body)) {
            // The conversation itself.
            Name::Free if depth == 1 => Name::Other,
            name => name,
        };
    }

    fn string(&mut self, token: Token) {
        let Some(level) = self.levels.last_mut().filter(|level| level.under != Name::Free) else { return };
        if matches!(level.name, Name::Free | Name::Source | Name::Tools | Name::Other) {
            return;
        }
        let text = token.text(self.body);
        match level.name {
            Name::Type if !level.is_list => {
                let is_picture = matches!(text.as_ref(), b"image" | b"input_image");
                level.is_picture = Some(is_picture && level.is_picture != Some(false));
                level.open += u64::from(text.as_ref() == Name::ITEM);
            }
            Name::File if !is_inline(&text) => level.open += 1,
            Name::Picture if !is_inline(&text) => self.tokens = self.tokens.saturating_add(PICTURE),
            Name::Url if !is_inline(&text) => match level.under {
                Name::Picture => self.tokens = self.tokens.saturating_add(PICTURE),
                Name::Source | Name::File | Name::Inline => level.open += 1,
                _ => {}
            },
            Name::Inline if is_address(&text) => level.open += 1,
            _ => {}
        }
    }

    fn number(&mut self, _: Token) {}
}

/// Whether it stands in the request itself.
fn is_inline(text: &[u8]) -> bool {
    text.is_empty() || text.trim_ascii_start().get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"data:"))
}

fn is_address(text: &[u8]) -> bool {
    const SCHEME: usize = 32;
    memchr::memmem::find(&text[..text.len().min(SCHEME)], b"://").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialects_references_are_counted() {
        for (part, want) in [
            (r#"{"type":"file","file":{"file_id":"file-1"}}"#, FILE),
            (r#"{"type":"file","file":{"file_id":"file-1"},"file":{"file_id":"file-2"}}"#, 2 * FILE),
            (r#"{"type":"file","file":{"f\u0069le_id":"file-1"}}"#, FILE),
            (r#"{"type":"file","file":{"File_ID":"file-1"}}"#, FILE),
            (r#"{"type":"file","file":{"file_data":"https://x.example/a.pdf"}}"#, FILE),
            (r#"{"type":"file","file":{"file_data":"data:application/pdf;base64,aHR0cDovLw=="}}"#, 0),
            (r#"{"type":"input_file","file_id":"file-1"}"#, FILE),
            (r#"{"type":"input_file","file_url":"https://x.example/a.pdf"}"#, FILE),
            (r#"{"type":"input_image","file_id":"file-1"}"#, PICTURE),
            (r#"{"type":"input_image","file_id":"file-1","type":"input_file"}"#, FILE),
            (r#"{"type":"input_image","image_url":"https://x.example/a.png"}"#, PICTURE),
            (r#"{"type":"input_image","image_url":" DATA:image/png;base64,AA=="}"#, 0),
            (r#"{"type":"image_url","image_url":{"url":"https://x.example/a.png"}}"#, PICTURE),
            (r#"{"type":"image_url","image_url":{"\u0075rl":"https://x.example/a.png"}}"#, PICTURE),
            (r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}"#, 0),
            (r#"{"type":"video_url","video_url":{"url":"https://x.example/a.mp4"}}"#, FILE),
            (r#"{"type":"document_url","document_url":"https://x.example/a.pdf"}"#, FILE),
            (r#"{"type":"input_audio","input_audio":{"data":"https://x.example/a.wav","format":"wav"}}"#, FILE),
            (r#"{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}"#, 0),
            (r#"{"type":"document","source":{"type":"file","file_id":"file_1"}}"#, FILE),
            (r#"{"type":"document","source":{"type":"url","url":"https://x.example/a.pdf"}}"#, FILE),
            (r#"{"source":{"url":"https://x.example/a.png","type":"url"},"type":"image"}"#, PICTURE),
            (r#"{"source":{"url":"https://x.example/a.png","type":"base64","type":"url"},"type":"image"}"#, PICTURE),
            (r#"{"type":"image","s\u006furce":{"type":"file","file_id":"file_1"}}"#, PICTURE),
            (
                r#"{"type":"tool_result","content":[{"type":"image","source":{"type":"url","url":"https://x"}}]}"#,
                PICTURE,
            ),
            (r#"{"type":"container_upload","file_id":"file_1"}"#, FILE),
            (r#"{"fileData":{"mimeType":"video/mp4","fileUri":"https://x.example/v1beta/files/a"}}"#, FILE),
            (r#"{"file_data":{"mime_type":"video/mp4","file_uri":"gs://bucket/a"}}"#, FILE),
            (r#"{"type":"item_reference","id":"msg_1"}"#, FILE),
            (r#"{"type":"item\u005freference","id":"msg_1"}"#, FILE),
            (r#"{"type":"text","text":"file_id, \"url\": https://x.example"}"#, 0),
            (r#"{"type":"tool_use","input":{"file_id":"a","source":{"url":"https://x.example"}}}"#, 0),
            (r#"{"functionCall":{"name":"f","args":{"file":{"file_id":"a"}}}}"#, 0),
            (r#"{"url":"https://x.example","source":"https://x.example"}"#, 0),
        ] {
            for (name, inner) in [("messages", "content"), ("input", "content"), ("contents", "parts")] {
                let body = format!(r#"{{"model":"m","{name}":[{{"role":"user","{inner}":[{part}]}}]}}"#);
                assert_eq!(tokens(body.as_bytes()), want, "{body}");
                assert!(crate::signs::tests::of(&body).references || want == 0, "{body}");
            }
        }
    }
}
