//! Moments as people say them, seen from now.

use std::time::Duration;

use wardkeep_proto::time::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// `2 h ago`, `in 12 days`.
pub(super) fn from(now: Timestamp, at: Timestamp) -> String {
    if at > now { format!("in {}", long(rounded(at.since(now)))) } else { before(now, at) }
}

fn before(now: Timestamp, at: Timestamp) -> String {
    let since = now.since(at);
    if since.as_secs() < MINUTE { "just now".to_owned() } else { format!("{} ago", long(since)) }
}

/// To the nearest of its unit, so that `--expires 90d` is in 90 days an hour later, too.
fn rounded(time: Duration) -> Duration {
    let unit = [DAY, HOUR, MINUTE].into_iter().find(|unit| time.as_secs() >= *unit).unwrap_or(MINUTE);
    time + Duration::from_secs(unit / 2)
}

/// One unit, rounded down.
fn long(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..MINUTE => "less than a minute".to_owned(),
        MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        HOUR..DAY => format!("{} h", seconds / HOUR),
        _ if seconds < 2 * DAY => "1 day".to_owned(),
        _ => format!("{} days", seconds / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_distance_has_its_unit() {
        let now = Timestamp(1_800_000_000_000);
        for (seconds, said) in [
            (0, "just now"),
            (-59, "just now"),
            (-60, "1 min ago"),
            (-7_300, "2 h ago"),
            (-86_399, "23 h ago"),
            (-86_400, "1 day ago"),
            (-40 * 86_400, "40 days ago"),
            (20, "in less than a minute"),
            (3_540, "in 59 min"),
            (90 * 86_400 - 7_200, "in 90 days"),
            (90 * 86_400, "in 90 days"),
        ] {
            assert_eq!(from(now, Timestamp(now.0 + seconds * 1000)), said);
        }
    }
}
