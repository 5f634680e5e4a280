//! Passkeys (`WebAuthn`): what a person's key signed, checked. Bytes in, yes or no out.
//!
//! * **Owns**: a registered key ([`Passkey`]) and its code for people, the checks of an assertion ([`Passkey::verify`]) and of a
//!   registration ([`Registration::accept`]), and what a key signs where it lets another key in ([`Introduction`]).
//! * **Flows through it**: bytes that browsers and authenticators made and a hub relayed: all of them hostile.
//! * **Never hears of**: HTTP, databases, who is signed in. Which keys are trusted is the tenant's to say.
//!
//! Checked is what <https://www.w3.org/TR/webauthn-3/#sctn-verifying-assertion> asks of a relying party that wants user
//! verification; docs/decisions/0012-passkeys.md says why this is own code.

mod assertion;
mod authenticator;
mod cbor;
mod client;
mod code;
mod cose;
mod key;
mod registration;
#[cfg(any(test, feature = "soft"))]
pub mod soft;
#[cfg(test)]
mod tests;

pub use assertion::{Assertion, Seen, goes_on};
pub use code::{Code, InvalidCode};
pub use cose::PublicKey;
pub use key::{Introduction, Passkey, rp_id_of};
pub use registration::{Registered, Registration};

/// Why what a key is said to have signed does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Longer than any authenticator makes it, or cut, or with something behind it.
    #[error("the {0} of the passkey cannot be read")]
    Unreadable(&'static str),
    /// Made by another credential than the one it is compared with.
    #[error("another passkey signed")]
    OtherKey,
    /// Made for another ceremony.
    #[error("the passkey did something else than what was asked")]
    Ceremony,
    /// Over something else.
    #[error("the passkey signed something else")]
    Challenge,
    /// On a page of another site, or within one.
    #[error("the passkey was used on another site")]
    Origin,
    /// For another relying party.
    #[error("the passkey was used for another site")]
    RpId,
    /// Nobody touched it.
    #[error("nobody touched the passkey")]
    NotPresent,
    /// It did not check who touched it.
    #[error("the passkey did not check who used it; a fingerprint, a face or a PIN is needed")]
    NotVerified,
    /// A kind of key that is not taken.
    #[error("this kind of passkey is not taken: ES256, EdDSA or RS256 is needed")]
    Algorithm,
    /// The address of the site is none that passkeys work on.
    #[error("passkeys work on https and a host name only (or on localhost)")]
    Site,
    /// Not its signature.
    #[error("the passkey's signature is wrong")]
    Signature,
}
