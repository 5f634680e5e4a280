//! Budgets where they are spent: whatever happens, no window is used beyond its limit.

use wardkeep_policy::{Limit, Window};

use super::*;
use crate::budget::{Amount, Cap};

/// What [`request`] needs: 60 tokens in, 40 out; at 3 and 15 micros that is 780 micros.
const NEED: u64 = 100;
const NEED_MICROS: u64 = 60 * 3 + 40 * 15;

fn cap(scope: Option<&str>, window: Window, tokens: Option<u64>, micros: Option<u64>) -> Cap {
    Cap { scope: scope.map(|name| name.parse().unwrap()), limit: Limit { window, tokens, micros }, enforce: true }
}

fn request(agent: &str, caps: &[Cap]) -> Admission {
    Admission { estimated_input: 60, max_output: 40, caps: caps.to_vec(), ..admission(agent) }
}

/// As much as was held.
fn all_of_it() -> Settlement {
    exact(60, 40)
}

async fn over(meter: &Meter, admission: Admission) -> Box<Over> {
    match meter.admit(admission).await.map(|_| ()) {
        Err(NotAdmitted::Over(over)) => over,
        other => panic!("{other:?}"),
    }
}

fn amount(tokens: u64, micros: u64) -> Amount {
    Amount { tokens: tokens.into(), cost: Cost::from_micros(micros) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_at_once_against_a_budget_for_ten() {
    for cap in [
        cap(Some("a"), Window::Hour, Some(10 * NEED), None),
        cap(Some("a"), Window::Day, None, Some(10 * NEED_MICROS)),
        cap(None, Window::Month, Some(11 * NEED - 1), Some(11 * NEED_MICROS)),
    ] {
        let desk = Desk::new();
        let meter = desk.open();
        // Two of them where requests are served, with whoever is first writing for itself.
        let _porter = if cap.scope.is_none() { JoinSet::new() } else { carried(&meter).await };
        let calls: Vec<_> = (0..64)
            .map(|_| {
                let (meter, request) = (meter.clone(), request("a", std::slice::from_ref(&cap)));
                tokio::spawn(async move { meter.admit(request).await })
            })
            .collect();
        let mut admitted = Vec::new();
        for call in calls {
            match call.await.unwrap() {
                Ok(one) => admitted.push(one),
                Err(NotAdmitted::Over(over)) => assert!(over.is_held(), "{over}"),
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(admitted.len(), 10, "{cap:?}");
        // What was not used comes back, exactly.
        admitted.pop().unwrap().void();
        admitted.pop().unwrap().settle(exact(30, 20));
        admitted.pop().unwrap().settle(exact(30, 20));
        meter.flush().await.unwrap();
        let second = [
            meter.admit(request("a", std::slice::from_ref(&cap))).await.unwrap(),
            meter.admit(request("a", std::slice::from_ref(&cap))).await.unwrap(),
        ];
        assert!(over(&meter, request("a", std::slice::from_ref(&cap))).await.is_held());
        admitted.into_iter().chain(second).for_each(|one| one.settle(all_of_it()));
        meter.flush().await.unwrap();
        assert!(!over(&meter, request("a", std::slice::from_ref(&cap))).await.is_held());
        let amounts = meter.totals(Timestamp(0)).await.unwrap()[0].amounts;
        assert_eq!(amounts.requests, 11);
        assert_eq!(amounts.input_tokens + amounts.output_tokens, 10 * NEED);
    }
}

#[tokio::test]
async fn no_order_of_events_spends_more_than_there_is_and_a_restart_knows_as_much() {
    let desk = Desk::new();
    let caps = [
        cap(Some("a"), Window::Hour, Some(700), None),
        cap(None, Window::Day, Some(2_000), Some(9_000)),
        cap(Some("a"), Window::Month, None, Some(20_000)),
    ];
    let mut meter = desk.open();
    let mut open = Vec::new();
    // A fixed generator: the same walk each time.
    let mut state = 7_u64;
    let mut dice = |sides: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % sides
    };
    let mut refused = 0;
    for step in 0_u32..2_000 {
        match dice(8) {
            0..4 => {
                let agent = if dice(3) == 0 { "b" } else { "a" };
                let own: Vec<_> = caps.iter().filter(|cap| agent == "a" || cap.scope.is_none()).cloned().collect();
                let asked = Admission { estimated_input: dice(90), max_output: dice(90), ..request(agent, &own) };
                let most = (asked.estimated_input, asked.max_output);
                match meter.admit(asked).await {
                    Ok(admitted) => open.push((admitted, most)),
                    Err(NotAdmitted::Over(_)) => refused += 1,
                    Err(error) => panic!("{error}"),
                }
            }
            4..7 if !open.is_empty() => {
                let at = usize::try_from(dice(open.len() as u64)).unwrap();
                let (admitted, (input, output)) = open.swap_remove(at);
                match dice(4) {
                    0 => admitted.void(),
                    1 => drop(admitted),
                    _ => admitted.settle(exact(dice(input + 1), dice(output + 1))),
                }
            }
            7 if step % 50 == 0 => {
                // What was open is closed as an estimate, which is not more than was held.
                meter.flush().await.unwrap();
                open.drain(..).for_each(|(admitted, _)| std::mem::forget(admitted));
                meter.close();
                meter = desk.open();
            }
            _ => desk.at(desk.clock.now().millis() + i64::try_from(dice(4 * 60_000)).unwrap()),
        }
        for cap in &caps {
            let (from, until) = (cap.limit.window.start(desk.clock.now()), cap.limit.window.end(desk.clock.now()));
            meter.flush().await.unwrap();
            let due = meter.buckets_to_report(10_000).await.unwrap();
            let inside = due.iter().filter(|bucket| {
                (from..until).contains(&bucket.key.hour)
                    && cap.scope.as_ref().is_none_or(|own| *own == bucket.key.agent)
            });
            let (tokens, micros) = inside.fold((0, 0), |(tokens, micros), bucket| {
                let amounts = &bucket.amounts;
                (tokens + amounts.input_tokens + amounts.output_tokens, micros + amounts.cost_micros)
            });
            assert!(cap.limit.tokens.is_none_or(|most| tokens <= most), "step {step}: {tokens} of {cap:?}");
            assert!(cap.limit.micros.is_none_or(|most| micros <= most), "step {step}: {micros} of {cap:?}");
        }
    }
    assert!(refused > 100, "the walk never met a limit: {refused}");
}

#[tokio::test]
async fn a_crash_between_reserving_and_settling_leaves_nothing_held() {
    let desk = Desk::new();
    let caps = [cap(Some("a"), Window::Day, Some(3 * NEED), None)];
    let meter = desk.open();
    let open: Vec<_> = [meter.admit(request("a", &caps)).await, meter.admit(request("a", &caps)).await].into();
    let after = desk.crash();
    drop(open);
    let meter = after.open();
    // Both are closed as estimates of their input: 120 tokens are used, none is held.
    let judged = over(&meter, Admission { max_output: 1_000, ..request("a", &caps) }).await;
    assert_eq!((judged.used, judged.held), (amount(120, 120 * 3), amount(0, 0)));
    meter.admit(request("a", &caps)).await.unwrap().settle(all_of_it());
    meter.flush().await.unwrap();
    assert_eq!(over(&meter, request("a", &caps)).await.used, amount(220, 360 + NEED_MICROS));
}

#[tokio::test]
async fn each_window_begins_anew_at_its_edge() {
    let at = |text: &str| Timestamp::of_date(text).unwrap().millis();
    for (window, end) in [
        (Window::Hour, at("2026-11-21") + 7 * HOUR),
        (Window::Day, at("2026-11-22")),
        (Window::Month, at("2026-12-01")),
        (Window::Month, at("2028-03-01")),
        (Window::Month, at("2027-01-01")),
    ] {
        let desk = Desk::new();
        desk.at(end - 1);
        let meter = desk.open();
        let caps = [cap(None, window, Some(NEED), None)];
        let late = meter.admit(request("a", &caps)).await.unwrap();
        let stopped = over(&meter, request("b", &caps)).await;
        assert_eq!((stopped.opens, stopped.held), (Timestamp(end), amount(NEED, NEED_MICROS)), "{window}");
        desk.at(end);
        let early = meter.admit(request("b", &caps)).await.expect("a new window");
        // It was begun in the window before, so it counts there.
        late.settle(all_of_it());
        meter.flush().await.unwrap();
        assert_eq!(over(&meter, request("b", &caps)).await.held, amount(NEED, NEED_MICROS), "{window}");
        early.settle(exact(0, 1));
        meter.flush().await.unwrap();
        assert_eq!(over(&meter, request("b", &caps)).await.used, amount(1, 15), "{window}");
        // A clock that is set back finds what it left.
        desk.at(end - 1);
        assert_eq!(over(&meter, request("b", &caps)).await.used, amount(NEED, NEED_MICROS), "{window}");
        desk.at(end);
        assert_eq!(over(&meter, request("b", &caps)).await.used, amount(1, 15), "{window}");
        meter.close();
        let meter = desk.open();
        assert_eq!(over(&meter, request("b", &caps)).await.used, amount(1, 15), "{window} after a restart");
    }
}

#[tokio::test]
async fn a_budget_of_nothing_lets_nothing_pass_but_what_is_free() {
    let desk = Desk::new();
    let meter = desk.open();
    let (tokens, money) = (cap(None, Window::Hour, Some(0), None), cap(None, Window::Hour, None, Some(0)));
    assert!(over(&meter, request("a", &[tokens])).await.is_too_large());
    assert!(over(&meter, request("a", std::slice::from_ref(&money))).await.is_too_large());
    let free = Admission { tariff: Tariff::default(), ..request("a", &[money]) };
    meter.admit(free).await.expect("a model without a cost").void();
}

#[tokio::test]
async fn numbers_beyond_reason_are_over_every_limit_and_break_nothing() {
    let desk = Desk::new();
    let meter = desk.open();
    let most = wardkeep_policy::bundle::budgets::MOST;
    let caps = [cap(None, Window::Month, Some(most), Some(most)), cap(Some("a"), Window::Day, Some(most), None)];
    let tariff = Tariff { price: Price { output: u64::MAX, ..Price::default() }, guessed: false };
    let huge =
        |caps: &[Cap]| Admission { tariff, estimated_input: u64::MAX, max_output: u64::MAX, ..request("a", caps) };
    assert!(over(&meter, huge(&caps)).await.is_too_large());
    // Without a budget nothing is refused; whatever the provider says is bounded, also in the sum.
    for _ in 0..3 {
        meter.record(huge(&[]), exact(u64::MAX, u64::MAX)).await.unwrap();
    }
    let amounts = meter.totals(Timestamp(0)).await.unwrap()[0].amounts;
    assert_eq!((amounts.input_tokens, amounts.cost_micros), (3_000_000_000_000, (1 << 50) - 1));
    assert!(!over(&meter, request("a", &caps)).await.is_held());
    assert!(meter.buckets_to_report(1).await.unwrap()[0].amounts.cost_micros < 1 << 50, "the hub takes no more");
}

#[tokio::test]
async fn a_budget_that_only_reports_admits_and_says_what_it_would_have_stopped() {
    let desk = Desk::new();
    let meter = desk.open();
    let shadow = Cap { enforce: false, ..cap(None, Window::Hour, Some(NEED), None) };
    let caps = [shadow.clone(), cap(None, Window::Hour, Some(3 * NEED), None)];
    assert!(meter.admit(request("a", &caps)).await.unwrap().take_told().is_empty());
    let mut second = meter.admit(request("a", &caps)).await.unwrap();
    assert_eq!(second.take_told().into_iter().map(|over| over.cap).collect::<Vec<_>>(), [shadow]);
    meter.admit(request("a", &caps)).await.unwrap().settle(all_of_it());
    second.settle(all_of_it());
    assert!(over(&meter, request("a", &caps)).await.cap.enforce, "one that is enforced still stops");
}

#[tokio::test]
async fn what_the_disk_refuses_holds_nothing() {
    let desk = Desk::new();
    let (meter, disk) = desk.narrow(0);
    let caps = [cap(None, Window::Day, Some(10 * NEED), None)];
    let calls = async || futures((0..30).map(|_| meter.admit(request("a", &caps))).collect()).await;
    let refused = calls().await;
    assert!(refused.iter().all(Result::is_err));
    assert!(refused.iter().any(|call| matches!(call, Err(NotAdmitted::Meter(MeterError::DiskFull)))));
    disk.room.store(u64::MAX, Ordering::SeqCst);
    let (admitted, over): (Vec<_>, Vec<_>) = calls().await.into_iter().partition(Result::is_ok);
    assert_eq!((admitted.len(), over.len()), (10, 20));
    for call in over {
        let Err(NotAdmitted::Over(over)) = call else { panic!("the disk has room") };
        assert_eq!((over.used, over.held), (amount(0, 0), amount(10 * NEED, 10 * NEED_MICROS)));
    }
}

#[tokio::test]
async fn a_full_disk_is_no_way_around_a_budget() {
    let desk = Desk::new();
    let (meter, disk) = desk.narrow(5_000);
    let caps = [cap(None, Window::Day, Some(1_000_000 * NEED), None)];
    let mut open = Vec::new();
    loop {
        match meter.admit(request("a", &caps)).await {
            Ok(admitted) => open.push(admitted),
            Err(error) => break assert!(matches!(error, NotAdmitted::Meter(MeterError::DiskFull)), "{error}"),
        }
    }
    let small = [cap(None, Window::Day, Some(0), None)];
    let held = u64::try_from(open.len()).unwrap();
    assert_eq!(over(&meter, request("a", &small)).await.held, amount(held * NEED, held * NEED_MICROS));
    disk.room.store(u64::MAX, Ordering::SeqCst);
    open.pop().unwrap().file(all_of_it()).await;
    let after = over(&meter, request("a", &small)).await;
    assert_eq!((after.used, after.held.tokens), (amount(NEED, NEED_MICROS), u128::from((held - 1) * NEED)));
}

/// Polls all of them at once, to the end.
async fn futures<F: Future>(calls: Vec<F>) -> Vec<F::Output> {
    let mut calls: Vec<_> = calls.into_iter().map(|call| (Box::pin(call), None)).collect();
    std::future::poll_fn(|cx| {
        for (call, done) in &mut calls {
            if done.is_none()
                && let std::task::Poll::Ready(output) = call.as_mut().poll(cx)
            {
                *done = Some(output);
            }
        }
        if calls.iter().all(|(_, done)| done.is_some()) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    calls.into_iter().filter_map(|(_, done)| done).collect()
}
