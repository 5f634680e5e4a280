//! Walks the first parser's tree and collects what each simple command is.

use std::collections::{BTreeMap, BTreeSet};

use brush_parser::{Parser, ast};

use super::aliases::Alias;
use super::words::{self, Surroundings, Word};
use super::{Context, Facts, Note, Planted, caps, second, variables};

/// What stands in the place of a process whose output is read as a file.
const PROCESS: &str = "/dev/fd/63";

/// A text with one of these may come back to what stands before: loops, functions, what is kept for later.
const AGAIN: &[&str] = &["done", "(", "function", "trap", "alias"];

/// What would happen if a shell ran `text` in the folder `cwd` (empty: the workspace).
#[must_use]
pub fn from_shell(text: &str, cwd: &str, context: &Context<'_>) -> Facts {
    let mut walker = Walker::new(cwd, context);
    text.clone_into(&mut walker.outermost);
    walker.code(text);
    walker.reap();
    walker.settle();
    walker.facts
}

/// What would happen if `argv` were started in the folder `cwd` with that standard input.
#[must_use]
pub fn from_argv(argv: &[String], stdin: Option<&str>, cwd: &str, context: &Context<'_>) -> Facts {
    let mut walker = Walker::new(cwd, context);
    let stdin = stdin.map_or(Stdin::Nothing, |text| Stdin::Known(Word::literal(text)));
    walker.told = argv.join(" ");
    walker.run(argv.iter().map(Word::literal).collect(), &stdin, &Around::default());
    walker.reap();
    walker.settle();
    walker.facts
}

/// What a command reads when nothing else is said, and what a command prints for the next one.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stdin {
    /// Nothing of interest.
    Nothing,
    /// This text.
    Known(Word),
    /// What another command prints.
    Stream,
    /// A file of that name.
    File,
}

/// What stands around a command that a wrapper starts.
#[derive(Clone, Debug, Default)]
pub(super) struct Around {
    /// Wrappers, outermost first.
    pub(super) wrappers: Vec<String>,
    /// More arguments arrive at run time.
    pub(super) more: bool,
    /// A wrapper takes the variables away by which programs are found.
    pub(super) bare: bool,
}

impl Around {
    pub(super) fn within(&self, wrapper: &str) -> Self {
        let mut wrappers = self.wrappers.clone();
        wrappers.push(wrapper.to_owned());
        Self { wrappers, more: self.more, bare: self.bare }
    }
}

pub(super) struct Walker<'a> {
    pub(super) facts: Facts,
    pub(super) context: &'a Context<'a>,
    /// The whole text, in which the mentions of a variable are counted.
    outermost: String,
    /// The words of a call that no shell reads, beside the text.
    told: String,
    pub(super) values: BTreeMap<String, String>,
    /// Variables of loops over words that are written out.
    one_word: BTreeSet<String>,
    /// Variables that hold, or may hold, something other than a plain number.
    pub(super) filled: BTreeSet<String>,
    /// Variables that arithmetic reads.
    pub(super) computed: BTreeSet<String>,
    /// How many command substitutions were seen.
    pub(super) substitutions: usize,
    /// `None`: not known any more.
    pub(super) cwd: Option<String>,
    /// How many of the programs around run their command in another place.
    pub(super) away: usize,
    /// Names that stand for commands.
    pub(super) aliased: Vec<Alias>,
    stdin: Stdin,
    depth: usize,
}

impl Surroundings for Walker<'_> {
    fn value_of(&self, name: &str) -> Option<String> {
        // A second mention may be a second value: `read c`, `for c in …`, `c=…` in a loop.
        let value = self.values.get(name)?;
        (variables::mentions(&self.outermost, name) == 1 && !self.context.env.contains_key(name)).then(|| value.clone())
    }

    fn is_one_word(&self, name: &str) -> bool {
        self.one_word.contains(name)
            && variables::mentions(&self.outermost, name) == 1
            && !self.context.env.contains_key(name)
    }

    fn is_set(&self, name: &str) -> bool {
        let later = |text: &String| AGAIN.iter().any(|word| text.contains(word)) && variables::mentions(text, name) > 0;
        self.context.env.contains_key(name)
            || self.facts.assigned.contains(name)
            || [&self.outermost, &self.told].into_iter().any(later)
    }

    fn evaluates(&mut self, expression: &str) {
        self.computes(expression);
    }

    fn assigns(&mut self, name: &str) {
        self.fills(name);
    }

    fn substitution(&mut self, code: &str) {
        self.substitutions += 1;
        self.subshell(|walker| {
            walker.code(code);
        });
    }

    fn note(&mut self, note: Note) {
        self.facts.notes.insert(note);
    }
}

impl<'a> Walker<'a> {
    fn new(cwd: &str, context: &'a Context<'a>) -> Self {
        Self {
            facts: Facts::default(),
            context,
            outermost: String::new(),
            told: String::new(),
            values: BTreeMap::new(),
            one_word: BTreeSet::new(),
            filled: BTreeSet::new(),
            computed: BTreeSet::new(),
            substitutions: 0,
            cwd: Some(cwd.to_owned()),
            away: 0,
            aliased: Vec::new(),
            stdin: Stdin::Nothing,
            depth: 0,
        }
    }

    /// Reads `text` as shell text, at the present place.
    pub(super) fn code(&mut self, text: &str) -> Stdin {
        if self.depth >= caps::MAX_DEPTH || !caps::within(text) {
            self.note(Note::OverCap);
            return Stdin::Stream;
        }
        let Ok(program) = Parser::new(text.as_bytes(), &words::options()).parse_program() else {
            self.note(Note::Unparsable);
            return Stdin::Stream;
        };
        // A carriage return within a line is part of a word to a shell and a blank to other readers.
        let in_a_line =
            text.match_indices('\r').any(|(at, _)| text.as_bytes().get(at + 1).is_some_and(|next| *next != b'\n'));
        if in_a_line || !second::agrees(text, &program) {
            self.note(Note::ParsersDisagree);
        }
        self.depth += 1;
        let mut printed = Printed::default();
        program.complete_commands.iter().for_each(|list| printed.then(self.list(list)));
        self.depth -= 1;
        printed.all()
    }

    /// Runs `inner` so that its change of folder ends with it.
    fn subshell<T>(&mut self, inner: impl FnOnce(&mut Self) -> T) -> T {
        let cwd = self.cwd.clone();
        let out = inner(self);
        self.cwd = cwd;
        out
    }

    fn with_stdin<T>(&mut self, stdin: Stdin, inner: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.stdin, stdin);
        let out = inner(self);
        self.stdin = before;
        out
    }

    fn list(&mut self, list: &ast::CompoundList) -> Stdin {
        let mut printed = Printed::default();
        for item in &list.0 {
            for (_, pipeline) in &item.0 {
                printed.then(self.pipeline(pipeline));
            }
        }
        printed.all()
    }

    fn pipeline(&mut self, pipeline: &ast::Pipeline) -> Stdin {
        if let [only] = pipeline.seq.as_slice() {
            return self.command(only);
        }
        let mut flow = self.stdin.clone();
        for command in &pipeline.seq {
            flow = self.subshell(|walker| walker.with_stdin(flow, |walker| walker.command(command)));
        }
        flow
    }

    fn command(&mut self, command: &ast::Command) -> Stdin {
        match command {
            ast::Command::Simple(simple) => self.simple(simple),
            ast::Command::Compound(compound, redirects) => {
                let before = self.facts.redirects.len();
                let stdin = self.redirects(redirects.iter().flat_map(|list| &list.0));
                let after = self.facts.redirects.len();
                let stdin = stdin.unwrap_or_else(|| self.stdin.clone());
                let printed = self.with_stdin(stdin, |walker| walker.compound(compound));
                if after > before {
                    self.plants(before, &printed);
                }
                printed
            }
            ast::Command::Function(function) => {
                self.facts.functions.insert(function.fname.value.clone());
                let stdin = self.redirects(function.body.1.iter().flat_map(|list| &list.0));
                // Who calls it decides what it reads and where it works.
                let before = self.facts.commands.len();
                let printed =
                    self.with_stdin(stdin.unwrap_or(Stdin::Stream), |walker| walker.compound(&function.body.0));
                if self.facts.commands[before..].iter().any(|command| command.program == function.fname.value) {
                    self.note(Note::CallsItself);
                }
                printed
            }
            ast::Command::ExtendedTest(test, redirects) => {
                self.redirects(redirects.iter().flat_map(|list| &list.0));
                self.test(&test.expr);
                Stdin::Nothing
            }
        }
    }

    fn compound(&mut self, compound: &ast::CompoundCommand) -> Stdin {
        use ast::CompoundCommand as C;
        match compound {
            C::Arithmetic(c) => {
                self.computes(&c.expr.value);
                Stdin::Nothing
            }
            C::ArithmeticForClause(c) => {
                for expression in [&c.initializer, &c.condition, &c.updater].into_iter().flatten() {
                    self.computes(&expression.value);
                }
                self.list(&c.body.list)
            }
            C::BraceGroup(c) => self.list(&c.list),
            C::Subshell(c) => self.subshell(|walker| walker.list(&c.list)),
            C::ForClause(c) => {
                let values: Vec<Word> =
                    c.values.iter().flatten().flat_map(|word| words::open(&word.value, self)).collect();
                self.sets(&c.variable_name);
                if c.values.is_none() {
                    self.fills(&c.variable_name);
                }
                values.iter().for_each(|value| self.given(&c.variable_name, "", value));
                if let [only] = values.as_slice() {
                    self.assign(&c.variable_name, only);
                }
                let whole = |value: &Word| {
                    value
                        .known()
                        .is_some_and(|text| !text.is_empty() && !text.contains([' ', '\t', '\n', '*', '?', '[']))
                };
                if c.values.is_some() && values.iter().all(whole) {
                    self.one_word.insert(c.variable_name.clone());
                }
                let unbounded = c.values.is_none() || values.iter().any(|value| value.known().is_none());
                let from = self.facts.commands.len();
                self.list(&c.body.list);
                self.each(if unbounded { from } else { usize::MAX });
                Stdin::Stream
            }
            C::CaseClause(c) => {
                words::open_whole(&c.value.value, self);
                for case in &c.cases {
                    case.patterns.iter().for_each(|pattern| {
                        words::open_whole(&pattern.value, self);
                    });
                    case.cmd.iter().for_each(|list| {
                        self.list(list);
                    });
                }
                Stdin::Stream
            }
            C::IfClause(c) => {
                self.list(&c.condition);
                self.list(&c.then);
                for other in c.elses.iter().flatten() {
                    other.condition.iter().for_each(|list| {
                        self.list(list);
                    });
                    self.list(&other.body);
                }
                Stdin::Stream
            }
            C::WhileClause(c) | C::UntilClause(c) => {
                let from = self.facts.commands.len();
                self.list(&c.0);
                // `while read name`: the body runs for each line.
                let reads = self.facts.commands.iter().skip(from).any(|command| command.program == "read");
                let from = if reads { self.facts.commands.len() } else { usize::MAX };
                self.list(&c.1.list);
                self.each(from);
                Stdin::Stream
            }
            C::Coprocess(c) => {
                c.name.iter().for_each(|name| self.fills(&name.value));
                self.with_stdin(Stdin::Stream, |walker| walker.command(&c.body))
            }
        }
    }

    /// The commands from that one on run for each name of a list that nobody has seen.
    fn each(&mut self, from: usize) {
        self.facts.commands.iter_mut().skip(from).for_each(|command| command.script.push(super::EACH));
    }

    fn test(&mut self, test: &ast::ExtendedTestExpr) {
        use ast::ExtendedTestExpr as T;
        match test {
            T::And(a, b) | T::Or(a, b) => {
                self.test(a);
                self.test(b);
            }
            T::Not(inner) | T::Parenthesized(inner) => self.test(inner),
            T::UnaryTest(predicate, word) => {
                use ast::UnaryPredicate as P;
                let named = matches!(predicate, P::ShellVariableIsSetAndAssigned | P::ShellVariableIsSetAndNameRef);
                self.operand_of_test(word, named);
            }
            T::BinaryTest(predicate, a, b) => {
                use ast::BinaryPredicate as P;
                let computes = matches!(
                    predicate,
                    P::ArithmeticEqualTo
                        | P::ArithmeticNotEqualTo
                        | P::ArithmeticLessThan
                        | P::ArithmeticLessThanOrEqualTo
                        | P::ArithmeticGreaterThan
                        | P::ArithmeticGreaterThanOrEqualTo
                );
                self.operand_of_test(a, computes);
                self.operand_of_test(b, computes);
            }
        }
    }

    fn operand_of_test(&mut self, word: &ast::Word, computes: bool) {
        if computes {
            self.computes(&word.value);
        }
        let word = words::open_whole(&word.value, self);
        self.evaluated_later(&word);
    }

    fn simple(&mut self, simple: &ast::SimpleCommand) -> Stdin {
        use ast::CommandPrefixOrSuffixItem as Item;
        let suffix = simple.suffix.as_ref().map_or(&[][..], |suffix| &suffix.0);
        let mut args = Vec::with_capacity(1 + suffix.len());
        let mut redirects = Vec::new();
        let mut assignments = Vec::new();
        let prefix = simple.prefix.iter().flat_map(|p| &p.0);
        for item in prefix {
            match item {
                Item::AssignmentWord(assignment, _) => assignments.push(assignment),
                Item::IoRedirect(redirect) => redirects.push(redirect),
                Item::Word(word) => words::open_onto(&mut args, &word.value, self),
                Item::ProcessSubstitution(kind, inner) => args.push(self.process(kind, inner)),
            }
        }
        if let Some(word) = &simple.word_or_name {
            let before = args.len();
            words::open_onto(&mut args, &word.value, self);
            if word.value.contains('$') && args.get(before).is_some_and(|word| !word.has_opaque()) {
                self.note(Note::IndirectProgram);
            }
        }
        for item in suffix {
            match item {
                Item::Word(word) => words::open_onto(&mut args, &word.value, self),
                Item::AssignmentWord(assignment, word) => {
                    let opened = words::open(&word.value, self);
                    self.declared(assignment, &opened);
                    args.extend(opened);
                }
                Item::IoRedirect(redirect) => redirects.push(redirect),
                Item::ProcessSubstitution(kind, inner) => args.push(self.process(kind, inner)),
            }
        }
        for assignment in assignments {
            let known = self.facts.assigned.contains("IFS");
            self.assignment(assignment, args.is_empty());
            let reads = args.first().is_some_and(|word| matches!(word.text.as_str(), "read" | "mapfile" | "readarray"));
            if reads && !known && self.facts.assigned.remove("IFS") {
                // Only that one builtin splits by it.
                self.facts.assigned.insert("IFS for read".to_owned());
            }
        }
        let before = self.facts.redirects.len();
        let stdin = self.redirects(redirects.into_iter()).unwrap_or_else(|| self.stdin.clone());
        let opened = self.facts.redirects.len() > before;
        let printed = self.run(args, &stdin, &Around::default());
        if opened {
            self.plants(before, &printed);
        }
        printed
    }

    pub(super) fn process(&mut self, kind: &ast::ProcessSubstitutionKind, inner: &ast::SubshellCommand) -> Word {
        let stdin = match kind {
            ast::ProcessSubstitutionKind::Read => self.stdin.clone(),
            ast::ProcessSubstitutionKind::Write => Stdin::Stream,
        };
        let printed = self.subshell(|walker| walker.with_stdin(stdin, |walker| walker.list(&inner.list)));
        if let (ast::ProcessSubstitutionKind::Read, Stdin::Known(text)) = (kind, printed) {
            // As if it had been written to a file: whoever reads it reads this.
            self.facts.planted.push(Planted { path: PROCESS.to_owned(), content: Some(text.text) });
        }
        Word::literal(PROCESS)
    }
}

/// What several commands print one after the other: known while only one prints.
#[derive(Default)]
struct Printed(Option<Stdin>);

impl Printed {
    fn then(&mut self, next: Stdin) {
        self.0 = Some(match self.0.take() {
            None | Some(Stdin::Nothing) => next,
            Some(_) => Stdin::Stream,
        });
    }

    fn all(self) -> Stdin {
        self.0.unwrap_or(Stdin::Nothing)
    }
}
