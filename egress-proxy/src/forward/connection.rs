//! One connection of an agent's tool: CONNECT once, or absolute addresses one after the other.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use wardkeep_policy::{Closed, EgressMode};
use wardkeep_proto::ids::AgentName;

use super::crowd::Inside;
use super::destination::Destination;
use super::exchange::{self, Line, Next};
use super::outgoing::Place;
use super::pulse::Pulse;
use super::record::{EgressOutcome, EgressRecord};
use super::refused::Refused;
use super::wire::{self, InvalidHead, Reader, RequestHead};
use super::{Forward, absolute, door, inspect, reach, tunnel};

/// After a refusal: how much of the body is read and forgotten, and for how long. A connection that is closed on unread bytes
/// is reset, and the tool would see that instead of the refusal.
const DRAINED: usize = 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(2);
const OPENED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

/// What holds for everything that one agent asks on one connection.
pub(crate) struct Asked {
    pub(crate) forward: Arc<Forward>,
    pub(crate) agent: AgentName,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) stop: CancellationToken,
    pub(crate) _inside: Inside,
}

impl Asked {
    /// Puts a refusal on record. One that cannot be recorded is still a refusal.
    pub(crate) async fn tell_refused(&self, destination: &str, request: &str, why: &Refused) {
        tell_refused(&self.forward, Some(&self.agent), destination, request, why).await;
    }

    /// Puts what is going to happen on record, or keeps it from happening.
    pub(crate) async fn tell(&self, to: &Destination, request: &str, outcome: EgressOutcome) -> Result<(), Refused> {
        let record = EgressRecord {
            agent: Some(self.agent.clone()),
            destination: to.to_string(),
            request: request.to_owned(),
            outcome,
        };
        self.forward.parts.ledger.record(record).await.map_err(|_| Refused::NotRecorded)
    }
}

async fn tell_refused(forward: &Forward, agent: Option<&AgentName>, destination: &str, request: &str, why: &Refused) {
    tracing::info!(destination, code = why.code(), "the forward proxy refused a request");
    let record = EgressRecord {
        agent: agent.cloned(),
        destination: destination.to_owned(),
        request: request.to_owned(),
        outcome: EgressOutcome::Refused(why.code()),
    };
    if forward.parts.ledger.record(record).await.is_err() {
        tracing::error!(destination, code = why.code(), "a refusal of the forward proxy is not in the audit log");
    }
}

/// Says why, ends the sending side, and gives the tool the time to hear it.
pub(crate) async fn refuse(line: &mut Line, why: &Refused) {
    if line.writer.send(&why.answer()).await.is_ok() {
        linger(line).await;
    }
}

/// Ends the sending side, and gives the tool the time to hear what was said last.
pub(crate) async fn linger(line: &mut Line) {
    line.writer.end().await;
    let drain = async {
        let mut seen = 0;
        while let Ok(Some(piece)) = line.reader.piece(usize::MAX).await {
            seen += piece.len();
            if seen > DRAINED {
                return;
            }
        }
    };
    let _ = timeout(PATIENCE, drain).await;
}

/// Serves one connection to its end.
pub(crate) async fn serve(stream: TcpStream, forward: Arc<Forward>, stop: CancellationToken) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let pulse = Arc::new(Pulse::new(forward.parts.timeouts.idle));
    let (reader, writer) = wire::split(Box::new(stream), &pulse);
    let mut line = Line { reader, writer, upstream: None };
    loop {
        let head = match next_head(&forward, &mut line.reader, &stop).await {
            Ok(Some(head)) => head,
            Ok(None) => return,
            Err(why) => {
                tell_refused(&forward, None, "", "", &why).await;
                return refuse(&mut line, &why).await;
            }
        };
        let (named, outcome) = match door::who(&forward, &head.fields) {
            Ok(agent) => {
                let leash = forward.parts.leases.leash(&agent);
                if leash.is_cut() {
                    let why = Refused::Closed(Closed::Stopped);
                    let (to, request) = shown(&forward, &head);
                    tell_refused(&forward, Some(&agent), &to, &request, &why).await;
                    return refuse(&mut line, &why).await;
                }
                let Some(inside) = forward.crowd.enter(&agent) else {
                    let (to, request) = shown(&forward, &head);
                    tell_refused(&forward, Some(&agent), &to, &request, &Refused::Crowded).await;
                    return refuse(&mut line, &Refused::Crowded).await;
                };
                let (forward, pulse, stop) = (Arc::clone(&forward), Arc::clone(&pulse), stop.clone());
                let asked = Asked { forward, agent, pulse, stop, _inside: inside };
                if head.method == "CONNECT" {
                    let _ = leash.hold(connect(asked, line, &head)).await;
                    return;
                }
                // A stop cuts it where it stands: no ending is mistaken for the end.
                let outcome = leash.hold(one(&asked, &mut line, &head)).await.unwrap_or(Ok(Next::Cut));
                (Some(asked.agent), outcome)
            }
            Err(why) => (None, Err(why)),
        };
        match outcome {
            Ok(Next::Request) => {}
            Ok(Next::Cut) => return,
            Ok(Next::End) => return line.writer.end().await,
            Err(why) => {
                let (to, request) = shown(&forward, &head);
                tell_refused(&forward, named.as_ref(), &to, &request, &why).await;
                return refuse(&mut line, &why).await;
            }
        }
    }
}

/// The next head; `None` when the client has left or the daemon stops.
pub(crate) async fn next_head(
    forward: &Forward,
    reader: &mut Reader,
    stop: &CancellationToken,
) -> Result<Option<RequestHead>, Refused> {
    let timeouts = &forward.parts.timeouts;
    if reader.ahead().is_empty() {
        let more = tokio::select! {
            more = timeout(timeouts.head.min(timeouts.idle), reader.fill()) => more,
            () = stop.cancelled() => return Ok(None),
        };
        if !matches!(more, Ok(Ok(1..))) {
            return Ok(None);
        }
    }
    let head = match timeout(timeouts.head, reader.head()).await {
        Ok(Ok(Some(head))) => head,
        Ok(Ok(None)) => return Ok(None),
        Ok(Err(InvalidHead::TooLarge)) => return Err(Refused::HeadTooLarge),
        Ok(Err(error)) => return Err(Refused::Malformed(error.why())),
        Err(_) => return Err(Refused::Stalled),
    };
    RequestHead::parse(&head).map(Some).map_err(|error| Refused::Malformed(error.why()))
}

/// What a record may say of a request: host and port, method and path; redacted.
fn shown(forward: &Forward, head: &RequestHead) -> (String, String) {
    let engine = forward.parts.redaction.load();
    let clean = |text: &str| engine.redact(text).text.into_owned();
    if head.method == "CONNECT" {
        let to = Destination::parse(&head.target, None).map(|to| to.to_string()).unwrap_or_default();
        return (clean(&to), "CONNECT".to_owned());
    }
    match absolute::parse(&head.target) {
        Ok((Place { to, .. }, target)) => {
            let path = target.split('?').next().unwrap_or_default();
            (clean(&to.to_string()), clean(&format!("{} {path}", head.method)))
        }
        Err(_) => (String::new(), clean(&head.method)),
    }
}

async fn one(asked: &Asked, line: &mut Line, head: &RequestHead) -> Result<Next, Refused> {
    let (place, target) = absolute::parse(&head.target)?;
    Box::pin(exchange::run(asked, line, head, &place, &target)).await
}

async fn connect(asked: Asked, mut line: Line, head: &RequestHead) {
    match open(&asked, head).await {
        Ok(opened) => {
            if line.writer.send(OPENED).await.is_err() {
                return;
            }
            let client = (line.reader, line.writer);
            match opened {
                Opened::Tunnel(to, host) => tunnel::run(&asked, &to, client, host).await,
                Opened::Inspect(to) => Box::pin(inspect::run(&asked, to, client)).await,
            }
        }
        Err(why) => {
            let (to, request) = shown(&asked.forward, head);
            asked.tell_refused(&to, &request, &why).await;
            refuse(&mut line, &why).await;
        }
    }
}

enum Opened {
    Tunnel(Destination, TcpStream),
    Inspect(Destination),
}

async fn open(asked: &Asked, head: &RequestHead) -> Result<Opened, Refused> {
    let to = Destination::parse(&head.target, None).ok_or(Refused::Malformed("CONNECT names no host:port"))?;
    let hosts = head.fields.all("host").count();
    let same =
        head.fields.one("host").and_then(|host| Destination::parse(std::str::from_utf8(host).ok()?, Some(to.port)));
    if hosts > 1 || (hosts == 1 && same.is_none_or(|host| host.host != to.host)) {
        return Err(Refused::Malformed("its Host is not the host that CONNECT names"));
    }
    door::admissible(&asked.forward, &asked.agent)?;
    let opening = door::opening(&asked.forward, &asked.agent, &to)?;
    if opening.mode() == EgressMode::Inspect {
        return Ok(Opened::Inspect(to));
    }
    let parts = &asked.forward.parts;
    let host = reach::connect(&*parts.resolver, &to, opening.is_private(), &parts.timeouts).await?;
    asked.tell(&to, "CONNECT", EgressOutcome::Tunnelled).await?;
    Ok(Opened::Tunnel(to, host))
}
