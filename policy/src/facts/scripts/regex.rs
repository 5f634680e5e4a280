//! Where a pattern between delimiters ends. Programs differ about brackets, so a script is read in every way that there is.

use std::collections::BTreeSet;

use super::RUNS;

/// How a program reads `[…]` within a pattern.
#[derive(Clone, Copy, Debug)]
pub(super) enum Brackets {
    /// Like any other text: a delimiter in them ends the pattern. GNU sed before 4.9, the first awks.
    Ignored,
    /// A delimiter in them is a character like others, and so is a backslash.
    Plain,
    /// The same, but a backslash takes the character behind it.
    Escaping,
}

/// Why a script was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A program that reads it so refuses all of it before it does anything.
    Broken,
    /// Nobody can say what a program makes of it.
    Unclear,
}

/// What a script does in any reading of its patterns; what nobody can read is taken to start programs.
pub(super) fn in_every_reading(
    script: &str,
    read: impl Fn(&str, Brackets) -> Result<BTreeSet<&'static str>, Trouble>,
) -> BTreeSet<&'static str> {
    let ways: &[Brackets] = match script.contains('[') {
        true => &[Brackets::Ignored, Brackets::Plain, Brackets::Escaping],
        false => &[Brackets::Ignored],
    };
    let (mut effects, mut whole) = (BTreeSet::new(), false);
    for way in ways {
        match read(script, *way) {
            Ok(found) => {
                effects.extend(found);
                whole = true;
            }
            Err(Trouble::Broken) => {}
            Err(Trouble::Unclear) => return BTreeSet::from([RUNS]),
        }
    }
    if whole { effects } else { BTreeSet::from([RUNS]) }
}

/// Where the delimiter stands that ends the pattern which begins at `from`.
pub(super) fn end(text: &[u8], from: usize, delimiter: u8, brackets: Brackets) -> Result<usize, Trouble> {
    let mut at = from;
    while let Some(&byte) = text.get(at) {
        at = match byte {
            b'\n' => return Err(Trouble::Broken),
            _ if byte == delimiter => return Ok(at),
            b'\\' => at + 2,
            b'[' if !matches!(brackets, Brackets::Ignored) => behind_bracket(text, at, brackets)?,
            _ => at + 1,
        };
    }
    Err(Trouble::Broken)
}

/// Behind the bracket that opens at `at`. Its first `]` closes nothing, nor does one in `[:alpha:]` and its like.
fn behind_bracket(text: &[u8], open: usize, brackets: Brackets) -> Result<usize, Trouble> {
    let mut at = open + 1;
    at += usize::from(text.get(at) == Some(&b'^'));
    at += usize::from(text.get(at) == Some(&b']'));
    while let Some(&byte) = text.get(at) {
        at = match (byte, text.get(at + 1)) {
            (b']', _) => return Ok(at + 1),
            (b'\n', _) => return Err(Trouble::Broken),
            (b'\\', _) if matches!(brackets, Brackets::Escaping) => at + 2,
            (b'[', Some(&kind @ (b':' | b'.' | b'='))) => {
                let class = text[at + 2..].windows(2).take(32).position(|pair| pair == [kind, b']']);
                class.map_or(at + 1, |length| at + length + 4)
            }
            _ => at + 1,
        };
    }
    Err(Trouble::Broken)
}
