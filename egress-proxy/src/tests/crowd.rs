//! Many connections: which may stay, which must go, what one too many is told.

use std::time::Duration;

use super::harness::{PATIENT, World};
use super::hostile::{CALLERS, Caller, Line};
use crate::{Roots, Timeouts};

const ASK: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n";
/// Long enough that a connection rests before the next request comes.
const REST: Duration = Duration::from_millis(5);

async fn world(connections: usize) -> World {
    World::serving(Timeouts { rest: REST, ..PATIENT }, Roots::given([]).unwrap(), connections).await
}

async fn served(line: &mut Line) -> bool {
    line.send(ASK).await && line.reply().await.is_some_and(|reply| reply.status == 200)
}

/// A connection whose request has begun: nobody may send it away.
async fn busy(world: &World, caller: &Caller) -> Line {
    let mut line = Line::open(world).await;
    line.send(&caller.raw("content-length: 1000\r\nexpect: 100-continue\r\n", "")).await;
    // The gateway reads the body by now.
    assert_eq!(line.reply().await.map(|reply| reply.status), Some(100));
    line
}

#[tokio::test]
async fn one_too_many_is_told_what_to_do() {
    let world = world(4).await;
    let mut busy_ones = Vec::new();
    for caller in &CALLERS {
        busy_ones.push(busy(&world, caller).await);
    }
    for caller in &CALLERS {
        let mut line = Line::open(&world).await;
        line.send(&caller.good()).await;
        let reply = line.reply().await.expect("a refusal");
        caller.reads(&reply, (503, "crowded"), "one too many");
        assert!(reply.text().contains("`connections`"), "{}", reply.text());
        assert!(line.reply().await.is_none(), "its connection is closed");
    }
    drop(busy_ones.pop());
    // Nobody can wait for the moment at which the gateway hears that.
    for _ in 0..1000 {
        if served(&mut Line::open(&world).await).await {
            return;
        }
    }
    panic!("the place of one who left is not given on");
}

#[tokio::test]
async fn those_who_rest_go_first_and_the_oldest_of_them() {
    let world = world(4).await;
    let mut lines = Vec::new();
    for _ in 0..3 {
        let mut line = Line::open(&world).await;
        assert!(served(&mut line).await);
        tokio::time::sleep(20 * REST).await;
        lines.push(line);
    }
    let _busy = busy(&world, &CALLERS[0]).await;
    let mut fifth = Line::open(&world).await;
    assert!(served(&mut fifth).await, "somebody who rests makes room");
    assert!(lines[0].reply().await.is_none(), "the oldest is closed");
    assert!(served(&mut lines[1]).await);
    assert!(served(&mut lines[2]).await);
}

#[tokio::test]
async fn a_connection_that_rested_is_served_as_before() {
    let world = world(4).await;
    let mut line = Line::open(&world).await;
    tokio::time::sleep(20 * REST).await;
    for _ in 0..3 {
        assert!(served(&mut line).await);
        tokio::time::sleep(20 * REST).await;
    }
    // Two at once, and a head in two halves around a rest.
    line.send(&[ASK, ASK, &ASK[..10]].concat()).await;
    for _ in 0..2 {
        assert_eq!(line.reply().await.map(|reply| reply.status), Some(200));
    }
    tokio::time::sleep(20 * REST).await;
    line.send(&ASK[10..]).await;
    assert_eq!(line.reply().await.map(|reply| reply.status), Some(200));
}

#[tokio::test]
async fn an_answer_under_way_does_not_rest() {
    let world = world(4).await;
    let (go_on, wait) = tokio::sync::oneshot::channel();
    let whole = super::harness::document("200 OK", "", r#"{"usage":{"input_tokens":1,"output_tokens":1}}"#);
    let (begin, end) = whole.split_at(whole.len() - 10);
    let steps = vec![
        super::harness::Step::Send(begin.to_vec()),
        super::harness::Step::Wait(wait),
        super::harness::Step::Send(end.to_vec()),
    ];
    world.provider.answer(steps);
    let mut line = Line::open(&world).await;
    line.send(&CALLERS[0].good()).await;
    tokio::time::sleep(20 * REST).await;
    go_on.send(()).unwrap();
    assert_eq!(line.reply().await.map(|reply| reply.status), Some(200));
}

#[tokio::test]
async fn who_is_served_is_counted_until_the_answer_has_ended() {
    let world = world(4).await;
    let whole = super::harness::document("200 OK", "", r#"{"usage":{"input_tokens":1,"output_tokens":1}}"#);
    world.provider.answer(vec![super::harness::Step::Send(whole)]);
    let mut line = Line::open(&world).await;
    // One after the other on one connection: nobody counts twice.
    for ask in [ASK, &CALLERS[0].good(), ASK] {
        line.send(ask).await;
        assert_eq!(line.reply().await.map(|reply| reply.status), Some(200));
        counts(&world, 0).await;
    }
    let receiving = busy(&world, &CALLERS[0]).await;
    counts(&world, 1).await;
    let second = busy(&world, &CALLERS[0]).await;
    counts(&world, 2).await;
    drop((receiving, second));
    counts(&world, 0).await;
}

/// The last byte of an answer is here before the gateway hears of its end.
async fn counts(world: &World, want: usize) {
    for _ in 0..1000 {
        if world.meter.present() == want {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{} are counted, {want} are there", world.meter.present());
}

#[tokio::test]
async fn an_unused_connection_is_closed_in_the_end() {
    // One that asks at once is heard within that on any machine.
    let short = Timeouts { rest: REST, unused: Duration::from_secs(2), ..PATIENT };
    let world = World::serving(short, Roots::given([]).unwrap(), 4).await;
    let (mut silent, mut once) = (Line::open(&world).await, Line::open(&world).await);
    assert!(served(&mut once).await);
    assert!(once.reply().await.is_none());
    assert!(silent.reply().await.is_none());
}

#[tokio::test]
async fn those_who_rest_do_not_hold_up_the_end() {
    let world = world(4).await;
    let mut line = Line::open(&world).await;
    assert!(served(&mut line).await);
    tokio::time::sleep(20 * REST).await;
    world.stop.cancel();
    assert!(line.reply().await.is_none());
    tokio::time::timeout(Duration::from_secs(20), world.serving).await.expect("the end in time").unwrap();
}
