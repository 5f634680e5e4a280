//! Files inside a request: what can be read is redacted, what cannot be read stays here unless the policy says otherwise.
//!
//! A file is judged by how its bytes begin, never by what the request calls it. Text is redacted. Pictures pass when no
//! secret stands in their bytes; what they show is not read. The text of anything else is compressed or encoded, so that a
//! scan would see nothing: it goes only to a provider that the policy trusts with it.

use std::borrow::Cow;

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD};
use wardkeep_policy::bundle::llm::Unscanned;
use wardkeep_redaction::{Engine, Token, Visit};

use crate::refusal::Refusal;
use crate::request::Splice;

/// Why a file does not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Held {
    #[error(
        "a file in the request is of a kind whose text cannot be read here ({0}); send its text, or a picture of it"
    )]
    Unreadable(&'static str),
    #[error("a file in the request holds a secret and cannot be changed; take the secret out of it")]
    Secret,
    #[error("a file in the request is not base64")]
    NotBase64,
}

/// What bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Picture,
    Pdf,
    Other,
}

/// How files of a kind begin.
const BEGINNINGS: &[(&[u8], Kind)] = &[
    (b"\x89PNG\r\n\x1a\n", Kind::Picture),
    (b"\xff\xd8\xff", Kind::Picture),
    (b"GIF87a", Kind::Picture),
    (b"GIF89a", Kind::Picture),
    (b"%PDF-", Kind::Pdf),
];

fn kind(bytes: &[u8]) -> Kind {
    if let Some((_, kind)) = BEGINNINGS.iter().find(|(beginning, _)| bytes.starts_with(beginning)) {
        return *kind;
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Kind::Picture;
    }
    let plain = |byte: &u8| *byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
    if std::str::from_utf8(bytes).is_ok() && bytes.iter().all(plain) { Kind::Text } else { Kind::Other }
}

/// What may leave of a file: the file itself, or its text without secrets.
pub(crate) fn judge<'a>(bytes: &'a [u8], engine: &Engine, unscanned: &[Unscanned]) -> Result<Cow<'a, [u8]>, Held> {
    let allowed = match kind(bytes) {
        Kind::Text => return Ok(text(bytes, engine)),
        Kind::Picture => true,
        Kind::Pdf => unscanned.iter().any(|kind| matches!(kind, Unscanned::Pdf | Unscanned::Any)),
        Kind::Other => unscanned.contains(&Unscanned::Any),
    };
    if !allowed {
        return Err(Held::Unreadable(if kind(bytes) == Kind::Pdf { "PDF" } else { "neither text nor a picture" }));
    }
    if engine.redact_bytes(bytes).findings.is_empty() { Ok(Cow::Borrowed(bytes)) } else { Err(Held::Secret) }
}

/// JSON and lines of JSON are decoded before they are searched; anything else is text.
fn text<'a>(bytes: &'a [u8], engine: &Engine) -> Cow<'a, [u8]> {
    if matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'[')) {
        if let Ok(whole) = engine.redact_json(bytes) {
            return whole.bytes;
        }
        let lines: Option<Vec<Cow<'_, [u8]>>> = bytes
            .split_inclusive(|byte| *byte == b'\n')
            .map(|line| {
                if line.trim_ascii().is_empty() {
                    return Some(Cow::Borrowed(line));
                }
                engine.redact_json(line).ok().map(|line| line.bytes)
            })
            .collect();
        if let Some(lines) = lines {
            let changed = lines.iter().any(|line| matches!(line, Cow::Owned(_)));
            return if changed { Cow::Owned(lines.concat()) } else { Cow::Borrowed(bytes) };
        }
    }
    engine.redact_bytes(bytes).bytes
}

/// Whether a file stands under a member of this name.
pub(crate) fn is_holder(name: &[u8]) -> bool {
    matches!(name, b"inlineData" | b"inline_data" | b"input_audio" | b"file_data")
}

/// Whether a text says that a file stands beside it, or is one: nothing of [`inline`] is missed where no text and no name says
/// so.
pub(crate) fn may_be_file(token: Token, body: &[u8]) -> bool {
    /// Each sign of what is looked for takes six bytes at most.
    const MOST: usize = 6 * 6;
    let raw = token.raw(body).trim_ascii_start();
    let may_begin = matches!(raw.first(), Some(b'd' | b'D' | b'b' | b'\\'));
    if !may_begin {
        return false;
    }
    let is_url = |text: &[u8]| text.trim_ascii_start().get(..5).is_some_and(|text| text.eq_ignore_ascii_case(b"data:"));
    let says = |text: &[u8]| text == b"base64" || is_url(text);
    if token.escaped && raw[..raw.len().min(MOST)].contains(&b'\\') { says(&token.text(body)) } else { says(raw) }
}

/// The splices that take secrets out of the files in a JSON body.
pub(crate) fn inline(body: &[u8], engine: &Engine, unscanned: &[Unscanned]) -> Result<Vec<Splice>, Refusal> {
    let mut search = Search { body, files: Vec::new(), levels: Vec::new() };
    wardkeep_redaction::read_json(body, &mut search)?;
    let mut changes = Vec::new();
    for file in search.files {
        let text = file.text(body);
        let text = if file.is_url { data_url(&text).unwrap_or(&text) } else { &text };
        let bytes = decode(text)?;
        let Cow::Owned(changed) = judge(&bytes, engine, unscanned)? else { continue };
        // Written with escapes, its place is not known.
        if file.token.escaped {
            return Err(Held::Secret.into());
        }
        let at = file.token.end - text.len()..file.token.end;
        changes.push(Splice { at, with: BASE64.encode(&changed) });
    }
    Ok(changes)
}

fn decode(text: &[u8]) -> Result<Vec<u8>, Held> {
    let text: Cow<'_, [u8]> = if text.iter().any(u8::is_ascii_whitespace) {
        Cow::Owned(text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect())
    } else {
        Cow::Borrowed(text)
    };
    [BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD]
        .iter()
        .find_map(|form| form.decode(&text).ok())
        .ok_or(Held::NotBase64)
}

/// Looks for files: the `data` of an object of type `base64`, of Gemini's inline data and of audio, audio that is no object, and
/// data URLs anywhere.
struct Search<'a> {
    body: &'a [u8],
    files: Vec<File>,
    levels: Vec<Level>,
}

#[derive(Clone, Copy)]
struct File {
    token: Token,
    is_url: bool,
}

/// An object or list that is open.
struct Level {
    object: bool,
    /// Its `data` is a file: it says so, or the name under which it stands.
    holds: bool,
    data: Vec<File>,
    name: Name,
}

/// The member that comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Type,
    Data,
    /// What stands under it holds a file.
    Holder,
    Other,
}

impl File {
    fn text(self, body: &[u8]) -> Cow<'_, [u8]> {
        self.token.text(body)
    }
}

impl Visit for Search<'_> {
    fn begin(&mut self, object: bool, _: usize) {
        let holds = self.levels.last().is_some_and(|around| match around.object {
            true => around.name == Name::Holder,
            false => around.holds,
        });
        self.levels.push(Level { object, holds, data: Vec::new(), name: Name::Other });
    }

    fn end(&mut self, _: usize) {
        if let Some(mut level) = self.levels.pop()
            && level.holds
        {
            self.files.append(&mut level.data);
        }
    }

    fn key(&mut self, token: Token) {
        let Some(level) = self.levels.last_mut() else { return };
        level.name = match token.text(self.body).as_ref() {
            b"type" => Name::Type,
            b"data" => Name::Data,
            name if is_holder(name) => Name::Holder,
            _ => Name::Other,
        };
    }

    fn string(&mut self, token: Token) {
        let text = token.text(self.body);
        if data_url(&text).is_some() {
            self.files.push(File { token, is_url: true });
            return;
        }
        let Some(level) = self.levels.last_mut().filter(|level| level.object) else { return };
        match level.name {
            Name::Type => level.holds |= text.as_ref() == b"base64",
            Name::Data => level.data.push(File { token, is_url: false }),
            // As Mistral has audio: the name alone says that it is a file. An address is none.
            Name::Holder if decode(&text).is_ok() => self.files.push(File { token, is_url: false }),
            Name::Holder | Name::Other => {}
        }
    }

    fn number(&mut self, _: Token) {}
}

/// What follows the comma of a `data:` URL in base64. Source: WHATWG Fetch, "data: URL processor", which passes over white space
/// before the scheme and around the last word, and bounds nothing.
fn data_url(text: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = text.trim_ascii_start().split_at_checked(5)?;
    if !scheme.eq_ignore_ascii_case(b"data:") {
        return None;
    }
    let comma = memchr::memchr(b',', rest)?;
    let kind = rest[..comma].trim_ascii_end();
    let (kind, last) = kind.split_at(kind.len().checked_sub(b"base64".len())?);
    let base64 = last.eq_ignore_ascii_case(b"base64") && kind.trim_ascii_end().ends_with(b";");
    base64.then(|| &rest[comma + 1..])
}

#[cfg(test)]
mod tests {
    use wardkeep_redaction::{RuleSet, Secret};

    use super::*;
    use crate::request::splice;

    const TOKEN: &str = "tok-8Jq2xN4vRk7Lm0Zs";
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01";

    fn engine() -> Engine {
        Engine::build([Secret::new("token", TOKEN)], &RuleSet::builtin(), [7; 32]).unwrap()
    }

    /// A media type that is longer than any.
    const LONG: &str = concat!(
        r#"{"url":"data:application/pdf;name=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"#,
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        r#";base64,%"}"#
    );

    fn judged(bytes: &[u8], unscanned: &[Unscanned]) -> Result<Vec<u8>, Held> {
        judge(bytes, &engine(), unscanned).map(Cow::into_owned)
    }

    #[test]
    fn a_file_is_what_its_bytes_say() {
        let zip = b"PK\x03\x04\x14\0\0\0".to_vec();
        let pdf = b"%PDF-1.7\n1 0 obj\n".to_vec();
        let utf16: Vec<u8> = "plain text".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (bytes, none, pdf_only, any) in [
            (b"plain text\r\n\tof it".to_vec(), true, true, true),
            (Vec::new(), true, true, true),
            (PNG.to_vec(), true, true, true),
            (b"RIFF\x10\0\0\0WEBPVP8 ".to_vec(), true, true, true),
            (b"RIFF\x10\0\0\0WAVEfmt ".to_vec(), false, false, true),
            (pdf, false, true, true),
            (zip, false, false, true),
            (b"\x1f\x8b\x08\0".to_vec(), false, false, true),
            (utf16, false, false, true),
        ] {
            for (unscanned, passes) in [(&[][..], none), (&[Unscanned::Pdf], pdf_only), (&[Unscanned::Any], any)] {
                let out = judged(&bytes, unscanned);
                assert_eq!(out.is_ok(), passes, "{:?} {unscanned:?}: {out:?}", String::from_utf8_lossy(&bytes));
                assert!(out.is_err() || out.unwrap() == bytes);
            }
        }
        for secret in [[PNG, TOKEN.as_bytes()].concat(), format!("%PDF-1.7\n{TOKEN}").into_bytes()] {
            assert_eq!(judged(&secret, &[Unscanned::Any]), Err(Held::Secret));
        }
    }

    #[test]
    fn text_is_redacted_as_what_it_is() {
        for (text, want) in [
            (format!("a {TOKEN}\nb"), "a SECRET_REF(token)\nb"),
            (format!("{{\"a\":\"{}\"}}", TOKEN.replace('J', "\\u004a")), "{\"a\":\"SECRET_REF(token)\"}"),
            (
                format!("{{\"n\":1.0}}\n\n{{\"a\":\"{}\"}}\r\n", TOKEN.replace('J', "\\u004a")),
                "{\"n\":1.0}\n\n{\"a\":\"SECRET_REF(token)\"}\r\n",
            ),
            (format!("{{not json {TOKEN}"), "{not json SECRET_REF(token)"),
        ] {
            assert_eq!(String::from_utf8(judged(text.as_bytes(), &[]).unwrap()).unwrap(), want);
        }
    }

    fn inlined(body: &str) -> Result<String, Held> {
        let changes = inline(body.as_bytes(), &engine(), &[]).map_err(|refusal| match refusal {
            Refusal::File(held) => held,
            other => panic!("{other}"),
        })?;
        Ok(String::from_utf8(splice(Cow::Borrowed(body.as_bytes()), changes).into_owned()).unwrap())
    }

    #[test]
    fn files_are_found_in_each_dialects_way() {
        let forms = [
            r#"{"content":[{"type":"document","source":{"type":"base64","media_type":"text/plain","data":"%"}}]}"#,
            r#"{"source":{"data":"%","media_type":"image/png","type":"base64"},"n":1.0}"#,
            r#"{"image_url":{"url":"data:image/png;base64,%"}}"#,
            r#"{"file":{"file_data":"DATA:application/pdf;name=x;BASE64,%"}}"#,
            r#"{"parts":[{"inlineData":{"mimeType":"image/png","data":"%"}},{"inline_data":[{"data":"%"}]}]}"#,
            r#"{"type":"input_audio","input_audio":{"format":"wav","data":"%"}}"#,
            r#"{"type":"input_audio","input_audio":"%"}"#,
            r#"{"type":"input_file","file_data":"%"}"#,
            r#"{"file_data":" data:application/pdf ; base64 ,%"}"#,
            LONG,
        ];
        for form in forms {
            let with = |bytes: &[u8]| form.replace('%', &BASE64.encode(bytes));
            assert_eq!(inlined(&with(PNG)), Ok(with(PNG)), "{form}");
            let secret = format!("it is {TOKEN} now");
            assert_eq!(inlined(&with(secret.as_bytes())), Ok(with(b"it is SECRET_REF(token) now")), "{form}");
            assert_eq!(inlined(&with(b"%PDF-1.7 x")), Err(Held::Unreadable("PDF")), "{form}");
            assert_eq!(inlined(&with(&[PNG, TOKEN.as_bytes()].concat())), Err(Held::Secret), "{form}");
            let other = form.replace('%', "https://no.base64/");
            let is_text = [r#"audio":"%"#, r#"file_data":"%"#].iter().any(|name| form.contains(name));
            assert_eq!(inlined(&other), if is_text { Ok(other) } else { Err(Held::NotBase64) }, "{form}");
        }
        // Escapes hide no file, and what is signed is none.
        let escaped = BASE64.encode(&[&[0xff; 3][..], PNG].concat()).replace('/', "\\/");
        assert!(escaped.contains("\\/"));
        assert_eq!(inlined(&forms[0].replace('%', &escaped)), Err(Held::Unreadable("neither text nor a picture")));
        let url = r#"{"image_url":"\n\u0064ata:;BASE64,%"}"#.replace('%', &BASE64.encode(b"%PDF-1.7 x"));
        assert_eq!(inlined(&url), Err(Held::Unreadable("PDF")));
        for other in [
            r#"{"type":"redacted_thinking","data":"AAEC/w==","x":"base64"}"#,
            r#"{"thoughtSignature":"AAEC/w==","inlineData":null}"#,
            r#"{"text":"data:image/png;base64 is how it begins"}"#,
            r#"{"text":"data:image/png;base64,","n":1e999,"x":"\ud800"}"#,
        ] {
            assert_eq!(inlined(other), Ok(other.to_owned()));
        }
    }
}
