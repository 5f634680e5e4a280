//! The tenant's own certificate authority, by which inspected hosts are read. Its key is made at the start and is nowhere but
//! in memory; whoever trusts its certificate trusts this daemon until it ends, and nothing afterwards.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SerialNumber,
};
use rustls::ServerConfig;
use rustls::crypto::ring::{default_provider, sign::any_ecdsa_type};
#[cfg(test)]
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use wardkeep_proto::chance::{self, Chance};
use wardkeep_proto::time::{Clock, Timestamp};

/// Longer than any daemon runs.
const LIFE: Duration = Duration::from_secs(2 * 365 * 24 * 60 * 60);
/// Of the certificate for one host; made anew at half of it.
const LEAF_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// Certificates begin this much earlier: clocks differ.
const SLACK: Duration = Duration::from_secs(60 * 60);
/// Hosts whose certificate is kept.
const KEPT: usize = 256;

/// A certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorityError {
    #[error("the certificate could not be made")]
    Sign(#[from] rcgen::Error),
    #[error("the certificate cannot be served")]
    Serve(#[from] rustls::Error),
}

pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// One key for all hosts: who could steal it from memory could steal the authority's.
    key: KeyPair,
    signing: Arc<dyn SigningKey>,
    leaves: Mutex<HashMap<String, Leaf>>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
}

#[derive(Clone)]
struct Leaf {
    config: Arc<ServerConfig>,
    renew: Timestamp,
}

impl Authority {
    pub(crate) fn new(clock: Arc<dyn Clock>, chance: Arc<dyn Chance>) -> Result<Self, AuthorityError> {
        let serial = serial(&*chance);
        // A name of its own for each start, so that no trust store mistakes one for the other.
        let name = format!("Wardkeep egress authority {}", data_encoding::HEXLOWER.encode(&serial[..4]));
        let mut params = params(CertificateParams::default(), &name, clock.now(), LIFE, &serial);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?)?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let signing = any_ecdsa_type(&PrivateKeyDer::Pkcs8(key.serialize_der().into()))?;
        Ok(Self { issuer, key, signing, leaves: Mutex::default(), clock, chance })
    }

    /// The certificate that clients must trust.
    #[cfg(test)]
    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        self.issuer.der()
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// How to serve `host` (a name or an address): HTTP/1.1 only.
    pub(crate) fn serving(&self, host: &str) -> Result<Arc<ServerConfig>, AuthorityError> {
        let now = self.clock.now();
        let mut leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leaf) = leaves.get(host).filter(|leaf| now < leaf.renew) {
            return Ok(Arc::clone(&leaf.config));
        }
        let config = Arc::new(self.make(host, now)?);
        if leaves.len() >= KEPT {
            leaves.clear();
        }
        let renew = now.plus(LEAF_LIFE / 2);
        leaves.insert(host.to_owned(), Leaf { config: Arc::clone(&config), renew });
        Ok(config)
    }

    fn make(&self, host: &str, now: Timestamp) -> Result<ServerConfig, AuthorityError> {
        let params = CertificateParams::new([host.to_owned()])?;
        // The name stands where clients look for it, among the alternatives; this one has room for 64 letters only.
        let mut params = params_for_host(params, now, &serial(&*self.chance));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = params.signed_by(&self.key, &self.issuer)?;
        let certified = CertifiedKey::new(vec![leaf.der().clone()], Arc::clone(&self.signing));
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn params_for_host(params_of: CertificateParams, now: Timestamp, serial: &[u8; 16]) -> CertificateParams {
    params(params_of, "inspected by Wardkeep", now, LEAF_LIFE, serial)
}

fn params(
    mut params: CertificateParams,
    name: &str,
    now: Timestamp,
    life: Duration,
    serial: &[u8; 16],
) -> CertificateParams {
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    // Certificates hold whole seconds.
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let now = Duration::from_secs(now.since(Timestamp(0)).as_secs());
    params.not_before = epoch + now.saturating_sub(SLACK);
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use wardkeep_proto::chance::SystemChance;

    use super::*;

    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::SeqCst))
        }
    }

    #[test]
    fn a_hosts_certificate_is_kept_for_half_its_life() {
        let clock = Arc::new(Hand(AtomicI64::new(1_763_640_000_000)));
        let authority = Authority::new(Arc::clone(&clock) as _, Arc::new(SystemChance::new())).unwrap();
        let first = authority.serving("a.example").unwrap();
        assert!(Arc::ptr_eq(&first, &authority.serving("a.example").unwrap()));
        assert!(!Arc::ptr_eq(&first, &authority.serving("b.example").unwrap()));
        clock.0.fetch_add(i64::try_from((LEAF_LIFE / 2).as_millis()).unwrap(), Ordering::SeqCst);
        assert!(!Arc::ptr_eq(&first, &authority.serving("a.example").unwrap()));
        assert_eq!(first.alpn_protocols, [b"http/1.1"]);
        for n in 0..2 * KEPT {
            authority.serving(&format!("h{n}.example")).unwrap();
        }
        assert!(authority.leaves.lock().unwrap().len() <= KEPT);
    }

    #[test]
    fn the_key_is_not_in_what_is_written_for_clients() {
        let authority = Authority::new(Arc::new(Hand(AtomicI64::new(0))), Arc::new(SystemChance::new())).unwrap();
        let pem = authority.pem();
        assert!(pem.starts_with("-----BEGIN CERTIFICATE-----") && !pem.contains("PRIVATE"), "{pem}");
    }
}
