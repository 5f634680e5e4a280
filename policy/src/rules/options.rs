//! Which options a program is known to have: dozens for most, and each option of a command is looked up.

use std::ops::Deref;

use super::by_name::narrow;
use super::{Lent, Syntax, Texts};
use crate::facts::args::{Parsed, is_option};

/// The options of a [`Syntax`] in the order of their names, beside its lists, since each option of a command is looked up.
pub(super) struct Options {
    names: Texts,
    places: Box<[u32]>,
}

/// How a program reads its arguments, with its options in order.
#[derive(Clone, Copy)]
pub(crate) struct Described<'a> {
    syntax: &'a Syntax,
    options: &'a Options,
}

impl Options {
    pub(super) fn new(syntax: &Syntax) -> Self {
        let mut names: Vec<&str> = lists(syntax).into_iter().flat_map(Lent::iter).collect();
        names.sort_unstable();
        let names: Texts = names.into_iter().collect();
        let places = names.lent().places().map(narrow).collect();
        Self { names, places }
    }

    fn at(&self, place: u32) -> &str {
        self.names.lent().at(place as usize).unwrap_or_default()
    }
}

impl<'a> Described<'a> {
    pub(super) const fn new(syntax: &'a Syntax, options: &'a Options) -> Self {
        Self { syntax, options }
    }

    /// Whether the program is known to have that option.
    pub(super) fn has(self, given: &str) -> bool {
        let Options { places, .. } = self.options;
        let from = places.partition_point(|place| self.options.at(*place) < given);
        // From here on the option itself comes first, or else one that it is short for.
        places.get(from).is_some_and(|place| is_option(given, self.options.at(*place)))
    }
}

impl Deref for Described<'_> {
    type Target = Syntax;

    fn deref(&self) -> &Syntax {
        self.syntax
    }
}

/// The first option given that a program so described, if it is, is not known to have.
pub(crate) fn unknown_option<'p>(described: Option<Described<'_>>, parsed: &'p Parsed<'_>) -> Option<&'p str> {
    // Letters in one word are given one by one and all together.
    let whole_words = described.is_some_and(|described| described.single_dash);
    let cluster = |name: &str| !whole_words && !name.starts_with("--") && name.chars().nth(2).is_some();
    let known = |name: &str| described.is_some_and(|described| described.has(name));
    parsed.options.iter().map(|(name, _)| &**name).filter(|name| !cluster(name)).find(|name| !known(name))
}

fn lists(syntax: &Syntax) -> [Lent<'_>; 3] {
    [&syntax.flags, &syntax.values, &syntax.pairs].map(Texts::lent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Word;
    use crate::rules::default_rules;

    #[test]
    fn an_option_is_known_by_its_name_or_its_beginning() {
        let flags = Texts::from(["--verbose", "-v", "--all"]);
        let syntax = Syntax { flags, values: ["-o", "--output"].into(), pairs: ["--arg"].into(), ..Syntax::default() };
        let options = Options::new(&syntax);
        let described = Described::new(&syntax, &options);
        for given in ["", "-", "-x", "--x", "--verbosely", "-verbose", "--a-", "-vv", "a"] {
            assert!(!described.has(given), "{given}");
        }
        for given in ["-v", "-o", "--", "--v", "--verb", "--verbose", "--out", "--arg", "--all", "--a"] {
            // Two letters are no short form of anything.
            assert_eq!(described.has(given), given != "--", "{given}");
        }
    }

    #[test]
    fn what_one_option_alone_would_be_found_to_be_is_found() {
        let rules = default_rules();
        let mut asked = 0;
        for syntax in &rules.document().syntax {
            let options = Options::new(syntax);
            let described = Described::new(syntax, &options);
            let all = || lists(syntax).into_iter().flat_map(Lent::iter);
            for option in all().chain(&rules.document().syntax[0].flags) {
                let shorter = option.get(..option.len() / 2 + 2).unwrap_or(option);
                for given in [option, shorter, &format!("{option}x")] {
                    assert_eq!(described.has(given), all().any(|known| is_option(given, known)), "{given}");
                    asked += 1;
                }
            }
        }
        assert!(asked > 10_000, "{asked}");
    }

    #[test]
    fn the_first_that_nobody_described_is_told() {
        let syntax = Syntax { flags: ["-a", "-b"].into(), ..Syntax::default() };
        let options = Options::new(&syntax);
        for (line, want) in [("-ab x", None), ("-acb", Some("-c")), ("-a --c -d", Some("--c")), ("x -b", None)] {
            let words: Vec<Word> = line.split(' ').map(Word::literal).collect();
            let parsed = Parsed::read(&words, syntax.reading());
            assert_eq!(unknown_option(Some(Described::new(&syntax, &options)), &parsed), want, "{line}");
        }
        let words = [Word::literal("x"), Word::literal("-a")];
        assert_eq!(unknown_option(None, &Parsed::read(&words, syntax.reading())), Some("-a"));
    }
}
