//! Where one text ends and another begins: mostly it can be told from a few bytes that nothing stands across.

use super::NEAR;
use crate::index::Index;
use crate::unescape::is_special;
use crate::views::decoded::{LEAST_SIGNS, run_before, run_behind};
use crate::views::dump::may_be_address;
use crate::views::letters::KEPT;

/// Bytes that tell the beginnings of needles apart.
const BEGINNING: usize = 8;
/// Bytes of the second text that are enough.
pub(crate) const AHEAD: usize = 48;

/// Whether surely no needle begins in the first `seam` bytes of `text`, and nothing that begins behind depends on them. They
/// are the end of a text of which all was decided that begins before, with what that takes; or all of it. Says no wherever it
/// would take a search to tell.
pub(crate) fn is_nothing_across(index: &Index, text: &[u8], seam: usize) -> bool {
    let (before, behind) = text.split_at(seam);
    if !index.beside.is_empty() || behind.len() < NEAR + BEGINNING || text.iter().any(|byte| is_special(*byte)) {
        return false;
    }
    let is_list = |n: usize| matches!(text[n..], [b'0', b'x' | b'X', ..]);
    if (0..seam).any(is_list) || run_before(before) + run_behind(behind) >= LEAST_SIGNS {
        return false;
    }
    let lines = memchr::memchr_iter(b'\n', before).map(|end| end + 1).filter(|line| *line < seam);
    if std::iter::once(0).chain(lines).any(|line| may_be_address(&text[line..])) {
        return false;
    }
    if index.exact_in(text).any(|exact| (0..seam).any(|at| exact.grams.may_begin(&text[at..]))) {
        return false;
    }
    let mut letters = [0; 2 * super::CONTEXT];
    let (mut count, mut first) = (0, 0);
    for (at, byte) in text.iter().enumerate() {
        let letter = KEPT[usize::from(*byte)];
        if letter != 0 && count < letters.len() {
            letters[count] = letter;
            count += 1;
            first += usize::from(at < seam);
        }
    }
    count >= first + BEGINNING && !(0..first).any(|at| index.bare.may_begin(&letters[at..]))
}
