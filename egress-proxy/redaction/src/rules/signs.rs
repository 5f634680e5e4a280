//! Runs of letters, digits and `_-+/` that every match of an expression holds: where a text has none, the rule's keywords need
//! not be looked for. What a machine draws holds one; few words do.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Signs in a row that make a run,
pub(crate) const RUN: usize = 20;
/// and letters and digits in a row, at least one of them a digit.
pub(crate) const MIXED_RUN: usize = 10;

/// Whether a run may hold it: what bytes are written with in base64 and in its kind for URLs.
pub(crate) const fn is_sign(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'/')
}

/// The most bytes of a match of `hir` before the run that it holds; `None` if one may hold none.
pub(super) fn before_run(hir: &Hir) -> Option<usize> {
    Known::of(hir).run
}

/// What holds of every match of an expression.
#[derive(Clone, Copy)]
struct Known {
    /// It consists of signs; of letters and digits; has a digit.
    signs: bool,
    alphanumeric: bool,
    digit: bool,
    /// Its length.
    least: usize,
    most: usize,
    /// Signs at its beginning and at its end, at least.
    first: usize,
    last: usize,
    /// The most bytes before its run.
    run: Option<usize>,
}

impl Known {
    const EMPTY: Self =
        Self { signs: true, alphanumeric: true, digit: false, least: 0, most: 0, first: 0, last: 0, run: None };

    fn of(hir: &Hir) -> Self {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => Self::EMPTY,
            HirKind::Literal(text) => text.0.iter().map(|byte| Self::one(|is| is(*byte))).fold(Self::EMPTY, Self::then),
            HirKind::Class(Class::Bytes(class)) => {
                Self::one(|is| class.iter().all(|range| (range.start()..=range.end()).all(is)))
            }
            HirKind::Class(Class::Unicode(_)) => Self { most: 4, ..Self::one(|_| false) },
            HirKind::Repetition(repetition) => {
                let most = repetition.max.map_or(usize::MAX, |most| most as usize);
                Self::of(&repetition.sub).repeated(repetition.min as usize, most)
            }
            HirKind::Capture(group) => Self::of(&group.sub),
            HirKind::Concat(parts) => parts.iter().map(Self::of).fold(Self::EMPTY, Self::then),
            HirKind::Alternation(parts) => parts.iter().map(Self::of).reduce(Self::or).unwrap_or(Self::EMPTY),
        }
    }

    /// One byte; `all` says of what every byte is that it can be.
    fn one(all: impl Fn(fn(u8) -> bool) -> bool) -> Self {
        let (signs, alphanumeric) = (all(is_sign), all(|byte| byte.is_ascii_alphanumeric()));
        let digit = all(|byte| byte.is_ascii_digit());
        let count = usize::from(signs);
        Self { signs, alphanumeric, digit, least: 1, most: 1, first: count, last: count, run: None }
    }

    fn then(self, next: Self) -> Self {
        let both = Self {
            signs: self.signs && next.signs,
            alphanumeric: self.alphanumeric && next.alphanumeric,
            digit: self.digit || next.digit,
            least: self.least + next.least,
            most: self.most.saturating_add(next.most),
            first: if self.signs { self.least + next.first } else { self.first },
            last: if next.signs { self.last + next.least } else { next.last },
            run: None,
        };
        let across = (self.last + next.first >= RUN).then_some(self.most);
        let later = next.run.map(|before| self.most.saturating_add(before));
        Self { run: [self.run, across, later].into_iter().flatten().min(), ..both }.begun()
    }

    /// With a run that it begins with.
    fn begun(self) -> Self {
        let begins = self.first >= RUN || self.alphanumeric && self.digit && self.least >= MIXED_RUN;
        Self { run: if begins { Some(0) } else { self.run }, ..self }
    }

    fn or(self, other: Self) -> Self {
        Self {
            signs: self.signs && other.signs,
            alphanumeric: self.alphanumeric && other.alphanumeric,
            digit: self.digit && other.digit,
            least: self.least.min(other.least),
            most: self.most.max(other.most),
            first: self.first.min(other.first),
            last: self.last.min(other.last),
            run: self.run.zip(other.run).map(|(one, other)| one.max(other)),
        }
    }

    fn repeated(self, least: usize, most: usize) -> Self {
        // Of what is not all signs, more times say nothing new.
        let sure = (0..least.min(2)).fold(Self::EMPTY, |all, _| all.then(self));
        let ends = |two: usize| if self.signs { self.least * least } else { two };
        Self {
            signs: self.signs,
            alphanumeric: self.alphanumeric,
            least: self.least * least,
            most: self.most.saturating_mul(most),
            first: ends(sure.first),
            last: ends(sure.last),
            ..sure
        }
        .begun()
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::pattern::Pattern;

    #[test]
    fn runs_are_known_where_every_match_has_one() {
        for (patterns, before) in [
            (&["ghp_[A-Za-z0-9]{36}"] as &[&str], Some(0)),
            (&["gh[opusr]_[A-Za-z0-9]{16}"], Some(0)),
            (&["gh[opusr]_[A-Za-z]{15}"], None),
            (&["[a-z]{19}"], None),
            (&["[a-z]{20}"], Some(0)),
            (&["[a-z]{10}|[a-z]{20}"], None),
            (&["[a-z]{0,9}[0-9][a-z]{9}"], Some(0)),
            (&["[a-z]{0,9}[0-9][a-z]{8}"], None),
            (&["[a-z]{0,9}[0-9]?[a-z]{10}"], None),
            (&["(?:[A-Za-z]{0,9}[0-9]){2}[A-Za-z0-9]{8,29}|[A-Za-z0-9+/]{20,120}={1,2}"], Some(0)),
            (&["[0-9]{4}-[0-9]{4}"], None),
            (&["v[0-9]\\.[a-z]{24}"], Some(3)),
            (&["(?:a|bcd)\\.[a-z]{24}"], Some(4)),
            (&["(?:[a-z]{10}\\.){4}"], None),
            (&["(?:\\.[a-z]{10}_){2}", "[a-z]{9}"], Some(24)),
            (&["(?:[a-z]{10}\\.[a-z]{10}){2}"], Some(21)),
            (&["(?:[a-z]{10}\\.[a-z]{10}){1,2}"], None),
            (&["[a-z]{10,12}\\s[a-z]{10}", "[a-z]{10}"], Some(23)),
            (&["[^a-z]{30}"], None),
            (&["\\s{0,8}", "[0-9a-f]{20}"], Some(8)),
        ] {
            let made: Vec<Pattern> = patterns.iter().map(|text| Pattern::new(text)).collect();
            assert_eq!(Pattern::before_run(&made.iter().collect::<Vec<_>>()), before, "{patterns:?}");
        }
    }
}
