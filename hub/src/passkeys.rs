//! A person's passkeys: made in the portal, offered to tenants, used for what is critical.
//!
//! Nothing here makes a key trusted. What is checked here is checked so that a person hears of a mistake at once; what
//! counts is what the tenant's daemon checks again.

use std::sync::Arc;
use std::time::Duration;

use wardkeep_passkey::{Assertion, Introduction, Refused, Registration};
use wardkeep_proto::chance;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{TenantId, UserId};

use crate::app::{SharedChance, SharedClock, WebSettings};
use crate::events::{Change, Events};
use crate::link::Links;
use crate::store::passkeys::{NotStored, OwnPasskey};
use crate::store::users::User;
use crate::store::{Store, StoreError};

/// How long a browser may take to make a key.
pub const CHALLENGE_LIFE: Duration = Duration::from_secs(10 * 60);
/// How long an introduction counts: the tenant may be offline for a while.
pub const INTRODUCTION_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// Keys of one person.
const MOST: u64 = 16;
/// Characters of a key's name.
const NAME_CHARS: usize = 60;

/// Why something about a passkey was not done.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    /// What the browser gave does not say what it should.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// See [`NotStored`].
    #[error(transparent)]
    NotStored(#[from] NotStored),
    /// The name is empty or too long.
    #[error("a passkey's name has 1 to {NAME_CHARS} characters")]
    Name,
    /// The person has no such key, or may not see the tenant.
    #[error("no such passkey")]
    Unknown,
    /// It is not trusted on that tenant.
    #[error("this passkey is not trusted on this server; use one that is")]
    NotPinned,
    /// The time to use it is over.
    #[error("the page was open for too long; load it and try again")]
    Late,
    /// The database did not do it.
    #[error("nothing was stored")]
    Store(#[from] StoreError),
}

/// The passkeys; cheap to clone.
#[derive(Clone)]
pub struct Passkeys {
    store: Store,
    clock: SharedClock,
    chance: SharedChance,
    web: Arc<WebSettings>,
    events: Events,
    links: Links,
}

impl std::fmt::Debug for Passkeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passkeys(..)")
    }
}

impl Passkeys {
    /// Passkeys over a store.
    #[must_use]
    pub fn new(
        store: Store,
        clock: SharedClock,
        chance: SharedChance,
        web: Arc<WebSettings>,
        (events, links): (Events, Links),
    ) -> Self {
        Self { store, clock, chance, web, events, links }
    }

    /// Host of this hub's pages, when passkeys work on them.
    #[must_use]
    pub fn rp_id(&self) -> Option<&str> {
        wardkeep_passkey::rp_id_of(&self.web.public_url)
    }

    /// What the person's browser is to sign with the key that it makes.
    ///
    /// # Errors
    /// [`PasskeyError`].
    pub async fn challenge(&self, user: UserId) -> Result<Digest, PasskeyError> {
        if self.rp_id().is_none() {
            return Err(Refused::Site.into());
        }
        let challenge = Digest(chance::bytes::<32>(self.chance.as_ref()));
        let expires = self.clock.now().plus(CHALLENGE_LIFE);
        self.store.add_passkey_challenge(user, challenge, expires).await?;
        Ok(challenge)
    }

    /// Stores a key that was made for `challenge`.
    ///
    /// # Errors
    /// [`PasskeyError`].
    pub async fn register(
        &self,
        user: &User,
        challenge: Digest,
        (name, transports): (&str, &[String]),
        made: &Registration,
    ) -> Result<OwnPasskey, PasskeyError> {
        let name: String = name.chars().filter(|sign| !sign.is_control()).collect();
        let name = name.trim().to_owned();
        if name.is_empty() || name.chars().count() > NAME_CHARS {
            return Err(PasskeyError::Name);
        }
        let made = made.accept(&challenge, &self.web.public_url)?;
        let key = OwnPasskey {
            fingerprint: made.passkey.fingerprint(),
            passkey: made.passkey,
            user: user.id,
            name,
            synced: made.synced,
            created: self.clock.now(),
            removed: None,
            transports: known(transports),
        };
        self.store.add_passkey(key.clone(), challenge, MOST).await??;
        self.tell(user).await?;
        Ok(key)
    }

    /// Gives a key up, here and on every tenant.
    ///
    /// # Errors
    /// [`PasskeyError`].
    pub async fn remove(&self, user: &User, fingerprint: Digest) -> Result<(), PasskeyError> {
        if !self.store.remove_passkey(user.id, fingerprint, self.clock.now()).await? {
            return Err(PasskeyError::Unknown);
        }
        self.tell(user).await?;
        Ok(())
    }

    /// What a key that `tenant` has pinned is to sign, to let `fingerprint` in there.
    #[must_use]
    pub fn introduction(&self, tenant: TenantId, fingerprint: Digest) -> Introduction {
        Introduction { expires_ms: self.clock.now().plus(INTRODUCTION_LIFE), fingerprint, tenant }
    }

    /// Stores what lets a key of `user` in on a tenant.
    ///
    /// # Errors
    /// [`PasskeyError`].
    pub async fn introduce(
        &self,
        user: &User,
        introduction: Introduction,
        assertion: &Assertion,
    ) -> Result<(), PasskeyError> {
        let Introduction { expires_ms, fingerprint, tenant } = introduction;
        let now = self.clock.now();
        if now >= expires_ms || expires_ms > now.plus(INTRODUCTION_LIFE) {
            return Err(PasskeyError::Late);
        }
        let found = self.store.tenant(&user.caller(), tenant, now).await?.ok_or(PasskeyError::Unknown)?;
        let own = self.store.passkeys_of(user.id).await?;
        if !own.iter().any(|key| key.fingerprint == fingerprint) {
            return Err(PasskeyError::Unknown);
        }
        let pinned = found.status.and_then(|status| status.passkeys).unwrap_or_default();
        proven(&own, &pinned, assertion, &introduction.challenge())?;
        self.store.introduce_passkey(tenant, fingerprint, expires_ms, assertion, now).await?;
        self.links.nudge(tenant);
        self.events.tell(tenant, Change::Tenant);
        Ok(())
    }

    async fn tell(&self, user: &User) -> Result<(), StoreError> {
        for tenant in self.store.tenants(&user.caller(), None, u32::MAX, self.clock.now()).await? {
            self.links.nudge(tenant.id);
            self.events.tell(tenant.id, Change::Tenant);
        }
        Ok(())
    }
}

/// Of what a browser says, the words that there are; a hint, so anything else is left out.
fn known(transports: &[String]) -> String {
    const WORDS: [&str; 6] = ["ble", "hybrid", "internal", "nfc", "smart-card", "usb"];
    WORDS.into_iter().filter(|word| transports.iter().any(|said| said == word)).collect::<Vec<_>>().join(" ")
}

/// The key of `own` that signed `challenge` and that the tenant trusts, by what it last said.
///
/// # Errors
/// [`PasskeyError::Unknown`], [`PasskeyError::NotPinned`], [`PasskeyError::Refused`].
pub fn proven<'k>(
    own: &'k [OwnPasskey],
    pinned: &[Digest],
    assertion: &Assertion,
    challenge: &Digest,
) -> Result<&'k OwnPasskey, PasskeyError> {
    let key =
        own.iter().find(|key| key.passkey.credential_id == assertion.credential_id).ok_or(PasskeyError::Unknown)?;
    if !pinned.contains(&key.fingerprint) {
        return Err(PasskeyError::NotPinned);
    }
    key.passkey.verify(assertion, challenge)?;
    Ok(key)
}
