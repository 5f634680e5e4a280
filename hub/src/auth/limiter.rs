//! How often one address may try to sign in.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{ConnectInfo, Request};
use wardkeep_proto::time::Timestamp;

/// Attempts of one address within the window.
const ATTEMPTS: u32 = 10;
/// The window.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses remembered at most; beyond it the oldest windows are dropped.
const ADDRESSES: usize = 10_000;

/// Counts attempts by address in fixed windows. Memory is bounded.
#[derive(Debug, Default)]
pub struct LoginLimiter(Mutex<HashMap<IpAddr, (Timestamp, u32)>>);

impl LoginLimiter {
    /// Nobody has tried yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether one more attempt would be admitted; counts nothing. For requests that turn out to be attempts only later.
    pub fn allows(&self, from: Option<IpAddr>, now: Timestamp) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.get(&address(from)) {
            Some((start, count)) => now.since(*start) >= WINDOW || *count < ATTEMPTS,
            None => seen.len() < ADDRESSES || seen.values().any(|(start, _)| now.since(*start) >= WINDOW),
        }
    }

    /// Counts an attempt; false when there were too many. An unknown address is its own, shared one.
    pub fn admit(&self, from: Option<IpAddr>, now: Timestamp) -> bool {
        let from = address(from);
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= ADDRESSES {
            seen.retain(|_, (start, _)| now.since(*start) < WINDOW);
            if seen.len() >= ADDRESSES {
                return false;
            }
        }
        let (start, count) = seen.entry(from).or_insert((now, 0));
        if now.since(*start) >= WINDOW {
            (*start, *count) = (now, 0);
        }
        *count += 1;
        *count <= ATTEMPTS
    }
}

fn address(from: Option<IpAddr>) -> IpAddr {
    from.unwrap_or(IpAddr::from([0, 0, 0, 0]))
}

/// The address a request came from. Behind a proxy all come from it; the limit is then shared, never lifted.
pub(crate) fn peer(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eleventh_attempt_of_a_minute_is_refused() {
        let limiter = LoginLimiter::new();
        let (one, two) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        for _ in 0..ATTEMPTS {
            assert!(limiter.allows(Some(one), Timestamp(0)), "asking counts nothing");
            assert!(limiter.admit(Some(one), Timestamp(0)));
        }
        assert!(!limiter.allows(Some(one), Timestamp(59_999)));
        assert!(!limiter.admit(Some(one), Timestamp(59_999)));
        assert!(limiter.allows(Some(one), Timestamp(60_000)));
        assert!(limiter.admit(Some(two), Timestamp(59_999)));
        assert!(limiter.admit(Some(one), Timestamp(60_000)));
    }
}
