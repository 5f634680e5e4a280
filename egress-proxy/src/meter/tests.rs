use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use tempfile::TempDir;
use tokio::task::JoinSet;
use wardkeep_policy::{Price, Tariff};
use wardkeep_proto::waypoint::{NoWaypoints, Waypoint};

use super::journal::Narrow;
use super::*;

mod alone;
mod budgets;
mod damaged;
mod records;

const HOUR: i64 = 3_600_000;

struct At(AtomicI64);

impl Clock for At {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

struct Desk {
    dir: TempDir,
    clock: Arc<At>,
}

impl Desk {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), clock: Arc::new(At(AtomicI64::new(10 * HOUR + 5))) }
    }

    fn open(&self) -> Meter {
        self.try_open().unwrap()
    }

    fn try_open(&self) -> Result<Meter, MeterError> {
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as _;
        Meter::open(&self.dir.path().join("usage.db"), clock, Arc::new(NoWaypoints))
    }

    /// With a disk that has so much room for the journal.
    fn narrow(&self, room: u64) -> (Meter, Arc<Narrow>) {
        let path = self.dir.path().join("usage.db");
        let store = store::Store::open(&path).unwrap();
        let (mut journal, _) = Journal::open(&path.with_extension("journal"), store.folded().unwrap()).unwrap();
        let narrow = Arc::new(Narrow { room: room.into(), ..Narrow::default() });
        journal.narrow = Some(Arc::clone(&narrow));
        let disk = Disk::new(store, journal);
        (Meter::start(disk, Arc::clone(&self.clock) as _, Arc::new(NoWaypoints)).unwrap(), narrow)
    }

    fn at(&self, ms: i64) {
        self.clock.0.store(ms, Ordering::SeqCst);
    }

    /// What a crash leaves: the files as they are on disk at this moment.
    fn crash(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(self.dir.path()).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
        }
        Self { dir, clock: Arc::clone(&self.clock) }
    }
}

/// As where requests are served: until this is dropped, who is alone writes for itself.
async fn carried(meter: &Meter) -> JoinSet<()> {
    let mut porter = JoinSet::new();
    porter.spawn(meter.clone().carry());
    while !meter.0.porter.is_carried() {
        tokio::task::yield_now().await;
    }
    porter
}

fn admission(agent: &str) -> Admission {
    let price = Price { input: 3_000_000, output: 15_000_000, ..Price::default() };
    Admission {
        agent: agent.parse().unwrap(),
        provider: "claude".to_owned(),
        model: "small".to_owned(),
        estimated_input: 100,
        max_output: 0,
        tariff: Tariff { price, guessed: false },
        run: Run::default(),
        caps: Vec::new(),
    }
}

fn exact(input: u64, output: u64) -> Settlement {
    Settlement { usage: Usage { input, output, ..Usage::default() }, estimated: false }
}

fn key(agent: &str, hour: i64) -> BucketKey {
    BucketKey {
        agent: agent.parse().unwrap(),
        provider: "claude".to_owned(),
        model: "small".to_owned(),
        hour: Timestamp(hour * HOUR),
    }
}

#[tokio::test]
async fn a_newer_file_is_refused_and_a_second_daemon_too() {
    let desk = Desk::new();
    let meter = desk.open();
    let second = desk.try_open();
    assert!(matches!(second, Err(MeterError::Store(_))), "two daemons would close each other's requests");
    meter.close();
    let file = rusqlite::Connection::open(desk.dir.path().join("usage.db")).unwrap();
    file.pragma_update(None, "user_version", 5).unwrap();
    drop(file);
    assert!(matches!(desk.try_open(), Err(MeterError::NewerSchema { found: 5, known: 4 })));
}

#[tokio::test]
async fn requests_fold_into_the_hour_in_which_they_were_admitted() {
    let desk = Desk::new();
    let meter = desk.open();
    let late = meter.admit(admission("a")).await.unwrap();
    meter.record(admission("a"), exact(10, 2)).await.unwrap();
    desk.at(11 * HOUR);
    meter.record(admission("a"), exact(1, 1)).await.unwrap();
    meter.record(admission("b"), exact(1, 0)).await.unwrap();
    late.settle(Settlement {
        usage: Usage { input: 5, output: 4, cache_read: 3, cache_write: 2, cache_write_1h: 1, reasoning: 1 },
        estimated: true,
    });
    meter.flush().await.unwrap();
    let due = meter.buckets_to_report(10).await.unwrap();
    let seen: Vec<_> = due.iter().map(|b| (b.key.clone(), b.revision, b.amounts.requests)).collect();
    assert_eq!(seen, [(key("a", 10), 2, 2), (key("a", 11), 1, 1), (key("b", 11), 1, 1)]);
    let want = Amounts {
        requests: 2,
        estimated_requests: 1,
        guessed_price_requests: 0,
        input_tokens: 15,
        output_tokens: 6,
        cache_read_tokens: 3,
        cache_write_tokens: 2,
        cache_write_1h_tokens: 1,
        reasoning_tokens: 1,
        // The token that stays in the cache for an hour costs twice the input.
        cost_micros: 15 * 3 + 6 * 15 + 6,
    };
    assert_eq!(due[0].amounts, want);
    let totals = meter.totals(Timestamp(0)).await.unwrap();
    assert_eq!(totals.iter().map(|t| (t.agent.as_str(), t.amounts.requests)).collect::<Vec<_>>(), [("a", 3), ("b", 1)]);
    assert_eq!(meter.totals(Timestamp(11 * HOUR)).await.unwrap()[0].amounts.requests, 1);
    assert_eq!(meter.buckets_to_report(1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_receipt_counts_once_and_never_backwards() {
    let desk = Desk::new();
    let meter = desk.open();
    for _ in 0..3 {
        meter.record(admission("a"), exact(1, 1)).await.unwrap();
    }
    let due = |meter: Meter| async move { meter.buckets_to_report(10).await.unwrap().len() };
    meter.acknowledge(key("a", 10), 2).await.unwrap();
    assert_eq!(due(meter.clone()).await, 1, "revision 3 is not on the hub yet");
    meter.acknowledge(key("a", 10), 3).await.unwrap();
    meter.acknowledge(key("a", 10), 1).await.unwrap();
    assert_eq!(due(meter.clone()).await, 0);
    // A receipt from the future (a hub restored from elsewhere) must not swallow what comes next.
    meter.acknowledge(key("a", 10), 999).await.unwrap();
    meter.acknowledge(key("nobody", 10), 1).await.unwrap();
    meter.record(admission("a"), exact(1, 1)).await.unwrap();
    let again = meter.buckets_to_report(10).await.unwrap();
    assert_eq!((again[0].revision, again[0].amounts.requests), (4, 4));
    meter.close();
    let meter = desk.open();
    assert_eq!(meter.buckets_to_report(10).await.unwrap(), again, "what has no receipt is sent again after a restart");
}

#[tokio::test]
async fn a_crash_at_any_moment_counts_each_request_once() {
    let desk = Desk::new();
    let meter = desk.open();
    let first = meter.admit(admission("a")).await.unwrap();
    let second = meter.admit(admission("a")).await.unwrap();
    let both_open = desk.crash();
    first.settle(exact(7, 7));
    meter.flush().await.unwrap();
    let one_open = desk.crash();
    second.settle(exact(8, 8));
    meter.flush().await.unwrap();
    let none_open = desk.crash();
    for (after, requests, estimated, input) in [(both_open, 2, 2, 200), (one_open, 2, 1, 107), (none_open, 2, 0, 15)] {
        for restart in 0..2 {
            let meter = after.open();
            let amounts = meter.totals(Timestamp(0)).await.unwrap()[0].amounts;
            assert_eq!(
                (amounts.requests, amounts.estimated_requests, amounts.input_tokens),
                (requests, estimated, input),
                "restart {restart}"
            );
            assert!(amounts.cost_micros >= amounts.input_tokens * 3, "an estimate has a price");
            meter.close();
        }
    }
}

#[tokio::test]
async fn a_crash_charges_what_may_have_been_made_until_the_next_start() {
    let desk = Desk::new();
    let meter = desk.open();
    let asked = |max_output| Admission { max_output, ..admission("a") };
    let open = [meter.admit(asked(4_096)).await.unwrap(), meter.admit(asked(1_000)).await.unwrap()];
    let journal = desk.crash();
    // What was settled since is folded into the tables, and with it what is open.
    meter.record(admission("b"), exact(0, 0)).await.unwrap();
    meter.buckets_to_report(1).await.unwrap();
    let tables = desk.crash();
    for (after, seconds, output) in [(&journal, 0, 0), (&journal.crash(), 12, 2_200), (&tables, 12, 2_200)] {
        after.at(10 * HOUR + 5 + seconds * 1000);
        for _ in 0..2 {
            let meter = after.open();
            let amounts = meter.totals(Timestamp(0)).await.unwrap()[0].amounts;
            let said = (amounts.estimated_requests, amounts.input_tokens, amounts.output_tokens);
            assert_eq!(said, (2, 200, output), "after {seconds} seconds");
            assert_eq!(amounts.cost_micros, 200 * 3 + output * 15);
            meter.close();
        }
    }
    let late = desk.crash();
    late.at(20 * HOUR);
    let amounts = late.open().totals(Timestamp(0)).await.unwrap()[0].amounts;
    assert_eq!(amounts.output_tokens, 5_096, "no more than was asked for");
    drop(open);
}

#[tokio::test]
async fn leaving_counts_and_a_void_request_does_not() {
    let desk = Desk::new();
    let meter = desk.open();
    drop(meter.admit(admission("left")).await.unwrap());
    meter.admit(admission("void")).await.unwrap().void();
    // The asker leaves between asking and hearing: the row must not stay open.
    {
        let mut asking = Box::pin(meter.admit(admission("gone")));
        let waker = std::task::Waker::noop();
        assert!(asking.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
    }
    // Or with the answer in hand.
    {
        let mut asking = Box::pin(meter.admit(admission("late")));
        let waker = std::task::Waker::noop();
        assert!(asking.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
        meter.flush().await.unwrap();
    }
    meter.flush().await.unwrap();
    meter.close();
    let meter = desk.open();
    let totals = meter.totals(Timestamp(0)).await.unwrap();
    let seen: Vec<_> =
        totals.iter().map(|t| (t.agent.as_str(), t.amounts.requests, t.amounts.estimated_requests)).collect();
    assert_eq!(seen, [("left", 1, 1)]);
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_an_answer_that_is_told_whole_is_charged_what_was_made_of_it() {
    let desk = Desk::new();
    let meter = desk.open();
    for (agent, waited, unseen, output) in
        [("stream", 60, false, 0), ("soon", 0, true, 0), ("later", 7, true, 700), ("late", 3_600, true, 4_096)]
    {
        let mut admitted = meter.admit(Admission { max_output: 4_096, ..admission(agent) }).await.unwrap();
        if unseen {
            admitted.leaves_unseen();
        }
        tokio::time::advance(std::time::Duration::from_secs(waited)).await;
        drop(admitted);
        meter.flush().await.unwrap();
        let totals = meter.totals(Timestamp(0)).await.unwrap();
        let seen = totals.iter().find(|total| total.agent.as_str() == agent).unwrap().amounts;
        assert_eq!((seen.estimated_requests, seen.input_tokens, seen.output_tokens), (1, 100, output), "{agent}");
    }
}

#[tokio::test]
async fn closing_writes_what_is_queued_and_says_so_afterwards() {
    struct Count(AtomicUsize);
    impl Waypoints for Count {
        fn pass(&self, at: Waypoint) {
            assert_eq!(at, Waypoint::UsageRecorded);
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let desk = Desk::new();
    let passed = Arc::new(Count(AtomicUsize::new(0)));
    let clock: Arc<dyn Clock> = Arc::clone(&desk.clock) as _;
    let meter = Meter::open(&desk.dir.path().join("usage.db"), clock, Arc::clone(&passed) as _).unwrap();
    let changes = meter.changes();
    let open = meter.admit(admission("a")).await.unwrap();
    assert!(!changes.has_changed().unwrap());
    open.settle(exact(1, 1));
    meter.close();
    assert_eq!(passed.0.load(Ordering::SeqCst), 1);
    assert_eq!(*changes.borrow(), 1);
    assert!(matches!(meter.admit(admission("a")).await, Err(NotAdmitted::Meter(MeterError::Closed))));
    assert_eq!(desk.open().totals(Timestamp(0)).await.unwrap()[0].amounts.requests, 1);
}

#[tokio::test]
async fn a_full_disk_refuses_new_requests_with_a_name() {
    let desk = Desk::new();
    let (meter, _) = desk.narrow(5_000);
    let mut open = Vec::new();
    let error = loop {
        match meter.admit(admission("a")).await {
            Ok(admitted) => open.push(admitted),
            Err(error) => break error,
        }
        assert!(open.len() < 100, "the disk never fills");
    };
    assert!(!open.is_empty() && matches!(error, NotAdmitted::Meter(MeterError::DiskFull)), "{error:?}");
}

#[tokio::test]
async fn tables_that_cannot_be_written_refuse_new_requests_in_the_end() {
    let desk = Desk::new();
    let path = desk.dir.path().join("usage.db");
    let store = store::Store::open(&path).unwrap();
    // SQLite's own way to a full disk: no page more than there are now.
    store.sabotage("PRAGMA max_page_count = 1");
    let (journal, _) = Journal::open(&path.with_extension("journal"), store.folded().unwrap()).unwrap();
    let meter = Meter::start(Disk::new(store, journal), Arc::clone(&desk.clock) as _, Arc::new(NoWaypoints)).unwrap();
    let mut open = Vec::new();
    let error = loop {
        match meter.admit(admission("a")).await {
            Ok(admitted) => open.push(admitted),
            Err(error) => break error,
        }
        assert!(open.len() < 10_000, "the journal grows for ever");
    };
    assert!(matches!(error, NotAdmitted::Meter(MeterError::DiskFull)), "{error:?}");
    let count = u64::try_from(open.len()).unwrap();
    let after = desk.crash();
    drop((open, meter));
    assert_eq!(after.open().totals(Timestamp(0)).await.unwrap()[0].amounts.requests, count, "what was admitted counts");
}

#[tokio::test]
async fn a_settlement_that_the_disk_refuses_is_kept() {
    let desk = Desk::new();
    let (meter, disk) = desk.narrow(u64::MAX);
    let open = meter.admit(admission("a")).await.unwrap();
    disk.room.store(1, Ordering::SeqCst);
    open.settle(exact(3, 1));
    assert!(meter.flush().await.is_err(), "a flush says that something is not written");
    assert!(matches!(meter.admit(admission("b")).await, Err(NotAdmitted::Meter(MeterError::DiskFull))));
    assert!(meter.totals(Timestamp(0)).await.unwrap().is_empty());
    disk.room.store(u64::MAX, Ordering::SeqCst);
    meter.flush().await.unwrap();
    let totals = meter.totals(Timestamp(0)).await.unwrap();
    assert_eq!(totals.iter().map(|t| (t.agent.as_str(), t.amounts.input_tokens)).collect::<Vec<_>>(), [("a", 3)]);
}

#[tokio::test]
async fn a_journal_that_grows_is_folded_and_a_crash_at_any_turn_counts_once() {
    let desk = Desk::new();
    let meter = desk.open();
    let long_open = meter.admit(admission("long")).await.unwrap();
    for n in 1..=1_000 {
        meter.admit(admission("a")).await.unwrap().file(exact(1, 0)).await;
        if n % 50 == 0 {
            let meter = desk.crash().open();
            let totals = meter.totals(Timestamp(0)).await.unwrap();
            let seen: Vec<_> = totals.iter().map(|t| (t.agent.as_str(), t.amounts.requests)).collect();
            assert_eq!(seen, [("a", n), ("long", 1)]);
            meter.close();
        }
    }
    let journal = desk.dir.path().join("usage.journal");
    assert!(std::fs::metadata(&journal).unwrap().len() < 100_000, "it begins anew");
    long_open.settle(exact(9, 9));
    meter.close();
    // A journal that was folded is not counted again, even if the tables are all that is asked.
    let meter = desk.open();
    let totals = meter.totals(Timestamp(0)).await.unwrap();
    let seen: Vec<_> = totals.iter().map(|t| (t.amounts.requests, t.amounts.input_tokens)).collect();
    assert_eq!(seen, [(1_000, 1_000), (1, 9)]);
}
