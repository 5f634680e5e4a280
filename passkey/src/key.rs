//! A registered key: what a tenant pins.

use serde::{Deserialize, Serialize};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;

use crate::authenticator::CREDENTIAL;
use crate::{Code, PublicKey, Refused};

/// Longest origin, bytes: a host name and a port.
const ORIGIN: usize = 300;
/// What names a key.
const KEY: &str = "wardkeep/passkey/v1";
/// What a key signs that lets another one in.
const INTRODUCTION: &str = "wardkeep/passkey-introduction/v1";

/// A key, and the one site it is used on. Nothing of it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passkey {
    /// The name that its authenticator knows it by.
    #[serde(with = "base64url")]
    pub credential_id: Vec<u8>,
    /// What verifies its signatures.
    pub public_key: PublicKey,
    /// Host of the site.
    pub rp_id: String,
    /// The site, as browsers name it: `https://hub.example.com`.
    pub origin: String,
}

impl Passkey {
    /// A key as somebody hands it on; the site must be one, and all of it of a size that authenticators make.
    ///
    /// # Errors
    /// [`Refused::Site`], [`Refused::Unreadable`], [`Refused::Algorithm`].
    pub fn new(credential_id: Vec<u8>, cose: &[u8], origin: &str) -> Result<Self, Refused> {
        if !CREDENTIAL.contains(&credential_id.len()) {
            return Err(Refused::Unreadable("name"));
        }
        let rp_id = rp_id_of(origin).ok_or(Refused::Site)?.to_owned();
        Ok(Self { credential_id, public_key: PublicKey::from_cose(cose)?, rp_id, origin: origin.to_owned() })
    }

    /// Names all of it: another key, credential or site has another one.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        // Strings always serialise.
        Digest::of(KEY, &serde_json_canonicalizer::to_vec(self).unwrap_or_default())
    }

    /// The fingerprint as people compare and type it.
    #[must_use]
    pub fn code(&self) -> Code {
        Code::of(&self.fingerprint())
    }
}

/// What a pinned key signs to let another one in, on one tenant, for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Introduction {
    /// Until when it counts.
    pub expires_ms: Timestamp,
    /// The new key.
    pub fingerprint: Digest,
    /// Where.
    pub tenant: TenantId,
}

impl Introduction {
    /// What is signed. Never the digest of an approval: those have no domain.
    #[must_use]
    pub fn challenge(&self) -> Digest {
        Digest::of(INTRODUCTION, &serde_json_canonicalizer::to_vec(self).unwrap_or_default())
    }
}

/// Host of an origin on which passkeys work: https and a name, or http on localhost.
#[must_use]
pub fn rp_id_of(origin: &str) -> Option<&str> {
    let (secure, rest) = match origin.split_once("://")? {
        ("https", rest) => (true, rest),
        ("http", rest) => (false, rest),
        _ => return None,
    };
    let (host, port) = rest.split_once(':').unwrap_or((rest, "1"));
    let is_name =
        |host: &str| host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'));
    // The last label of a name is not a number; that of an address is.
    let last = host.rsplit('.').next()?;
    let named = is_name(host) && !last.is_empty() && !last.bytes().all(|b| b.is_ascii_digit());
    let reached = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    (origin.len() <= ORIGIN && named && reached && (secure || host == "localhost")).then_some(host)
}

/// Bytes in JSON.
pub(crate) mod base64url {
    use data_encoding::BASE64URL_NOPAD;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64URL_NOPAD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| serde::de::Error::custom("not base64url without padding"))
    }
}
