//! The scripts of `awk`: strings, patterns and comments told from the rest, and whether a `>` compares or writes.

use std::collections::BTreeSet;

use super::super::words::Word;
use super::options::{self, Known, Part, Takes};
use super::regex::{self, Brackets, Trouble};
use super::{ENVIRONMENT, READS, RUNS, WRITES};

/// Of gawk, which has the most; what mawk and the others have beside them is unclear.
const OPTIONS: Known = Known {
    letters: &[
        ('F', Takes::Value),
        ('v', Takes::Value),
        ('e', Takes::Value),
        ('f', Takes::Value),
        ('E', Takes::Value),
        ('i', Takes::Value),
        ('l', Takes::Value),
        ('d', Takes::Rest),
        ('D', Takes::Rest),
        ('o', Takes::Rest),
        ('p', Takes::Rest),
        ('L', Takes::Rest),
        ('V', Takes::Nothing),
        ('h', Takes::Nothing),
        ('C', Takes::Nothing),
        ('b', Takes::Nothing),
        ('c', Takes::Nothing),
        ('k', Takes::Nothing),
        ('n', Takes::Nothing),
        ('N', Takes::Nothing),
        ('O', Takes::Nothing),
        ('P', Takes::Nothing),
        ('r', Takes::Nothing),
        ('s', Takes::Nothing),
        ('S', Takes::Nothing),
        ('t', Takes::Nothing),
    ],
    long: &[
        ("field-separator", 'F', Takes::Value),
        ("assign", 'v', Takes::Value),
        ("source", 'e', Takes::Value),
        ("file", 'f', Takes::Value),
        ("exec", 'E', Takes::Value),
        ("include", 'i', Takes::Value),
        ("load", 'l', Takes::Value),
        ("dump-variables", 'd', Takes::Rest),
        // Another option of mawk's.
        ("dump", 'D', Takes::Rest),
        ("debug", 'D', Takes::Rest),
        ("pretty-print", 'o', Takes::Rest),
        ("profile", 'p', Takes::Rest),
        ("lint", 'L', Takes::Rest),
        ("version", 'V', Takes::Nothing),
        ("help", 'h', Takes::Nothing),
        ("copyright", 'C', Takes::Nothing),
        ("characters-as-bytes", 'b', Takes::Nothing),
        ("traditional", 'c', Takes::Nothing),
        ("csv", 'k', Takes::Nothing),
        ("non-decimal-data", 'n', Takes::Nothing),
        ("use-lc-numeric", 'N', Takes::Nothing),
        ("optimize", 'O', Takes::Nothing),
        ("posix", 'P', Takes::Nothing),
        ("re-interval", 'r', Takes::Nothing),
        ("no-optimize", 's', Takes::Nothing),
        ("sandbox", 'S', Takes::Nothing),
        ("lint-old", 't', Takes::Nothing),
    ],
    permutes: false,
};

/// What the script among `args` does.
pub(super) fn effects(args: &[Word]) -> BTreeSet<&'static str> {
    let unclear = || BTreeSet::from([RUNS]);
    let Some(parts) = options::read(args, &OPTIONS) else { return unclear() };
    let (mut out, mut scripts, mut first, mut speaks) = (BTreeSet::new(), Vec::new(), None, false);
    for part in parts {
        match part {
            Part::Option('f' | 'E' | 'i' | 'l' | 'D', _) => return unclear(),
            Part::Option('d' | 'o' | 'p', _) => {
                out.insert(WRITES);
            }
            Part::Option('e', script) => scripts.extend(script),
            Part::Option('V' | 'h' | 'C', _) => speaks = true,
            Part::Option(..) => {}
            Part::Operand(word) if first.is_none() => first = Some(word),
            Part::Operand(_) => {}
        }
    }
    if first.is_none() && scripts.is_empty() {
        return if speaks { out } else { unclear() };
    }
    // Awks that know no `-e` take the first operand for the script all the same.
    if scripts.iter().chain(&first).any(Word::has_opaque) {
        return unclear();
    }
    if scripts.is_empty() {
        out.extend(first.iter().flat_map(|script| regex::in_every_reading(&script.text, read)));
    } else {
        let texts: Vec<&str> = scripts.iter().map(|word| word.text.as_str()).collect();
        out.extend(regex::in_every_reading(&texts.join("\n"), read));
    }
    out
}

/// The files that the scripts among `args` may write: the text behind a `>`; where that is put together, each text in the script and
/// each variable that is set.
pub(super) fn written(args: &[Word]) -> Vec<String> {
    let parts = options::read(args, &OPTIONS).unwrap_or_default();
    let (mut out, mut texts, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for part in &parts {
        match part {
            Part::Option('d' | 'o' | 'p', Some(word)) => out.push(word.text.clone()),
            Part::Option('e', Some(word)) => texts.push(word.text.as_str()),
            Part::Option('v', Some(word)) | Part::Operand(word) => {
                values.extend(word.text.split_once('=').map(|(_, value)| value.to_owned()));
                texts.push(word.text.as_str());
            }
            _ => {}
        }
    }
    for text in texts {
        let (mut all, mut joined, mut at, mut clear) = (Vec::new(), false, 0, true);
        while let Some(open) = text[at..].find('"').map(|found| at + found) {
            let Ok(end) = string_end(text.as_bytes(), open) else { break };
            let literal = text.get(open + 1..end - 1).unwrap_or_default().replace('\\', "");
            let (before, behind) = (text[at..open].trim_end_matches([' ', '\t', '(']), text[end..].trim_start());
            joined = at > 0 && before.is_empty() && joined;
            if joined && let Some(last) = all.last_mut() {
                let last: &mut String = last;
                last.push_str(&literal);
            } else {
                all.push(literal.clone());
            }
            // Put together of others, the text is not all of the name.
            if before.ends_with('>') && (behind.is_empty() || behind.starts_with([';', '}', '\n', ')', '#'])) {
                out.push(literal);
            } else if before.ends_with('>') {
                clear = false;
            }
            (joined, at) = (true, end);
        }
        let targets = text.matches('>').count();
        if !clear || out.len() < targets {
            out.append(&mut all);
            out.extend(values.iter().cloned());
        }
    }
    out
}

/// What one script does.
fn read(script: &str, brackets: Brackets) -> Result<BTreeSet<&'static str>, Trouble> {
    let mut lexer = Lexer { text: script.as_bytes(), brackets, ..Lexer::default() };
    while lexer.token()? {}
    Ok(lexer.effects)
}

/// What the token before decides about the next one.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Before {
    /// A `/` begins a pattern.
    #[default]
    Operator,
    /// The same, and a line end does not end the statement.
    Joins,
    /// The same, and what stands in the parentheses that follow is no operand.
    Control,
    /// A `/` divides.
    Operand,
    /// Awks differ about a `/` here.
    Either,
}

struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    brackets: Brackets,
    before: Before,
    /// Open parentheses and brackets, and whether each is that of an `if` and its like.
    open: Vec<bool>,
    /// How many were open at a `print` whose statement goes on.
    print: Option<usize>,
    /// The same for `getline`.
    getline: Option<usize>,
    effects: BTreeSet<&'static str>,
}

impl Default for Lexer<'_> {
    fn default() -> Self {
        Self {
            text: &[],
            at: 0,
            brackets: Brackets::Ignored,
            before: Before::default(),
            open: Vec::new(),
            print: None,
            getline: None,
            effects: BTreeSet::new(),
        }
    }
}

impl Lexer<'_> {
    /// Reads one token; false at the end.
    fn token(&mut self) -> Result<bool, Trouble> {
        let Some(byte) = self.peek() else { return Ok(false) };
        match byte {
            b' ' | b'\t' | b'\r' => self.at += 1,
            b'#' => self.skip(|byte| byte != b'\n'),
            b'\\' => self.continued()?,
            b'\n' if self.before == Before::Joins => self.at += 1,
            b'\n' | b';' | b'}' => self.statement_ends(),
            b'{' => {
                self.statement_ends();
                self.before = Before::Joins;
            }
            b'"' => {
                let from = self.at;
                self.at = string_end(self.text, self.at)?;
                if self.text[from..self.at].windows(5).any(|part| part == b"/inet") {
                    self.effects.insert(RUNS);
                }
                self.before = Before::Operand;
            }
            b'/' => self.slash()?,
            b'(' | b'[' => {
                self.open.push(byte == b'(' && self.before == Before::Control);
                self.operator(1, Before::Operator);
            }
            b')' | b']' => {
                let control = self.open.pop().ok_or(Trouble::Broken)?;
                self.getline = self.getline.filter(|depth| *depth <= self.open.len());
                self.operator(1, if control { Before::Joins } else { Before::Operand });
            }
            b'0'..=b'9' => self.number(),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word(),
            b'+' | b'-' if self.text.get(self.at + 1) == Some(&byte) => self.at += 2,
            b'>' => self.greater()?,
            b'<' => {
                if self.getline.is_some() {
                    self.effects.insert(READS);
                }
                self.operator(1, Before::Operator);
            }
            b'|' | b'&' if self.text.get(self.at + 1) == Some(&byte) => self.operator(2, Before::Joins),
            b'|' => {
                self.effects.insert(RUNS);
                self.operator(1, Before::Operator);
            }
            b'@' => {
                // A function whose name is a value, or an order to load a file; before a pattern it says no more than the pattern.
                if self.text.get(self.at + 1) != Some(&b'/') {
                    self.effects.insert(RUNS);
                }
                self.operator(1, Before::Operator);
            }
            b',' | b'?' | b':' => self.operator(1, Before::Joins),
            b'$' | b'!' | b'~' | b'=' | b'*' | b'%' | b'^' | b'+' | b'-' | b'.' => self.operator(1, Before::Operator),
            _ => return Err(Trouble::Unclear),
        }
        Ok(true)
    }

    fn operator(&mut self, length: usize, before: Before) {
        self.at += length;
        self.before = before;
    }

    fn statement_ends(&mut self) {
        (self.print, self.getline) = (None, None);
        self.operator(1, Before::Operator);
    }

    fn continued(&mut self) -> Result<(), Trouble> {
        match &self.text[self.at + 1..] {
            [b'\n', ..] => self.at += 2,
            [b'\r', b'\n', ..] => self.at += 3,
            _ => return Err(Trouble::Unclear),
        }
        Ok(())
    }

    fn slash(&mut self) -> Result<(), Trouble> {
        match self.before {
            Before::Either => return Err(Trouble::Unclear),
            Before::Operand => self.operator(1, Before::Operator),
            Before::Operator | Before::Joins | Before::Control => {
                self.at = regex::end(self.text, self.at + 1, b'/', self.brackets)? + 1;
                self.before = Before::Operand;
            }
        }
        Ok(())
    }

    /// `>` outside of any parentheses of a `print` writes.
    fn greater(&mut self) -> Result<(), Trouble> {
        let rest = &self.text[self.at + 1..];
        match rest {
            [b'=', ..] => self.at += 1,
            _ if self.print == Some(self.open.len()) => {
                self.at += usize::from(rest.first() == Some(&b'>'));
                if !self.writes_to_stream()? {
                    self.effects.insert(WRITES);
                }
            }
            _ => {}
        }
        self.operator(1, Before::Operator);
        Ok(())
    }

    /// Whether all that stands behind the `>` here is the name of a stream.
    fn writes_to_stream(&self) -> Result<bool, Trouble> {
        let blank = |byte: &&u8| matches!(**byte, b' ' | b'\t');
        let start = self.at + 1 + self.text[self.at + 1..].iter().take_while(blank).count();
        if self.text.get(start) != Some(&b'"') {
            return Ok(false);
        }
        let end = string_end(self.text, start)?;
        let stream = matches!(&self.text[start + 1..end - 1], b"/dev/stdout" | b"/dev/stderr" | b"/dev/null");
        let next = self.text[end..].iter().find(|byte| !blank(byte));
        Ok(stream && matches!(next, None | Some(b';' | b'}' | b'\n' | b'#')))
    }

    /// No more than the number: `1system("id")` is two words.
    fn number(&mut self) {
        if let [b'0', b'x' | b'X', digit, ..] = &self.text[self.at..]
            && digit.is_ascii_hexdigit()
        {
            self.at += 2;
            self.skip(|byte| byte.is_ascii_hexdigit());
        }
        self.skip(|byte| byte.is_ascii_digit() || byte == b'.');
        self.before = Before::Operand;
    }

    fn word(&mut self) {
        let from = self.at;
        self.skip(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        self.before = match &self.text[from..self.at] {
            b"print" | b"printf" => {
                self.print = Some(self.open.len());
                Before::Operator
            }
            b"getline" => {
                self.getline = Some(self.open.len());
                Before::Either
            }
            b"length" => Before::Either,
            b"if" | b"while" | b"for" | b"switch" => Before::Control,
            b"else" | b"do" => Before::Joins,
            b"return" | b"exit" | b"delete" | b"in" | b"case" | b"next" | b"nextfile" | b"break" | b"continue" => {
                Before::Operator
            }
            word => {
                self.effects.extend(match word {
                    b"system" | b"extension" => Some(RUNS),
                    b"ENVIRON" | b"SYMTAB" => Some(ENVIRONMENT),
                    // The files that are read besides those that the arguments name.
                    b"ARGV" | b"ARGC" => Some(READS),
                    _ => None,
                });
                Before::Operand
            }
        };
    }

    fn skip(&mut self, what: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&what) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }
}

/// Behind the string that begins at `from`.
fn string_end(text: &[u8], from: usize) -> Result<usize, Trouble> {
    let mut at = from + 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return Ok(at + 1),
            b'\n' => return Err(Trouble::Broken),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    Err(Trouble::Broken)
}
