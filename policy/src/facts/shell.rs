//! Walks the first parser's tree and collects what each simple command is.

use std::collections::{BTreeMap, BTreeSet};

use brush_parser::{Parser, ast};

use super::paths::{Access, PathUse};
use super::words::{self, Surroundings, Word};
use super::{Context, Facts, Note, caps, second};

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
}

impl Around {
    pub(super) fn within(&self, wrapper: &str) -> Self {
        let mut wrappers = self.wrappers.clone();
        wrappers.push(wrapper.to_owned());
        Self { wrappers, more: self.more }
    }
}

pub(super) struct Walker<'a> {
    pub(super) facts: Facts,
    pub(super) context: &'a Context<'a>,
    /// The whole text, in which the mentions of a variable are counted.
    outermost: String,
    values: BTreeMap<String, String>,
    /// Variables that hold, or may hold, something other than a plain number.
    pub(super) filled: BTreeSet<String>,
    /// Variables that arithmetic reads.
    pub(super) computed: BTreeSet<String>,
    /// How many command substitutions were seen.
    pub(super) substitutions: usize,
    /// `None`: not known any more.
    pub(super) cwd: Option<String>,
    stdin: Stdin,
    depth: usize,
}

impl Surroundings for Walker<'_> {
    fn value_of(&self, name: &str) -> Option<String> {
        // A second mention may be a second value: `read c`, `for c in …`, `c=…` in a loop.
        let value = self.values.get(name)?;
        (mentions(&self.outermost, name) == 1 && !self.context.env.contains_key(name)).then(|| value.clone())
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

/// How often `name` stands in `text` other than as `$name` or `${name}`, or as an option's letter.
fn mentions(text: &str, name: &str) -> usize {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    // `read -af`, `printf -vf` name a variable inside a cluster of options.
    let clusters_assign = ["read", "printf", "mapfile", "getopts"].iter().any(|builtin| text.contains(builtin));
    text.match_indices(name)
        .filter(|(at, _)| {
            let (before, after) = (&text[..*at], &text[at + name.len()..]);
            let token = before.rsplit(char::is_whitespace).next().unwrap_or_default();
            if token.starts_with('-') && !token.starts_with("--") {
                return clusters_assign && !after.starts_with(part);
            }
            let whole = !before.ends_with(part) && !after.starts_with(part);
            let used = before.ends_with('$') || (before.ends_with("${") && after.starts_with('}'));
            whole && !used
        })
        .count()
}

impl<'a> Walker<'a> {
    fn new(cwd: &str, context: &'a Context<'a>) -> Self {
        Self {
            facts: Facts::default(),
            context,
            outermost: String::new(),
            values: BTreeMap::new(),
            filled: BTreeSet::new(),
            computed: BTreeSet::new(),
            substitutions: 0,
            cwd: Some(cwd.to_owned()),
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
        if !second::agrees(text, &program) {
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
                self.list(&c.body.list);
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
                self.list(&c.0);
                self.list(&c.1.list);
                Stdin::Stream
            }
            C::Coprocess(c) => {
                c.name.iter().for_each(|name| self.fills(&name.value));
                self.with_stdin(Stdin::Stream, |walker| walker.command(&c.body))
            }
        }
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
        let mut args = Vec::new();
        let mut redirects = Vec::new();
        let mut assignments = Vec::new();
        let prefix = simple.prefix.iter().flat_map(|p| &p.0);
        for item in prefix {
            match item {
                Item::AssignmentWord(assignment, _) => assignments.push(assignment),
                Item::IoRedirect(redirect) => redirects.push(redirect),
                Item::Word(word) => args.extend(words::open(&word.value, self)),
                Item::ProcessSubstitution(kind, inner) => args.push(self.process(kind, inner)),
            }
        }
        args.extend(simple.word_or_name.iter().flat_map(|word| {
            let opened = words::open(&word.value, self);
            if word.value.contains('$') && opened.first().is_some_and(|word| !word.has_opaque()) {
                self.note(Note::IndirectProgram);
            }
            opened
        }));
        for item in simple.suffix.iter().flat_map(|s| &s.0) {
            match item {
                Item::Word(word) => args.extend(words::open(&word.value, self)),
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

    /// `export X=1`: the value lasts.
    fn declared(&mut self, assignment: &ast::Assignment, opened: &[Word]) {
        let ast::AssignmentName::VariableName(name) = &assignment.name else { return };
        match &assignment.value {
            ast::AssignmentValue::Scalar(raw) => {
                let value = words::open_whole(&raw.value, self);
                self.given(name, &raw.value, &value);
                self.valued(name, &value.text);
            }
            ast::AssignmentValue::Array(_) => self.fills(name),
        }
        self.facts.assigned.insert(name.clone());
        if let [only] = opened
            && let Some((_, value)) = only.text.split_once('=')
        {
            self.assign(name, &Word { text: value.to_owned(), glob: false });
        }
    }

    fn assignment(&mut self, assignment: &ast::Assignment, lasts: bool) {
        let (name, index) = match &assignment.name {
            ast::AssignmentName::VariableName(name) => (name, None),
            ast::AssignmentName::ArrayElementName(name, index) => (name, Some(index)),
        };
        self.facts.assigned.insert(name.clone());
        if let Some(index) = index {
            self.computes(index);
        }
        match &assignment.value {
            ast::AssignmentValue::Scalar(word) => {
                let value = words::open_whole(&word.value, self);
                self.evaluated_later(&value);
                self.given(name, &word.value, &value);
                self.valued(name, &value.text);
                if lasts && index.is_none() && !assignment.append {
                    self.assign(name, &Word { glob: false, ..value });
                }
            }
            ast::AssignmentValue::Array(items) => {
                self.fills(name);
                for (key, value) in items {
                    key.iter().for_each(|key| {
                        words::open_heredoc(&key.value, self);
                    });
                    words::open(&value.value, self);
                }
            }
        }
    }

    /// Arithmetic and tests evaluate a text like `a[$(id)]` once more, wherever it was quoted before.
    fn evaluated_later(&mut self, word: &Word) {
        if word.text.contains('[') && ["$(", "`", "[${"].iter().any(|code| word.text.contains(code)) {
            self.note(Note::DynamicCode);
        }
    }

    /// Notes a value that may name a program.
    pub(super) fn valued(&mut self, name: &str, value: &str) {
        if value.contains('/') {
            self.facts.values.insert((name.to_owned(), value.to_owned()));
        }
    }

    fn assign(&mut self, name: &str, value: &Word) {
        if let Some(text) = value.known() {
            self.values.insert(name.to_owned(), text.to_owned());
        }
    }

    fn process(&mut self, kind: &ast::ProcessSubstitutionKind, inner: &ast::SubshellCommand) -> Word {
        let stdin = match kind {
            ast::ProcessSubstitutionKind::Read => self.stdin.clone(),
            ast::ProcessSubstitutionKind::Write => Stdin::Stream,
        };
        self.subshell(|walker| walker.with_stdin(stdin, |walker| walker.list(&inner.list)));
        Word::literal("/dev/fd/63")
    }

    /// Notes the files that are opened; the new standard input, if one is given.
    fn redirects<'r>(&mut self, redirects: impl Iterator<Item = &'r ast::IoRedirect>) -> Option<Stdin> {
        let mut stdin = None;
        for redirect in redirects {
            if let Some((fd, new)) = self.redirect(redirect)
                && fd.is_none_or(|fd| fd == 0)
            {
                stdin = Some(new);
            }
        }
        stdin
    }

    fn redirect(&mut self, redirect: &ast::IoRedirect) -> Option<(Option<ast::IoFd>, Stdin)> {
        use ast::IoFileRedirectKind as Kind;
        use ast::IoFileRedirectTarget as Target;
        match redirect {
            ast::IoRedirect::File(fd, kind, Target::Filename(word)) => {
                let word = words::open_whole(&word.value, self);
                let access = if matches!(kind, Kind::Read) { Access::Read } else { Access::Write };
                let terminal = word.text.starts_with("/dev/tty") || word.text.starts_with("/dev/pts");
                self.opens(word, access);
                let stdin = if terminal { Stdin::Nothing } else { Stdin::File };
                matches!(kind, Kind::Read | Kind::ReadAndWrite).then_some((*fd, stdin))
            }
            ast::IoRedirect::File(fd, kind, Target::Duplicate(word)) => {
                let word = words::open_whole(&word.value, self);
                let closes = word.text.trim_end_matches('-');
                if !closes.bytes().all(|b| b.is_ascii_digit()) {
                    self.opens(word, Access::Write);
                }
                matches!(kind, Kind::DuplicateInput).then_some((*fd, Stdin::Stream))
            }
            ast::IoRedirect::File(_, _, Target::Fd(_)) => None,
            ast::IoRedirect::File(fd, kind, Target::ProcessSubstitution(way, inner)) => {
                self.process(way, inner);
                matches!(kind, Kind::Read).then_some((*fd, Stdin::Stream))
            }
            ast::IoRedirect::HereDocument(fd, doc) => {
                let word = if doc.requires_expansion {
                    words::open_heredoc(&doc.doc.value, self)
                } else {
                    Word::literal(doc.doc.value.clone())
                };
                Some((*fd, Stdin::Known(word)))
            }
            ast::IoRedirect::HereString(fd, word) => Some((*fd, Stdin::Known(words::open_whole(&word.value, self)))),
            ast::IoRedirect::OutputAndError(word, _) => {
                let word = words::open_whole(&word.value, self);
                self.opens(word, Access::Write);
                None
            }
        }
    }

    fn opens(&mut self, path: Word, access: Access) {
        if path.text.starts_with("/dev/tcp/") || path.text.starts_with("/dev/udp/") {
            self.note(Note::ShellSocket);
        }
        self.facts.redirects.push(PathUse { access, path, cwd: self.cwd.clone() });
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
