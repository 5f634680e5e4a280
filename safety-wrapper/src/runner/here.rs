//! A run in this very process: on a thread that has locked itself in, while another one listens for the end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::live::Tell;
use super::used::Used;
use super::{GRACE, Held, LAST_WORDS, Raw, Reach, RunSpec, Work, leaf, program, sandbox, work};

/// Why a run is over.
enum End {
    /// By itself.
    Done(Raw),
    /// Somebody wants it to end now.
    Wanted,
}

/// Does the work on a thread of its own; the calling thread stays outside, where no program can reach it. `wanted` blocks
/// until the run is to end now. Nothing that was started here is alive afterwards.
pub(super) fn perform(
    spec: RunSpec,
    most: usize,
    limit: Duration,
    tell: Tell,
    wanted: impl FnOnce() + Send + 'static,
) -> Held {
    let (done, wait) = std::sync::mpsc::channel();
    let told = done.clone();
    let listener = std::thread::Builder::new().name("end".to_owned()).spawn(move || {
        wanted();
        let _ = told.send(End::Wanted);
    });
    let worker = std::thread::Builder::new().name("work".to_owned()).spawn(move || {
        let raw = catch_unwind(AssertUnwindSafe(|| match leaves(&spec).and_then(|()| sandbox::enter(&spec)) {
            Ok(()) => work(&spec, most, limit, tell),
            Err(why) => Raw::failed(why),
        }));
        let raw = raw.unwrap_or_else(|_| Raw::failed("the run broke off; run `wardkeep-agent doctor`"));
        // The other side is gone only when it has given up on us.
        let _ = done.send(End::Done(raw));
    });
    let end = match (worker, listener) {
        (Ok(_), Ok(_)) => {
            wait.recv_timeout(limit + GRACE).unwrap_or_else(|_| End::Done(Raw::failed("the run did not end in time")))
        }
        _ => End::Done(Raw::failed("no thread for the run")),
    };
    let (raw, was_ended) = match end {
        End::Done(raw) => (raw, false),
        // Killed first and waited for after that: what was said until then comes by the worker, if it is quick.
        End::Wanted => {
            program::kill_everything();
            let said = match wait.recv_timeout(LAST_WORDS) {
                Ok(End::Done(raw)) => raw,
                _ => Raw::default(),
            };
            (said, true)
        }
    };
    program::end_everything();
    Held { raw, was_ended, used: Used::by_children() }
}

/// Puts the leaves into the run's folder, where it must not be able to change them afterwards.
fn leaves(spec: &RunSpec) -> Result<(), String> {
    if spec.reach != Reach::Reads || !matches!(spec.work, Work::Program { .. }) {
        return Ok(());
    }
    leaf::install(&spec.folder, &spec.leaf)
        .map_err(|error| format!("the run's programs could not be laid out: {error}"))
}
