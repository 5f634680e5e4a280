//! What a program is told to do by a word that nobody can read yet.

use super::{Rule, RuleSet, order};
use crate::class::Class;
use crate::facts::args::Parsed;
use crate::facts::{Command, Word};

/// Programs that are given a command behind a machine or a container, and the orders with which they are; empty where they have none.
const BEHIND: &[(&[&str], &[&str])] = &[
    (&["autossh", "dbclient", "plink", "remsh", "rsh", "slogin", "ssh"], &[""]),
    (
        &["docker", "nerdctl", "podman"],
        &[
            "compose exec",
            "compose run",
            "container create",
            "container exec",
            "container run",
            "create",
            "exec",
            "run",
        ],
    ),
    (&["docker-compose", "podman-compose"], &["exec", "run"]),
    (&["k", "kubectl", "oc"], &["exec", "rsh"]),
];

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
        orders.any(|sub| order::may_be(sub, &command.args, parsed)) || may_bring_command(name, command, parsed)
    }
}

/// Whether what stands before a command, or in the place of the machine where it runs, may be several words: then the command may
/// begin there.
fn may_bring_command(name: &str, command: &Command, parsed: &Parsed<'_>) -> bool {
    let Some((_, orders)) = BEHIND.iter().find(|(programs, _)| programs.contains(&name)) else { return false };
    let Some(several) = command.args.iter().position(Word::may_be_several) else { return false };
    orders.iter().any(|order| {
        let words = order.split_whitespace().count();
        let given = words == 0 || order::is_given(order, Class::Red, parsed);
        let place = parsed
            .operands
            .get(words)
            .and_then(|place| command.args.iter().position(|word| std::ptr::eq(word, *place)));
        given && place.is_none_or(|place| several <= place)
    })
}
