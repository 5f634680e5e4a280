//! The way out: one pooled client, and where a provider's base address leads.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::Uri;
use http::uri::{PathAndQuery, Scheme};
use hyper_util::client::legacy::connect::HttpConnector;

use wardkeep_policy::{Endpoint, Provider};

use crate::gateway::Timeouts;
use crate::refusal::Refusal;
use crate::{api, headers};

mod addresses;
mod inflow;
mod line;
mod pool;
mod roots;

pub(crate) use addresses::Addresses;
pub(crate) use inflow::Inflow;
pub(crate) use pool::Pool;
pub use roots::{Roots, RootsError};

/// The pooled client. HTTP/1.1 only: an aborted stream closes its connection, which tells every provider to stop.
///
/// One pool for each time that a connection may take: nearly always one.
pub(crate) struct Client {
    usual: Pool,
    tls: rustls::ClientConfig,
    others: Mutex<BTreeMap<Duration, Pool>>,
}

/// Pools beside the usual one; a bundle that names more of them begins anew.
const POOLS: usize = 16;

impl Client {
    pub(crate) fn new(roots: &Roots, timeouts: &Timeouts) -> Result<Self, RootsError> {
        let tls = roots.tls()?;
        Ok(Self { usual: pool(tls.clone(), timeouts.connect), tls, others: Mutex::default() })
    }

    /// The one whose connections may take `connect`, or as long as usual.
    pub(crate) fn pool(&self, connect: Option<Duration>) -> Cow<'_, Pool> {
        let Some(connect) = connect else { return Cow::Borrowed(&self.usual) };
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if others.len() >= POOLS && !others.contains_key(&connect) {
            others.clear();
        }
        Cow::Owned(others.entry(connect).or_insert_with(|| pool(self.tls.clone(), connect)).clone())
    }
}

fn pool(tls: rustls::ClientConfig, connect: Duration) -> Pool {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(connect));
    tcp.set_keepalive(Some(Duration::from_secs(30)));
    // Plain HTTP is let through here because `Upstream` gives it to loopback only.
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Pool::new(connector)
}

/// Where one request goes: parsed from a provider's base address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upstream {
    pub(crate) uri: Uri,
    /// Lower case, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// The base address of a provider is unusable; the bundle must be mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadAddress;

impl Upstream {
    /// Where `provider` has `endpoint`, if it serves it. `query` is the caller's.
    pub(crate) fn of(
        provider: &Provider,
        endpoint: Endpoint,
        model: &str,
        query: Option<&str>,
    ) -> Result<Self, Refusal> {
        let path = provider.path(endpoint).ok_or(Refusal::NotServed)?.replace("{model}", &api::encoded(model));
        let query = headers::query(query, &provider.query);
        Self::parse(&provider.base_url, &path, query.as_deref()).map_err(|BadAddress| Refusal::BadProvider)
    }

    /// `endpoint` begins with the version, such as `/v1`; a base that ends in it already does not get it twice.
    pub(crate) fn parse(base: &str, endpoint: &str, query: Option<&str>) -> Result<Self, BadAddress> {
        let base: Uri = base.parse().map_err(|_| BadAddress)?;
        let authority = base.authority().ok_or(BadAddress)?.clone();
        if authority.as_str().contains('@') || base.query().is_some() {
            return Err(BadAddress);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let scheme = base.scheme().ok_or(BadAddress)?.clone();
        let usual = if scheme == Scheme::HTTPS {
            443
        } else if scheme == Scheme::HTTP && is_loopback(&host) {
            80
        } else {
            return Err(BadAddress);
        };
        let port = authority.port_u16().unwrap_or(usual);
        let path = base.path().trim_end_matches('/');
        let behind = endpoint.strip_prefix('/').ok_or(BadAddress)?;
        let version = behind.find('/').map_or(endpoint, |at| &endpoint[..=at]);
        let path = path.strip_suffix(version).unwrap_or(path);
        let mut target = format!("{path}{endpoint}");
        if let Some(query) = query {
            target.push('?');
            target.push_str(query);
        }
        let target: PathAndQuery = target.parse().map_err(|_| BadAddress)?;
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(authority)
            .path_and_query(target)
            .build()
            .map_err(|_| BadAddress)?;
        Ok(Self { uri, host, port })
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
