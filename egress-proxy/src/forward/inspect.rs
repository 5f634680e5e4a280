//! The conversation inside CONNECT, where the policy wants it read.

use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::connection::{Asked, next_head, refuse};
use super::destination::Destination;
use super::exchange::{self, Line, Next};
use super::hello::NoHello;
use super::outgoing::Place;
use super::refused::Refused;
use super::tunnel;
use super::wire::{self, Reader, RequestHead, Writer};

/// Reads what the tool says to `to`, in TLS by a certificate of the tenant's own authority, or in clear.
pub(crate) async fn run(asked: &Asked, to: Destination, mut client: (Reader, Writer)) {
    let is_tls = match tunnel::same_name(asked, &to, &mut client).await {
        Ok(_) => true,
        Err(NoHello::Other) => false,
        Err(_) => return,
    };
    let (reader, writer) = if is_tls {
        match accept(asked, &to, client).await {
            Some(inside) => inside,
            None => return,
        }
    } else {
        client
    };
    let mut line = Line { reader, writer, upstream: None };
    let place = Place { to, is_tls };
    loop {
        let head = match next_head(&asked.forward, &mut line.reader, &asked.stop).await {
            Ok(Some(head)) => head,
            Ok(None) => return line.writer.end().await,
            Err(why) => {
                asked.tell_refused(&place.to.to_string(), "", &why).await;
                return refuse(&mut line, &why).await;
            }
        };
        match one(asked, &mut line, &head, &place).await {
            Ok(Next::Request) => {}
            Ok(Next::Cut) => return,
            Ok(Next::End) => return line.writer.end().await,
            Err(why) => {
                asked.tell_refused(&place.to.to_string(), &shown(asked, &head), &why).await;
                return refuse(&mut line, &why).await;
            }
        }
    }
}

async fn one(asked: &Asked, line: &mut Line, head: &RequestHead, place: &Place) -> Result<Next, Refused> {
    if head.method == "CONNECT" || !(head.target.starts_with('/') || head.target == "*") {
        return Err(Refused::Malformed("inside CONNECT its address is a path"));
    }
    if head.target.contains('#') {
        return Err(Refused::Malformed("its address holds a fragment"));
    }
    Box::pin(exchange::run(asked, line, head, place, &head.target)).await
}

/// Method and path for the record, without secrets.
pub(crate) fn shown(asked: &Asked, head: &RequestHead) -> String {
    let path = head.target.split('?').next().unwrap_or_default();
    let text = format!("{} {path}", head.method);
    asked.forward.parts.redaction.load().redact(&text).text.into_owned()
}

async fn accept(asked: &Asked, to: &Destination, client: (Reader, Writer)) -> Option<(Reader, Writer)> {
    let config = match asked.forward.authority.serving(&to.host) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!(%to, %error, "no certificate for an inspected host");
            return None;
        }
    };
    let stream = wire::join(client.0, client.1);
    match timeout(asked.forward.parts.timeouts.head, TlsAcceptor::from(config).accept(stream)).await {
        Ok(Ok(tls)) => Some(wire::split(Box::new(tls), &asked.pulse)),
        Ok(Err(error)) => {
            // Mostly a client that was not told of the authority.
            tracing::info!(%to, %error, "a tool did not accept the certificate of an inspected host");
            None
        }
        Err(_) => None,
    }
}
