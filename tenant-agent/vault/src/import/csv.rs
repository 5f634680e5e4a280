//! CSV (RFC 4180) as 1Password and Bitwarden export it.

use zeroize::Zeroizing;

use super::names::suggested;
use super::{Format, Found, ImportError, Namer};

/// Most columns of a row; Bitwarden has 12.
const COLUMNS: usize = 64;

type Row = Vec<Zeroizing<String>>;

/// By the first line, as far as it is a known one.
pub(super) fn format_of(text: &str) -> Option<Format> {
    let first = Rows::new(text).next()?.ok()?;
    let has = |name: &str| first.iter().any(|column| column.trim().eq_ignore_ascii_case(name));
    if has("login_password") && has("name") {
        Some(Format::BitwardenCsv)
    } else if has("password") && (has("title") || has("name")) {
        Some(Format::OnePasswordCsv)
    } else {
        None
    }
}

/// The entries of `text`.
pub(super) fn read(text: &str, format: Format) -> Result<Found, ImportError> {
    let mut rows = Rows::new(text);
    let broken = |line| ImportError::Broken { format, line };
    let head = rows.next().ok_or_else(|| broken(1))?.map_err(broken)?;
    let column = |names: &[&str]| {
        names.iter().find_map(|name| head.iter().position(|column| column.trim().eq_ignore_ascii_case(name)))
    };
    let title = column(&["name", "title"]);
    let address = column(&["login_uri", "url", "website", "urls"]);
    let password = column(&["login_password", "password"]);
    let totp = column(&["login_totp", "otpauth", "one-time password"]);
    let fields = column(&["fields"]);
    let archived = column(&["archived"]);
    let kind = column(&["type"]);
    let (mut found, mut namer) = (Found::default(), Namer::default());
    for row in rows {
        let row = row.map_err(broken)?;
        let get = |column: Option<usize>| column.and_then(|n| row.get(n)).map_or("", |text| text.as_str());
        if row.iter().all(|column| column.is_empty()) {
            continue;
        }
        let name = get(title);
        if get(archived).eq_ignore_ascii_case("true") {
            found.skip(name, "it is archived; restore it there if it is still in use");
            continue;
        }
        let places = suggested(get(address).split([',', '\n']));
        let before = found.items.len();
        if !get(password).is_empty() {
            found.items.push(namer.item(&[name], get(password).to_owned(), &places));
        }
        if !get(totp).is_empty() {
            found.items.push(namer.item(&[name, "totp"], get(totp).to_owned(), &places));
        }
        if found.items.len() == before {
            found.skip(
                name,
                match get(kind) {
                    "note" => "it is a note; store what is secret in it by hand",
                    _ => "it has no password",
                },
            );
        }
        if !get(fields).is_empty() {
            found.skip(name, "its own fields are not told apart in CSV; export JSON for them");
        }
    }
    Ok(found)
}

/// Rows of a text; an error is the line at which it stops making sense.
struct Rows<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    line: usize,
}

impl<'a> Rows<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text.chars().peekable(), line: 1 }
    }

    /// One field and whether another one follows in the row.
    fn field(&mut self) -> Result<(Zeroizing<String>, bool), usize> {
        let mut out = Zeroizing::new(String::new());
        if self.rest.next_if_eq(&'"').is_some() {
            let from = self.line;
            loop {
                match self.rest.next() {
                    Some('"') if self.rest.next_if_eq(&'"').is_some() => out.push('"'),
                    Some('"') => break,
                    Some(c) => {
                        self.line += usize::from(c == '\n');
                        out.push(c);
                    }
                    None => return Err(from),
                }
            }
        }
        loop {
            match self.rest.next() {
                Some(',') => return Ok((out, true)),
                Some('\n') => {
                    self.line += 1;
                    if out.ends_with('\r') {
                        out.pop();
                    }
                    return Ok((out, false));
                }
                None => return Ok((out, false)),
                Some(c) => out.push(c),
            }
        }
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, usize>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rest.peek()?;
        let mut row = Row::new();
        loop {
            match self.field() {
                Ok((field, more)) => {
                    row.push(field);
                    if !more {
                        return Some(Ok(row));
                    }
                }
                Err(line) => {
                    self.rest = "".chars().peekable();
                    return Some(Err(line));
                }
            }
            if row.len() > COLUMNS {
                self.rest = "".chars().peekable();
                return Some(Err(self.line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_of_rfc_4180() {
        let rows = |text: &str| {
            Rows::new(text)
                .map(|row| row.map(|row| row.iter().map(|field| field.to_string()).collect::<Vec<_>>()))
                .collect::<Result<Vec<_>, _>>()
        };
        assert_eq!(
            rows("a,b\r\nc,\"d,\"\"e\"\"\r\nf\"\n"),
            Ok(vec![vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned(), "d,\"e\"\r\nf".to_owned()]])
        );
        assert_eq!(rows(",\n"), Ok(vec![vec![String::new(), String::new()]]));
        assert_eq!(rows("x\ny,\"open\nand on"), Err(2));
        assert_eq!(rows(&",".repeat(100)), Err(1));
        assert_eq!(rows(""), Ok(vec![]));
    }
}
