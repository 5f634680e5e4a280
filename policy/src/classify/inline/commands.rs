//! Code of Tcl: commands, each of which begins with its name.

/// Commands that compute and print, sorted; any other acts, is not known, or is a program where Tcl finds none of that name.
const COMMANDS: &[&str] = &[
    "append", "break", "clock", "concat", "continue", "expr", "flush", "format", "incr", "info", "join", "lappend",
    "lindex", "linsert", "list", "llength", "lrange", "lrepeat", "lreplace", "lreverse", "lsearch", "puts", "return",
    "set", "split", "string", "unset",
];

/// Whether each command is listed, wherever one may begin.
pub(super) fn is_harmless(text: &str) -> bool {
    let mut begins = true;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if begins && !c.is_whitespace() && !matches!(c, ';' | '[' | ']' | '{' | '}' | '"') {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            // A number is data, and so is a list of them.
            let number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
            let ends = behind.is_empty() || behind.starts_with([' ', '\t', '\n', ';', ']', '}', '"']);
            if !(number || ends && COMMANDS.binary_search(&word).is_ok()) {
                return false;
            }
            begins = false;
            rest = behind;
            continue;
        }
        begins = matches!(c, '\n' | ';' | '[' | '{') || begins && (c.is_whitespace() || matches!(c, ']' | '}' | '"'));
        // What is escaped, or taken apart into words of its own, is read otherwise than it is written.
        if matches!(c, '\\' | '\u{fffc}') || rest.starts_with("{*}") {
            return false;
        }
        rest = &rest[c.len_utf8()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_is_not_listed_is_not_harmless() {
        assert!(COMMANDS.is_sorted_by(|a, b| a < b), "{COMMANDS:?}");
        for text in [
            "exec id",
            "foo",
            "foo bar",
            "puts [exec id]",
            "puts [foo]",
            "set a b; exec id",
            "set a b\nexec id",
            "if {1} {exec id}",
            "eval {exec id}",
            "expr {[exec id]}",
            "$cmd a",
            "puts {[exec id]}",
            "e\\x65c id",
            "{*}{exec id}",
            "\"exec\" id",
            "{exec} id",
            "open |id",
            "source a",
            "socket a 1",
            "file delete a",
            "uplevel {exec id}",
            "putsx a",
            "exec",
            "interp alias {} puts {} exec",
            "rename exec puts; puts id",
            "::exec id",
            "expr 1; id",
            "string map {} [id]",
            "puts-x",
            "lsort -command exec {a b}",
            "\u{fffc}",
        ] {
            assert!(!is_harmless(text), "{text}");
        }
        for text in [
            "",
            "puts 1",
            "puts \"a b\"",
            "set a 1\nincr a; puts $a",
            "puts [expr {1 + 2}]",
            "puts [string length abc]",
        ] {
            assert!(is_harmless(text), "{text}");
        }
    }
}
