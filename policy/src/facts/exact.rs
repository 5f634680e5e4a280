//! Shell text that is one command in plain words, for those who compare commands word by word.

use brush_parser::word::{WordPiece, WordPieceWithSource};
use brush_parser::{Parser, ast};

use super::words::{decode_ansi_c, options};
use super::{braces, caps, second};

/// The words of `text`, if it is one command and nothing but: no assignment, redirection, pipe, expansion, pattern or second command,
/// and every word known before it runs.
///
/// Both parsers must read it so.
#[must_use]
pub fn words_of(text: &str) -> Option<Vec<String>> {
    if !caps::within(text) {
        return None;
    }
    let program = Parser::new(text.as_bytes(), &options()).parse_program().ok()?;
    if !second::agrees(text, &program) {
        return None;
    }
    let [list] = program.complete_commands.as_slice() else { return None };
    let [ast::CompoundListItem(and_or, ast::SeparatorOperator::Sequence)] = list.0.as_slice() else { return None };
    let pipeline = &and_or.first;
    let ([ast::Command::Simple(simple)], true) = (pipeline.seq.as_slice(), and_or.additional.is_empty()) else {
        return None;
    };
    if pipeline.bang || pipeline.timed.is_some() || simple.prefix.is_some() {
        return None;
    }
    let mut words = vec![word(&simple.word_or_name.as_ref()?.value)?];
    for item in simple.suffix.iter().flat_map(|suffix| &suffix.0) {
        // `A=1` behind the program is an argument like any other.
        let (ast::CommandPrefixOrSuffixItem::Word(one) | ast::CommandPrefixOrSuffixItem::AssignmentWord(_, one)) = item
        else {
            return None;
        };
        words.push(word(&one.value)?);
    }
    Some(words)
}

/// A word without anything that the shell would put in its place.
fn word(raw: &str) -> Option<String> {
    if braces::expand(raw).ok()?.len() != 1 {
        return None;
    }
    let mut text = String::new();
    let pieces = brush_parser::word::parse(raw, &options()).ok()?;
    pieces.iter().try_for_each(|piece| add(&mut text, piece, false))?;
    Some(text)
}

fn add(text: &mut String, piece: &WordPieceWithSource, quoted: bool) -> Option<()> {
    match &piece.piece {
        WordPiece::Text(plain) => {
            let means_more = |c: char| if quoted { "$`\\".contains(c) } else { "*?[]{}()~$`\\!^#<>|&;".contains(c) };
            if plain.contains(means_more) || plain.contains('\n') && !quoted {
                return None;
            }
            text.push_str(plain);
        }
        WordPiece::SingleQuotedText(plain) => text.push_str(plain),
        WordPiece::AnsiCQuotedText(raw) => text.push_str(&decode_ansi_c(raw)?),
        WordPiece::DoubleQuotedSequence(pieces) if !quoted => {
            pieces.iter().try_for_each(|piece| add(text, piece, true))?;
        }
        WordPiece::EscapeSequence(escaped) => {
            let plain = escaped.strip_prefix('\\').filter(|plain| *plain != "\n")?;
            text.push_str(plain);
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_command_of_plain_words_is_exact() {
        for text in [
            "",
            "ls; rm a",
            "ls && rm a",
            "ls | sh",
            "ls &",
            "! ls",
            "time ls",
            "(ls)",
            "{ ls; }",
            "A=1 ls",
            "ls > a",
            "ls 2>&1",
            "ls < a",
            "cat <<E\na\nE",
            "cat <<< a",
            "ls $x",
            "ls \"$x\"",
            "ls ${x}",
            "ls $(id)",
            "ls `id`",
            "ls \"`id`\"",
            "ls $((1))",
            "ls *",
            "ls a?",
            "ls [ab]",
            "ls ~",
            "ls ~/a",
            "ls {a,b}",
            "ls {1..3}",
            "ls <(id)",
            "ls\nrm a",
            "$'ls",
            "ls $\"a\"",
            "ls @(a)",
            "f() { ls; }",
            "[[ a ]]",
            "if",
            &"ls ".repeat(8_000),
        ] {
            assert_eq!(words_of(text), None, "{text:.40}");
        }
        for (text, want) in [
            ("ls", vec!["ls"]),
            ("  git   push origin\tmain  ", vec!["git", "push", "origin", "main"]),
            ("git push origin main;", vec!["git", "push", "origin", "main"]),
            ("git push origin main # as always", vec!["git", "push", "origin", "main"]),
            ("echo 'a $b' \"c d\" e\\ f g\"h\"'i'", vec!["echo", "a $b", "c d", "e f", "ghi"]),
            ("echo $'a\\tb' '' \"\"", vec!["echo", "a\tb", "", ""]),
            ("make A=1 b", vec!["make", "A=1", "b"]),
            ("echo \"a * ? [b] ~ {c,d}\" '*'", vec!["echo", "a * ? [b] ~ {c,d}", "*"]),
        ] {
            assert_eq!(
                words_of(text).as_deref(),
                Some(want.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>().as_slice()),
                "{text}"
            );
        }
    }
}
