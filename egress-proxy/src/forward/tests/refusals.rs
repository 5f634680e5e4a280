//! Who gets nothing, and that nothing is even looked up for them.

use std::sync::atomic::Ordering;

use wardkeep_policy::{Closed, EgressMode, Posture};

use super::harness::{TOKEN, World, rule};
use crate::forward::EgressOutcome;

fn connect(to: &str, more: &str) -> String {
    format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{more}\r\n")
}

fn bearer() -> String {
    format!("Proxy-Authorization: Bearer {TOKEN}\r\n")
}

#[tokio::test]
async fn without_a_token_of_an_agent_nothing_is_looked_up() {
    let world = World::new(vec![rule("open.example", 443, EgressMode::Tunnel)]).await;
    world.name("open.example", &[&["127.0.0.1"]]);
    for header in [
        "",
        "Proxy-Authorization: Bearer wrong\r\n",
        "Proxy-Authorization: Basic b2ZmaWNlOndyb25n\r\n",
        "Proxy-Authorization: Basic %%%\r\n",
        "Proxy-Authorization: Digest x\r\n",
        &format!("Authorization: Bearer {TOKEN}\r\n"),
    ] {
        let reply = world.ask(&connect("open.example:443", header)).await;
        assert_eq!(reply.refusal(), (407, "unknown-token"), "{header}");
        assert_eq!(reply.header("proxy-authenticate"), Some("Basic realm=\"wardkeep\""));
    }
    assert_eq!(world.switches.questions.load(Ordering::SeqCst), 0);
    let records = world.records();
    assert_eq!(records.len(), 6);
    assert!(records.iter().all(|record| record.agent.is_none() && record.destination == "open.example:443"));
}

#[tokio::test]
async fn what_the_policy_does_not_list_is_refused_before_it_is_looked_up() {
    let world = World::new(vec![
        rule("open.example", 443, EgressMode::Tunnel),
        wardkeep_policy::EgressRule {
            agents: vec!["other".parse().unwrap()],
            ..rule("others.example", 443, EgressMode::Tunnel)
        },
    ])
    .await;
    for (to, token, code) in [
        ("closed.example:443", TOKEN, "unlisted-host"),
        ("open.example:80", TOKEN, "unlisted-host"),
        ("open.example.evil.net:443", TOKEN, "unlisted-host"),
        ("others.example:443", TOKEN, "unlisted-host"),
        ("127.0.0.1:443", TOKEN, "unlisted-host"),
        ("[::1]:443", TOKEN, "unlisted-host"),
        ("open.example:443", "wka1_token_of_a_stranger", "unlisted-host"),
        ("open.example", TOKEN, "malformed"),
        ("http://open.example:443/", TOKEN, "malformed"),
        ("2130706433:443", TOKEN, "malformed"),
    ] {
        let host = to.trim_start_matches("http://").trim_end_matches('/');
        let raw = format!("CONNECT {to} HTTP/1.1\r\nHost: {host}\r\nProxy-Authorization: Bearer {token}\r\n\r\n");
        let reply = world.ask(&raw).await;
        assert_eq!(reply.refusal().1, code, "{to}: {}", reply.text());
    }
    assert_eq!(world.switches.questions.load(Ordering::SeqCst), 0);
    let record = &world.records()[0];
    assert_eq!(record.agent.as_ref().unwrap().as_str(), "office");
    assert_eq!((&*record.destination, &*record.request), ("closed.example:443", "CONNECT"));
    assert_eq!(record.outcome, EgressOutcome::Refused("unlisted-host"));
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_after_it_was_resolved() {
    let public = wardkeep_policy::EgressRule { private: false, ..rule("open.example", 443, EgressMode::Tunnel) };
    let world = World::new(vec![public, rule("own.example", 443, EgressMode::Tunnel)]).await;
    for address in [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "0.0.0.0",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "fc00::1",
        "fe80::1",
        "fd00:ec2::254",
    ] {
        world.name("open.example", &[&[address]]);
        let reply = world.connect("open.example:443").await.unwrap_err();
        assert_eq!(reply.refusal(), (403, "forbidden-address"), "{address}");
        // One bad address among good ones is enough.
        world.name("open.example", &[&["1.1.1.1", address]]);
        assert_eq!(world.connect("open.example:443").await.unwrap_err().refusal().1, "forbidden-address", "{address}");
    }
    for address in [
        "169.254.169.254",
        "100.100.100.200",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "224.0.0.1",
        "fd00:42::42",
        "fd00:a9fe:a9fe::1",
        "fd00:ec2::23",
        "fd00:c1::a9fe:a9fe",
        "fd00:100::100:200",
    ] {
        world.name("own.example", &[&[address]]);
        let reply = world.connect("own.example:443").await.unwrap_err();
        assert_eq!(reply.refusal(), (403, "forbidden-address"), "private = true opens no {address}");
    }
    world.name("own.example", &[&[]]);
    assert_eq!(world.connect("own.example:443").await.unwrap_err().refusal(), (502, "unresolved"));
}

#[tokio::test]
async fn a_closed_machine_lets_nothing_out() {
    let world = World::new(vec![rule("open.example", 443, EgressMode::Tunnel)]).await;
    for closed in Closed::ALL.iter().filter(|closed| **closed != Closed::HubAway) {
        *world.switches.posture.lock().unwrap() = Posture::open().with(*closed);
        let reply = world.connect("open.example:443").await.unwrap_err();
        assert_eq!(reply.refusal(), (403, closed.as_str()));
    }
    *world.switches.posture.lock().unwrap() = Posture::open();
    world.switches.lease.store(false, Ordering::SeqCst);
    assert_eq!(world.connect("open.example:443").await.unwrap_err().refusal(), (403, "no-lease"));
    assert_eq!(world.switches.questions.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_cannot_be_recorded_does_not_happen() {
    let world = World::new(Vec::new()).await;
    let host = world.host("open.example").await;
    world.rules(vec![rule("open.example", host.port, EgressMode::Tunnel)]);
    world.switches.unrecordable.store(true, Ordering::SeqCst);
    assert_eq!(world.connect(&host.at()).await.unwrap_err().refusal(), (503, "not-recorded"));
}

#[tokio::test]
async fn requests_that_cannot_be_read_are_told_so() {
    let world = World::new(vec![rule("open.example", 443, EgressMode::Tunnel)]).await;
    let token = bearer();
    for (raw, want) in [
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{token}\r\n"), (400, "not-a-proxy-request")),
        (format!("CONNECT open.example:443 HTTP/1.1\r\nHost: other.example:443\r\n{token}\r\n"), (400, "malformed")),
        (format!("CONNECT open.example:443 HTTP/1.1\r\nHost: a\r\nHost: a\r\n{token}\r\n"), (400, "malformed")),
        (format!("CONNECT open.example:443 HTTP/1.1\r\nX: a\r\n b\r\n{token}\r\n"), (400, "malformed")),
        ("CONNECT open.example:443 HTTP/1.1\nHost: a\n\n".to_owned(), (400, "malformed")),
        ("\u{16}\u{3}\u{1}\r\n\r\n".to_owned(), (400, "malformed")),
        (format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(70_000)), (431, "head-too-large")),
    ] {
        let reply = world.ask(&raw).await;
        assert_eq!(reply.refusal(), want, "{raw:.60?}");
        assert!(reply.text().starts_with("Wardkeep: "));
    }
}
