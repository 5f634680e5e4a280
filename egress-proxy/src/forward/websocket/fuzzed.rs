//! What holds for any bytes of a WebSocket; the fuzzer calls it, too (fuzz/fuzz_targets/websocket.rs).

use std::future::Future as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wardkeep_proto::chance::Chance;

use super::super::pulse::Pulse;
use super::super::wire;
use super::frame::{self, CONTROL_BYTES, Head, Masks};

/// Last, kind, payload.
type Frame = (bool, u8, Vec<u8>);

/// The same mask for all.
struct NoChance;

impl Chance for NoChance {
    fn fill(&self, out: &mut [u8]) {
        out.fill(0x5a);
    }
}

/// However the bytes arrive, the same frames are in them, and written again they are the same frames. Control frames are
/// short and whole.
pub(crate) fn framed(data: &[u8]) {
    let clock = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    clock.block_on(async {
        for masks in [Masks::Ours(Arc::new(NoChance)), Masks::None] {
            let (frames, is_sound) = read(&[data], &masks).await;
            let single: Vec<&[u8]> = data.chunks(1).collect();
            assert_eq!(read(&single, &masks).await, (frames.clone(), is_sound), "byte by byte");
            let controls = frames.iter().filter(|(_, kind, _)| *kind >= 8);
            for (is_last, _, payload) in controls {
                assert!(*is_last && payload.len() <= CONTROL_BYTES, "a control frame of {} bytes", payload.len());
            }
            let again = written(&frames, &masks).await;
            assert_eq!(read(&[&again], &masks).await, (frames, true), "written again");
        }
    });
}

/// The frames before the first byte that is none, and whether there is none such.
async fn read(pieces: &[&[u8]], masks: &Masks) -> (Vec<Frame>, bool) {
    let room = pieces.iter().map(|piece| piece.len()).max().unwrap_or(1).max(1);
    let (mut far, near) = tokio::io::duplex(room);
    let (mut reader, _writer) = wire::split(Box::new(near), &Arc::new(Pulse::new(Duration::from_secs(3600))));
    let send = async {
        for piece in pieces {
            // Whoever has read enough has gone.
            if far.write_all(piece).await.is_err() {
                return;
            }
        }
        drop(far);
    };
    let hear = async {
        let mut frames = Vec::new();
        loop {
            let head = match Head::read(&mut reader, masks).await {
                Ok(Some(head)) => head,
                Ok(None) => return (frames, true),
                Err(_) => return (frames, false),
            };
            let Ok(payload) = frame::payload(&mut reader, &head).await else { return (frames, false) };
            assert_eq!(payload.len() as u64, head.length, "as long as it says");
            frames.push((head.is_last, head.kind, payload.to_vec()));
        }
    };
    let (mut send, mut hear, mut is_sent) = (std::pin::pin!(send), std::pin::pin!(hear), false);
    std::future::poll_fn(|cx| {
        if !is_sent {
            is_sent = send.as_mut().poll(cx).is_ready();
        }
        hear.as_mut().poll(cx)
    })
    .await
}

async fn written(frames: &[Frame], masks: &Masks) -> Vec<u8> {
    let (mut far, near) = tokio::io::duplex(64 * 1024);
    let (_reader, mut writer) = wire::split(Box::new(near), &Arc::new(Pulse::new(Duration::from_secs(3600))));
    let mut all = Vec::new();
    for (is_last, kind, payload) in frames {
        frame::write(&mut writer, *kind, *is_last, payload, masks).await.expect("there is room");
        let mut room = vec![0; payload.len() + 14];
        let count = far.read(&mut room).await.expect("what was written");
        all.extend_from_slice(&room[..count]);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_for_the_corpus() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/websocket");
        let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(!files.is_empty(), "{folder} is empty");
        for file in files {
            framed(&std::fs::read(&file).unwrap());
        }
    }

    /// Heads of every kind with lengths that do and do not fit, in a sequence that is the same on every run.
    #[test]
    fn holds_for_made_up_frames() {
        let mut state = 7_u64;
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        };
        for _ in 0..2_000 {
            let mut bytes = Vec::new();
            for _ in 0..=next() % 3 {
                let lengths = [0, 1, 5, 125, 126, 127];
                let kinds = [0x80, 0x81, 0x01, 0x00, 0x82, 0x88, 0x89, 0x8a, 0x09, 0xc1, 0x83];
                bytes.push(kinds[usize::from(next()) % kinds.len()]);
                bytes.push((next() & 0x80) | lengths[usize::from(next()) % lengths.len()]);
                let more = next() % 140;
                bytes.extend((0..more).map(|_| next() & 0x1f));
            }
            framed(&bytes);
        }
    }
}
