//! The second opinion: both parsers must see the same simple commands.
//!
//! Each tree is flattened to the raw words, assignments, redirections and here-documents of every simple command, in the
//! order of the text. A difference means that the text can be read in two ways, and what runs may be the other one.

use std::borrow::Cow;

use brush_parser::ast;
use rable::{Node, NodeKind};

/// A piece of a simple command as raw text: its words in their order, then its redirections, then its end.
enum Piece<'a> {
    Word(&'a str),
    Redirect(String),
    End,
}

/// Stands for a command that a word is.
const ANOTHER: &str = "(…)";

/// Room for what most texts become: hardly more than every sixth byte begins a word.
fn room(text: &str) -> usize {
    4 + text.len() / 6
}

/// Ends a command; what stands in it comes behind.
fn end<'a>(out: &mut Vec<Piece<'a>>, mut redirects: Vec<Piece<'a>>, mut inner: Vec<Piece<'a>>) {
    out.append(&mut redirects);
    out.push(Piece::End);
    out.append(&mut inner);
}

/// Whether the second parser reads `text` as the first did.
pub(super) fn agrees(text: &str, first: &ast::Program) -> bool {
    let Ok(nodes) = rable::parse(text, true) else { return false };
    let mut theirs = Vec::with_capacity(room(text));
    nodes.iter().for_each(|node| rable_node(node, &mut theirs));
    let mut ours = Vec::with_capacity(room(text));
    first.complete_commands.iter().for_each(|list| brush_list(list, &mut ours));
    ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|(ours, theirs)| ours.is(theirs))
}

impl Piece<'_> {
    fn is(&self, other: &Piece<'_>) -> bool {
        match (self, other) {
            (Self::Word(one), Piece::Word(other)) => one == other || clean(one) == clean(other),
            (Self::Redirect(one), Piece::Redirect(other)) => one == other,
            (Self::End, Piece::End) => true,
            _ => false,
        }
    }
}

/// Without continued lines; they are rare.
fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\n') { Cow::Owned(text.replace("\\\n", "")) } else { Cow::Borrowed(text) }
}

fn brush_list<'a>(list: &'a ast::CompoundList, out: &mut Vec<Piece<'a>>) {
    for item in &list.0 {
        for (_, pipeline) in &item.0 {
            pipeline.seq.iter().for_each(|command| brush_command(command, out));
        }
    }
}

fn brush_command<'a>(command: &'a ast::Command, out: &mut Vec<Piece<'a>>) {
    match command {
        ast::Command::Simple(simple) => brush_simple(simple, out),
        ast::Command::Compound(compound, redirects) => {
            brush_compound(compound, out);
            brush_redirects(redirects.as_ref(), out);
        }
        ast::Command::Function(function) => {
            brush_compound(&function.body.0, out);
            brush_redirects(function.body.1.as_ref(), out);
        }
        ast::Command::ExtendedTest(_, redirects) => brush_redirects(redirects.as_ref(), out),
    }
}

fn brush_compound<'a>(compound: &'a ast::CompoundCommand, out: &mut Vec<Piece<'a>>) {
    use ast::CompoundCommand as C;
    match compound {
        C::Arithmetic(_) => {}
        C::ArithmeticForClause(c) => brush_list(&c.body.list, out),
        C::BraceGroup(c) => brush_list(&c.list, out),
        C::Subshell(c) => brush_list(&c.list, out),
        C::ForClause(c) => brush_list(&c.body.list, out),
        C::CaseClause(c) => c.cases.iter().filter_map(|case| case.cmd.as_ref()).for_each(|list| brush_list(list, out)),
        C::IfClause(c) => {
            brush_list(&c.condition, out);
            brush_list(&c.then, out);
            for other in c.elses.iter().flatten() {
                other.condition.iter().for_each(|list| brush_list(list, out));
                brush_list(&other.body, out);
            }
        }
        C::WhileClause(c) | C::UntilClause(c) => {
            brush_list(&c.0, out);
            brush_list(&c.1.list, out);
        }
        C::Coprocess(c) => brush_command(&c.body, out),
    }
}

fn brush_simple<'a>(simple: &'a ast::SimpleCommand, out: &mut Vec<Piece<'a>>) {
    use ast::CommandPrefixOrSuffixItem as Item;
    let (mut redirects, mut inner) = (Vec::new(), Vec::new());
    let mut item = |item: &'a Item, out: &mut Vec<Piece<'a>>| match item {
        Item::Word(word) | Item::AssignmentWord(_, word) => out.push(Piece::Word(&word.value)),
        Item::IoRedirect(redirect) => brush_redirect(redirect, &mut redirects, &mut inner),
        Item::ProcessSubstitution(_, subshell) => {
            out.push(Piece::Word(ANOTHER));
            brush_list(&subshell.list, &mut inner);
        }
    };
    simple.prefix.iter().flat_map(|p| &p.0).for_each(|i| item(i, out));
    out.extend(simple.word_or_name.iter().map(|word| Piece::Word(&word.value)));
    simple.suffix.iter().flat_map(|s| &s.0).for_each(|i| item(i, out));
    end(out, redirects, inner);
}

fn brush_redirects<'a>(redirects: Option<&'a ast::RedirectList>, out: &mut Vec<Piece<'a>>) {
    let (mut own, mut inner) = (Vec::new(), Vec::new());
    redirects.iter().flat_map(|list| &list.0).for_each(|redirect| brush_redirect(redirect, &mut own, &mut inner));
    if !own.is_empty() {
        end(out, own, inner);
    }
}

fn brush_redirect<'a>(redirect: &'a ast::IoRedirect, out: &mut Vec<Piece<'a>>, inner: &mut Vec<Piece<'a>>) {
    use ast::IoFileRedirectTarget as Target;
    let fd = |fd: &Option<ast::IoFd>| fd.map_or_else(String::new, |fd| fd.to_string());
    out.push(Piece::Redirect(match redirect {
        ast::IoRedirect::File(n, kind, target) => {
            let target = match target {
                Target::Filename(word) | Target::Duplicate(word) => clean(&word.value).into_owned(),
                Target::Fd(fd) => fd.to_string(),
                Target::ProcessSubstitution(_, subshell) => {
                    brush_list(&subshell.list, inner);
                    ANOTHER.to_owned()
                }
            };
            format!("{}{kind}{target}", fd(n))
        }
        ast::IoRedirect::HereDocument(n, doc) => {
            format!("{}<<{}{}", fd(n), if doc.requires_expansion { "" } else { "'" }, doc.doc.value)
        }
        ast::IoRedirect::HereString(n, word) => format!("{}<<<{}", fd(n), clean(&word.value)),
        ast::IoRedirect::OutputAndError(word, append) => {
            format!("&>{}{}", if *append { ">" } else { "" }, clean(&word.value))
        }
    }));
}

fn rable_node<'a>(node: &'a Node, out: &mut Vec<Piece<'a>>) {
    use NodeKind as K;
    match &node.kind {
        K::Command { assignments, words, redirects } => {
            let (mut own, mut inner) = (Vec::new(), Vec::new());
            out.extend(assignments.iter().chain(words).map(|word| Piece::Word(rable_word(word, &mut inner))));
            redirects.iter().for_each(|redirect| rable_redirect(redirect, &mut own, &mut inner));
            end(out, own, inner);
        }
        K::Pipeline { commands, .. } => commands.iter().for_each(|command| rable_node(command, out)),
        K::List { items } => items.iter().for_each(|item| rable_node(&item.command, out)),
        K::If { condition, then_body, else_body, redirects } => {
            rable_node(condition, out);
            rable_node(then_body, out);
            else_body.iter().for_each(|body| rable_node(body, out));
            rable_redirects(redirects, out);
        }
        K::While { condition, body, redirects } | K::Until { condition, body, redirects } => {
            rable_node(condition, out);
            rable_node(body, out);
            rable_redirects(redirects, out);
        }
        K::For { body, redirects, .. }
        | K::ForArith { body, redirects, .. }
        | K::Select { body, redirects, .. }
        | K::Subshell { body, redirects }
        | K::BraceGroup { body, redirects } => {
            rable_node(body, out);
            rable_redirects(redirects, out);
        }
        K::Case { patterns, redirects, .. } => {
            patterns.iter().filter_map(|pattern| pattern.body.as_ref()).for_each(|body| rable_node(body, out));
            rable_redirects(redirects, out);
        }
        K::Function { body, .. } => rable_node(body, out),
        K::Coproc { command, .. } => rable_node(command, out),
        K::Negation { pipeline } | K::Time { pipeline, .. } => rable_node(pipeline, out),
        K::ArithmeticCommand { redirects, .. } | K::ConditionalExpr { redirects, .. } => {
            rable_redirects(redirects, out)
        }
        _ => {}
    }
}

fn rable_word<'a>(word: &'a Node, inner: &mut Vec<Piece<'a>>) -> &'a str {
    let NodeKind::Word { value, parts, .. } = &word.kind else { return "" };
    if let [part] = parts.as_slice()
        && let NodeKind::ProcessSubstitution { command, .. } = &part.kind
    {
        rable_node(command, inner);
        return ANOTHER;
    }
    value
}

fn rable_redirects<'a>(redirects: &'a [Node], out: &mut Vec<Piece<'a>>) {
    let (mut own, mut inner) = (Vec::new(), Vec::new());
    redirects.iter().for_each(|redirect| rable_redirect(redirect, &mut own, &mut inner));
    if !own.is_empty() {
        end(out, own, inner);
    }
}

fn rable_redirect<'a>(redirect: &'a Node, out: &mut Vec<Piece<'a>>, inner: &mut Vec<Piece<'a>>) {
    let number = |fd: i32| if fd < 0 { String::new() } else { fd.to_string() };
    match &redirect.kind {
        NodeKind::Redirect { op, target, fd, varfd } => {
            let variable = varfd.as_ref().map_or_else(String::new, |name| format!("{{{name}}}"));
            let target = clean(rable_word(target, inner));
            out.push(Piece::Redirect(format!("{variable}{}{op}{target}", number(*fd))));
        }
        NodeKind::HereDoc { content, quoted, fd, .. } => {
            let quote = if *quoted { "'" } else { "" };
            out.push(Piece::Redirect(format!("{}<<{quote}{content}", number(*fd))));
        }
        _ => {}
    }
}
