//! A one-time token becomes a client certificate.
//!
//! The token is spent and the certificate remembered in one transaction. The very same request may come again until the
//! token expires (the answer was lost, the hub was killed): it gets the very same certificate. Any other is refused.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use wardkeep_proto::chance::{self, Chance};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::secret::SecretValue;
use wardkeep_proto::time::Timestamp;

use crate::ca::{Ca, CaError};
use crate::keys::Keys;
use crate::store::enrolment::{Certificate, TokenState};
use crate::store::{Store, StoreError};

#[cfg(test)]
mod tests;

/// A token can be used for this long.
pub const TOKEN_LIFE: Duration = Duration::from_secs(30 * 60);
/// What a token's text begins with.
const PREFIX: &str = "wke1.";

/// What a token's text carries: where to go, what to trust there, and the secret.
#[derive(Serialize, Deserialize)]
struct TokenText {
    /// Address of the link, `host:port`.
    a: String,
    /// SHA-256 of the authority's certificate.
    c: Digest,
    /// SHA-256 of the root's public key.
    r: Digest,
    /// 32 random bytes, base64url.
    t: String,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// Unknown, expired, or spent.
    #[error("this enrolment token is not valid (any more); make a new one with `wardkeep-hub token enrol NAME`")]
    Token,
    /// The request cannot be signed.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// The database.
    #[error("the enrolment was not stored")]
    Store(#[from] StoreError),
}

/// A tenant that has its certificate.
#[derive(Clone, Debug)]
pub struct Enrolled {
    /// Which tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// The certificate alone, PEM.
    pub certificate_pem: String,
}

/// Makes a token for `tenant` and stores its hash. `address` is the link's, as daemons reach it.
///
/// # Errors
/// [`StoreError`].
pub async fn new_token(
    store: &Store,
    keys: &Keys,
    address: &str,
    tenant: TenantId,
    now: Timestamp,
    chance: &dyn Chance,
) -> Result<SecretValue, StoreError> {
    let secret = BASE64URL_NOPAD.encode(&chance::bytes::<32>(chance));
    store.add_enrolment_token(tenant, token_hash(&secret), now, now.plus(TOKEN_LIFE)).await?;
    let text = TokenText {
        a: address.to_owned(),
        c: Digest::plain(keys.ca.certificate()),
        r: Digest::plain(&keys.root),
        t: secret,
    };
    // Four strings always serialise.
    let json = serde_json::to_vec(&text).unwrap_or_default();
    Ok(SecretValue::new(format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&json))))
}

/// Trades `secret` (the `t` of a token) for a certificate over `csr`.
///
/// # Errors
/// Every reason of [`EnrolError`]; a token is not spent by a request that cannot be signed.
pub async fn enrol(
    store: &Store,
    ca: &Ca,
    secret: &str,
    csr: &[u8],
    now: Timestamp,
    chance: &dyn Chance,
) -> Result<Enrolled, EnrolError> {
    let (hash, request) = (token_hash(secret), Digest::plain(csr));
    let state = store.enrolment_token(hash, Some(request), now).await?;
    let TokenState::Fresh { tenant, .. } = state else { return known(state) };
    let issued = ca.sign_tenant(tenant, csr, now, chance)?;
    let certificate = Certificate { serial: issued.serial, expires: issued.expires, pem: issued.pem.clone() };
    match store.spend_enrolment_token(hash, request, certificate, now).await? {
        TokenState::Fresh { tenant, tenant_name } => {
            Ok(Enrolled { tenant, name: tenant_name, certificate_pem: issued.pem })
        }
        // Another request was faster; it may have been the same one.
        lost => known(lost),
    }
}

fn known(state: TokenState) -> Result<Enrolled, EnrolError> {
    match state {
        TokenState::Same { tenant, tenant_name, certificate_pem } => {
            Ok(Enrolled { tenant, name: tenant_name, certificate_pem })
        }
        TokenState::Fresh { .. } | TokenState::Useless => Err(EnrolError::Token),
    }
}

/// A new certificate for a tenant that holds one.
///
/// # Errors
/// The request cannot be signed, or the database.
pub async fn renew(
    store: &Store,
    ca: &Ca,
    tenant: TenantId,
    csr: &[u8],
    now: Timestamp,
    chance: &dyn Chance,
) -> Result<String, EnrolError> {
    let issued = ca.sign_tenant(tenant, csr, now, chance)?;
    let certificate = Certificate { serial: issued.serial, expires: issued.expires, pem: issued.pem.clone() };
    store.add_certificate(tenant, certificate, now).await?;
    Ok(issued.pem)
}

fn token_hash(secret: &str) -> Digest {
    crate::auth::hash("enrol", secret)
}
