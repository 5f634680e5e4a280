//! The enrolment token: `wke1.` and base64url of `{"a": address, "c": CA hash, "r": root key hash, "t": secret}`.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use wardkeep_proto::digest::Digest;
use zeroize::{Zeroize as _, Zeroizing};

use crate::hub_address::HubAddress;

const PREFIX: &str = "wke1.";

/// What the hub showed once. Never prints its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// Where the hub's link is.
    pub address: HubAddress,
    /// SHA-256 of the hub's authority certificate, DER.
    pub authority: Digest,
    /// SHA-256 of the offline root's public key.
    pub root: Digest,
    secret: Zeroizing<String>,
}

/// The text is not a token. Says nothing of the text: it may hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not an enrolment token ({0}); copy the whole text that starts with wke1. as the hub showed it")]
pub struct InvalidToken(&'static str);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    a: String,
    c: Digest,
    r: Digest,
    t: String,
}

impl Token {
    /// The part that only the hub and the holder know.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let body = text.trim().strip_prefix(PREFIX).ok_or(InvalidToken("no wke1. at its start"))?;
        let json = BASE64URL_NOPAD.decode(body.trim_end_matches('=').as_bytes());
        let json = Zeroizing::new(json.map_err(|_| InvalidToken("not base64url"))?);
        let mut fields: Fields = serde_json::from_slice(&json).map_err(|_| InvalidToken("not the expected fields"))?;
        let secret = Zeroizing::new(std::mem::take(&mut fields.t));
        fields.t.zeroize();
        let bytes = BASE64URL_NOPAD.decode(secret.trim_end_matches('=').as_bytes());
        if bytes.map(Zeroizing::new).map_err(|_| InvalidToken("its secret is not base64url"))?.len() != 32 {
            return Err(InvalidToken("its secret is not 32 bytes"));
        }
        let address = fields.a.parse().map_err(|_| InvalidToken("its address is not https://host:port"))?;
        Ok(Self { address, authority: fields.c, root: fields.r, secret })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("address", &self.address).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> String {
        format!("{PREFIX}{}", BASE64URL_NOPAD.encode(json.as_bytes()))
    }

    fn fields(address: &str, hash: &str, secret: &str) -> String {
        text(&format!(r#"{{"a":"{address}","c":"{hash}","r":"{}","t":"{secret}"}}"#, "0".repeat(64)))
    }

    #[test]
    fn anything_incomplete_is_refused() {
        let (hash, secret) = ("1".repeat(64), BASE64URL_NOPAD.encode(&[5; 32]));
        for (bad, why) in [
            (String::new(), "start"),
            ("wke2.AAAA".into(), "start"),
            ("wke1.***".into(), "base64url"),
            (text("{}"), "fields"),
            (fields("https://hub:1", "11", &secret), "fields"),
            (fields("http://hub:1", &hash, &secret), "https"),
            (fields("https://hub:1", &hash, "AAAA"), "32 bytes"),
            (fields("https://hub:1", &hash, "!"), "base64url"),
            (fields("https://hub:1", &hash, &secret)[..90].to_owned(), "base64url"),
        ] {
            let error = bad.parse::<Token>().expect_err(why).to_string();
            assert!(error.contains(why) || error.contains("fields"), "{why}: {error}");
        }
    }

    #[test]
    fn a_token_is_read_with_white_space_around_it_and_stays_silent() {
        let secret = BASE64URL_NOPAD.encode(&[5; 32]);
        let token: Token =
            format!("  {}\n", fields("https://hub:7443", &"1".repeat(64), &secret)).parse().expect("valid");
        assert_eq!((token.address.port(), token.secret()), (7443, secret.as_str()));
        assert!(!format!("{token:?}").contains(&secret));
    }
}
