//! SQL as tokens: words, names in quotes, literals and signs, statement by statement.
//!
//! Servers differ about backslashes in literals and about what begins a comment, so a text has several readings; all of them count.

/// A piece of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A bare word, a number or a placeholder, in lower case.
    Word(String),
    /// A name in quotes.
    Name(String),
    /// A text in quotes.
    Literal(String),
    /// Any other sign.
    Sign(char),
}

impl Token {
    /// The bare word, or nothing.
    #[must_use]
    pub fn word(&self) -> &str {
        if let Self::Word(word) = self { word } else { "" }
    }

    /// Whether it is that sign.
    #[must_use]
    pub fn is(&self, sign: char) -> bool {
        *self == Self::Sign(sign)
    }
}

/// How a server reads what servers differ about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Standard,
    /// A backslash escapes, `#` begins a comment, `--` does with a blank behind it only.
    MySql,
    /// Comments nest.
    Postgres,
}

/// The statements of a text in each reading.
#[must_use]
pub fn readings(text: &str) -> Vec<Vec<Vec<Token>>> {
    let mut out = vec![read(text, Dialect::Standard)];
    if text.matches("/*").count() > 1 {
        let other = read(text, Dialect::Postgres);
        if other != out[0] {
            out.push(other);
        }
    }
    if text.contains(['\\', '#']) || text.contains("--") {
        let other = read(text, Dialect::MySql);
        if !out.contains(&other) {
            out.push(other);
        }
    }
    out
}

fn read(text: &str, dialect: Dialect) -> Vec<Vec<Token>> {
    let mut out = vec![Vec::new()];
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let behind = &rest[c.len_utf8()..];
        let mut add = |token| out.last_mut().expect("one to begin with").push(token);
        let mysql = dialect == Dialect::MySql;
        let dashes = rest.strip_prefix("--").filter(|b| !mysql || b.is_empty() || b.starts_with(char::is_whitespace));
        rest = if dashes.is_some() || mysql && c == '#' {
            rest.find('\n').map_or("", |at| &rest[at..])
        } else if rest.starts_with("/*!") || rest.starts_with("/*+") {
            // Some servers run what stands in these.
            rest[3..].trim_start_matches(|c: char| c.is_ascii_digit())
        } else if let Some(comment) = rest.strip_prefix("/*") {
            behind_comment(comment, dialect == Dialect::Postgres)
        } else if let Some(behind) = rest.strip_prefix("*/") {
            behind
        } else if c == '\'' {
            let (literal, behind) = quoted(behind, c, mysql);
            add(Token::Literal(literal));
            behind
        } else if matches!(c, '"' | '`') {
            let (name, behind) = quoted(behind, c, mysql && c == '"');
            add(Token::Name(name.to_lowercase()));
            behind
        } else if c == ';' {
            out.push(Vec::new());
            behind
        } else if c.is_whitespace() {
            behind
        } else {
            let of_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '@' | '$');
            let end = behind.find(|c: char| !of_word(c)).unwrap_or(behind.len());
            let escaped = matches!(c, 'e' | 'E') && end == 0 && behind.starts_with('\'');
            if escaped {
                let (literal, behind) = quoted(&behind[1..], '\'', true);
                add(Token::Literal(literal));
                behind
            } else if of_word(c) && c != '$'
                || matches!(c, ':' | '$') && behind.starts_with(|c: char| c.is_alphanumeric())
            {
                add(Token::Word(rest[..c.len_utf8() + end].to_lowercase()));
                &behind[end..]
            } else {
                add(Token::Sign(c));
                behind
            }
        };
    }
    out.retain(|statement| !statement.is_empty());
    out
}

/// What stands behind a comment that is open already.
fn behind_comment(mut text: &str, nests: bool) -> &str {
    let mut depth = 1_usize;
    while let Some(end) = text.find("*/") {
        match text.find("/*").filter(|open| nests && *open < end) {
            Some(open) => (depth, text) = (depth + 1, &text[open + 2..]),
            None => (depth, text) = (depth - 1, &text[end + 2..]),
        }
        if depth == 0 {
            return text;
        }
    }
    ""
}

/// What stands up to the closing quote, of which two in a row are one within, and what stands behind it.
fn quoted(text: &str, quote: char, escapes: bool) -> (String, &str) {
    let (mut out, mut chars) = (String::new(), text.char_indices().peekable());
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if escapes => out.extend(chars.next().map(|(_, c)| c)),
            _ if c == quote => {
                if chars.next_if(|(_, c)| *c == quote).is_none() {
                    return (out, &text[at + c.len_utf8()..]);
                }
                out.push(quote);
            }
            _ => out.push(c),
        }
    }
    (out, "")
}

/// Where the parenthesis that opens at `open` closes, or the end.
#[must_use]
pub fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let token = |token: &Token| match token {
            Token::Word(word) => word.clone(),
            Token::Name(name) => format!("[{name}]"),
            Token::Literal(text) => format!("'{text}'"),
            Token::Sign(sign) => sign.to_string(),
        };
        let statement = |tokens: &Vec<Token>| tokens.iter().map(token).collect::<Vec<_>>().join(" ");
        let reading = |reading: &Vec<Vec<Token>>| reading.iter().map(statement).collect::<Vec<_>>().join(" ; ");
        readings(text).iter().map(reading).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn what_servers_differ_about_is_read_both_ways() {
        for (text, want) in [
            ("SELECT a, 'b''c' FROM \"T\";drop", "select a , 'b'c' from [t] ; drop"),
            ("select 1 -- drop\n+2", "select 1 + 2"),
            ("drop/**/table t", "drop table t"),
            ("/*!50000 drop */ t", "drop t"),
            ("a $1 :x ? @y", "a $1 :x ? @y"),
            ("'a\\'; drop t; --'", "'a\\' ; drop t | 'a'; drop t; --'"),
            ("E'a\\'; drop'", "'a'; drop'"),
            ("5--1; drop", "5 | 5 - - 1 ; drop"),
            ("a=1 # where b", "a = 1 # where b | a = 1"),
            ("'open", "'open'"),
            ("$$ drop $$", "$ $ drop $ $"),
        ] {
            assert_eq!(shown(text), want, "{text}");
        }
    }

    #[test]
    fn parentheses_close_where_they_close() {
        let tokens = &readings("a (b (c) d) e")[0][0];
        assert_eq!(closing(tokens, 1), 7);
        assert_eq!(closing(&readings("( a")[0][0], 0), 2);
    }
}
