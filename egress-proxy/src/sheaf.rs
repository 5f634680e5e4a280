//! A body on its way to a provider: one piece, or where a long one was changed at some places, the pieces of it that stay with
//! what is new between them. So nothing is copied for a model's other name.

use std::borrow::Cow;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

use crate::request::{Splice, splice};

/// A shorter body is put together: it is copied sooner than it is taken apart.
const LEAST: usize = 16 * 1024;

/// Pieces in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sheaf {
    /// Empty only where nothing follows.
    first: Bytes,
    /// The last one first; none is empty.
    rest: Vec<Bytes>,
}

impl From<Bytes> for Sheaf {
    fn from(first: Bytes) -> Self {
        Self { first, rest: Vec::new() }
    }
}

impl Sheaf {
    /// `body` with `changes` made to it.
    pub(crate) fn spliced(body: Bytes, mut changes: Vec<Splice>) -> Self {
        if changes.is_empty() {
            return body.into();
        }
        if body.len() < LEAST {
            return Bytes::from(splice(Cow::Borrowed(&body), changes).into_owned()).into();
        }
        changes.sort_by_key(|change| change.at.start);
        let mut rest = Vec::with_capacity(2 * changes.len() + 1);
        let mut to = body.len();
        for Splice { at, with } in changes.into_iter().rev() {
            rest.extend([body.slice(at.end..to), Bytes::from(with)]);
            to = at.start;
        }
        rest.push(body.slice(..to));
        rest.retain(|piece| !piece.is_empty());
        Self { first: rest.pop().unwrap_or_default(), rest }
    }

    pub(crate) fn len(&self) -> usize {
        self.remaining()
    }

    /// In one piece; copied where there are several.
    pub(crate) fn whole(&self) -> Cow<'_, [u8]> {
        if self.rest.is_empty() {
            return Cow::Borrowed(&self.first);
        }
        let mut whole = Vec::with_capacity(self.len());
        self.pieces().for_each(|piece| whole.extend_from_slice(piece));
        Cow::Owned(whole)
    }

    fn pieces(&self) -> impl Iterator<Item = &Bytes> {
        std::iter::once(&self.first).chain(self.rest.iter().rev())
    }
}

/// What is still to be sent.
impl Buf for Sheaf {
    fn remaining(&self) -> usize {
        self.pieces().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        &self.first
    }

    fn chunks_vectored<'a>(&'a self, to: &mut [IoSlice<'a>]) -> usize {
        let pieces = self.pieces().filter(|piece| !piece.is_empty());
        to.iter_mut().zip(pieces).map(|(to, piece)| *to = IoSlice::new(piece)).count()
    }

    fn advance(&mut self, mut count: usize) {
        while count >= self.first.len()
            && let Some(next) = self.rest.pop()
        {
            count -= self.first.len();
            self.first = next;
        }
        self.first.advance(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(at: std::ops::Range<usize>, with: &str) -> Splice {
        Splice { at, with: with.to_owned() }
    }

    /// Bodies of both ways, with changes at their ends, beside each other and within.
    fn all() -> Vec<(Bytes, Vec<Splice>)> {
        let body = |len: usize| Bytes::from((0..len).map(|n| b'a' + (n % 26) as u8).collect::<Vec<_>>());
        let (short, long) = (body(100), body(LEAST + 7));
        let end = long.len();
        vec![
            (short.clone(), vec![]),
            (short, vec![change(3..5, "new"), change(0..1, "")]),
            (long.clone(), vec![]),
            (long.clone(), vec![change(10..20, "another name")]),
            (long.clone(), vec![change(end..end, "tail"), change(0..0, "head"), change(7..9, "")]),
            (long.clone(), vec![change(5..8, "x"), change(8..8, "y"), change(8..12, "z")]),
            (long.clone(), vec![change(0..end, "")]),
            (long, vec![change(0..end, "all of it")]),
        ]
    }

    fn again(changes: &[Splice]) -> Vec<Splice> {
        changes.iter().map(|one| change(one.at.clone(), &one.with)).collect()
    }

    #[test]
    fn it_is_what_a_copy_would_be() {
        for (body, changes) in all() {
            let want = splice(Cow::Borrowed(&body), again(&changes)).into_owned();
            let sheaf = Sheaf::spliced(body, changes);
            assert_eq!(sheaf.len(), want.len());
            assert!(sheaf.whole() == want, "{} pieces", sheaf.pieces().count());
        }
    }

    #[test]
    fn it_is_sent_in_order_however_little_goes_at_once() {
        for (body, changes) in all() {
            let want = splice(Cow::Borrowed(&body), again(&changes)).into_owned();
            for (step, room) in [(1, 1), (3, 2), (1000, 4), (usize::MAX, 8)] {
                let mut sheaf = Sheaf::spliced(body.clone(), again(&changes));
                let mut sent = Vec::new();
                while sheaf.has_remaining() {
                    let mut slices = vec![IoSlice::new(&[]); room];
                    let count = sheaf.chunks_vectored(&mut slices);
                    assert!(count > 0 && !sheaf.chunk().is_empty());
                    let offered: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect();
                    let taken = step.min(offered.len());
                    sent.extend_from_slice(&offered[..taken]);
                    sheaf.advance(taken);
                }
                assert!(sent == want, "{step} bytes of {room} pieces");
                assert_eq!(sheaf.chunks_vectored(&mut [IoSlice::new(&[])]), 0);
            }
        }
    }

    #[test]
    fn a_long_body_is_not_copied() {
        let body = Bytes::from(vec![b'a'; LEAST]);
        let sheaf = Sheaf::spliced(body.clone(), vec![change(4..5, "b")]);
        assert_eq!(sheaf.first.as_ptr(), body.as_ptr());
        assert_eq!(sheaf.rest[0].as_ptr(), body[5..].as_ptr());
    }
}
