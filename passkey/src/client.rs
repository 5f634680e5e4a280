//! Client data: what the browser says it asked for, on which page.

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use wardkeep_proto::digest::Digest;

use crate::Refused;

/// Longest, bytes; browsers write some 200.
pub(crate) const LONGEST: usize = 4096;

/// What must be in it. Browsers may add members, and none of these may stand twice.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    #[serde(rename = "type")]
    ceremony: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
    #[serde(default)]
    top_origin: Option<String>,
}

/// Checks it, and gives what the signature covers of it.
pub(crate) fn check(json: &[u8], ceremony: &str, challenge: &Digest, origin: &str) -> Result<Digest, Refused> {
    if json.len() > LONGEST {
        return Err(BAD);
    }
    let said: ClientData = serde_json::from_slice(json).map_err(|_| BAD)?;
    if said.ceremony != ceremony {
        return Err(Refused::Ceremony);
    }
    let signed = BASE64URL_NOPAD.decode(said.challenge.as_bytes()).map_err(|_| Refused::Challenge)?;
    if signed != challenge.0 {
        return Err(Refused::Challenge);
    }
    if said.origin != origin || said.cross_origin || said.top_origin.is_some() {
        return Err(Refused::Origin);
    }
    Ok(Digest::plain(json))
}

const BAD: Refused = Refused::Unreadable("client data");
