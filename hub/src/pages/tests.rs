//! What holds for every page, over all samples.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use axum::routing::{get, post};
use axum::{Router, http};
use tower::ServiceExt;

use super::samples::{HOSTILE, Sample, all};
use super::shell::Theme;
use super::{CSP, HTTP, links, refusal};
use crate::api::error::Refusal;

fn samples() -> Vec<Sample> {
    all(Theme::Dark).expect("every view renders")
}

/// Tags of a page with their attributes, as text. The templates write no `>` inside a tag; text escapes it.
fn tags(html: &str) -> impl Iterator<Item = &str> {
    html.split('<').skip(1).filter_map(|rest| rest.split_once('>').map(|(tag, _)| tag))
}

fn attributes(tag: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = tag.split_once(' ').map_or("", |(_, rest)| rest);
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let end = rest.find([' ', '=']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() {
            return None;
        }
        let Some(after) = after.strip_prefix('=') else {
            rest = after;
            return Some((name, ""));
        };
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
        let quote = quote.unwrap_or_else(|| panic!("an attribute without quotes in <{tag}>"));
        let (value, after) = after[1..].split_once(quote).unwrap_or_else(|| panic!("an open attribute in <{tag}>"));
        rest = after;
        Some((name, value))
    })
}

#[test]
fn every_view_has_a_sample_that_renders() {
    let samples = samples();
    let names: BTreeSet<_> = samples.iter().map(|sample| sample.name.as_str()).collect();
    assert_eq!(names.len(), samples.len(), "two samples share a name");
    for view in [
        "login",
        "fleet",
        "tenant",
        "approvals",
        "approval",
        "usage",
        "passkeys",
        "policy",
        "review",
        "error",
        "offline",
    ] {
        assert!(names.iter().any(|name| name.starts_with(view)), "no sample of {view}");
    }
    for Sample { name, html } in &samples {
        assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"), "{name}");
        assert!(!html.contains("{{") && !html.contains("{%"), "{name}");
    }
}

#[test]
fn hostile_text_never_becomes_markup() {
    let mut seen = 0;
    for Sample { name, html } in samples() {
        assert!(!html.contains(HOSTILE) && !html.contains("<script>") && !html.contains("<img src=x"), "{name}");
        seen += html.matches("&#60;script&#62;").count();
    }
    assert!(seen > 30, "the hostile text is in too few places: {seen}");
}

#[test]
fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
    for Sample { name, html } in samples() {
        for tag in tags(&html) {
            assert!(!tag.starts_with("style"), "{name}: <{tag}>");
            assert!(!tag.starts_with("script") || tag.contains(" src=\"/assets/"), "{name}: <{tag}>");
            for (attribute, value) in attributes(tag) {
                assert!(
                    !attribute.starts_with("on") && attribute != "style" && !attribute.starts_with("hx-on"),
                    "{name}: <{tag}>"
                );
                let address = matches!(attribute, "href" | "src" | "action" | "hx-get" | "data-events" | "data-worker");
                assert!(
                    !address || value.starts_with('/') || value.starts_with('#'),
                    "{name}: <{tag}> leaves the site"
                );
            }
        }
    }
    for word in ["unsafe", "http:", "https:", "*", "data:"] {
        assert!(!CSP.contains(word), "{word} in the content security policy");
    }
}

#[test]
fn no_template_turns_escaping_off() {
    let mut folders = vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("templates")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let text = std::fs::read_to_string(&path).expect("text");
            let bare: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            assert!(!bare.contains("|safe") && !bare.contains("{%autoescape"), "{}", path.display());
        }
    }
    assert!(files > 15, "too few templates were looked at: {files}");
}

/// The table as a router whose handlers only say that they were reached.
fn table() -> Router {
    HTTP.iter().fold(Router::new(), |router, (method, path, _)| {
        let reached = || async { StatusCode::NO_CONTENT };
        router.route(path, if *method == Method::GET { get(reached) } else { post(reached) })
    })
}

async fn status(router: &Router, method: Method, address: &str) -> StatusCode {
    let request = Request::builder().method(method).uri(address).body(Body::empty()).expect("a request");
    router.clone().oneshot(request).await.expect("an answer").status()
}

#[tokio::test]
async fn every_link_leads_to_a_route() {
    let router = table();
    let mut links = BTreeSet::new();
    for Sample { html, .. } in samples() {
        for tag in tags(&html) {
            let posts = attributes(tag).any(|(name, value)| name == "method" && value == "post");
            for (name, value) in attributes(tag) {
                let method = if name == "action" && posts { Method::POST } else { Method::GET };
                if matches!(name, "href" | "src" | "action" | "hx-get" | "data-events" | "data-worker")
                    && value.starts_with('/')
                {
                    links.insert((method.to_string(), value.replace("&#38;", "&")));
                }
            }
        }
    }
    assert!(links.len() > 40, "too few links were found: {}", links.len());
    for (method, address) in links {
        let found = status(&router, method.parse().expect("a method"), &address).await;
        assert_eq!(found, StatusCode::NO_CONTENT, "{method} {address}");
        let file = address.strip_prefix("/assets/").map(|file| file.split('#').next().unwrap_or(file).to_owned());
        assert!(
            file.as_ref().is_none_or(|file| super::assets::ALL.iter().any(|asset| asset.file() == *file)),
            "no asset {address}"
        );
    }
}

#[test]
fn every_form_that_writes_carries_the_token() {
    for Sample { name, html } in samples() {
        for form in html.split("<form").skip(1).map(|rest| rest.split("</form>").next().unwrap_or(rest)) {
            if form.contains("method=\"post\"") && !form.contains("action=\"/login\"") {
                assert!(form.contains("name=\"csrf\" value=\"sample-csrf\""), "{name}: <form{form}");
            }
        }
    }
}

#[test]
fn every_control_has_a_name_and_every_id_is_single() {
    for Sample { name, html } in samples() {
        let mut ids = BTreeSet::new();
        for tag in tags(&html) {
            for (attribute, value) in attributes(tag) {
                assert!(attribute != "id" || ids.insert(value.to_owned()), "{name}: id {value} twice");
            }
            assert!(!tag.starts_with("img") || tag.contains(" alt="), "{name}: <{tag}>");
        }
        for tag in tags(&html) {
            for (attribute, value) in attributes(tag) {
                if matches!(attribute, "for" | "aria-labelledby") {
                    assert!(ids.contains(value), "{name}: {attribute}={value} names nothing");
                }
            }
        }
        assert_eq!(html.matches("<h1").count(), 1, "{name} has one first heading");
        assert!(html.contains("id=\"main\""), "{name} has nothing to skip to");
    }
}

#[test]
fn denying_is_as_easy_as_approving() {
    let inbox = samples().into_iter().find(|sample| sample.name == "approvals").expect("the inbox");
    let (deny, approve) =
        (inbox.html.matches("value=\"denied\"").count(), inbox.html.matches("value=\"approved\"").count());
    assert_eq!((deny, approve), (4, 4));
    assert_eq!(
        inbox.html.matches("value=\"approved\" disabled").count(),
        1,
        "only the critical one cannot be approved here"
    );
}

#[test]
fn refusals_are_pages_with_every_header() {
    for (why, status) in [
        (Refusal::NotFound, StatusCode::NOT_FOUND),
        (Refusal::Csrf, StatusCode::FORBIDDEN),
        (Refusal::TooMany, StatusCode::TOO_MANY_REQUESTS),
    ] {
        let response = refusal(&why);
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()[http::header::CONTENT_SECURITY_POLICY], CSP);
        assert_eq!(response.headers()[http::header::CACHE_CONTROL], "no-store");
        assert_eq!(response.headers()[http::header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
}

#[test]
fn the_manifest_names_what_exists() {
    let manifest: serde_json::Value =
        serde_json::from_str(include_str!("../../assets/manifest.webmanifest")).expect("JSON");
    assert_eq!(manifest["start_url"], links::paths::APPROVALS);
    for icon in manifest["icons"].as_array().expect("icons") {
        assert_eq!(icon["src"], links::paths::FAVICON);
    }
}
