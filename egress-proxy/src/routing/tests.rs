//! Orders and plans, by tables.

use std::sync::Mutex;
use std::time::Duration;

use wardkeep_policy::bundle::llm::{Breaker, Retry, Route};
use wardkeep_policy::{Dialect, LlmConfig, Provider};
use wardkeep_proto::chance::Chance;
use wardkeep_proto::ids::SecretName;
use wardkeep_proto::time::Timestamp;

use super::order::{self, Request};
use super::plan::{Next, Plan, Try};
use super::{Heard, Routing, Standing};

/// Chance that was decided before: each draw is the next of these, as a share of all there is; the last one again and again.
struct Drawn(Mutex<Vec<f64>>);

impl Drawn {
    fn of(shares: &[f64]) -> Self {
        Self(Mutex::new(shares.iter().rev().copied().collect()))
    }
}

impl Chance for Drawn {
    fn fill(&self, out: &mut [u8]) {
        let mut left = self.0.lock().unwrap();
        let share = if left.len() > 1 { left.pop() } else { left.last().copied() }.unwrap_or_default();
        let most = if out.len() == 4 { u64::from(u32::MAX) } else { u64::MAX };
        let drawn = (share * most as f64) as u64;
        out.copy_from_slice(&drawn.to_le_bytes()[..out.len()]);
    }
}

fn at(ms: i64) -> Timestamp {
    Timestamp(ms)
}

fn route(text: &str) -> Route {
    serde_json::from_str(text).unwrap()
}

#[test]
fn weights_are_shares_of_what_is_drawn() {
    let route = route(
        r#"{"name":"r","order":"weighted","targets":[{"model":"a"},{"model":"b","weight":3},{"model":"c","weight":6}]}"#,
    );
    let llm = LlmConfig::default();
    let request = Request { input: 1, output: None, session: None, now: at(0) };
    // A draw is taken modulo the weights: ten numbers in a row are each of the ten parts once.
    struct Number(u64);
    impl Chance for Number {
        fn fill(&self, out: &mut [u8]) {
            out.copy_from_slice(&self.0.to_le_bytes()[..out.len()]);
        }
    }
    let mut first = [0; 3];
    for number in 0..1000 {
        let order = order::of(&llm, &route, &request, &Number(number));
        first[order[0]] += 1;
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2], "each once");
    }
    assert_eq!(first, [100, 300, 600]);
    assert_eq!(order::of(&llm, &route, &request, &Number(0)), [0, 1, 2]);
    // 9 is of c; of the four that are left 1 is of b.
    assert_eq!(order::of(&llm, &route, &request, &Number(9)), [2, 1, 0]);
    // A session keeps its way, and sessions are shared out, too.
    let mut first = [0; 3];
    for number in 0..1000 {
        let request = Request { session: format!("s{number}").parse().ok(), ..request.clone() };
        let order = order::of(&llm, &route, &request, &Number(number));
        assert_eq!(order, order::of(&llm, &route, &request, &Number(0)));
        first[order[0]] += 1;
    }
    assert!((80..=120).contains(&first[0]) && (270..=330).contains(&first[1]), "{first:?}");
}

#[test]
fn the_cheapest_is_that_of_this_request_at_this_moment() {
    let llm: LlmConfig = serde_json::from_str(
        r#"{"providers":[],"models":[
            {"name":"long","provider":"p","upstream_model":"x","price":{"input":1,"output":50}},
            {"name":"short","provider":"p","upstream_model":"x","price":{"input":10,"output":5}},
            {"name":"unknown","provider":"q","upstream_model":"x"},
            {"name":"later","provider":"p","upstream_model":"x","price":{"input":100,"output":100},
             "prices":[{"from":"2026-12-01","price":{"input":0,"output":0}}]},
            {"name":"capped","provider":"p","upstream_model":"x","price":{"input":1,"output":50},"max_output":1}]}"#,
    )
    .unwrap();
    let of = |models: &[&str], input, output, now| {
        let targets: Vec<String> = models.iter().map(|model| format!(r#"{{"model":"{model}"}}"#)).collect();
        let route = route(&format!(r#"{{"name":"r","order":"cheapest","targets":[{}]}}"#, targets.join(",")));
        let order = order::of(&llm, &route, &Request { input, output, session: None, now }, &Drawn::of(&[0.0]));
        order.into_iter().map(|at| models[at]).collect::<Vec<_>>().join(" ")
    };
    let november = Timestamp::of_date("2026-11-30").unwrap();
    let december = Timestamp::of_date("2026-12-01").unwrap();
    let both = ["short", "long"];
    assert_eq!(of(&both, 1000, Some(10), november), "long short");
    assert_eq!(of(&both, 10, Some(1000), november), "short long");
    assert_eq!(of(&["unknown", "short", "later"], 10, Some(10), november), "short later unknown");
    assert_eq!(of(&["unknown", "short", "later"], 10, Some(10), december), "later short unknown");
    assert_eq!(of(&["long", "capped"], 1, Some(1000), november), "capped long", "it cannot say more");
    assert_eq!(of(&["capped", "capped"], 1, None, november), "capped capped");
}

/// Goes through a plan whose targets all stand `standing` and fail as told; what was tried, with the waits in milliseconds.
fn tried(retry: Retry, targets: usize, heard: &[Heard], repeats: u32) -> Vec<(usize, u128)> {
    let mut plan = Plan::new((0..targets).collect(), retry, at(0));
    let chance = Drawn::of(&[1.0]);
    let (mut now, mut left, mut out) = (at(0), repeats, Vec::new());
    for heard in heard {
        let may_repeat = || left.checked_sub(1).map(|less| left = less).is_some();
        match plan.next(now, &chance, |_| Standing::Ready(None), may_repeat) {
            Next::Done(_) => break,
            Next::Try(Try { target, wait, .. }) => {
                out.push((target, wait.as_millis()));
                now = now.plus(wait);
                plan.failed(target, heard, false, now);
            }
        }
    }
    out
}

#[test]
fn each_target_once_and_then_again_after_a_wait() {
    let retry = Retry { attempts: 20, rounds: 3, within_s: 60, base_ms: 100, most_ms: 150, percent: 20 };
    let trouble = vec![Heard::Trouble(None); 20];
    let all = [(0, 0), (1, 0), (0, 100), (1, 100), (0, 150), (1, 150)];
    assert_eq!(tried(retry, 2, &trouble, 9), all);
    assert_eq!(tried(Retry { attempts: 3, ..retry }, 2, &trouble, 9), all[..3], "attempts bound all of it");
    assert_eq!(tried(Retry { rounds: 1, ..retry }, 2, &trouble, 9), all[..2]);
    assert_eq!(tried(retry, 2, &trouble, 1), all[..3], "nothing left to ask a target again");
    assert_eq!(tried(retry, 2, &trouble, 0), all[..2], "which fallbacks do not need");
    assert_eq!(tried(retry, 1, &trouble, 9), [(0, 0), (0, 100), (0, 150)]);
    let slow = Retry { within_s: 1, base_ms: 900, most_ms: 900, ..retry };
    assert_eq!(tried(slow, 1, &trouble, 9), [(0, 0), (0, 900), (0, 900)], "none begins after within_s");
    assert_eq!(tried(Retry { rounds: 4, ..slow }, 1, &trouble, 9).len(), 3);
}

#[test]
fn what_a_target_says_decides_whether_it_is_asked_again() {
    let retry = Retry { attempts: 20, rounds: 2, within_s: 60, base_ms: 100, most_ms: 5_000, percent: 20 };
    let after = |seconds| Some(Duration::from_secs(seconds));
    let then = |first: Heard| tried(retry, 2, &[vec![first], vec![Heard::Trouble(None); 9]].concat(), 9);
    assert_eq!(then(Heard::Rejected), [(0, 0), (1, 0), (1, 100)], "a key that is not taken now is not taken later");
    assert_eq!(then(Heard::Elsewhere), [(0, 0), (1, 0), (1, 100)]);
    assert_eq!(then(Heard::Limited(after(3))), [(0, 0), (1, 0), (0, 3000), (1, 100)], "what it asks for is kept");
    assert_eq!(then(Heard::Trouble(after(6))), [(0, 0), (1, 0), (1, 100)], "unless it is too long");
}

#[test]
fn another_key_is_tried_at_once_and_counts_as_an_attempt() {
    let mut plan = Plan::new(vec![0, 1], Retry { attempts: 3, ..Retry::default() }, at(0));
    let names: [SecretName; 2] = ["a", "b"].map(|name| name.parse().unwrap());
    let mut tried = Vec::new();
    let mut key = 0;
    while let Next::Try(next) =
        plan.next(at(0), &Drawn::of(&[1.0]), |_| Standing::Ready(names.get(key).cloned()), || true)
    {
        tried.push((next.target, next.key.map(|key| key.to_string()), next.wait.as_millis()));
        plan.failed(next.target, &Heard::Limited(None), key == 0, at(0));
        key += 1;
    }
    let key = |name: &str| Some(name.to_owned());
    assert_eq!(tried, [(0, key("a"), 0), (0, key("b"), 0), (1, None, 0)]);
    assert!(!plan.may_go_on());
}

#[test]
fn who_rests_or_cools_is_passed_over_while_another_is_left() {
    let resting = Standing::Resting(at(30_000));
    let cooling = |until| Standing::Cooling(None, at(until));
    let ready = Standing::Ready(None);
    let chance = Drawn::of(&[0.0]);
    for (name, standings, want) in [
        ("ready ones go before", vec![resting.clone(), cooling(9), ready.clone()], Ok(2)),
        ("cooling is better than nothing, the soonest first", vec![resting.clone(), cooling(9), cooling(5)], Ok(2)),
        ("all rest", vec![Standing::Resting(at(90)), Standing::Resting(at(40))], Err(Some(at(40)))),
    ] {
        let mut plan = Plan::new((0..standings.len()).collect(), Retry::default(), at(0));
        let got = match plan.next(at(0), &chance, |target| standings[target].clone(), || true) {
            Next::Try(next) => Ok(next.target),
            Next::Done(opens) => Err(opens),
        };
        assert_eq!(got, want, "{name}");
    }
    // After an attempt a cooling key is not forced.
    let mut plan = Plan::new(vec![0, 1], Retry { rounds: 1, ..Retry::default() }, at(0));
    let standings = [ready, cooling(9)];
    assert!(matches!(plan.next(at(0), &chance, |target| standings[target].clone(), || true), Next::Try(_)));
    plan.failed(0, &Heard::Trouble(None), false, at(0));
    assert_eq!(plan.next(at(0), &chance, |target| standings[target].clone(), || true), Next::Done(None));
}

#[test]
fn what_cannot_be_told_a_target_is_no_attempt() {
    let mut plan = Plan::new(vec![0, 1], Retry { attempts: 1, ..Retry::default() }, at(0));
    let chance = Drawn::of(&[0.0]);
    let Next::Try(first) = plan.next(at(0), &chance, |_| Standing::Ready(None), || true) else { panic!() };
    plan.unfit(first.target);
    let Next::Try(second) = plan.next(at(0), &chance, |_| Standing::Ready(None), || true) else { panic!() };
    assert_eq!((second.target, plan.attempts()), (1, 1));
}

#[test]
fn a_breaker_counts_where_the_policy_says_or_others_are_left() {
    let routing = Routing::default();
    let key: SecretName = "a".parse().unwrap();
    let usual = Provider::new("p", Dialect::OpenAi, "https://a.example", Some(key.clone()));
    let strict = Provider { breaker: Some(Breaker { failures: 5, ..Breaker::default() }), ..usual.clone() };
    let ready = Standing::Ready(Some(key.clone()));
    assert_eq!(routing.standing(&strict, true, at(0)), ready);
    for _ in 0..5 {
        assert!(!routing.heard(&usual, Some(&key), &Heard::Trouble(None), at(0)));
    }
    assert_eq!(routing.standing(&usual, false, at(1)), ready, "there is nobody else to ask");
    assert_eq!(routing.standing(&usual, true, at(1)), Standing::Resting(at(30_000)));
    assert_eq!(routing.standing(&strict, false, at(1)), Standing::Resting(at(30_000)));
    let states = routing.states(at(1));
    assert_eq!((states[0].provider.as_str(), states[0].failures, states[0].resting_until), ("p", 5, Some(at(30_000))));
    assert_eq!(routing.standing(&usual, true, at(30_000)), ready, "one is let through");
    assert_eq!(routing.standing(&usual, true, at(30_000)), Standing::Resting(at(60_000)));
    routing.heard(&usual, Some(&key), &Heard::Answered, at(30_001));
    assert_eq!(routing.standing(&usual, true, at(30_001)), ready);
    assert!(routing.states(at(30_001)).is_empty());
}

#[test]
fn a_key_that_is_left_alone_decides_nothing_about_the_breaker() {
    let routing = Routing::default();
    let key: SecretName = "a".parse().unwrap();
    let provider = Provider::new("p", Dialect::OpenAi, "https://a.example", Some(key.clone()));
    for _ in 0..5 {
        routing.heard(&provider, Some(&key), &Heard::Trouble(None), at(0));
    }
    let minute = Some(Duration::from_secs(60));
    // One that was under way is told to slow down: it is there again, its key is not.
    routing.heard(&provider, Some(&key), &Heard::Limited(minute), at(1));
    assert_eq!(routing.standing(&provider, true, at(2)), Standing::Cooling(Some(key.clone()), at(60_001)));
    for _ in 0..5 {
        routing.heard(&provider, Some(&key), &Heard::Trouble(None), at(3));
    }
    assert_eq!(routing.standing(&provider, true, at(4)), Standing::Resting(at(30_003)));
    for _ in 0..2 {
        let standing = routing.standing(&provider, true, at(40_000));
        assert_eq!(standing, Standing::Cooling(Some(key.clone()), at(60_001)), "nobody was let through");
    }
    assert_eq!(routing.standing(&provider, true, at(60_001)), Standing::Ready(Some(key)));
}

#[test]
fn a_route_has_ten_repeats_and_earns_more() {
    let (routing, retry) = (Routing::default(), Retry { percent: 20, ..Retry::default() });
    for _ in 0..10 {
        assert!(routing.may_repeat("r"));
    }
    assert!(!routing.may_repeat("r") && routing.may_repeat("other"));
    for _ in 0..4 {
        routing.began("r", &retry);
        assert!(!routing.may_repeat("r"));
    }
    routing.began("r", &retry);
    assert!(routing.may_repeat("r") && !routing.may_repeat("r"), "one for five requests");
    (0..1000).for_each(|_| routing.began("r", &retry));
    let left = std::iter::repeat_with(|| routing.may_repeat("r")).take_while(|may| *may).count();
    assert_eq!(left, 10, "and never more than ten at once");
}
