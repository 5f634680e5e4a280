//! The rules: typed matchers over facts, read from TOML or canonical JSON, with examples checked at load.
//!
//! A rule has one subject (a program, a path access, an environment variable, inline code, an HTTP request, a tool, a
//! message) and conditions on it, all of which must hold; it gives a class and a reason. Every rule that matches fires, and
//! the gravest counts; a program that no rule mentions is Yellow. [`Syntax`] says how a program reads its arguments,
//! [`PathList`] gives names to groups of paths.

mod above;
mod by_name;
mod check;
mod defaults;
mod globs;
mod index;
mod matching;
mod options;
mod order;
mod sieve;
#[cfg(test)]
mod tests;
mod texts;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use by_name::ByName;
pub use check::InvalidRules;
pub use defaults::default_rules;
use index::{ByKind, Paths};
pub(crate) use matching::{HttpCall, Subject};
use options::Options;
pub(crate) use options::{Described, unknown_option};
pub(crate) use order::unsure;
use sieve::{Shown, Sieve};
pub use texts::{Each, Lent, Texts};

use crate::class::Class;
use crate::facts::args::{Parsed, Reading};
use crate::facts::paths::Access;
use crate::facts::{Command, Starts};

/// A checked set of rules. Cheap to clone.
#[derive(Clone)]
pub struct RuleSet(Arc<Compiled>);

/// In [`Compiled::starts`].
const NOWHERE: usize = 0;
const ANYWHERE: usize = 1;

struct Compiled {
    document: Document,
    /// Every rule about a program that some rule calls by its exact name.
    by_program: ByName,
    /// Rules about programs whose name begins so.
    by_prefix: Vec<(String, usize)>,
    syntax: ByName,
    /// What is described at each place, its options in order.
    options: Box<[Options]>,
    /// Programs of which a sub-command reads its arguments in its own way.
    with_subs: BTreeSet<String>,
    /// Programs by whether their arguments name one that they start.
    starts: ByName,
    /// What each rule asks of a command.
    sieves: Box<[Sieve]>,
    /// Rules about anything else.
    others: ByKind,
    paths: Paths,
}

/// A command with its arguments taken apart, as rules look at it.
pub(crate) struct Given<'a> {
    command: &'a Command,
    parsed: &'a Parsed<'a>,
    shown: Shown,
}

impl<'a> Given<'a> {
    pub(crate) fn new(command: &'a Command, parsed: &'a Parsed<'a>) -> Self {
        Self { command, parsed, shown: Shown::of(command, parsed) }
    }
}

/// The rules as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Document {
    /// How programs read their arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub syntax: Vec<Syntax>,
    /// Named groups of paths.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<PathList>,
    /// The rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rule: Vec<Rule>,
}

/// How some programs read their arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Syntax {
    /// File names of the programs; with a blank and its first operand behind it, one sub-command of it.
    pub program: Texts,
    /// Options that take the next word.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub values: Texts,
    /// Options that take the next two words, of which the second may be a path: `--rawfile name path`.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub pairs: Texts,
    /// Options with which it reads all that lies beneath its operands, or beneath its folder where it has none: `-r`, `-d=recurse` with
    /// that value only, `*` if it always does.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub recursive: Texts,
    /// Options that take none and change nothing. A call with an option that is neither here nor among `values` is never Green.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub flags: Texts,
    /// Options whose value is a path that is written.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub writes: Texts,
    /// Options whose value is a path that is read.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub reads: Texts,
    /// Options that turn operands that are read into operands that are written.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub in_place: Texts,
    /// Whether its arguments name a program that it starts.
    #[serde(skip_serializing_if = "is_false")]
    pub starts: bool,
    /// Whether `-name` is one option.
    #[serde(skip_serializing_if = "is_false")]
    pub single_dash: bool,
    /// What the operands are.
    #[serde(skip_serializing_if = "Operands::is_text")]
    pub operands: Operands,
    /// With one of these options given no operand comes before those.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub no_skip: Texts,
    /// How many operands come before those (a pattern, a mode).
    #[serde(skip_serializing_if = "is_zero")]
    pub skip: usize,
}

/// What a program's operands are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operands {
    /// No paths.
    #[default]
    Text,
    /// Paths that are read.
    Read,
    /// Paths that are written.
    Write,
    /// The first is read, the others are written.
    Filter,
    /// The first is written, the others are no paths.
    First,
    /// Paths that are deleted.
    Delete,
    /// Paths that are read, the last one is written.
    Copy,
    /// Paths that are deleted here, the last one is written.
    Move,
    /// `key=path`: `if=` is read, `of=` is written.
    Keys,
}

impl Operands {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
    fn is_text(&self) -> bool {
        *self == Self::Text
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_zero(value: &usize) -> bool {
    *value == 0
}

/// A named group of paths; a path belongs to it when one of the lists fits. Compared without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PathList {
    /// What rules call it.
    pub name: String,
    /// The path itself or a folder above it: `/etc`, `~/.ssh`; with `*` at the end, all that begin so.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub under: Texts,
    /// A part between slashes, `*` at its start or end: `.env`, `*.pem`; or several in a row: `.git/hooks`.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub part: Texts,
    /// The last part only, `*` as above.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub last: Texts,
    /// Paths that do not belong to it after all, compared as `last` and whole.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub except: Texts,
}

/// One rule. Exactly one of `program`, `access`, `env`, `code`, `method`, `tool`, `message` says what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Unique; `group.what`.
    pub id: String,
    /// What it demands.
    pub class: Class,
    /// For people: completes "It …".
    pub reason: String,

    /// File names of programs, `*` at the end for all that begin so; one behind `!` does not count after all.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub program: Texts,
    /// The rule holds only where the others do not find the command Green: for what is harmless to a program that only reads.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unless_green: bool,
    /// The first operands must be one of these: `push`, `remote add`.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub sub: Texts,
    /// One of these options must be given, `*` at the end for all that begin so.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub option: Texts,
    /// None of these options may be given.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub without: Texts,
    /// One operand must look like one of these, `*` at either end.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub operand: Texts,
    /// No operand may look like one of these.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub without_operand: Texts,
    /// One argument (for code: the text; for HTTP: path and query; for a variable: its value) must contain one of these, without
    /// regard to case.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub contains: Texts,
    /// At least so many operands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_operands: Option<usize>,
    /// At most so many operands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_operands: Option<usize>,
    /// The rule holds for arguments that are only known at run time, too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub any_arguments: bool,

    /// What is done with a path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<Access>,
    /// With `access`: names of path lists, or `workspace`, `outside`, `unknown`, `folder`, `everything`.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub path: Texts,

    /// Names of variables that are set, `*` at either end; one behind `!` does not count after all.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub env: Texts,

    /// Languages of inline code.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub code: Texts,

    /// HTTP methods, `*` for any.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub method: Texts,
    /// With `method`: `own`, `known`, `unlisted`, `metadata`.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub host: Texts,

    /// With `method`: the server's name is one of these, `*` at either end.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub server: Texts,
    /// With `method`: the body must contain one of these, without regard to case.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub body: Texts,

    /// Words in the name of a tool that Wardkeep does not know, or in its argument `action`; `*` for any.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub tool: Texts,
    /// With `tool`: none of these words.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub without_tool: Texts,
    /// With `tool`: one of these arguments at any depth, `name` or `name=value` in lower case and snake case, `*` at either end of both.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub argument: Texts,

    /// The rule is about messages.
    #[serde(default, skip_serializing_if = "is_false")]
    pub message: bool,

    /// Calls on which it must fire; at least one.
    #[serde(rename = "match")]
    pub matches: Texts,
    /// Calls on which it must not fire.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub not_match: Texts,
}

impl RuleSet {
    /// Reads rules from TOML texts, which are taken together, and checks every example.
    ///
    /// # Errors
    /// [`InvalidRules`]: not TOML of this form, two rules of one id, a rule that cannot match, an example that fails.
    pub fn from_toml(texts: &[&str]) -> Result<Self, InvalidRules> {
        let set = Self::unchecked(parse_toml(texts.iter().copied())?)?;
        check::examples(&set)?;
        Ok(set)
    }

    /// Builds from a document and checks every example.
    ///
    /// # Errors
    /// [`InvalidRules`], as for [`RuleSet::from_toml`].
    pub fn from_document(document: Document) -> Result<Self, InvalidRules> {
        let set = Self::unchecked(document)?;
        check::examples(&set)?;
        Ok(set)
    }

    fn unchecked(mut document: Document) -> Result<Self, InvalidRules> {
        check::form(&document)?;
        document.keep();
        let (mut by_prefix, mut others) = (Vec::new(), ByKind::default());
        let mut named: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, rule) in document.rule.iter().enumerate() {
            if rule.program.is_empty() {
                others.add(at, rule);
            }
            for name in &rule.program {
                match name.strip_suffix('*') {
                    _ if name.starts_with('!') => {}
                    Some(prefix) => by_prefix.push((prefix.to_owned(), at)),
                    None => named.entry(name).or_default().push(at),
                }
            }
        }
        for (program, rules) in &mut named {
            rules.retain(|at| !excepts(&document.rule[*at], program));
            rules.extend(prefixed(&by_prefix, &document.rule, program));
        }
        let (mut syntax, mut starts) = (BTreeMap::new(), BTreeMap::new());
        for (at, read) in document.syntax.iter().enumerate() {
            for name in &read.program {
                if read.starts {
                    starts.insert(name, vec![ANYWHERE]);
                } else {
                    if !read.operands.is_text() {
                        starts.entry(name).or_insert_with(|| vec![NOWHERE]);
                    }
                    // The last one counts.
                    syntax.insert(name, vec![at]);
                }
            }
        }
        let described = |rule: &&Rule| rule.class == Class::Green && rule.sub.is_empty() && rule.option.is_empty();
        for name in document.rule.iter().filter(described).flat_map(|rule| &rule.program) {
            starts.entry(name).or_insert_with(|| vec![NOWHERE]);
        }
        let with_subs = syntax.keys().filter_map(|name| Some(name.split_once(' ')?.0.to_owned())).collect();
        let (by_program, syntax, starts) = (ByName::new(&named), ByName::new(&syntax), ByName::new(&starts));
        let (sieves, paths) = (document.rule.iter().map(Sieve::new).collect(), Paths::new(&document));
        let options = document.syntax.iter().map(Options::new).collect();
        let compiled =
            Compiled { document, by_program, by_prefix, syntax, options, with_subs, starts, sieves, others, paths };
        Ok(Self(Arc::new(compiled)))
    }

    /// The rules as they are written.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.0.document
    }

    /// The gravest class that rules about programs give a command whose arguments were taken apart; `None` if none speaks.
    ///
    /// A part of [`crate::classify()`], which also looks at paths, requests and what no rule can say.
    #[must_use]
    pub fn gravest(&self, command: &Command, parsed: &Parsed<'_>) -> Option<Class> {
        let given = Given::new(command, parsed);
        self.holding(&command.program, &given, |_| true).map(|rule| rule.class).max()
    }

    /// Those of the rules about a program that hold for a command, `asked` first.
    pub(crate) fn holding<'s>(
        &'s self,
        program: &'s str,
        given: &'s Given<'_>,
        asked: impl Fn(&Rule) -> bool + 's,
    ) -> impl Iterator<Item = &'s Rule> + 's {
        let Compiled { document, sieves, .. } = &*self.0;
        let Given { command, parsed, shown } = given;
        let rules = self.numbers(program).map(|at| (&document.rule[at], &sieves[at]));
        let holding = rules.filter(move |(rule, sieve)| {
            sieve.lets_pass(shown) && asked(rule) && rule.holds_for(command, parsed, sieve, shown)
        });
        holding.map(|(rule, _)| rule)
    }

    /// Whether any rule is about that program; rules about every program do not count.
    #[must_use]
    pub fn knows(&self, program: &str) -> bool {
        let begins = |prefix: &str| !prefix.is_empty() && program.starts_with(prefix);
        self.0.by_program.contains(program) || self.0.by_prefix.iter().any(|(prefix, _)| begins(prefix))
    }

    /// Whether a rule of the gravest class is about that program, by its whole name.
    pub(crate) fn is_grave(&self, program: &str) -> bool {
        let rules = self.0.by_program.get(program).into_iter().flatten().map(|at| &self.0.document.rule[at]);
        rules
            .filter(|rule| rule.class == Class::CriticalRed)
            .any(|rule| rule.program.iter().any(|name| name == program))
    }

    /// Where the arguments of that program name one that it starts. A program that a rule calls Green without asking for an order
    /// is described as a whole, and so is one whose operands are paths.
    #[must_use]
    pub fn starts(&self, program: &str) -> Starts {
        match self.0.starts.get(program).and_then(|mut found| found.next()) {
            Some(ANYWHERE) => Starts::Anywhere,
            Some(_) => Starts::Nowhere,
            None => Starts::Announced,
        }
    }

    /// How that program reads its arguments, if the rules say.
    #[must_use]
    pub fn syntax(&self, program: &str) -> Option<&Syntax> {
        self.0.syntax.get(program)?.map(|at| &self.0.document.syntax[at]).next()
    }

    /// As [`Self::syntax`], to ask for its options.
    pub(crate) fn described(&self, program: &str) -> Option<Described<'_>> {
        let at = self.0.syntax.get(program)?.next()?;
        Some(Described::new(&self.0.document.syntax[at], &self.0.options[at]))
    }

    /// How the sub-command that is the first operand reads them, where that differs.
    pub(crate) fn syntax_of_sub(&self, program: &str, parsed: &Parsed<'_>) -> Option<Described<'_>> {
        let sub = parsed.operands.first()?.known().filter(|_| self.0.with_subs.contains(program))?;
        self.described(&format!("{program} {sub}"))
    }

    pub(crate) fn about_program<'s>(&'s self, program: &'s str) -> impl Iterator<Item = &'s Rule> + 's {
        self.numbers(program).map(|at| &self.0.document.rule[at])
    }

    /// The rules about a program, by their places in the document.
    fn numbers<'s>(&'s self, program: &'s str) -> impl Iterator<Item = usize> + 's {
        let Compiled { by_program, by_prefix, document, .. } = &*self.0;
        let named = by_program.get(program);
        let others = named.is_none().then(|| prefixed(by_prefix, &document.rule, program));
        named.into_iter().flatten().chain(others.into_iter().flatten())
    }

    pub(crate) fn about<'s>(&'s self, subject: &Subject<'_>) -> impl Iterator<Item = &'s Rule> + use<'s> {
        self.0.others.about(subject).iter().map(|at| &self.0.document.rule[*at])
    }

    /// The names of every list that holds the normalised path.
    pub(crate) fn lists_of(&self, path: &str) -> BTreeSet<&str> {
        self.0.paths.of(path)
    }

    /// Whether beneath that folder secrets lie by the lists, or a home folder does.
    pub(crate) fn holds_secrets(&self, folder: &str) -> bool {
        self.0.paths.above.holds(folder)
    }

    /// Whether a pattern of the shell's may stand for a path that others start, or for one of the system's.
    pub(crate) fn may_be_started(&self, pattern: &str) -> bool {
        self.0.paths.started.may_be(pattern)
    }

    /// What lies beneath that folder that others start, where the folder is known for nothing else.
    pub(crate) fn started_beneath(&self, folder: &str) -> Option<String> {
        self.0.paths.started.beneath(folder)
    }

    /// Whether a pattern of the shell's may stand for the name of a secret.
    pub(crate) fn may_name_secret(&self, pattern: &str) -> bool {
        self.0.paths.secrets.has_fitting(pattern)
    }

    /// Whether a pattern of the shell's may stand for a path of the list `secret`.
    pub(crate) fn may_be_secret(&self, pattern: &str) -> bool {
        self.0.paths.secrets.may_be(pattern)
    }
}

impl Document {
    /// Gives back the room to grow of every list: the document is kept as long as the process.
    fn keep(&mut self) {
        self.syntax.shrink_to_fit();
        self.paths.shrink_to_fit();
        self.rule.shrink_to_fit();
        self.rule.iter_mut().for_each(|rule| rule.access.shrink_to_fit());
    }
}

impl Syntax {
    /// The part that taking arguments apart needs.
    #[must_use]
    pub fn reading(&self) -> Reading<'_> {
        Reading { values: self.values.lent(), pairs: self.pairs.lent(), single_dash: self.single_dash }
    }
}

/// The rules whose `*` stands for that program, but for those that except it.
fn prefixed<'s>(
    by_prefix: &'s [(String, usize)],
    rules: &'s [Rule],
    program: &'s str,
) -> impl Iterator<Item = usize> + use<'s> {
    let begun = by_prefix.iter().filter(|(prefix, _)| program.starts_with(prefix.as_str())).map(|(_, at)| *at);
    begun.filter(move |at| !excepts(&rules[*at], program))
}

fn excepts(rule: &Rule, program: &str) -> bool {
    rule.program.lent().may_hold('!') && rule.program.iter().any(|name| name.strip_prefix('!') == Some(program))
}

fn parse_toml(texts: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Document, InvalidRules> {
    let mut whole = Document::default();
    for text in texts {
        let one: Document = toml::from_str(text.as_ref()).map_err(|e| InvalidRules::Form(e.to_string()))?;
        whole.syntax.extend(one.syntax);
        whole.paths.extend(one.paths);
        whole.rule.extend(one.rule);
    }
    Ok(whole)
}

impl fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RuleSet({} rules)", self.0.document.rule.len())
    }
}

impl PartialEq for RuleSet {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.document == other.0.document
    }
}

impl Serialize for RuleSet {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.document.serialize(to)
    }
}

impl<'de> Deserialize<'de> for RuleSet {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let document = Document::deserialize(from)?;
        // The shipped rules were checked by this crate's tests; checking them again on each start would only cost time.
        let shipped = default_rules();
        if document == shipped.0.document {
            return Ok(shipped);
        }
        Self::from_document(document).map_err(serde::de::Error::custom)
    }
}
