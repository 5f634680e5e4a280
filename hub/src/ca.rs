//! The certificate authority: one ECDSA P-256 key, client certificates for tenants, a server certificate for the link.

use std::net::IpAddr;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use wardkeep_proto::chance::{self, Chance};
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;
use zeroize::Zeroizing;

/// Life of a tenant's certificate; it renews at half of it.
pub const TENANT_LIFE: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// Life of the link's own certificate; made anew each day.
const SERVER_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Life of the authority: it is pinned by every tenant, and its rotation is a planned work of its own.
const CA_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
/// Certificates begin this much earlier: clocks of small servers are often a little behind.
const CLOCK_SLACK: Duration = Duration::from_secs(5 * 60);
/// The name in tenants' certificates: `wardkeep:tenant:<uuid>`.
const TENANT_URI: &str = "wardkeep:tenant:";
/// A name of the link that does not depend on its address.
pub const SERVER_NAME: &str = "wardkeep-hub";

/// A certificate was not made or not understood.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The request is not PKCS#10, is not signed by its own key, or has a key of another kind.
    #[error("the certificate request is not a PKCS#10 request with an ECDSA P-256 key")]
    Request,
    /// The stored key or certificate of the authority cannot be used.
    #[error("the certificate authority's key cannot be used")]
    Authority(#[source] rcgen::Error),
    /// A certificate could not be signed.
    #[error("the certificate could not be made")]
    Sign(#[source] rcgen::Error),
}

/// A certificate that was made.
#[derive(Clone, Debug)]
pub struct Issued {
    /// Serial number, lower-case hex.
    pub serial: String,
    /// Not after.
    pub expires: Timestamp,
    /// PEM of the certificate alone.
    pub pem: String,
    /// Its bytes.
    pub der: CertificateDer<'static>,
}

/// What a new authority is stored as.
pub struct NewCa {
    /// The certificate.
    pub certificate: Vec<u8>,
    /// PKCS#8 of the key; to be sealed.
    pub key: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for NewCa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewCa(..)")
    }
}

/// The authority in memory.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

impl std::fmt::Debug for Ca {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ca(..)")
    }
}

impl Ca {
    /// Makes a new authority.
    ///
    /// # Errors
    /// [`CaError::Sign`].
    pub fn make(now: Timestamp, chance: &dyn Chance) -> Result<NewCa, CaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(CaError::Sign)?;
        let mut params = params("Wardkeep hub CA", now, CA_LIFE, &serial(chance));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(CaError::Sign)?;
        Ok(NewCa { certificate: certificate.der().to_vec(), key: Zeroizing::new(key.serialize_der()) })
    }

    /// Opens a stored authority.
    ///
    /// # Errors
    /// [`CaError::Authority`].
    pub fn open(certificate: Vec<u8>, key: &[u8]) -> Result<Self, CaError> {
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(key), &PKCS_ECDSA_P256_SHA256)
            .map_err(CaError::Authority)?;
        let certificate = CertificateDer::from(certificate);
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(CaError::Authority)?;
        Ok(Self { issuer, certificate })
    }

    /// The authority's own certificate.
    #[must_use]
    pub const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The authority's own certificate, PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        pem(&self.certificate)
    }

    /// A client certificate for `tenant` over the key in `csr`. Everything else the request asks for is ignored.
    ///
    /// # Errors
    /// [`CaError::Request`] and [`CaError::Sign`].
    pub fn sign_tenant(
        &self,
        tenant: TenantId,
        csr: &[u8],
        now: Timestamp,
        chance: &dyn Chance,
    ) -> Result<Issued, CaError> {
        let der = CertificateSigningRequestDer::from(csr);
        let request = CertificateSigningRequestParams::from_der(&der).map_err(|_| CaError::Request)?;
        if rcgen::PublicKeyData::algorithm(&request.public_key) != &PKCS_ECDSA_P256_SHA256 {
            return Err(CaError::Request);
        }
        let serial = serial(chance);
        let name = format!("{TENANT_URI}{tenant}");
        let mut params = params(&name, now, TENANT_LIFE, &serial);
        params.subject_alt_names = vec![SanType::URI(name.as_str().try_into().map_err(CaError::Sign)?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&request.public_key, &self.issuer).map_err(CaError::Sign)?;
        Ok(Issued {
            serial: hex(&serial),
            expires: now.plus(TENANT_LIFE),
            pem: certificate.pem(),
            der: certificate.der().clone(),
        })
    }

    /// A new key and certificate for the link at `host`, leaf first, then the authority: a joiner pins it by its hash.
    ///
    /// # Errors
    /// [`CaError::Sign`].
    pub fn server(&self, host: &str, now: Timestamp, chance: &dyn Chance) -> Result<ServerIdentity, CaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(CaError::Sign)?;
        let mut params = params(SERVER_NAME, now, SERVER_LIFE, &serial(chance));
        let mut names = vec![SERVER_NAME.to_owned()];
        match host.parse::<IpAddr>() {
            Ok(address) => params.subject_alt_names.push(SanType::IpAddress(address)),
            Err(_) => names.push(host.to_owned()),
        }
        for name in names {
            params.subject_alt_names.push(SanType::DnsName(name.as_str().try_into().map_err(CaError::Sign)?));
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = params.signed_by(&key, &self.issuer).map_err(CaError::Sign)?;
        Ok(ServerIdentity {
            chain: vec![leaf.der().clone(), self.certificate.clone()],
            key: PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
        })
    }
}

/// What the link presents.
pub struct ServerIdentity {
    /// Leaf, then the authority.
    pub chain: Vec<CertificateDer<'static>>,
    /// Key of the leaf.
    pub key: PrivateKeyDer<'static>,
}

impl std::fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerIdentity(..)")
    }
}

/// A tenant as its verified certificate names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantName {
    /// Which tenant.
    pub tenant: TenantId,
    /// Serial number of the certificate, lower-case hex.
    pub serial: String,
}

/// Reads the tenant out of a certificate whose chain was verified. `None` for a certificate of another purpose.
#[must_use]
pub fn tenant_of(certificate: &CertificateDer<'_>) -> Option<TenantName> {
    use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let client = parsed.extended_key_usage().ok()??.value.client_auth;
    let names = &parsed.subject_alternative_name().ok()??.value.general_names;
    let [GeneralName::URI(uri)] = names.as_slice() else { return None };
    let tenant = uri.strip_prefix(TENANT_URI)?.parse().ok()?;
    client.then(|| TenantName { tenant, serial: hex(parsed.raw_serial()) })
}

/// PEM of a certificate.
fn pem(der: &CertificateDer<'_>) -> String {
    let text = data_encoding::BASE64.encode(der);
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

fn params(name: &str, now: Timestamp, life: Duration, serial: &[u8; 16]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    // Certificates hold whole seconds.
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let now = Duration::from_secs(now.since(Timestamp(0)).as_secs());
    params.not_before = epoch + now.saturating_sub(CLOCK_SLACK);
    params.not_after = epoch + now + life;
    params.serial_number = Some(SerialNumber::from_slice(serial));
    params.use_authority_key_identifier_extension = true;
    params
}

/// 127 random bits with a leading bit that keeps the number positive and its length fixed.
fn serial(chance: &dyn Chance) -> [u8; 16] {
    let mut bytes = chance::bytes::<16>(chance);
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    bytes
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wardkeep_proto::chance::SystemChance;

    const NOW: Timestamp = Timestamp(1_763_593_200_000);

    fn authority() -> Ca {
        let new = Ca::make(NOW, &SystemChance::new()).expect("made");
        Ca::open(new.certificate, &new.key).expect("opens")
    }

    fn request(key: &KeyPair) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["wardkeep-hub".to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, "wardkeep:tenant:someone-else");
        params.serialize_request(key).expect("a request").der().to_vec()
    }

    #[test]
    fn what_a_request_asks_for_is_ignored() {
        let (ca, chance) = (authority(), SystemChance::new());
        let tenant = TenantId::new(NOW, &chance);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        let issued = ca.sign_tenant(tenant, &request(&key), NOW, &chance).expect("signed");
        assert_eq!(tenant_of(&issued.der), Some(TenantName { tenant, serial: issued.serial.clone() }));
        assert_eq!(issued.expires, NOW.plus(TENANT_LIFE));
    }

    #[test]
    fn broken_requests_and_other_keys_are_refused() {
        let (ca, chance) = (authority(), SystemChance::new());
        let tenant = TenantId::new(NOW, &chance);
        let other = KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        let mut broken = request(&KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key"));
        let last = broken.len() - 1;
        broken[last] ^= 1;
        for csr in [request(&other), broken, Vec::new(), b"nonsense".to_vec()] {
            assert!(matches!(ca.sign_tenant(tenant, &csr, NOW, &chance), Err(CaError::Request)));
        }
    }

    #[test]
    fn the_links_own_certificate_names_no_tenant() {
        let identity = authority().server("127.0.0.1", NOW, &SystemChance::new()).expect("made");
        assert_eq!(tenant_of(&identity.chain[0]), None);
        assert_eq!(tenant_of(&identity.chain[1]), None);
    }
}
