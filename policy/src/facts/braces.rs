//! Brace expansion, with bounds: `{a,b}` and `{1..3}` outside quotes.

use brush_parser::word::WordPiece;

use super::words::options;

/// Words that one word may become.
const MAX_WORDS: usize = 64;
/// Opening braces outside quotes in one word.
const MAX_OPEN: usize = 16;

/// The word would become too many.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany;

/// The raw words that `raw` becomes; itself alone where there is nothing to expand.
pub(super) fn expand(raw: &str) -> Result<Vec<String>, TooMany> {
    if !may_expand(raw) {
        return Ok(vec![raw.to_owned()]);
    }
    let active = active_bytes(raw);
    if active.iter().filter(|(_, byte)| *byte == b'{').count() > MAX_OPEN {
        return Err(TooMany);
    }
    let Some((open, close, choices)) = first_group(raw, &active) else { return Ok(vec![raw.to_owned()]) };
    let heads = choices.iter().map(|choice| expand(choice)).collect::<Result<Vec<_>, _>>()?.concat();
    let tails = expand(&raw[close + 1..])?;
    if heads.len() * tails.len() > MAX_WORDS {
        return Err(TooMany);
    }
    let before = &raw[..open];
    Ok(heads.iter().flat_map(|head| tails.iter().map(move |tail| format!("{before}{head}{tail}"))).collect())
}

/// Whether there is anything in it that might be expanded.
pub(super) fn may_expand(raw: &str) -> bool {
    raw.contains('{') && (raw.contains(',') || raw.contains(".."))
}

/// The braces and commas that no quote protects, with their places. Where the word cannot be read nothing is expanded: it
/// will be noted when it is opened.
fn active_bytes(raw: &str) -> Vec<(usize, u8)> {
    let pieces = brush_parser::word::parse(raw, &options()).unwrap_or_default();
    let texts = pieces.iter().filter(|piece| matches!(piece.piece, WordPiece::Text(_)));
    texts
        .flat_map(|piece| piece.start_index..piece.end_index)
        .filter_map(|at| raw.as_bytes().get(at).map(|byte| (at, *byte)))
        .filter(|(_, byte)| matches!(byte, b'{' | b'}' | b','))
        .collect()
}

/// The first group that expands: its braces and the choices within.
fn first_group(raw: &str, active: &[(usize, u8)]) -> Option<(usize, usize, Vec<String>)> {
    active.iter().enumerate().filter(|(_, (_, byte))| *byte == b'{').find_map(|(nth, (open, _))| {
        let mut depth = 0_usize;
        let mut cuts = vec![*open];
        for (at, byte) in &active[nth..] {
            match byte {
                b'{' => depth += 1,
                b',' if depth == 1 => cuts.push(*at),
                b'}' => {
                    depth -= 1;
                    if depth == 0 {
                        cuts.push(*at);
                        return choices(raw, &cuts).map(|choices| (*open, *at, choices));
                    }
                }
                _ => {}
            }
        }
        None
    })
}

fn choices(raw: &str, cuts: &[usize]) -> Option<Vec<String>> {
    if let [open, close] = cuts {
        return sequence(&raw[open + 1..*close]);
    }
    Some(cuts.windows(2).map(|pair| raw[pair[0] + 1..pair[1]].to_owned()).collect())
}

/// `1..5`, `a..e`, `1..9..2`.
fn sequence(text: &str) -> Option<Vec<String>> {
    let parts: Vec<&str> = text.split("..").collect();
    let (first, last, step) = match parts.as_slice() {
        [first, last] => (*first, *last, 1),
        [first, last, step] => (*first, *last, step.parse::<i64>().ok()?.unsigned_abs().max(1)),
        _ => return None,
    };
    let one_char = |text: &str| text.parse::<char>().ok().filter(char::is_ascii_alphabetic);
    let (from, to, letters) = match (first.parse::<i64>(), last.parse::<i64>()) {
        (Ok(from), Ok(to)) => (from, to, false),
        _ => (i64::from(u32::from(one_char(first)?)), i64::from(u32::from(one_char(last)?)), true),
    };
    let count = (from.abs_diff(to) / step).min(MAX_WORDS as u64);
    let name = |i: u64| {
        let moved = i64::try_from(i * step).unwrap_or(i64::MAX);
        let value = if from <= to { from.saturating_add(moved) } else { from.saturating_sub(moved) };
        if letters {
            u32::try_from(value).ok().and_then(char::from_u32).map(String::from)
        } else {
            Some(value.to_string())
        }
    };
    (0..=count).map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_expand_as_in_bash() {
        for (raw, want) in [
            ("a", vec!["a"]),
            ("{a,b}", vec!["a", "b"]),
            ("x{a,b}y", vec!["xay", "xby"]),
            ("{a,b}{c,d}", vec!["ac", "ad", "bc", "bd"]),
            ("{a,{b,c}}", vec!["a", "b", "c"]),
            ("{a,}", vec!["a", ""]),
            ("{a}", vec!["{a}"]),
            ("{a,b", vec!["{a,b"]),
            ("{{a,b}", vec!["{a", "{b"]),
            ("{1..3}", vec!["1", "2", "3"]),
            ("{3..1..2}", vec!["3", "1"]),
            ("{a..c}", vec!["a", "b", "c"]),
            ("'{a,b}'", vec!["'{a,b}'"]),
            ("\"{a,b}\"", vec!["\"{a,b}\""]),
            ("\\{a,b}", vec!["\\{a,b}"]),
            ("{'a,b',c}", vec!["'a,b'", "c"]),
            ("${x,y}", vec!["${x,y}"]),
        ] {
            assert_eq!(expand(raw).unwrap(), want, "{raw}");
        }
        for raw in ["{1..99}".to_owned(), "{a,b}".repeat(7), "{a,".repeat(17), "{1..9223372036854775807}".to_owned()] {
            assert_eq!(expand(&raw), Err(TooMany), "{raw}");
        }
    }
}
