//! The connection to an inspected host.

use std::io;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::client::{Roots, RootsError};

/// TLS to hosts, HTTP/1.1 only.
pub(crate) fn connector(roots: &Roots) -> Result<TlsConnector, RootsError> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::Native => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if store.is_empty() {
                return Err(RootsError::Native(io::Error::other("the machine's store is empty")));
            }
        }
        Roots::Given(certificates) => {
            for certificate in certificates {
                store.add(certificate.clone()).map_err(RootsError::Given)?;
            }
        }
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(RootsError::Given)?
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
