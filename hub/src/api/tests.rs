mod passkeys;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::testing::{World, asked, by_token};

async fn call(world: &World, token: &str, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let (status, _, body) = world.send(by_token(method, path, token, &text)).await;
    (status, serde_json::from_str(&body).unwrap_or_default())
}

async fn get(world: &World, token: &str, path: &str) -> (StatusCode, Value) {
    call(world, token, Method::GET, path, Value::Null).await
}

#[tokio::test]
async fn a_user_of_another_organisation_finds_nothing() {
    let world = World::new().await;
    let tenant = world.tenant("bakery", "bakery").await;
    let digest = world.approval(tenant, "red").await;
    let eve = world.api_token(&world.user("eve", Some("butcher")).await).await;
    for path in [
        format!("/api/v1/tenants/{tenant}"),
        format!("/api/v1/tenants/{tenant}/policy"),
        format!("/api/v1/tenants/{tenant}/commands"),
        format!("/api/v1/approvals/{digest}"),
    ] {
        assert_eq!(get(&world, &eve, &path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    for (path, key) in [
        ("/api/v1/tenants".to_owned(), "tenants"),
        ("/api/v1/approvals".to_owned(), "approvals"),
        (format!("/api/v1/approvals?tenant={tenant}"), "approvals"),
        (format!("/api/v1/activity?tenant={tenant}"), "activity"),
        (format!("/api/v1/usage?tenant={tenant}"), "usage"),
    ] {
        assert_eq!(get(&world, &eve, &path).await.1[key], json!([]), "{path}");
    }
    let decision = format!("/api/v1/approvals/{digest}/decision");
    let (status, _) = call(&world, &eve, Method::POST, &decision, json!({"verdict": "approved"})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let order = format!("/api/v1/tenants/{tenant}/commands");
    let (status, _) = call(&world, &eve, Method::POST, &order, json!({"kind": "run_doctor"})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let ada = world.api_token(&world.user("ada", Some("bakery")).await).await;
    assert_eq!(get(&world, &ada, &format!("/api/v1/approvals/{digest}")).await.1["state"], "pending");
}

#[tokio::test]
async fn a_decision_is_taken_once() {
    let world = World::new().await;
    let tenant = world.tenant("bakery", "bakery").await;
    let digest = world.approval(tenant, "red").await;
    let ada = world.api_token(&world.user("ada", Some("bakery")).await).await;
    let path = format!("/api/v1/approvals/{digest}/decision");
    for wrong in [json!({}), json!({"verdict": "maybe"}), json!({"verdict": "approved", "by": "root"}), Value::Null] {
        assert_eq!(call(&world, &ada, Method::POST, &path, wrong.clone()).await.0, StatusCode::BAD_REQUEST, "{wrong}");
    }
    let long = json!({"verdict": "denied", "note": "x".repeat(1001)});
    assert_eq!(call(&world, &ada, Method::POST, &path, long).await.0, StatusCode::BAD_REQUEST);
    let (status, body) = call(&world, &ada, Method::POST, &path, json!({"verdict": "denied", "note": "no"})).await;
    assert_eq!((status, &body["state"], &body["decision"]["by"]), (StatusCode::OK, &json!("denied"), &json!("ada")));
    let (status, body) = call(&world, &ada, Method::POST, &path, json!({"verdict": "approved"})).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::CONFLICT, &json!("already_decided")));
}

#[tokio::test]
async fn late_and_critical_calls_are_not_approved() {
    let world = World::new().await;
    let tenant = world.tenant("bakery", "bakery").await;
    let (red, critical) = (world.approval(tenant, "red").await, world.approval(tenant, "critical_red").await);
    let ada = world.api_token(&world.user("ada", Some("bakery")).await).await;
    let path = format!("/api/v1/approvals/{critical}/decision");
    let (status, body) = call(&world, &ada, Method::POST, &path, json!({"verdict": "approved"})).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::CONFLICT, &json!("needs_passkey")));
    let (status, _) = call(&world, &ada, Method::POST, &path, json!({"verdict": "denied"})).await;
    assert_eq!(status, StatusCode::OK, "denying needs no passkey");
    world.clock.forward(std::time::Duration::from_secs(3600));
    let path = format!("/api/v1/approvals/{red}/decision");
    let (status, body) = call(&world, &ada, Method::POST, &path, json!({"verdict": "approved"})).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::CONFLICT, &json!("late")));
    assert_eq!(get(&world, &ada, &format!("/api/v1/approvals/{red}")).await.1["state"], "expired");
}

#[tokio::test]
async fn what_the_hub_cannot_read_is_denied_or_not_decided() {
    let world = World::new().await;
    let tenant = world.tenant("bakery", "bakery").await;
    let ada = world.api_token(&world.user("ada", Some("bakery")).await).await;
    let mut digests = vec![world.approval(tenant, "violet").await];
    let no_call = format!(r#"{{"tenant":"{tenant}","class":"red"}}"#);
    for document in [no_call.as_bytes(), b"{}", b"[]", b"\"red\"", b"nonsense", b"\xff", b""] {
        let new = asked(document, world.app().clock.now());
        digests.push(new.digest);
        world.app().store.put_approval(tenant, new, world.app().clock.now()).await.expect("stored");
    }
    for digest in digests {
        let path = format!("/api/v1/approvals/{digest}/decision");
        let (status, body) = call(&world, &ada, Method::POST, &path, json!({"verdict": "approved"})).await;
        assert_eq!((status, &body["error"]["code"]), (StatusCode::CONFLICT, &json!("unreadable")), "{digest}");
        assert_eq!(get(&world, &ada, &format!("/api/v1/approvals/{digest}")).await.1["state"], "pending");
        let (status, body) = call(&world, &ada, Method::POST, &path, json!({"verdict": "denied"})).await;
        assert_eq!((status, &body["state"]), (StatusCode::OK, &json!("denied")), "{digest}");
    }
    let path = format!("/api/v1/approvals/{}/decision", world.approval(tenant, "red").await);
    let (status, body) = call(&world, &ada, Method::POST, &path, json!({"verdict": "approved"})).await;
    assert_eq!((status, &body["state"]), (StatusCode::OK, &json!("approved")), "a call that can be read");
}

#[tokio::test]
async fn lists_go_on_where_they_ended() {
    let world = World::new().await;
    let tenant = world.tenant("bakery", "bakery").await;
    let mut given = Vec::new();
    for class in ["a", "b", "c", "d", "e"] {
        given.push(world.approval(tenant, class).await.to_string());
    }
    let ada = world.api_token(&world.user("ada", None).await).await;
    let (mut found, mut path) = (Vec::new(), "/api/v1/approvals?limit=2".to_owned());
    loop {
        let (_, body) = get(&world, &ada, &path).await;
        let digests = body["approvals"].as_array().expect("a list").iter();
        found.extend(digests.map(|approval| approval["digest"].as_str().expect("text").to_owned()));
        let Some(next) = body["next"].as_str() else { break };
        path = format!("/api/v1/approvals?limit=2&before={next}");
    }
    given.sort_unstable();
    given.reverse();
    assert_eq!(found, given);
    for bad in ["before=x", "before=1-x", "state=odd"] {
        assert_eq!(get(&world, &ada, &format!("/api/v1/approvals?{bad}")).await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
}
