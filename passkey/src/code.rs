//! A fingerprint as people compare and type it: `7QK4M-0B2ZT-…`, five times five signs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wardkeep_proto::digest::Digest;

/// Crockford's: no letter looks like a digit.
const SIGNS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// 125 bits: nobody finds another key with the same code.
const LENGTH: usize = 25;
/// Signs between two dashes.
const GROUP: usize = 5;

/// The first 125 bits of a key's fingerprint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code([u8; LENGTH]);

/// The text is no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the code of a passkey has five times five letters and digits; copy all of it from where the passkey was made")]
pub struct InvalidCode;

impl Code {
    /// The code of a fingerprint.
    #[must_use]
    pub fn of(fingerprint: &Digest) -> Self {
        let mut signs = [b'0'; LENGTH];
        for (at, sign) in signs.iter_mut().enumerate() {
            let value = (0..5).fold(0, |value, bit| {
                let bit = at * 5 + bit;
                value << 1 | usize::from(fingerprint.0[bit / 8] >> (7 - bit % 8) & 1)
            });
            *sign = SIGNS[value];
        }
        Self(signs)
    }

    /// The first group, to tell keys apart in a list; too short to pin by.
    #[must_use]
    pub fn short(&self) -> String {
        self.0[..GROUP].iter().map(|sign| char::from(*sign)).collect()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, sign) in self.0.iter().enumerate() {
            if at > 0 && at % GROUP == 0 {
                f.write_str("-")?;
            }
            write!(f, "{}", char::from(*sign))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Code {
    type Err = InvalidCode;

    /// In any case, with or without dashes and blanks; O, I and L are read as the digits they look like.
    fn from_str(text: &str) -> Result<Self, InvalidCode> {
        let mut signs = Vec::with_capacity(LENGTH);
        for sign in text.bytes().filter(|sign| !sign.is_ascii_whitespace() && *sign != b'-') {
            let sign = match sign.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                sign => sign,
            };
            if !SIGNS.contains(&sign) || signs.len() == LENGTH {
                return Err(InvalidCode);
            }
            signs.push(sign);
        }
        Ok(Self(signs.try_into().map_err(|_| InvalidCode)?))
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}
