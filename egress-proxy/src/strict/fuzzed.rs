//! What holds for any bytes of a connection; the fuzzer calls it, too (fuzz/fuzz_targets/http.rs).

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::forward::pulse::Pulse;
use crate::forward::wire::{self, Body, BrokenBody, Framing, InvalidHead, RequestHead};
use crate::strict::{Fault, INSTEAD, Strict};

/// Method, target and body of a request, and whether it is whole.
type Read = (String, String, Vec<u8>, bool);

/// However the bytes arrive, the same requests pass and the same fault is found; and another reader, which is as strict, ends
/// each of them at the same place.
pub(crate) fn framed(data: &[u8]) {
    let clock = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    clock.block_on(async {
        let (whole, fault) = passed(&[data]).await;
        assert!(data.starts_with(&whole), "only what came goes on");
        let single: Vec<&[u8]> = data.chunks(1).collect();
        let (one_by_one, same) = passed(&single).await;
        // Of two faults in one head, the one that is seen first is told.
        let place = |fault: Option<Fault>| fault.map(|fault| fault == Fault::Chunk);
        assert_eq!(place(same), place(fault), "byte by byte: {fault:?}, {same:?}");
        let (seen, again) = (requests(&whole).await, requests(&one_by_one).await);
        // Behind the beginning of a chunk that is none, more or less of it may have passed.
        if fault != Some(Fault::Chunk) {
            assert_eq!(seen, again, "byte by byte");
        }
        let heads = seen.iter().filter(|(.., whole)| !whole).count();
        assert!(heads <= 1, "only the last one may be under way");
    });
}

/// What passes of pieces that arrive one by one, without the head that stands for one that is none.
async fn passed(pieces: &[&[u8]]) -> (Vec<u8>, Option<Fault>) {
    let room = pieces.iter().map(|piece| piece.len()).sum::<usize>().max(1);
    let (mut far, near) = tokio::io::duplex(room);
    let mut strict = Strict::new(near, Duration::from_secs(3600));
    let witness = strict.witness();
    let mut all = Vec::with_capacity(room + INSTEAD.len());
    for piece in pieces {
        far.write_all(piece).await.expect("there is room");
        read(&mut strict, &mut all).await;
    }
    drop(far);
    read(&mut strict, &mut all).await;
    // There are no more requests than bytes.
    let fault = (0..=room).find_map(|_| witness.next().fault()).map(|(fault, _)| fault);
    if fault.is_some_and(|fault| fault != Fault::Chunk) {
        let without = all.strip_suffix(INSTEAD).expect("a head that is answered");
        return (without.to_vec(), fault);
    }
    (all, fault)
}

/// Reads all that is there.
async fn read(strict: &mut Strict<tokio::io::DuplexStream>, all: &mut Vec<u8>) {
    loop {
        all.reserve(INSTEAD.len());
        let read = std::pin::pin!(strict.read_buf(all));
        // Nothing of this waits for a clock: what is not there now will not come.
        let now = tokio::task::unconstrained(futures_now(read)).await;
        if !matches!(now, Some(Ok(1..))) {
            return;
        }
    }
}

/// The outcome, if it is there.
async fn futures_now<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut future).poll(cx) {
            std::task::Poll::Ready(out) => Some(out),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

/// The requests in `bytes`, as the forward proxy reads them; all of it is requests.
async fn requests(bytes: &[u8]) -> Vec<Read> {
    let (mut far, near) = tokio::io::duplex(bytes.len().max(1));
    far.write_all(bytes).await.expect("there is room");
    drop(far);
    let (mut reader, _) = wire::split(Box::new(near), &Arc::new(Pulse::new(Duration::from_secs(3600))));
    let mut all = Vec::new();
    loop {
        let head = match reader.head().await {
            Ok(Some(head)) => head,
            Ok(None) => return all,
            // Half a line end between two requests.
            Err(InvalidHead::Cut) if reader.ahead() == b"\r" => return all,
            Err(error) => panic!("the other reader sees no head: {error}"),
        };
        let head = RequestHead::parse(&head).expect("the other reader sees a request");
        let framing = Framing::of_request(&head).expect("the other reader sees where it ends");
        let (mut body, mut read) = (Body::new(framing), Vec::new());
        let ended = loop {
            match body.piece(&mut reader).await {
                Ok(Some(piece)) => read.extend_from_slice(&piece),
                Ok(None) => break true,
                Err(BrokenBody::Cut) => break false,
                // Only its beginning passed.
                Err(BrokenBody::Chunk) => break false,
            }
        };
        all.push((head.method, head.target, read, ended));
        if !ended {
            return all;
        }
    }
}

#[cfg(test)]
#[test]
fn holds_for_the_corpus() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/http");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(!files.is_empty(), "{folder} is empty");
    for file in files {
        framed(&std::fs::read(&file).unwrap());
    }
}
