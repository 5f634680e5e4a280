//! What a program is told to do by a word that nobody can read yet.

use super::{Rule, RuleSet, order};
use crate::class::Class;
use crate::facts::Command;
use crate::facts::args::Parsed;

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
        orders.any(|sub| order::may_be(sub, &command.args, parsed))
    }
}
