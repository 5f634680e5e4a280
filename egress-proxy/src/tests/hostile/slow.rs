//! Callers who take their time.

use std::time::Duration;

use super::{CALLERS, Line, untouched};
use crate::Timeouts;
use crate::tests::harness::{PATIENT, World};

#[tokio::test]
async fn a_head_that_does_not_end_is_given_up() {
    let world = World::with(Timeouts { head: Duration::from_millis(150), ..PATIENT }).await;
    for caller in &CALLERS {
        let good = caller.good();
        let end = good.len() - caller.body.len();
        // From the first byte on; where the path is not there yet, nobody knows who asks.
        for cut in [1, 3, 40, end - 3, end - 1] {
            let mut line = Line::open(&world).await;
            line.send(&good[..cut]).await;
            let reply = line.reply().await.unwrap_or_else(|| panic!("{cut}: no answer"));
            let caller = if cut < 40 { &CALLERS[1] } else { caller };
            caller.reads(&reply, (408, "slow-head"), &format!("cut at {cut}"));
            assert!(line.reply().await.is_none());
        }
    }
    untouched(&world).await;
}

#[tokio::test]
async fn a_head_that_drips_has_no_longer() {
    let world = World::with(Timeouts { head: Duration::from_millis(300), ..PATIENT }).await;
    let caller = &CALLERS[0];
    let mut line = Line::open(&world).await;
    line.send(&caller.raw("", "")[..40]).await;
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_secs(10) && line.send(b"x").await {
        let reply = tokio::time::timeout(Duration::from_millis(20), line.reply()).await;
        if let Ok(reply) = reply {
            caller.reads(&reply.expect("an answer"), (408, "slow-head"), "drops");
            untouched(&world).await;
            return;
        }
    }
    panic!("whoever drips may go on for ever");
}

#[tokio::test]
async fn a_body_that_drips_is_given_up() {
    let world = World::with(Timeouts { request: Duration::from_millis(300), ..PATIENT }).await;
    for caller in &CALLERS {
        for headers in ["content-length: 100000\r\n", "transfer-encoding: chunked\r\n"] {
            let mut line = Line::open(&world).await;
            line.send(&caller.raw(headers, "")).await;
            let began = std::time::Instant::now();
            let reply = loop {
                assert!(began.elapsed() < Duration::from_secs(10), "whoever drips may go on for ever");
                line.send(b"1\r\n \r\n").await;
                if let Ok(reply) = tokio::time::timeout(Duration::from_millis(20), line.reply()).await {
                    break reply.expect("an answer");
                }
            };
            caller.reads(&reply, (408, "stalled"), headers);
        }
    }
    untouched(&world).await;
}

#[tokio::test]
async fn those_who_say_nothing_hold_up_nobody() {
    let world = World::new().await;
    let mut idle = Vec::new();
    for _ in 0..200 {
        let mut line = Line::open(&world).await;
        line.send(&CALLERS[0].good()[..60]).await;
        idle.push(line);
    }
    world.provider.document("200 OK", r#"{"usage":{"input_tokens":1,"output_tokens":1}}"#);
    let mut line = Line::open(&world).await;
    line.send(&CALLERS[0].good()).await;
    assert_eq!(line.reply().await.map(|reply| reply.status), Some(200));
    // Whoever leaves within a head is gone.
    drop(idle);
}
