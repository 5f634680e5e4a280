//! What was found where, and how overlapping finds become one replacement.

/// What a range is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// The value of the n-th secret.
    Vault(u32),
    /// A secret by the n-th rule, whose tag is made from what stands in the range.
    Rule(u16),
    /// A secret by the n-th rule, with its tag: the range holds only a part of it.
    Tagged(u16, [u8; 2]),
    /// The rest of a secret whose beginning stands in the text before.
    Rest,
}

/// A range of the input, in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hit {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) what: What,
}

impl Hit {
    /// The same hit in a text that begins `by` bytes earlier.
    pub(crate) fn shifted(self, by: usize) -> Self {
        Self { start: self.start + by, end: self.end + by, what: self.what }
    }
}

/// Joins hits that overlap; replacing them one after the other would leave rests. The result is in order and disjoint and
/// depends on the set of hits only.
///
/// A vault value names the joined range before a rule does, since its name says more; among equals the longest does.
pub(crate) fn merge(hits: &mut Vec<Hit>) {
    hits.sort_unstable();
    hits.dedup();
    let mut merged: Vec<(Hit, usize)> = Vec::new();
    for hit in hits.drain(..).filter(|hit| hit.start < hit.end) {
        let len = hit.end - hit.start;
        match merged.last_mut() {
            Some((group, longest)) if hit.start < group.end => {
                let rank = |what| match what {
                    What::Vault(_) => 0,
                    What::Tagged(..) => 1,
                    What::Rule(_) => 2,
                    What::Rest => 3,
                };
                group.end = group.end.max(hit.end);
                if (rank(hit.what), std::cmp::Reverse(len)) < (rank(group.what), std::cmp::Reverse(*longest)) {
                    group.what = hit.what;
                    *longest = len;
                }
            }
            _ => merged.push((hit, len)),
        }
    }
    hits.extend(merged.into_iter().map(|(hit, _)| hit));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(start: usize, end: usize, what: What) -> Hit {
        Hit { start, end, what }
    }

    #[test]
    fn overlaps_become_one_and_neighbours_stay_apart() {
        let mut hits = vec![
            hit(20, 25, What::Vault(1)),
            hit(0, 10, What::Rule(3)),
            hit(8, 14, What::Vault(2)),
            hit(12, 16, What::Vault(1)),
            hit(16, 20, What::Rule(1)),
            hit(30, 30, What::Rest),
        ];
        merge(&mut hits);
        assert_eq!(hits, [hit(0, 16, What::Vault(2)), hit(16, 20, What::Rule(1)), hit(20, 25, What::Vault(1))]);
    }
}
