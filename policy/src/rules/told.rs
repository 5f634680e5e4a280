//! What a program is told to do by a word that nobody can read yet.

use super::matching::fits;
use super::{Rule, RuleSet};
use crate::class::Class;
use crate::facts::args::Parsed;
use crate::facts::{Command, Word};

impl RuleSet {
    /// Whether a command may turn out to be an order that a rule above Yellow is about, because the order itself, or how many words
    /// stand before it, is only known at run time.
    pub(crate) fn may_be_told(&self, name: &str, command: &Command, parsed: &Parsed<'_>) -> bool {
        if !command.args.iter().any(|word| word.may_be_several() || word.has_opaque()) {
            return false;
        }
        let of_its_own =
            |rule: &&Rule| rule.class > Class::Yellow && !rule.program.iter().any(|program| program == "*");
        let mut orders = self.about_program(name).filter(of_its_own).flat_map(|rule| &rule.sub);
        orders.any(|order| may_be(order, &command.args, parsed))
    }
}

fn may_be(order: &str, args: &[Word], parsed: &Parsed<'_>) -> bool {
    if !order.starts_with(|first: char| first.is_ascii_alphabetic()) || order.contains('.') {
        // A mode, or a file.
        return false;
    }
    let several = args.iter().position(Word::may_be_several);
    for (at, word) in order.split(' ').enumerate() {
        let Some(operand) = parsed.operands.get(at).copied() else { return several.is_some() };
        let before = args.iter().take_while(|arg| !std::ptr::eq(*arg, operand)).count();
        let unread = word != "*" && (operand.has_opaque() || operand.may_be_several());
        if unread || several.is_some_and(|several| several < before) {
            return true;
        }
        if !fits(word, &operand.text) {
            return false;
        }
    }
    false
}
