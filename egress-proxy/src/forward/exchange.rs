//! One request to an inspected host: read → judged → cleaned → recorded → sent → answered.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use wardkeep_policy::EgressMode;
use wardkeep_redaction::Engine;
use zeroize::Zeroizing;

use super::answer::{self, After, Failed, Tool};
use super::bound::Bound;
use super::connection::Asked;
use super::destination::Destination;
use super::door;
use super::form::Form;
use super::outgoing::{self, Outgoing, Place};
use super::record::EgressOutcome;
use super::refused::Refused;
use super::upload::{Sending, Upload, Uploaded};
use super::upstream::Upstream;
use super::websocket;
use super::wire::{AnswerHead, Framing, Reader, RequestHead, Writer};

/// The tool's end of a connection.
pub(crate) struct Line {
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
    /// The connection to the host that the last request went to.
    pub(crate) upstream: Option<Upstream>,
}

/// What becomes of the connection after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Request,
    End,
    /// An answer is not whole: the connection is dropped, so that no ending is mistaken for the end.
    Cut,
}

/// Carries one request out. A refusal that the tool was not told yet is the caller's to tell.
pub(crate) async fn run(
    asked: &Asked,
    line: &mut Line,
    head: &RequestHead,
    place: &Place,
    target: &str,
) -> Result<Next, Refused> {
    let judged = judge(asked, head, place, target)?;
    let parts = &asked.forward.parts;
    // What was stored a moment ago is masked, too. One engine judges the whole request.
    parts.secrets.catch_up();
    let engine = parts.redaction.load();
    let is_in_clear = !place.is_tls && !judged.is_private;
    let mut bound = Bound::new(&*parts.secrets, &place.to, is_in_clear);
    let outgoing = outgoing::head(head, target, place, &engine, &mut bound)?;
    if judged.expects {
        line.writer.send(b"HTTP/1.1 100 Continue\r\n\r\n").await.map_err(|_| Refused::Stalled)?;
    }
    let begin = Upload::begin(&mut line.reader, judged.framing, &head.fields, judged.form, &engine, &mut bound);
    let upload = tokio::select! {
        upload = begin => upload?,
        () = asked.pulse.silence() => return Err(Refused::Stalled),
    };
    let kept = match line.upstream.take() {
        Some(kept) => kept.for_another(place, judged.is_private).await,
        None => None,
    };
    let mut upstream = match kept {
        Some(kept) => kept,
        None => Upstream::connect(asked, place, judged.is_private).await?,
    };
    asked.tell(&place.to, &outgoing.shown, EgressOutcome::Inspected(bound.take_news())).await?;
    let Outgoing { mut bytes, shown } = outgoing;
    bytes.extend_from_slice(upload.header().as_bytes());
    bytes.extend_from_slice(b"\r\n");
    let sending = Sending { asked, to: &place.to, shown: &shown };
    let sent = Sent { head, bytes, upload, sending: &sending };
    let (answered, uploaded) = Box::pin(send(line, &mut upstream, sent, &mut bound)).await?;
    let after = match answered {
        Answered::Done(after) => after,
        Answered::Cut => return Ok(Next::Cut),
        Answered::Switched(answer) => {
            Box::pin(websocket::run(sending, line, &mut upstream, place, bound, &answer)).await;
            return Ok(Next::End);
        }
    };
    let is_whole = uploaded == Some(Uploaded::Whole);
    if after.host && is_whole {
        line.upstream = Some(upstream);
    }
    Ok(if after.tool && is_whole { Next::Request } else { Next::End })
}

/// What goes to the host.
struct Sent<'a> {
    head: &'a RequestHead,
    /// The head as it leaves.
    bytes: Zeroizing<Vec<u8>>,
    upload: Upload,
    sending: &'a Sending<'a>,
}

enum Answered {
    Done(After),
    /// The tool has seen a part, or has left.
    Cut,
    /// To a WebSocket, as it was asked for.
    Switched(AnswerHead),
}

/// Sends the request and passes the answer on, both at the same time: a host may answer before it has read everything.
async fn send(
    line: &mut Line,
    upstream: &mut Upstream,
    sent: Sent<'_>,
    bound: &mut Bound<'_>,
) -> Result<(Answered, Option<Uploaded>), Refused> {
    let Sent { head, bytes, upload, sending: request } = sent;
    let asked = request.asked;
    if upstream.writer.send(&bytes).await.is_err() {
        return Err(Refused::Broken);
    }
    drop(bytes);
    let uploaded = OnceLock::new();
    let mut sending = std::pin::pin!(async {
        let done = upload.run(&mut line.reader, &mut upstream.writer, bound, request).await?;
        let _ = uploaded.set(done);
        line.reader.left().await;
        Ok::<_, Refused>(())
    });
    let begun = AtomicBool::new(false);
    let mut answering = std::pin::pin!(relay(asked, &mut upstream.reader, &mut line.writer, head, &begun));
    let outcome = tokio::select! {
        // What is refused in the middle of an upload must not be answered.
        biased;
        left = &mut sending => left.map(|()| (Answered::Cut, None)),
        answered = &mut answering => answered.map(|answered| (answered, uploaded.get().copied())),
        () = asked.pulse.silence() => Err(Refused::Silent),
    };
    match outcome {
        // A refusal has no place behind the beginning of an answer.
        Err(why) if begun.load(Ordering::Relaxed) => {
            asked.tell_refused(&request.to.to_string(), request.shown, &why).await;
            Ok((Answered::Cut, None))
        }
        outcome => outcome,
    }
}

struct Judged {
    framing: Framing,
    is_private: bool,
    form: Option<Form>,
    /// The tool waits to be told that it may send the body.
    expects: bool,
}

/// Everything that can be said before a byte of the body was read.
fn judge(asked: &Asked, head: &RequestHead, place: &Place, target: &str) -> Result<Judged, Refused> {
    let framing = Framing::of_request(head).map_err(Refused::Malformed)?;
    check_host(head, place)?;
    door::admissible(&asked.forward, &asked.agent)?;
    let opening = door::opening(&asked.forward, &asked.agent, &place.to)?;
    if opening.mode() != EgressMode::Inspect {
        return Err(Refused::InClear);
    }
    let headers = head.fields.0.iter().map(|field| (&*field.name, &*field.value));
    opening.allows_all(&head.method, target, headers)?;
    if head.fields.words("content-encoding").any(|word| !word.eq_ignore_ascii_case(b"identity")) {
        return Err(Refused::Encoded);
    }
    let expects = match head.fields.one("expect") {
        Some(expected) if expected.eq_ignore_ascii_case(b"100-continue") => framing != Framing::Empty,
        Some(_) => return Err(Refused::Malformed("it expects something else than 100-continue")),
        None => false,
    };
    let is_private = opening.is_private();
    let path = target.split('?').next().unwrap_or_default();
    Ok(Judged { framing, is_private, form: Form::of(&head.fields, opening, path), expects })
}

/// Exactly one `Host`, and it names where the request goes: otherwise two readers send it to two places.
fn check_host(head: &RequestHead, place: &Place) -> Result<(), Refused> {
    let hosts = head.fields.all("host").count();
    if hosts == 0 && !head.is_1_1 {
        return Ok(());
    }
    let host = head.fields.one("host").and_then(|host| std::str::from_utf8(host).ok());
    let named = host.and_then(|host| Destination::parse(host, Some(place.usual())));
    if named.as_ref() == Some(&place.to) {
        return Ok(());
    }
    Err(Refused::Malformed(match hosts {
        0 => "it has no Host",
        1 => "its Host is another than it was sent to",
        _ => "it has Host twice",
    }))
}

async fn relay(
    asked: &Asked,
    from: &mut Reader,
    to: &mut Writer,
    request: &RequestHead,
    begun: &AtomicBool,
) -> Result<Answered, Refused> {
    let head = answer::head(from).await?;
    if outgoing::asks_for_websocket(request) && websocket::begins(&head) {
        return Ok(Answered::Switched(head));
    }
    if head.status == 101 {
        return Err(Refused::BadAnswer("it changes the protocol"));
    }
    let engine = values_only(asked);
    let tool = Tool {
        writer: to,
        begun,
        is_1_1: request.is_1_1,
        method: &request.method,
        keeps_alive: request.keeps_alive() && !asked.stop.is_cancelled(),
    };
    match answer::relay(&head, from, tool, &engine).await {
        Ok(after) => Ok(Answered::Done(after)),
        Err(Failed::Before(why)) => Err(why),
        Err(Failed::Within) => Ok(Answered::Cut),
    }
}

/// The vault's values of this moment. What a host says is not masked by rules: only what the tool must not hold.
fn values_only(asked: &Asked) -> Arc<Engine> {
    let parts = &asked.forward.parts;
    parts.secrets.catch_up();
    asked.forward.values.of(&parts.redaction.load())
}
