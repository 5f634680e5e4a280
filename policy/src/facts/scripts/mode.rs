//! The modes of `chmod`: whether one lets a program run with its owner's rights, or everybody write.

use super::super::words::Word;
use super::OPENS;

/// What the mode among `args` does.
pub(super) fn effects(args: &[Word]) -> Vec<&'static str> {
    let mut options = true;
    for word in args {
        let text = word.text.as_str();
        if options && text == "--" {
            options = false;
        } else if !options || !text.starts_with('-') || takes_away(text) {
            // The first operand; what follows are files.
            return if opens(text) { vec![OPENS] } else { Vec::new() };
        }
    }
    Vec::new()
}

/// `-w`, `-x+s`: a mode that begins with what it takes away.
fn takes_away(text: &str) -> bool {
    text[1..].starts_with(['r', 'w', 'x', 'X', 's', 't', 'u', 'g', 'o', '0', '1', '2', '3', '4', '5', '6', '7'])
}

fn opens(mode: &str) -> bool {
    if !mode.is_empty() && mode.bytes().all(|byte| byte.is_ascii_digit()) {
        return u32::from_str_radix(mode, 8).map_or(true, |bits| bits & 0o6002 != 0);
    }
    mode.split(',').any(clause_opens)
}

/// `ugo+rwx-x`: who, then signs with letters behind each.
fn clause_opens(clause: &str) -> bool {
    let signs = ['+', '-', '='];
    let Some(first) = clause.find(signs) else { return false };
    let others = clause[..first].contains(['o', 'a']);
    let mut rest = &clause[first..];
    while let Some(sign) = rest.chars().next() {
        let letters = &rest[1..rest[1..].find(signs).map_or(rest.len(), |at| at + 1)];
        // `o=u` gives others what the owner has.
        let wide = letters.contains('w') || letters.contains(['u', 'g']);
        if sign != '-' && (letters.contains('s') || others && wide || digits_open(letters)) {
            return true;
        }
        rest = &rest[1 + letters.len()..];
    }
    false
}

fn digits_open(letters: &str) -> bool {
    u32::from_str_radix(letters, 8).is_ok_and(|bits| bits & 0o6002 != 0)
}
