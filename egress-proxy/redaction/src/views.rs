//! Searching for vault values in several views of one text at once, byte by byte.
//!
//! * the bytes as they are, and after one, two and three layers of unescaping;
//! * letters and digits only (after unescaping): base64 in either alphabet and however wrapped, values wrapped, spaced,
//!   quoted or concatenated;
//! * hex digits decoded, whatever stands between the pairs, hexdump addresses and text columns left out.
//!
//! All state lives in [`VaultScan`], which sees each byte once, so cutting the input cannot change what is found. In text
//! without escapes the layers equal the plain bytes and are not run at all: they split off at the first escape and merge
//! again once every live partial match lies behind it, which is exact, because an automaton's state is decided by the bytes
//! of its depth.

use crate::automaton::{Automaton, ROOT, State};
use crate::forms::{Needles, is_bare};
use crate::hex::Hex;
use crate::hits::{Hit, What};
use crate::ring::Ring;
use crate::unescape::{Item, Layer, SPECIAL};

/// Layers of unescaping: JSON in JSON in a shell word.
const LAYERS: usize = 3;
/// Bytes that may stand between two letters of a bare match.
const BARE_GAP: usize = 64;

/// The needles of all values, ready to search. Immutable.
pub(crate) struct Index {
    exact: Automaton,
    bare: Automaton,
}

impl Index {
    pub(crate) fn new(needles: Needles) -> Self {
        Self { exact: Automaton::new(needles.exact, false), bare: Automaton::new(needles.bare, false) }
    }
}

struct Unescaped {
    layer: Layer,
    state: State,
    ring: Ring,
}

/// One search in progress.
pub(crate) struct VaultScan {
    /// Bytes seen.
    at: usize,
    plain: State,
    layers: [Unescaped; LAYERS],
    /// The layers equal the plain bytes and are not run.
    merged: bool,
    /// Bytes since the last escape.
    since: usize,
    bare: Bare,
    hex: Hex,
    items: [Vec<Item>; 2],
}

impl VaultScan {
    pub(crate) fn new(index: &Index) -> Self {
        let deepest = index.exact.deepest();
        Self {
            at: 0,
            plain: ROOT,
            layers: std::array::from_fn(|_| Unescaped {
                layer: Layer::default(),
                state: ROOT,
                ring: Ring::new(deepest),
            }),
            merged: true,
            since: 0,
            bare: Bare { state: ROOT, ring: Ring::new(index.bare.deepest()), last: 0 },
            hex: Hex::new(deepest),
            items: [Vec::new(), Vec::new()],
        }
    }

    /// Forgets everything; the next byte has offset 0.
    pub(crate) fn reset(&mut self) {
        self.at = 0;
        self.plain = ROOT;
        self.merged = true;
        self.since = 0;
        self.bare.state = ROOT;
        self.hex.reset();
        for part in &mut self.layers {
            part.layer = Layer::default();
        }
    }

    /// Takes the next bytes; puts what ends in them into `hits`.
    pub(crate) fn push(&mut self, index: &Index, bytes: &[u8], hits: &mut Vec<Hit>) {
        self.hex.push(&index.exact, bytes, self.at, hits);
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.merged {
                let run = self.run(index, rest, hits);
                rest = &rest[run..];
                if let Some(&byte) = rest.first() {
                    self.split(index);
                    self.step(index, byte, hits);
                    rest = &rest[1..];
                }
            } else {
                self.step(index, rest[0], hits);
                rest = &rest[1..];
                self.merge(index);
            }
        }
    }

    /// The input has ended.
    pub(crate) fn finish(&mut self, index: &Index, hits: &mut Vec<Hit>) {
        if !self.merged {
            for from in 0..LAYERS {
                self.items[0].clear();
                let mut out = std::mem::take(&mut self.items[0]);
                self.layers[from].layer.finish(&mut out);
                self.items[0] = out;
                self.spread(index, from, hits);
            }
        }
    }

    /// The first byte that can still be part of a match to come.
    pub(crate) fn live(&self, index: &Index) -> usize {
        let mut live = self.at - index.exact.depth(self.plain);
        if !self.merged {
            for part in &self.layers {
                let depth = index.exact.depth(part.state);
                live = live.min(if depth > 0 { part.ring.start(depth) } else { self.at });
            }
        }
        // An unfinished escape may be a letter that follows without a gap.
        let pending = self.layers.iter().filter_map(|part| part.layer.pending_start()).fold(self.at, usize::min);
        live.min(pending).min(self.bare.live(&index.bare, pending)).min(self.hex.live(&index.exact, self.at))
    }

    /// Bytes up to the first escape, in the plain view; the layers would see the same.
    fn run(&mut self, index: &Index, bytes: &[u8], hits: &mut Vec<Hit>) -> usize {
        let mut state = self.plain;
        let mut run = bytes.len();
        for (n, &byte) in bytes.iter().enumerate() {
            if SPECIAL[usize::from(byte)] {
                run = n;
                break;
            }
            state = index.exact.next(state, byte);
            if let Some((len, owner)) = index.exact.hit(state) {
                let end = self.at + n + 1;
                hits.push(Hit { start: end - len, end, what: What::Vault(owner) });
            }
        }
        self.plain = state;
        self.bare.run(&index.bare, &bytes[..run], self.at, hits);
        self.at += run;
        run
    }

    fn split(&mut self, index: &Index) {
        self.merged = false;
        self.since = 0;
        let depth = index.exact.depth(self.plain);
        for part in &mut self.layers {
            part.state = self.plain;
            (self.at - depth..self.at).for_each(|start| part.ring.push(start));
        }
    }

    fn step(&mut self, index: &Index, byte: u8, hits: &mut Vec<Hit>) {
        let item = Item { byte, start: self.at, end: self.at + 1 };
        let quiet = !SPECIAL[usize::from(byte)] && self.layers.iter().all(|part| part.layer.pending_start().is_none());
        self.since = if quiet { self.since + 1 } else { 0 };
        self.at += 1;
        self.plain = index.exact.next(self.plain, byte);
        if let Some((len, owner)) = index.exact.hit(self.plain) {
            hits.push(Hit { start: self.at - len, end: self.at, what: What::Vault(owner) });
        }
        self.items[0].clear();
        let mut out = std::mem::take(&mut self.items[0]);
        self.layers[0].layer.push(item, &mut out);
        self.items[0] = out;
        self.spread(index, 0, hits);
    }

    /// Hands what layer `from` gave out to its automaton and on through the layers above.
    fn spread(&mut self, index: &Index, from: usize, hits: &mut Vec<Hit>) {
        let [mut items, mut above] = std::mem::take(&mut self.items);
        for n in from..LAYERS {
            let part = &mut self.layers[n];
            for item in &items {
                part.state = index.exact.next(part.state, item.byte);
                part.ring.push(item.start);
                if let Some((len, owner)) = index.exact.hit(part.state) {
                    hits.push(Hit { start: part.ring.start(len), end: item.end, what: What::Vault(owner) });
                }
            }
            if let Some(next) = self.layers.get_mut(n + 1) {
                above.clear();
                items.iter().for_each(|&item| next.layer.push(item, &mut above));
                std::mem::swap(&mut items, &mut above);
            }
        }
        items.iter().for_each(|item| self.bare.push(&index.bare, *item, hits));
        self.items = [items, above];
    }

    fn merge(&mut self, index: &Index) {
        let behind = |state| index.exact.depth(state) <= self.since;
        self.merged = self.since > 0 && behind(self.plain) && self.layers.iter().all(|part| behind(part.state));
    }
}

/// Letters and digits only.
struct Bare {
    state: State,
    ring: Ring,
    /// End of the last letter or digit.
    last: usize,
}

impl Bare {
    fn run(&mut self, machine: &Automaton, bytes: &[u8], from: usize, hits: &mut Vec<Hit>) {
        for (n, &byte) in bytes.iter().enumerate() {
            if is_bare(byte) {
                self.push(machine, Item { byte, start: from + n, end: from + n + 1 }, hits);
            }
        }
    }

    #[inline(always)]
    fn push(&mut self, machine: &Automaton, item: Item, hits: &mut Vec<Hit>) {
        if !is_bare(item.byte) {
            return;
        }
        if item.start.saturating_sub(self.last) > BARE_GAP {
            self.state = ROOT;
        }
        self.last = item.end;
        self.state = machine.next(self.state, item.byte);
        self.ring.push(item.start);
        if let Some((len, owner)) = machine.hit(self.state) {
            hits.push(Hit { start: self.ring.start(len), end: item.end, what: What::Vault(owner) });
        }
    }

    fn live(&self, machine: &Automaton, at: usize) -> usize {
        let depth = machine.depth(self.state);
        if depth == 0 || at.saturating_sub(self.last) > BARE_GAP { at } else { self.ring.start(depth) }
    }
}
