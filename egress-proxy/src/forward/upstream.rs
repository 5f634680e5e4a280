//! The connection to an inspected host.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::connection::Asked;
use super::outgoing::Place;
use super::reach;
use super::refused::Refused;
use super::wire::{self, Reader, Stream, Writer};
use crate::client::{Roots, RootsError};

/// One that may carry the next request, too, if it goes to the same place.
pub(crate) struct Upstream {
    place: Place,
    /// What the policy said of the host when its address was judged.
    is_private: bool,
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
}

impl Upstream {
    /// A new connection: resolved anew, judged anew.
    pub(crate) async fn connect(asked: &Asked, place: &Place, is_private: bool) -> Result<Self, Refused> {
        let parts = &asked.forward.parts;
        let tcp = reach::connect(&*parts.resolver, &place.to, is_private, &parts.timeouts).await?;
        let stream: Stream = if place.is_tls {
            let name = ServerName::try_from(place.to.host.clone()).map_err(|_| Refused::Untrusted)?;
            let connected = timeout(parts.timeouts.connect, asked.forward.tls.connect(name, tcp)).await;
            Box::new(connected.map_err(|_| Refused::Silent)?.map_err(|error| {
                tracing::info!(to = %place.to, %error, "the TLS handshake with a host failed");
                if error.get_ref().is_some_and(|error| error.is::<rustls::Error>()) {
                    Refused::Untrusted
                } else {
                    Refused::Broken
                }
            })?)
        } else {
            Box::new(tcp)
        };
        let (reader, writer) = wire::split(stream, &asked.pulse);
        Ok(Self { place: place.clone(), is_private, reader, writer })
    }

    /// This one for another request, if that goes to the same place and the policy says the same of it. A host that closed
    /// it, or speaks unasked, is left.
    pub(crate) async fn for_another(mut self, place: &Place, is_private: bool) -> Option<Self> {
        let is_same = self.place == *place && self.is_private == is_private && self.reader.ahead().is_empty();
        (is_same && timeout(Duration::ZERO, self.reader.fill()).await.is_err()).then_some(self)
    }
}

/// TLS to hosts, HTTP/1.1 only.
pub(crate) fn connector(roots: &Roots) -> Result<TlsConnector, RootsError> {
    let mut config = roots.tls()?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
