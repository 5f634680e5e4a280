//! What holds for a value: where it may go, how redaction looks for it, and until when it is given.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use wardkeep_proto::time::Timestamp;

use crate::binding::Bindings;
use crate::error::VaultError;

/// Most keywords of one context.
const KEYWORDS: usize = 8;

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Where it may go.
    pub bindings: Bindings,
    /// `None`: redaction looks for it everywhere.
    pub context: Option<Context>,
    /// `None`: for ever.
    pub expires: Option<Timestamp>,
}

impl Terms {
    /// Bound there, looked for everywhere, for ever.
    #[must_use]
    pub fn bound(bindings: Bindings) -> Self {
        Self { bindings, ..Self::default() }
    }
}

/// Keywords beside which a short or common value is looked for, e.g. `pin,door code` is two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context(String);

impl Context {
    /// With commas between them.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Context {
    type Err = VaultError;

    fn from_str(text: &str) -> Result<Self, VaultError> {
        let words: Vec<&str> = text.split(',').map(str::trim).collect();
        let word = |word: &&str| {
            (3..=32).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_ ".contains(&b))
        };
        if words.len() > KEYWORDS || !words.iter().all(word) {
            return Err(VaultError::Context(text.chars().take(120).collect()));
        }
        Ok(Self(words.join(",")))
    }
}

/// The end that a person writes: a date (its beginning, UTC), a time (RFC 3339), a span from `now` (`90d`, `12h`, `2w`) or
/// `never`.
///
/// # Errors
/// [`VaultError::When`] for anything else, and for what is over already.
pub fn expiry(text: &str, now: Timestamp) -> Result<Option<Timestamp>, VaultError> {
    let bad = || VaultError::When(text.chars().take(120).collect());
    if text == "never" {
        return Ok(None);
    }
    let at = span(text).map(|span| now.plus(span)).or_else(|| moment(text)).ok_or_else(bad)?;
    if at > now { Ok(Some(at)) } else { Err(bad()) }
}

fn span(text: &str) -> Option<Duration> {
    let hours = match text.bytes().last()? {
        b'h' => 1,
        b'd' => 24,
        b'w' => 7 * 24,
        _ => return None,
    };
    let count: u32 = text[..text.len() - 1].parse().ok()?;
    Some(Duration::from_secs(u64::from(count) * hours * 60 * 60))
}

fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(Timestamp(at.as_millisecond()));
    }
    let date: jiff::civil::Date = text.parse().ok().filter(|_| text.len() == "2027-01-31".len())?;
    let at = date.at(0, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp(at.timestamp().as_millisecond()))
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_date_a_time_or_a_span() {
        let now = Timestamp(1_790_000_000_000);
        for (text, wanted) in [
            ("never", Some(None)),
            ("90d", Some(Some(now.millis() + 90 * 86_400_000))),
            ("12h", Some(Some(now.millis() + 12 * 3_600_000))),
            ("2w", Some(Some(now.millis() + 14 * 86_400_000))),
            ("2027-01-31", Some(Some(1_801_353_600_000))),
            ("2027-01-31T12:00:00+02:00", Some(Some(1_801_389_600_000))),
            ("2020-01-31", None),
            ("0d", None),
            ("-3d", None),
            ("9", None),
            ("d", None),
            ("99999999999d", None),
            ("31.01.2027", None),
            ("2027-02-30", None),
            ("tomorrow", None),
            ("é", None),
            ("", None),
        ] {
            assert_eq!(expiry(text, now).ok().map(|at| at.map(Timestamp::millis)), wanted, "{text}");
        }
    }

    #[test]
    fn a_context_is_a_few_words() {
        for bad in ["", ",", "ab", "pin,", "pin,,door", "pi\u{200b}n", &"x".repeat(33), &["pin"; 9].join(",")] {
            assert!(bad.parse::<Context>().is_err(), "{bad}");
        }
        assert_eq!("pin, door code".parse::<Context>().map(|c| c.to_string()).unwrap(), "pin,door code");
    }
}
