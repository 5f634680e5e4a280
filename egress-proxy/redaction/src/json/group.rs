//! Texts in a row that are searched for vault values at once, as the one text that they are for their reader.
//!
//! A value that stands across two of them is met like any other. All that each text holds by itself must be met, too, so a
//! text joins a group only where it surely is read in it as it is alone; elsewhere the group ends, and [`super::across`]
//! looks at both ends. Rules read each text by itself, one after the other once the group is searched: either search keeps
//! its tables in the cache.

use super::across::Text;
use super::known::{Asked, Key};
use super::{Token, Walk, text};
use crate::hits::{self, Hit, What};

/// Bytes of the texts of a group, unless one is longer: what is searched at once.
const MOST: usize = 32 * 1024;

#[derive(Default)]
pub(super) struct Group {
    /// Level of the row that it is part of.
    owner: usize,
    /// Number of its first text in the run.
    first: usize,
    text: Vec<u8>,
    parts: Vec<Part>,
}

/// A text of the group, and where it ends in that.
#[derive(Clone, Copy)]
struct Part {
    token: Token,
    end: usize,
}

impl Group {
    /// Each text and where it begins in the group.
    fn parts(&self) -> impl Iterator<Item = (usize, Part)> {
        let starts = [0].into_iter().chain(self.parts.iter().map(|part| part.end));
        starts.zip(self.parts.iter().copied())
    }

    /// What stands across two texts: the first keeps the placeholder, the others lose their part.
    fn across(&self, document: &[u8], mut found: Vec<Hit>, out: &mut Vec<Hit>) {
        hits::merge(&mut found);
        for (start, Part { token, end }) in self.parts() {
            let first = found.partition_point(|hit| hit.end <= start);
            let reach = found[first..].iter().take_while(|hit| hit.start < end);
            let reach = reach.filter(|hit| hit.start < start || hit.end > end);
            let mut places = text::Places::new(token.raw(document));
            out.extend(reach.map(|hit| {
                let what = if hit.start < start { What::Rest } else { hit.what };
                let (from, to) = (places.of(hit.start.max(start) - start), places.of(hit.end.min(end) - start));
                Hit { start: token.start + from, end: token.start + to, what }
            }));
        }
    }

    /// Where in the document the end of each text begins that must be known to search on behind the group.
    fn tails<'a>(&'a self, document: &'a [u8], keep: usize) -> impl Iterator<Item = usize> + 'a {
        self.parts().map(move |(start, Part { token, end })| match end.saturating_sub(keep) {
            0 => token.end,
            _ if keep <= start => token.start,
            len if token.escaped => token.start + text::last(token.raw(document), len),
            len => token.end - len,
        })
    }
}

impl Walk<'_, '_> {
    /// Takes up a text that others may go on from, which was read last.
    pub(super) fn flow(&mut self, token: Token) {
        let owner = self.row();
        let text = if token.escaped { &self.undone } else { token.raw(self.body) };
        let Group { owner: other, first, text: group, parts } = &self.group;
        let is_next = *other == owner
            && *first >= self.levels[owner].run
            && first + parts.len() == self.run.len()
            && group.len() + text.len() <= MOST;
        match is_next.then(|| self.engine.are_one_text(group, text)).flatten() {
            None => self.close(),
            Some(0) => {}
            Some(alone) => {
                let (mut found, _) = self.kit.scan.vault_values(self.engine, &text[..alone], true);
                hits::merge(&mut found);
                self.put(token, &found);
            }
        }
        let text = if token.escaped { &self.undone } else { token.raw(self.body) };
        let group = &mut self.group;
        if group.parts.is_empty() {
            (group.owner, group.first) = (owner, self.run.len());
            group.text.reserve(MOST.min(self.body.len()));
        }
        group.text.extend_from_slice(text);
        group.parts.push(Part { token, end: group.text.len() });
        self.run.push(Text { token, tail: token.start });
    }

    /// The level whose texts are in one row with those of the innermost.
    pub(super) fn row(&self) -> usize {
        (1..self.levels.len()).rev().find(|&level| !self.levels[level - 1].flows).unwrap_or(0)
    }

    /// Searches the group, after which there is none.
    pub(super) fn close(&mut self) {
        if self.group.parts.is_empty() {
            return;
        }
        let group = std::mem::take(&mut self.group);
        let key = Key::of(self.engine, &group.text, Asked::Row);
        let (mut found, keep) = match self.kit.known.get(key.as_ref()) {
            Some(keep) => (Vec::new(), keep),
            None => {
                let (found, keep) = self.kit.scan.vault_and_tail(self.engine, &group.text);
                if found.is_empty() {
                    self.kit.known.put(key, keep);
                }
                (found, keep)
            }
        };
        found.sort_unstable();
        let is_inside = |hit: &Hit| {
            let part = group.parts.partition_point(|part| part.end <= hit.start);
            group.parts.get(part).is_some_and(|part| hit.end <= part.end)
        };
        if !found.iter().all(is_inside) {
            let out = if group.owner == 0 { &mut self.outer } else { &mut self.hits };
            group.across(self.body, found.clone(), out);
            found.retain(is_inside);
        }
        for (start, Part { token, end }) in group.parts() {
            let text = &group.text[start..end];
            let first = found.partition_point(|hit| hit.start < start);
            let inside = found[first..].iter().take_while(|hit| hit.start < end);
            let inside = inside.map(|hit| Hit { start: hit.start - start, end: hit.end - start, what: hit.what });
            let inside: Vec<Hit> = inside.collect();
            let key = inside.is_empty().then(|| Key::of(self.engine, text, Asked::Rules)).flatten();
            let is_clean = self.kit.clean.get(text).is_some() || self.kit.known.get(key.as_ref()).is_some();
            if inside.is_empty() && is_clean {
                continue;
            }
            let hits = self.kit.scan.rules(self.engine, text, inside);
            if hits.is_empty() {
                self.kit.clean.put(text, ());
                self.kit.known.put(key, 0);
            }
            self.put(token, &hits);
        }
        for (text, tail) in self.run[group.first..].iter_mut().zip(group.tails(self.body, keep)) {
            text.tail = tail;
        }
        // Its buffers stay.
        let Group { mut text, mut parts, owner, first } = group;
        text.clear();
        parts.clear();
        self.group = Group { owner, first, text, parts };
    }
}
