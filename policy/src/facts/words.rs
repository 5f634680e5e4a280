//! Shell words: quotes decoded, braces expanded, and what is only known at run time marked.

use brush_parser::ParserOptions;
use brush_parser::word::{
    Parameter, ParameterExpr, ParameterTransformOp, SpecialParameter, TildeExpr, WordPiece, WordPieceWithSource,
};

use super::plain::plain;
use super::{Note, braces};

/// Stands in [`Word::text`] for what is only known at run time.
pub const OPAQUE: char = '\u{fffc}';
/// How groups of a pattern begin beside those that begin with `*` or `?`; none of them is a word where the shell knows no such groups.
const GROUPS: &[&str] = &["!(", "@(", "+("];

/// One word as the program would receive it, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// The text, [`OPAQUE`] standing for each part that is only known at run time.
    pub text: String,
    /// Whether the shell will match it against file names, or make several words of what a command prints.
    pub glob: bool,
    /// Whether the shell will make several words of it or none: an expansion without quotes whose value is not known, `"$@"`.
    pub many: bool,
}

impl Word {
    /// A word that is known in full.
    #[must_use]
    pub fn literal(text: impl Into<String>) -> Self {
        Self { text: text.into(), glob: false, many: false }
    }

    /// A word of which nothing is known.
    #[must_use]
    pub fn opaque() -> Self {
        Self::literal(OPAQUE)
    }

    /// The text, if all of it is known.
    #[must_use]
    pub fn known(&self) -> Option<&str> {
        (!self.has_opaque() && !self.glob).then_some(self.text.as_str())
    }

    /// Whether a part is only known at run time.
    #[must_use]
    pub fn has_opaque(&self) -> bool {
        !self.text.is_ascii() && self.text.contains(OPAQUE)
    }

    /// A word of the same kind with another text.
    #[must_use]
    pub fn with(&self, text: impl Into<String>) -> Self {
        Self { text: text.into(), ..*self }
    }

    /// Whether it may become several words, or none.
    #[must_use]
    pub fn may_be_several(&self) -> bool {
        self.glob || self.many
    }

    /// Whether it might turn out to be an option.
    #[must_use]
    pub fn may_be_option(&self) -> bool {
        self.text.starts_with(OPAQUE)
    }
}

/// What a word needs from the text around it.
pub(super) trait Surroundings {
    /// The one value of a variable, if it is known.
    fn value_of(&self, name: &str) -> Option<String>;
    /// Whether each value that a variable may have is one word.
    fn is_one_word(&self, name: &str) -> bool;
    /// Whether the text or the call gives the variable a value.
    fn is_set(&self, name: &str) -> bool;
    /// Reads `code` as a command substitution.
    fn substitution(&mut self, code: &str);
    /// Reads `expression` as arithmetic.
    fn evaluates(&mut self, expression: &str);
    /// A variable is set by its expansion.
    fn assigns(&mut self, name: &str);
    /// Notes a difficulty.
    fn note(&mut self, note: Note);
}

pub(super) fn options() -> ParserOptions {
    ParserOptions { tilde_expansion_at_word_start: true, ..ParserOptions::default() }
}

/// The words that `raw` becomes.
pub(super) fn open(raw: &str, around: &mut dyn Surroundings) -> Vec<Word> {
    let mut out = Vec::new();
    open_onto(&mut out, raw, around);
    out
}

/// The words that `raw` becomes, behind those of `out`.
pub(super) fn open_onto(out: &mut Vec<Word>, raw: &str, around: &mut dyn Surroundings) {
    if let Some(word) = plain(raw) {
        return out.push(word);
    }
    if !braces::may_expand(raw) {
        return open_one(out, raw, around);
    }
    match braces::expand(raw) {
        // `{git,}` is one word: nothing is left of an empty one that was not quoted.
        Ok(texts) if texts.len() > 1 => {
            texts.iter().filter(|text| !text.is_empty()).for_each(|text| open_one(out, text, around));
        }
        Ok(texts) => texts.iter().for_each(|text| open_one(out, text, around)),
        Err(braces::TooMany) => {
            around.note(Note::OverCap);
            out.push(Word::opaque());
        }
    }
}

/// One word that is not split or brace-expanded: the value of an assignment, a redirect's target.
pub(super) fn open_whole(raw: &str, around: &mut dyn Surroundings) -> Word {
    plain(raw).unwrap_or_else(|| parsed(raw, around))
}

/// The word as the parser takes it apart.
pub(super) fn parsed(raw: &str, around: &mut dyn Surroundings) -> Word {
    let mut word = Word::default();
    match brush_parser::word::parse(raw, &options()) {
        Ok(pieces) => Opener { around, raw }.pieces(&pieces, false, &mut word),
        Err(_) => {
            around.note(Note::Unparsable);
            word.text.push(OPAQUE);
        }
    }
    word
}

/// The text of a here-document whose delimiter is not quoted.
pub(super) fn open_heredoc(raw: &str, around: &mut dyn Surroundings) -> Word {
    let mut word = Word::default();
    match brush_parser::word::parse_heredoc(raw, &options()) {
        Ok(pieces) => Opener { around, raw }.pieces(&pieces, true, &mut word),
        Err(_) => {
            around.note(Note::Unparsable);
            word.text.push(OPAQUE);
        }
    }
    word
}

fn open_one(out: &mut Vec<Word>, raw: &str, around: &mut dyn Surroundings) {
    if let Some(word) = plain(raw) {
        return out.push(word);
    }
    // `$c` alone with a known value of several words becomes those words.
    let name = raw.strip_prefix('$').map(|n| n.strip_prefix('{').and_then(|n| n.strip_suffix('}')).unwrap_or(n));
    if let Some(value) = name.and_then(|name| around.value_of(name)) {
        let glob = value.contains(['*', '?', '[']);
        return out.extend(value.split_ascii_whitespace().map(|part| Word {
            text: part.to_owned(),
            glob,
            many: false,
        }));
    }
    out.push(open_whole(raw, around));
}

struct Opener<'a> {
    around: &'a mut dyn Surroundings,
    raw: &'a str,
}

impl Opener<'_> {
    fn pieces(&mut self, pieces: &[WordPieceWithSource], quoted: bool, word: &mut Word) {
        for piece in pieces {
            self.piece(piece, quoted, word);
        }
    }

    fn piece(&mut self, piece: &WordPieceWithSource, quoted: bool, word: &mut Word) {
        match &piece.piece {
            WordPiece::Text(text) => {
                if text.contains("$[") || (text.starts_with('[') && word.text.ends_with('$')) {
                    // The old form of `$((…))`.
                    self.around.note(Note::EvaluatesData);
                }
                // A bracket that never closes is the program `[` or plain text.
                word.glob |= !quoted
                    && (text.contains(['*', '?'])
                        || GROUPS.iter().any(|group| text.contains(group))
                        || (text.contains('[') && self.raw.contains(']')));
                // A continued line is no character of the word.
                text.split("\\\n").for_each(|part| word.text.push_str(part));
            }
            WordPiece::SingleQuotedText(text) => word.text.push_str(text),
            WordPiece::AnsiCQuotedText(text) => match decode_ansi_c(text) {
                Some(text) => word.text.push_str(&text),
                None => word.text.push(OPAQUE),
            },
            WordPiece::DoubleQuotedSequence(pieces) => self.pieces(pieces, true, word),
            WordPiece::GettextDoubleQuotedSequence(pieces) => {
                // The translation catalogue decides.
                self.pieces(pieces, true, word);
                word.text.push(OPAQUE);
            }
            WordPiece::TildeExpansion(tilde) => match tilde {
                // Never several words, and at its gravest the home.
                TildeExpr::Home => word.text.push_str(self.around.value_of("HOME").as_deref().unwrap_or("~")),
                TildeExpr::UserHome(user) => {
                    word.text.push('~');
                    word.text.push_str(user);
                }
                TildeExpr::WorkingDir => word.text.push('.'),
                _ => word.text.push(OPAQUE),
            },
            WordPiece::ParameterExpansion(expression) => {
                let raw = self.raw.get(piece.start_index..piece.end_index).unwrap_or("$(");
                self.parameter(expression, raw, quoted, word);
            }
            WordPiece::CommandSubstitution(code) => {
                self.around.substitution(code);
                word.glob |= !quoted;
                word.text.push(OPAQUE);
            }
            WordPiece::BackquotedCommandSubstitution(code) => {
                self.around.substitution(&unescape_backquoted(code));
                word.glob |= !quoted;
                word.text.push(OPAQUE);
            }
            WordPiece::EscapeSequence(text) => {
                let plain = text.strip_prefix('\\').unwrap_or(text);
                if plain != "\n" {
                    word.text.push_str(plain);
                }
            }
            WordPiece::ArithmeticExpression(expression) => {
                self.around.evaluates(&expression.value);
                word.text.push(OPAQUE);
            }
        }
    }

    fn parameter(&mut self, expression: &ParameterExpr, raw: &str, quoted: bool, word: &mut Word) {
        if let ParameterExpr::Parameter { parameter: Parameter::Named(name), indirect: false } = expression {
            match (name.as_str(), self.around.value_of(name)) {
                (_, Some(value)) if quoted || !value.contains([' ', '\t', '\n']) => {
                    word.glob |= !quoted && value.contains(['*', '?', '[']);
                    word.text.push_str(&value);
                }
                ("HOME", None) if !self.around.is_set(name) => word.text.push('~'),
                ("PWD", None) if !self.around.is_set(name) => word.text.push('.'),
                _ => {
                    word.many |= !quoted && !self.around.is_one_word(name);
                    word.text.push(OPAQUE);
                }
            }
            return;
        }
        if matches!(expression, ParameterExpr::Parameter { parameter: Parameter::Special(special), indirect: false }
            if !matches!(special, SpecialParameter::AllPositionalParameters { .. } | SpecialParameter::ShellName | SpecialParameter::CurrentOptionFlags))
        {
            // `$$`, `$?`, `$#`, `$!` are numbers: never an option.
            word.text.push('0');
        } else if !matches!(expression, ParameterExpr::ParameterLength { .. }) {
            word.many |= !quoted || each_of_many(raw);
        }
        word.text.push(OPAQUE);
        if matches!(expression, ParameterExpr::Transform { op: ParameterTransformOp::PromptExpand, .. }) {
            self.around.note(Note::DynamicCode);
        }
        // Defaults, patterns, offsets and indices may hold substitutions of their own.
        let inner = raw.strip_prefix("${").and_then(|r| r.strip_suffix('}')).unwrap_or(raw.trim_start_matches('$'));
        if quoted && inner.contains('\'') && inner.contains(['}', '"']) {
            // In `"${x:-'}"` bash sees an open quote, dash and zsh see the end.
            self.around.note(Note::ParsersDisagree);
        }
        self.arithmetic_within(expression, inner);
        self.nested(inner);
    }

    /// Indices, offsets and indirect names are arithmetic.
    fn arithmetic_within(&mut self, expression: &ParameterExpr, inner: &str) {
        if let ParameterExpr::AssignDefaultValues { .. } = expression {
            self.around.assigns(inner.split([':', '=']).next().unwrap_or_default());
        }
        let name_end = inner.trim_start_matches(['!', '#']).find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let name_end =
            name_end.map_or(inner.len(), |end| end + inner.len() - inner.trim_start_matches(['!', '#']).len());
        let rest = &inner[name_end..];
        if let Some(index) = rest.strip_prefix('[')
            && !index.starts_with(['@', '*'])
        {
            self.around.evaluates(index);
        }
        if inner.starts_with('!') && !rest.starts_with(['@', '*', '[']) {
            self.around.evaluates(&inner[1..name_end]);
        }
        if matches!(expression, ParameterExpr::Substring { .. }) {
            self.around.evaluates(rest);
        }
    }

    /// Reads the substitutions of a text that is no word of its own.
    fn nested(&mut self, text: &str) {
        if text.contains("$(")
            || text.contains('`')
            || text.contains("<(")
            || text.contains(">(")
            || text.contains("${")
        {
            // As if in double quotes: nothing but expansions counts. Quotes inside would hide some, so they go.
            let bare: String = text.chars().filter(|c| !matches!(c, '"' | '\'')).collect();
            open_heredoc(&bare, self.around);
            if text.contains("<(") || text.contains(">(") {
                self.around.note(Note::DynamicCode);
            }
        }
    }
}

/// Whether an expansion puts in each of several values as a word of its own, although it stands in quotes.
fn each_of_many(raw: &str) -> bool {
    let inner = raw.trim_start_matches(['$', '{']);
    inner.starts_with('@')
        || ["[@]", "$@", "${@"].iter().any(|all| inner.contains(all))
        || (inner.starts_with('!') && inner.ends_with("@}"))
}

/// Whether a word is one `$((…))`, which always gives a number.
pub(super) fn is_arithmetic(raw: &str) -> bool {
    brush_parser::word::parse(raw, &options()).is_ok_and(
        |pieces| matches!(pieces.as_slice(), [only] if matches!(only.piece, WordPiece::ArithmeticExpression(_))),
    )
}

/// Inside backquotes a backslash guards `` ` ``, `\` and `$` once more.
fn unescape_backquoted(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\\' && chars.peek().is_some_and(|next| matches!(next, '`' | '\\' | '$')) {
            continue_with(&mut out, chars.next());
        } else {
            out.push(c);
        }
    }
    out
}

fn continue_with(out: &mut String, next: Option<char>) {
    out.extend(next);
}

/// The text of `$'…'`; `None` where an escape is not one of bash's.
pub(super) fn decode_ansi_c(raw: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    let mut buffer = [0; 4];
    while let Some(c) = chars.next() {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
            continue;
        }
        let kind = chars.next()?;
        let mut digits = |radix: u32, most: usize, first: Option<char>| {
            let mut value = first.and_then(|f| f.to_digit(radix)).unwrap_or(0);
            let mut seen = usize::from(first.is_some());
            while let Some(digit) = chars.peek().and_then(|c| c.to_digit(radix)).filter(|_| seen < most) {
                value = value * radix + digit;
                seen += 1;
                chars.next();
            }
            (seen > 0).then_some(value)
        };
        let one = match kind {
            'a' => 7,
            'b' => 8,
            'e' | 'E' => 27,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'v' => 11,
            '\\' | '\'' | '"' | '?' => u8::try_from(kind).ok()?,
            'x' => u8::try_from(digits(16, 2, None)?).ok()?,
            '0'..='7' => u8::try_from(digits(8, 3, Some(kind))? & 0xff).ok()?,
            'u' | 'U' => {
                let c = char::from_u32(digits(16, if kind == 'u' { 4 } else { 8 }, None)?)?;
                bytes.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
                continue;
            }
            'c' => u8::try_from(chars.next()?).ok()? & 0x1f,
            _ => return None,
        };
        if one == 0 {
            // A zero byte ends the text.
            break;
        }
        bytes.push(one);
    }
    String::from_utf8(bytes).ok()
}
