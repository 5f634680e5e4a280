//! P1: no byte that crosses the tenant server's boundary contains a vault value.

mod apis;
mod chance;
mod changes;
mod day;
mod forward;
mod gate;
mod model;
mod policy;
pub(crate) mod siege;
mod tools;
mod wire;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wardkeep_tests::simulators::llm::Answer;
use wardkeep_tests::story::agent::Dialect;
use wardkeep_tests::story::capture::Channel;
use wardkeep_tests::story::plot;
use wardkeep_tests::story::stage::{ELSEWHERE, Setting, Stage};

use self::siege::{Siege, heard};

#[tokio::test(flavor = "multi_thread")]
async fn every_byte_of_the_story_is_searched_with_anthropic() {
    whole_story(Dialect::Anthropic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_byte_of_the_story_is_searched_with_openai() {
    whole_story(Dialect::OpenAi).await;
}

/// Plays the story through relays that keep every byte, and makes sure that there is no way around the relays.
async fn whole_story(dialect: Dialect) {
    let folder = tempfile::tempdir().expect("a folder");
    let setting = Setting { tapped: true, dialect, ..Setting::plain(folder.path()) };
    let stage = Stage::set(setting, &|_| ()).await.expect("the stage stands");
    let known: BTreeSet<SocketAddr> = stage.taps.iter().map(|(_, tap)| tap.address()).collect();
    let over = Arc::new(AtomicBool::new(false));
    let watch = tokio::spawn(watch_connections(stage.tenant.service.pid(), Arc::clone(&over)));
    let words = plot::play(&stage, &|_| ()).await.expect("the story goes through");
    plot::verify(&stage, &words).await.expect("everything holds");
    over.store(true, Ordering::SeqCst);
    let reached = watch.await.expect("the watch ends");
    assert!(!reached.is_empty(), "the watch saw no connection at all");
    let strangers: Vec<_> = reached.difference(&known).collect();
    assert!(strangers.is_empty(), "the daemon reached {strangers:?} beside its relays {known:?}");
    for (name, tap) in &stage.taps {
        let heard: usize = tap.tapes().iter().map(Vec::len).sum();
        assert!(heard > 100 || *name == ELSEWHERE, "nothing went over the {name}");
    }
    stage.strike().await.expect("everything stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_an_agent_got_hold_of_does_not_reach_the_model_in_any_form() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let value = &stage.secrets.database;
    let b64 = data_encoding::BASE64.encode(format!("x{value}y").as_bytes());
    let hex = data_encoding::HEXLOWER.encode(value.as_bytes());
    let escaped: String = value.encode_utf16().map(|u| format!("\\u{u:04x}")).collect();
    for text in [value.clone(), format!("password={value}"), b64, hex, escaped, json!({"deep": value}).to_string()] {
        let (status, answer) = hooks.ask_model(&text).await.expect("the gateway answers");
        assert!(status.is_success() || status == 400, "{answer}");
    }
    let (_, leaks) = plot::leaks(&stage).expect("searched");
    assert_eq!(leaks, []);
    assert!(!stage.llm.requests().is_empty(), "no request reached the provider, so nothing was shown");
    stage.strike().await.expect("everything stops");
}

/// A control: the search would have found it.
#[tokio::test(flavor = "multi_thread")]
async fn a_planted_leak_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, _) = super::stage(folder.path()).await;
    fs::write(folder.path().join("leak.log"), format!("oops: {}", stage.secrets.newsletter)).expect("written");
    let (_, leaks) = plot::leaks(&stage).expect("searched");
    assert!(leaks.iter().any(|leak| leak.secret == "newsletter_api_key"), "{leaks:?}");
    stage.strike().await.expect("everything stops");
}

/// A control for every way that is listened to: what is said there is heard, whichever form it has.
#[tokio::test(flavor = "multi_thread")]
async fn a_leak_is_heard_on_every_way() {
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    let value = siege.secrets().into_iter().find(|(name, _)| *name == "shown_token").expect("kept").1;
    let hidden = data_encoding::BASE64.encode(format!("x{value}").as_bytes());
    for (name, channel) in
        [("provider", Channel::Provider), ("newsletter service", Channel::Service), (ELSEWHERE, Channel::Elsewhere)]
    {
        let tap = siege.stage.taps.iter().find(|(other, _)| *other == name).expect("a relay").1.address();
        let mut stream = tokio::net::TcpStream::connect(tap).await.expect("connects");
        stream
            .write_all(format!("GET /{hidden} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes())
            .await
            .expect("sent");
        stream.read_to_end(&mut Vec::new()).await.expect("an answer");
        assert!(!heard(&siege.listen(name), &value).is_empty() && siege.forget(), "{channel:?}");
    }
    let mut log = fs::OpenOptions::new().append(true).open(siege.stage.log()).expect("opened");
    writeln!(log, "{hidden}").expect("written");
    assert_eq!(heard(&siege.listen("log"), &value), [Channel::Log]);
    assert!(siege.forget(), "the log");
    // The model's own words are not redacted: the one way on which an agent hears what it likes.
    siege.stage.llm.say_next(Answer { text: hidden.clone(), ..Answer::default() });
    siege.hooks.ask_model("hello").await.expect("an answer");
    assert_eq!(heard(&siege.listen("agent"), &value), [Channel::Agent]);
    assert!(siege.forget(), "the agent");
    siege.stage.strike().await.expect("everything stops");
}

/// Remote addresses to which the daemon opens connections, sampled until `over`. Connections that it accepted are those
/// whose local port it listens on.
async fn watch_connections(pid: u32, over: Arc<AtomicBool>) -> BTreeSet<SocketAddr> {
    let mut reached = BTreeSet::new();
    while !over.load(Ordering::SeqCst) {
        reached.extend(outgoing(pid));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    reached
}

/// Source: proc(5), `/proc/[pid]/net/tcp` and `/proc/[pid]/fd`.
fn outgoing(pid: u32) -> Vec<SocketAddr> {
    let inodes: BTreeSet<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    let rows: Vec<Vec<&str>> = table.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    let own = |row: &&Vec<&str>| row.len() > 9 && inodes.contains(row[9]);
    let listening: BTreeSet<&str> = rows.iter().filter(own).filter(|r| r[3] == "0A").map(|r| r[1]).collect();
    rows.iter()
        .filter(own)
        .filter(|row| row[3] != "0A" && !listening.contains(row[1]))
        .filter_map(|row| address(row[2]))
        .collect()
}

fn address(hex: &str) -> Option<SocketAddr> {
    let (ip, port) = hex.split_once(':')?;
    let ip = u32::from_str_radix(ip, 16).ok()?.swap_bytes();
    Some(SocketAddr::from((std::net::Ipv4Addr::from(ip), u16::from_str_radix(port, 16).ok()?)))
}
