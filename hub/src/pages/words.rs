//! Numbers, money and times as people read them. `assets/app.js` says times in the same words.

use std::fmt;

use askama::Template;
use askama::filters::HtmlSafe;
use wardkeep_proto::grant::GrantTerms;
use wardkeep_proto::time::Timestamp;

/// A moment as text relative to the page's own, with the exact one on hover.
#[derive(Clone, Copy, Debug, Template)]
#[template(path = "components/when.html")]
pub struct When {
    at: Timestamp,
    now: Timestamp,
}

/// The template escapes its parts, so its output is not escaped again.
impl HtmlSafe for When {}

impl When {
    /// `at`, as seen from `now`.
    #[must_use]
    pub const fn new(at: Timestamp, now: Timestamp) -> Self {
        Self { at, now }
    }

    /// `2026-11-20 23:00:00 UTC`.
    fn exact(&self) -> String {
        let text = self.at.to_string();
        match (text.get(..10), text.get(11..19)) {
            (Some(day), Some(time)) => format!("{day} {time} UTC"),
            _ => text,
        }
    }

    fn relative(&self) -> String {
        let (past, future) = (self.now.since(self.at), self.at.since(self.now));
        if past.as_secs() < 5 && future.as_secs() < 5 {
            "just now".to_owned()
        } else if future.is_zero() {
            format!("{} ago", span(past.as_secs()))
        } else {
            format!("in {}", span(future.as_secs()))
        }
    }
}

/// A length of time in one or two units.
pub(super) fn span(seconds: u64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes} min"),
        (1..10, _) if minutes % 60 > 0 => format!("{hours} h {} min", minutes % 60),
        (1..48, _) => format!("{hours} h"),
        _ => format!("{} days", hours / 24),
    }
}

/// `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Millionths of a US dollar as money: two places, four below ten cents, so that a small call is not "nothing".
pub(super) fn money(micros: u64) -> String {
    let (whole, rest) = (micros / 1_000_000, micros % 1_000_000);
    match micros {
        0 => "$0.00".to_owned(),
        1..50 => "under $0.0001".to_owned(),
        50..100_000 => format!("$0.{:04}", (rest + 50) / 100),
        _ => {
            let cents = (rest + 5_000) / 10_000;
            format!("${}.{:02}", count(whole + cents / 100), cents % 100)
        }
    }
}

/// Bytes with a unit.
pub(super) fn bytes(number: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if number < 1000 {
        return plural(number, "byte", "bytes");
    }
    let (mut tenths, mut unit) = (number / 100, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        (tenths, unit) = (tenths / 1000, unit + 1);
    }
    if tenths >= 100 {
        format!("{} {}", tenths / 10, UNITS[unit])
    } else {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    }
}

/// For how long and how often the same call passes without a question.
pub(super) fn the_same_for(grant: GrantTerms) -> String {
    let GrantTerms { hours, uses, .. } = grant;
    format!("the same for {}, {}", plural(hours.into(), "hour", "hours"), plural(uses.into(), "time", "times"))
}

/// `1 line`, `2 lines`.
pub(super) fn plural(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// The day of a moment, `20 Nov`, UTC.
pub(super) fn day(at: Timestamp) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = at.to_string();
    let month = text.get(5..7).and_then(|m| m.parse::<usize>().ok()).and_then(|m| MONTHS.get(m.wrapping_sub(1)));
    match (month, text.get(8..10)) {
        (Some(month), Some(day)) => format!("{} {month}", day.trim_start_matches('0')),
        _ => text,
    }
}

/// The hour of a moment, `23:00`, UTC.
pub(super) fn hour(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(11..16).map_or(text.clone(), str::to_owned)
}

/// An identifier with a button that copies it.
#[derive(Clone, Debug, Template)]
#[template(path = "components/ident.html")]
pub struct Ident {
    shown: String,
    whole: String,
    what: &'static str,
}

/// As for [`When`].
impl HtmlSafe for Ident {}

impl Ident {
    /// Shows `shown`, copies `whole`; `what` names it for those who cannot see the button: "digest".
    pub fn new(shown: impl fmt::Display, whole: impl fmt::Display, what: &'static str) -> Self {
        Self { shown: shown.to_string(), whole: whole.to_string(), what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_relative() {
        let now = Timestamp(1_763_593_200_000);
        for (offset_s, text) in [
            (0, "just now"),
            (-4, "just now"),
            (-40, "40 s ago"),
            (-60, "1 min ago"),
            (-3_599, "59 min ago"),
            (-3_600, "1 h ago"),
            (86_399, "in 23 h"),
            (5_400, "in 1 h 30 min"),
            (-172_800, "2 days ago"),
        ] {
            assert_eq!(When::new(Timestamp(now.0 + offset_s * 1000), now).relative(), text, "{offset_s}");
        }
        assert_eq!(When::new(now, now).exact(), "2025-11-19 23:00:00 UTC");
    }

    #[test]
    fn a_moment_out_of_range_still_prints() {
        let when = When::new(Timestamp(i64::MAX), Timestamp(0));
        assert!(!when.render().unwrap().is_empty());
        assert!(!day(Timestamp(i64::MIN)).is_empty());
        assert!(!hour(Timestamp(i64::MIN)).is_empty());
    }

    #[test]
    fn money_keeps_small_amounts_visible() {
        for (micros, text) in [
            (0, "$0.00"),
            (3, "under $0.0001"),
            (50, "$0.0001"),
            (1_234, "$0.0012"),
            (99_949, "$0.0999"),
            (100_000, "$0.10"),
            (1_995_000, "$2.00"),
            (1_234_567_890, "$1,234.57"),
        ] {
            assert_eq!(money(micros), text, "{micros}");
        }
    }

    #[test]
    fn numbers_have_groups_and_units() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
        for (number, text) in
            [(1, "1 byte"), (999, "999 bytes"), (1_000, "1.0 kB"), (123_456, "123 kB"), (5_000_000, "5.0 MB")]
        {
            assert_eq!(bytes(number), text);
        }
        assert_eq!(plural(1, "line", "lines"), "1 line");
        assert_eq!(
            (day(Timestamp(1_763_593_200_000)), hour(Timestamp(1_763_593_200_000))),
            ("19 Nov".into(), "23:00".into())
        );
    }
}
