use axum::body::Body;
use http::{Request, StatusCode};

use super::*;
use crate::testing::{World, by_token};

async fn me(world: &World, header: &str, value: &str) -> (StatusCode, String) {
    let request = Request::builder().uri("/api/v1/session").header(header, value);
    let (status, _, body) = world.send(request.body(Body::empty()).expect("a request")).await;
    (status, body)
}

#[tokio::test]
async fn a_replayed_or_old_login_link_opens_nothing() {
    let world = World::new().await;
    let ada = world.user("ada", None).await;
    let logins = &world.app().logins;
    let link = logins.new_link(ada.id).await.expect("stored");
    assert!(logins.sign_in("guess").await.expect("asked").is_none());
    assert!(logins.sign_in(&link.token).await.expect("asked").is_some());
    assert!(logins.sign_in(&link.token).await.expect("asked").is_none(), "replayed");
    assert!(logins.peek(&link.token).await.expect("asked").is_none());
    let link = logins.new_link(ada.id).await.expect("stored");
    world.clock.forward(LOGIN_LINK_LIFE);
    assert!(logins.sign_in(&link.token).await.expect("asked").is_none(), "expired");
}

#[tokio::test]
async fn a_preview_of_a_link_spends_nothing_and_a_post_does() {
    let world = World::new().await;
    let ada = world.user("ada", None).await;
    let link = world.app().logins.new_link(ada.id).await.expect("stored");
    let path = format!("/login/{}", link.token);
    let get = || Request::builder().uri(&path).body(Body::empty()).expect("a request");
    for _ in 0..3 {
        let (status, headers, _) = world.send(get()).await;
        assert_eq!(status, StatusCode::OK);
        assert!(!headers.contains_key("set-cookie"));
    }
    let post = |site: &str| {
        let request = Request::builder().method("POST").uri("/login").header("sec-fetch-site", site);
        let form = Body::from(format!("token={}", link.token));
        request.header("content-type", "application/x-www-form-urlencoded").body(form).expect("a request")
    };
    let (status, ..) = world.send(post("cross-site")).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "another site must not sign a browser in");
    let (status, headers, _) = world.send(post("same-origin")).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let cookie = headers["set-cookie"].to_str().expect("text");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"), "{cookie}");
    let (_, headers, _) = world.send(post("same-origin")).await;
    assert!(!headers.contains_key("set-cookie"), "replayed");
}

#[tokio::test]
async fn sign_in_attempts_are_limited() {
    let world = World::new().await;
    let post = || Request::builder().method("POST").uri("/login").body(Body::empty()).expect("a request");
    let mut last = StatusCode::OK;
    for _ in 0..11 {
        last = world.send(post()).await.0;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}

async fn tried(world: &World, method: &str, path: &str) -> StatusCode {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).expect("a request");
    world.send(request).await.0
}

#[tokio::test]
async fn guessed_links_share_the_limit_and_a_good_one_does_not_count() {
    let world = World::new().await;
    let ada = world.user("ada", None).await;
    let good = format!("/login/{}", world.app().logins.new_link(ada.id).await.expect("stored").token);
    for attempt in 0..10 {
        assert_eq!(tried(&world, "GET", &good).await, StatusCode::OK, "{attempt}");
        let method = if attempt % 2 == 0 { "GET" } else { "HEAD" };
        assert_eq!(tried(&world, method, &format!("/login/guess-{attempt}")).await, StatusCode::GONE, "{attempt}");
    }
    for (method, path) in [("GET", "/login/guess"), ("GET", &good), ("POST", "/login")] {
        assert_eq!(tried(&world, method, path).await, StatusCode::TOO_MANY_REQUESTS, "{method} {path}");
    }
    assert_eq!(tried(&world, "GET", "/login").await, StatusCode::OK, "the page without a link tries nothing");
    world.clock.forward(Duration::from_secs(60));
    assert_eq!(tried(&world, "GET", &good).await, StatusCode::OK);
}

#[tokio::test]
async fn a_method_that_is_not_there_is_no_attempt() {
    let world = World::new().await;
    for _ in 0..11 {
        for (method, path) in [("PUT", "/login"), ("DELETE", "/login"), ("POST", "/login/x"), ("PUT", "/login/x")] {
            assert_eq!(tried(&world, method, path).await, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        }
    }
    assert_ne!(tried(&world, "POST", "/login").await, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_session_ends_by_time_and_by_signing_out() {
    let world = World::new().await;
    let ada = world.user("ada", None).await;
    let (cookie, _) = world.signed_in(&ada).await;
    let (status, body) = me(&world, "cookie", &cookie).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.contains("\"ada\""), "{body}");
    let hash = hash("session", cookie.split_once('=').expect("a pair").1);
    world.app().store.end_session(hash).await.expect("stored");
    assert_eq!(me(&world, "cookie", &cookie).await.0, StatusCode::UNAUTHORIZED);
    let (cookie, _) = world.signed_in(&ada).await;
    world.clock.forward(SESSION_LIFE);
    assert_eq!(me(&world, "cookie", &cookie).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_api_token_is_no_cookie_and_a_cookie_no_api_token() {
    let world = World::new().await;
    let ada = world.user("ada", None).await;
    let token = world.api_token(&ada).await;
    assert!(token.starts_with(API_TOKEN_PREFIX));
    assert_eq!(me(&world, "authorization", &format!("Bearer {token}")).await.0, StatusCode::OK);
    assert_eq!(me(&world, "cookie", &format!("wardkeep={token}")).await.0, StatusCode::UNAUTHORIZED);
    let (cookie, _) = world.signed_in(&ada).await;
    let value = cookie.split_once('=').expect("a pair").1;
    assert_eq!(me(&world, "authorization", &format!("Bearer {value}")).await.0, StatusCode::UNAUTHORIZED);
    // A valid cookie does not help a wrong token, or a page could ride on both.
    let mut request = by_token(Method::GET, "/api/v1/session", "wka_wrong", "");
    request.headers_mut().insert("cookie", cookie.parse().expect("a value"));
    assert_eq!(world.send(request).await.0, StatusCode::UNAUTHORIZED);
    world.clock.forward(API_TOKEN_LIFE);
    assert_eq!(me(&world, "authorization", &format!("Bearer {token}")).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let world = World::new().await;
    for path in ["/healthz", "/login", "/nowhere", "/api/v1/session"] {
        let (_, headers, _) = world.send(Request::builder().uri(path).body(Body::empty()).expect("a request")).await;
        let policy = headers["content-security-policy"].to_str().expect("text");
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe-inline"), "{path}: {policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
    }
}

#[test]
fn cookies_over_tls_are_bound_to_the_host() {
    use std::sync::Arc;
    use wardkeep_proto::chance::SystemChance;
    use wardkeep_proto::time::SystemClock;
    let dir = tempfile::tempdir().expect("a folder");
    let db = crate::store::Db::open_sqlite(&dir.path().join("hub.db")).expect("opens");
    let web = WebSettings { public_url: "https://hub.example.com".to_owned(), link_address: String::new() };
    let store = Store::new(db, "test");
    let logins = Logins::new(store, Arc::new(SystemClock), Arc::new(SystemChance::new()), Arc::new(web));
    let cookie = logins.cookie("v", SESSION_LIFE);
    let cookie = cookie.to_str().expect("text");
    assert!(cookie.starts_with("__Host-wardkeep=v;") && cookie.ends_with("; Secure"), "{cookie}");
}
