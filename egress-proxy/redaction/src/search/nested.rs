//! Searching what runs of base64, base32 and hex digits stand for: the same search, one layer deeper, and no further.

use super::pass::{Origin, Pass, open, put};
use super::{CONTEXT, Stretch, VaultScan};
use crate::index::Index;
use crate::views::decoded::{Decoded, signs};

/// Signs of a line that are always seen as such.
const LINE: usize = 64;

impl VaultScan {
    /// Needles in the texts that runs stand for, among those of the text itself.
    pub(super) fn nested(&mut self, index: &Index, stretch: Stretch<'_>, live: &mut usize) {
        let Self { text, decoded, within } = self;
        let layers = &text.views.layers;
        decoded.clear();
        decoded.read(stretch.text, stretch.ended, false, &|range| range);
        let top = layers.count();
        if top > 0 {
            decoded.read(layers.top(stretch.text), stretch.ended, true, &|range| layers.range(top, range));
        }
        decoded.seal();
        let inner = |text, ended| Stretch { text, from: 0, first: true, ended };
        if !decoded.ended().is_empty() {
            within.search(index, inner(decoded.ended(), true));
            take(text, within, decoded, 0);
        }
        for begun in decoded.open() {
            let (bytes, base) = decoded.bytes(begun);
            let undecided = within.search(index, inner(bytes, false));
            if undecided < bytes.len() {
                open(stretch, decoded.start(base + undecided), live);
            }
            if begun.enough {
                take(text, within, decoded, base);
            } else {
                within.found.iter().for_each(|origin| open(stretch, decoded.start(base + origin.at), live));
            }
        }
        if let Some(cut) = decoded.cut_off() {
            open(stretch, cut, live);
        }
    }

    /// The last place where a stretch can begin that sees what this one has seen from `live` on: with enough context and
    /// between two escapes, in the text and in what its runs stand for.
    pub(super) fn boundary(&mut self, text: &[u8], live: usize) -> usize {
        let context = live.saturating_sub(CONTEXT);
        let within = self.between(live, CONTEXT);
        let mut at = self.before(context, within);
        loop {
            let within = self.between(at, 0);
            let mut before = self.before(at, within);
            if before == at && self.decoded.around(at).next().is_some() && signs(&text[at..]) < LINE {
                // Too little of this line might not look like a line of a run.
                let run = text[..at].iter().rev().take(LINE).take_while(|b| signs(&[**b]) > 0).count();
                before = self.before(at - run, None);
            }
            if before == at {
                return at;
            }
            at = before;
        }
    }

    fn before(&self, at: usize, within: Option<usize>) -> usize {
        self.text.views.layers.boundary(within.map_or(at, |within| within.min(at)))
    }

    /// Where the stretch must begin for all texts that `at` lies within, so many bytes before it. `None`: it may begin there.
    fn between(&mut self, at: usize, context: usize) -> Option<usize> {
        let layers = &mut self.within.views.layers;
        let places = self.decoded.around(at).filter_map(|(text, n)| {
            let (bytes, base) = self.decoded.bytes(text);
            layers.undo(bytes, true);
            let begin = layers.boundary(n.saturating_sub(context));
            (begin < n).then(|| self.decoded.start(base + begin))
        });
        places.min()
    }
}

fn take(text: &mut Pass, within: &Pass, decoded: &Decoded, base: usize) {
    for Origin { at, hit } in &within.found {
        let start = decoded.start(base + at);
        put(&mut text.found, start, decoded.range(base + hit.start..base + hit.end), hit.what);
    }
}
