//! What the head of an answer, or its absence, says of a provider.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use wardkeep_proto::time::Timestamp;

/// What was heard. Where it says so, how long the provider wants to be left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// An answer, or an error that is the caller's own: the same request fails everywhere.
    Answered,
    /// It cannot be reached, says nothing, broke off, or is in trouble of its own.
    Trouble(Option<Duration>),
    /// The key was used too often.
    Limited(Option<Duration>),
    /// The key is not taken.
    Rejected,
    /// This target cannot answer, another one may: no such model here, nothing paid, a redirect.
    Elsewhere,
}

impl Heard {
    pub(crate) fn of(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Self {
        match status.as_u16() {
            200..=299 => Self::Answered,
            429 => Self::Limited(retry_after(headers, now)),
            401 | 403 => Self::Rejected,
            408 | 500..=599 => Self::Trouble(retry_after(headers, now)),
            402 | 404 | 300..=399 => Self::Elsewhere,
            _ => Self::Answered,
        }
    }

    /// How long the provider wants to be left alone.
    pub(crate) fn after(&self) -> Option<Duration> {
        match self {
            Self::Trouble(after) | Self::Limited(after) => *after,
            Self::Answered | Self::Rejected | Self::Elsewhere => None,
        }
    }
}

/// `retry-after-ms` (`OpenAI`'s), or `retry-after` in seconds or as a date (RFC 9110 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| (0.0..1e9).contains(number));
    if let Some(millis) = text("retry-after-ms").and_then(number) {
        return Some(Duration::from_secs_f64(millis / 1000.0));
    }
    let after = text("retry-after")?;
    number(after).map(Duration::from_secs_f64).or_else(|| date(after).map(|at| at.since(now)))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date(text: &str) -> Option<Timestamp> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let mut parts = text.split_once(", ")?.1.strip_suffix(" GMT")?.split(' ');
    let (day, month, year, time) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.find(month).filter(|at| at % 3 == 0 && month.len() == 3)? / 3 + 1;
    let day = Timestamp::of_date(&format!("{year}-{month:02}-{day}"))?;
    let mut clock = time.split(':').map(|part| part.parse::<u32>().ok().filter(|_| part.len() == 2));
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    Some(day.plus(Duration::from_secs((hour * 3600 + minute * 60 + second).into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_says_whose_fault_it_is() {
        let of = |status: u16| Heard::of(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), Timestamp(0));
        for status in [200, 201, 400, 405, 409, 413, 415, 422, 451] {
            assert_eq!(of(status), Heard::Answered, "{status}");
        }
        for status in [408, 500, 502, 503, 504, 520, 529] {
            assert_eq!(of(status), Heard::Trouble(None), "{status}");
        }
        assert_eq!(of(429), Heard::Limited(None));
        assert_eq!((of(401), of(403)), (Heard::Rejected, Heard::Rejected));
        assert_eq!([of(402), of(404), of(307)], [Heard::Elsewhere, Heard::Elsewhere, Heard::Elsewhere]);
    }

    #[test]
    fn a_provider_may_say_for_how_long() {
        const NOW: Timestamp = Timestamp(784_111_777_000);
        for (name, value, want) in [
            ("retry-after", "3", Some(3_000)),
            ("retry-after", " 0.5 ", Some(500)),
            ("retry-after-ms", "20", Some(20)),
            ("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT", Some(10_000)),
            ("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("retry-after", "-3", None),
            ("retry-after", "NaN", None),
            ("retry-after", "1e300", None),
            ("retry-after", "soon", None),
            ("retry-after", "Sun, 06 Foo 1994 08:49:47 GMT", None),
            ("retry-after", "Sun, 06 anF 1994 08:49:47 GMT", None),
            ("retry-after", "Sun, 36 Nov 1994 08:49:47 GMT", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            let heard = Heard::of(StatusCode::TOO_MANY_REQUESTS, &headers, NOW);
            assert_eq!(heard.after(), want.map(Duration::from_millis), "{name}: {value}");
        }
    }
}
