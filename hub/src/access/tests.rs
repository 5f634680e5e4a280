use std::collections::BTreeSet;

use axum::body::Body;
use http::{Request, StatusCode, header};
use utoipa::OpenApi as _;
use wardkeep_proto::ids::TenantId;

use super::*;
use crate::store::Caller;
use crate::testing::{World, by_token};

fn table() -> Vec<HttpLine> {
    HTTP.iter().chain(crate::pages::HTTP).cloned().collect()
}

fn sorted(lines: &[HttpLine]) -> BTreeSet<String> {
    lines.iter().map(|(method, path, access)| format!("{path} {method} {access:?}")).collect()
}

/// The path with something in the place of each parameter.
fn example(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "x".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_stands_in_the_table() {
    let world = World::new().await;
    let (_, built) = crate::serve::router(world.app().clone());
    assert_eq!(sorted(&built), sorted(&table()));
    assert_eq!(built.len(), table().len(), "a line stands there twice");
}

#[test]
fn every_rpc_stands_in_the_table() {
    let proto = include_str!("../../../proto/wardkeep/v1/wardkeep.proto");
    let (mut service, mut found) = (String::new(), BTreeSet::new());
    for line in proto.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("service ") {
            service = name.trim_end_matches(" {").to_owned();
        }
        if let Some(rest) = line.strip_prefix("rpc ") {
            found.insert(format!("wardkeep.v1.{service}/{}", rest.split('(').next().expect("a name")));
        }
    }
    assert_eq!(RPC.iter().map(|(name, _)| (*name).to_owned()).collect::<BTreeSet<_>>(), found);
    let open: Vec<_> = RPC.iter().filter(|(_, access)| *access != Access::Tenant).collect();
    assert_eq!(open, [&("wardkeep.v1.Enrolment/Enrol", Access::TokenHolder)]);
}

#[test]
fn every_route_of_the_api_is_documented() {
    let document = crate::api::Document::openapi();
    let documented: BTreeSet<&str> = document.paths.paths.keys().map(String::as_str).collect();
    let served: BTreeSet<&str> = HTTP
        .iter()
        .map(|(_, path, _)| *path)
        .filter(|path| path.starts_with("/api/") && *path != "/api/v1/openapi.json")
        .collect();
    assert_eq!(documented, served);
}

#[tokio::test]
async fn nobody_gets_past_a_guard_without_signing_in() {
    let world = World::new().await;
    for (method, path, access) in table() {
        if matches!(access, Access::Anyone | Access::TokenHolder) {
            continue;
        }
        for wrong in [None, Some(("authorization", "Bearer wka_wrong")), Some(("cookie", "wardkeep=wrong"))] {
            let mut request = Request::builder().method(method.clone()).uri(example(path));
            if let Some((name, value)) = wrong {
                request = request.header(name, value);
            }
            let (status, headers, _) = world.send(request.body(Body::empty()).expect("a request")).await;
            let refused = if path.starts_with("/api/") {
                status == StatusCode::UNAUTHORIZED
            } else {
                status == StatusCode::SEE_OTHER && headers[header::LOCATION] == "/login"
            };
            assert!(refused, "{method} {path} {wrong:?}: {status}");
        }
    }
}

#[tokio::test]
async fn another_organisations_tenant_is_nowhere() {
    let world = World::new().await;
    let theirs = world.tenant("bakery", "bakery").await;
    let unknown = TenantId::new(world.app().clock.now(), world.outside.chance.as_ref());
    let publisher = &world.app().publisher;
    publisher.publish(&Caller::Operator, "ada", theirs, crate::policies::EXAMPLE).await.expect("published");
    let ada = world.api_token(&world.user("ada", Some("bakery")).await).await;
    let eve = world.api_token(&world.user("eve", Some("butcher")).await).await;
    let routes: Vec<_> = table().into_iter().filter(|(_, path, _)| path.contains("/tenants/{")).collect();
    assert!(routes.len() >= 5, "too few routes were tried: {routes:?}");
    for (method, path, _) in routes {
        // The pages' writes are forms, and lead back to their page.
        let is_form = method == Method::POST && !path.starts_with("/api/");
        let status = async |tenant: &str, token: &str| {
            let path = path.replace("{tenant}", tenant).replace("{name}", tenant);
            let mut request = by_token(method.clone(), &path, token, r#"{"kind":"run_doctor"}"#);
            if is_form {
                *request.body_mut() = Body::from(format!("whom=*&to=stop&reason=x&grant={}", "0".repeat(64)));
                let kind = http::HeaderValue::from_static("application/x-www-form-urlencoded");
                request.headers_mut().insert(header::CONTENT_TYPE, kind);
            }
            world.send(request).await.0
        };
        // The pages name a tenant by its name, the API by its id.
        let by_name = path.contains("{name}");
        let own = if by_name { "bakery".to_owned() } else { theirs.to_string() };
        for nowhere in [own.clone(), unknown.to_string(), "x".to_owned()] {
            assert_eq!(status(&nowhere, &eve).await, StatusCode::NOT_FOUND, "{method} {path} {nowhere}");
        }
        let found = status(&own, &ada).await;
        assert!(
            found.is_success() || (is_form && found == StatusCode::SEE_OTHER),
            "{method} {path} of the own tenant: {found}"
        );
    }
    let ordered = world.app().store.commands(&Caller::Operator, theirs, 9).await.expect("read");
    assert!(ordered.iter().all(|command| command.ordered_by == "ada"), "{ordered:?}");
}

#[tokio::test]
async fn no_write_by_cookie_passes_without_its_csrf_token() {
    let world = World::new().await;
    let ada = world.user("ada", None).await;
    let (cookie, csrf) = world.signed_in(&ada).await;
    let (_, csrf_of_another) = world.signed_in(&ada).await;
    let writes = table()
        .into_iter()
        .filter(|(method, _, access)| *method != Method::GET && matches!(access, Access::Person | Access::Operator));
    let mut tried = 0;
    for (method, path, _) in writes {
        let request = |headers: &[(&str, &str)], body: &str| {
            let mut request = Request::builder().method(method.clone()).uri(example(path)).header("cookie", &cookie);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            request.body(Body::from(body.to_owned())).expect("a request")
        };
        let form = ("content-type", "application/x-www-form-urlencoded");
        for (headers, body) in [
            (vec![], String::new()),
            (vec![("x-csrf-token", "wrong")], String::new()),
            (vec![("x-csrf-token", "")], String::new()),
            (vec![("x-csrf-token", csrf_of_another.as_str())], String::new()),
            (vec![form], "csrf=wrong".to_owned()),
            (vec![("content-type", "text/plain")], format!("csrf={csrf}")),
            (vec![("x-csrf-token", csrf.as_str()), ("sec-fetch-site", "cross-site")], String::new()),
            (vec![("x-csrf-token", csrf.as_str()), ("origin", "https://evil.example")], String::new()),
            (vec![("x-csrf-token", csrf.as_str()), ("origin", "null")], String::new()),
        ] {
            let (status, ..) = world.send(request(&headers, &body)).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{path} {headers:?} {body}");
        }
        let (status, ..) = world.send(request(&[("x-csrf-token", &csrf)], "")).await;
        assert_ne!(status, StatusCode::FORBIDDEN, "{path}");
        tried += 1;
        if path.ends_with("logout") {
            return assert!(tried > 0, "the session has ended; logout comes last");
        }
    }
    assert!(tried > 0, "there is at least one write");
}
