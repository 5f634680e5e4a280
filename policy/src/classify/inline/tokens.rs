//! Tokens of inline code, as far as five languages write them alike.

use super::names::Language;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    /// With its sigil: `$x`.
    Variable,
    Number,
    /// With its quotes.
    Text,
    Sign,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    pub(super) text: &'t str,
}

/// Signs of several letters that must not be taken apart.
const LONG: &[&str] = &[
    "?.", "&.", "->", "=>", "::", "==", "!=", "<=", ">=", "&&", "||", "=~", ":=", "**", "++", "--", "+=", "-=", "<<",
    ">>",
];

/// The tokens of `text`; `None` where it cannot be told what is text and what is code.
pub(super) fn read<'t>(text: &'t str, language: &Language) -> Option<Vec<Token<'t>>> {
    if is_unreadable(text, language) {
        return None;
    }
    tokens(text, language)
}

fn tokens<'t>(text: &'t str, language: &Language) -> Option<Vec<Token<'t>>> {
    let mut out: Vec<Token<'t>> = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let operand = out.last().is_some_and(|last| match last.kind {
            Kind::Name => !language.keywords.contains(&last.text),
            Kind::Sign => matches!(last.text, ")" | "]" | "}"),
            _ => true,
        });
        let (kind, length) = if c == '\n' {
            (Kind::Sign, 1)
        } else if c.is_whitespace() {
            rest = &rest[c.len_utf8()..];
            continue;
        } else if let Some(length) = comment(rest, language) {
            rest = &rest[length..];
            continue;
        } else if matches!(c, '"' | '\'') {
            let length = literal(rest, c, language)?;
            let last = out.last().filter(|last| {
                last.kind == Kind::Name && last.text.as_ptr() as usize + last.text.len() == rest.as_ptr() as usize
            });
            let formats = last.is_some_and(|prefix| prefix.text.to_ascii_lowercase().contains(['f', 't']))
                && language.name == "python";
            if last.is_some_and(|prefix| language.name == "python" && prefix.text.len() <= 2) {
                out.pop();
            }
            within(&rest[..length], c, formats, language, &mut out)?;
            (Kind::Text, length)
        } else if matches!(c, '$' | '@' | '%') && language.sigils.contains(&c) && (c != '%' || !operand) {
            (Kind::Variable, variable(rest)?)
        } else if c.is_ascii_digit() {
            (Kind::Number, rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()))
        } else if c.is_alphabetic() || c == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            match quoted(&rest[..end], &rest[end..], language) {
                Some(length) => (Kind::Text, end + length?),
                None => (Kind::Name, end),
            }
        } else if c == '/' && language.patterns {
            let before = out.iter().rev().find(|token| token.text != "\n");
            match divides(before, language) {
                Some(false) => (Kind::Text, pattern(rest)?),
                None if rest[1..].contains('/') => return None,
                _ => (Kind::Sign, 1),
            }
        } else if c == '%' && language.name == "ruby" && !operand {
            return None;
        } else {
            let long = LONG.iter().find(|sign| rest.starts_with(**sign));
            (Kind::Sign, long.map_or(c.len_utf8(), |sign| sign.len()))
        };
        out.push(Token { kind, text: &rest[..length] });
        rest = &rest[length..];
    }
    Some(out)
}

/// Whether there may be text or comments of a kind that these tokens do not know: other ends of lines, documents, other modes.
fn is_unreadable(text: &str, language: &Language) -> bool {
    let document = |behind: &str| {
        let behind = if language.name == "perl" { behind.trim_start() } else { behind };
        behind.starts_with(|c: char| c.is_alphabetic() || "_~-\"'`<\\".contains(c))
    };
    let documents = || text.split("<<").skip(1).any(document);
    text.replace("\r\n", "\n").contains(['\r', '\u{2028}', '\u{2029}'])
        || match language.name {
            "javascript" => text.contains("<!--") || text.contains("-->"),
            "php" => text.contains("?>") || text.contains("#[") || documents(),
            "perl" | "ruby" => text.lines().any(|line| line.starts_with('=')) || documents(),
            _ => false,
        }
}

/// Reserved words behind which an operand must stand.
const OPENS: &[&str] = &[
    "and",
    "case",
    "elsif",
    "grep",
    "if",
    "in",
    "instanceof",
    "not",
    "or",
    "return",
    "split",
    "typeof",
    "unless",
    "until",
    "void",
    "when",
    "while",
];

/// Whether a slash behind that token divides; `None` where it may begin a pattern as well.
fn divides(before: Option<&Token<'_>>, language: &Language) -> Option<bool> {
    let Some(before) = before else { return Some(false) };
    let script = language.name == "javascript";
    match (before.kind, before.text) {
        (Kind::Name, name) if language.keywords.contains(&name) => OPENS.contains(&name).then_some(false),
        (Kind::Name, _) => script.then_some(true),
        (Kind::Sign, ")") => (!script).then_some(true),
        (Kind::Sign, "}" | "++" | "--") => None,
        (Kind::Sign, sign) => Some(sign == "]"),
        _ => Some(true),
    }
}

fn comment(rest: &str, language: &Language) -> Option<usize> {
    let line = |text: &str| text.find('\n').unwrap_or(text.len());
    if language.hash && rest.starts_with('#') || language.slashes && rest.starts_with("//") {
        return Some(line(rest));
    }
    if language.slashes && rest.starts_with("/*") {
        return Some(rest[2..].find("*/").map_or(rest.len(), |end| end + 4));
    }
    None
}

/// The length of a literal with its quotes, also of python's `"""` ones.
fn literal(rest: &str, quote: char, language: &Language) -> Option<usize> {
    let triple = [quote; 3].iter().collect::<String>();
    if language.name != "python" || !rest.starts_with(&triple) {
        return ended(&rest[1..], quote).map(|length| length + 1);
    }
    let mut from = 3;
    loop {
        from += ended(&rest[from..], quote)?;
        if rest[from - 1..].starts_with(&triple) {
            return Some(from + 2);
        }
    }
}

/// How far the text goes that ends with `end`, itself included; backslashes hide the next letter.
fn ended(text: &str, end: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == end => return Some(at + c.len_utf8()),
            _ => {}
        }
    }
    None
}

/// Code in a literal: `{…}` of f-strings, `#{…}` of ruby, and what perl and PHP put in counts as unclear.
fn within<'t>(
    literal: &'t str,
    quote: char,
    formats: bool,
    language: &Language,
    out: &mut Vec<Token<'t>>,
) -> Option<()> {
    let doubled = quote == '"';
    if doubled && language.sigils.contains(&'$') && ["${", "{$", "@{", "$("].iter().any(|mark| literal.contains(mark)) {
        return None;
    }
    let mark = if formats {
        "{"
    } else if doubled && language.name == "ruby" {
        "#{"
    } else {
        return Some(());
    };
    let mut rest = literal;
    while let Some((_, behind)) = rest.split_once(mark) {
        let (inner, after) = behind.split_once('}')?;
        if inner.contains('{') {
            return None;
        }
        out.extend(tokens(inner, language)?);
        out.push(Token { kind: Kind::Sign, text: ";" });
        rest = after;
    }
    Some(())
}

/// `$x`, `@x`, `$_`, `$0`, `$#x`; what is put together (`${…}`, `$$x`) is unclear.
fn variable(rest: &str) -> Option<usize> {
    let behind = &rest[1..];
    let behind = behind.strip_prefix('#').unwrap_or(behind);
    let skipped = rest.len() - behind.len();
    let end = behind.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(behind.len());
    match (end, behind.chars().next()) {
        (0, Some(',' | '/' | '\\' | ';' | '!' | '.' | '&')) if rest.starts_with('$') => Some(2),
        (0, _) => None,
        _ => Some(skipped + end),
    }
}

/// A pattern between slashes with its letters.
fn pattern(rest: &str) -> Option<usize> {
    let length = 1 + ended(&rest[1..], '/')?;
    // A slash within brackets ends no pattern for some.
    let span = &rest[..length];
    if span.contains("\\]") || span.rfind('[') > span.rfind(']') {
        return None;
    }
    flagged(&rest[..length], &rest[length..]).map(|letters| length + letters)
}

/// The letters behind a pattern; code in it, or text that is run, is unclear.
fn flagged(pattern: &str, behind: &str) -> Option<usize> {
    let letters = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
    let runs = pattern.contains("(?{")
        || pattern.contains("(??{")
        || pattern.contains("@{")
        || pattern.contains("${")
        || pattern.contains("#{");
    (!runs && !behind[..letters].contains('e')).then_some(letters)
}

/// `s/a/b/`, `m{a}`, `qw(a b)`: how long what follows the word is. `Some(None)`: it cannot be told, or it runs something.
fn quoted(word: &str, behind: &str, language: &Language) -> Option<Option<usize>> {
    let parts = match (language.name, word) {
        ("perl", "m" | "q" | "qq" | "qw" | "qr") => 1,
        ("perl", "s" | "tr" | "y") => 2,
        ("perl", "qx") => return Some(None),
        _ => return None,
    };
    let open = behind.chars().next()?;
    if !open.is_ascii() {
        return Some(None);
    }
    if behind.trim_start().starts_with("=>") {
        return None;
    }
    // Perl takes nearly any sign, also behind blanks; within braces the word may be a key.
    if open.is_whitespace() || matches!(open, ',' | ';' | '=' | ')' | '}' | '-') {
        return Some(None);
    }
    let close = match open {
        '(' => ')',
        '[' => ']',
        '{' => '}',
        '<' => '>',
        other => other,
    };
    let mut length = open.len_utf8();
    for part in 0..parts {
        if part > 0 && open != close {
            let Some(next) = behind[length..].find(open) else { return Some(None) };
            length += next + 1;
        }
        let Some(more) = ended(&behind[length..], close) else { return Some(None) };
        // Brackets within brackets are not counted.
        if open != close && behind[length..length + more].contains(open) {
            return Some(None);
        }
        length += more;
    }
    let text = &behind[..length];
    if word == "qq" && (text.contains("@{") || text.contains("${")) {
        return Some(None);
    }
    Some(flagged(text, &behind[length..]).filter(|_| word != "q" || !text.is_empty()).map(|letters| length + letters))
}
