//! What a command must show before any text of a rule is compared with it.
//!
//! Dozens of rules are about each well-known program, and nearly all of them about another call of it than the one at hand. A sieve
//! says so by a few bits: it may let a rule through that does not hold, and never keeps one back that does.

use super::by_name::narrow;
use super::{Lent, Rule, Texts};
use crate::facts::Command;
use crate::facts::args::Parsed;

/// A set of signs, one bit each; unlike texts rarely show the same.
pub(super) type Signs = u64;
/// What everything shows.
const ANY: u8 = 63;

/// What one rule asks for.
#[derive(Default)]
pub(super) struct Sieve {
    /// The signs of which a command's options and operands must show one each: all where the rule asks for none.
    option: Signs,
    operand: Signs,
    sub: Signs,
    /// For each of the rule's patterns, list after list, the sign of what may fit it.
    patterns: Box<[u8]>,
    /// Where the signs of each list end.
    ends: [u32; 5],
    /// All signs of each text of which the arguments must contain one.
    contains: Box<[Signs]>,
}

/// What one command shows.
pub(super) struct Shown {
    pub(super) options: Signs,
    pub(super) operands: Signs,
    letters: Signs,
}

/// Patterns of a rule, each with its sign.
pub(super) struct Sifted<'a> {
    patterns: Lent<'a>,
    signs: &'a [u8],
}

impl Sieve {
    pub(super) fn new(rule: &Rule) -> Self {
        let mut patterns = Vec::new();
        let of: [fn(&str) -> u8; 5] = [of_sub, of_pattern, of_pattern, of_option_pattern, of_option_pattern];
        let mut of = of.into_iter();
        let ends = Self::lists(rule).map(|list| {
            patterns.extend(of.next().into_iter().flat_map(|sign| list.iter().map(sign)));
            narrow(patterns.len())
        });
        let one_of = |list: &Texts, sign: fn(&str) -> u8| {
            let all = list.iter().fold(0, |all, pattern| all | 1 << sign(pattern));
            if list.is_empty() { Signs::MAX } else { all }
        };
        Self {
            option: one_of(&rule.option, of_option_pattern),
            operand: one_of(&rule.operand, of_pattern),
            sub: one_of(&rule.sub, of_sub),
            patterns: patterns.into(),
            ends,
            contains: rule.contains.iter().map(letters).collect(),
        }
    }

    /// `sub`, `operand`, `without_operand`, `option` and `without` of the rule that this sieve was made of.
    pub(super) fn sift<'a>(&'a self, rule: &'a Rule) -> [Sifted<'a>; 5] {
        let (mut from, mut ends) = (0, self.ends.iter());
        Self::lists(rule).map(|patterns| {
            let to = ends.next().map_or(from, |end| *end as usize);
            let signs = &self.patterns[from..to];
            from = to;
            Sifted { patterns, signs }
        })
    }

    fn lists(rule: &Rule) -> [Lent<'_>; 5] {
        [&rule.sub, &rule.operand, &rule.without_operand, &rule.option, &rule.without].map(Texts::lent)
    }

    /// Whether the rule may hold for a command that shows this; most are asked about another one.
    pub(super) const fn lets_pass(&self, shown: &Shown) -> bool {
        self.option & shown.options != 0 && self.operand & shown.operands != 0 && self.sub & shown.operands != 0
    }

    pub(super) fn contains(&self, shown: &Shown) -> bool {
        self.contains.iter().any(|part| part & !shown.letters == 0)
    }
}

impl Sifted<'_> {
    pub(super) const fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether one of them fits, of which only those are asked that may.
    pub(super) fn any(&self, shown: Signs, fits: impl Fn(&str) -> bool) -> bool {
        let mut signed = self.patterns.places().zip(self.signs);
        signed.any(|(place, sign)| shown >> sign & 1 != 0 && self.patterns.at(place).is_some_and(&fits))
    }
}

impl Shown {
    pub(super) fn of(command: &Command, parsed: &Parsed<'_>) -> Self {
        let all = |signs: &mut dyn Iterator<Item = u8>| signs.fold(1 << ANY, |all: Signs, sign| all | 1 << sign);
        let given = parsed.options.iter().map(|(name, _)| &**name).chain(command.script.iter().copied());
        let operands = parsed.operands.iter().map(|word| beginning(&word.text));
        Self {
            options: all(&mut given.map(of_option)),
            operands: all(&mut { operands }),
            // Several blanks may be read as one.
            letters: command.args.iter().fold(letters(" "), |all, word| all | letters(&word.text)),
        }
    }
}

/// The sign of a text: its first two letters.
pub(super) fn beginning(text: &str) -> u8 {
    match *text.as_bytes() {
        [] => 0,
        [first] => first & 63,
        [first, second, ..] => (first ^ second.wrapping_mul(5)) & 63,
    }
}

/// The sign of what fits the pattern.
fn of_pattern(pattern: &str) -> u8 {
    match *pattern.as_bytes() {
        [b'*' | b'?', ..] | [_, b'*' | b'?', ..] => ANY,
        _ => beginning(pattern),
    }
}

/// The sign of one operand of those that must stand first: of the last that says anything.
fn of_sub(sub: &str) -> u8 {
    sub.split(' ').map(of_pattern).rfind(|sign| *sign != ANY).unwrap_or(ANY)
}

/// The sign of an option: its first letter, since a long one may be shortened, and how many dashes stand before it.
fn of_option(name: &str) -> u8 {
    let first = |rest: &str| rest.bytes().next().map_or(0, |byte| byte & 63);
    match name.strip_prefix("--") {
        Some(long) => first(long) ^ 32,
        None => first(name.strip_prefix('-').unwrap_or(name)),
    }
}

fn of_option_pattern(pattern: &str) -> u8 {
    match pattern.split_once('*') {
        Some(("" | "-" | "--", _)) => ANY,
        Some((start, _)) => of_option(start),
        None => of_option(pattern),
    }
}

/// The letters and other signs in a text, capitals as small letters.
pub(super) fn letters(text: &str) -> Signs {
    text.bytes().fold(0, |all, byte| all | 1 << (byte & 31 | !byte >> 1 & 32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::args::Reading;
    use crate::facts::{Word, scripts};
    use crate::rules::{Document, RuleSet, default_rules};

    /// Every text that a rule speaks of, and what comes near it.
    fn words(document: &Document) -> Vec<String> {
        let lists = document.rule.iter().flat_map(|rule| {
            [&rule.sub, &rule.option, &rule.without, &rule.operand, &rule.without_operand, &rule.contains]
        });
        let texts = lists.flatten().flat_map(|text| text.split(' ')).map(|text| text.replace(['*', '?'], "x"));
        let mut words: Vec<String> = texts.flat_map(|text| [text.chars().take(4).collect(), text]).collect();
        words.extend(["", "-", "--", "a\tb", "É", "\u{fffc}"].map(str::to_owned));
        words.sort_unstable();
        words.dedup();
        words
    }

    #[test]
    fn no_rule_that_holds_is_kept_back() {
        let rules: RuleSet = default_rules();
        let about: Vec<&Rule> = rules.document().rule.iter().filter(|rule| !rule.program.is_empty()).collect();
        let sieves: Vec<Sieve> = about.iter().map(|rule| Sieve::new(rule)).collect();
        let all = Shown { options: !0, operands: !0, letters: !0 };
        let words = words(rules.document());
        let (mut held, mut kept) = (0, 0);
        for (at, word) in words.iter().enumerate() {
            let others = [&words[(at * 7 + 1) % words.len()], &word.to_ascii_uppercase(), &format!("a \n{word}")];
            let script = if at % 2 == 0 { vec![scripts::RUNS, scripts::WRITES] } else { Vec::new() };
            let args = vec![Word::literal(word.as_str()), Word::literal(others[at % 3].as_str())];
            let command =
                Command { program: "x".to_owned(), args, wrappers: Vec::new(), cwd: None, more: false, script };
            let parsed = Parsed::read(&command.args, Reading { single_dash: at % 5 < 3, ..Reading::default() });
            let shown = Shown::of(&command, &parsed);
            for (rule, sieve) in about.iter().zip(&sieves) {
                let holds = rule.holds_for(&command, &parsed, sieve, &all);
                let passes = sieve.lets_pass(&shown) && rule.holds_for(&command, &parsed, sieve, &shown);
                assert_eq!(passes, holds, "{} {:?}", rule.id, command.args);
                held += usize::from(holds);
                let contains = rule.contains.is_empty() || sieve.contains(&shown);
                kept += usize::from(!sieve.lets_pass(&shown) || !contains);
            }
        }
        assert!(held > words.len() && kept > words.len() * about.len() / 3, "{held} held, {kept} kept back");
    }
}
