//! `./dev bench gate-growth [CALLS]`: whether a million decisions leave anything behind.
//!
//! What is allocated is counted after every tenth of the calls, each time between two calls. It has a program of its own, since counting
//! costs time.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "cases.rs"]
#[expect(dead_code, reason = "answers are not judged here")]
mod cases;

use std::hint::black_box;

use peak_alloc::PeakAlloc;
use wardkeep_policy::{Posture, decide};
use wardkeep_proto::time::Timestamp;

/// Bytes; a byte left by each call would be sixty times that.
const TABLE: usize = 16 * 1024;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

fn main() -> anyhow::Result<()> {
    let calls = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(1_000_000_usize);
    let (agent, bundle) = cases::policy();
    let mut commands: Vec<String> = cases::all()?.into_iter().map(|case| case.command).collect();
    commands.push(cases::COMMAND.to_owned());
    let actions: Vec<_> = commands.iter().map(|command| cases::action(&agent, command)).collect();
    let posture = Posture::open();
    let round = |from: usize, count: usize| {
        for at in from..from + count {
            // Mostly the command of the time measurement, and each of the others by turns.
            let action =
                if at % 4 == 0 { &actions[at / 4 % actions.len()] } else { actions.last().unwrap_or(&actions[0]) };
            drop(black_box(decide(action, &agent, &bundle, &posture, Timestamp(1))));
        }
    };
    // Tables that are made once.
    round(0, 4 * actions.len());
    let (start, mut most) = (ALLOCATED.current_usage(), 0);
    for tenth in 0..10 {
        ALLOCATED.reset_peak_usage();
        round(tenth * calls / 10, calls / 10);
        let (now, peak) = (ALLOCATED.current_usage(), ALLOCATED.peak_usage());
        most = most.max(peak - start);
        println!(
            "{:>9} calls: {:+} bytes, {} at most within",
            (tenth + 1) * calls / 10,
            now as i64 - start as i64,
            peak - start
        );
        // A parser keeps its last words in a table of fixed size, whose texts differ in length by a few bytes.
        anyhow::ensure!(now.abs_diff(start) <= TABLE, "decisions left {} bytes", now as i64 - start as i64);
    }
    println!("flat over {calls} calls; one decision takes {most} bytes at most");
    Ok(())
}
