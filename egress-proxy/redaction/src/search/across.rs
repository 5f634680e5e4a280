//! Where one text ends and another begins: mostly it can be told from a few bytes that nothing stands across, or that both can
//! be searched as one.

use super::NEAR;
use crate::index::Index;
use crate::unescape::{MAX_PENDING, has_escape, is_special};
use crate::views::LAYERS;
use crate::views::decoded::{LEAST_SIGNS, run_before, run_behind, signs};
use crate::views::dump::{self, may_be_address, may_be_dump};
use crate::views::letters::KEPT;
use crate::views::margins::may_join;

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

/// Bytes at the end of a text in which nothing may be undone where another is read behind it: an escape that begins before is
/// read to its end, and so is what the upper layers make of it; and the line of a dump begins there or is done with.
const BEFORE: usize = dump::WIDE + LAYERS * MAX_PENDING;
/// Bytes at the beginning of a text in which nothing may be undone: an address with the blanks before it.
const BEHIND: usize = 24;

/// Signs of a run that is searched by itself at most.
const RUN: usize = 96;

/// How many bytes at the beginning of `text` must be searched by themselves, when a search of `before` with `text` behind it
/// surely meets all else that searches of each by itself do. `None` wherever it would take a look at the layers to tell.
pub(crate) fn are_one_text(index: &Index, before: &[u8], text: &[u8]) -> Option<usize> {
    if text.is_empty() {
        return Some(0);
    }
    let end = &before[before.len().saturating_sub(BEFORE)..];
    let begin = &text[..text.len().min(BEHIND)];
    if !index.beside.is_empty() || has_escape(end) || begin.iter().any(|byte| is_special(*byte)) {
        return None;
    }
    // A byte of a list that is cut off takes what follows for its digits.
    if matches!(end, [.., b'x' | b'X'] | [.., b'x' | b'X', _])
        || (end.ends_with(b"0") && matches!(text, [b'x' | b'X', ..]))
    {
        return None;
    }
    // The line goes on, which could be that of a dump, or one of a dump begins in it.
    let line = memchr::memrchr(b'\n', end).map_or(end, |at| &end[at + 1..]);
    if !line.is_empty() && (may_be_dump(line) || may_be_dump(text)) {
        return None;
    }
    if may_join(before, text) {
        return None;
    }
    let (last, next) = (run_before(end), run_behind(text));
    let apart = !end.last().is_some_and(|byte| signs(&[*byte]) > 0 || byte.is_ascii_whitespace());
    if apart || next == 0 || last + next < LEAST_SIGNS {
        return Some(0);
    }
    // The last line may be the end of a run that began before it.
    if last >= LEAST_SIGNS || line.trim_ascii().len() == last {
        return None;
    }
    if end.last().is_some_and(u8::is_ascii_whitespace) || signs(text) != next {
        return Some(0);
    }
    // Signs before a run are no part of what it stands for, and could spoil that.
    let ends = text.get(next).is_none_or(|byte| !matches!(byte, b'\n' | b'\r') && !is_special(*byte));
    let alone = if next < LEAST_SIGNS { 0 } else { next };
    (ends && alone <= RUN).then_some(alone)
}
