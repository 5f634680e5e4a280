//! Text of an agent, shown so that nobody is fooled by what they cannot see.
//!
//! An approval is only worth something when the person sees what will be sent. Characters that are invisible, that turn the
//! direction of writing, or that look like others are shown by their number; references to secrets stand out.

use askama::Template;
use askama::filters::HtmlSafe;

use super::words;

/// Text cut into pieces by how they are shown. The concatenation of the pieces is the text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Template)]
#[template(path = "components/exact.html")]
pub struct Exact {
    pieces: Vec<Piece>,
    lines: u64,
    bytes: u64,
}

/// The template escapes every piece.
impl HtmlSafe for Exact {}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Plain(String),
    /// `SECRET_REF(name)`.
    Secret(String),
    /// One character by its number: `U+202E`.
    Odd(String),
}

/// What the text is, which decides which characters are suspicious.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Prose or a body: letters of every script are at home.
    Prose,
    /// One line, such as a path: as prose, but a line break does not belong there.
    Name,
    /// An address of the net: everything beyond visible ASCII can be a look-alike.
    Address,
}

impl Exact {
    /// Prose, a body, a command.
    #[must_use]
    pub fn prose(text: &str) -> Self {
        Self::new(text, Kind::Prose)
    }

    /// A path, the name of a file or program.
    #[must_use]
    pub fn name(text: &str) -> Self {
        Self::new(text, Kind::Name)
    }

    /// An address, a host, a header.
    #[must_use]
    pub fn address(text: &str) -> Self {
        Self::new(text, Kind::Address)
    }

    fn new(text: &str, kind: Kind) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, secret, after)) = next_secret(rest) {
            plain(before, kind, &mut pieces);
            pieces.push(Piece::Secret(secret.to_owned()));
            rest = after;
        }
        plain(rest, kind, &mut pieces);
        let lines = text.lines().count().max(1) as u64;
        Self { pieces, lines, bytes: text.len() as u64 }
    }

    /// `84 lines, 4.1 kB`.
    #[must_use]
    pub fn size(&self) -> String {
        format!("{}, {}", words::plural(self.lines, "line", "lines"), words::bytes(self.bytes))
    }

    /// Whether it is too long to stand open in a list.
    #[must_use]
    pub const fn long(&self) -> bool {
        self.lines > 24 || self.bytes > 2400
    }

    /// Whether there is nothing to show.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Whether the text holds characters that are shown by their number.
    #[must_use]
    pub fn has_odd(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Odd(_)))
    }
}

/// The text before the first well-formed reference, the reference, and the text after it.
fn next_secret(text: &str) -> Option<(&str, &str, &str)> {
    const OPEN: &str = "SECRET_REF(";
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find(OPEN)) {
        let start = from + found;
        let name_at = start + OPEN.len();
        let name =
            text[name_at..].bytes().take_while(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_').count();
        let end = name_at + name;
        if (1..=64).contains(&name) && text[end..].starts_with(')') {
            return Some((&text[..start], &text[start..=end], &text[end + 1..]));
        }
        from = name_at;
    }
    None
}

fn plain(text: &str, kind: Kind, pieces: &mut Vec<Piece>) {
    let mut run = String::new();
    for char in text.chars() {
        if is_odd(char, kind) {
            if !run.is_empty() {
                pieces.push(Piece::Plain(std::mem::take(&mut run)));
            }
            pieces.push(Piece::Odd(format!("U+{:04X}", u32::from(char))));
        } else {
            run.push(char);
        }
    }
    if !run.is_empty() {
        pieces.push(Piece::Plain(run));
    }
}

/// Characters that show nothing, move what stands beside them, or are not what they seem.
///
/// Source: Unicode 17, general categories Cc, Cf, Zl, Zp, Co, the spaces of Zs, default-ignorable code points; UTS 39, section 5
/// (mixed scripts), answered for addresses by showing all that is not ASCII.
fn is_odd(char: char, kind: Kind) -> bool {
    match char {
        '\n' | '\t' => kind != Kind::Prose,
        ' ' => false,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{a0}' | '\u{ad}' => true,
        '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{1680}' | '\u{17b4}'..='\u{17b5}' => true,
        '\u{180b}'..='\u{180f}' | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' => true,
        '\u{2800}' | '\u{3000}' | '\u{3164}' | '\u{fe00}'..='\u{fe0e}' | '\u{feff}' | '\u{ffa0}' => true,
        '\u{fff0}'..='\u{fffc}' | '\u{e000}'..='\u{f8ff}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'.. => true,
        _ => kind == Kind::Address && !char.is_ascii_graphic(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(exact: &Exact) -> String {
        let each = exact.pieces.iter().map(|piece| match piece {
            Piece::Plain(text) => text.clone(),
            Piece::Secret(text) => format!("[{text}]"),
            Piece::Odd(text) => format!("<{text}>"),
        });
        each.collect()
    }

    #[test]
    fn what_the_eye_misses_is_shown() {
        for (text, expected) in [
            ("pay\u{202e}gnp.exe", "pay<U+202E>gnp.exe"),
            ("a\u{200b}b", "a<U+200B>b"),
            ("a\u{e0041}b", "a<U+E0041>b"),
            ("a\rb", "a<U+000D>b"),
            ("Grüße, 世界\n\tEnde 👋", "Grüße, 世界\n\tEnde 👋"),
        ] {
            assert_eq!(shown(&Exact::prose(text)), expected);
        }
    }

    #[test]
    fn addresses_admit_no_look_alikes() {
        assert_eq!(shown(&Exact::address("https://\u{430}pple.com/ä\n")), "https://<U+0430>pple.com/<U+00E4><U+000A>");
        assert!(!Exact::address("https://apple.com/a b").has_odd());
        assert_eq!(shown(&Exact::name("März\n.pdf")), "März<U+000A>.pdf");
    }

    #[test]
    fn references_to_secrets_stand_out() {
        for (text, expected) in [
            ("Bearer SECRET_REF(mail_key)!", "Bearer [SECRET_REF(mail_key)]!"),
            ("SECRET_REF(a)SECRET_REF(b)", "[SECRET_REF(a)][SECRET_REF(b)]"),
            ("SECRET_REF(SECRET_REF(a)", "SECRET_REF([SECRET_REF(a)]"),
            ("SECRET_REF(A)", "SECRET_REF(A)"),
            ("SECRET_REF(", "SECRET_REF("),
            ("SECRET_REF(ä)", "SECRET_REF(ä)"),
        ] {
            assert_eq!(shown(&Exact::prose(text)), expected);
        }
    }

    #[test]
    fn hostile_text_stays_text() {
        let html = Exact::prose("<script>alert(1)</script>\" onload='x' SECRET_REF(a)").render().unwrap();
        assert!(!html.contains("<script") && !html.contains("onload='"), "{html}");
    }

    #[test]
    fn size_counts_lines_and_bytes() {
        assert_eq!(Exact::prose("a\nb").size(), "2 lines, 3 bytes");
        assert!(Exact::prose("").is_empty());
        assert!(Exact::prose(&"x\n".repeat(30)).long());
    }
}
