//! What already stands in the place of a secret must stay: text is redacted again each time that it is sent again.

use std::ops::Range;

use crate::cursor::{BEHIND, Cursor, More};

/// Longest kind, in bytes.
const KIND: usize = 64;

/// Longest name of a secret, in bytes.
pub(crate) const NAME: usize = 64;

/// What a name is made of.
pub(crate) const fn in_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b':')
}

/// Whether `found` touches a placeholder: all of `[REDACTED:kind:xxxx]` with a known kind, so that nothing else hides behind
/// its look, or the name in `SECRET_REF(name)`.
pub(crate) fn holds(
    text: &[u8],
    found: &Range<usize>,
    ended: bool,
    known: impl Fn(&[u8]) -> bool,
) -> Result<bool, More> {
    let from = found.start.saturating_sub(BEHIND);
    let before = &text[from..found.start];
    let named = before.iter().rev().take_while(|b| in_name(**b)).count();
    if before[..before.len() - named].ends_with(b"SECRET_REF(") && text[found.clone()].iter().all(|b| in_name(*b)) {
        let mut cursor = Cursor::new(text, found.end, ended);
        cursor.run(NAME, in_name)?;
        return Ok(cursor.peek()? == Some(b')'));
    }
    for at in (from..found.end).filter(|&at| text[at] == b'[') {
        let mut cursor = Cursor::new(text, at, ended);
        if !cursor.word(b"[REDACTED:")? {
            continue;
        }
        let kind = cursor.run(KIND, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')?;
        let whole = cursor.word(b":")? && cursor.run(4, |b| b.is_ascii_hexdigit())?.len() == 4 && cursor.word(b"]")?;
        if whole && known(kind) && cursor.at > found.start {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_placeholder_of_a_known_kind_counts() {
        let check = |text: &str, part: &str, ended| {
            let start = text.find(part).unwrap();
            holds(text.as_bytes(), &(start..start + part.len()), ended, |kind| kind == b"jwt")
        };
        assert_eq!(check("a [REDACTED:jwt:0a1b] b", "jwt", true), Ok(true));
        assert_eq!(check("a [REDACTED:jwt:0a1b] b", "a [REDACTED", true), Ok(true));
        assert_eq!(check("a [REDACTED:jwt:0a1b] b", " b", true), Ok(false));
        assert_eq!(check("a [REDACTED:jwt:0a1", "jwt", true), Ok(false));
        assert_eq!(check("a [REDACTED:jwt:0a1", "jwt", false), Err(More));
        assert_eq!(check("a [REDACTED:q9x2mn7pk4:0a1b]", "q9x2mn7pk4", true), Ok(false));
        assert_eq!(check("a [REDACTED:jwt:q9x2mn7pk4]", "q9x2mn7pk4", true), Ok(false));
        assert_eq!(check("SECRET_REF(github_token)", "github_token", true), Ok(true));
        assert_eq!(check("SECRET_REF(github_token)", "token", true), Ok(true));
        assert_eq!(check("SECRET_REF(prod/github:token)", "token", true), Ok(true));
        assert_eq!(check("SECRET_REF(github_token", "github_token", true), Ok(false));
        assert_eq!(check("SECRET_REF(x) github_token)", "token", true), Ok(false));
    }
}
