//! The scripts of `sed`: its commands one by one, as GNU sed reads them.

use std::collections::BTreeSet;

use super::super::words::Word;
use super::options::{self, Known, Part, Takes};
use super::regex::{self, Brackets, Trouble};
use super::{READS, RUNS, WRITES};

/// Of GNU sed 4.9.
const OPTIONS: Known = Known {
    letters: &[
        ('n', Takes::Nothing),
        ('e', Takes::Value),
        ('f', Takes::Value),
        ('E', Takes::Nothing),
        ('r', Takes::Nothing),
        ('i', Takes::Rest),
        ('I', Takes::Rest),
        ('l', Takes::Value),
        ('s', Takes::Nothing),
        ('u', Takes::Nothing),
        ('z', Takes::Nothing),
        ('b', Takes::Nothing),
    ],
    long: &[
        ("quiet", 'n', Takes::Nothing),
        ("silent", 'n', Takes::Nothing),
        ("expression", 'e', Takes::Value),
        ("file", 'f', Takes::Value),
        ("regexp-extended", 'E', Takes::Nothing),
        ("in-place", 'i', Takes::Rest),
        ("line-length", 'l', Takes::Value),
        ("separate", 's', Takes::Nothing),
        ("unbuffered", 'u', Takes::Nothing),
        ("null-data", 'z', Takes::Nothing),
        ("zero-terminated", 'z', Takes::Nothing),
        ("binary", 'b', Takes::Nothing),
        ("posix", 's', Takes::Nothing),
        ("debug", 's', Takes::Nothing),
        ("sandbox", 's', Takes::Nothing),
        ("follow-symlinks", 's', Takes::Nothing),
        ("help", 's', Takes::Nothing),
        ("version", 's', Takes::Nothing),
    ],
    permutes: true,
};

/// Files that are no files to sed.
const STREAMS: [&[u8]; 3] = [b"/dev/stdin", b"/dev/stdout", b"/dev/stderr"];

/// What the scripts among `args` do.
pub(super) fn effects(args: &[Word]) -> BTreeSet<&'static str> {
    let unclear = || BTreeSet::from([RUNS, WRITES]);
    let Some(parts) = options::read(args, &OPTIONS) else { return unclear() };
    let (mut scripts, mut first) = (Vec::new(), None);
    for part in parts {
        match part {
            Part::Option('f', _) => return unclear(),
            Part::Option('e', script) => scripts.extend(script),
            Part::Option(..) => {}
            Part::Operand(word) => first = first.or(Some(word)),
        }
    }
    if scripts.is_empty() {
        scripts.extend(first);
    }
    // Where there is none whoever starts it adds one.
    if scripts.is_empty() || scripts.iter().any(Word::has_opaque) {
        return unclear();
    }
    // Several are one text, a line each: a command may begin in one and end in the next.
    let texts: Vec<&str> = scripts.iter().map(|word| word.text.as_str()).collect();
    regex::in_every_reading(&texts.join("\n"), read)
}

/// The files that the scripts among `args` write, in any reading of their patterns.
pub(super) fn written(args: &[Word]) -> Vec<String> {
    let parts = options::read(args, &OPTIONS).unwrap_or_default();
    let texts = parts.iter().filter_map(|part| match part {
        Part::Option('e', Some(word)) | Part::Operand(word) => Some(word.text.as_str()),
        _ => None,
    });
    let mut out = Vec::new();
    for text in texts {
        for brackets in [Brackets::Ignored, Brackets::Plain, Brackets::Escaping] {
            let mut reader =
                Reader { text: text.as_bytes(), at: 0, brackets, effects: BTreeSet::new(), files: Vec::new() };
            while let Ok(true) = reader.command() {}
            out.append(&mut reader.files);
        }
    }
    out.sort_unstable();
    out.dedup();
    out
}

/// What one script does.
fn read(script: &str, brackets: Brackets) -> Result<BTreeSet<&'static str>, Trouble> {
    let mut reader = Reader { text: script.as_bytes(), at: 0, brackets, effects: BTreeSet::new(), files: Vec::new() };
    while reader.command()? {}
    Ok(reader.effects)
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    brackets: Brackets,
    effects: BTreeSet<&'static str>,
    /// What it writes.
    files: Vec<String>,
}

impl Reader<'_> {
    /// Reads one command; false at the end.
    fn command(&mut self) -> Result<bool, Trouble> {
        self.skip(|byte| byte.is_ascii_whitespace() || byte == b';' || byte == 0x0b);
        self.addresses()?;
        let Some(command) = self.next() else { return Ok(false) };
        match command {
            b'#' => self.line(),
            b'{' => {}
            b'}' | b'=' | b'd' | b'D' | b'F' | b'g' | b'G' | b'h' | b'H' | b'n' | b'N' | b'p' | b'P' | b'x' | b'z' => {
                self.ends()?;
            }
            b'l' | b'L' | b'q' | b'Q' => {
                self.blanks();
                self.skip(|byte| byte.is_ascii_digit());
                self.ends()?;
            }
            b':' | b'b' | b't' | b'T' | b'v' => self.label(command)?,
            b'a' | b'i' | b'c' => self.added()?,
            b'e' => {
                self.effects.insert(RUNS);
                self.escaped_line();
            }
            b'r' | b'R' => self.file(READS),
            b'w' | b'W' => self.file(WRITES),
            b's' | b'y' => self.substitution(command)?,
            _ => return Err(Trouble::Broken),
        }
        Ok(true)
    }

    /// A line number, `$`, `/pattern/` or `\xpatternx`, a second one, and `!`.
    fn addresses(&mut self) -> Result<(), Trouble> {
        if self.address()? {
            self.blanks();
            if self.peek() == Some(b',') {
                self.at += 1;
                self.blanks();
                self.at += usize::from(matches!(self.peek(), Some(b'+' | b'~')));
                if !self.address()? {
                    return Err(Trouble::Broken);
                }
            }
        }
        self.skip(|byte| matches!(byte, b' ' | b'\t' | b'!'));
        Ok(())
    }

    fn address(&mut self) -> Result<bool, Trouble> {
        match self.peek() {
            Some(b'$') => self.at += 1,
            Some(b'0'..=b'9') => {
                self.skip(|byte| byte.is_ascii_digit());
                self.blanks();
                if self.peek() == Some(b'~') {
                    self.at += 1;
                    self.blanks();
                    self.skip(|byte| byte.is_ascii_digit());
                }
            }
            Some(b'/') => {
                self.at += 1;
                self.pattern(b'/')?;
            }
            Some(b'\\') => {
                self.at += 1;
                let delimiter = self.delimiter()?;
                self.pattern(delimiter)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn pattern(&mut self, delimiter: u8) -> Result<(), Trouble> {
        self.at = regex::end(self.text, self.at, delimiter, self.brackets)? + 1;
        self.skip(|byte| matches!(byte, b' ' | b'\t' | b'I' | b'M'));
        Ok(())
    }

    fn delimiter(&mut self) -> Result<u8, Trouble> {
        // In some languages of the machine others are one character, in some they are a part of one.
        self.next().filter(|byte| byte.is_ascii() && !matches!(byte, b'\n' | b'\\')).ok_or(Trouble::Unclear)
    }

    /// `s/…/…/flags` and `y/…/…/`.
    fn substitution(&mut self, command: u8) -> Result<(), Trouble> {
        let delimiter = self.delimiter()?;
        let brackets = if command == b's' { self.brackets } else { Brackets::Ignored };
        self.at = regex::end(self.text, self.at, delimiter, brackets)? + 1;
        self.at = regex::end(self.text, self.at, delimiter, Brackets::Ignored)? + 1;
        if command == b'y' {
            return self.ends();
        }
        while let Some(flag) = self.peek() {
            match flag {
                b'}' | b'#' => return Ok(()),
                b'e' => {
                    self.effects.insert(RUNS);
                }
                b'g' | b'p' | b'i' | b'I' | b'm' | b'M' | b'0'..=b'9' | b' ' | b'\t' | b'\r' => {}
                b'w' => {
                    self.at += 1;
                    self.file(WRITES);
                    return Ok(());
                }
                b'\n' | b';' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(Trouble::Broken),
            }
            self.at += 1;
        }
        Ok(())
    }

    /// A label ends at a blank or `;`, and before `}` where one is jumped to.
    fn label(&mut self, command: u8) -> Result<(), Trouble> {
        self.blanks();
        self.skip(|byte| !byte.is_ascii_whitespace() && !matches!(byte, b';' | b'}'));
        // Versions differ about whether it belongs to the label.
        if command == b':' && self.peek() == Some(b'}') { Err(Trouble::Unclear) } else { Ok(()) }
    }

    /// The text of `a`, `i`, `c`: up to a line end without a backslash before it.
    fn added(&mut self) -> Result<(), Trouble> {
        self.blanks();
        let from = self.at;
        self.escaped_line();
        let text = &self.text[from..self.at];
        // `a\text`: what a backslash in it means then differs between versions.
        match text {
            [b'\\', second, rest @ ..] if *second != b'\n' && rest.contains(&b'\\') => Err(Trouble::Unclear),
            _ => Ok(()),
        }
    }

    /// The name of a file goes to the end of the line.
    fn file(&mut self, effect: &'static str) {
        self.blanks();
        let from = self.at;
        self.line();
        let file = self.text[from..self.at].trim_ascii_end();
        if !STREAMS.contains(&file) {
            self.effects.insert(effect);
            if effect == WRITES {
                self.files.push(String::from_utf8_lossy(file).into_owned());
            }
        }
    }

    /// Nothing but the end of the command may stand here.
    fn ends(&mut self) -> Result<(), Trouble> {
        self.skip(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
        match self.peek() {
            None | Some(b'}' | b'#' | b';' | b'\n') => Ok(()),
            Some(_) => Err(Trouble::Broken),
        }
    }

    fn line(&mut self) {
        self.skip(|byte| byte != b'\n');
    }

    fn escaped_line(&mut self) {
        while let Some(byte) = self.peek().filter(|byte| *byte != b'\n') {
            self.at = (self.at + if byte == b'\\' { 2 } else { 1 }).min(self.text.len());
        }
    }

    fn blanks(&mut self) {
        self.skip(|byte| matches!(byte, b' ' | b'\t'));
    }

    fn skip(&mut self, what: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&what) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }
}
