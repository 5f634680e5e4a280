//! Where a call puts the values that stand in its environment: a closed list of places, and everything else is refused.
//!
//! A shell can take a value apart (`${T:0:4}`), compare it (`[[ $T == a* ]]`), compute with it and hand it on under other names,
//! and half a value is found by no redaction. So beside a value a text may have little: plain commands, in which `"$T"` stands
//! among the arguments of a program or in its input. Words are read here letter by letter, by the shell's own rules for quotes,
//! beside the two parsers that must agree about where they begin and end.

mod own;
mod word;

use std::collections::{BTreeMap, BTreeSet};

use brush_parser::{Parser, ast};

use super::caps;
use super::interpret::file_name;
use super::natures::Nature;
use super::unwrap::command_behind;
use super::words::{self, Word};
use crate::action::refs_in;
use word::Reading;

/// Wrappers that hand the words behind them on as they are, and show none of them. Sorted.
const PASSING: &[&str] = &["ionice", "nice", "nohup", "setsid", "stdbuf", "timeout"];
/// What the shell does itself with words that it gets: sets variables, runs text, compares, traces. Sorted.
const BUILTINS: &[&str] = &[
    ".",
    "[",
    "alias",
    "bind",
    "builtin",
    "command",
    "compgen",
    "complete",
    "declare",
    "dirs",
    "enable",
    "eval",
    "exec",
    "export",
    "fc",
    "getopts",
    "hash",
    "history",
    "let",
    "local",
    "mapfile",
    "popd",
    "printf",
    "pushd",
    "read",
    "readarray",
    "readonly",
    "set",
    "shift",
    "shopt",
    "source",
    "test",
    "trap",
    "typeset",
    "unset",
];
/// Shells of whose text a word's quotes mean what is read here.
const SHELLS: &[&str] = &["sh", "bash", "dash", "ash"];
/// How they are told that a text follows, without start-up files and without tracing.
const TEXT_FOLLOWS: &[&str] = &["-c", "-ec", "-ce", "-uc", "-euc", "-uec"];

/// A value would get elsewhere than into the hands of a program, or nobody can tell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Astray {
    /// The variable means something to the shell itself.
    #[error("the shell itself uses the variable {0}: choose another name")]
    Own(String),
    /// The shell would do more with it than hand it on whole.
    #[error("the shell may hand ${0} on as it is only, in double quotes")]
    NotWhole(String),
    /// It stands in a place that is no argument and no input of a program.
    #[error("${variable} stands in {place}")]
    Misplaced {
        /// Which variable.
        variable: String,
        /// Where.
        place: &'static str,
    },
    /// A variable whose value nobody gave.
    #[error("what ${0} holds is not known")]
    Unknown(String),
    /// Something else in the text, beside which a value could be taken apart.
    #[error("there is {0} beside it")]
    Beside(&'static str),
    /// A command that does something else with its words than a program does.
    #[error("{0} is no program that can be given a value")]
    Command(String),
}

/// Values in the environment of a call, by the variables that hold them.
#[derive(Debug)]
pub struct Given<'a> {
    env: &'a BTreeMap<String, String>,
    held: BTreeSet<&'a str>,
}

impl<'a> Given<'a> {
    /// The variables of that environment which refer to stored values.
    #[must_use]
    pub fn of(env: &'a BTreeMap<String, String>) -> Self {
        let refers = |text: &str| refs_in(text).next().is_some();
        let held = env.iter().filter(|(_, value)| refers(value)).map(|(name, _)| name.as_str()).collect();
        Self { env, held }
    }

    /// The programs that a shell text starts, each of which has the values in its environment and may have them as an argument or
    /// as its input.
    ///
    /// Only for texts that [`super::from_shell`] has no notes about.
    ///
    /// # Errors
    /// [`Astray`]: the text may do something else with a value, or have the shell do it.
    pub fn in_shell(&self, text: &str) -> Result<Vec<String>, Astray> {
        if let Some(name) = self.held.iter().find(|name| own::is_own(name)) {
            return Err(Astray::Own((*name).to_owned()));
        }
        if !text.is_ascii() && self.env.keys().any(|name| own::decides_letters(name)) {
            return Err(Astray::Beside("a choice of letters for a text that is not plain ASCII"));
        }
        let unread = Astray::Beside("text that cannot be read");
        if !caps::within(text) {
            return Err(unread);
        }
        let program = Parser::new(text.as_bytes(), &words::options()).parse_program().map_err(|_| unread)?;
        let mut walk = Walk { given: self, programs: Vec::new() };
        program.complete_commands.iter().try_for_each(|list| walk.list(list))?;
        Ok(walk.programs)
    }

    /// The same of an argument list that no shell reads, unless it names one.
    ///
    /// # Errors
    /// As [`Self::in_shell`].
    pub fn in_argv(&self, argv: &[String]) -> Result<Vec<String>, Astray> {
        let words: Vec<Word> = argv.iter().map(Word::literal).collect();
        let (at, name) = program_of(&words)?;
        if !Nature::of(name).shell {
            return Ok(vec![name.to_owned()]);
        }
        match &argv[at + 1..] {
            [follows, text, ..] if SHELLS.contains(&name) && TEXT_FOLLOWS.contains(&follows.as_str()) => {
                self.in_shell(text)
            }
            _ => Err(Astray::Command(name.to_owned())),
        }
    }
}

/// Which of the words names the program, wrappers passed by, and its name.
fn program_of(words: &[Word]) -> Result<(usize, &str), Astray> {
    let mut at = 0;
    loop {
        let name = words.get(at).and_then(Word::known).filter(|name| !name.is_empty()).map(file_name);
        let name = name.ok_or(Astray::Beside("a program whose name is not written plainly"))?;
        let nature = Nature::of(name);
        match nature.wrapper {
            Some(wrapper) if PASSING.contains(&name) => {
                let behind = command_behind(wrapper, &words[at + 1..]).filter(|command| !command.is_empty());
                at = words.len() - behind.ok_or_else(|| Astray::Command(name.to_owned()))?.len();
            }
            Some(_) => return Err(Astray::Command(name.to_owned())),
            None if BUILTINS.binary_search(&name).is_ok() => return Err(Astray::Command(name.to_owned())),
            None => return Ok((at, name)),
        }
    }
}

struct Walk<'g, 'a> {
    given: &'g Given<'a>,
    programs: Vec<String>,
}

impl Walk<'_, '_> {
    fn list(&mut self, list: &ast::CompoundList) -> Result<(), Astray> {
        for item in &list.0 {
            for (_, pipeline) in &item.0 {
                pipeline.seq.iter().try_for_each(|command| self.command(command))?;
            }
        }
        Ok(())
    }

    fn command(&mut self, command: &ast::Command) -> Result<(), Astray> {
        match command {
            ast::Command::Simple(simple) => self.simple(simple),
            ast::Command::Compound(compound, redirects) => {
                redirects.iter().flat_map(|list| &list.0).try_for_each(|redirect| self.redirect(redirect, None))?;
                self.compound(compound)
            }
            ast::Command::Function(_) => Err(Astray::Beside("a function")),
            ast::Command::ExtendedTest(..) => Err(Astray::Beside("a test")),
        }
    }

    fn compound(&mut self, compound: &ast::CompoundCommand) -> Result<(), Astray> {
        use ast::CompoundCommand as C;
        match compound {
            C::BraceGroup(c) => self.list(&c.list),
            C::Subshell(c) => self.list(&c.list),
            C::IfClause(c) => {
                self.list(&c.condition)?;
                self.list(&c.then)?;
                c.elses.iter().flatten().try_for_each(|other| {
                    other.condition.iter().try_for_each(|list| self.list(list))?;
                    self.list(&other.body)
                })
            }
            C::WhileClause(c) | C::UntilClause(c) => {
                self.list(&c.0)?;
                self.list(&c.1.list)
            }
            C::Arithmetic(_) | C::ArithmeticForClause(_) => Err(Astray::Beside("arithmetic")),
            C::ForClause(_) => Err(Astray::Beside("a loop over a list")),
            C::CaseClause(_) => Err(Astray::Beside("a choice by patterns")),
            C::Coprocess(_) => Err(Astray::Beside("a process that the shell talks with")),
        }
    }

    fn simple(&mut self, simple: &ast::SimpleCommand) -> Result<(), Astray> {
        use ast::CommandPrefixOrSuffixItem as Item;
        let (mut raw, mut redirects) = (Vec::new(), Vec::new());
        for item in simple.prefix.iter().flat_map(|prefix| &prefix.0) {
            match item {
                Item::Word(word) => raw.push(word.value.as_str()),
                Item::IoRedirect(redirect) => redirects.push(redirect),
                Item::AssignmentWord(..) => return Err(Astray::Beside("an assignment")),
                Item::ProcessSubstitution(..) => return Err(Astray::Beside(word::SUBSTITUTION)),
            }
        }
        raw.extend(simple.word_or_name.iter().map(|word| word.value.as_str()));
        for item in simple.suffix.iter().flat_map(|suffix| &suffix.0) {
            match item {
                Item::Word(word) => raw.push(word.value.as_str()),
                // To a program it is a word like others; those of the shell's own commands that set variables are none.
                Item::AssignmentWord(assignment, word) => match assignment.value {
                    ast::AssignmentValue::Scalar(_) => raw.push(word.value.as_str()),
                    ast::AssignmentValue::Array(_) => return Err(Astray::Beside("an assignment")),
                },
                Item::IoRedirect(redirect) => redirects.push(redirect),
                Item::ProcessSubstitution(..) => return Err(Astray::Beside(word::SUBSTITUTION)),
            }
        }
        let read = raw.iter().map(|raw| self.given.word(raw)).collect::<Result<Vec<_>, _>>()?;
        let program = if raw.is_empty() { None } else { self.program(&raw, &read)? };
        redirects.into_iter().try_for_each(|redirect| self.redirect(redirect, program))
    }

    /// Notes the program that the words start; `None` where it is the shell that moves.
    fn program(&mut self, raw: &[&str], read: &[Reading<'_>]) -> Result<Option<Receives>, Astray> {
        let word = |(raw, read): (&&str, &Reading<'_>)| if read.plain { Word::literal(*raw) } else { Word::opaque() };
        let words: Vec<Word> = raw.iter().zip(read).map(word).collect();
        let (at, name) = program_of(&words)?;
        if Nature::of(name).shell {
            return Err(Astray::Command(name.to_owned()));
        }
        let moves = name == "cd";
        let (out_of_place, place) =
            if moves { (read, "an argument of cd") } else { (&read[..=at], "front of the program") };
        nothing_of(out_of_place, place)?;
        // Without quotes it may be several words or none, and then another one names the program.
        if read[..at].iter().any(|reading| !reading.plain) {
            return Err(Astray::Beside("a word in front of the program that is not written plainly"));
        }
        if !moves {
            self.programs.push(name.to_owned());
        }
        Ok((!moves).then_some(Receives))
    }

    fn redirect(&self, redirect: &ast::IoRedirect, program: Option<Receives>) -> Result<(), Astray> {
        use ast::IoFileRedirectTarget as Target;
        let (read, fd) = match redirect {
            ast::IoRedirect::File(_, _, Target::Fd(_)) => return Ok(()),
            ast::IoRedirect::File(_, _, Target::ProcessSubstitution(..)) => {
                return Err(Astray::Beside(word::SUBSTITUTION));
            }
            ast::IoRedirect::File(_, _, Target::Filename(word) | Target::Duplicate(word))
            | ast::IoRedirect::OutputAndError(word, _) => {
                return nothing_of(&[self.given.word(&word.value)?], "the name of a file");
            }
            ast::IoRedirect::HereDocument(_, doc) if !doc.requires_expansion => return Ok(()),
            ast::IoRedirect::HereDocument(fd, doc) => (self.given.body(&doc.doc.value)?, fd),
            ast::IoRedirect::HereString(fd, word) => (self.given.word(&word.value)?, fd),
        };
        match (program, fd) {
            (Some(Receives), None | Some(0)) => Ok(()),
            _ => nothing_of(&[read], "the input of something else than a program"),
        }
    }
}

/// A program takes what is given.
#[derive(Clone, Copy)]
struct Receives;

fn nothing_of(read: &[Reading<'_>], place: &'static str) -> Result<(), Astray> {
    match read.iter().flat_map(|reading| &reading.held).next() {
        Some(variable) => Err(Astray::Misplaced { variable: (*variable).to_owned(), place }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
