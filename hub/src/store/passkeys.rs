//! Passkeys: whose they are, what signs a new one in, and which are offered to which tenant.

use wardkeep_passkey::{Assertion, Code, Passkey};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{TenantId, UserId};
use wardkeep_proto::time::Timestamp;

use super::db::Tx;
use super::value::{Row, args};
use super::{Store, StoreError};

/// One key of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnPasskey {
    /// Names it.
    pub fingerprint: Digest,
    /// The key and its site.
    pub passkey: Passkey,
    /// Whose.
    pub user: UserId,
    /// As its owner calls it.
    pub name: String,
    /// Its owner's devices may share it.
    pub synced: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When its owner gave it up.
    pub removed: Option<Timestamp>,
    /// How a browser reaches it, in the words of WebAuthn; empty where it did not say.
    pub transports: String,
}

/// A key as a tenant is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedPasskey {
    /// The key.
    pub key: OwnPasskey,
    /// Name of its owner.
    pub owner: String,
    /// What lets it in there, and until when.
    pub introduction: Option<(Timestamp, Assertion)>,
}

impl OwnPasskey {
    /// As people compare and type it.
    #[must_use]
    pub fn code(&self) -> Code {
        Code::of(&self.fingerprint)
    }

    fn of(row: &mut Row) -> Result<Self, StoreError> {
        let (fingerprint, user) = (row.next()?, row.next()?);
        let (credential, cose, origin): (Vec<u8>, Vec<u8>, String) = (row.next()?, row.next()?, row.next()?);
        let passkey = Passkey::new(credential, &cose, &origin).map_err(|_| row.wrong())?;
        if passkey.fingerprint() != fingerprint {
            return Err(row.wrong());
        }
        let (name, synced, created, removed) = (row.next()?, row.next()?, row.next()?, row.next()?);
        let transports = row.next::<Option<String>>()?.unwrap_or_default();
        Ok(Self { fingerprint, passkey, user, name, synced, created, removed, transports })
    }
}

macro_rules! select_passkey {
    ($more:literal, $rest:literal) => {
        concat!(
            "SELECT p.fingerprint, p.user_id, p.credential_id, p.public_key, p.origin, p.name, p.synced, p.created_ms, \
             p.removed_ms, p.transports",
            $more,
            " FROM passkeys p ",
            $rest
        )
    };
}

/// Why a key was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotStored {
    /// It was made for a challenge that nobody gave, or gave long ago.
    #[error("the page was open for too long; load it and try again")]
    Challenge,
    /// It is there already.
    #[error("this passkey is registered already")]
    Known,
    /// There are too many.
    #[error("you have too many passkeys; remove one first")]
    TooMany,
}

impl Store {
    /// Remembers what a browser of `user` is to sign.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_passkey_challenge(
        &self,
        user: UserId,
        challenge: Digest,
        expires: Timestamp,
    ) -> Result<(), StoreError> {
        self.db
            .run_tx("add_passkey_challenge", move |tx| {
                tx.execute(
                    "INSERT INTO passkey_challenges (challenge, user_id, expires_ms) VALUES ($1, $2, $3)",
                    args![challenge, user, expires],
                )
                .map(drop)
            })
            .await
    }

    /// Spends the challenge and stores the key in one transaction; `most` keys of one person are in force.
    ///
    /// # Errors
    /// [`StoreError`]; inside, [`NotStored`].
    pub async fn add_passkey(
        &self,
        key: OwnPasskey,
        challenge: Digest,
        most: u64,
    ) -> Result<Result<(), NotStored>, StoreError> {
        let origin = self.origin.clone();
        self.db
            .run_tx("add_passkey", move |tx| {
                let spent = tx.execute(
                    "DELETE FROM passkey_challenges WHERE challenge = $1 AND user_id = $2 AND expires_ms > $3",
                    args![challenge, key.user, key.created],
                )?;
                if spent != 1 {
                    return Ok(Err(NotStored::Challenge));
                }
                let sql = "SELECT COUNT(*) FROM passkeys WHERE user_id = $1 AND removed_ms IS NULL";
                let held: u64 = tx.first(sql, args![key.user])?.map_or(Ok(0), |mut row| row.next())?;
                if held >= most {
                    return Ok(Err(NotStored::TooMany));
                }
                let added = tx.execute(
                    "INSERT INTO passkeys (fingerprint, user_id, credential_id, public_key, origin, name, synced, created_ms, \
                     transports) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (fingerprint) DO NOTHING",
                    args![
                        key.fingerprint,
                        key.user,
                        key.passkey.credential_id,
                        key.passkey.public_key.to_cose(),
                        key.passkey.origin,
                        key.name,
                        key.synced,
                        key.created,
                        key.transports
                    ],
                )?;
                if added != 1 {
                    return Ok(Err(NotStored::Known));
                }
                note_tenants(tx, &origin, key.user, key.created)?;
                Ok(Ok(()))
            })
            .await
    }

    /// Keys of `user` that are in force, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn passkeys_of(&self, user: UserId) -> Result<Vec<OwnPasskey>, StoreError> {
        let odd = self.odd.clone();
        self.db
            .read("passkeys_of", move |tx| {
                let sql = select_passkey!(
                    "",
                    "WHERE p.user_id = $1 AND p.removed_ms IS NULL ORDER BY p.created_ms, p.fingerprint"
                );
                odd.skip(tx.query(sql, args![user])?, OwnPasskey::of)
            })
            .await
    }

    /// Gives a key of `user` up; false when there is none in force.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn remove_passkey(&self, user: UserId, fingerprint: Digest, now: Timestamp) -> Result<bool, StoreError> {
        let origin = self.origin.clone();
        self.db
            .run_tx("remove_passkey", move |tx| {
                let removed = tx.execute(
                    "UPDATE passkeys SET removed_ms = $3 WHERE user_id = $1 AND fingerprint = $2 AND removed_ms IS NULL",
                    args![user, fingerprint, now],
                )?;
                tx.execute("DELETE FROM passkey_introductions WHERE fingerprint = $1", args![fingerprint])?;
                note_tenants(tx, &origin, user, now)?;
                Ok(removed == 1)
            })
            .await
    }

    /// Stores what lets a key in on a tenant; the newest counts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn introduce_passkey(
        &self,
        tenant: TenantId,
        fingerprint: Digest,
        expires: Timestamp,
        assertion: &Assertion,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (origin, assertion) = (self.origin.clone(), json(assertion));
        self.db
            .run_tx("introduce_passkey", move |tx| {
                tx.execute(
                    "INSERT INTO passkey_introductions (tenant_id, fingerprint, expires_ms, assertion) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (tenant_id, fingerprint) DO UPDATE SET expires_ms = excluded.expires_ms, \
                     assertion = excluded.assertion",
                    args![tenant, fingerprint, expires, assertion],
                )?;
                super::changes::note(tx, &origin, "passkey", Some(tenant), now)
            })
            .await
    }

    /// Keys of everybody who may decide for `tenant`, those in force first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn offered_passkeys(&self, tenant: TenantId, most: u32) -> Result<Vec<OfferedPasskey>, StoreError> {
        let odd = self.odd.clone();
        self.db
            .read("offered_passkeys", move |tx| {
                let sql = select_passkey!(
                    ", u.name, i.expires_ms, i.assertion",
                    "JOIN users u ON u.id = p.user_id \
                     LEFT JOIN passkey_introductions i ON i.fingerprint = p.fingerprint AND i.tenant_id = $1 \
                     WHERE u.role = 'operator' OR u.id IN (SELECT m.user_id FROM members m JOIN tenants t \
                     ON t.organisation_id = m.organisation_id WHERE t.id = $1) \
                     ORDER BY CASE WHEN p.removed_ms IS NULL THEN 0 ELSE 1 END, p.created_ms DESC, p.fingerprint LIMIT $2"
                );
                odd.skip(tx.query(sql, args![tenant, i64::from(most)])?, |row| {
                    let key = OwnPasskey::of(row)?;
                    let (owner, expires, assertion) =
                        (row.next()?, row.next::<Option<Timestamp>>()?, row.next::<Option<String>>()?);
                    let assertion = assertion.map(|text| parsed(&text).ok_or_else(|| row.wrong())).transpose()?;
                    Ok(OfferedPasskey { key, owner, introduction: expires.zip(assertion) })
                })
            })
            .await
    }

    /// Forgets challenges that ended before `before`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_old_passkey_challenges(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.db
            .run_tx("forget_old_passkey_challenges", move |tx| {
                tx.execute("DELETE FROM passkey_challenges WHERE expires_ms < $1", args![before])
            })
            .await
    }
}

/// As it is stored.
pub(super) fn json(assertion: &Assertion) -> String {
    // Four texts always serialise.
    serde_json::to_string(assertion).unwrap_or_default()
}

/// As it was stored.
pub(super) fn parsed(text: &str) -> Option<Assertion> {
    serde_json::from_str(text).ok()
}

/// Tells the other processes whose list changed.
fn note_tenants(tx: &Tx<'_>, origin: &str, user: UserId, now: Timestamp) -> Result<(), StoreError> {
    let sql = "SELECT t.id FROM tenants t WHERE EXISTS (SELECT 1 FROM users u WHERE u.id = $1 AND u.role = 'operator') \
               OR t.organisation_id IN (SELECT m.organisation_id FROM members m WHERE m.user_id = $1)";
    for mut row in tx.query(sql, args![user])? {
        super::changes::note(tx, origin, "passkey", Some(row.next()?), now)?;
    }
    Ok(())
}
