//! One HTTP/2 connection to the hub: TCP, TLS with the given configuration, keep-alive, limits.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use wardkeep_proto::limits::{KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT};

use crate::hub_address::HubAddress;

/// How long TCP and TLS may take together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// No connection to the hub.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect to the hub at {address}: {why}")]
pub struct ConnectError {
    /// Where it was tried.
    pub address: HubAddress,
    /// The whole chain of reasons.
    pub why: String,
}

/// Connects.
///
/// # Errors
/// [`ConnectError`] with the whole chain of reasons.
pub async fn connect(address: &HubAddress, tls: Arc<ClientConfig>) -> Result<Channel, ConnectError> {
    let failed = |why: String| ConnectError { address: address.clone(), why };
    // The scheme is http because tonic then leaves the bytes to this connector, which speaks TLS itself: tonic's own
    // TLS cannot find the authority by its hash.
    let authority = address.authority();
    let endpoint = Endpoint::from_shared(format!("http://{authority}"))
        .and_then(|e| e.user_agent(concat!("wardkeep-agent/", env!("CARGO_PKG_VERSION"))))
        .map_err(|error| failed(chain(&error)))?
        .origin(format!("https://{authority}").parse().map_err(|_| failed("the address is no URI".into()))?)
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    let target = address.clone();
    let connector = tower::service_fn(move |_: http::Uri| {
        let (target, tls) = (target.clone(), tls.clone());
        async move {
            let name = ServerName::try_from(target.host().to_owned()).map_err(std::io::Error::other)?;
            let tcp = TcpStream::connect((target.host(), target.port())).await?;
            tcp.set_nodelay(true)?;
            Ok::<_, std::io::Error>(TokioIo::new(TlsConnector::from(tls).connect(name, tcp).await?))
        }
    });
    endpoint.connect_with_connector(connector).await.map_err(|error| failed(chain(&error)))
}

/// An error with all its sources in one line; repeated texts once.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let part = error.to_string();
        if !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        next = error.source();
    }
    text
}
