//! Inline code of other languages: harmless where every name in it is listed, else Red.
//!
//! A list of what starts programs or deletes files is never whole: names are put together at run time, reached through others, and each
//! library brings more. What a small calculation or a look into data needs is listed (`names.rs`); any other module, function or method
//! counts as one that acts. The code is read as tokens only, so what cannot be told apart counts as the worse of both.

mod commands;
mod names;
mod tokens;

use std::borrow::Cow;
use std::cell::RefCell;

use names::Language;
use tokens::{Kind, Token};

use crate::facts::OPAQUE;

/// What code does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It computes, reads and prints, and writes these files.
    Known(Vec<String>),
    /// It is not known to be harmless.
    Unclear,
}

/// What `text` does; `None` for a language that is not known here.
pub(super) fn effect(language: &str, text: &str) -> Option<Effect> {
    let writes = RefCell::new(Vec::new());
    let harmless = look(language, text, &writes)?;
    Some(if harmless { Effect::Known(writes.into_inner()) } else { Effect::Unclear })
}

/// Whether `text` is harmless but for the files that it writes, which are told.
fn look(language: &str, text: &str, writes: &RefCell<Vec<String>>) -> Option<bool> {
    let text = &*match language {
        "tcl" => return Some(commands::is_harmless(text)),
        // Comments and long texts are spelt as in no other language.
        "lua" if ["--", "[[", "[=", "`"].iter().any(|sign| text.contains(sign)) => return Some(false),
        "r" if ["r\"", "r'", "R\"", "R'", "`"].iter().any(|sign| text.contains(sign)) => return Some(false),
        // Between two names it may be a comparison and then binds one more name, which does no harm.
        "r" => Cow::Owned(text.replace("<-", "=")),
        _ => Cow::Borrowed(text),
    };
    let language = names::of(language)?;
    let plain = text.is_ascii() || !text.contains(OPAQUE) && language.name != "python";
    let Some(tokens) = tokens::read(text, language).filter(|_| plain) else { return Some(false) };
    Some(Reader { tokens: &tokens, language, writes }.is_harmless())
}

struct Reader<'t> {
    tokens: &'t [Token<'t>],
    language: &'static Language,
    writes: &'t RefCell<Vec<String>>,
}

impl Reader<'_> {
    fn is_harmless(&self) -> bool {
        let has = |name: &str| self.tokens.iter().any(|token| token.text == name);
        let meets =
            |pair: &(&str, &str)| has(pair.0) && has(pair.1) && !(*pair == ("os", "write") && self.writes_by_files());
        !self.language.pairs.iter().any(meets)
            && (0..self.tokens.len()).all(|at| match self.tokens[at].kind {
                Kind::Name => self.name(at),
                Kind::Sign => self.sign(at),
                Kind::Variable => !self.language.never.contains(&&self.tokens[at].text[1..]),
                Kind::Text | Kind::Number => true,
            })
    }

    /// Whether `os` stands nowhere but before a member of its own or in a plain import, and `write` is a member of something else.
    fn writes_by_files(&self) -> bool {
        (0..self.tokens.len()).all(|at| {
            let before = |by: usize| at.checked_sub(by).map_or("", |before| self.text(before));
            match self.text(at) {
                "os" => {
                    // Behind a backslash `as` may follow in the next line.
                    let ends = matches!(self.text(at + 1), "" | "\n" | ";" | ",");
                    before(1) != "from" && (before(1) == "import" && ends || self.text(at + 1) == ".")
                }
                "write" => before(1) == "." && before(2) != "os",
                _ => true,
            }
        })
    }

    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text)
    }

    fn is_member(&self, at: usize) -> bool {
        at > 0 && self.tokens[at - 1].kind == Kind::Sign && matches!(self.text(at - 1), "." | "->" | "::" | "?." | "&.")
    }

    fn name(&self, at: usize) -> bool {
        let (name, language) = (self.tokens[at].text, self.language);
        let called = self.text(at + 1) == "(";
        if self.is_member(at) {
            return names::listed(language.members, name);
        }
        if language.imports.contains(&name) {
            return self.import(at);
        }
        if name == "open" && language.name == "python" {
            return called && self.opens(at + 1);
        }
        if language.holders.contains(&name) && self.text(at + 1) != "." {
            return false;
        }
        if names::listed(language.keywords, name) || names::listed(language.functions, name) {
            return true;
        }
        // Before `=` it is the code's own name.
        if names::listed(language.modules, name) && self.text(at + 1) != "=" && language.name != "javascript" {
            return !called;
        }
        if called || language.bare_calls {
            return self.is_bound(name, called) || language.name == "python" && self.is_imported(name);
        }
        !language.never.contains(&name) && !name.starts_with("__")
    }

    /// Whether a name in an import is one within another: `os.path`.
    fn is_within(&self, token: &Token<'_>) -> bool {
        self.tokens.windows(2).any(|pair| pair[0].text == "." && std::ptr::eq(&pair[1], token))
    }

    /// Whether a line takes that name, which is a harmless member of each module, from a module: `from os import getcwd`.
    fn is_imported(&self, name: &str) -> bool {
        let lines = self.tokens.split(|token| matches!(token.text, "\n" | ";"));
        let mut imports = lines.filter(|line| line.first().is_some_and(|first| first.text == "from"));
        // Behind `as` it is another's name.
        names::listed(self.language.members, name)
            && imports.any(|line| line.windows(2).any(|pair| pair[0].text != "as" && pair[1].text == name))
    }

    /// Whether the code itself says what that name stands for: a function if it is called, else a value.
    fn is_bound(&self, name: &str, called: bool) -> bool {
        (1..self.tokens.len()).any(|at| {
            if self.tokens[at].text != name || self.tokens[at].kind != Kind::Name {
                return false;
            }
            match (self.text(at - 1), self.text(at + 1)) {
                ("def" | "function" | "sub", _) => true,
                (before, after) if !called => matches!(before, "|" | ",") && matches!(after, "|" | ",") || after == "=",
                _ => false,
            }
        }) || !called && self.text(1) == "=" && self.text(0) == name
    }

    /// `import a, b as c`, `from a import b`, `require "a"`, `use A`: every module must be listed.
    fn import(&self, at: usize) -> bool {
        let language = self.language;
        match (language.name, self.tokens[at].text) {
            ("python", "from") => names::listed(language.modules, self.text(at + 1)),
            ("python", _) => {
                let named = self.tokens[at + 1..].iter().take_while(|token| !matches!(token.text, "\n" | ";"));
                let from = at > 0
                    && self.tokens[..at]
                        .iter()
                        .rev()
                        .take_while(|t| !matches!(t.text, "\n" | ";"))
                        .any(|t| t.text == "from");
                let mut alias = false;
                named.filter(|token| token.kind == Kind::Name || token.text == "*").all(|token| {
                    if std::mem::take(&mut alias) {
                        return true;
                    }
                    alias = token.text == "as";
                    let inner = token.text == "path" && self.is_within(token);
                    let known = names::listed(language.modules, token.text)
                        || inner
                        || from
                            && (names::listed(language.members, token.text)
                                || names::listed(language.functions, token.text));
                    alias || known
                })
            }
            ("perl", _) => names::listed(language.modules, self.text(at + 1)) && !matches!(self.text(at + 2), "::"),
            // `require("a")`, `require 'a'`: one literal.
            _ => {
                let open = usize::from(self.text(at + 1) == "(");
                let module = self.tokens.get(at + 1 + open);
                if language.name == "javascript" && module.is_some_and(is_data) && self.text(at + 3) == ")" {
                    return true;
                }
                let known = module.is_some_and(|module| {
                    let name = module.text.trim_matches(['"', '\'']);
                    let name = name.strip_prefix("node:").unwrap_or(name);
                    module.kind == Kind::Text && names::listed(language.modules, name)
                });
                known && (language.name != "javascript" || self.is_kept_whole(at, at + 2 + 2 * open))
            }
        }
    }

    /// Whether of a module in hand only members are used: `require("a").b`, `const a = require("a")` and then `a.b`.
    fn is_kept_whole(&self, at: usize, behind: usize) -> bool {
        if self.text(behind) == "." {
            return true;
        }
        let named = at >= 3 && self.text(at - 1) == "=" && matches!(self.text(at - 3), "const" | "let" | "var");
        let name = self.text(at.saturating_sub(2));
        let mentions = (0..self.tokens.len()).filter(|other| self.text(*other) == name && *other != at - 2);
        named && self.tokens[at - 2].kind == Kind::Name && mentions.into_iter().all(|other| self.text(other + 1) == ".")
    }

    /// `open(a)`, `open(a, "rb", encoding="…")`; `open("a", "w")`, where the file is written as it is called.
    fn opens(&self, open: usize) -> bool {
        let (mut depth, mut argument, mut start, mut file) = (0, 0, open + 1, None);
        for at in open..self.tokens.len() {
            match self.text(at) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 || depth == 1 && self.text(at) == "," {
                let words = &self.tokens[start..at];
                let harmless = match words {
                    [] => argument > 0,
                    [key, sign, ..] if sign.text == "=" => {
                        matches!(key.text, "encoding" | "errors" | "newline")
                            || key.text == "mode" && self.in_mode(file, &words[2..])
                    }
                    _ if argument == 1 => self.in_mode(file, words),
                    [only] if argument == 0 => {
                        file = plain_path(only);
                        true
                    }
                    _ => argument == 0,
                };
                if !harmless || words.first().is_some_and(|word| word.text == "*") {
                    return false;
                }
                if depth == 0 {
                    return true;
                }
                argument += 1;
                start = at + 1;
            }
        }
        false
    }

    /// Whether a file may be opened in that mode: to read it, or to write one whose name is plain.
    fn in_mode(&self, file: Option<&str>, mode: &[Token<'_>]) -> bool {
        let [mode] = mode else { return false };
        let letters = mode.text.trim_matches(['"', '\'']);
        if mode.kind != Kind::Text || letters.is_empty() || !letters.chars().all(|c| "rbtwax+".contains(c)) {
            return false;
        }
        if !letters.contains(['w', 'a', 'x', '+']) {
            return true;
        }
        self.writes.borrow_mut().extend(file.map(str::to_owned));
        file.is_some()
    }

    /// Signs by which something is called that has no name here.
    fn sign(&self, at: usize) -> bool {
        let (sign, before, after) =
            (self.tokens[at].text, at.checked_sub(1).map(|b| &self.tokens[b]), self.text(at + 1));
        match sign {
            "`" => false,
            "(" => before.is_none_or(|before| match before.kind {
                // A name is judged as one; `f[…](…)`, `(…)(…)`, `"f"(…)` and `$f(…)` have none.
                Kind::Name | Kind::Number => true,
                Kind::Variable => self.language.name == "perl" && self.text(at.saturating_sub(2)) != "&",
                Kind::Text => false,
                Kind::Sign => {
                    !matches!(before.text, ")" | "]" | "}" | "->")
                        || before.text == ")" && self.is_head(at - 1)
                        || before.text == "}" && self.language.blocks
                }
            }),
            // `&$f`, `&{…}`, `&f`: calls by another spelling.
            "&" if self.language.name == "perl" => {
                before.is_some_and(|b| matches!(b.kind, Kind::Number | Kind::Variable)) && !matches!(after, "{" | "(")
            }
            "<" if self.language.name == "perl" => !after.starts_with('$') || self.text(at + 2) != ">",
            _ => true,
        }
    }

    /// Whether a closing bracket ends the head of `if (…)`, so that `(` behind it begins something new.
    fn is_head(&self, close: usize) -> bool {
        let mut depth = 0;
        for at in (0..=close).rev() {
            match self.text(at) {
                ")" => depth += 1,
                "(" => {
                    depth -= 1;
                    if depth == 0 {
                        return at > 0
                            && matches!(
                                self.text(at - 1),
                                "if" | "while" | "for" | "foreach" | "unless" | "until" | "elsif" | "switch"
                            );
                    }
                }
                _ => {}
            }
        }
        false
    }
}

/// A file in the place of a module that holds data and no code.
fn is_data(module: &Token<'_>) -> bool {
    let path = module.text.trim_matches(['"', '\'']);
    module.kind == Kind::Text && path.ends_with(".json") && path.starts_with(['.', '/'])
}

/// The path in a literal that says it as it is.
fn plain_path<'t>(token: &Token<'t>) -> Option<&'t str> {
    let path = token.text.trim_matches(['"', '\'']);
    let plain = token.kind == Kind::Text && !path.is_empty() && !path.contains(['\\', '{', '}', '"', '\'', '\n']);
    plain.then_some(path)
}

#[cfg(test)]
mod tests;
