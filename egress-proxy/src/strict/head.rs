//! One head: where it ends, and where its body does.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::uri::{PathAndQuery, Uri};
use wardkeep_policy::Dialect;

use crate::api;
use crate::forward::wire::{Framing, InvalidHead, RequestLine, Told, each_field, head_end, is_token};

use super::chunks::Chunks;
use super::{Fault, HEAD_BYTES, State};

/// Headers of one request; hyper's own limit.
pub(super) const FIELDS: usize = 100;
/// Empty lines before a request that are passed over.
const LINE_ENDS: usize = 4;

/// What stands next on a connection.
pub(super) enum Next {
    Whole { length: usize, body: Body },
    Part,
}

/// Where the body of a request ends.
pub(super) enum Body {
    Sized(u64),
    Chunked,
}

impl From<Body> for State {
    fn from(body: Body) -> Self {
        match body {
            Body::Sized(0) => Self::Head,
            Body::Sized(length) => Self::Sized(length),
            Body::Chunked => Self::Chunked(Chunks::default()),
        }
    }
}

/// The head with which `bytes` begin; in the first `searched` bytes it does not end.
pub(super) fn next(bytes: &[u8], searched: usize) -> Result<Next, Fault> {
    let ends = bytes.len() - without_line_ends(bytes).len();
    let from = searched.saturating_sub(3).max(ends);
    let end = head_end(bytes.get(from..).unwrap_or_default()).map(|end| from + end + 4);
    if end.unwrap_or(bytes.len()) - ends > HEAD_BYTES {
        return Err(Fault::Head(InvalidHead::TooLarge));
    }
    if let Some(length) = end {
        return Ok(Next::Whole { length, body: read(&bytes[ends..length])? });
    }
    match &bytes[ends..] {
        // What is no HTTP at all, such as the first bytes of TLS, need not be waited for.
        [b'\n', ..] => Err(Fault::Head(InvalidHead::LineEnd)),
        [first, ..] if *first != b'\r' && !is_token(*first) => Err(Fault::Head(InvalidHead::FirstLine)),
        _ if memchr::memmem::find(&bytes[searched.saturating_sub(1)..], b"\n\n").is_some() => {
            Err(Fault::Head(InvalidHead::LineEnd))
        }
        _ => Ok(Next::Part),
    }
}

/// Some clients end a body with a line end more than they announced; RFC 9112 2.2.
pub(super) fn without_line_ends(bytes: &[u8]) -> &[u8] {
    let ends = bytes.chunks_exact(2).take(LINE_ENDS).take_while(|pair| pair == b"\r\n").count() * 2;
    &bytes[ends..]
}

fn read(head: &[u8]) -> Result<Body, Fault> {
    let (mut told, mut fields, mut hosts) = (Told::default(), 0, 0);
    let first = each_field(head, |name, value| {
        fields += 1;
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => hosts += 1,
            14 | 17 => told.see(name, value),
            _ => {}
        }
        Ok(())
    });
    let line = RequestLine::parse(first.map_err(Fault::Head)?).map_err(Fault::Head)?;
    if fields > FIELDS {
        return Err(Fault::Many);
    }
    let framing = told.framing().map_err(Fault::Unclear)?;
    if hosts != 1 && (line.is_1_1 || hosts > 1) {
        return Err(Fault::Host);
    }
    if !line.target.starts_with('/') && line.target != "*" {
        return Err(Fault::NoPath);
    }
    // What some readers take for the end of a path, or for a slash.
    if line.target.bytes().any(|byte| b"#\\<>`\"".contains(&byte)) {
        return Err(Fault::Head(InvalidHead::FirstLine));
    }
    match framing {
        None | Some(Framing::Empty | Framing::ToEnd) => Ok(Body::Sized(0)),
        Some(Framing::Length(length)) => Ok(Body::Sized(length)),
        Some(Framing::Chunked) if line.is_1_1 => Ok(Body::Chunked),
        Some(Framing::Chunked) => Err(Fault::Unclear("HTTP/1.0 knows no transfer-encoding")),
    }
}

/// In what words the sender of something that is no head would be answered: guessed from what can be read of it.
pub(super) fn dialect(head: &[u8]) -> Dialect {
    let start = head.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(0);
    let head = String::from_utf8_lossy(&head[start..head.len().min(HEAD_BYTES)]);
    let first = head.split(['\r', '\n']).next().unwrap_or_default();
    let target = first.split_ascii_whitespace().find(|word| word.contains('/')).unwrap_or_default();
    let path = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    if path.starts_with("/v1/messages") {
        return Dialect::Anthropic;
    }
    let uri = PathAndQuery::try_from(path).map(Uri::from).unwrap_or_default();
    let mut headers = HeaderMap::new();
    for name in ["anthropic-version", "x-goog-api-key"] {
        let there = |line: &str| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        if head.split(['\r', '\n']).any(there) {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(""));
        }
    }
    api::dialect_of(&uri, &headers)
}
