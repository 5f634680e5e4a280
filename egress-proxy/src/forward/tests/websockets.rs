//! WebSockets to inspected hosts.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use wardkeep_policy::EgressMode;

use super::harness::{Host, KEY, PASSWORD, Reply, World, rule};
use crate::forward::EgressOutcome;

const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n";

async fn world(name: &str) -> (World, Host) {
    let world = World::new(Vec::new()).await;
    let host = world.host(name).await;
    world.rules(vec![rule(name, host.port, EgressMode::Inspect)]);
    (world, host)
}

/// Asks for a WebSocket; the host answers `answer`.
async fn open(world: &World, host: &Host, answer: &str) -> (TlsStream<TcpStream>, Reply) {
    host.answer(answer);
    let mut tool = world.inspected(host).await;
    let ask = format!(
        "GET /ws HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
        host.at()
    );
    tool.write_all(ask.as_bytes()).await.unwrap();
    let reply = Reply::head(&mut tool).await;
    (tool, reply)
}

/// A frame of a tool: masked.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let mut frame = vec![first];
    match payload.len() {
        short @ ..126 => frame.push(0x80 | short as u8),
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// First byte and payload of each frame.
pub(super) fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        let (length, rest) = match second & 0x7f {
            126 => (usize::from(u16::from_be_bytes(rest[..2].try_into().unwrap())), &rest[2..]),
            127 => (u64::from_be_bytes(rest[..8].try_into().unwrap()) as usize, &rest[8..]),
            short => (usize::from(short), rest),
        };
        let (mask, rest) = if second & 0x80 != 0 { (rest[..4].to_vec(), &rest[4..]) } else { (vec![0], rest) };
        let payload = rest[..length].iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        frames.push((*first, payload));
        bytes = &rest[length..];
    }
    frames
}

/// What the host got after the handshake, once the tool has left.
async fn received(host: &Host) -> Vec<(u8, Vec<u8>)> {
    frames(&tokio::time::timeout(Duration::from_secs(30), host.cut()).await.expect("its connection ends"))
}

#[tokio::test]
async fn a_secret_that_is_not_bound_ends_the_conversation() {
    let (world, host) = world("open.example").await;
    let (mut tool, reply) = open(&world, &host, SWITCH).await;
    assert_eq!(reply.status, 101);
    tool.write_all(&frame(0x81, b"SECRET_REF(api_key)")).await.unwrap();
    let mut told = Vec::new();
    let _ = tool.read_to_end(&mut told).await;
    let told = frames(&told);
    assert_eq!(told, [(0x88, [&1008u16.to_be_bytes()[..], b"Wardkeep: secret-not-bound"].concat())]);
    assert_eq!(received(&host).await, [(0x88, 1008u16.to_be_bytes().to_vec())]);
    assert_eq!(world.records().last().unwrap().outcome, EgressOutcome::Refused("secret-not-bound"));
}

#[tokio::test]
async fn what_is_no_sound_frame_ends_the_conversation() {
    let long_ping = frame(0x89, &[b'x'; 126]);
    for (why, bytes) in [
        ("a frame that is not masked", vec![0x81, 2, b'h', b'i']),
        ("reserved bits", frame(0xc1, b"hi")),
        ("an unknown kind", frame(0x83, b"hi")),
        ("more than 125 bytes", long_ping),
        ("a control frame in pieces", frame(0x09, b"hi")),
        ("a continuation of none", frame(0x80, b"hi")),
        ("a message within a message", [frame(0x01, b"hi"), frame(0x81, b"hi")].concat()),
    ] {
        let (world, host) = world("open.example").await;
        let (mut tool, _) = open(&world, &host, SWITCH).await;
        tool.write_all(&bytes).await.unwrap();
        let mut told = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(5), tool.read_to_end(&mut told)).await.expect(why);
        let [(0x88, told)] = &frames(&told)[..] else { panic!("{why}: {told:?}") };
        let (code, reason) = told.split_at(2);
        assert_eq!(code, 1002u16.to_be_bytes(), "{why}");
        let reason = String::from_utf8(reason.to_vec()).unwrap();
        assert!(reason.starts_with("Wardkeep: ") && reason.contains(why), "{why}: {reason}");
        assert_eq!(received(&host).await.last().unwrap(), &(0x88, 1002u16.to_be_bytes().to_vec()), "{why}");
    }
}

#[tokio::test]
async fn only_a_plain_websocket_is_switched_to() {
    let (world, host) = world("open.example").await;
    for answer in [
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        &SWITCH.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
    ] {
        let (_tool, reply) = open(&world, &host, answer).await;
        assert_eq!(reply.refusal(), (502, "bad-answer"), "{answer}");
    }
    let (_tool, reply) = open(&world, &host, "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(reply.status, 403);
    assert!(!host.seen().concat().contains("Extensions"));
}

#[tokio::test]
async fn messages_are_cleaned_both_ways() {
    let (world, host) = world("bound.example").await;
    let echo = [&[0x81, 9 + KEY.len() as u8][..], b"you said ", KEY.as_bytes()].concat();
    let halves =
        [&[0x01, 3][..], &KEY.as_bytes()[..3], &[0x89, 1, b'p'], &[0x80, KEY.len() as u8 - 3], &KEY.as_bytes()[3..]]
            .concat();
    host.answer_raw([SWITCH.as_bytes(), &echo, &halves].concat());
    let (mut tool, reply) = open(&world, &host, "").await;
    assert_eq!(
        (reply.status, reply.header("upgrade"), reply.header("sec-websocket-accept")),
        (101, Some("websocket"), Some("x"))
    );

    let json = br#"{"op":2,"d":{"token":"SECRET_REF(api_key)"}}"#;
    tool.write_all(&frame(0x81, json)).await.unwrap();
    tool.write_all(&frame(0x82, format!("it is {PASSWORD}").as_bytes())).await.unwrap();
    // A value in two frames, with a ping between them.
    tool.write_all(&frame(0x01, &PASSWORD.as_bytes()[..9])).await.unwrap();
    tool.write_all(&frame(0x89, PASSWORD.as_bytes())).await.unwrap();
    tool.write_all(&frame(0x80, &PASSWORD.as_bytes()[9..])).await.unwrap();
    // A message too large to be held.
    let large = format!("{}{PASSWORD}{}", "x ".repeat(60_000), "y ".repeat(60_000));
    tool.write_all(&frame(0x81, large.as_bytes())).await.unwrap();
    tool.write_all(&frame(0x88, &1000u16.to_be_bytes())).await.unwrap();

    let mut told = vec![0; 2 + 9 + "SECRET_REF(api_key)".len()];
    tool.read_exact(&mut told).await.unwrap();
    assert_eq!(frames(&told), [(0x81, b"you said SECRET_REF(api_key)".to_vec())]);
    tool.shutdown().await.unwrap();
    let mut told = Vec::new();
    let _ = tool.read_to_end(&mut told).await;
    let (pings, texts): (Vec<_>, Vec<_>) = frames(&told).into_iter().partition(|(first, _)| *first == 0x89);
    assert_eq!(pings, [(0x89, b"p".to_vec())]);
    assert_eq!(texts.iter().flat_map(|(_, payload)| payload).copied().collect::<Vec<_>>(), b"SECRET_REF(api_key)");

    let got = received(&host).await;
    let quoted = serde_json::to_string(KEY).unwrap();
    assert_eq!(got[0], (0x81, format!(r#"{{"op":2,"d":{{"token":{quoted}}}}}"#).into_bytes()));
    assert_eq!(got[1], (0x82, b"it is SECRET_REF(password)".to_vec()));
    assert_eq!(got[2], (0x89, b"SECRET_REF(password)".to_vec()));
    assert_eq!(got[3], (0x81, b"SECRET_REF(password)".to_vec()), "nothing of it went out before it was whole");
    let end = got.len() - 1;
    assert_eq!((got[4].0, got[end - 1].0, &got[end]), (0x01, 0x80, &(0x88, 1000u16.to_be_bytes().to_vec())));
    let rest: Vec<u8> = got[4..end].iter().flat_map(|(_, payload)| payload).copied().collect();
    assert_eq!(String::from_utf8(rest).unwrap(), large.replace(PASSWORD, "SECRET_REF(password)"));
    let secrets = EgressOutcome::Inspected(vec!["api_key".to_owned()]);
    assert!(world.records().iter().any(|record| record.outcome == secrets && record.request == "GET /ws"));
}
