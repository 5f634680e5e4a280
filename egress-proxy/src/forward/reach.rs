//! A connection to a destination: resolved here, judged after that, and connected to exactly the address that was judged.

use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address::{self, Kind};
use super::destination::Destination;
use super::refused::Refused;
use super::{ForwardTimeouts, Resolver};

/// Addresses of one name that are tried.
const TRIED: usize = 8;

/// Connects to `to`. Every connection asks anew, so that a name which led outside once cannot lead inside later.
///
/// One forbidden address among several refuses the name: it is not known which one the next question would give.
pub(crate) async fn connect(
    resolver: &dyn Resolver,
    to: &Destination,
    is_private: bool,
    timeouts: &ForwardTimeouts,
) -> Result<TcpStream, Refused> {
    let addresses = match to.address() {
        Some(address) => vec![address],
        None => timeout(timeouts.connect, resolver.lookup(&to.host))
            .await
            .map_err(|_| Refused::Unresolved)?
            .map_err(|_| Refused::Unresolved)?,
    };
    if addresses.is_empty() {
        return Err(Refused::Unresolved);
    }
    if let Some(address) = addresses.iter().find(|address| !may_reach(**address, is_private)) {
        return Err(Refused::Address(*address));
    }
    let mut late = false;
    for address in addresses.into_iter().take(TRIED) {
        match timeout(timeouts.connect, TcpStream::connect(SocketAddr::new(address, to.port))).await {
            Ok(Ok(stream)) => {
                // Small messages must not wait for the acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => tracing::debug!(%to, %error, "an address cannot be reached"),
            Err(_) => late = true,
        }
    }
    Err(if late { Refused::Silent } else { Refused::Unreachable })
}

fn may_reach(address: IpAddr, is_private: bool) -> bool {
    match address::kind(address) {
        Kind::Public => true,
        Kind::Private => is_private,
        Kind::Never => false,
    }
}
