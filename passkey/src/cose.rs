//! Public keys as authenticators write them (COSE), and their signatures.

use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Refused;
use crate::cbor::Reader;

/// Longest RSA modulus, bytes: 4096 bits.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=512;

/// A key that signs.
#[derive(Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// ECDSA on P-256 with SHA-256: the point, not compressed.
    Es256([u8; 65]),
    /// Ed25519.
    EdDsa([u8; 32]),
    /// RSA, PKCS#1 1.5, SHA-256: modulus and exponent without leading zeros.
    Rs256(Vec<u8>, Vec<u8>),
}

impl PublicKey {
    /// Reads a `COSE_Key` that ends with the input.
    ///
    /// # Errors
    /// [`Refused::Algorithm`] for other kinds of keys, [`Refused::Unreadable`] for what is none.
    pub fn from_cose(cose: &[u8]) -> Result<Self, Refused> {
        let mut reader = Reader::new(cose);
        let key = Self::read(&mut reader)?;
        if reader.rest().is_empty() { Ok(key) } else { Err(BAD) }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Refused> {
        let (mut kind, mut algorithm, mut curve) = (None, None, None);
        let (mut first, mut second) = (None, None);
        let mut before = None;
        for _ in 0..reader.map()? {
            let label = reader.int()?;
            // Canonical order (1, 3, -1, -2, -3) also means: none stands twice.
            let place = if label >= 0 { label } else { 1_000_i64.saturating_sub(label) };
            if before.replace(place).is_some_and(|before| before >= place) {
                return Err(BAD);
            }
            match (label, kind) {
                (1, _) => kind = Some(reader.int()?),
                (3, _) => algorithm = Some(reader.int()?),
                (-1, Some(3)) => first = Some(reader.bytes()?),
                (-1, _) => curve = Some(reader.int()?),
                (-2, Some(3)) => second = Some(reader.bytes()?),
                (-2, _) => first = Some(reader.bytes()?),
                (-3, Some(2)) => second = Some(reader.bytes()?),
                // Other parameters must not be there (CTAP 2.1, 6.1.1).
                _ => return Err(BAD),
            }
        }
        match (kind, algorithm, curve, first, second) {
            (Some(2), Some(-7), Some(1), Some(x), Some(y)) if x.len() == 32 && y.len() == 32 => {
                let mut point = [4; 65];
                point[1..33].copy_from_slice(x);
                point[33..].copy_from_slice(y);
                Ok(Self::Es256(point))
            }
            (Some(1), Some(-8), Some(6), Some(x), None) => Ok(Self::EdDsa(x.try_into().map_err(|_| BAD)?)),
            (Some(3), Some(-257), None, Some(n), Some(e)) => {
                let odd = |number: &[u8]| number.first() != Some(&0) && number.last().is_some_and(|last| last & 1 == 1);
                if MODULUS.contains(&n.len()) && (1..=4).contains(&e.len()) && odd(n) && odd(e) {
                    Ok(Self::Rs256(n.to_vec(), e.to_vec()))
                } else {
                    Err(BAD)
                }
            }
            (Some(1..=3), Some(_), ..) => Err(Refused::Algorithm),
            _ => Err(BAD),
        }
    }

    /// As a `COSE_Key`, canonical: the same key gives the same bytes.
    #[must_use]
    pub fn to_cose(&self) -> Vec<u8> {
        match self {
            Self::Es256(point) => {
                [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32], &point[1..33], &[0x22, 0x58, 32], &point[33..]]
                    .concat()
            }
            Self::EdDsa(key) => [&[0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 32], key.as_slice()].concat(),
            Self::Rs256(n, e) => {
                let wide = u16::try_from(n.len()).unwrap_or(u16::MAX).to_be_bytes();
                let short = 0x40 | u8::try_from(e.len()).unwrap_or(4);
                [&[0xa4, 1, 3, 3, 0x39, 1, 0, 0x20, 0x59], wide.as_slice(), n, &[0x21, short], e].concat()
            }
        }
    }

    /// Its name in lists: `ES256`.
    #[must_use]
    pub const fn algorithm(&self) -> &'static str {
        match self {
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
            Self::Rs256(..) => "RS256",
        }
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Refused> {
        let verified = match self {
            Self::Es256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature),
            Self::EdDsa(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
            Self::Rs256(n, e) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
        };
        verified.map_err(|_| Refused::Signature)
    }
}

const BAD: Refused = Refused::Unreadable("public key");

/// A public key is no secret, and nobody reads its bytes.
impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.algorithm())
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        crate::key::base64url::serialize(&self.to_cose(), to)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::from_cose(&crate::key::base64url::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}
