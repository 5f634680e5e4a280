//! Time as a value that is passed in.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment in UTC, whole milliseconds since 1970-01-01. What rows and messages carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Milliseconds since 1970.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Later by `by`; stays at the far end of time instead of wrapping.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Time from `earlier` to here; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Start of the hour, UTC: the key of a usage bucket.
    #[must_use]
    pub const fn hour(self) -> Self {
        Self(self.0.saturating_sub(self.0.rem_euclid(HOUR_MS)))
    }

    /// Start of the day, UTC.
    #[must_use]
    pub const fn day(self) -> Self {
        Self(self.0.saturating_sub(self.0.rem_euclid(DAY_MS)))
    }

    /// Start of the month, UTC; beyond the years that have a calendar (9999) the day counts.
    #[must_use]
    pub fn month(self) -> Self {
        self.date().and_then(|date| Self::at_midnight(date.first_of_month())).unwrap_or_else(|| self.day())
    }

    /// Start of the hour after this one.
    #[must_use]
    pub const fn next_hour(self) -> Self {
        Self(self.hour().0.saturating_add(HOUR_MS))
    }

    /// Start of the day after this one.
    #[must_use]
    pub const fn next_day(self) -> Self {
        Self(self.day().0.saturating_add(DAY_MS))
    }

    /// Start of the month after this one.
    #[must_use]
    pub fn next_month(self) -> Self {
        let next = self.date().and_then(|date| Self::at_midnight(date.last_of_month().tomorrow().ok()?));
        next.unwrap_or_else(|| self.next_day())
    }

    /// The first moment of a day written as `2026-12-01`, UTC.
    #[must_use]
    pub fn of_date(text: &str) -> Option<Self> {
        // Ten characters: no sign, no time of day, no zone.
        let date: jiff::civil::Date = text.parse().ok()?;
        if text.len() == 10 { Self::at_midnight(date) } else { None }
    }

    /// A moment as people write it: `2026-12-01`, `2026-12-01T08:30:00Z`, or so long before `now`: `90m`, `2h`, `3d`.
    #[must_use]
    pub fn of_text(text: &str, now: Self) -> Option<Self> {
        let unit = match text.bytes().last()? {
            b'm' => 60_000,
            b'h' => HOUR_MS,
            b'd' => DAY_MS,
            _ => 0,
        };
        if unit > 0 {
            let many: u32 = text[..text.len() - 1].parse().ok()?;
            return Some(Self(now.0.saturating_sub(unit.saturating_mul(many.into()))));
        }
        let exact = || Some(Self(text.parse::<jiff::Timestamp>().ok()?.as_millisecond()));
        Self::of_date(text).or_else(exact)
    }

    /// The day as `2026-12-01`, UTC.
    #[must_use]
    pub fn to_date(self) -> Option<String> {
        self.date().map(|date| date.to_string())
    }

    fn date(self) -> Option<jiff::civil::Date> {
        let at = jiff::Timestamp::from_millisecond(self.0).ok()?;
        Some(jiff::tz::Offset::UTC.to_datetime(at).date())
    }

    fn at_midnight(date: jiff::civil::Date) -> Option<Self> {
        let at = jiff::tz::Offset::UTC.to_timestamp(date.to_datetime(jiff::civil::Time::midnight())).ok()?;
        Some(Self(at.as_millisecond()))
    }
}

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// RFC 3339 in UTC with milliseconds, e.g. `2026-11-20T23:00:00.000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

/// Where "now" comes from. Tests pass their own.
pub trait Clock: Send + Sync + 'static {
    /// The moment of the call.
    fn now(&self) -> Timestamp;
}

/// The machine's clock; built in `main` only.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp(since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_starts_on_the_hour_also_before_1970() {
        assert_eq!(Timestamp(3_600_001).hour(), Timestamp(3_600_000));
        assert_eq!(Timestamp(-1).hour(), Timestamp(-3_600_000));
    }

    #[test]
    fn moments_are_read_as_people_write_them() {
        let now = Timestamp(10 * DAY_MS);
        for (text, want) in [
            ("1970-01-02", Some(DAY_MS)),
            ("1970-01-01T00:00:01Z", Some(1_000)),
            ("1970-01-01T01:00:01.5+01:00", Some(1_500)),
            ("90m", Some(10 * DAY_MS - 90 * 60_000)),
            ("2h", Some(10 * DAY_MS - 2 * HOUR_MS)),
            ("3d", Some(7 * DAY_MS)),
            ("99999d", Some(10 * DAY_MS - 99_999 * DAY_MS)),
            ("", None),
            ("d", None),
            ("-1d", None),
            ("\u{fc}d", None),
            ("yesterday", None),
            ("1970-13-01", None),
        ] {
            assert_eq!(Timestamp::of_text(text, now), want.map(Timestamp), "{text}");
        }
    }

    #[test]
    fn days_and_months_have_edges() {
        let at = |text: &str| Timestamp::of_date(text).expect("a date");
        for (moment, day, month, next) in [
            (at("2026-12-31").plus(Duration::from_millis(86_399_999)), "2026-12-31", "2026-12-01", "2027-01-01"),
            (at("2027-01-01"), "2027-01-01", "2027-01-01", "2027-02-01"),
            (at("2028-02-29"), "2028-02-29", "2028-02-01", "2028-03-01"),
            (at("2026-02-28").plus(Duration::from_secs(5)), "2026-02-28", "2026-02-01", "2026-03-01"),
            (Timestamp(-1), "1969-12-31", "1969-12-01", "1970-01-01"),
        ] {
            assert_eq!((moment.day(), moment.month(), moment.next_month()), (at(day), at(month), at(next)), "{moment}");
            assert_eq!(moment.to_date().as_deref(), Some(day));
        }
        assert_eq!(at("2026-12-31").next_day(), at("2027-01-01"));
        assert_eq!(Timestamp(1).next_hour(), Timestamp(3_600_000));
        // Where the calendar ends nothing panics.
        for far in [i64::MIN, i64::MAX] {
            let far = Timestamp(far);
            assert!(far.month() <= far && far.next_month() >= far.month(), "{far}");
        }
        for bad in ["", "2026-13-01", "2026-02-30", "2026-1-1", "20261201", "2026-12-01T00:00", "+002026-12-01"] {
            assert_eq!(Timestamp::of_date(bad), None, "{bad}");
        }
    }

    #[test]
    fn it_prints_as_rfc_3339() {
        assert_eq!(Timestamp(1_763_593_200_123).to_string(), "2025-11-19T23:00:00.123Z");
    }
}
