//! `multipart/form-data` taken apart, judged part by part, and put together again.
//!
//! Source: RFC 2046 5.1, RFC 7578. Read strictly: where readers could differ about what a part is, the upload is refused.

use std::borrow::Cow;

use http::header::{self, HeaderMap};
use memchr::memmem;
use wardkeep_policy::bundle::llm::Unscanned;
use wardkeep_redaction::Engine;

use crate::attachments::{self, Held};

/// Parts of one upload.
const PARTS: usize = 64;
/// Bytes of one part's head.
const HEAD_BYTES: usize = 8 * 1024;

/// Why an upload does not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidUpload {
    #[error("an upload must be multipart/form-data with one boundary")]
    NotMultipart,
    #[error("the upload cannot be read as multipart/form-data ({0}); send it as a client library does")]
    Malformed(&'static str),
    #[error("the name of an uploaded file or field holds a secret; give it another name")]
    SecretInName,
    #[error("{0}")]
    Held(#[from] Held),
}

/// The boundary that the head announces.
pub(crate) fn boundary(headers: &HeaderMap) -> Result<String, InvalidUpload> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut parts = value.unwrap_or_default().split(';').map(str::trim);
    if !parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/form-data")) {
        return Err(InvalidUpload::NotMultipart);
    }
    let mut found =
        parts.filter_map(|part| part.split_once('=')).filter(|(name, _)| name.eq_ignore_ascii_case("boundary"));
    let (Some((_, boundary)), None) = (found.next(), found.next()) else { return Err(InvalidUpload::NotMultipart) };
    let boundary = boundary.strip_prefix('"').and_then(|quoted| quoted.strip_suffix('"')).unwrap_or(boundary);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&byte);
    if boundary.is_empty() || boundary.len() > 70 || !boundary.bytes().all(fits) {
        return Err(InvalidUpload::NotMultipart);
    }
    Ok(boundary.to_owned())
}

/// The same upload without secrets.
pub(crate) fn redact<'a>(
    body: &'a [u8],
    boundary: &str,
    engine: &Engine,
    unscanned: &[Unscanned],
) -> Result<Cow<'a, [u8]>, InvalidUpload> {
    let delimiter = format!("\r\n--{boundary}");
    let finder = memmem::Finder::new(&delimiter);
    // The first delimiter has no line end before it, since nothing may stand there.
    let mut at = delimiter.len() - 2;
    if !body.starts_with(&delimiter.as_bytes()[2..]) {
        return Err(InvalidUpload::Malformed("it does not begin with its boundary"));
    }
    let mut out: Vec<u8> = Vec::new();
    let mut copied = 0;
    for _ in 0..=PARTS {
        let rest = &body[at..];
        if let Some(end) = rest.strip_prefix(b"--") {
            if !matches!(end, b"" | b"\r\n") {
                return Err(InvalidUpload::Malformed("something follows its end"));
            }
            if copied == 0 {
                return Ok(Cow::Borrowed(body));
            }
            out.extend_from_slice(&body[copied..]);
            return Ok(Cow::Owned(out));
        }
        let part =
            rest.strip_prefix(b"\r\n").ok_or(InvalidUpload::Malformed("a boundary is not followed by a line end"))?;
        let start = at + 2;
        let length = finder.find(part).ok_or(InvalidUpload::Malformed("it has no end"))?;
        let content = start + head(&part[..length], engine)?;
        if let Cow::Owned(changed) = attachments::judge(&body[content..start + length], engine, unscanned)? {
            out.extend_from_slice(&body[copied..content]);
            out.extend_from_slice(&changed);
            copied = start + length;
        }
        at = start + length + delimiter.len();
    }
    Err(InvalidUpload::Malformed("it has too many parts"))
}

/// Checks the head of a part; gives its length, empty line included.
fn head(part: &[u8], engine: &Engine) -> Result<usize, InvalidUpload> {
    const MALFORMED: InvalidUpload = InvalidUpload::Malformed("the head of a part");
    let length = memmem::find(&part[..part.len().min(HEAD_BYTES)], b"\r\n\r\n").ok_or(MALFORMED)?;
    let text = std::str::from_utf8(&part[..length]).map_err(|_| MALFORMED)?;
    let mut named = false;
    for line in text.split("\r\n") {
        let (name, value) = line.split_once(':').ok_or(MALFORMED)?;
        if line.contains(['\r', '\n', '\0']) {
            return Err(MALFORMED);
        }
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-disposition" if !named && value.to_ascii_lowercase().starts_with("form-data;") => named = true,
            "content-type" | "content-length" => {}
            "content-transfer-encoding"
                if ["7bit", "8bit", "binary"].contains(&value.to_ascii_lowercase().as_str()) => {}
            _ => return Err(MALFORMED),
        }
    }
    if !named {
        return Err(MALFORMED);
    }
    if !engine.redact(text).findings.is_empty() {
        return Err(InvalidUpload::SecretInName);
    }
    Ok(length + 4)
}

#[cfg(test)]
mod fuzzed;

#[cfg(test)]
mod tests {
    use wardkeep_redaction::{RuleSet, Secret};

    use super::*;

    const TOKEN: &str = "tok-8Jq2xN4vRk7Lm0Zs";

    fn redacted(body: &str) -> Result<String, InvalidUpload> {
        let engine = Engine::build([Secret::new("token", TOKEN)], &RuleSet::builtin(), [7; 32]).unwrap();
        redact(body.as_bytes(), "b1", &engine, &[]).map(|out| String::from_utf8_lossy(&out).into_owned())
    }

    fn upload(name: &str, text: &str) -> String {
        format!(
            "--b1\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nuser_data\r\n--b1\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: text/plain\r\n\r\n{text}\r\n--b1--\r\n"
        )
    }

    #[test]
    fn text_is_redacted_in_its_part() {
        let plain = upload("a.txt", "one\r\n--b\r\ntwo");
        assert_eq!(redacted(&plain), Ok(plain));
        let body = upload("a.txt", &format!("{TOKEN}\r\n--b\r\n{TOKEN}"));
        assert_eq!(redacted(&body), Ok(body.replace(TOKEN, "SECRET_REF(token)")));
        let body = upload("a.txt", "").replace("user_data", TOKEN);
        assert_eq!(redacted(&body), Ok(body.replace(TOKEN, "SECRET_REF(token)")));
    }

    #[test]
    fn what_readers_could_read_differently_is_refused() {
        let good = upload("a.txt", "text");
        for (from, to) in [
            (
                "--b1\r\nContent-Disposition: form-data; name=\"purpose\"",
                "hello\r\n--b1\r\nContent-Disposition: form-data; name=\"purpose\"",
            ),
            ("--b1--\r\n", "--b1--\r\nmore"),
            ("\r\n--b1--\r\n", ""),
            ("--b1--", "--b1 --"),
            (
                "--b1\r\nContent-Disposition: form-data; name=\"file\"",
                "--b1x\r\nContent-Disposition: form-data; name=\"file\"",
            ),
            ("Content-Type: text/plain", "Content-Transfer-Encoding: base64"),
            ("Content-Type: text/plain", "X-Other: 1"),
            ("Content-Type: text/plain", "Content-Type: text/plain\nX: 1"),
            ("Content-Disposition: form-data; name=\"file\"", "Content-Disposition: attachment; name=\"file\""),
            ("Content-Type: text/plain\r\n\r\n", "Content-Type: text/plain\r\n"),
        ] {
            assert!(good.contains(from), "{from}");
            let refused = redacted(&good.replace(from, to)).expect_err(to);
            assert!(matches!(refused, InvalidUpload::Malformed(_)), "{to}: {refused}");
        }
        let part = "--b1\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n";
        assert!(redacted(&format!("{}--b1--", part.repeat(PARTS))).is_ok());
        assert!(redacted(&format!("{}--b1--", part.repeat(PARTS + 1))).is_err());
        assert_eq!(redacted(&upload(&format!("{TOKEN}.txt"), "text")), Err(InvalidUpload::SecretInName));
        let archive = Held::Unreadable("neither text nor a picture");
        assert_eq!(redacted(&upload("a.txt", "PK\u{3}\u{4}\0")), Err(InvalidUpload::Held(archive)));
    }

    #[test]
    fn the_boundary_is_one() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
            boundary(&headers)
        };
        assert_eq!(of("multipart/form-data; boundary=a-1").as_deref(), Ok("a-1"));
        assert_eq!(of("Multipart/Form-Data;charset=utf-8; Boundary=\"a-1\"").as_deref(), Ok("a-1"));
        for bad in [
            "application/json",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=a; boundary=b",
            "multipart/form-data; boundary=\"a;b\"",
            "multipart/mixed; boundary=a",
        ] {
            assert_eq!(of(bad), Err(InvalidUpload::NotMultipart), "{bad}");
        }
    }
}
