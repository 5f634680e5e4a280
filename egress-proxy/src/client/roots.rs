//! Whom to trust as the certificate authority of a host.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

/// Certificate authorities, read once; clones share them.
#[derive(Clone)]
pub struct Roots(Arc<RootCertStore>);

/// The certificate authorities cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The machine's store is empty or unreadable.
    #[error("no certificate authorities were found; install the package ca-certificates")]
    Native(#[source] io::Error),
    /// A given certificate is not one.
    #[error("a given certificate authority cannot be read")]
    Given(#[source] rustls::Error),
}

impl Roots {
    /// The machine's store: a bundle and some 150 files, so read it once for all that need it.
    ///
    /// # Errors
    /// [`RootsError::Native`].
    pub fn native() -> Result<Self, RootsError> {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if store.is_empty() {
            return Err(RootsError::Native(io::Error::other("the machine's store is empty")));
        }
        Ok(Self(Arc::new(store)))
    }

    /// These certificates and no other.
    ///
    /// # Errors
    /// [`RootsError::Given`].
    pub fn given(certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Result<Self, RootsError> {
        let mut store = RootCertStore::empty();
        for certificate in certificates {
            store.add(certificate).map_err(RootsError::Given)?;
        }
        Ok(Self(Arc::new(store)))
    }

    /// TLS to hosts that they vouch for.
    pub(crate) fn tls(&self) -> Result<ClientConfig, RootsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(RootsError::Given)?
            .with_root_certificates(self.0.clone())
            .with_no_client_auth())
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({})", self.0.len())
    }
}
