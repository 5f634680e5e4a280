use std::time::Duration;

use super::*;
use crate::testing::Authority;

fn at_now() -> UnixTime {
    // Certificates of rcgen are valid from 1975 to 4096.
    UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000))
}

fn verify(pin: Digest, leaf: &CertificateDer<'_>, chain: &[CertificateDer<'_>], name: &str) -> Result<(), String> {
    let verifier = PinnedAuthority { pin, provider: Arc::new(rustls::crypto::ring::default_provider()) };
    let name = ServerName::try_from(name).expect("valid").to_owned();
    verifier.verify_server_cert(leaf, chain, &name, &[], at_now()).map(|_| ()).map_err(|e| e.to_string())
}

#[test]
fn everything_but_the_pinned_authority_is_refused() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let good = ours.server("localhost");
    let foreign = other.server("localhost");
    let pin = ours.pin();
    for (what, result) in [
        ("another hash", verify(Digest([7; 32]), &good.leaf, &[ours.certificate()], "localhost")),
        ("another authority", verify(pin, &foreign.leaf, &[other.certificate()], "localhost")),
        (
            "our authority shown beside a leaf of another",
            verify(pin, &foreign.leaf, &[ours.certificate()], "localhost"),
        ),
        ("no authority shown", verify(pin, &good.leaf, &[], "localhost")),
        ("another name", verify(pin, &good.leaf, &[ours.certificate()], "example.com")),
        ("the authority as the leaf", verify(pin, &ours.certificate(), &[ours.certificate()], "localhost")),
    ] {
        assert!(result.is_err(), "{what}");
    }
    assert_eq!(verify(pin, &good.leaf, &[ours.certificate()], "localhost"), Ok(()));
    assert_eq!(verify(pin, &good.leaf, &[other.certificate(), ours.certificate()], "localhost"), Ok(()));
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let ca = Authority::new("ours");
    let (one, two) = (ca.client("one"), ca.client("two"));
    let mixed = ClientKey::from_parts(one.chain().to_vec(), two.key_pkcs8().to_vec());
    let trust = HubTrust::Authority(ca.certificate());
    assert!(matches!(client_config(&trust, Some(&mixed)), Err(TlsError::Client(_))));
    assert!(client_config(&trust, Some(&one)).is_ok());
}
