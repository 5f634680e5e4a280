//! Authenticator data: what the authenticator says of itself, under its signature.

use crate::Refused;
use crate::cbor::Reader;
use crate::cose::PublicKey;

/// Longest, bytes: an attested RSA key and some extensions fit.
pub(crate) const LONGEST: usize = 2048;
/// Longest id of a credential, bytes (`WebAuthn`, 4).
pub(crate) const CREDENTIAL: std::ops::RangeInclusive<usize> = 1..=1023;
/// Hash, flags, counter.
const FIXED: usize = 37;

/// The parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuthenticatorData<'a> {
    pub(crate) rp_id_hash: &'a [u8],
    /// Somebody touched it.
    pub(crate) present: bool,
    /// It checked who.
    pub(crate) verified: bool,
    /// The key may be copied between a person's devices.
    pub(crate) synced: bool,
    pub(crate) counter: u32,
    pub(crate) attested: Option<Attested<'a>>,
}

/// The credential that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attested<'a> {
    pub(crate) credential: &'a [u8],
    pub(crate) key: PublicKey,
}

impl<'a> AuthenticatorData<'a> {
    /// Takes it apart, to its last byte.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Refused> {
        if bytes.len() > LONGEST {
            return Err(BAD);
        }
        let (fixed, rest) = bytes.split_at_checked(FIXED).ok_or(BAD)?;
        let (rp_id_hash, fixed) = fixed.split_at(32);
        let flags = fixed[0];
        let counter = u32::from_be_bytes([fixed[1], fixed[2], fixed[3], fixed[4]]);
        let is = |bit: u8| flags & (1 << bit) != 0;
        // What is backed up can be backed up.
        if is(4) && !is(3) {
            return Err(BAD);
        }
        let (attested, rest) =
            if is(6) { Attested::read(rest).map(|(made, rest)| (Some(made), rest))? } else { (None, rest) };
        let mut reader = Reader::new(rest);
        if is(7) {
            // Extensions that nobody asked for say nothing here; that they end where the data ends counts.
            let mut peek = Reader::new(rest);
            peek.map()?;
            reader.skip()?;
        }
        if !reader.rest().is_empty() {
            return Err(BAD);
        }
        Ok(Self { rp_id_hash, present: is(0), verified: is(2), synced: is(3), counter, attested })
    }
}

impl<'a> Attested<'a> {
    fn read(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Refused> {
        // 16 bytes name the model of the authenticator.
        let (head, rest) = bytes.split_at_checked(18).ok_or(BAD)?;
        let length = usize::from(u16::from_be_bytes([head[16], head[17]]));
        let (credential, rest) = rest.split_at_checked(length).ok_or(BAD)?;
        if !CREDENTIAL.contains(&length) {
            return Err(BAD);
        }
        let mut reader = Reader::new(rest);
        let key = PublicKey::read(&mut reader)?;
        Ok((Self { credential, key }, reader.rest()))
    }
}

const BAD: Refused = Refused::Unreadable("data");
