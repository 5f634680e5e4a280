//! Test doubles of this crate: a certificate authority, a clock, counted chance.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};
use wardkeep_proto::chance::Chance;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::time::{Clock, Timestamp};

use crate::cli::context::Environment;
use crate::identity::ClientKey;

pub(crate) mod hub;

/// A moment after the certificates' beginning: 2026-11-20.
pub(crate) const NOW: Timestamp = Timestamp(1_795_200_000_000);

/// A clock that stands until it is told.
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn new() -> Self {
        Self(AtomicI64::new(NOW.millis()))
    }

    pub(crate) fn advance(&self, by: std::time::Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).expect("short"), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Each call gives the next number, repeated.
#[derive(Default)]
pub(crate) struct Counted(AtomicU8);

impl Chance for Counted {
    fn fill(&self, out: &mut [u8]) {
        out.fill(self.0.fetch_add(1, Ordering::SeqCst));
    }
}

/// The same byte for ever.
pub(crate) struct Fixed(pub(crate) u8);

impl Chance for Fixed {
    fn fill(&self, out: &mut [u8]) {
        out.fill(self.0);
    }
}

/// What a command line finds around it, for such as ask neither time nor chance.
pub(crate) fn environment() -> Environment {
    Environment {
        credentials_dir: None,
        agent_token: None,
        program: "/usr/bin/wardkeep-agent".into(),
        clock: Arc::new(TestClock::new()),
        chance: Arc::new(Counted::default()),
        waypoints: Arc::new(wardkeep_proto::waypoint::NoWaypoints),
    }
}

pub(crate) struct Server {
    pub(crate) leaf: CertificateDer<'static>,
    pub(crate) key: Vec<u8>,
}

/// A certificate authority as the hub has one.
#[derive(Clone)]
pub(crate) struct Authority {
    issuer: Arc<Issuer<'static, KeyPair>>,
    certificate: CertificateDer<'static>,
    pem: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("key");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).expect("signed");
        let (der, pem) = (certificate.der().clone(), certificate.pem());
        Self { issuer: Arc::new(Issuer::new(params, key)), certificate: der, pem }
    }

    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    pub(crate) fn pem(&self) -> String {
        self.pem.clone()
    }

    pub(crate) fn pin(&self) -> Digest {
        Digest::plain(&self.certificate)
    }

    pub(crate) fn server(&self, name: &str) -> Server {
        let key = KeyPair::generate().expect("key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = params.signed_by(&key, &self.issuer).expect("signed").der().clone();
        Server { leaf, key: key.serialize_der() }
    }

    pub(crate) fn client(&self, name: &str) -> ClientKey {
        let key = KeyPair::generate().expect("key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let leaf = params.signed_by(&key, &self.issuer).expect("signed").der().clone();
        ClientKey::from_parts(vec![leaf, self.certificate()], key.serialize_der())
    }

    /// What the hub answers to a request: leaf, then the authority.
    pub(crate) fn answer(&self, csr: &[u8]) -> String {
        let csr = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(csr.to_vec()))
            .expect("a request");
        format!("{}{}", csr.signed_by(&self.issuer).expect("signed").pem(), self.pem)
    }
}
