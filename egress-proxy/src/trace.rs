//! W3C Trace Context: the caller names the run that a request belongs to.

use std::fmt;

use http::header::HeaderMap;

/// A `traceparent` header, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Trace {
    trace: [u8; 32],
    span: [u8; 16],
}

impl Trace {
    /// The trace that the request names; `None` where there is no header, more than one, or none that the standard allows.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut all = headers.get_all("traceparent").iter();
        let (first, second) = (all.next()?, all.next());
        if second.is_none() { Self::parse(first.as_bytes()) } else { None }
    }

    /// Reads `00-TRACE-SPAN-FLAGS`; of a version to come, its beginning.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let [version, trace, span, flags] = [(0, 2), (3, 35), (36, 52), (53, 55)].map(|(a, b)| text.get(a..b));
        let (version, trace, span, flags) = (version?, trace?, span?, flags?);
        let whole = match version {
            b"00" => text.len() == 55,
            b"ff" => false,
            _ => text.len() == 55 || text[55] == b'-',
        };
        let dashes = [2, 35, 52].iter().all(|at| text[*at] == b'-');
        let hex = |part: &[u8]| part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let names_something = |part: &[u8]| part.iter().any(|byte| *byte != b'0');
        if !(whole && dashes && [version, trace, span, flags].into_iter().all(hex)) {
            return None;
        }
        if !(names_something(trace) && names_something(span)) {
            return None;
        }
        Some(Self { trace: trace.try_into().ok()?, span: span.try_into().ok()? })
    }

    /// The id of the whole trace, 32 hex digits.
    #[must_use]
    pub fn id(&self) -> &str {
        std::str::from_utf8(&self.trace).unwrap_or_default()
    }

    /// The id of the caller's span, 16 hex digits.
    #[must_use]
    pub fn span(&self) -> &str {
        std::str::from_utf8(&self.span).unwrap_or_default()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.id(), self.span())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn only_what_the_standard_allows_names_a_run() {
        for bad in [
            "",
            "00",
            &GOOD[..54],
            &format!("{GOOD}0"),
            &format!("{GOOD}-x"),
            &GOOD.to_uppercase(),
            &GOOD.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &GOOD.replace("b7ad6b7169203331", &"0".repeat(16)),
            &GOOD.replacen("00-", "ff-", 1),
            &GOOD.replacen("00-", "0x-", 1),
            &GOOD.replace("-01", "-0g"),
            &GOOD.replace('-', "_"),
            &GOOD.replace("0af7", "'; -"),
        ] {
            assert_eq!(Trace::parse(bad.as_bytes()), None, "{bad}");
        }
        let trace = Trace::parse(GOOD.as_bytes()).unwrap();
        assert_eq!((trace.id(), trace.span()), ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"));
        let later = GOOD.replacen("00-", "cc-", 1);
        assert_eq!(Trace::parse(later.as_bytes()), Some(trace));
        assert_eq!(Trace::parse(format!("{later}-what-comes").as_bytes()), Some(trace));
        assert_eq!(Trace::parse(format!("{later}.what-comes").as_bytes()), None);
    }

    #[test]
    fn two_headers_name_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(Trace::of(&headers), None);
        headers.append("traceparent", GOOD.parse().unwrap());
        assert!(Trace::of(&headers).is_some());
        headers.append("traceparent", GOOD.parse().unwrap());
        assert_eq!(Trace::of(&headers), None);
    }
}
