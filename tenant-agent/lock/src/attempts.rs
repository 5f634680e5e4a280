//! From what the kernel counts to what is worth a record: a destination at once, then once a minute while it is tried on.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wardkeep_proto::time::Timestamp;

use crate::listing::{Count, Destination, Tried};

/// The same destination is told again no sooner.
const AGAIN: Duration = Duration::from_secs(60);
/// Destinations in one look. The rest waits in the kernel, which counts on.
const AT_ONCE: usize = 20;

/// What was told of each destination that the kernel still remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Watch(Vec<Told>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    #[serde(flatten)]
    tried: Tried,
    at: Timestamp,
}

/// What one look found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Destinations with what is new about each.
    pub tried: Vec<Tried>,
    /// Further ones, never told of, that did not fit.
    pub waiting: usize,
}

impl Watch {
    /// Takes what is new in `listed`. The least recently told come first, so nobody can hide behind a flood for ever.
    pub fn take(&mut self, listed: &[Tried], now: Timestamp) -> News {
        let mut told: BTreeMap<Destination, Told> =
            self.0.drain(..).map(|told| (told.tried.destination, told)).collect();
        let mut due: Vec<(Option<Timestamp>, Tried, Count)> = Vec::new();
        for tried in listed {
            let before = told.get(&tried.destination);
            // Fewer than before: forgotten by the kernel meanwhile, and tried anew.
            let known = before.map(|told| told.tried.count).filter(|count| count.packets <= tried.count.packets);
            let known = known.unwrap_or_default();
            let new = Count {
                packets: tried.count.packets - known.packets,
                bytes: tried.count.bytes.saturating_sub(known.bytes),
            };
            let at = before.map(|told| told.at);
            if new.packets > 0 && at.is_none_or(|at| now.since(at) >= AGAIN || at > now) {
                due.push((at, *tried, new));
            }
        }
        due.sort_by_key(|(at, tried, _)| (*at, tried.destination));
        let waiting = due.iter().skip(AT_ONCE).filter(|(at, ..)| at.is_none()).count();
        due.truncate(AT_ONCE);
        for (_, tried, _) in &due {
            told.insert(tried.destination, Told { tried: *tried, at: now });
        }
        let still: Vec<Destination> = listed.iter().map(|tried| tried.destination).collect();
        self.0 = told.into_values().filter(|told| still.binary_search(&told.tried.destination).is_ok()).collect();
        let tried = due.into_iter().map(|(_, tried, count)| Tried { destination: tried.destination, count });
        News { tried: tried.collect(), waiting }
    }

    /// The kernel counts from zero again.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(host: u8, packets: u64) -> Tried {
        let address = std::net::Ipv4Addr::new(192, 0, 2, host).into();
        let destination = Destination { uid: Some(998), address, protocol: 6, port: Some(443) };
        Tried { destination, count: Count { packets, bytes: packets * 60 } }
    }

    fn take(watch: &mut Watch, listed: &[Tried], second: i64) -> Vec<(u8, u64)> {
        let news = watch.take(listed, Timestamp(second * 1000));
        let host = |tried: &Tried| match tried.destination.address {
            std::net::IpAddr::V4(address) => address.octets()[3],
            std::net::IpAddr::V6(_) => 0,
        };
        news.tried.iter().map(|tried| (host(tried), tried.count.packets)).collect()
    }

    #[test]
    fn a_destination_is_told_at_once_and_then_once_a_minute_with_what_is_new() {
        let mut watch = Watch::default();
        assert_eq!(take(&mut watch, &[tried(1, 2)], 0), [(1, 2)]);
        assert_eq!(take(&mut watch, &[tried(1, 5), tried(2, 1)], 10), [(2, 1)]);
        assert_eq!(take(&mut watch, &[tried(1, 9), tried(2, 1)], 59), []);
        assert_eq!(take(&mut watch, &[tried(1, 9), tried(2, 1)], 60), [(1, 7)]);
        assert_eq!(take(&mut watch, &[tried(1, 9), tried(2, 1)], 600), []);
    }

    #[test]
    fn what_the_kernel_forgot_counts_from_zero() {
        let mut watch = Watch::default();
        assert_eq!(take(&mut watch, &[tried(1, 9)], 0), [(1, 9)]);
        assert_eq!(take(&mut watch, &[tried(1, 3)], 60), [(1, 3)]);
        assert_eq!(take(&mut watch, &[], 61), []);
        assert_eq!(take(&mut watch, &[tried(1, 3)], 62), [(1, 3)]);
        // A clock that was set back does not silence it.
        assert_eq!(take(&mut watch, &[tried(1, 4)], 1), [(1, 1)]);
    }

    #[test]
    fn a_flood_is_told_bit_by_bit_and_its_rest_is_counted() {
        let listed: Vec<Tried> = (0..50).map(|host| tried(host, 1)).collect();
        let mut watch = Watch::default();
        let mut told = Vec::new();
        for (second, waiting) in [(0, 30), (5, 10), (10, 0), (15, 0)] {
            let news = watch.take(&listed, Timestamp(second * 1000));
            assert_eq!(news.waiting, waiting);
            told.extend(news.tried);
        }
        assert_eq!(told, listed);
    }

    #[test]
    fn what_was_told_survives_a_restart() {
        let mut watch = Watch::default();
        take(&mut watch, &[tried(1, 2)], 0);
        let mut again: Watch = serde_json::from_str(&serde_json::to_string(&watch).expect("JSON")).expect("the same");
        assert_eq!(take(&mut again, &[tried(1, 2)], 100), []);
        assert_eq!(take(&mut again, &[tried(1, 3)], 100), [(1, 1)]);
    }
}
