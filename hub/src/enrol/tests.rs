use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::testing::World;

fn csr() -> Vec<u8> {
    let key = KeyPair::generate().expect("a key");
    CertificateParams::default().serialize_request(&key).expect("a request").der().to_vec()
}

async fn token(world: &World, tenant: TenantId) -> TokenText {
    let (store, now) = (&world.app().store, world.app().clock.now());
    let chance = world.outside.chance.as_ref();
    let token = new_token(store, &world.keys, "127.0.0.1:7443", tenant, now, chance).await.expect("stored");
    let text = token.expose().strip_prefix("wke1.").expect("the prefix");
    serde_json::from_slice(&BASE64URL_NOPAD.decode(text.as_bytes()).expect("base64url")).expect("JSON")
}

async fn spend(world: &World, secret: &str, csr: &[u8]) -> Result<Enrolled, EnrolError> {
    let (store, now) = (&world.app().store, world.app().clock.now());
    enrol(store, &world.keys.ca, secret, csr, now, world.outside.chance.as_ref()).await
}

#[tokio::test]
async fn a_token_enrols_one_request_and_no_other() {
    let world = World::new().await;
    let tenant = world.tenant("bakery", "bakery").await;
    let token = token(&world, tenant).await;
    assert_eq!((token.a.as_str(), token.c), ("127.0.0.1:7443", Digest::plain(world.keys.ca.certificate())));
    assert_eq!(token.r, Digest::plain(&world.keys.root));
    assert!(matches!(spend(&world, "guess", &csr()).await, Err(EnrolError::Token)));
    // A request that cannot be signed does not cost the token.
    assert!(matches!(spend(&world, &token.t, b"nonsense").await, Err(EnrolError::Ca(CaError::Request))));
    let request = csr();
    let first = spend(&world, &token.t, &request).await.expect("enrolled");
    assert_eq!(first.tenant, tenant);
    let again = spend(&world, &token.t, &request).await.expect("the answer may have been lost");
    assert_eq!(again.certificate_pem, first.certificate_pem);
    assert!(matches!(spend(&world, &token.t, &csr()).await, Err(EnrolError::Token)), "second use");
    world.clock.forward(TOKEN_LIFE);
    assert!(matches!(spend(&world, &token.t, &request).await, Err(EnrolError::Token)), "expired");
}

#[tokio::test]
async fn an_expired_token_enrols_nobody() {
    let world = World::new().await;
    let tenant = world.tenant("bakery", "bakery").await;
    let token = token(&world, tenant).await;
    world.clock.forward(TOKEN_LIFE);
    assert!(matches!(spend(&world, &token.t, &csr()).await, Err(EnrolError::Token)));
}

#[tokio::test]
async fn two_at_once_get_one_certificate() {
    let world = World::new().await;
    let tenant = world.tenant("bakery", "bakery").await;
    let token = token(&world, tenant).await;
    let (one, two) = (csr(), csr());
    let (first, second) = tokio::join!(spend(&world, &token.t, &one), spend(&world, &token.t, &two));
    assert_eq!(usize::from(first.is_ok()) + usize::from(second.is_ok()), 1);
}
