//! A number of tokens, as providers write it: `12`, and at some `12.0` or `"12"`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// What a double says exactly. A larger number in such a spelling is no number of tokens.
const EXACT: u64 = 1 << 53;

/// A whole number. Whatever else stands in its place is an error of its document, which is then estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Whole;
        impl Visitor<'_> for Whole {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of tokens")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Count, E> {
                Ok(Count(number))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Count, E> {
                whole(number).ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Count, E> {
                spelled(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        from.deserialize_any(Whole)
    }
}

fn whole(number: f64) -> Option<Count> {
    let fits = number.is_sign_positive() && number.fract() == 0.0 && number <= EXACT as f64;
    // Nothing is lost: it has no fraction, no sign and at most 54 bits.
    fits.then_some(Count(number as u64))
}

fn spelled(text: &str) -> Option<Count> {
    let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())??;
    (number <= EXACT).then_some(Count(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_and_nothing_else() {
        for (written, want) in [
            ("12", Some(12)),
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("12.0", Some(12)),
            ("0.0", Some(0)),
            ("1.2e1", Some(12)),
            ("12E0", Some(12)),
            ("9007199254740992.0", Some(EXACT)),
            (r#""12""#, Some(12)),
            (r#""\u0031\u0032""#, Some(12)),
            (r#""0""#, Some(0)),
            (r#""9007199254740992""#, Some(EXACT)),
            ("-1", None),
            ("-0", None),
            ("-0.0", None),
            ("-12.0", None),
            ("12.5", None),
            ("1e-3", None),
            ("9007199254740994.0", None),
            ("18446744073709551616", None),
            ("1e19", None),
            ("1e308", None),
            ("1e999", None),
            (r#""9007199254740993""#, None),
            (r#""18446744073709551616""#, None),
            (r#""""#, None),
            (r#"" 12""#, None),
            (r#""12 ""#, None),
            (r#""+12""#, None),
            (r#""-12""#, None),
            (r#""12.0""#, None),
            (r#""1e3""#, None),
            (r#""0x12""#, None),
            (r#""١٢""#, None),
            (r#""twelve""#, None),
            ("true", None),
            ("null", None),
            ("[12]", None),
            ("{}", None),
            ("NaN", None),
        ] {
            assert_eq!(serde_json::from_str(written).ok(), want.map(Count), "{written}");
        }
    }
}
