use super::*;
use crate::testing::NOW;
use crate::testing::hub::{FakeHub, TENANT};

type Lie = fn(&mut EnrolResponse);

fn dir() -> (tempfile::TempDir, IdentityDir) {
    let dir = tempfile::tempdir().expect("tempdir");
    let identity = IdentityDir::new(dir.path().to_owned());
    (dir, identity)
}

fn files(dir: &tempfile::TempDir) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir.path())
        .expect("lists")
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_hub_that_is_not_the_tokens_never_sees_the_secret() {
    let hub = FakeHub::start().await;
    let (folder, identity) = dir();
    let token = hub.token_with(Digest([7; 32]), hub.token().root);
    let error = enrol(&identity, &token, "acme-1", NOW).await.expect_err("refused");
    assert!(matches!(error, EnrolError::Connect(_)), "{error}");
    assert!(hub.seen.lock().expect("unpoisoned").enrolments.is_empty());
    assert_eq!(files(&folder), ["request.csr", "request.key"], "nothing counts as enrolled");
    assert!(identity.load().expect("reads").is_none());
}

#[tokio::test]
async fn an_answer_that_contradicts_the_token_enrols_nothing() {
    let hub = FakeHub::start().await;
    let (_folder, identity) = dir();
    let spoils: [(&str, Lie); 8] = [
        ("another authority", |a| a.ca_pem = crate::testing::Authority::new("other").pem()),
        ("no authority", |a| a.ca_pem.clear()),
        ("another root key", |a| a.root_key = vec![1; 32]),
        ("a short root key", |a| a.root_key.truncate(31)),
        ("an unsigned key list", |a| a.key_list = b"{}".to_vec()),
        ("no decision key", |a| a.decision_key.clear()),
        ("no tenant", |a| a.tenant_id = "acme".into()),
        ("a certificate for another key", |a| {
            let other = crate::testing::Authority::new("hub").client("eve");
            let der = data_encoding::BASE64.encode(&other.chain()[0]);
            a.certificate_chain_pem = format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n");
        }),
    ];
    for (what, spoil) in spoils {
        hub.spoil(Some(spoil));
        let error = enrol(&identity, &hub.token(), "acme-1", NOW).await.expect_err(what);
        assert!(matches!(error, EnrolError::Untrusted(_)), "{what}: {error}");
        assert!(identity.load().expect("reads").is_none(), "{what}");
    }
    let seen = hub.seen.lock().expect("unpoisoned");
    let first = &seen.enrolments[0].csr_der;
    assert!(seen.enrolments.iter().all(|e| e.csr_der == *first), "a retry sends the same request");
}

#[tokio::test]
async fn a_crash_at_any_file_is_mended_by_a_retry() {
    let hub = FakeHub::start().await;
    let (folder, identity) = dir();
    let enrolled = enrol(&identity, &hub.token(), "acme-1", NOW).await.expect("enrolled");
    assert_eq!((enrolled.tenant.to_string().as_str(), enrolled.name.as_str()), (TENANT, "acme"));
    let whole = files(&folder);
    assert_eq!(whole, ["ca.pem", "client.pem", "keys.dsse", "tenant.json"]);

    // Whatever was written before `tenant.json` when the power went: the retry makes it whole.
    for kept in [&[][..], &["ca.pem"], &["ca.pem", "keys.dsse"], &["ca.pem", "keys.dsse", "client.pem"]] {
        for name in &whole {
            if !kept.contains(&name.as_str()) {
                identity.remove(name).expect("removed");
            }
        }
        assert!(identity.load().expect("reads").is_none());
        enrol(&identity, &hub.token(), "acme-1", NOW).await.expect("enrolled");
        assert_eq!(files(&folder), whole);
    }
}

#[tokio::test]
async fn an_enrolled_server_stays_what_it_is() {
    let hub = FakeHub::start().await;
    let (_folder, identity) = dir();
    let first = enrol(&identity, &hub.token(), "acme-1", NOW).await.expect("enrolled");
    let again = enrol(&identity, &hub.token(), "acme-1", NOW).await.expect("the same");
    assert_eq!(again.client.chain(), first.client.chain());
    assert_eq!(hub.seen.lock().expect("unpoisoned").enrolments.len(), 1);

    let other = FakeHub::start().await;
    let error = enrol(&identity, &other.token(), "acme-1", NOW).await.expect_err("refused");
    assert!(matches!(error, EnrolError::OtherHub { .. }));

    identity.write("ca.pem", crate::testing::Authority::new("eve").pem().as_bytes()).expect("written");
    assert!(matches!(identity.load(), Err(IdentityError::Damaged { .. })), "a swapped authority is noticed");
}

#[tokio::test]
async fn half_a_request_is_finished_with_the_same_key() {
    let (_folder, identity) = dir();
    let first = request(&identity, "acme-1").expect("made");
    assert_eq!(request(&identity, "acme-1").expect("read").csr, first.csr);
    identity.remove("request.csr").expect("removed");
    let again = request(&identity, "acme-1").expect("made again");
    assert_eq!(again.key.serialize_der(), first.key.serialize_der());
    identity.remove("request.key").expect("removed");
    let other = request(&identity, "acme-1").expect("made anew");
    assert_ne!(other.key.serialize_der(), first.key.serialize_der());
    assert_ne!(other.csr, again.csr, "a request never outlives its key");
}
