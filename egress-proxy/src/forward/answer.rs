//! What an inspected host answers, on its way to the tool: values of the vault come back masked.

use std::sync::atomic::{AtomicBool, Ordering};

use wardkeep_redaction::Engine;

use super::clean::Masking;
use super::refused::Refused;
use super::wire::{AnswerHead, Body, Framing, InvalidHead, Reader, Writer, write_chunk, write_last_chunk};

/// A body of at most this many bytes is passed on whole, with its length.
const WHOLE: u64 = 64 * 1024;
/// Heads such as "100 Continue" before the answer.
const INTERIM: usize = 16;

/// What is said of one connection only; RFC 9110 7.6.1. `Alt-Svc` would lead a client past the proxy.
const DROPPED: [&str; 10] = [
    "alt-svc",
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Reads the head of the answer; interim ones are passed over.
pub(crate) async fn head(reader: &mut Reader) -> Result<AnswerHead, Refused> {
    for _ in 0..INTERIM {
        let head = match reader.head().await {
            Ok(Some(head)) => AnswerHead::parse(&head).map_err(|error| Refused::BadAnswer(error.why()))?,
            Ok(None) | Err(InvalidHead::Cut) => return Err(Refused::Broken),
            Err(error) => return Err(Refused::BadAnswer(error.why())),
        };
        if head.status == 101 || !(100..200).contains(&head.status) {
            return Ok(head);
        }
    }
    Err(Refused::BadAnswer("it never begins"))
}

/// To whom an answer goes.
pub(crate) struct Tool<'a> {
    pub(crate) writer: &'a mut Writer,
    /// Set before the first byte goes to it.
    pub(crate) begun: &'a AtomicBool,
    pub(crate) is_1_1: bool,
    /// The method of its request.
    pub(crate) method: &'a str,
    pub(crate) keeps_alive: bool,
}

/// Whether both connections may go on after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct After {
    pub(crate) host: bool,
    pub(crate) tool: bool,
}

/// An answer that cannot be passed on any further.
pub(crate) enum Failed {
    /// The tool has seen nothing of it.
    Before(Refused),
    /// It has seen a part; its connection is cut, so that no ending is mistaken for the end.
    Within,
}

/// Passes the answer on, as it comes.
pub(crate) async fn relay(
    head: &AnswerHead,
    reader: &mut Reader,
    tool: Tool<'_>,
    engine: &Engine,
) -> Result<After, Failed> {
    let before = |why| Failed::Before(Refused::BadAnswer(why));
    let framing = Framing::of_answer(head, tool.method).map_err(before)?;
    let is_encoded = head.fields.words("content-encoding").any(|word| !word.eq_ignore_ascii_case(b"identity"));
    if framing != Framing::Empty && is_encoded {
        return Err(before("it is compressed although it was asked for plain, so it cannot be looked through"));
    }
    if is_part(head) {
        return Err(before("it is a part that nobody asked for, and a value in pieces cannot be masked"));
    }
    let mut body = Body::new(framing);
    let mut masking = Masking::new(engine);
    let mut whole = None;
    if let Framing::Length(length) = framing
        && length <= WHOLE
    {
        let mut masked = Vec::new();
        while let Some(piece) = body.piece(reader).await.map_err(|_| Failed::Before(Refused::Broken))? {
            masked.extend_from_slice(&masking.push(&piece));
        }
        masked.extend_from_slice(&std::mem::replace(&mut masking, Masking::new(engine)).finish());
        whole = Some(masked);
    }
    // A tool of HTTP/1.0 knows no chunks: the end of the connection is the end of the body.
    let is_chunked = whole.is_none() && framing != Framing::Empty && tool.is_1_1;
    let stays = tool.keeps_alive && (whole.is_some() || framing == Framing::Empty || is_chunked);
    let ending = match (&whole, is_chunked) {
        (Some(whole), _) => Ending::Length(whole.len()),
        (None, true) => Ending::Chunks,
        (None, false) if framing == Framing::Empty => Ending::AsTold,
        (None, false) => Ending::Close,
    };
    tool.begun.store(true, Ordering::Relaxed);
    let mut first = write_head(head, engine, &ending, stays);
    let within = |_: std::io::Error| Failed::Within;
    if let Some(whole) = whole {
        first.extend_from_slice(&whole);
        tool.writer.send(&first).await.map_err(within)?;
        return Ok(After { host: head.keeps_alive(), tool: stays });
    }
    tool.writer.send(&first).await.map_err(within)?;
    while let Some(piece) = body.piece(reader).await.map_err(|_| Failed::Within)? {
        give(tool.writer, &masking.push(&piece), is_chunked).await.map_err(within)?;
    }
    give(tool.writer, &masking.finish(), is_chunked).await.map_err(within)?;
    if is_chunked {
        write_last_chunk(tool.writer).await.map_err(within)?;
    }
    Ok(After { host: head.keeps_alive() && framing != Framing::ToEnd, tool: stays })
}

/// Whether an answer is a part of what was asked for, counted in bytes, or a difference to another one (RFC 9110 14.4 and
/// 15.3.7, RFC 3229). Rows and items may be counted in `Content-Range`: they cut no value in two. 416 says that there is none.
fn is_part(head: &AnswerHead) -> bool {
    const PARTS: &[u8] = b"multipart/byteranges";
    let holds = |value: &[u8], word: &[u8]| value.windows(word.len()).any(|is| is.eq_ignore_ascii_case(word));
    let mut ranges = head.fields.all("content-range").peekable();
    let counts_otherwise = ranges.peek().is_some();
    match head.status {
        416 => false,
        226 => true,
        status => {
            ranges.any(|range| holds(range, b"bytes"))
                || (status == 206 && !counts_otherwise)
                || head.fields.all("content-type").any(|kind| holds(kind, PARTS))
        }
    }
}

async fn give(writer: &mut Writer, bytes: &[u8], is_chunked: bool) -> std::io::Result<()> {
    if is_chunked { write_chunk(writer, bytes).await } else { writer.send(bytes).await }
}

/// How the tool learns where the body ends.
enum Ending {
    Length(usize),
    Chunks,
    Close,
    /// There is none; what is told of its length (of HEAD, of 304) is told on.
    AsTold,
}

fn write_head(head: &AnswerHead, engine: &Engine, ending: &Ending, stays: bool) -> Vec<u8> {
    let mut out = first_lines(head, engine);
    match ending {
        Ending::Length(length) => out.extend_from_slice(format!("content-length: {length}\r\n").as_bytes()),
        Ending::Chunks => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Ending::AsTold => {
            if let Some(length) = head.fields.one("content-length").filter(|_| head.status != 204) {
                out.extend_from_slice(&[b"content-length: ", length, b"\r\n"].concat());
            }
        }
        Ending::Close => {}
    }
    out.extend_from_slice(if stays { b"connection: keep-alive\r\n\r\n" } else { b"connection: close\r\n\r\n" });
    out
}

/// Status line and headers, masked; the lines about the connection are missing.
pub(crate) fn first_lines(head: &AnswerHead, engine: &Engine) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {} ", head.status).into_bytes();
    out.extend_from_slice(&engine.redact_bytes(&head.reason).bytes);
    out.extend_from_slice(b"\r\n");
    for field in &head.fields.0 {
        let is_dropped = DROPPED.iter().any(|dropped| field.name.eq_ignore_ascii_case(dropped))
            || head.fields.lists("connection", &field.name);
        if is_dropped {
            continue;
        }
        out.extend_from_slice(&engine.redact_bytes(field.name.as_bytes()).bytes);
        out.extend_from_slice(b": ");
        out.extend_from_slice(&engine.redact_bytes(&field.value).bytes);
        out.extend_from_slice(b"\r\n");
    }
    out
}
