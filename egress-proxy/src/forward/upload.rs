//! A request's body on its way to an inspected host: its beginning is read before anything leaves, so that an ordinary request
//! is judged whole; the rest flows through, cleaned piece by piece.

use std::time::Duration;

use tokio::time::timeout;
use wardkeep_redaction::Engine;
use zeroize::Zeroizing;

use super::bound::{Bound, Writing};
use super::clean::{self, Piecewise};
use super::connection::Asked;
use super::destination::Destination;
use super::form::Form;
use super::outgoing;
use super::record::EgressOutcome;
use super::refused::Refused;
use super::wire::{Body, BrokenBody, Fields, Framing, Reader, Writer, write_chunk, write_last_chunk};

/// Bytes that are read before anything leaves.
const FIRST: usize = 128 * 1024;
/// A pause in a long body after which its beginning leaves.
const PAUSE: Duration = Duration::from_secs(1);

/// A body whose beginning is known.
pub(crate) struct Upload {
    /// What follows the head at once.
    first: Zeroizing<Vec<u8>>,
    /// How the host is told its end.
    framing: Framing,
    /// Looks for methods in what leaves, where that is a form.
    form: Option<Form>,
    rest: Option<Rest>,
}

struct Rest {
    body: Body,
    pieces: Piecewise,
    /// How much longer it may get: as much as the host was told.
    growth: Option<i128>,
}

/// Whose request it is, for the record.
pub(crate) struct Sending<'a> {
    pub(crate) asked: &'a Asked,
    pub(crate) to: &'a Destination,
    pub(crate) shown: &'a str,
}

/// How an upload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Uploaded {
    Whole,
    /// The host takes no more of it; it may have answered.
    HostLeft,
}

impl Upload {
    /// Reads the beginning.
    pub(crate) async fn begin(
        reader: &mut Reader,
        framing: Framing,
        fields: &Fields,
        mut form: Option<Form>,
        engine: &Engine,
        bound: &mut Bound<'_>,
    ) -> Result<Self, Refused> {
        let mut body = Body::new(framing);
        let mut begun = Zeroizing::new(Vec::new());
        // What is short is waited for; what is long, or of unknown length, may come slowly and is not kept waiting.
        let is_short = matches!(framing, Framing::Length(length) if length <= FIRST as u64);
        while !body.is_done() && begun.len() < FIRST {
            let piece = body.piece(reader);
            let piece = if is_short { Ok(piece.await) } else { timeout(PAUSE, piece).await };
            match piece {
                Ok(piece) => begun.extend_from_slice(&piece.map_err(broken)?.unwrap_or_default()),
                Err(_) => break,
            }
        }
        let writing = writing_of(fields);
        if body.is_done() {
            let first = clean::body(&begun, engine, bound, writing)?;
            if let Some(form) = &mut form {
                form.push(&first)?;
                form.check()?;
            }
            // An empty body stays the one that it was: none, or one of no bytes.
            let framing = if framing == Framing::Empty { framing } else { Framing::Length(first.len() as u64) };
            return Ok(Self { first, framing, form: None, rest: None });
        }
        let mut pieces = Piecewise::new(engine, writing);
        let first = pieces.push(&begun, bound)?;
        if let Some(form) = &mut form {
            form.push(&first)?;
        }
        let (framing, growth) = match framing {
            Framing::Length(length) => {
                let growth = pieces.growth();
                let told = u64::try_from(i128::from(length) + growth).map_err(|_| Refused::LengthTold)?;
                (Framing::Length(told), Some(growth))
            }
            other => (other, None),
        };
        Ok(Self { first, framing, form, rest: Some(Rest { body, pieces, growth }) })
    }

    /// The header that says where the body ends.
    pub(crate) fn header(&self) -> String {
        match self.framing {
            Framing::Length(length) => format!("content-length: {length}\r\n"),
            Framing::Chunked => "transfer-encoding: chunked\r\n".to_owned(),
            Framing::Empty | Framing::ToEnd => String::new(),
        }
    }

    /// Sends all of it. A secret that was not on record when the request began is put there before it leaves.
    pub(crate) async fn run(
        mut self,
        from: &mut Reader,
        to: &mut Writer,
        bound: &mut Bound<'_>,
        sending: &Sending<'_>,
    ) -> Result<Uploaded, Refused> {
        let is_chunked = self.framing == Framing::Chunked;
        if give(to, &self.first, is_chunked).await.is_err() {
            return Ok(Uploaded::HostLeft);
        }
        self.first.clear();
        let Some(Rest { mut body, mut pieces, growth }) = self.rest.take() else { return Ok(Uploaded::Whole) };
        loop {
            let piece = body.piece(from).await.map_err(broken)?;
            let cleaned = match &piece {
                Some(piece) => pieces.push(piece, bound)?,
                None => pieces.finish(bound)?,
            };
            if let Some(form) = &mut self.form {
                form.push(&cleaned)?;
                // A host that was told the length may act at its last byte.
                if body.is_done() {
                    form.check()?;
                }
            }
            if growth.is_some_and(|told| told != pieces.growth()) {
                return Err(Refused::LengthTold);
            }
            let news = bound.take_news();
            if !news.is_empty() {
                sending.asked.tell(sending.to, sending.shown, EgressOutcome::Inspected(news)).await?;
            }
            if give(to, &cleaned, is_chunked).await.is_err() {
                return Ok(Uploaded::HostLeft);
            }
            if piece.is_none() {
                break;
            }
        }
        if is_chunked && write_last_chunk(to).await.is_err() {
            return Ok(Uploaded::HostLeft);
        }
        Ok(Uploaded::Whole)
    }
}

async fn give(to: &mut Writer, bytes: &[u8], is_chunked: bool) -> std::io::Result<()> {
    match (bytes.is_empty(), is_chunked) {
        (true, _) => Ok(()),
        (false, true) => write_chunk(to, bytes).await,
        (false, false) => to.send(bytes).await,
    }
}

fn broken(why: BrokenBody) -> Refused {
    match why {
        BrokenBody::Cut => Refused::Malformed("its body ended before the length that it told"),
        BrokenBody::Chunk => Refused::Malformed("its body is not chunked as HTTP says"),
    }
}

/// How a value is written into a body of this kind.
fn writing_of(fields: &Fields) -> Writing {
    let mut kinds = outgoing::kinds(fields);
    let kind = kinds.next().filter(|_| kinds.next().is_none()).unwrap_or_default().to_ascii_lowercase();
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    match kind {
        b"application/x-www-form-urlencoded" => Writing::Url,
        b"application/json" | b"application/x-ndjson" | b"text/json" => Writing::Json,
        b"application/xml" | b"text/xml" => Writing::Xml,
        _ if kind.ends_with(b"+json") => Writing::Json,
        _ if kind.ends_with(b"+xml") => Writing::Xml,
        _ => Writing::Raw,
    }
}
