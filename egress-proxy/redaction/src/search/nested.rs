//! Searching what runs of base64, base32 and hex digits stand for: the same search, one layer deeper, and no further.

use super::pass::{Origin, Pass, open, put};
use super::{CONTEXT, NEAR, Stretch, VaultScan};
use crate::index::Index;
use crate::views::Layers;
use crate::views::decoded::{Decoded, signs};

/// Signs of a line that are always seen as such.
const LINE: usize = 64;

impl VaultScan {
    /// Needles in the texts that runs stand for, among those of the text itself.
    pub(super) fn nested(&mut self, index: &Index, stretch: Stretch<'_>, live: &mut usize) {
        let Self { text, decoded, within, .. } = self;
        let layers = &text.views.layers;
        decoded.clear();
        decoded.read(layers, stretch.text, 0, stretch.ended);
        if layers.count() > 0 {
            decoded.read(layers, stretch.text, layers.count(), stretch.ended);
        }
        decoded.seal();
        let inner = |text, ended| Stretch { text, from: 0, first: true, ended };
        if !decoded.ended().is_empty() {
            within.search(index, inner(decoded.ended(), true));
            take(&mut text.found, within, decoded, 0, layers);
        }
        for begun in decoded.open() {
            let (bytes, base) = decoded.bytes(begun);
            let undecided = within.search(index, inner(bytes, false));
            if undecided < bytes.len() {
                open(stretch, decoded.start(base + undecided, layers), live);
            }
            if begun.enough {
                take(&mut text.found, within, decoded, base, layers);
            } else {
                within.found.iter().for_each(|origin| open(stretch, decoded.start(base + origin.at, layers), live));
            }
        }
        if let Some(cut) = decoded.cut_off() {
            open(stretch, cut, live);
        }
    }

    /// The last place where a stretch can begin that sees what this one has seen from `live` on: with enough context and
    /// between two escapes, in the text and in what its runs stand for.
    pub(super) fn boundary(&mut self, index: &Index, text: &[u8], live: usize) -> usize {
        let far = !index.beside.is_empty() || self.text.may_be_dump(live, text.len());
        let context = live.saturating_sub(if far { CONTEXT } else { NEAR });
        let within = self.between(live, CONTEXT);
        let mut at = self.before(context, within);
        loop {
            let within = self.between(at, 0);
            let mut before = self.before(at, within);
            if before == at
                && self.decoded.around(at, &self.text.views.layers).next().is_some()
                && signs(&text[at..]) < LINE
            {
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
        let (below, layers) = (&self.text.views.layers, &mut self.within.views.layers);
        let places = self.decoded.around(at, below).filter_map(|(text, n)| {
            let (bytes, base) = self.decoded.bytes(text);
            layers.undo(bytes, true);
            let begin = layers.boundary(n.saturating_sub(context));
            (begin < n).then(|| self.decoded.start(base + begin, below))
        });
        places.min()
    }
}

fn take(found: &mut Vec<Origin>, within: &Pass, decoded: &Decoded, base: usize, layers: &Layers) {
    for Origin { at, hit } in &within.found {
        let start = decoded.start(base + at, layers);
        put(found, start, decoded.range(base + hit.start..base + hit.end, layers), hit.what);
    }
}
