//! Searching the lines of blocks without what stands before each: the same search, beside that of the text.

use super::pass::{Origin, open, put};
use super::{Stretch, VaultScan};
use crate::hits::What;
use crate::index::Index;
use crate::views::margins::Margins;

/// What the blocks of a view hold.
#[derive(Default)]
pub(super) struct Beside {
    lines: Margins,
    /// The search of that. Most texts have no block.
    scan: Option<Box<VaultScan>>,
}

impl VaultScan {
    /// Needles in the text of blocks, among those of the text itself.
    pub(super) fn margins(&mut self, index: &Index, stretch: Stretch<'_>, live: &mut usize) {
        let layers = &self.text.views.layers;
        for (level, Beside { lines, scan }) in self.margins.iter_mut().enumerate().take(1 + layers.count()) {
            lines.read(layers.view(stretch.text, level), stretch.first, stretch.ended);
            if let Some(held) = lines.held() {
                open(stretch, layers.start(level, held), live);
            }
            if lines.bytes().is_empty() {
                continue;
            }
            let scan = scan.get_or_insert_default();
            let inner = Stretch { text: lines.bytes(), from: 0, first: true, ended: !lines.is_open() };
            let undecided = scan.alone(index, inner);
            let start = |at: usize| layers.start(level, lines.place(at));
            if lines.is_open() && undecided < lines.bytes().len() {
                open(stretch, start(undecided), live);
            }
            for Origin { at, hit } in &scan.text.found {
                // Each line keeps what stands before it.
                for (n, place) in lines.places(hit.start..hit.end).enumerate() {
                    let what = if n == 0 { hit.what } else { What::Rest };
                    put(&mut self.text.found, start(*at), layers.range(level, place), what);
                }
            }
        }
    }

    /// Where a stretch must begin that sees the blocks which this one has seen from `live` on. `None`: it may begin there.
    pub(super) fn block_before(&mut self, index: &Index, stretch: Stretch<'_>, live: usize) -> Option<usize> {
        let layers = &self.text.views.layers;
        let beside = self.margins.iter_mut().enumerate().take(1 + layers.count());
        let places = beside.filter_map(|(level, Beside { lines, scan })| {
            let view = layers.view(stretch.text, level);
            let at = partition(view.len(), |at| layers.start(level, at) < live);
            let around = scan.as_mut().filter(|_| !lines.bytes().is_empty()).and_then(|scan| {
                let at = lines.at(at)?;
                (at < lines.bytes().len()).then(|| lines.before(scan.boundary(index, lines.bytes(), at)))
            });
            let first = Margins::context(view, at, stretch.ended).into_iter().chain(around).min()?;
            // With the end of the line before, to be seen as a beginning.
            Some(layers.start(level, first.saturating_sub(1)))
        });
        places.min()
    }
}

/// The first place that is not `before`, as none behind it is.
fn partition(len: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut from, mut to) = (0, len);
    while from < to {
        let middle = from + (to - from) / 2;
        if before(middle) { from = middle + 1 } else { to = middle }
    }
    from
}
