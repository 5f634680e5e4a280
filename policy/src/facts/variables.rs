//! Variables: which are set, which are filled from data, and which bash evaluates as arithmetic.
//!
//! Arithmetic is code: where `x` holds `a[$(id)]`, `$((x))` runs `id`. A variable counts as harmless there only while every
//! value it gets is a plain number.

use brush_parser::ast;

use super::Note;
use super::shell::Walker;
use super::words::{self, OPAQUE, Surroundings as _, Word};

/// Builtins whose operands are names, with the options that take a value.
const NAMING: &[(&str, &str)] = &[
    ("read", "adinNptu"),
    ("mapfile", "dnOsuCc"),
    ("readarray", "dnOsuCc"),
    ("getopts", ""),
    ("export", ""),
    ("declare", ""),
    ("typeset", ""),
    ("local", ""),
    ("readonly", ""),
    ("unset", ""),
    ("wait", "p"),
    ("printf", "v"),
    ("let", ""),
    ("test", ""),
    ("[", ""),
];

impl Walker<'_> {
    /// `export X=1`: the value lasts.
    pub(super) fn declared(&mut self, assignment: &ast::Assignment, opened: &[Word]) {
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
            self.assign(name, &Word::literal(value));
        }
    }

    pub(super) fn assignment(&mut self, assignment: &ast::Assignment, lasts: bool) {
        let (name, index) = match &assignment.name {
            ast::AssignmentName::VariableName(name) => (name, None),
            ast::AssignmentName::ArrayElementName(name, index) => (name, Some(index)),
        };
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
        // The value may name what the variable held before.
        self.facts.assigned.insert(name.clone());
    }

    /// Arithmetic and tests evaluate a text like `a[$(id)]` once more, wherever it was quoted before.
    pub(super) fn evaluated_later(&mut self, word: &Word) {
        if word.text.contains('[') && ["$(", "`", "[${"].iter().any(|code| word.text.contains(code)) {
            self.note(Note::DynamicCode);
        }
    }

    /// Notes a value that may name a program.
    pub(super) fn valued(&mut self, name: &str, value: &str) {
        // Or the server that a client of a database speaks to.
        if value.contains('/') || ["HOST", "ENDPOINT", "SERVER"].iter().any(|part| name.contains(part)) {
            self.facts.values.insert((name.to_owned(), value.to_owned()));
        }
    }

    pub(super) fn assign(&mut self, name: &str, value: &Word) {
        if let Some(text) = value.known() {
            self.values.insert(name.to_owned(), text.to_owned());
        }
    }

    /// Notes what the shell's own commands do to variables.
    pub(super) fn names(&mut self, program: &str, args: &[Word], more: bool) {
        let Some((_, values)) = NAMING.iter().find(|(name, _)| *name == program) else { return };
        match program {
            "let" => return args.iter().for_each(|arg| self.computes(&arg.text)),
            "test" | "[" => {
                for pair in args.windows(2).filter(|pair| matches!(pair[0].text.as_str(), "-v" | "-R")) {
                    self.index_of(&pair[1].text);
                }
                if args.first().is_some_and(Word::may_be_option) && args.len() <= 3 && args.len() > 1 {
                    // `test $x`, where `x` may be `-v a[…]`; a comparison has its operator in the middle.
                    let compares = args
                        .get(1)
                        .and_then(Word::known)
                        .is_some_and(|op| op.starts_with(['-', '=', '!', ']', '<', '>']));
                    if !compares {
                        self.note(Note::EvaluatesData);
                    }
                }
                return;
            }
            _ => {}
        }
        let (options, operands) = split(args, values);
        let has = |letter| options.iter().any(|(c, _)| *c == letter);
        if more {
            self.note(Note::DynamicVariable);
        }
        match program {
            "read" => {
                options.iter().filter(|(c, _)| *c == 'a').for_each(|(_, name)| self.fills(name));
                operands.iter().for_each(|word| self.fills(&word.text));
            }
            "mapfile" | "readarray" => operands.iter().for_each(|word| self.fills(&word.text)),
            "getopts" => operands.iter().skip(1).take(1).for_each(|word| self.fills(&word.text)),
            "printf" | "wait" => {
                options.iter().filter(|(c, _)| matches!(c, 'v' | 'p')).for_each(|(_, name)| self.fills(name));
            }
            "unset" => operands.iter().for_each(|word| self.index_of(&word.text)),
            _ if has('p') || has('f') || has('F') => {}
            _ => {
                if has('n') && program != "export" {
                    // A reference: whatever is put into it goes to a variable that cannot be told.
                    self.note(Note::DynamicVariable);
                }
                for word in operands {
                    let (name, value) = word.text.split_once('=').unwrap_or((&word.text, "0"));
                    let name = name.trim_end_matches('+');
                    if is_number(value) {
                        self.sets(name)
                    } else {
                        self.fills(name)
                    }
                    if has('i') {
                        self.computes(name);
                        self.computes(value);
                    }
                }
            }
        }
    }

    /// `name` or `name[index]` gets a value that nobody knows.
    pub(super) fn fills(&mut self, target: &str) {
        self.sets(target);
        self.filled.insert(base(target).to_owned());
    }

    /// `name` or `name[index]` gets a value.
    pub(super) fn sets(&mut self, target: &str) {
        if target.is_empty() {
            return;
        }
        let name = base(target);
        if is_name(name) {
            self.facts.assigned.insert(name.to_owned());
        } else {
            self.note(Note::DynamicVariable);
        }
        self.index_of(target);
    }

    /// The index of `name[index]` is arithmetic.
    fn index_of(&mut self, target: &str) {
        if base(target).contains(OPAQUE) {
            self.note(Note::EvaluatesData);
        } else if let Some((_, index)) = target.split_once('[') {
            self.computes(index);
        }
    }

    /// The word a variable is set to, as written and as opened.
    pub(super) fn given(&mut self, name: &str, raw: &str, value: &Word) {
        if !is_number(&value.text) && !words::is_arithmetic(raw) {
            self.filled.insert(name.to_owned());
        }
    }

    /// Collects what an arithmetic expression reads. What bash puts into it before it is evaluated is code as well.
    pub(super) fn computes(&mut self, expression: &str) {
        let before = self.substitutions;
        if expression.contains(['$', '`']) {
            // Quotes inside would hide expansions, so they go.
            let bare: String = expression.chars().filter(|c| !matches!(c, '"' | '\'')).collect();
            words::open_heredoc(&bare, self);
        }
        let positional = |rest: &str| {
            rest.trim_start_matches('{')
                .starts_with(|c: char| c.is_ascii_digit() && c != '0' || matches!(c, '@' | '*' | '!'))
        };
        if self.substitutions != before || expression.contains(OPAQUE) || expression.split('$').skip(1).any(positional)
        {
            self.note(Note::EvaluatesData);
        }
        let part = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
        self.computed.extend(expression.split(part).filter(|name| is_name(name)).map(str::to_owned));
    }

    /// Once everything is read: whether data reaches arithmetic.
    pub(super) fn settle(&mut self) {
        self.settle_aliases();
        let given = |name: &str| self.context.env.get(name).is_some_and(|value| !is_number(value));
        if self.computed.iter().any(|name| self.filled.contains(name) || given(name)) {
            self.note(Note::EvaluatesData);
        }
    }
}

/// How often `name` stands in `text` other than as `$name` or `${name}`, or as an option's letter.
pub(super) fn mentions(text: &str, name: &str) -> usize {
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

/// Short options with their values, and the operands.
fn split<'w>(args: &'w [Word], values: &str) -> (Vec<(char, &'w str)>, &'w [Word]) {
    let mut options = Vec::new();
    let mut at = 0;
    while let Some(word) = args.get(at) {
        let text = word.text.as_str();
        let Some(cluster) = text.strip_prefix(['-', '+']).filter(|c| !c.is_empty()) else { break };
        at += 1;
        if text == "--" {
            break;
        }
        for (i, c) in cluster.char_indices() {
            let rest = &cluster[i + c.len_utf8()..];
            if !values.contains(c) {
                options.push((c, ""));
            } else if rest.is_empty() {
                options.push((c, args.get(at).map_or("", |word| word.text.as_str())));
                at += 1;
                break;
            } else {
                options.push((c, rest));
                break;
            }
        }
    }
    (options, args.get(at..).unwrap_or_default())
}

fn base(target: &str) -> &str {
    target.split('[').next().unwrap_or_default()
}

pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_number(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | ' '))
}
