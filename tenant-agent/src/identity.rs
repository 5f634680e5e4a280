//! Who this tenant is to the hub, as files: the client key with its chain, the authority, and the keys that sign.
//!
//! `tenant.json` is written last and is what makes a server enrolled; `client.pem` holds key and chain in one file, so that
//! a renewed certificate takes over by one rename.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;
use zeroize::Zeroizing;

use crate::hub_address::HubAddress;
use crate::state::{read, remove, write_private};

/// The files of `identity/`.
#[derive(Clone, Debug)]
pub struct IdentityDir(PathBuf);

/// One client key with the certificate chain that names it. Never prints the key.
#[derive(Clone)]
pub struct ClientKey {
    chain: Vec<CertificateDer<'static>>,
    key: Zeroizing<Vec<u8>>,
}

/// The enrolled tenant.
#[derive(Clone, Debug)]
pub struct Identity {
    /// What the hub calls this server.
    pub tenant: TenantId,
    /// Its name for people.
    pub name: String,
    /// Where the hub said it is, at enrolment.
    pub hub: HubAddress,
    /// The one authority that may vouch for the hub.
    pub ca: CertificateDer<'static>,
    /// Ed25519 public key of the offline root.
    pub root_key: [u8; 32],
    /// Ed25519 public key that signs approval decisions.
    pub decision_key: [u8; 32],
    /// The present client key.
    pub client: ClientKey,
}

/// What `tenant.json` holds: nothing secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantFile {
    /// What the hub calls this server.
    pub tenant: TenantId,
    /// Its name for people.
    pub name: String,
    /// Where the hub said it is.
    pub hub: HubAddress,
    /// SHA-256 of the authority's certificate.
    pub ca_sha256: Digest,
    /// Ed25519 public key of the offline root, hex.
    pub root_key: String,
    /// Ed25519 public key that signs decisions, hex.
    pub decision_key: String,
    /// When.
    pub enrolled_at: Timestamp,
}

/// Validity of the client certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// First valid moment.
    pub from: Timestamp,
    /// Last valid moment.
    pub until: Timestamp,
}

impl Validity {
    /// True from half of the life on.
    #[must_use]
    pub fn renewal_due(&self, now: Timestamp) -> bool {
        now >= self.part(2, 1)
    }

    /// True from three quarters of the life on: half a life of attempts has failed.
    #[must_use]
    pub fn renewal_overdue(&self, now: Timestamp) -> bool {
        now >= self.part(4, 3)
    }

    /// The moment after `count` of `parts` equal parts of the life.
    fn part(&self, parts: i64, count: i64) -> Timestamp {
        let life = self.until.millis().saturating_sub(self.from.millis());
        Timestamp(self.from.millis().saturating_add(life / parts * count))
    }
}

/// Why the identity cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file cannot be read or written.
    #[error("cannot access {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{path} is damaged ({what}); enrol this server again with a new token")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl IdentityDir {
    /// The directory, which exists already.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// A file of the directory.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The identity; `None` before the first enrolment.
    ///
    /// # Errors
    /// Both of [`IdentityError`]; a damaged file is never taken for "not enrolled".
    pub fn load(&self) -> Result<Option<Identity>, IdentityError> {
        let path = self.file("tenant.json");
        let Some(bytes) = self.read("tenant.json")? else { return Ok(None) };
        let damaged = |what| IdentityError::Damaged { path: path.clone(), what };
        let file: TenantFile = serde_json::from_slice(&bytes).map_err(|_| damaged("not the expected JSON"))?;
        let ca = self.certificate("ca.pem")?;
        if Digest::plain(&ca) != file.ca_sha256 {
            return Err(IdentityError::Damaged { path: self.file("ca.pem"), what: "not the pinned authority" });
        }
        Ok(Some(Identity {
            tenant: file.tenant,
            name: file.name,
            hub: file.hub,
            ca,
            root_key: key_from_hex(&file.root_key).ok_or_else(|| damaged("root_key"))?,
            decision_key: key_from_hex(&file.decision_key).ok_or_else(|| damaged("decision_key"))?,
            client: self.client_key("client.pem")?,
        }))
    }

    /// Key and chain in one PEM file.
    ///
    /// # Errors
    /// Both of [`IdentityError`].
    pub fn client_key(&self, name: &str) -> Result<ClientKey, IdentityError> {
        let path = self.file(name);
        let bytes = Zeroizing::new(self.read(name)?.ok_or_else(|| IdentityError::File {
            path: path.clone(),
            source: io::Error::from(io::ErrorKind::NotFound),
        })?);
        ClientKey::from_pem(&bytes).map_err(|what| IdentityError::Damaged { path, what })
    }

    fn certificate(&self, name: &str) -> Result<CertificateDer<'static>, IdentityError> {
        let damaged = || IdentityError::Damaged { path: self.file(name), what: "not a certificate" };
        let bytes = self.read(name)?.ok_or_else(damaged)?;
        CertificateDer::from_pem_slice(&bytes).map_err(|_| damaged())
    }

    /// Bytes of a file; `None` when missing.
    ///
    /// # Errors
    /// [`IdentityError::File`].
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, IdentityError> {
        read(&self.file(name)).map_err(|source| IdentityError::File { path: self.file(name), source })
    }

    /// Replaces a file.
    ///
    /// # Errors
    /// [`IdentityError::File`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), IdentityError> {
        write_private(&self.file(name), bytes).map_err(|source| IdentityError::File { path: self.file(name), source })
    }

    /// Removes a file; missing is fine.
    ///
    /// # Errors
    /// [`IdentityError::File`].
    pub fn remove(&self, name: &str) -> Result<(), IdentityError> {
        remove(&self.file(name)).map_err(|source| IdentityError::File { path: self.file(name), source })
    }

    /// Makes `from` take the place of `to`.
    ///
    /// # Errors
    /// [`IdentityError::File`].
    pub fn rename(&self, from: &str, to: &str) -> Result<(), IdentityError> {
        std::fs::rename(self.file(from), self.file(to))
            .and_then(|()| std::fs::File::open(&self.0)?.sync_all())
            .map_err(|source| IdentityError::File { path: self.file(to), source })
    }
}

impl ClientKey {
    /// Leaf first.
    #[must_use]
    pub fn from_parts(chain: Vec<CertificateDer<'static>>, key_pkcs8: Vec<u8>) -> Self {
        Self { chain, key: Zeroizing::new(key_pkcs8) }
    }

    /// Parses key and chain from one PEM text.
    ///
    /// # Errors
    /// What is missing.
    pub fn from_pem(pem: &[u8]) -> Result<Self, &'static str> {
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| "no private key")?;
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| "certificates cannot be read")?;
        if chain.is_empty() {
            return Err("no certificate");
        }
        Ok(Self::from_parts(chain, key.secret_pkcs8_der().to_vec()))
    }

    /// Leaf first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// PKCS#8, DER.
    #[must_use]
    pub fn key_pkcs8(&self) -> &[u8] {
        &self.key
    }

    /// Life of the leaf.
    ///
    /// # Errors
    /// The leaf cannot be read.
    pub fn validity(&self) -> Result<Validity, &'static str> {
        let leaf = self.chain.first().ok_or("no certificate")?;
        let (_, leaf) = x509_parser::parse_x509_certificate(leaf).map_err(|_| "the certificate cannot be read")?;
        let millis = |at: x509_parser::time::ASN1Time| Timestamp(at.timestamp().saturating_mul(1000));
        Ok(Validity { from: millis(leaf.validity().not_before), until: millis(leaf.validity().not_after) })
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientKey").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

/// 32 bytes from 64 hex digits.
pub(crate) fn key_from_hex(text: &str) -> Option<[u8; 32]> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// True when the directory's files are for its owner only; the path of the first that is not otherwise.
///
/// # Errors
/// What the system said.
pub fn first_open_file(dir: &Path) -> io::Result<Option<PathBuf>> {
    use std::os::unix::fs::PermissionsExt as _;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.metadata()?.permissions().mode() & 0o077 != 0 {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}
