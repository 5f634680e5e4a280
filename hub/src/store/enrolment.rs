//! Enrolment tokens and the certificates they were traded for.

use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;

use super::value::args;
use super::{Store, StoreError};

/// A certificate as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Serial number, lower-case hex.
    pub serial: String,
    /// Not after.
    pub expires: Timestamp,
    /// The certificate, PEM.
    pub pem: String,
}

/// What a token is good for at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// It can be traded for a certificate of this tenant.
    Fresh {
        /// Whose.
        tenant: TenantId,
        /// Name of the tenant.
        tenant_name: String,
    },
    /// It was traded for this certificate with the very same request: the answer can be given again.
    Same {
        /// Whose.
        tenant: TenantId,
        /// Name of the tenant.
        tenant_name: String,
        /// The certificate, PEM.
        certificate_pem: String,
    },
    /// Unknown, expired, or spent with another request. Which of them is nobody's business.
    Useless,
}

impl Store {
    /// Remembers the hash of a token for `tenant`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_enrolment_token(
        &self,
        tenant: TenantId,
        hash: Digest,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<(), StoreError> {
        self.db
            .run_tx("add_enrolment_token", move |tx| {
                tx.execute(
                    "INSERT INTO enrolment_tokens (hash, tenant_id, created_ms, expires_ms) VALUES ($1, $2, $3, $4)",
                    args![hash, tenant, now, expires],
                )
                .map(drop)
            })
            .await
    }

    /// What the token with this hash is good for when it comes with the request `csr`. Spends nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn enrolment_token(
        &self,
        hash: Digest,
        csr: Option<Digest>,
        now: Timestamp,
    ) -> Result<TokenState, StoreError> {
        self.db.read("enrolment_token", move |tx| state(tx, hash, csr, now)).await
    }

    /// Trades the token for `certificate` in one transaction: the token is spent, older certificates of the tenant are
    /// revoked. Answers with the state before, so a token that lost a race gives its real state and changes nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn spend_enrolment_token(
        &self,
        hash: Digest,
        csr: Digest,
        certificate: Certificate,
        now: Timestamp,
    ) -> Result<TokenState, StoreError> {
        self.db
            .run_tx("spend_enrolment_token", move |tx| {
                let before = state(tx, hash, Some(csr), now)?;
                let TokenState::Fresh { tenant, .. } = &before else { return Ok(before) };
                tx.execute(
                    "UPDATE enrolment_tokens SET used_ms = $2, csr_digest = $3, certificate_pem = $4 WHERE hash = $1 AND used_ms IS NULL",
                    args![hash, now, csr, certificate.pem.as_str()],
                )?;
                tx.execute(
                    "UPDATE certificates SET revoked_ms = $2 WHERE tenant_id = $1 AND revoked_ms IS NULL",
                    args![*tenant, now],
                )?;
                // A server that enrols anew may have a new audit log; its next checkpoint pins the key again.
                tx.execute("DELETE FROM audit_keys WHERE tenant_id = $1", args![*tenant])?;
                add_certificate(tx, *tenant, &certificate, now)?;
                tx.execute("UPDATE tenants SET enrolled_ms = $2 WHERE id = $1", args![*tenant, now])?;
                Ok(before)
            })
            .await
    }

    /// Remembers a certificate that renews another.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_certificate(
        &self,
        tenant: TenantId,
        certificate: Certificate,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.db.run_tx("add_certificate", move |tx| add_certificate(tx, tenant, &certificate, now)).await
    }

    /// True while the certificate with this serial number is known, belongs to `tenant` and is not revoked.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn certificate_in_force(
        &self,
        tenant: TenantId,
        serial: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let serial = serial.to_owned();
        self.db
            .read("certificate_in_force", move |tx| {
                let row = tx.first(
                    "SELECT COUNT(*) FROM certificates \
                     WHERE tenant_id = $1 AND serial = $2 AND revoked_ms IS NULL AND expires_ms > $3",
                    args![tenant, serial, now],
                )?;
                Ok(row.map_or(Ok(0_i64), |mut row| row.next())? == 1)
            })
            .await
    }
}

fn state(tx: &super::db::Tx<'_>, hash: Digest, csr: Option<Digest>, now: Timestamp) -> Result<TokenState, StoreError> {
    let row = tx.first(
        "SELECT e.tenant_id, t.name, e.used_ms, e.csr_digest, e.certificate_pem FROM enrolment_tokens e \
         JOIN tenants t ON t.id = e.tenant_id WHERE e.hash = $1 AND e.expires_ms > $2",
        args![hash, now],
    )?;
    let Some(mut row) = row else { return Ok(TokenState::Useless) };
    let (tenant, tenant_name) = (row.next()?, row.next()?);
    let used: Option<Timestamp> = row.next()?;
    let (spent_with, certificate): (Option<Digest>, Option<String>) = (row.next()?, row.next()?);
    Ok(match (used, certificate) {
        (None, _) => TokenState::Fresh { tenant, tenant_name },
        (Some(_), Some(certificate_pem)) if csr.is_some() && spent_with == csr => {
            TokenState::Same { tenant, tenant_name, certificate_pem }
        }
        _ => TokenState::Useless,
    })
}

fn add_certificate(
    tx: &super::db::Tx<'_>,
    tenant: TenantId,
    certificate: &Certificate,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO certificates (serial, tenant_id, issued_ms, expires_ms) VALUES ($1, $2, $3, $4)",
        args![certificate.serial.as_str(), tenant, now, certificate.expires],
    )
    .map(drop)
}
