//! Which order a program is given: its first operands, as far as anybody knows which words are operands.
//!
//! Of an option that nobody described nobody knows whether the next word is its value: `tool --x y z` is the order `y z` or the order
//! `z`. A rule above Yellow holds where it holds in either reading, any other only where no word was left out.

use super::Described;
use super::matching::fits;
use crate::class::Class;
use crate::facts::args::Parsed;
use crate::facts::{OPAQUE, Word};

/// How many operands are looked at; orders have four words at most.
const LOOKED_AT: usize = 32;

/// Which of the first operands may be no word of the order but the value of an option that the program is not known to have, or
/// what stands before it with a sign of its own (`cargo +nightly`); one bit each.
pub(crate) fn unsure(args: &[Word], parsed: &Parsed<'_>, described: Option<Described<'_>>) -> u32 {
    let signed = |word: &Word| word.text.starts_with(['-', '+']);
    if !args.iter().any(signed) {
        return 0;
    }
    let (mut words, mut unsure, mut sure) = (args.iter(), 0, 0);
    for (at, operand) in parsed.operands.iter().take(LOOKED_AT).enumerate() {
        let before = words.by_ref().take_while(|word| !std::ptr::eq(*word, *operand)).last();
        if before.is_some_and(|option| may_take(&option.text, described)) || operand.text.starts_with('+') {
            unsure |= 1 << at;
        } else if sure == 3 {
            break;
        } else {
            sure += 1;
        }
    }
    unsure
}

/// Whether an option may take the next word, as far as anybody knows.
fn may_take(option: &str, described: Option<Described<'_>>) -> bool {
    let known = |name: &str| described.is_some_and(|described| described.has(name));
    if option.len() < 2 || !option.starts_with('-') || option == "--" || option.contains('=') || known(option) {
        return false;
    }
    // Of letters in one word only the last one may.
    let letter = option.chars().last().filter(|_| !option.starts_with("--"));
    !letter.is_some_and(|letter| known(&String::from_iter(['-', letter])))
}

/// Whether a command gives the order `sub` about which a rule of that class is.
pub(super) fn is_given(sub: &str, class: Class, parsed: &Parsed<'_>) -> bool {
    let unsure = if class > Class::Yellow { parsed.unsure } else { 0 };
    reads(sub, &parsed.operands, unsure)
}

fn reads(order: &str, operands: &[&Word], unsure: u32) -> bool {
    let (word, rest) = order.split_once(' ').map_or((order, None), |(word, rest)| (word, Some(rest)));
    let Some((operand, behind)) = operands.split_first() else { return false };
    fits(word, &operand.text) && rest.is_none_or(|rest| reads(rest, behind, unsure >> 1))
        || unsure & 1 != 0 && reads(order, behind, unsure >> 1)
}

/// Whether a command may turn out to give that order, because a word of it, or how many stand before it, is only known at run time.
pub(super) fn may_be(order: &str, args: &[Word], parsed: &Parsed<'_>) -> bool {
    if !order.starts_with(|first: char| first.is_ascii_alphabetic()) || order.contains('.') {
        // A mode, or a file.
        return false;
    }
    let several = args.iter().find(|word| word.may_be_several());
    Unread { args, several }.may_be(order, &parsed.operands, parsed.unsure)
}

struct Unread<'a> {
    args: &'a [Word],
    /// The first word that may be several, or none.
    several: Option<&'a Word>,
}

impl Unread<'_> {
    fn may_be(&self, order: &str, operands: &[&Word], unsure: u32) -> bool {
        let (word, rest) = order.split_once(' ').map_or((order, None), |(word, rest)| (word, Some(rest)));
        let Some((operand, behind)) = operands.split_first() else { return self.several.is_some() };
        let unread = word != "*" && (operand.has_opaque() || operand.may_be_several()) && may_begin(word, operand);
        if unread || self.several.is_some_and(|several| self.is_before(several, operand)) {
            return true;
        }
        fits(word, &operand.text) && rest.is_some_and(|rest| self.may_be(rest, behind, unsure >> 1))
            || unsure & 1 != 0 && self.may_be(order, behind, unsure >> 1)
    }

    fn is_before(&self, one: &Word, other: &Word) -> bool {
        let mut words = self.args.iter().take_while(|word| !std::ptr::eq(*word, other));
        words.any(|word| std::ptr::eq(word, one))
    }
}

/// Whether a word that is not known in full may be that of an order, by what of it is known: `re$x` may be `reset`, `+$x` is none.
fn may_begin(word: &str, operand: &Word) -> bool {
    let group = operand.glob.then_some(['!', '@', '+']);
    let known = operand.text.split([OPAQUE, '*', '?', '[']).next().unwrap_or_default();
    let known = group.map_or(known, |group| known.split(group).next().unwrap_or_default());
    let word = word.split(['*', '?']).next().unwrap_or_default();
    word.starts_with(known) || known.starts_with(word)
}
