//! Aho-Corasick with a compact layout, over thousands of needles.
//!
//! Our own rather than the aho-corasick crate's, because streams need what that crate keeps to itself: the depth of a state,
//! which is exactly how many bytes can still become a match and so must be held back.
//!
//! States are numbered in breadth-first order, so the n-th edge ever made leads to state n + 1 and needs no target. Near
//! the root, where clean text spends its time, every transition is in a table; deeper states follow their failure links.

use zeroize::Zeroize as _;

/// Bytes of transition table; larger sets keep fewer states dense.
const DENSE_BYTES: usize = 2 * 1024 * 1024;
/// States up to this depth may be dense.
const DENSE_DEPTH: u16 = 3;

/// A state; [`ROOT`] at the beginning and after a reset. Its highest bit says that a needle ends there, so that the common
/// answer costs no look into memory.
pub(crate) type State = u32;

const HIT: State = 1 << 31;

/// Nothing is under way.
pub(crate) const ROOT: State = 0;

/// The machine. Immutable; users keep their own [`State`].
pub(crate) struct Automaton {
    classes: [u8; 256],
    /// Rows of the table are two to this many entries long.
    shift: u32,
    dense: Vec<State>,
    rows: State,
    first_edge: Vec<u32>,
    labels: Vec<u8>,
    fail: Vec<State>,
    depth: Vec<u16>,
    /// 1 + index into `owners` of the needle that is exactly this state; 0 for none.
    ends: Vec<u32>,
    /// The nearest state on the failure path, this one included, that ends a needle; [`ROOT`] for none.
    longest: Vec<State>,
    owners: Vec<u32>,
}

impl Automaton {
    /// Builds the machine over `(needle, owner)`. Of equal needles the first owner stays. Needles must be shorter than 64 KiB.
    pub(crate) fn new(mut needles: Vec<(Vec<u8>, u32)>, fold_case: bool) -> Self {
        if fold_case {
            needles.iter_mut().for_each(|(bytes, _)| bytes.make_ascii_lowercase());
        }
        needles.retain(|(bytes, _)| !bytes.is_empty());
        needles.sort();
        needles.dedup_by(|later, earlier| later.0 == earlier.0);
        let mut machine = Self::trie(&needles, fold_case);
        machine.link();
        machine.tabulate();
        needles.iter_mut().for_each(|(bytes, _)| bytes.zeroize());
        machine
    }

    fn trie(needles: &[(Vec<u8>, u32)], fold_case: bool) -> Self {
        let mut classes = [0; 256];
        let mut used = [false; 256];
        needles.iter().flat_map(|(bytes, _)| bytes).for_each(|&b| used[usize::from(b)] = true);
        let mut count = 1_usize;
        for (class, _) in classes.iter_mut().zip(used).filter(|(_, used)| *used) {
            *class = u8::try_from(count).unwrap_or(u8::MAX);
            count += 1;
        }
        if fold_case {
            for b in b'A'..=b'Z' {
                classes[usize::from(b)] = classes[usize::from(b.to_ascii_lowercase())];
            }
        }
        let mut machine = Self {
            classes,
            shift: count.next_power_of_two().trailing_zeros(),
            dense: Vec::new(),
            rows: 0,
            first_edge: Vec::new(),
            labels: Vec::new(),
            fail: vec![ROOT],
            depth: vec![0],
            ends: Vec::new(),
            longest: Vec::new(),
            owners: needles.iter().map(|(_, owner)| *owner).collect(),
        };
        // Sorted needles: a state is a range of them that share its bytes.
        let mut queue = std::collections::VecDeque::from([(0, needles.len())]);
        while let Some((mut low, high)) = queue.pop_front() {
            let state = machine.first_edge.len();
            let at = usize::from(machine.depth[state]);
            machine.first_edge.push(index(machine.labels.len()));
            let ending = needles.get(low).filter(|(bytes, _)| low < high && bytes.len() == at && at > 0);
            machine.ends.push(if ending.is_some() { index(low + 1) } else { 0 });
            low += usize::from(ending.is_some());
            while low < high {
                let label = needles[low].0[at];
                let next = low + needles[low..high].iter().take_while(|(bytes, _)| bytes[at] == label).count();
                machine.labels.push(label);
                machine.depth.push(u16::try_from(at + 1).unwrap_or(u16::MAX));
                machine.fail.push(ROOT);
                queue.push_back((low, next));
                low = next;
            }
        }
        machine.first_edge.push(index(machine.labels.len()));
        machine
    }

    fn link(&mut self) {
        for state in 0..self.depth.len() {
            let to = self.ends[state];
            let inherited = if state == 0 { ROOT } else { self.longest[self.fail[state] as usize] };
            self.longest.push(if to > 0 { index(state) } else { inherited });
            for edge in self.edges(index(state)) {
                let mut from = self.fail[state];
                self.fail[edge + 1] = loop {
                    if state == 0 {
                        break ROOT;
                    }
                    match self.child(from, self.labels[edge]) {
                        Some(child) => break child,
                        None if from == ROOT => break ROOT,
                        None => from = self.fail[from as usize],
                    }
                };
            }
        }
    }

    fn tabulate(&mut self) {
        let stride = 1 << self.shift;
        let shallow = self.depth.iter().take_while(|&&d| d <= DENSE_DEPTH).count();
        let rows = shallow.min((DENSE_BYTES / 4 / stride).max(1));
        let mut dense: Vec<State> = vec![ROOT; rows * stride];
        for row in 0..rows {
            if row > 0 {
                let from = self.fail[row] as usize * stride;
                dense.copy_within(from..from + stride, row * stride);
            }
            for edge in self.edges(index(row)) {
                dense[row * stride + usize::from(self.classes[usize::from(self.labels[edge])])] =
                    self.marked(index(edge + 1));
            }
        }
        self.dense = dense;
        self.rows = index(rows);
    }

    fn marked(&self, state: State) -> State {
        if self.longest[state as usize] == ROOT { state } else { state | HIT }
    }

    fn edges(&self, state: State) -> std::ops::Range<usize> {
        self.first_edge[state as usize] as usize..self.first_edge[state as usize + 1] as usize
    }

    fn child(&self, state: State, label: u8) -> Option<State> {
        let edges = self.edges(state);
        let at = self.labels[edges.clone()].iter().position(|&l| l == label)?;
        Some(index(edges.start + at + 1))
    }

    /// One byte on.
    #[inline(always)]
    pub(crate) fn next(&self, state: State, byte: u8) -> State {
        let class = self.classes[usize::from(byte)];
        let state = state & !HIT;
        if state < self.rows {
            self.dense[(state as usize) << self.shift | usize::from(class)]
        } else {
            self.next_deep(state, class)
        }
    }

    #[cold]
    fn next_deep(&self, mut state: State, class: u8) -> State {
        if class == 0 {
            return ROOT;
        }
        while state >= self.rows {
            for edge in self.edges(state) {
                if self.classes[usize::from(self.labels[edge])] == class {
                    return self.marked(index(edge + 1));
                }
            }
            state = self.fail[state as usize];
        }
        self.dense[(state as usize) << self.shift | usize::from(class)]
    }

    /// How many of the last bytes can still become a match.
    #[inline]
    pub(crate) fn depth(&self, state: State) -> usize {
        usize::from(self.depth[(state & !HIT) as usize])
    }

    /// Length and owner of the longest needle that ends here.
    #[inline(always)]
    pub(crate) fn hit(&self, state: State) -> Option<(usize, u32)> {
        if state & HIT == 0 { None } else { Some(self.needle(self.longest[(state & !HIT) as usize])) }
    }

    /// Length and owner of every needle that ends here, longest first.
    #[cfg(test)]
    pub(crate) fn hits(&self, state: State) -> impl Iterator<Item = (usize, u32)> {
        let link = |at: State| Some(self.longest[at as usize]).filter(|&at| at != ROOT);
        std::iter::successors(link(state & !HIT), move |&at| link(self.fail[at as usize])).map(|at| self.needle(at))
    }

    fn needle(&self, ending: State) -> (usize, u32) {
        (self.depth(ending), self.owners[self.ends[ending as usize] as usize - 1])
    }

    /// Length of the longest needle.
    pub(crate) fn deepest(&self) -> usize {
        self.depth.last().map_or(0, |&d| usize::from(d))
    }
}

impl Drop for Automaton {
    fn drop(&mut self) {
        self.labels.zeroize();
    }
}

fn index(n: usize) -> u32 {
    // 4 GiB of states would be hundreds of thousands of secrets; `Engine::build` refuses long before.
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all_hits(machine: &Automaton, text: &[u8]) -> Vec<(usize, usize)> {
        let mut state = ROOT;
        let mut found = Vec::new();
        for (at, &b) in text.iter().enumerate() {
            state = machine.next(state, b);
            found.extend(machine.hits(state).map(|(len, _)| (at + 1 - len, at + 1)));
        }
        found.sort_unstable();
        found
    }

    proptest! {
        #[test]
        fn it_finds_what_a_naive_search_finds(
            needles in prop::collection::vec("[abc]{1,6}", 1..12),
            text in "[abcd]{0,60}",
        ) {
            let machine = Automaton::new(needles.iter().map(|n| (n.clone().into_bytes(), 0)).collect(), false);
            let mut naive = Vec::new();
            for needle in needles.iter().collect::<std::collections::BTreeSet<_>>() {
                for at in 0..text.len() {
                    if text[at..].starts_with(needle.as_str()) {
                        naive.push((at, at + needle.len()));
                    }
                }
            }
            naive.sort_unstable();
            prop_assert_eq!(all_hits(&machine, text.as_bytes()), naive);
        }
    }

    #[test]
    fn case_is_folded_on_request_only() {
        let needles = || vec![(b"KeY".to_vec(), 7)];
        assert_eq!(all_hits(&Automaton::new(needles(), true), b"my kEy"), [(3, 6)]);
        assert_eq!(all_hits(&Automaton::new(needles(), false), b"my key"), []);
        assert_eq!(all_hits(&Automaton::new(Vec::new(), false), b"abc"), []);
    }
}
