//! TLS that passes untouched: only the name in its first message is compared.

use tokio::net::TcpStream;
use tokio::time::timeout;
use wardkeep_policy::EgressMode;
use wardkeep_policy::bundle::egress;

use super::connection::{self, Asked};
use super::destination::Destination;
use super::exchange::Line;
use super::hello::{self, NoHello, WRONG_NAME};
use super::records;
use super::refused::Refused;
use super::wire::{self, Reader, Writer};

/// The client asks for the very name that the policy was asked about. Another one would be a way to any site that the same
/// servers carry.
pub(crate) async fn same_name(
    asked: &Asked,
    to: &Destination,
    client: &mut (Reader, Writer),
) -> Result<hello::Hello, NoHello> {
    let hello = timeout(asked.forward.parts.timeouts.head, hello::peek(&mut client.0)).await;
    let why = match hello.unwrap_or(Err(NoHello::Cut)) {
        Ok(hello) if is_for(&hello, to) => return Ok(hello),
        Ok(_) => Refused::OtherName,
        Err(NoHello::Invalid) => Refused::Malformed("its first TLS message cannot be read"),
        Err(other) => return Err(other),
    };
    Err(refuse(asked, to, &mut client.1, &why).await)
}

fn is_for(hello: &hello::Hello, to: &Destination) -> bool {
    match to.address() {
        // Addresses are never named in a hello.
        Some(_) => hello.name.is_none(),
        None => hello.name.as_deref() == Some(to.host.as_str()),
    }
}

async fn refuse(asked: &Asked, to: &Destination, client: &mut Writer, why: &Refused) -> NoHello {
    asked.tell_refused(&to.to_string(), "CONNECT", why).await;
    let _ = client.send(&WRONG_NAME).await;
    NoHello::Invalid
}

/// Passes bytes both ways until both sides have ended, nothing moves, the daemon stops or the policy closes the host.
pub(crate) async fn run(asked: &Asked, to: &Destination, mut client: (Reader, Writer), host: TcpStream) {
    let hello = match same_name(asked, to, &mut client).await {
        Ok(hello) if hello.hides => {
            refuse(asked, to, &mut client.1, &Refused::HiddenName).await;
            return;
        }
        Ok(hello) => hello,
        Err(NoHello::Other) => {
            // Mostly plain HTTP: what says so can be read there.
            asked.tell_refused(&to.to_string(), "CONNECT", &Refused::InClear).await;
            let (reader, writer) = client;
            return connection::refuse(&mut Line { reader, writer, upstream: None }, &Refused::InClear).await;
        }
        Err(_) => return,
    };
    let (mut from_client, mut to_client) = client;
    let (mut from_host, mut to_host) = wire::split(Box::new(host), &asked.pulse);
    let first = from_client.take(hello.length);
    let out = async {
        if to_host.send(&first).await.is_err() {
            return Ok(());
        }
        records::pass(&mut from_client, &mut to_host, |hello| is_for(hello, to) && !hello.hides).await
    };
    let back = async {
        pass(&mut from_host, &mut to_client).await;
        Ok(())
    };
    let both = async { tokio::try_join!(out, back) };
    tokio::select! {
        ended = both => {
            if ended.is_err() {
                asked.tell_refused(&to.to_string(), "CONNECT", &Refused::OtherName).await;
            }
        }
        () = asked.pulse.silence() => tracing::info!(%to, "a tunnel was silent for too long and is cut"),
        () = asked.stop.cancelled() => {}
        () = closed(asked, to, EgressMode::Tunnel) => tracing::info!(%to, "the policy closed a tunnel"),
    }
}

/// One direction. What was not sent yet is one piece: a slow receiver slows the sender down.
async fn pass(from: &mut Reader, to: &mut Writer) {
    while let Ok(Some(piece)) = from.piece(usize::MAX).await {
        if to.send(&piece).await.is_err() {
            return;
        }
    }
    to.end().await;
}

/// Returns when a new policy no longer opens the host in this mode.
pub(crate) async fn closed(asked: &Asked, to: &Destination, mode: EgressMode) {
    let mut bundle = asked.forward.parts.bundle.clone();
    while bundle.changed().await.is_ok() {
        let rules = bundle.borrow_and_update().egress.clone();
        let opening = egress::opening(&rules, &asked.agent, &to.host, to.port);
        if opening.is_none_or(|opening| opening.mode() != mode) {
            return;
        }
    }
    std::future::pending::<()>().await;
}
