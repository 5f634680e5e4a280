//! What one call costs: short strings, small pushes, whole bodies.

use std::hint::black_box;

use serde_json::{Value, json};

use crate::Pair;
use crate::inputs::Inputs;
use crate::measure::{Times, seconds, side_by_side};

/// Bytes read between two bodies, so that neither index nor body is in a cache: larger than the last level.
const CACHE: usize = 64 << 20;

/// Measures, and prints when `say`.
pub(crate) fn measure(inputs: &Inputs, pair: &Pair, say: bool) -> Value {
    let report = json!({
        "short": short(inputs, pair),
        "stream": stream(inputs, pair),
        "bodies": bodies(inputs, pair),
    });
    if say {
        println!("\none call, {} secrets and all rules", pair.secrets);
        for (name, figure) in report.as_object().into_iter().flatten().flat_map(|(_, part)| part.as_object()).flatten()
        {
            println!("{name:<58} {:>10.1}", figure.as_f64().unwrap_or_default());
        }
    }
    report
}

/// Strings of 50 bytes: one call each, and as a list in JSON.
fn short(inputs: &Inputs, pair: &Pair) -> Value {
    const COUNT: usize = 10_000;
    let text: String =
        inputs.main[0].texts.concat().chars().filter(|c| c.is_ascii() && *c != '"' && *c != '\\').collect();
    let texts: Vec<&str> = (0..COUNT).map(|n| &text[n * 50..n * 50 + 50]).collect();
    let list = json!(texts).to_string();
    let [single, listed] = side_by_side(
        5,
        [&mut || texts.iter().for_each(|text| drop(black_box(pair.engine.redact(text)))), &mut || {
            drop(black_box(pair.engine.redact_json(list.as_bytes())))
        }],
    );
    let each = |times: Times| times.median() * 1e9 / COUNT as f64;
    json!({"text of 50 bytes, ns a call": each(single), "text of 50 bytes in a JSON list, ns each": each(listed)})
}

/// Clean text in pieces.
fn stream(inputs: &Inputs, pair: &Pair) -> Value {
    let text = inputs.main[0].texts.concat().into_bytes();
    let text = &text[..text.len().min(1_000_000)];
    let run = |size: usize, held: &mut usize| {
        let mut stream = pair.engine.stream();
        let mut out = Vec::with_capacity(text.len() + 64);
        let mut behind: Vec<usize> = Vec::new();
        for piece in text.chunks(size) {
            stream.push_into(piece, &mut out);
            behind.push(stream.held_back());
        }
        out.extend(stream.finish());
        black_box(&out);
        behind.sort_unstable();
        *held = behind[behind.len() / 2];
    };
    let (mut large, mut small, mut held) = (0, 0, 0);
    let [of_4096, of_16, once] = side_by_side(
        3,
        [&mut || run(4096, &mut large), &mut || run(16, &mut small), &mut || run(text.len(), &mut held)],
    );
    let mb = |times: &Times| text.len() as f64 / 1e6 / times.median();
    let pushes = (text.len() / 16) as f64;
    json!({
        "stream, 4 KiB a push, MB/s": mb(&of_4096),
        "stream, 16 bytes a push, MB/s": mb(&of_16),
        "stream, cost of a push beside its bytes, ns": (of_16.median() - once.median()) * 1e9 / pushes,
        "stream, 4 KiB a push, bytes held back (median)": large,
        "stream, 16 bytes a push, bytes held back (median)": small,
    })
}

/// The first turn with a body: nothing of it or of the index is in a cache.
fn bodies(inputs: &Inputs, pair: &Pair) -> Value {
    let other = vec![1_u8; CACHE];
    let mut report = Value::Object(serde_json::Map::new());
    for (name, body) in ["100 KiB", "1 MiB"].iter().zip(&inputs.bodies) {
        let each = (0..9).map(|_| {
            black_box(other.iter().step_by(64).map(|&b| u64::from(b)).sum::<u64>());
            seconds(|| drop(black_box(pair.engine.redact_json(body.as_bytes()))))
        });
        let times = Times::new(each.collect());
        report[format!("LLM body of {name}, cold caches, µs")] = (times.median() * 1e6).into();
        report[format!("LLM body of {name}, cold caches, slowest of 9, µs")] = (times.longest() * 1e6).into();
    }
    report
}
