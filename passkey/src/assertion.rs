//! An assertion: proof that a person used a key, for one thing.

use serde::{Deserialize, Serialize};
use wardkeep_proto::digest::Digest;

use crate::authenticator::{self, AuthenticatorData};
use crate::key::{Passkey, base64url};
use crate::{Refused, client};

/// Longest signature, bytes: RSA with 4096 bits.
const SIGNATURE: usize = 512;

/// What `navigator.credentials.get` gave, in the words of `WebAuthn`; in JSON as base64url without padding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// Which credential.
    #[serde(with = "base64url")]
    pub credential_id: Vec<u8>,
    /// What the authenticator says.
    #[serde(with = "base64url")]
    pub authenticator_data: Vec<u8>,
    /// What the browser says: JSON.
    #[serde(with = "base64url")]
    pub client_data_json: Vec<u8>,
    /// Over both.
    #[serde(with = "base64url")]
    pub signature: Vec<u8>,
}

/// What a good assertion says besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How often the key signed; 0 from keys that do not count.
    pub counter: u32,
}

impl Assertion {
    /// False for what no authenticator makes; nobody needs to store that.
    #[must_use]
    pub fn is_of_sane_size(&self) -> bool {
        authenticator::CREDENTIAL.contains(&self.credential_id.len())
            && self.authenticator_data.len() <= authenticator::LONGEST
            && self.client_data_json.len() <= client::LONGEST
            && (1..=SIGNATURE).contains(&self.signature.len())
    }
}

impl Passkey {
    /// Whether this key, with its person verified, signed `challenge` on its own site.
    ///
    /// # Errors
    /// See [`Refused`]. Whether the counter went on is for whoever remembers it: [`goes_on`].
    pub fn verify(&self, assertion: &Assertion, challenge: &Digest) -> Result<Seen, Refused> {
        if assertion.credential_id != self.credential_id {
            return Err(Refused::OtherKey);
        }
        if !assertion.is_of_sane_size() {
            return Err(Refused::Unreadable("assertion"));
        }
        let hash = client::check(&assertion.client_data_json, "webauthn.get", challenge, &self.origin)?;
        let data = AuthenticatorData::read(&assertion.authenticator_data)?;
        if data.attested.is_some() {
            return Err(Refused::Unreadable("data"));
        }
        self.check(&data)?;
        let covered = [assertion.authenticator_data.as_slice(), &hash.0].concat();
        self.public_key.verify(&covered, &assertion.signature)?;
        Ok(Seen { counter: data.counter })
    }

    pub(crate) fn check(&self, data: &AuthenticatorData<'_>) -> Result<(), Refused> {
        if data.rp_id_hash != Digest::plain(self.rp_id.as_bytes()).0 {
            return Err(Refused::RpId);
        }
        if !data.present {
            return Err(Refused::NotPresent);
        }
        if !data.verified {
            return Err(Refused::NotVerified);
        }
        Ok(())
    }
}

/// Whether a counter of `seen` may follow one of `before`: a key that counts and does not go on has a copy, or the
/// assertion was used before.
#[must_use]
pub const fn goes_on(before: u32, seen: u32) -> bool {
    (before == 0 && seen == 0) || seen > before
}
