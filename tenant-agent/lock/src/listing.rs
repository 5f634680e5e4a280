//! What the kernel has: the table as `nft` lists it in JSON.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wardkeep_proto::digest::Digest;

/// Sets whose elements the kernel adds; they are no part of the rules.
const NOTED: [&str; 6] = ["tried4", "tried6", "others4", "others6", "unowned4", "unowned6"];

/// Packets and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// How many.
    pub packets: u64,
    /// Their sizes together.
    pub bytes: u64,
}

/// The table's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Let through to a door.
    pub passed: Count,
    /// Refused.
    pub denied: Count,
    /// Refused, and for port 53 or 853: DNS. Part of `denied`.
    pub denied_dns: Count,
    /// Refused, of no user: sent for a socket that was closed, at a connection of which no user may send.
    #[serde(default)]
    pub unowned: Count,
}

impl Totals {
    fn of(&mut self, name: &str) -> Option<&mut Count> {
        match name {
            "passed" => Some(&mut self.passed),
            "denied" => Some(&mut self.denied),
            "denied_dns" => Some(&mut self.denied_dns),
            "unowned" => Some(&mut self.unowned),
            _ => None,
        }
    }
}

/// Somewhere a locked user wanted to go, or what was left of a closed socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Destination {
    /// Who; nothing for what was sent after its socket was closed, since the kernel forgets whose it was.
    pub uid: Option<u32>,
    /// Where.
    pub address: IpAddr,
    /// IP protocol: 6 is TCP, 17 is UDP.
    pub protocol: u8,
    /// Port, for protocols that have one.
    pub port: Option<u16>,
}

/// How often, since the kernel remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// Where to, and who.
    #[serde(flatten)]
    pub destination: Destination,
    /// How much.
    #[serde(flatten)]
    pub count: Count,
}

/// Our table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Counters.
    pub totals: Totals,
    /// Destinations, sorted.
    pub tried: Vec<Tried>,
    /// Everything that is rule and not count, as a digest: the same as long as nobody changes a rule.
    pub shape: Digest,
}

/// `nft` listed something else.
#[derive(Debug, thiserror::Error)]
pub enum ListingError {
    /// Not even JSON.
    #[error("nft listed what is no JSON; is nftables built with JSON support? (`nft -V`)")]
    NoJson(#[source] serde_json::Error),
    /// Not as nft lists tables.
    #[error("nft listed the table in an unknown form")]
    Unknown,
}

impl Listing {
    /// Reads the output of `nft --json --numeric list table`.
    ///
    /// # Errors
    /// Both of [`ListingError`].
    pub fn parse(json: &[u8]) -> Result<Self, ListingError> {
        let mut json: Value = serde_json::from_slice(json).map_err(ListingError::NoJson)?;
        let objects = json.get_mut("nftables").and_then(Value::as_array_mut).ok_or(ListingError::Unknown)?;
        // The program's version.
        objects.retain(|object| object.get("metainfo").is_none());
        let (mut totals, mut tried) = (Totals::default(), Vec::new());
        for object in objects.iter_mut() {
            let (kind, body) =
                object.as_object_mut().and_then(|object| object.iter_mut().next()).ok_or(ListingError::Unknown)?;
            let name = body.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let fields = body.as_object_mut().ok_or(ListingError::Unknown)?;
            fields.remove("handle");
            match kind.as_str() {
                "counter" => {
                    let count = count(&Value::Object(fields.clone())).ok_or(ListingError::Unknown)?;
                    fields.retain(|key, _| key != "packets" && key != "bytes");
                    if let Some(total) = totals.of(&name) {
                        *total = count;
                    }
                }
                "set" if NOTED.contains(&name.as_str()) => {
                    // An element may go while the kernel lists it, so one that is not whole is passed over.
                    let elements = fields.remove("elem").unwrap_or_default();
                    tried.extend(elements.as_array().into_iter().flatten().filter_map(noted));
                }
                _ => sort_sets(body),
            }
        }
        tried.sort_unstable_by_key(|tried| tried.destination);
        Ok(Self { totals, tried, shape: Digest::of("wardkeep/egress-lock-shape/v1", json.to_string().as_bytes()) })
    }
}

/// The kernel keeps sets in an order of its own.
fn sort_sets(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(sort_sets),
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                sort_sets(value);
                if let (true, Some(items)) = (key == "set" || key == "elem", value.as_array_mut()) {
                    items.sort_by_cached_key(Value::to_string);
                }
            }
        }
        _ => {}
    }
}

fn count(value: &Value) -> Option<Count> {
    Some(Count { packets: value.get("packets")?.as_u64()?, bytes: value.get("bytes")?.as_u64()? })
}

fn noted(element: &Value) -> Option<Tried> {
    let element = element.get("elem")?;
    let parts = element.get("val")?.get("concat")?.as_array()?;
    let (uid, parts) = match parts.split_first()? {
        (uid, rest) if uid.is_u64() => (Some(uid.as_u64()?.try_into().ok()?), rest),
        _ => (None, parts.as_slice()),
    };
    let destination = Destination {
        uid,
        address: parts.first()?.as_str()?.parse().ok()?,
        protocol: protocol(parts.get(1)?)?,
        port: parts.get(2).and_then(Value::as_u64).and_then(|port| port.try_into().ok()),
    };
    Some(Tried { destination, count: count(element.get("counter")?)? })
}

/// Some versions name protocols although numbers were asked for.
fn protocol(value: &Value) -> Option<u8> {
    let by_name = |name: &str| NAMES.iter().find_map(|(number, known)| (*known == name).then_some(*number));
    value.as_u64().and_then(|number| number.try_into().ok()).or_else(|| value.as_str().and_then(by_name))
}

const NAMES: [(u8, &str); 8] = [
    (1, "icmp"),
    (2, "igmp"),
    (6, "tcp"),
    (17, "udp"),
    (33, "dccp"),
    (58, "ipv6-icmp"),
    (132, "sctp"),
    (136, "udplite"),
];

/// The name of a protocol, or its number.
#[must_use]
pub fn protocol_name(number: u8) -> String {
    NAMES.iter().find(|(known, _)| *known == number).map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests;
