//! SHA-256 digests as a type.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// 32 bytes of SHA-256. Prints as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// SHA-256 over `domain`, one zero byte, and `bytes`: a digest of one purpose never equals that of another.
    #[must_use]
    pub fn of(domain: &str, bytes: &[u8]) -> Self {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        context.update(domain.as_bytes());
        context.update(&[0]);
        context.update(bytes);
        Self::finish(context)
    }

    /// Plain SHA-256 of `bytes`, as `sha256sum` prints it.
    #[must_use]
    pub fn plain(bytes: &[u8]) -> Self {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        context.update(bytes);
        Self::finish(context)
    }

    fn finish(context: ring::digest::Context) -> Self {
        let mut out = [0; 32];
        out.copy_from_slice(context.finish().as_ref());
        Self(out)
    }

    /// First eight hex digits, for people: `A-1f2e3d4c`.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not 64 lower-case hex digits, or the bytes are not 32.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 lower-case hex digits")]
pub struct InvalidDigest;

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| InvalidDigest)?;
        Self::try_from(bytes.as_slice())
    }
}

impl TryFrom<&[u8]> for Digest {
    type Error = InvalidDigest;

    fn try_from(bytes: &[u8]) -> Result<Self, InvalidDigest> {
        Ok(Self(bytes.try_into().map_err(|_| InvalidDigest)?))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let digest = Digest::of("test", b"x");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!("00".parse::<Digest>(), Err(InvalidDigest));
        assert_eq!("ZZ".repeat(32).parse::<Digest>(), Err(InvalidDigest));
    }

    #[test]
    fn the_domain_keeps_purposes_apart() {
        assert_ne!(Digest::of("a", b"x"), Digest::of("b", b"x"));
        assert_eq!(Digest::plain(b"").to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
