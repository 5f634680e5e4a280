//! Enrolment: a one-time token becomes a client certificate. Crash-safe and repeatable.
//!
//! Key and request are on disk before the token is used, so a retry sends the same request and the hub may answer it
//! again; `tenant.json` is written last, so until then nothing counts as enrolled.

use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tonic::transport::Channel;
use wardkeep_policy::signed::KeyList;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::limits::MESSAGE_BYTES;
use wardkeep_proto::time::Timestamp;
use wardkeep_proto::v1::enrolment_client::EnrolmentClient;
use wardkeep_proto::v1::{EnrolRequest, EnrolResponse};
use zeroize::Zeroizing;

use crate::channel::{ConnectError, connect};
use crate::identity::{ClientKey, Identity, IdentityDir, IdentityError, TenantFile};
use crate::tls::{HubTrust, TlsError, client_config};
use token::Token;

pub mod token;

/// Why the server was not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// A file cannot be read or written, or is damaged.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// No key or request could be made.
    #[error("no certificate request could be made: {0}")]
    Request(String),
    /// Our own TLS set-up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The hub was not reached, or is not the one that the token names.
    #[error("{0}; check that the token is complete and that this address is the hub's")]
    Connect(#[from] ConnectError),
    /// The hub said no.
    #[error("the hub refused the enrolment: {0}; make a new token with `wardkeep-hub token enrol NAME` and try again")]
    Refused(String),
    /// The hub's answer contradicts the token or itself.
    #[error("the hub's answer cannot be trusted ({0}); nothing was enrolled")]
    Untrusted(&'static str),
    /// Enrolled already, with another hub.
    #[error(
        "this server is enrolled with another hub as {name} ({tenant}); remove the identity directory to start over"
    )]
    OtherHub {
        /// Present name.
        name: String,
        /// Present id.
        tenant: TenantId,
    },
}

/// Trades the token for an identity; answers the present identity when this server is enrolled with that hub already.
///
/// # Errors
/// All of [`EnrolError`].
pub async fn enrol(dir: &IdentityDir, token: &Token, hostname: &str, now: Timestamp) -> Result<Identity, EnrolError> {
    if let Some(present) = dir.load()? {
        if Digest::plain(&present.ca) != token.authority {
            return Err(EnrolError::OtherHub { name: present.name, tenant: present.tenant });
        }
        forget_request(dir)?;
        return Ok(present);
    }
    let request = request(dir, hostname)?;
    let tls = client_config(&HubTrust::AuthorityHash(token.authority), None)?;
    let answer = ask(connect(&token.address, tls).await?, token, &request, hostname).await?;
    let accepted = Accepted::check(answer, token, &request)?;
    accepted.store(dir, token, now)?;
    forget_request(dir)?;
    dir.load()?.ok_or(EnrolError::Untrusted("the identity was not stored"))
}

async fn ask(channel: Channel, token: &Token, request: &Request, hostname: &str) -> Result<EnrolResponse, EnrolError> {
    let mut client = EnrolmentClient::new(channel).max_decoding_message_size(MESSAGE_BYTES);
    let mut message = tonic::Request::new(EnrolRequest {
        token: token.secret().to_owned(),
        csr_der: request.csr.clone(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        hostname: hostname.to_owned(),
    });
    message.set_timeout(std::time::Duration::from_secs(30));
    match client.enrol(message).await {
        Ok(answer) => Ok(answer.into_inner()),
        Err(status) => Err(EnrolError::Refused(format!("{} ({:?})", status.message(), status.code()))),
    }
}

/// The key and the request made from it, both on disk.
pub(crate) struct Request {
    pub(crate) key: KeyPair,
    pub(crate) csr: Vec<u8>,
}

/// Reads the stored request or makes one: the key is on disk before its request, both before anybody hears of them.
fn request(dir: &IdentityDir, hostname: &str) -> Result<Request, EnrolError> {
    stored_request(dir, "request.key", "request.csr", hostname)
}

pub(crate) fn stored_request(
    dir: &IdentityDir,
    key_name: &str,
    csr_name: &str,
    hostname: &str,
) -> Result<Request, EnrolError> {
    let broken = |error: rcgen::Error| EnrolError::Request(error.to_string());
    let key = match dir.read(key_name)? {
        Some(pem) => {
            let pem = Zeroizing::new(pem);
            let damaged = || IdentityError::Damaged { path: dir.file(key_name), what: "not a private key" };
            let pem = std::str::from_utf8(&pem).map_err(|_| damaged())?;
            KeyPair::from_pem(pem).map_err(|_| damaged())?
        }
        None => {
            // rcgen draws from ring's generator itself; nothing else of the request depends on chance.
            let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(broken)?;
            dir.write(key_name, Zeroizing::new(key.serialize_pem()).as_bytes())?;
            // A request of an older key would be answered with a certificate that does not fit.
            dir.remove(csr_name)?;
            key
        }
    };
    if let Some(csr) = dir.read(csr_name)? {
        return Ok(Request { key, csr });
    }
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, hostname);
    let csr = params.serialize_request(&key).map_err(broken)?.der().to_vec();
    dir.write(csr_name, &csr)?;
    Ok(Request { key, csr })
}

fn forget_request(dir: &IdentityDir) -> Result<(), EnrolError> {
    dir.remove("request.csr")?;
    Ok(dir.remove("request.key")?)
}

/// An answer that fits the token and the request.
#[derive(Debug)]
struct Accepted {
    tenant: TenantId,
    name: String,
    ca: CertificateDer<'static>,
    ca_pem: String,
    client_pem: Zeroizing<String>,
    root_key: [u8; 32],
    decision_key: [u8; 32],
    key_list: Vec<u8>,
}

impl Accepted {
    fn check(answer: EnrolResponse, token: &Token, request: &Request) -> Result<Self, EnrolError> {
        let EnrolResponse { tenant_id, tenant_name, certificate_chain_pem, ca_pem, decision_key, key_list, root_key } =
            answer;
        let untrusted = EnrolError::Untrusted;
        let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes()).map_err(|_| untrusted("no authority"))?;
        if Digest::plain(&ca) != token.authority {
            return Err(untrusted("the authority is not the token's"));
        }
        let root_key: [u8; 32] = root_key.try_into().map_err(|_| untrusted("the root key is not 32 bytes"))?;
        if Digest::plain(&root_key) != token.root {
            return Err(untrusted("the root key is not the token's"));
        }
        KeyList::verify(&key_list, &root_key, None).map_err(|_| untrusted("the key list is not signed by the root"))?;
        let client_pem = client_pem(&request.key, &certificate_chain_pem).map_err(untrusted)?;
        Ok(Self {
            tenant: tenant_id.parse().map_err(|_| untrusted("no tenant id"))?,
            name: tenant_name,
            ca,
            ca_pem,
            client_pem,
            root_key,
            decision_key: decision_key.try_into().map_err(|_| untrusted("the decision key is not 32 bytes"))?,
            key_list,
        })
    }

    fn store(&self, dir: &IdentityDir, token: &Token, now: Timestamp) -> Result<(), EnrolError> {
        let hex = |key: &[u8; 32]| data_encoding::HEXLOWER.encode(key);
        let tenant = TenantFile {
            tenant: self.tenant,
            name: self.name.clone(),
            hub: token.address.clone(),
            ca_sha256: Digest::plain(&self.ca),
            root_key: hex(&self.root_key),
            decision_key: hex(&self.decision_key),
            enrolled_at: now,
        };
        dir.write("ca.pem", self.ca_pem.as_bytes())?;
        dir.write("keys.dsse", &self.key_list)?;
        dir.write("client.pem", self.client_pem.as_bytes())?;
        let tenant = serde_json::to_vec_pretty(&tenant).map_err(|error| EnrolError::Request(error.to_string()))?;
        Ok(dir.write("tenant.json", &tenant)?)
    }
}

/// Key and chain in one text, after checking that the leaf carries this key.
pub(crate) fn client_pem(key: &KeyPair, chain_pem: &str) -> Result<Zeroizing<String>, &'static str> {
    let both = Zeroizing::new(format!("{}{}", Zeroizing::new(key.serialize_pem()).as_str(), chain_pem));
    let client = ClientKey::from_pem(both.as_bytes())?;
    let leaf = client.chain().first().ok_or("no certificate")?;
    let (_, leaf) = x509_parser::parse_x509_certificate(leaf).map_err(|_| "the certificate cannot be read")?;
    if leaf.public_key().raw != key.subject_public_key_info() {
        return Err("the certificate is for another key");
    }
    Ok(both)
}

#[cfg(test)]
mod tests;
