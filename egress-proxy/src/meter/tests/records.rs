//! What the file keeps: exact sums, sessions and runs, and what an older file held.

use wardkeep_policy::Window;

use super::*;
use crate::trace::Trace;

fn trace(trace: u8, span: u8) -> Option<Trace> {
    Trace::parse(format!("00-{trace:032x}-{span:016x}-01").as_bytes())
}

fn run(session: &str, trace: Option<Trace>) -> Admission {
    Admission { run: Run { session: session.parse().ok(), trace }, ..admission("a") }
}

#[tokio::test]
async fn a_cost_too_small_to_see_is_not_lost() {
    let desk = Desk::new();
    let meter = desk.open();
    // A token of this model costs a millionth of a millionth of a dollar.
    let tariff = Tariff { price: Price { input: 1, ..Price::default() }, guessed: true };
    let dust = || Admission { tariff, ..admission("a") };
    meter.record(dust(), exact(1, 0)).await.unwrap();
    let amounts = |line: &Line| (line.amounts.cost_micros, line.amounts.guessed_price_requests);
    assert_eq!(
        amounts(&meter.lines(By::Agent, Timestamp(0), 9).await.unwrap()[0]),
        (1, 1),
        "rounded up, not to nothing"
    );
    meter.record(dust(), exact(999_999, 0)).await.unwrap();
    assert_eq!(meter.buckets_to_report(9).await.unwrap()[0].amounts.cost_micros, 1, "both together are exactly one");
    meter.record(dust(), exact(1, 0)).await.unwrap();
    desk.at(11 * HOUR);
    meter.record(dust(), exact(999_999, 0)).await.unwrap();
    let due = meter.buckets_to_report(9).await.unwrap();
    assert_eq!(due.iter().map(|bucket| bucket.amounts.cost_micros).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(amounts(&meter.lines(By::Run, Timestamp(0), 9).await.unwrap()[0]), (2, 4));
    assert_eq!(meter.totals(Timestamp(0)).await.unwrap()[0].amounts.cost_micros, 2, "hours are added before rounding");
}

#[tokio::test]
async fn sessions_and_runs_have_their_own_totals() {
    let desk = Desk::new();
    let meter = desk.open();
    meter.record(run("s1", trace(1, 7)), exact(1, 0)).await.unwrap();
    desk.at(11 * HOUR);
    meter.record(run("s1", trace(1, 8)), exact(2, 0)).await.unwrap();
    meter.record(run("s1", trace(2, 9)), exact(4, 0)).await.unwrap();
    desk.at(12 * HOUR);
    meter.record(run("s2", None), exact(8, 0)).await.unwrap();
    meter.record(Admission { run: Run::default(), ..admission("b") }, exact(16, 0)).await.unwrap();
    let lines = async |by, since| {
        let lines = meter.lines(by, Timestamp(since), 9).await.unwrap();
        lines
            .into_iter()
            .map(|line| {
                let names = [Some(line.agent.to_string()), line.model, line.session, line.run, line.span];
                let names: Vec<_> =
                    names.into_iter().flatten().map(|name| name.trim_start_matches('0').to_owned()).collect();
                (
                    names.join("/"),
                    line.amounts.input_tokens,
                    line.first.zip(line.last).map(|(a, b)| (a.0 / HOUR, b.0 / HOUR)),
                )
            })
            .collect::<Vec<_>>()
    };
    let line = |name: &str, input, times| (name.to_owned(), input, times);
    assert_eq!(
        lines(By::Run, 0).await,
        [
            line("a/s2//", 8, Some((12, 12))),
            line("b///", 16, Some((12, 12))),
            line("a/s1/1/8", 3, Some((10, 11))),
            line("a/s1/2/9", 4, Some((11, 11))),
        ]
    );
    assert_eq!(
        lines(By::Session, 11 * HOUR).await,
        [line("a/s2", 8, Some((12, 12))), line("b/", 16, Some((12, 12))), line("a/s1", 7, Some((10, 11)))]
    );
    assert_eq!(lines(By::Session, 12 * HOUR).await.len(), 2);
    assert_eq!(lines(By::Agent, 0).await, [line("a", 15, None), line("b", 16, None)]);
    assert_eq!(lines(By::Model, 11 * HOUR).await, [line("a/small", 14, None), line("b/small", 16, None)]);
    assert_eq!(meter.lines(By::Run, Timestamp(0), 1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_request_that_a_crash_closed_belongs_to_its_run() {
    let desk = Desk::new();
    let meter = desk.open();
    let open = meter.admit(run("s", trace(1, 1))).await.unwrap();
    let after = desk.crash();
    drop(open);
    let lines = after.open().lines(By::Run, Timestamp(0), 9).await.unwrap();
    assert_eq!((lines[0].session.as_deref(), lines[0].amounts.estimated_requests), (Some("s"), 1));
}

#[tokio::test]
async fn old_runs_are_forgotten_and_so_are_the_oldest_of_too_many() {
    let desk = Desk::new();
    let path = desk.dir.path().join("usage.db");
    let columns = "agent, session, run, span, first_ms, last_ms, requests, estimated_requests, guessed_price_requests, \
         input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, reasoning_tokens, \
         cost_micros, cost_rest";
    store::Store::open(&path).unwrap().sabotage(&format!(
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 50004)
         INSERT INTO runs ({columns}) SELECT 'a', 's', n, '', n, CASE n WHEN 2 THEN 9000000000 ELSE n END,
             1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0 FROM n"
    ));
    // At 90 days and 3 ms: the first two are old, but the second was used of late.
    desk.at(90 * 24 * HOUR + 3);
    let left = desk.open().lines(By::Run, Timestamp(0), u32::MAX).await.unwrap();
    assert_eq!(left.len(), 50_000);
    assert!(left.iter().all(|line| line.first.unwrap().millis() > 4), "the oldest go first");
}

#[tokio::test]
async fn an_older_file_becomes_a_newer_one_whole_or_not_at_all() {
    let desk = Desk::new();
    let path = desk.dir.path().join("usage.db");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(schema::STEPS[0]).unwrap();
    old.execute_batch(&format!(
        "INSERT INTO buckets VALUES ('a', 'claude', 'small', {}, 5, 4, 3, 1, 10, 20, 30, 40, 5, 99);
         INSERT INTO open_requests VALUES (7, 'a', 'claude', 'small', {}, 50, 3000000);
         PRAGMA user_version = 1;
         CREATE TABLE runs (in_the_way);",
        10 * HOUR,
        10 * HOUR + 1
    ))
    .unwrap();
    assert!(matches!(desk.try_open(), Err(MeterError::Store(_))));
    let version: i64 = old.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    let columns: i64 =
        old.query_row("SELECT count(*) FROM pragma_table_info('buckets')", [], |row| row.get(0)).unwrap();
    assert_eq!((version, columns), (1, 14), "a step that fails leaves the file as it was");
    old.execute_batch("DROP TABLE runs").unwrap();
    drop(old);
    for _ in 0..2 {
        let meter = desk.open();
        let due = meter.buckets_to_report(9).await.unwrap();
        let want = Amounts {
            requests: 4,
            estimated_requests: 2,
            guessed_price_requests: 0,
            input_tokens: 60,
            output_tokens: 20,
            cache_read_tokens: 30,
            cache_write_tokens: 40,
            cache_write_1h_tokens: 0,
            reasoning_tokens: 5,
            cost_micros: 99 + 150,
        };
        assert_eq!((due[0].key.clone(), due[0].revision, due[0].amounts), (key("a", 10), 6, want));
        // What was used before counts for budgets, too.
        let limit = wardkeep_policy::Limit { window: Window::Hour, tokens: Some(0), micros: None };
        let cap = crate::budget::Cap { scope: None, limit, enforce: true };
        let Err(NotAdmitted::Over(over)) = meter.admit(Admission { caps: vec![cap], ..admission("a") }).await else {
            panic!("a budget of nothing");
        };
        assert_eq!(over.used.tokens, 150);
        meter.close();
    }
}
