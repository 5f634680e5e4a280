//! Which passkeys count here, and what they sign. A hub offers keys; that one counts is said on this server, or signed by
//! one that counts.

use serde_json::json;
use wardkeep_passkey::{Assertion, Code, Introduction, Seen, goes_on};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;

use super::{Gate, GateError};
use crate::audit;
use crate::passkey::{KnownPasskey, NotProven, PasskeyError, PasskeyOffer, PasskeyState};
use crate::store::{StoreError, Tx, activity, passkeys};

/// Offers that are remembered.
const OFFERS: usize = 64;
/// Keys that can be pinned.
const PINNED: usize = 32;
/// Longest name of a key or its owner, bytes.
const NAME_BYTES: usize = 100;

impl Gate {
    /// Every key, pinned ones first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn passkeys(&self) -> Result<Vec<KnownPasskey>, GateError> {
        self.read(passkeys::all).await
    }

    /// Fingerprints of the pinned ones.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn pinned_passkeys(&self) -> Result<Vec<Digest>, GateError> {
        self.read(passkeys::pinned).await
    }

    /// Takes the hub's whole list. None of it counts but keys that a pinned one introduces; withdrawn ones count no more.
    /// What is pinned and not on the list stays pinned.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub async fn offer_passkeys(&self, offers: Vec<PasskeyOffer>) -> Result<(), GateError> {
        self.parts.secrets.catch_up();
        let (now, tenant) = (self.now(), self.parts.tenant);
        let offers: Vec<PasskeyOffer> = offers
            .into_iter()
            .take(OFFERS)
            .map(|offer| PasskeyOffer { name: self.line(&offer.name), owner: self.line(&offer.owner), ..offer })
            .collect();
        self.write(move |tx| {
            let listed: Vec<Digest> = offers.iter().map(|offer| offer.passkey.fingerprint()).collect();
            passkeys::forget_offers_but(tx, &listed)?;
            for (offer, fingerprint) in offers.into_iter().zip(listed) {
                take_offer(tx, offer, fingerprint, tenant, now)?;
            }
            Ok(())
        })
        .await
    }

    /// Makes a key count, on the word of `by`, who sits at this server. `code` comes from where the key was made.
    ///
    /// # Errors
    /// See [`PasskeyError`].
    pub async fn pin_passkey(&self, code: Code, name: Option<&str>, by: &str) -> Result<KnownPasskey, PasskeyError> {
        let (now, by, name) = (self.now(), by.to_owned(), name.map(|name| self.line(name)));
        self.write(move |tx| {
            let Some(key) = of_code(tx, code)? else { return Ok(Err(PasskeyError::Unknown)) };
            if key.state == PasskeyState::Pinned {
                return Ok(Err(PasskeyError::Pinned));
            }
            if passkeys::pinned(tx)?.len() >= PINNED {
                return Ok(Err(PasskeyError::TooMany(PINNED)));
            }
            let name = name.unwrap_or_else(|| key.name.clone());
            pin(tx, KnownPasskey { name, ..key }, by, now).map(Ok)
        })
        .await?
    }

    /// Makes a key count no more, on the word of `by`, who sits at this server.
    ///
    /// # Errors
    /// See [`PasskeyError`].
    pub async fn remove_passkey(&self, code: Code, by: &str) -> Result<KnownPasskey, PasskeyError> {
        let (now, by) = (self.now(), by.to_owned());
        self.write(move |tx| match of_code(tx, code)? {
            Some(key) if key.state == PasskeyState::Pinned => remove(tx, key, by, now).map(Ok),
            _ => Ok(Err(PasskeyError::Unknown)),
        })
        .await?
    }

    /// A name for people: one line, short, without secrets.
    fn line(&self, text: &str) -> String {
        let text: String = self.clean(text).chars().filter(|sign| !sign.is_control()).collect();
        text[..text.floor_char_boundary(NAME_BYTES)].trim().to_owned()
    }
}

/// Whether a pinned key signed `challenge`; notes that it was used.
pub(super) fn prove(
    tx: &Tx<'_>,
    assertion: &Assertion,
    challenge: &Digest,
    now: Timestamp,
) -> Result<Result<KnownPasskey, NotProven>, StoreError> {
    let mut why = NotProven::NotPinned;
    for key in passkeys::pinned_with(tx, &assertion.credential_id)? {
        match key.passkey.verify(assertion, challenge) {
            Ok(Seen { counter }) if goes_on(key.counter, counter) => {
                let key = KnownPasskey { counter, used: Some(now), ..key };
                passkeys::put(tx, &key)?;
                return Ok(Ok(key));
            }
            Ok(Seen { counter: shown }) => {
                return Ok(Err(NotProven::Counter { passkey: key.fingerprint, highest: key.counter, shown }));
            }
            Err(refused) => why = refused.into(),
        }
    }
    Ok(Err(why))
}

fn take_offer(
    tx: &Tx<'_>,
    offer: PasskeyOffer,
    fingerprint: Digest,
    tenant: TenantId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let PasskeyOffer { passkey, name, owner, withdrawn, introduction } = offer;
    let key = match passkeys::get(tx, fingerprint)? {
        Some(key) => key,
        None if withdrawn => return Ok(()),
        None => {
            let (state, by) = (PasskeyState::Offered, "hub".to_owned());
            let new = KnownPasskey { fingerprint, passkey, name, owner, state, counter: 0, since: now, by, used: None };
            passkeys::put(tx, &new)?;
            audit::append(tx, now, "passkey-offered", None, &fields(&new))?;
            new
        }
    };
    match (key.state, introduction) {
        (PasskeyState::Pinned, _) if withdrawn => remove(tx, key, "its owner, by the hub".to_owned(), now).map(drop),
        // A removed key comes back only where somebody sits at this server: what introduced it once could be shown again.
        (PasskeyState::Offered, Some((expires_ms, assertion))) if !withdrawn => {
            let challenge = Introduction { expires_ms, fingerprint, tenant }.challenge();
            let proven = if now >= expires_ms {
                Err(NotProven::Late)
            } else if passkeys::pinned(tx)?.len() >= PINNED {
                return Ok(());
            } else {
                prove(tx, &assertion, &challenge, now)?
            };
            match proven {
                Ok(by) => pin(tx, key, format!("passkey {}", by.code()), now).map(drop),
                Err(why) => {
                    // The hub sends its list again and again.
                    if passkeys::note_refused(tx, fingerprint, Digest::plain(&assertion.signature))? {
                        let mut fields = fields(&key);
                        fields["why"] = json!(why.to_string());
                        audit::append(tx, now, "passkey-refused", None, &fields)?;
                    }
                    Ok(())
                }
            }
        }
        _ => Ok(()),
    }
}

fn pin(tx: &Tx<'_>, key: KnownPasskey, by: String, now: Timestamp) -> Result<KnownPasskey, StoreError> {
    change(
        tx,
        KnownPasskey { state: PasskeyState::Pinned, since: now, by, ..key },
        "passkey-pinned",
        "may approve critical calls",
    )
}

fn remove(tx: &Tx<'_>, key: KnownPasskey, by: String, now: Timestamp) -> Result<KnownPasskey, StoreError> {
    change(
        tx,
        KnownPasskey { state: PasskeyState::Removed, since: now, by, ..key },
        "passkey-removed",
        "approves nothing any more",
    )
}

fn change(tx: &Tx<'_>, key: KnownPasskey, kind: &str, words: &str) -> Result<KnownPasskey, StoreError> {
    passkeys::put(tx, &key)?;
    audit::append(tx, key.since, kind, None, &fields(&key))?;
    let summary = format!("passkey {} ({}) {words}; said by {}", key.code().short(), key.name, key.by);
    activity::notice(tx, key.since, "passkey", &summary)?;
    Ok(key)
}

fn fields(key: &KnownPasskey) -> serde_json::Value {
    json!({
        "passkey": key.fingerprint, "code": key.code(), "algorithm": key.passkey.public_key.algorithm(), "site": key.passkey.origin,
        "name": key.name, "owner": key.owner, "by": key.by,
    })
}

fn of_code(tx: &Tx<'_>, code: Code) -> Result<Option<KnownPasskey>, StoreError> {
    Ok(passkeys::all(tx)?.into_iter().find(|key| key.code() == code))
}
