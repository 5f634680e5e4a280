//! A registration: a key that a browser has just made.

use serde::{Deserialize, Serialize};
use wardkeep_proto::digest::Digest;

use crate::authenticator::AuthenticatorData;
use crate::key::{Passkey, base64url, rp_id_of};
use crate::{Refused, client};

/// What `navigator.credentials.create` gave; in JSON as base64url without padding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The authenticator's data with the new key.
    #[serde(with = "base64url")]
    pub authenticator_data: Vec<u8>,
    /// What the browser says: JSON.
    #[serde(with = "base64url")]
    pub client_data_json: Vec<u8>,
}

/// A key as it was registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The key, bound to the site.
    pub passkey: Passkey,
    /// Its counter.
    pub counter: u32,
    /// The person's devices may share it.
    pub synced: bool,
}

impl Registration {
    /// The key, if it was made for `challenge` on `origin`. Which make it is nobody asks: attestation is not used.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn accept(&self, challenge: &Digest, origin: &str) -> Result<Registered, Refused> {
        let rp_id = rp_id_of(origin).ok_or(Refused::Site)?;
        client::check(&self.client_data_json, "webauthn.create", challenge, origin)?;
        let data = AuthenticatorData::read(&self.authenticator_data)?;
        let made = data.attested.as_ref().ok_or(Refused::Unreadable("data"))?;
        let passkey = Passkey {
            credential_id: made.credential.to_vec(),
            public_key: made.key.clone(),
            rp_id: rp_id.to_owned(),
            origin: origin.to_owned(),
        };
        passkey.check(&data)?;
        Ok(Registered { passkey, counter: data.counter, synced: data.synced })
    }
}
