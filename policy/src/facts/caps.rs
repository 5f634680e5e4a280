//! Limits that hold before any parser sees a text: both parsers may exhaust the stack or the clock on deep input.

/// Bytes of one shell text.
pub(super) const MAX_BYTES: usize = 16 * 1024;
/// Nesting of brackets and compound commands, and of texts within texts.
pub(super) const MAX_DEPTH: usize = 20;
/// Simple commands of one call.
pub(super) const MAX_COMMANDS: usize = 200;

/// Totals that bound the parsers whatever the quoting is; nothing honest comes near them.
const MAX_SUBSTITUTIONS: usize = 60;
const MAX_PARENS: usize = 400;
const MAX_BRACES: usize = 800;
const MAX_SEPARATORS: usize = 2_000;
/// Operators of a text with arithmetic in it: each may nest the next.
const MAX_OPERATORS: usize = 400;
/// `! ! ! !`, `time time`: each nests the next without a bracket.
const MAX_PREFIXES: usize = 20;
/// `a[a[…`: each index may hold the next. Escape sequences for colours are the same to the eye, so it is no small number.
const MAX_INDICES: usize = 200;
/// `elif`: each nests the rest.
const MAX_ELIFS: usize = 50;
/// `case … in`: a parser that reads each pattern in two ways needs twice the time for each that stands in another.
const MAX_CASES: usize = 10;

/// Whether `text` may be handed to the parsers. No allocation.
pub(super) fn within(text: &str) -> bool {
    text.len() <= MAX_BYTES && {
        let totals = Totals::of(text);
        // What is hardly there at all nests no deeper.
        totals.are_low(text)
            && (totals.nest_little() || brackets_are_shallow(text))
            && (totals.bangs <= MAX_PREFIXES || bangs_are_few(text))
            && keywords_are_shallow(text)
    }
}

#[derive(Default)]
struct Totals {
    bangs: usize,
    substitutions: usize,
    backticks: usize,
    operators: usize,
    parens: usize,
    braces: usize,
    brackets: usize,
    separators: usize,
    arithmetic: bool,
}

/// What [`Totals`] count; most letters of a text are none of it.
const COUNTED: [bool; 256] = {
    let (mut out, mut at) = ([false; 256], 0);
    let counted = b"([`{;|&\n-+~!?*=";
    while at < counted.len() {
        out[counted[at] as usize] = true;
        at += 1;
    }
    out
};

impl Totals {
    fn of(text: &str) -> Self {
        let mut all = Self::default();
        let bytes = text.as_bytes();
        for (at, byte) in bytes.iter().enumerate().filter(|(_, byte)| COUNTED[usize::from(**byte)]) {
            let before = at.checked_sub(1).map_or(0, |before| bytes[before]);
            match byte {
                b'(' => {
                    all.parens += 1;
                    all.substitutions += usize::from(matches!(before, b'$' | b'<' | b'>'));
                    all.arithmetic |= before == b'(';
                }
                b'[' => {
                    all.brackets += 1;
                    all.substitutions += usize::from(before == b'$');
                    all.arithmetic |= before == b'$';
                }
                b'`' => all.backticks += 1,
                b'{' => all.braces += 1,
                b';' | b'|' | b'&' | b'\n' => all.separators += 1,
                operator => {
                    all.operators += 1;
                    all.bangs += usize::from(*operator == b'!');
                }
            }
        }
        all
    }

    fn are_low(&self, text: &str) -> bool {
        self.substitutions + self.backticks / 2 <= MAX_SUBSTITUTIONS
            && (!self.arithmetic || self.operators <= MAX_OPERATORS)
            && self.parens <= MAX_PARENS
            && self.braces <= MAX_BRACES
            && self.separators <= MAX_SEPARATORS
            && cases(text) <= MAX_CASES
    }

    const fn nest_little(&self) -> bool {
        self.parens + self.braces <= MAX_DEPTH && self.brackets <= MAX_INDICES
    }
}

/// How many `case … in` there can be, wherever and however they nest.
fn cases(text: &str) -> usize {
    if !text.contains("case") {
        return 0;
    }
    let words = || text.split(|c: char| !c.is_ascii_alphanumeric());
    words().filter(|word| *word == "case").count().min(words().filter(|word| *word == "in").count())
}

/// Depth of brackets, once as if there were no quotes and once with quotes honoured: data in quotes may close what code
/// opened in the first count, a stray quote may hide code in the second.
fn brackets_are_shallow(text: &str) -> bool {
    let (mut plain, mut quoted, mut indices) = (0_usize, 0_usize, 0_usize);
    let (mut single, mut escaped) = (false, false);
    for byte in text.bytes() {
        if escaped {
            escaped = false;
            continue;
        }
        match byte {
            b'\\' if !single => escaped = true,
            b'\'' => single = !single,
            b'(' | b'{' => {
                plain += 1;
                quoted += usize::from(!single);
            }
            b')' | b'}' => {
                plain = plain.saturating_sub(1);
                quoted = quoted.saturating_sub(usize::from(!single));
            }
            b'[' => indices += 1,
            b']' => indices = indices.saturating_sub(1),
            _ => {}
        }
        if indices > MAX_INDICES || plain > MAX_DEPTH && quoted > MAX_DEPTH {
            return false;
        }
    }
    true
}

/// Depth of `if`, `while` and the like where a command may begin.
fn keywords_are_shallow(text: &str) -> bool {
    let (mut depth, mut prefixes, mut elifs) = (0_usize, 0_usize, 0_usize);
    let begins = |byte: &u8| matches!(byte, b'\n' | b';' | b'|' | b'&' | b'(' | b'{' | b'`');
    text.as_bytes().split(begins).all(|line| {
        for word in line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
            match word {
                b"if" | b"while" | b"until" | b"for" | b"case" | b"select" => depth += 1,
                b"fi" | b"done" | b"esac" => depth = depth.saturating_sub(1),
                b"!" | b"time" | b"coproc" => prefixes += 1,
                b"elif" => elifs += 1,
                b"then" | b"else" | b"do" => {}
                _ => {
                    prefixes = 0;
                    break;
                }
            }
            if depth > MAX_DEPTH || prefixes > MAX_PREFIXES || elifs > MAX_ELIFS {
                return false;
            }
        }
        true
    })
}

/// How many `!` stand in a row.
fn bangs_are_few(text: &str) -> bool {
    let mut bangs = 0;
    text.split_ascii_whitespace().all(|word| {
        bangs = if word == "!" { bangs + 1 } else { 0 };
        bangs <= MAX_PREFIXES
    })
}
