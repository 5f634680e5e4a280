//! Sets of bytes, made when the program is built where they are known then.

/// A set of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(crate) const NONE: Self = Self([0; 4]);
    pub(crate) const ALL: Self = Self([u64::MAX; 4]);
    /// Letters and digits.
    pub(crate) const ALNUM: Self = Self::NONE.with_range(b'0', b'9').with_range(b'A', b'Z').with_range(b'a', b'z');

    #[inline(always)]
    pub(crate) const fn has(&self, byte: u8) -> bool {
        self.0[(byte >> 6) as usize] >> (byte & 63) & 1 != 0
    }

    pub(crate) const fn insert(&mut self, byte: u8) {
        self.0[(byte >> 6) as usize] |= 1 << (byte & 63);
    }

    /// With each of `bytes`.
    pub(crate) const fn with(mut self, bytes: &[u8]) -> Self {
        let mut n = 0;
        while n < bytes.len() {
            self.insert(bytes[n]);
            n += 1;
        }
        self
    }

    /// With all from `first` to `last`.
    pub(crate) const fn with_range(mut self, first: u8, last: u8) -> Self {
        let mut byte = first;
        while byte < last {
            self.insert(byte);
            byte += 1;
        }
        self.insert(last);
        self
    }

    /// With those of `other`.
    pub(crate) const fn and(self, other: Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([a | e, b | f, c | g, d | h])
    }

    /// Without each of `bytes`.
    pub(crate) const fn without(mut self, bytes: &[u8]) -> Self {
        let mut n = 0;
        while n < bytes.len() {
            self.0[(bytes[n] >> 6) as usize] &= !(1 << (bytes[n] & 63));
            n += 1;
        }
        self
    }
}

impl FromIterator<u8> for ByteSet {
    fn from_iter<T: IntoIterator<Item = u8>>(bytes: T) -> Self {
        let mut set = Self::NONE;
        bytes.into_iter().for_each(|byte| set.insert(byte));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_was_put_in() {
        const SET: ByteSet = ByteSet::ALNUM.with(b"_\xff").without(b"qZ");
        for byte in 0..=u8::MAX {
            let wanted = byte.is_ascii_alphanumeric() || byte == b'_' || byte == 0xff;
            assert_eq!(SET.has(byte), wanted && byte != b'q' && byte != b'Z', "{byte}");
            assert!(ByteSet::ALL.has(byte) && !ByteSet::NONE.has(byte));
        }
        assert_eq!((0..=u8::MAX).filter(|byte| SET.has(*byte)).collect::<ByteSet>(), SET);
    }
}
