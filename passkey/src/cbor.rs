//! The little of CBOR that authenticators use (CTAP2 canonical form): definite lengths, shortest heads, few levels.

use crate::Refused;

/// Deepest nesting; authenticators use three levels.
const DEPTH: u8 = 6;

/// Reads one item after another.
pub(crate) struct Reader<'a>(&'a [u8]);

/// The head of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    major: u8,
    value: u64,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What was not read.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Pairs of the map that begins here.
    pub(crate) fn map(&mut self) -> Result<u64, Refused> {
        match self.head()? {
            Head { major: 5, value } => Ok(value),
            _ => Err(BAD),
        }
    }

    /// An integer.
    pub(crate) fn int(&mut self) -> Result<i64, Refused> {
        let Head { major, value } = self.head()?;
        let value = i64::try_from(value).map_err(|_| BAD)?;
        match major {
            0 => Ok(value),
            // -1 - value cannot overflow: value is not negative.
            1 => Ok(-1 - value),
            _ => Err(BAD),
        }
    }

    /// A byte string.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Refused> {
        match self.head()? {
            Head { major: 2, value } => self.take(value),
            _ => Err(BAD),
        }
    }

    /// Any item, whatever it says.
    pub(crate) fn skip(&mut self) -> Result<(), Refused> {
        self.skip_within(DEPTH)
    }

    fn skip_within(&mut self, depth: u8) -> Result<(), Refused> {
        let depth = depth.checked_sub(1).ok_or(BAD)?;
        let Head { major, value } = self.head()?;
        let items = match major {
            2 | 3 => return self.take(value).map(drop),
            4 => value,
            5 => value.checked_mul(2).ok_or(BAD)?,
            6 => 1,
            // Integers and simple values are over with their head.
            _ => 0,
        };
        // Each item has a byte at least, so this ends with the input.
        for _ in 0..items {
            self.skip_within(depth)?;
        }
        Ok(())
    }

    fn head(&mut self) -> Result<Head, Refused> {
        let first = self.take(1)?[0];
        let (major, low) = (first >> 5, first & 0x1f);
        let wide = match low {
            0..=23 => return Ok(Head { major, value: u64::from(low) }),
            24..=27 => 1_u64 << (low - 24),
            _ => return Err(BAD),
        };
        let value = self.take(wide)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        let least = match wide {
            1 => 24,
            2 => 0x100,
            4 => 0x1_0000,
            _ => 0x1_0000_0000,
        };
        // Floats stand in the same place and have all their bytes.
        if value < least && major != 7 { Err(BAD) } else { Ok(Head { major, value }) }
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8], Refused> {
        let count = usize::try_from(count).map_err(|_| BAD)?;
        let (taken, rest) = self.0.split_at_checked(count).ok_or(BAD)?;
        self.0 = rest;
        Ok(taken)
    }
}

const BAD: Refused = Refused::Unreadable("data");
