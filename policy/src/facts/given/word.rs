//! One word, letter by letter: its quotes, and the variables that the shell puts in.

use super::own::{is_known, is_own};
use super::{Astray, Given};
use crate::facts::is_name;

/// Put in is what a command prints, and nobody knows what that will be.
pub(super) const SUBSTITUTION: &str = "a substitution of what a command prints";
const NOT_PLAIN: Astray = Astray::Beside("an expansion that is not a plain variable in double quotes");
const UNREAD: Astray = Astray::Beside("a word that cannot be read");
/// Behind a dollar sign these make it one.
const NO_NAME: [char; 9] = ['"', ' ', '\n', '/', '|', ',', '.', ')', '%'];

/// What was read of a word.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reading<'r> {
    /// Variables with values that are put into it.
    pub(super) held: Vec<&'r str>,
    /// It means the letters that it is written with, and has no quotes.
    pub(super) plain: bool,
}

impl Given<'_> {
    /// Reads a word of a command, as it is written.
    pub(super) fn word<'r>(&self, raw: &'r str) -> Result<Reading<'r>, Astray> {
        let mut out = Reading { held: Vec::new(), plain: raw.chars().all(is_plain) };
        if out.plain {
            return Ok(out);
        }
        if let Some(name) = alone(raw) {
            // It is split at blanks and matched with the names of files.
            return if self.holds(name)? { Err(Astray::NotWhole(name.to_owned())) } else { Ok(out) };
        }
        let (mut rest, mut quoted, mut patterns) = (raw, false, false);
        while let Some(c) = rest.chars().next() {
            let after = &rest[c.len_utf8()..];
            rest = match (c, quoted) {
                ('\\', _) => skip_one(after),
                ('`', _) => return Err(Astray::Beside(SUBSTITUTION)),
                ('"', _) => {
                    quoted = !quoted;
                    after
                }
                ('$', true) => self.dollar(after, &mut out.held)?,
                ('$', false) => return Err(NOT_PLAIN),
                ('\'', false) => after.split_once('\'').ok_or(UNREAD)?.1,
                ('(' | ')' | '<' | '>' | '&' | ';' | '|', false) => return Err(UNREAD),
                (_, false) => {
                    patterns |= !is_plain(c);
                    after
                }
                (_, true) => after,
            };
        }
        match out.held.first() {
            _ if quoted => Err(UNREAD),
            // `["$T"]` finds the files whose names are its letters.
            Some(name) if patterns => Err(Astray::NotWhole((*name).to_owned())),
            _ => Ok(out),
        }
    }

    /// Reads the text of a here-document in which the shell puts variables.
    pub(super) fn body<'r>(&self, raw: &'r str) -> Result<Reading<'r>, Astray> {
        let (mut out, mut rest) = (Reading::default(), raw);
        while let Some(c) = rest.chars().next() {
            let after = &rest[c.len_utf8()..];
            rest = match c {
                '\\' => skip_one(after),
                '`' => return Err(Astray::Beside(SUBSTITUTION)),
                '$' => self.dollar(after, &mut out.held)?,
                _ => after,
            };
        }
        Ok(out)
    }

    /// Within double quotes, behind a dollar sign: what is left behind the variable.
    fn dollar<'r>(&self, after: &'r str, held: &mut Vec<&'r str>) -> Result<&'r str, Astray> {
        let (name, rest) = match after.strip_prefix('{') {
            Some(braced) => braced.split_once('}').ok_or(UNREAD)?,
            None => {
                after.split_at(after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len()))
            }
        };
        if name.is_empty() && rest.starts_with(NO_NAME) {
            return Ok(rest);
        }
        if !is_name(name) {
            // `(` is a command's output or arithmetic, the others are operators, lengths, indices and other names.
            return Err(self.named_in(name).map_or(NOT_PLAIN, |name| Astray::NotWhole(name.to_owned())));
        }
        // A line that goes on here may go on with the name.
        if rest.starts_with("\\\n") {
            return Err(NOT_PLAIN);
        }
        if self.holds(name)? {
            held.push(name);
        }
        Ok(rest)
    }

    /// Whether a variable holds a value that is to stay whole.
    fn holds(&self, name: &str) -> Result<bool, Astray> {
        if self.held.contains(name) {
            return Ok(true);
        }
        // What the call itself says is no longer what the run says.
        let known = if self.env.contains_key(name) { !is_own(name) } else { is_known(name) };
        if known { Ok(false) } else { Err(Astray::Unknown(name.to_owned())) }
    }

    fn named_in<'t>(&self, text: &'t str) -> Option<&'t str> {
        text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).find(|part| self.held.contains(part))
    }
}

/// What stands behind an escaped letter.
fn skip_one(after: &str) -> &str {
    after.chars().next().map_or(after, |c| &after[c.len_utf8()..])
}

/// The name in `$NAME` or `${NAME}` without anything around it.
fn alone(raw: &str) -> Option<&str> {
    let name = raw.strip_prefix('$')?;
    Some(name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name)).filter(|name| is_name(name))
}

/// Letters that mean nothing but themselves to a shell, wherever in a word they stand.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-./:,+=@%^".contains(c)
}
