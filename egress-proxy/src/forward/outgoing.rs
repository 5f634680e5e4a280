//! The head of a request on its way to an inspected host.

use data_encoding::BASE64;
use wardkeep_policy::bundle::egress::same_name;
use wardkeep_redaction::Engine;
use zeroize::Zeroizing;

use super::bound::{Bound, Writing};
use super::clean::{self, Cleaned};
use super::destination::Destination;
use super::refused::Refused;
use super::wire::{Field, Fields, RequestHead};

/// What is said of one connection only, or is said anew; RFC 9110 7.6.1. What asks for an answer in an encoding goes, too: a
/// value could come back in letters that nobody reads.
const DROPPED: [&str; 17] = [
    "a-im",
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "sec-websocket-extensions",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// Last words of the names of headers that ask for a part of an answer.
const RANGES: [&str; 4] = ["range", "ranges", "byterange", "byteranges"];
/// Words before those, where the part is one of what is written.
const WRITTEN: [&str; 2] = ["content", "source"];

/// Where a request goes, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) to: Destination,
    pub(crate) is_tls: bool,
}

impl Place {
    /// The port that its URLs need not name.
    pub(crate) const fn usual(&self) -> u16 {
        if self.is_tls { 443 } else { 80 }
    }
}

/// A head without the line of its body's length and without its end.
pub(crate) struct Outgoing {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// Method and path, for the record.
    pub(crate) shown: String,
}

/// Whether a WebSocket is asked for.
pub(crate) fn asks_for_websocket(head: &RequestHead) -> bool {
    head.method == "GET"
        && head.is_1_1
        && head.fields.lists("connection", "upgrade")
        && head.fields.lists("upgrade", "websocket")
}

/// Writes the head for the host. `target` is in origin form.
pub(crate) fn head(
    head: &RequestHead,
    target: &str,
    place: &Place,
    engine: &Engine,
    bound: &mut Bound<'_>,
) -> Result<Outgoing, Refused> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(1024));
    // A word of the tool's choosing, where the policy lists none; it cannot be masked.
    if !engine.redact(&head.method).findings.is_empty() {
        return Err(Refused::SecretInName);
    }
    let target = clean::text(target.as_bytes(), engine, bound, Writing::Url)?;
    let path = target.shown.split(|byte| *byte == b'?').next().unwrap_or_default();
    let shown = format!("{} {}", head.method, String::from_utf8_lossy(path));
    bytes.extend_from_slice(head.method.as_bytes());
    bytes.push(b' ');
    write_target(&target, &mut bytes);
    bytes.extend_from_slice(format!(" HTTP/1.1\r\nhost: {}\r\n", place.to.authority(place.usual())).as_bytes());
    for field in &head.fields.0 {
        if is_dropped(&field.name, &head.fields) {
            continue;
        }
        let value = value(field, engine, bound)?;
        // A name is text as well, which an agent can choose, and it cannot be masked.
        if !engine.redact_bytes(field.name.as_bytes()).findings.is_empty() {
            return Err(Refused::SecretInName);
        }
        bytes.extend_from_slice(field.name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(&value);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"accept-encoding: identity\r\n");
    if asks_for_websocket(head) {
        bytes.extend_from_slice(b"connection: Upgrade\r\nupgrade: websocket\r\n");
    }
    Ok(Outgoing { bytes, shown })
}

/// Whether a header stays behind: by its own name, or because `Connection` names it.
pub(crate) fn is_dropped(name: &str, fields: &Fields) -> bool {
    DROPPED.iter().any(|dropped| same_name(dropped, name)) || asks_for_a_part(name) || fields.lists("connection", name)
}

/// The types that the host is told of the body.
pub(crate) fn kinds(fields: &Fields) -> impl Iterator<Item = &[u8]> {
    let leaves = |field: &&Field| same_name(&field.name, "content-type") && !is_dropped(&field.name, fields);
    fields.0.iter().filter(leaves).map(|field| &*field.value)
}

/// Whether a header asks for a part of an answer, under whatever name: `Range`, `Request-Range`, `x-ms-range`, `If-Range`.
/// A value that the host echoes would come back in pieces of which none is masked. `Content-Range` and `x-ms-source-range`
/// say which part it is that is written; without them the host would write another one.
fn asks_for_a_part(name: &str) -> bool {
    let mut words = name.rsplit(|sign: char| !sign.is_ascii_alphanumeric());
    let is_range = words.next().is_some_and(|last| RANGES.iter().any(|range| last.eq_ignore_ascii_case(range)));
    is_range && !words.next().is_some_and(|word| WRITTEN.iter().any(|of| word.eq_ignore_ascii_case(of)))
}

fn value(field: &Field, engine: &Engine, bound: &mut Bound<'_>) -> Result<Zeroizing<Vec<u8>>, Refused> {
    if field.name.eq_ignore_ascii_case("authorization")
        && let Some(sent) = basic(&field.value, engine, bound)?
    {
        return Ok(sent);
    }
    Ok(clean::text(&field.value, engine, bound, Writing::Header)?.sent)
}

/// Basic credentials whose user name or password is a reference; `None` for any other value.
fn basic(value: &[u8], engine: &Engine, bound: &mut Bound<'_>) -> Result<Option<Zeroizing<Vec<u8>>>, Refused> {
    let Some((scheme, rest)) = value.split_at_checked(6) else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return Ok(None);
    }
    let Ok(decoded) = BASE64.decode(rest.trim_ascii()).map(Zeroizing::new) else { return Ok(None) };
    if memchr::memmem::find(&decoded, b"SECRET_REF").is_none() {
        return Ok(None);
    }
    let Cleaned { sent, .. } = clean::text(&decoded, engine, bound, Writing::Header)?;
    let encoded = Zeroizing::new(BASE64.encode(&sent));
    Ok(Some(Zeroizing::new([scheme, encoded.as_bytes()].concat())))
}

/// Masks hold brackets, which stand in no URL.
fn write_target(target: &Cleaned, out: &mut Vec<u8>) {
    for byte in target.sent.iter() {
        match byte {
            b'[' if target.is_masked => out.extend_from_slice(b"%5B"),
            b']' if target.is_masked => out.extend_from_slice(b"%5D"),
            _ => out.push(*byte),
        }
    }
}
