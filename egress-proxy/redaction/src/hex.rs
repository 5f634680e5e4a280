//! Vault values written as hex digits, whatever stands between the pairs; hexdump addresses and text columns are left out.

use crate::automaton::{Automaton, ROOT, State};
use crate::hits::{Hit, What};
use crate::ring::Ring;

/// Bytes between two digits of one value: in ordinary text, once more than three bytes have matched, and in a hexdump.
const GAP: usize = 4;
const GAP_MATCHING: usize = 24;
const GAP_DUMP: usize = 48;
/// From the last digit of one hexdump line to the end of the next line's address.
const GAP_LINES: usize = 72;
/// Bytes in a line of `hexdump -C` and `xxd`; what follows is the text column.
const DUMP_WIDTH: usize = 16;

/// Hex digits decoded, at both ways of pairing them.
pub(crate) struct Hex {
    ways: [Way; 2],
    /// The digit before, in the same run of digits.
    half: Option<(u8, usize)>,
    /// Digits in this run.
    run: usize,
    /// End of the last digit.
    last: usize,
    line: Line,
    /// States and `last` at the end of the line before, if that was a hexdump's: restored when this line begins with an
    /// address, whose digits are no part of the value.
    before: Option<([(State, usize); 2], usize)>,
}

struct Way {
    state: State,
    ring: Ring,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Only digits so far and then spaces: how many of each.
    Address(usize, usize),
    /// Not a line of a hexdump.
    Other,
    /// Address seen, now bytes: how many so far, and spaces since the last.
    Dump(usize, usize),
    /// The text column of a hexdump.
    Text,
}

impl Hex {
    pub(crate) fn new(deepest: usize) -> Self {
        Self {
            ways: std::array::from_fn(|_| Way { state: ROOT, ring: Ring::new(deepest) }),
            half: None,
            run: 0,
            last: 0,
            line: Line::Address(0, 0),
            before: None,
        }
    }

    pub(crate) fn reset(&mut self) {
        self.ways.iter_mut().for_each(|way| way.state = ROOT);
        self.half = None;
        self.run = 0;
        self.last = 0;
        self.line = Line::Address(0, 0);
        self.before = None;
    }

    pub(crate) fn push(&mut self, machine: &Automaton, bytes: &[u8], from: usize, hits: &mut Vec<Hit>) {
        for (n, &byte) in bytes.iter().enumerate() {
            match digit(byte) {
                Some(digit) => self.digit(machine, digit, from + n, hits),
                None => {
                    self.half = None;
                    self.run = 0;
                    if byte == b'\n' || self.line != Line::Other {
                        self.other(byte, from + n);
                    }
                }
            }
        }
    }

    /// The first byte that can still be part of a match to come.
    pub(crate) fn live(&self, machine: &Automaton, at: usize) -> usize {
        let mut live = self.half.map_or(at, |(_, start)| start);
        let dump = matches!(self.line, Line::Dump(..) | Line::Text);
        for way in &self.ways {
            let depth = machine.depth(way.state);
            // The gap to the next digit can only be wider than it is now.
            if depth > 0 && at.saturating_sub(self.last) <= gap(depth, dump) {
                live = live.min(way.ring.start(depth));
            }
        }
        if let (Some((states, last)), Line::Address(..)) = (self.before, self.line)
            && at.saturating_sub(last) <= GAP_LINES
        {
            for (way, (state, ring_at)) in self.ways.iter().zip(states) {
                let depth = machine.depth(state);
                if depth > 0 {
                    live = live.min(way.ring.start(depth + (way.ring.at - ring_at)));
                }
            }
        }
        live
    }

    fn other(&mut self, byte: u8, at: usize) {
        self.line = match self.line {
            dump if byte == b'\n' => {
                // As long as `live` has kept it: what was given out cannot come back.
                let was_dump = matches!(dump, Line::Dump(..) | Line::Text) && at.saturating_sub(self.last) <= GAP_DUMP;
                self.before = was_dump.then(|| ([0, 1].map(|n| (self.ways[n].state, self.ways[n].ring.at)), self.last));
                Line::Address(0, 0)
            }
            // hexdump -C writes two spaces after the address, xxd a colon.
            Line::Address(4..=16, 0) if byte == b' ' => Line::Address(8, 1),
            Line::Address(4..=16, spaces) if byte == b':' || (byte == b' ' && spaces == 1) => {
                self.take_back(at);
                Line::Dump(0, 0)
            }
            Line::Dump(..) if byte == b'|' => Line::Text,
            Line::Dump(bytes, spaces) if byte == b' ' && (spaces == 0 || bytes < DUMP_WIDTH) => {
                Line::Dump(bytes, spaces + 1)
            }
            Line::Dump(bytes, _) if byte != b' ' => Line::Dump(bytes, 0),
            Line::Dump(..) | Line::Text => Line::Text,
            Line::Address(..) | Line::Other => Line::Other,
        };
    }

    /// The digits of this line so far were an address.
    fn take_back(&mut self, at: usize) {
        let before = self.before.filter(|(_, last)| at.saturating_sub(*last) <= GAP_LINES);
        for (n, way) in self.ways.iter_mut().enumerate() {
            match before {
                Some((states, _)) => (way.state, way.ring.at) = states[n],
                None => way.state = ROOT,
            }
        }
    }

    fn digit(&mut self, machine: &Automaton, digit: u8, at: usize, hits: &mut Vec<Hit>) {
        self.line = match self.line {
            Line::Address(digits, 0) if digits < 16 => Line::Address(digits + 1, 0),
            Line::Address(..) | Line::Other => Line::Other,
            Line::Text | Line::Dump(DUMP_WIDTH.., _) => return,
            Line::Dump(bytes, _) => Line::Dump(bytes, 0),
        };
        let passed = at.saturating_sub(self.last);
        if passed > GAP {
            let dump = matches!(self.line, Line::Dump(..));
            for way in &mut self.ways {
                if passed > gap(machine.depth(way.state), dump) {
                    way.state = ROOT;
                }
            }
        }
        self.last = at + 1;
        if let Some((high, start)) = self.half.replace((digit, at)) {
            // The first way pairs digits 0 and 1, 2 and 3; the second 1 and 2, 3 and 4.
            let even = self.run % 2 == 1;
            let way = &mut self.ways[usize::from(!even)];
            way.state = machine.next(way.state, high << 4 | digit);
            way.ring.push(start);
            if let Some((len, owner)) = machine.hit(way.state) {
                hits.push(Hit { start: way.ring.start(len), end: at + 1, what: What::Vault(owner) });
            }
            if let (Line::Dump(bytes, _), true) = (self.line, even) {
                self.line = Line::Dump(bytes + 1, 0);
            }
        }
        self.run += 1;
    }
}

fn gap(depth: usize, dump: bool) -> usize {
    match depth {
        _ if dump => GAP_DUMP,
        0..4 => GAP,
        _ => GAP_MATCHING,
    }
}

#[inline]
fn digit(byte: u8) -> Option<u8> {
    const TABLE: [u8; 256] = {
        let mut table = [0xff; 256];
        let mut n = 0;
        while n < 16 {
            table[b"0123456789abcdef"[n as usize] as usize] = n;
            table[b"0123456789ABCDEF"[n as usize] as usize] = n;
            n += 1;
        }
        table
    };
    let value = TABLE[usize::from(byte)];
    if value < 16 { Some(value) } else { None }
}
