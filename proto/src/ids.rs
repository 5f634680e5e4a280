//! Ids as types, made by two macro lists.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::chance::Chance;
use crate::time::Timestamp;

/// The text does not name what it should; says what the form is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {} must be {form}, got {got:?}", spoken(kind))]
pub struct InvalidId {
    kind: &'static str,
    form: &'static str,
    got: String,
}

impl InvalidId {
    fn new(kind: &'static str, form: &'static str, got: &str) -> Self {
        Self { kind, form, got: got.chars().take(80).collect() }
    }
}

/// `SecretName` as people say it.
fn spoken(kind: &str) -> String {
    let capital = |c: char| if c.is_ascii_uppercase() { " " } else { "" };
    kind.chars().map(|c| format!("{}{}", capital(c), c.to_ascii_lowercase())).collect::<String>().trim().to_owned()
}

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new `UUIDv7`: sorts by time of making.
            pub fn new(now: Timestamp, chance: &dyn Chance) -> Self {
                let millis = u64::try_from(now.millis()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &crate::chance::bytes(chance)).into_uuid())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::parse_str(text).map(Self).map_err(|_| InvalidId::new(stringify!($name), "a UUID", text))
            }
        }
    )+};
}

uuid_ids! {
    /// One customer's server and all on it.
    TenantId,
    /// A customer.
    OrganisationId,
    /// A person who signs in to the hub.
    UserId,
    /// A command from the hub to a tenant.
    CommandId,
    /// The right to run one action once.
    PermitId,
    /// One start of a daemon.
    BootId,
}

macro_rules! slug_ids {
    ($($(#[$doc:meta])* $name:ident: $form:literal, $ok:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let ok: fn(&str) -> bool = $ok;
                if ok(text) { Ok(Self(text.to_owned())) } else { Err(InvalidId::new(stringify!($name), $form, text)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    )+};
}

fn is_slug(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_secret_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && text.starts_with(|c: char| c.is_ascii_lowercase())
}

fn is_opaque(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

slug_ids! {
    /// One AI agent on a tenant: `newsletter`, `office-assistant`.
    AgentName: "1 to 40 of a-z, 0-9 and inner hyphens", is_slug;
    /// A tenant's name for people and commands; unique on a hub.
    TenantName: "1 to 40 of a-z, 0-9 and inner hyphens", is_slug;
    /// Name of a secret as in `SECRET_REF(name)`.
    SecretName: "1 to 64 of a-z, 0-9 and underscore, starting with a letter", is_secret_name;
    /// A session as the agent's runtime calls it.
    SessionId: "1 to 128 visible ASCII characters", is_opaque;
    /// A tool call as the agent's runtime calls it; unique within a session.
    CallId: "1 to 128 visible ASCII characters", is_opaque;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_said_in_words() {
        let said = "DB-pass".parse::<SecretName>().expect_err("refused").to_string();
        assert!(
            said.starts_with("the secret name must be 1 to 64 of a-z") && said.ends_with("got \"DB-pass\""),
            "{said}"
        );
    }

    #[test]
    fn bad_names_are_refused() {
        for bad in ["", "-a", "a-", "A", "a_b", "ä", &"a".repeat(41)] {
            assert!(bad.parse::<AgentName>().is_err(), "{bad}");
        }
        for bad in ["", "1a", "_a", "a-b", "A"] {
            assert!(bad.parse::<SecretName>().is_err(), "{bad}");
        }
        for bad in ["", "a b", "a\n", &"x".repeat(129)] {
            assert!(bad.parse::<CallId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn good_names_survive_json() {
        let name: AgentName = "office-1".parse().expect("valid");
        let json = serde_json::to_string(&name).expect("a string");
        assert_eq!(json, "\"office-1\"");
        assert_eq!(serde_json::from_str::<AgentName>(&json).expect("valid"), name);
        assert!(serde_json::from_str::<AgentName>("\"A\"").is_err());
    }

    #[test]
    fn uuids_sort_by_time() {
        struct Fixed;
        impl Chance for Fixed {
            fn fill(&self, out: &mut [u8]) {
                out.fill(7);
            }
        }
        assert!(CommandId::new(Timestamp(1), &Fixed) < CommandId::new(Timestamp(2), &Fixed));
    }
}
