//! What tests say of a call: its class under the shipped rules, and which lines are judged otherwise than they should be.

use super::judge_example;
use crate::class::Class;

/// The class of a line, and the rules that spoke.
pub(super) fn class(line: &str) -> (Class, Vec<String>) {
    let verdict = judge_example(line, &crate::rules::default_rules()).unwrap();
    (verdict.class, verdict.fired.into_iter().map(|fired| fired.rule).collect())
}

/// The lines whose class is not right, each with what it is and why.
pub(super) fn wrong<T: AsRef<str>>(lines: &[T], right: impl Fn(Class) -> bool) -> Vec<String> {
    let judged = lines.iter().map(|line| (line.as_ref(), class(line.as_ref())));
    judged.filter(|(_, (class, _))| !right(*class)).map(|(line, got)| format!("{line} {got:?}")).collect()
}

/// Fails where one of them is milder than `want`.
pub(super) fn at_least(want: Class, lines: &[&str]) {
    let low = wrong(lines, |class| class >= want);
    assert!(low.is_empty(), "milder than {want}:\n{}", low.join("\n"));
}

/// Fails where one of them is graver than `want`.
pub(super) fn at_most(want: Class, lines: &[&str]) {
    let high = wrong(lines, |class| class <= want);
    assert!(high.is_empty(), "graver than {want}:\n{}", high.join("\n"));
}
