//! Passkeys through the API, with a key in software.

use data_encoding::BASE64URL_NOPAD;
use wardkeep_passkey::soft::SoftKey;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantId;

use super::*;
use crate::passkeys::CHALLENGE_LIFE;
use crate::store::status::Status;

const PASSKEYS: &str = "/api/v1/passkeys";

struct Portal {
    world: World,
    ada: String,
}

impl Portal {
    async fn new() -> Self {
        let world = World::new().await;
        world.tenant("bakery", "bakery").await;
        let ada = world.api_token(&world.user("ada", Some("bakery")).await).await;
        Self { world, ada }
    }

    fn key(&self, name: &[u8]) -> SoftKey {
        SoftKey::es256(&self.world.app().web.public_url, name)
    }

    async fn challenge(&self, token: &str) -> Vec<u8> {
        let (status, body) = call(&self.world, token, Method::POST, &format!("{PASSKEYS}/challenge"), json!({})).await;
        assert_eq!((status, &body["rp_id"]), (StatusCode::OK, &json!("localhost")), "{body}");
        BASE64URL_NOPAD.decode(body["challenge"].as_str().expect("text").as_bytes()).expect("base64url")
    }

    /// Sends what `key` made for `signed`, as an answer to `challenge`.
    async fn register(&self, token: &str, key: &mut SoftKey, challenge: &[u8], signed: &[u8]) -> (StatusCode, Value) {
        let challenge = BASE64URL_NOPAD.encode(challenge);
        let body = json!({"name": "phone", "challenge": challenge, "registration": key.register(signed)});
        call(&self.world, token, Method::POST, PASSKEYS, body).await
    }

    async fn registered(&self, key: &mut SoftKey) {
        let challenge = self.challenge(&self.ada).await;
        let (status, body) = self.register(&self.ada, key, &challenge, &challenge).await;
        assert_eq!(status, StatusCode::OK, "{body}");
    }

    async fn tenant(&self) -> TenantId {
        let (_, body) = get(&self.world, &self.ada, "/api/v1/tenants").await;
        body["tenants"][0]["id"].as_str().expect("text").parse().expect("an id")
    }

    /// The tenant says that it trusts these.
    async fn trusts(&self, pinned: Option<Vec<Digest>>) {
        let (store, tenant) = (&self.world.app().store, self.tenant().await);
        let epoch = store.next_epoch(tenant).await.expect("stored").expect("a tenant");
        let status = Status { passkeys: pinned, ..crate::testing::status(epoch, self.world.app().clock.now()) };
        store.put_status(tenant, status).await.expect("stored").expect("the newest");
    }
}

#[tokio::test]
async fn a_key_is_registered_by_its_person_once_in_time_and_here() {
    let portal = Portal::new().await;
    let eve = portal.world.api_token(&portal.world.user("eve", Some("butcher")).await).await;
    let mut key = portal.key(b"phone");
    let challenge = portal.challenge(&portal.ada).await;
    for (what, token, signed) in
        [("another person", &eve, challenge.clone()), ("another challenge", &portal.ada, vec![7; 32])]
    {
        let (status, body) = portal.register(token, &mut key, &challenge, &signed).await;
        assert_eq!((status, &body["error"]["code"]), (StatusCode::CONFLICT, &json!("passkey")), "{what}");
    }
    let mut elsewhere = SoftKey::es256("https://evil.example", b"phone");
    assert_eq!(portal.register(&portal.ada, &mut elsewhere, &challenge, &challenge).await.0, StatusCode::CONFLICT);
    let (status, body) = portal.register(&portal.ada, &mut key, &challenge, &challenge).await;
    assert_eq!((status, &body["code"]), (StatusCode::OK, &json!(key.passkey().code())), "{body}");
    let (status, _) = portal.register(&portal.ada, &mut portal.key(b"other"), &challenge, &challenge).await;
    assert_eq!(status, StatusCode::CONFLICT, "a challenge is spent once");
    let challenge = portal.challenge(&portal.ada).await;
    portal.world.clock.forward(CHALLENGE_LIFE);
    let (status, _) = portal.register(&portal.ada, &mut portal.key(b"other"), &challenge, &challenge).await;
    assert_eq!(status, StatusCode::CONFLICT, "it ends");
    // Nobody else sees it or gives it up.
    let removal = format!("{PASSKEYS}/{}/removal", key.passkey().fingerprint());
    assert_eq!(get(&portal.world, &eve, PASSKEYS).await.1["passkeys"], json!([]));
    assert_eq!(call(&portal.world, &eve, Method::POST, &removal, json!({})).await.0, StatusCode::NOT_FOUND);
    let store = &portal.world.app().store;
    let offered = store.offered_passkeys(portal.tenant().await, 64).await.expect("read");
    assert_eq!((offered.len(), offered[0].owner.as_str(), offered[0].key.removed), (1, "ada", None));
    let (status, body) = call(&portal.world, &portal.ada, Method::POST, &removal, json!({})).await;
    assert_eq!((status, &body["passkeys"]), (StatusCode::OK, &json!([])));
    let offered = store.offered_passkeys(portal.tenant().await, 64).await.expect("read");
    assert!(offered.len() == 1 && offered[0].key.removed.is_some(), "tenants are told that it is gone");
}

#[tokio::test]
async fn a_critical_call_is_approved_by_a_trusted_key_of_whoever_is_signed_in() {
    let portal = Portal::new().await;
    let (mut phone, mut twin) = (portal.key(b"phone"), portal.key(b"phone"));
    portal.registered(&mut phone).await;
    let digest = portal.world.approval(portal.tenant().await, "critical_red").await;
    let bob = portal.world.api_token(&portal.world.user("bob", Some("bakery")).await).await;
    let path = format!("/api/v1/approvals/{digest}/decision");
    let decide = async |token: &str, assertion: wardkeep_passkey::Assertion| {
        let body = json!({"verdict": "approved", "passkey": assertion});
        let (status, body) = call(&portal.world, token, Method::POST, &path, body).await;
        (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    let refused = (StatusCode::CONFLICT, "passkey".to_owned());
    for pinned in [None, Some(vec![]), Some(vec![twin.passkey().fingerprint()])] {
        portal.trusts(pinned.clone()).await;
        assert_eq!(decide(&portal.ada, phone.assert(&digest)).await, refused, "{pinned:?}");
    }
    portal.trusts(Some(vec![phone.passkey().fingerprint()])).await;
    assert_eq!(decide(&portal.ada, twin.assert(&digest)).await, refused, "another key of that name");
    assert_eq!(decide(&portal.ada, phone.assert(&Digest([1; 32]))).await, refused, "another call");
    assert_eq!(decide(&bob, phone.assert(&digest)).await, refused, "somebody else's key");
    assert_eq!(decide(&portal.ada, phone.assert(&digest)).await, (StatusCode::OK, String::new()));
    let open = portal.world.app().store.open_decisions(portal.tenant().await).await.expect("read");
    let signed = open[0].assertion.as_ref().expect("it goes down with the decision");
    assert!(phone.passkey().verify(signed, &digest).is_ok());
}

#[tokio::test]
async fn a_key_is_let_in_by_one_that_the_server_trusts() {
    let portal = Portal::new().await;
    let (mut phone, mut laptop) = (portal.key(b"phone"), portal.key(b"laptop"));
    portal.registered(&mut phone).await;
    portal.registered(&mut laptop).await;
    portal.trusts(Some(vec![phone.passkey().fingerprint()])).await;
    let tenant = portal.tenant().await;
    let path = format!("{PASSKEYS}/{}/introduction", laptop.passkey().fingerprint());
    let (_, asked) = call(&portal.world, &portal.ada, Method::POST, &path, json!({"tenant": tenant})).await;
    let challenge = BASE64URL_NOPAD.decode(asked["challenge"].as_str().expect("text").as_bytes()).expect("base64url");
    let challenge = Digest::try_from(challenge.as_slice()).expect("a digest");
    let expires = asked["expires_ms"].as_i64().expect("a time");
    for (what, assertion, expires, status) in [
        ("the key itself", laptop.assert(&challenge), expires, StatusCode::CONFLICT),
        ("a longer time", phone.assert(&challenge), expires + 1, StatusCode::CONFLICT),
        ("over", phone.assert(&challenge), 1, StatusCode::CONFLICT),
        ("a trusted one", phone.assert(&challenge), expires, StatusCode::OK),
    ] {
        let body = json!({"tenant": tenant, "expires_ms": expires, "assertion": assertion});
        assert_eq!(call(&portal.world, &portal.ada, Method::POST, &path, body).await.0, status, "{what}");
    }
    let offered = portal.world.app().store.offered_passkeys(tenant, 64).await.expect("read");
    let introduced =
        offered.iter().filter(|offered| offered.introduction.is_some()).map(|offered| &offered.key.passkey);
    assert_eq!(introduced.collect::<Vec<_>>(), [&laptop.passkey()]);
}
