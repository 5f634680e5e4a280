//! Words that need no parser: most of all that anybody writes.

use super::words::Word;

/// Letters that mean nothing but themselves to a shell, wherever in a word they stand.
const AS_IT_IS: [bool; 256] = {
    let (mut out, mut at) = ([false; 256], 0);
    while at < 128 {
        out[at] = matches!(at as u8, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9')
            || matches!(at as u8, b'_' | b'-' | b'.' | b'/' | b':' | b',' | b'+' | b'=' | b'@' | b'%' | b'^');
        at += 1;
    }
    out
};

/// The word that `raw` becomes if it consists of letters that mean themselves, patterns of file names and quotes around plain text.
pub(super) fn plain(raw: &str) -> Option<Word> {
    if raw.bytes().all(|byte| AS_IT_IS[usize::from(byte)]) {
        return Some(Word::literal(raw));
    }
    if let Some(inner) =
        raw.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).filter(|rest| !rest.contains('\''))
    {
        return Some(Word::literal(inner));
    }
    // What these mean depends on where they stand.
    if raw.bytes().any(|byte| matches!(byte, b'$' | b'`' | b'\\')) {
        return None;
    }
    let mut word = Word::default();
    let mut rest = raw;
    while let Some(first) = rest.bytes().next() {
        let (part, behind) = if matches!(first, b'\'' | b'"') {
            rest[1..].split_once(char::from(first))?
        } else {
            let plain = |byte| AS_IT_IS[usize::from(byte)] || matches!(byte, b'*' | b'?');
            let end = rest.bytes().position(|byte| !plain(byte)).unwrap_or(rest.len());
            let (part, behind) = rest.split_at_checked(end).filter(|(part, _)| !part.is_empty())?;
            word.glob |= part.bytes().any(|byte| matches!(byte, b'*' | b'?'));
            (part, behind)
        };
        word.text.reserve_exact(part.len() + behind.len());
        word.text.push_str(part);
        rest = behind;
    }
    Some(word)
}

#[cfg(test)]
mod tests {
    use super::super::Note;
    use super::super::words::{Surroundings, parsed};
    use super::*;

    /// Knows no variable, and is never asked to run anything.
    struct Nobody;

    impl Surroundings for Nobody {
        fn value_of(&self, _: &str) -> Option<String> {
            None
        }
        fn is_one_word(&self, _: &str) -> bool {
            false
        }
        fn is_set(&self, name: &str) -> bool {
            panic!("{name}");
        }
        fn substitution(&mut self, code: &str) {
            panic!("{code}");
        }
        fn evaluates(&mut self, expression: &str) {
            panic!("{expression}");
        }
        fn assigns(&mut self, name: &str) {
            panic!("{name}");
        }
        fn note(&mut self, note: Note) {
            panic!("{note:?}");
        }
    }

    #[test]
    fn what_needs_no_parser_is_what_the_parser_reads() {
        #[rustfmt::skip]
        let pieces = [
            "", "a", "-x=", "*", "?", ".md", "@", "+", "'a b'", "'*'", "''", "\"x y\"", "\"[a]\"", "\"\"", "'\"'", "\"'\"", "'('", "'é'",
            "é", "~", "[", "]", "{a,b}", "'$'", "\"$a\"", "$a", "\\", "'\\'", "`a`", "'", "\"", "!", "#", "(", ">",
        ];
        let (mut plainly, mut others) = (0, 0);
        for one in pieces {
            for two in pieces {
                for three in pieces {
                    let raw = [one, two, three].concat();
                    match plain(&raw) {
                        Some(word) => {
                            assert_eq!(word, parsed(&raw, &mut Nobody), "{raw}");
                            plainly += 1;
                        }
                        None => others += 1,
                    }
                }
            }
        }
        assert!(plainly > 5_000 && others > plainly, "{plainly} plain, {others} others");
    }

    #[test]
    fn what_means_more_than_it_says_is_left_to_the_parser() {
        for raw in [
            "$a",
            "a$b",
            "`a`",
            "\\a",
            "a\\",
            "~",
            "~/a",
            "[a]",
            "{a,b}",
            "a'b",
            "\"a",
            "!(a)",
            "\"$a\"b",
            "a'$'\"[x]\"",
        ] {
            assert_eq!(plain(raw), None, "{raw}");
        }
        for (raw, text, glob) in [
            ("a'b c'\"d\"", "ab cd", false),
            ("--x='*.md'", "--x=*.md", false),
            ("a/*.md", "a/*.md", true),
            ("'$a'", "$a", false),
        ] {
            assert_eq!(plain(raw), Some(Word { text: text.to_owned(), glob, many: false }), "{raw}");
        }
    }
}
