//! One request alone: whoever asks for it writes it, and no thread is woken.

use super::*;

/// How much the thread was given.
fn sent(meter: &Meter) -> u64 {
    meter.0.porter.sent()
}

#[tokio::test]
async fn one_request_at_a_time_wakes_nobody_and_a_crash_counts_it_once() {
    let desk = Desk::new();
    let (meter, _) = desk.narrow(u64::MAX);
    let _porter = carried(&meter).await;
    for n in 1..=1_200_u64 {
        let admitted = meter.admit(admission("a")).await.unwrap();
        if n % 100 == 0 {
            let after = desk.crash().open();
            let seen = after.totals(Timestamp(0)).await.unwrap()[0].amounts;
            assert_eq!((seen.requests, seen.estimated_requests), (n, 1), "it is on disk before anybody goes on");
            after.close();
        }
        admitted.file(exact(1, 0)).await;
        if n % 100 == 50 {
            let after = desk.crash().open();
            let seen = after.totals(Timestamp(0)).await.unwrap()[0].amounts;
            assert_eq!((seen.requests, seen.estimated_requests), (n, 0), "what was filed counts as it was");
            after.close();
        }
    }
    // The journal was folded and old things were forgotten, both by the thread; nothing else was.
    assert!((2..200).contains(&sent(&meter)), "{} jobs of 2,400", sent(&meter));
    assert!(std::fs::metadata(desk.dir.path().join("usage.journal")).unwrap().len() < 100_000, "it begins anew");
    assert_eq!(meter.totals(Timestamp(0)).await.unwrap()[0].amounts.requests, 1_200);
}

#[tokio::test]
async fn beside_another_request_it_is_the_threads_work() {
    let desk = Desk::new();
    let (meter, _) = desk.narrow(u64::MAX);
    let _porter = carried(&meter).await;
    let first = meter.admit(admission("a")).await.unwrap();
    assert_eq!(sent(&meter), 0);
    let second = meter.admit(admission("a")).await.unwrap();
    assert_eq!(sent(&meter), 1, "an answer may be under way: its thread does not wait for the disk");
    first.file(exact(1, 1)).await;
    assert_eq!(sent(&meter), 2);
    second.file(exact(1, 1)).await;
    meter.admit(admission("a")).await.unwrap().void();
    meter.flush().await.unwrap();
    assert_eq!(meter.totals(Timestamp(0)).await.unwrap()[0].amounts.requests, 2);
}

#[tokio::test]
async fn beside_a_request_that_is_being_received_it_is_the_threads_work() {
    let desk = Desk::new();
    let (meter, _) = desk.narrow(u64::MAX);
    let _porter = carried(&meter).await;
    let (myself, uploads) = (meter.comes(), meter.comes());
    let open = meter.admit(admission("a")).await.unwrap();
    assert_eq!(sent(&meter), 1, "the meter has not heard of it, but it would wait");
    drop(uploads);
    open.file(exact(1, 1)).await;
    assert_eq!(sent(&meter), 1);
    drop(myself);
}

#[tokio::test]
async fn a_disk_that_stalled_is_the_threads_until_it_was_quick_for_long() {
    let desk = Desk::new();
    let (meter, disk) = desk.narrow(u64::MAX);
    let _porter = carried(&meter).await;
    let mut want = 0;
    // Twice as long each time: the first 64 writes, then 128.
    for requests in [32, 64] {
        disk.delay_ms.store(400, Ordering::SeqCst);
        let open = meter.admit(admission("a")).await.unwrap();
        assert_eq!(sent(&meter), want, "nobody knew before the write how long it takes");
        disk.delay_ms.store(0, Ordering::SeqCst);
        open.file(exact(1, 1)).await;
        for _ in 1..requests {
            meter.admit(admission("a")).await.unwrap().file(exact(1, 1)).await;
        }
        let open = meter.admit(admission("a")).await.unwrap();
        want += 2 * requests;
        assert_eq!(sent(&meter), want, "one quick write is no proof");
        open.file(exact(1, 1)).await;
        assert_eq!(sent(&meter), want, "the disk is waited for again");
    }
    assert_eq!(meter.totals(Timestamp(0)).await.unwrap()[0].amounts.requests, 98);
}

#[tokio::test]
async fn what_the_disk_refuses_goes_to_the_thread_which_tries_again() {
    let desk = Desk::new();
    let (meter, disk) = desk.narrow(u64::MAX);
    let _porter = carried(&meter).await;
    let open = meter.admit(admission("a")).await.unwrap();
    disk.room.store(1, Ordering::SeqCst);
    assert!(matches!(meter.admit(admission("b")).await, Err(NotAdmitted::Meter(MeterError::DiskFull))));
    open.file(exact(3, 1)).await;
    assert!(matches!(meter.admit(admission("b")).await, Err(NotAdmitted::Meter(MeterError::DiskFull))));
    disk.room.store(u64::MAX, Ordering::SeqCst);
    let mut changes = meter.changes();
    changes.changed().await.expect("the thread tries again by itself");
    assert_eq!(meter.totals(Timestamp(0)).await.unwrap()[0].amounts.input_tokens, 3);
}

#[tokio::test]
async fn after_the_end_nothing_is_written() {
    let desk = Desk::new();
    let meter = desk.open();
    let _porter = carried(&meter).await;
    let open = meter.admit(admission("a")).await.unwrap();
    meter.close();
    assert!(matches!(meter.admit(admission("a")).await, Err(NotAdmitted::Meter(MeterError::Closed))));
    open.file(exact(5, 5)).await;
    let amounts = desk.open().totals(Timestamp(0)).await.unwrap()[0].amounts;
    assert_eq!((amounts.requests, amounts.estimated_requests), (1, 1), "it is an estimate at the next start");
}
