//! TLS that passes untouched, and the ways out of a tunnel that are closed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wardkeep_policy::EgressMode;

use super::harness::{KEY, Reply, World, rule};
use crate::forward::{EgressOutcome, ForwardTimeouts};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: open.example\r\n\r\n";

#[tokio::test]
async fn bytes_pass_untouched_to_the_address_that_was_judged() {
    let world = World::new(Vec::new()).await;
    let host = world.host("open.example").await;
    world.rules(vec![rule("open.example", host.port, EgressMode::Tunnel)]);
    // A second question would lead elsewhere.
    world.name("open.example", &[&["127.0.0.1"], &["169.254.169.254"]]);
    let mut tls = world.connect_tls(&host.at(), "open.example").await.unwrap();
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]), "the host's own TLS, the host's own choice");
    let request = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{KEY}", KEY.len());
    tls.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(Reply::one(&mut tls).await.text(), "hello");
    assert_eq!(host.seen(), [request]);
    assert_eq!(world.switches.questions.load(Ordering::SeqCst), 1);
    assert_eq!(world.records()[0].outcome, EgressOutcome::Tunnelled);
    // The next connection asks anew, and is judged anew.
    assert_eq!(world.connect(&host.at()).await.unwrap_err().refusal(), (403, "forbidden-address"));
}

#[tokio::test]
async fn a_tunnel_carries_tls_for_its_own_name_only() {
    let world = World::new(Vec::new()).await;
    let host = world.host("open.example").await;
    world.rules(vec![
        rule("open.example", host.port, EgressMode::Tunnel),
        rule("127.0.0.1", host.port, EgressMode::Tunnel),
    ]);
    assert!(world.connect_tls(&host.at(), "other.example").await.is_err(), "domain fronting");
    assert!(world.connect_tls(&host.at(), "127.0.0.1").await.is_err(), "no name at all");
    assert!(
        world.connect_tls(&format!("127.0.0.1:{}", host.port), "open.example").await.is_err(),
        "a name behind an address"
    );
    let mut plain = world.connect(&host.at()).await.unwrap();
    plain.write_all(GET).await.unwrap();
    let told = Reply::read(&mut plain).await;
    assert_eq!(told.refusal(), (403, "in-clear"));
    assert!(told.text().contains("a tunnel carries TLS"), "{}", told.text());
    assert_eq!(world.records().last().unwrap().outcome, EgressOutcome::Refused("in-clear"));
    // A hello that nobody can read is told with an alert.
    let mut broken = world.connect(&host.at()).await.unwrap();
    broken.write_all(b"\x16\x03\x01\0\0").await.unwrap();
    let mut told = Vec::new();
    let _ = broken.read_to_end(&mut told).await;
    assert_eq!(told.first(), Some(&21), "{told:?}");
    assert_eq!(world.records().last().unwrap().outcome, EgressOutcome::Refused("malformed"));
    assert!(host.seen().is_empty());
    let fronted = |record: &crate::forward::EgressRecord| record.outcome == EgressOutcome::Refused("other-name");
    assert_eq!(world.records().iter().filter(|record| fronted(record)).count(), 3);
}

#[tokio::test]
async fn a_tunnel_ends_with_silence_with_the_policy_and_with_the_daemon() {
    let world =
        World::with(Vec::new(), ForwardTimeouts { idle: Duration::from_secs(2), ..ForwardTimeouts::default() }).await;
    let host = world.host("open.example").await;
    world.rules(vec![rule("open.example", host.port, EgressMode::Tunnel)]);
    let mut tls = world.connect_tls(&host.at(), "open.example").await.unwrap();
    assert_eq!(tls.read(&mut [0]).await.unwrap_or(0), 0, "silence");

    let world = World::new(Vec::new()).await;
    let host = world.host("open.example").await;
    world.rules(vec![rule("open.example", host.port, EgressMode::Tunnel)]);
    let mut tls = world.connect_tls(&host.at(), "open.example").await.unwrap();
    tls.write_all(GET).await.unwrap();
    assert_eq!(Reply::one(&mut tls).await.text(), "hello");
    world.rules(Vec::new());
    assert_eq!(tls.read(&mut [0]).await.unwrap_or(0), 0, "the policy");

    world.rules(vec![rule("open.example", host.port, EgressMode::Tunnel)]);
    let mut tls = world.connect_tls(&host.at(), "open.example").await.unwrap();
    world.stop.cancel();
    assert_eq!(tls.read(&mut [0]).await.unwrap_or(0), 0, "the daemon");
}

#[tokio::test]
async fn large_uploads_pass_whole() {
    let world = World::new(Vec::new()).await;
    let host = world.host("open.example").await;
    world.rules(vec![rule("open.example", host.port, EgressMode::Tunnel)]);
    let mut tls = world.connect_tls(&host.at(), "open.example").await.unwrap();
    let size = 8 * 1024 * 1024;
    tls.write_all(format!("PUT / HTTP/1.1\r\nContent-Length: {size}\r\n\r\n").as_bytes()).await.unwrap();
    tls.write_all(&vec![b'x'; size]).await.unwrap();
    assert_eq!(Reply::one(&mut tls).await.text(), "hello");
    assert!(host.seen()[0].len() > size);
}

#[tokio::test]
async fn a_tunnel_is_cut_when_its_agent_is_stopped_and_no_other_is_opened() {
    let world = World::new(Vec::new()).await;
    let host = world.host("open.example").await;
    world.rules(vec![rule("open.example", host.port, EgressMode::Tunnel)]);
    let mut tls = world.connect_tls(&host.at(), "open.example").await.unwrap();
    tls.write_all(GET).await.unwrap();
    assert_eq!(Reply::one(&mut tls).await.text(), "hello");
    assert_eq!(world.switches.held.len(), 1);
    world.switches.cut.cancel();
    world.switches.held.close();
    // What the stop waits for: nobody holds the tunnel any more, and the tool sees its end.
    world.switches.held.wait().await;
    assert_eq!(tls.read(&mut [0]).await.unwrap_or(0), 0);
    assert_eq!(world.connect(&host.at()).await.unwrap_err().refusal(), (403, "stopped"));
    assert_eq!(world.records().last().unwrap().outcome, EgressOutcome::Refused("stopped"));
}
