//! TLS towards the hub: version 1.3, ring, and exactly one trusted authority, named by hash before enrolment and by
//! certificate afterwards.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use wardkeep_proto::digest::Digest;

use crate::identity::ClientKey;

/// What makes a hub the right one.
#[derive(Clone, Debug)]
pub enum HubTrust {
    /// Its authority's certificate has this SHA-256 (from the enrolment token).
    AuthorityHash(Digest),
    /// Its authority is this one (from the enrolment).
    Authority(CertificateDer<'static>),
}

/// Why no TLS configuration could be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The authority's certificate cannot serve as a root.
    #[error("the hub's certificate authority on disk cannot be used; enrol this server again")]
    Authority(#[source] rustls::Error),
    /// The client certificate and its key do not belong together, or cannot be read.
    #[error("the client certificate on disk cannot be used; enrol this server again")]
    Client(#[source] rustls::Error),
}

/// The configuration for one connection to the hub.
///
/// # Errors
/// Both of [`TlsError`].
pub fn client_config(trust: &HubTrust, client: Option<&ClientKey>) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        HubTrust::AuthorityHash(pin) => Arc::new(PinnedAuthority { pin: *pin, provider: provider.clone() }),
        HubTrust::Authority(ca) => verifier_for(ca.clone(), &provider).map_err(TlsError::Authority)?,
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Authority)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(client.key_pkcs8().to_vec()));
            builder.with_client_auth_cert(client.chain().to_vec(), key).map_err(TlsError::Client)?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

fn verifier_for(
    ca: CertificateDer<'static>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(ca)?;
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))
}

/// Finds the authority in the chain that the hub presents by the hash in the token, then verifies as usual with that
/// authority, and no other, as the root.
#[derive(Debug)]
struct PinnedAuthority {
    pin: Digest,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // Only among the issuers: a leaf that is its own root would prove nothing about the name.
        let ca = intermediates
            .iter()
            .find(|certificate| Digest::plain(certificate) == self.pin)
            .ok_or(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        verifier_for(ca.clone().into_owned(), &self.provider)?.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
