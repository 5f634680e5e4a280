use super::*;
use crate::enrol::enrol;
use crate::identity::Validity;
use crate::testing::NOW;
use crate::testing::hub::FakeHub;

/// Certificates of the fake hub live from 1975 to 4096: half of that is in 3035.
const LATE: Timestamp = Timestamp(40_000_000_000_000);

async fn enrolled() -> (FakeHub, tempfile::TempDir, IdentityDir, Identity) {
    let hub = FakeHub::start().await;
    let folder = tempfile::tempdir().expect("tempdir");
    let dir = IdentityDir::new(folder.path().to_owned());
    let identity = enrol(&dir, &hub.token(), "acme-1", NOW).await.expect("enrolled");
    (hub, folder, dir, identity)
}

#[test]
fn renewal_is_due_from_half_of_the_life_on() {
    let life = Validity { from: Timestamp(1000), until: Timestamp(2000) };
    for (now, due, overdue) in [(999, false, false), (1499, false, false), (1500, true, false), (1750, true, true)] {
        let now = Timestamp(now);
        assert_eq!((life.renewal_due(now), life.renewal_overdue(now)), (due, overdue), "{now:?}");
    }
}

#[tokio::test]
async fn a_certificate_is_renewed_once_and_takes_over() {
    let (hub, _folder, dir, identity) = enrolled().await;
    assert!(renew_if_due(&dir, &identity, &hub.address, NOW).await.expect("nothing to do").is_none());
    let renewed = renew_if_due(&dir, &identity, &hub.address, LATE).await.expect("renewed").expect("a certificate");
    assert_ne!(renewed.chain()[0], identity.client.chain()[0]);
    assert_ne!(renewed.key_pkcs8(), identity.client.key_pkcs8());
    let stored = dir.load().expect("reads").expect("enrolled");
    assert_eq!(stored.client.chain(), renewed.chain());
    assert!(dir.read("renewal.key").expect("reads").is_none() && dir.read("renewal.csr").expect("reads").is_none());
    assert_eq!(hub.seen.lock().expect("unpoisoned").renewals.len(), 1);
}

#[tokio::test]
async fn a_crash_with_a_candidate_goes_on_with_it() {
    let (hub, _folder, dir, identity) = enrolled().await;
    ask(&dir, &identity, &hub.address).await.expect("asked");
    let candidate = dir.client_key("renewal.pem").expect("stored");
    let renewed = renew_if_due(&dir, &identity, &hub.address, LATE).await.expect("renewed").expect("a certificate");
    assert_eq!(renewed.chain(), candidate.chain());
    assert_eq!(hub.seen.lock().expect("unpoisoned").renewals.len(), 1, "the hub was not asked again");
}

#[tokio::test]
async fn a_candidate_that_cannot_be_used_leaves_the_present_one() {
    let (hub, _folder, dir, identity) = enrolled().await;
    for damaged in [&b"not pem"[..], b""] {
        dir.write("renewal.pem", damaged).expect("written");
        assert!(renew_if_due(&dir, &identity, &hub.address, LATE).await.is_err());
        assert_eq!(dir.load().expect("reads").expect("enrolled").client.chain(), identity.client.chain());
        assert!(dir.read("renewal.pem").expect("reads").is_none(), "the next attempt starts anew");
    }
    // A candidate of another authority: the hub does not take it.
    let eve = crate::testing::Authority::new("eve").client("acme");
    let pem = |der: &[u8], label: &str| {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", data_encoding::BASE64.encode(der))
    };
    let both = format!("{}{}", pem(eve.key_pkcs8(), "PRIVATE KEY"), pem(&eve.chain()[0], "CERTIFICATE"));
    dir.write("renewal.pem", both.as_bytes()).expect("written");
    assert!(renew_if_due(&dir, &identity, &hub.address, LATE).await.is_err());
    assert_eq!(dir.load().expect("reads").expect("enrolled").client.chain(), identity.client.chain());
    assert!(dir.read("renewal.pem").expect("reads").is_none(), "the present one works, so the candidate is to blame");
}

#[tokio::test]
async fn a_hub_that_is_gone_does_not_condemn_a_candidate() {
    let (hub, _folder, dir, identity) = enrolled().await;
    ask(&dir, &identity, &hub.address).await.expect("asked");
    let gone = "https://localhost:1".parse().expect("valid");
    assert!(renew_if_due(&dir, &identity, &gone, LATE).await.is_err());
    assert!(dir.read("renewal.pem").expect("reads").is_some());
    assert!(renew_if_due(&dir, &identity, &hub.address, LATE).await.expect("renewed").is_some());
}
