//! A journal that the disk has damaged.

use super::*;

fn journal(desk: &Desk) -> std::path::PathBuf {
    desk.dir.path().join("usage.journal")
}

fn flip(desk: &Desk, places: impl IntoIterator<Item = usize>) {
    let mut bytes = std::fs::read(journal(desk)).unwrap();
    for at in places {
        bytes[at] ^= 1;
    }
    std::fs::write(journal(desk), bytes).unwrap();
}

async fn amounts(meter: &Meter) -> (u64, u64, u64) {
    let totals = meter.totals(Timestamp(0)).await.unwrap();
    totals.first().map_or((0, 0, 0), |total| {
        let Amounts { requests, estimated_requests, input_tokens, .. } = total.amounts;
        (requests, estimated_requests, input_tokens)
    })
}

/// A crash after three requests that were settled, 1,111 tokens in all, and with one that was open when the tables were written.
async fn crashed() -> Desk {
    let desk = Desk::new();
    let meter = desk.open();
    let open = meter.admit(admission("a")).await.unwrap();
    meter.record(admission("a"), exact(1, 0)).await.unwrap();
    // Whoever asks has the journal folded.
    assert_eq!(amounts(&meter).await, (1, 0, 1));
    for tokens in [10, 100, 1_000] {
        meter.record(admission("a"), exact(tokens, 0)).await.unwrap();
    }
    let after = desk.crash();
    drop(open);
    after
}

#[tokio::test]
async fn usage_behind_a_damaged_head_counts_once() {
    let desk = crashed().await;
    flip(&desk, [10]);
    for _ in 0..2 {
        let meter = desk.open();
        assert_eq!(amounts(&meter).await, (5, 1, 1_211), "the one that was open is an estimate of 100");
        meter.close();
    }
    assert!(!journal(&desk).with_extension("journal.damaged").exists(), "nothing is missing");
}

#[tokio::test]
async fn usage_behind_a_damaged_frame_counts() {
    let desk = crashed().await;
    // The first frame: it admits the request of 10 tokens.
    flip(&desk, [40]);
    let meter = desk.open();
    let (requests, estimated, tokens) = amounts(&meter).await;
    assert_eq!((requests, estimated, tokens), (4, 1, 1_201));
}

#[tokio::test]
async fn where_nothing_can_be_read_the_tables_hold_and_what_comes_counts_once() {
    let desk = crashed().await;
    let whole = std::fs::read(journal(&desk)).unwrap();
    flip(&desk, 0..whole.len());
    let meter = desk.open();
    assert_eq!(amounts(&meter).await, (2, 1, 101), "what the tables knew, and an estimate of what was open there");
    meter.record(admission("a"), exact(7, 0)).await.unwrap();
    let after = desk.crash();
    drop(meter);
    assert!(journal(&after).with_extension("journal.damaged").exists());
    // What the damaged file held comes back behind what is new.
    let mut bytes = std::fs::read(journal(&after)).unwrap();
    let new = bytes.len();
    bytes.extend_from_slice(&whole[new..]);
    std::fs::write(journal(&after), bytes).unwrap();
    for _ in 0..2 {
        let meter = after.open();
        assert_eq!(amounts(&meter).await, (3, 1, 108));
        meter.close();
    }
}
