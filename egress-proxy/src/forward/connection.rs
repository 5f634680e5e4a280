//! One connection of an agent's tool: CONNECT once, or plain requests one after the other.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use wardkeep_policy::EgressMode;
use wardkeep_proto::ids::AgentName;

use super::destination::Destination;
use super::door;
use super::pulse::Pulse;
use super::record::{EgressOutcome, EgressRecord};
use super::refused::{GoesOn, Refused};
use super::wire::{self, InvalidHead, Reader, RequestHead};
use super::{Forward, reach, tunnel};

/// What holds for everything that one agent asks on one connection.
pub(crate) struct Asked {
    pub(crate) forward: Arc<Forward>,
    pub(crate) agent: AgentName,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) stop: CancellationToken,
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

/// Serves one connection to its end.
pub(crate) async fn serve(stream: TcpStream, forward: Arc<Forward>, stop: CancellationToken) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let pulse = Arc::new(Pulse::new(forward.parts.timeouts.idle));
    let (mut reader, mut writer) = wire::split(Box::new(stream), &pulse);
    let head = match next_head(&forward, &mut reader, &stop).await {
        Ok(Some(head)) => head,
        Ok(None) => return,
        Err(why) => {
            tell_refused(&forward, None, "", "", &why).await;
            let _ = writer.send(&why.answer(GoesOn::No)).await;
            return;
        }
    };
    let agent = door::who(&forward, &head.fields);
    let (to, request) = shown(&forward, &head);
    let why = match agent {
        Ok(agent) => {
            let asked = Asked { forward: Arc::clone(&forward), agent, pulse, stop };
            match connect(&asked, &head).await {
                Ok((to, host)) => {
                    if writer.send(b"HTTP/1.1 200 Connection established\r\n\r\n").await.is_ok() {
                        tunnel::run(&asked, &to, (reader, writer), host).await;
                    }
                    return;
                }
                Err(why) => {
                    asked.tell_refused(&to, request, &why).await;
                    why
                }
            }
        }
        Err(why) => {
            tell_refused(&forward, None, &to, request, &why).await;
            why
        }
    };
    let _ = writer.send(&why.answer(GoesOn::No)).await;
    writer.end().await;
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
            more = timeout(timeouts.idle, reader.fill()) => more,
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

/// What a record may say of a request before anything was scanned: host and port.
fn shown(forward: &Forward, head: &RequestHead) -> (String, &'static str) {
    if head.method == "CONNECT" {
        let to = Destination::parse(&head.target, None).map(|to| to.to_string()).unwrap_or_default();
        (forward.parts.redaction.load().redact(&to).text.into_owned(), "CONNECT")
    } else {
        (String::new(), "")
    }
}

async fn connect(asked: &Asked, head: &RequestHead) -> Result<(Destination, TcpStream), Refused> {
    if head.method != "CONNECT" {
        return Err(Refused::NotAProxyRequest);
    }
    let to = Destination::parse(&head.target, None).ok_or(Refused::Malformed("CONNECT names no host:port"))?;
    let hosts = head.fields.all("host").count();
    let same =
        head.fields.one("host").and_then(|host| Destination::parse(std::str::from_utf8(host).ok()?, Some(to.port)));
    if hosts > 1 || (hosts == 1 && same.is_none_or(|host| host.host != to.host)) {
        return Err(Refused::Malformed("its Host is not the host that CONNECT names"));
    }
    door::admissible(&asked.forward, &asked.agent)?;
    let opening = door::opening(&asked.forward, &asked.agent, &to)?;
    if opening.mode() != EgressMode::Tunnel {
        return Err(Refused::Unlisted(to));
    }
    let parts = &asked.forward.parts;
    let host = reach::connect(&*parts.resolver, &to, opening.is_private(), &parts.timeouts).await?;
    asked.tell(&to, "CONNECT", EgressOutcome::Tunnelled).await?;
    Ok((to, host))
}
