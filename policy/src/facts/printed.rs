//! What a command prints, where that is plain to see.

use super::shell::Stdin;
use super::words::{Word, decode_ansi_c};

/// Programs of which it is plain to see.
const PLAIN: &[&str] =
    &["echo", "printf", "cat", "tee", "cd", "true", ":", "export", "set", "sleep", "wait", "mkdir", "touch"];

/// What the next one in a pipe, or a file, gets.
pub(super) fn printed(name: &str, args: &[Word], stdin: &Stdin, more: bool) -> Stdin {
    if !PLAIN.contains(&name) {
        return Stdin::Stream;
    }
    let known: Option<Vec<&str>> = args.iter().map(Word::known).collect();
    let Some(known) = known.filter(|_| !more) else { return Stdin::Stream };
    let text = |text: Option<String>| text.map_or(Stdin::Stream, |text| Stdin::Known(Word::literal(text)));
    match (name, known.as_slice()) {
        ("echo", ["-e" | "-ne" | "-en", rest @ ..]) => text(unescape(&rest.join(" "))),
        ("echo", ["-n", rest @ ..]) | ("echo", rest) if !rest.first().is_some_and(|a| is_echo_option(a)) => {
            // Some shells decode escapes here and some do not: then it is not plain to see.
            let line = rest.join(" ");
            text((!line.contains('\\')).then_some(line))
        }
        ("printf", [format, rest @ ..]) if !format.starts_with('-') => text(format_with(format, rest)),
        ("cat" | "tee", [] | ["-"]) => stdin.clone(),
        ("echo" | "printf" | "cat" | "tee", _) => Stdin::Stream,
        _ => Stdin::Nothing,
    }
}

/// `-n`, `-e`, `-E` in any order; anything else is text.
fn is_echo_option(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| "neE".contains(c)))
}

/// What `printf` makes of its arguments; only `%s`, `%b`, `%%` and escapes are plain to see.
fn format_with(format: &str, args: &[&str]) -> Option<String> {
    let format = unescape(format)?;
    let mut out = String::new();
    let mut rest = args.iter();
    loop {
        let (mut chars, before) = (format.chars(), rest.len());
        while let Some(c) = chars.next() {
            match (c, (c == '%').then(|| chars.next()).flatten()) {
                ('%', Some('%')) => out.push('%'),
                ('%', Some('s')) => out.push_str(rest.next().unwrap_or(&"")),
                ('%', Some('b')) => out.push_str(&unescape(rest.next().unwrap_or(&""))?),
                ('%', _) => return None,
                _ => out.push(c),
            }
        }
        // The format is used again until the arguments are.
        if rest.len() == 0 || rest.len() == before {
            return Some(out);
        }
    }
}

/// Decodes the escapes that `echo -e` and `printf` share with `$'…'`.
fn unescape(text: &str) -> Option<String> {
    if text.contains('\\') { decode_ansi_c(text) } else { Some(text.to_owned()) }
}
