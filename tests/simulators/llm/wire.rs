//! Streams on their way out, with whatever is to go wrong.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;

use super::{Fault, Streaming};

/// One step of a stream.
pub(super) enum Piece {
    Bytes(String),
    Never,
    Break,
}

pub(super) fn pieces(events: Vec<String>, fault: Option<Fault>) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(events.len() + 1);
    for (number, event) in events.into_iter().enumerate() {
        match fault {
            Some(Fault::Stall(at)) if at == number => {
                return [pieces, vec![Piece::Never]].into_iter().flatten().collect();
            }
            Some(Fault::Drop(at)) if at == number => {
                return [pieces, vec![Piece::Break]].into_iter().flatten().collect();
            }
            Some(Fault::Malformed(at)) if at == number => {
                let half = (0..=event.len() / 2).rev().find(|at| event.is_char_boundary(*at)).unwrap_or(0);
                pieces.push(Piece::Bytes(format!("{}\n\n", &event[..half])));
            }
            _ => pieces.push(Piece::Bytes(event)),
        }
    }
    pieces
}

/// The data of events as the elements of one list.
pub(super) fn list(events: &[String]) -> Vec<String> {
    let data = events.iter().map(|event| event.trim_start_matches("data: ").trim_end());
    let begun = data.enumerate().map(|(index, data)| format!("{}{data}", if index == 0 { "[" } else { ",\r\n" }));
    begun.chain(["]".to_owned()]).collect()
}

/// Counts a stream that is dropped before its end.
struct Hearer {
    left: Arc<AtomicU64>,
    done: bool,
}

impl Drop for Hearer {
    fn drop(&mut self) {
        if !self.done {
            self.left.fetch_add(1, Ordering::SeqCst);
        }
    }
}

pub(super) fn events(pieces: Vec<Piece>, pace: Duration, streaming: Streaming, left: Arc<AtomicU64>) -> Response {
    let hearer = Hearer { left, done: false };
    let steps = stream::unfold((pieces.into_iter(), hearer), move |(mut rest, mut hearer)| async move {
        // The last piece is with the connection: whether it was heard is not known here.
        hearer.done = rest.len() == 0;
        if pace > Duration::ZERO {
            tokio::time::sleep(pace).await;
        }
        let item = match rest.next()? {
            Piece::Bytes(text) => Ok::<_, std::io::Error>(Bytes::from(text)),
            Piece::Never => {
                hearer.done = false;
                std::future::pending::<Result<Bytes, Infallible>>().await.map_err(|never| match never {})
            }
            Piece::Break => {
                hearer.done = true;
                // What was said so far has to be on the wire before the connection goes.
                tokio::time::sleep(Duration::from_millis(20)).await;
                Err(std::io::Error::other("the simulator was told to break off"))
            }
        };
        Some((item, (rest, hearer)))
    });
    let kind = match streaming {
        Streaming::List => "application/json; charset=UTF-8",
        _ => "text/event-stream; charset=utf-8",
    };
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")];
    (headers, Body::from_stream(steps)).into_response()
}
