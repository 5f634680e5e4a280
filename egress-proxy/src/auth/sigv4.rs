//! AWS Signature Version 4, in headers.
//!
//! Source: AWS, "Create a signed AWS API request" (IAM User Guide) and its test suite.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use ring::{digest, hmac};
use wardkeep_proto::secret::SecretValue;
use wardkeep_proto::time::Timestamp;
use zeroize::Zeroizing;

use crate::api::encoded;
use crate::client::Upstream;
use crate::refusal::Refusal;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// What is signed of the head, if it is there; the rest may change on its way. Sorted, as the signature wants them.
const SIGNED: [&str; 5] = ["content-type", "host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"];

/// Who signs, and for what.
pub(crate) struct Signer {
    pub(super) access_key_id: SecretValue,
    pub(super) secret_access_key: SecretValue,
    pub(super) session_token: Option<SecretValue>,
    pub(super) region: String,
    pub(super) service: String,
}

impl Signer {
    /// Adds date, token and signature. `host` is what the client will send: the authority of the address.
    pub(super) fn sign(
        &self,
        method: &str,
        to: &Upstream,
        headers: &mut HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let authority = to.uri.authority().ok_or(Refusal::BadProvider)?.as_str();
        headers.insert(header::HOST, HeaderValue::from_str(authority).map_err(|_| Refusal::BadProvider)?);
        let moment = moment(now);
        headers.insert("x-amz-date", HeaderValue::from_str(&moment).map_err(|_| Refusal::BadProvider)?);
        if let Some(token) = &self.session_token {
            super::insert(headers, HeaderName::from_static("x-amz-security-token"), token.expose())?;
        }
        let (path, query) = (to.uri.path(), to.uri.query().unwrap_or(""));
        let value = self.authorization(method, path, query, headers, body, &moment);
        super::insert(headers, header::AUTHORIZATION, &value)
    }

    fn authorization(
        &self,
        method: &str,
        path: &str,
        query: &str,
        headers: &HeaderMap,
        body: &[u8],
        moment: &str,
    ) -> Zeroizing<String> {
        let (request, names) = canonical(method, path, query, headers, body);
        let day = &moment[..8];
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let to_sign = format!(
            "{ALGORITHM}\n{moment}\n{scope}\n{}",
            hex(digest::digest(&digest::SHA256, request.as_bytes()).as_ref())
        );
        let secret = Zeroizing::new(format!("AWS4{}", self.secret_access_key.expose()));
        let mut key = tag(secret.as_bytes(), day);
        for part in [&self.region, &self.service, "aws4_request"] {
            key = tag(key.as_ref(), part);
        }
        let signature = hex(tag(key.as_ref(), &to_sign).as_ref());
        let id = self.access_key_id.expose();
        Zeroizing::new(format!("{ALGORITHM} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"))
    }
}

fn tag(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// `20150830T123600Z`.
fn moment(now: Timestamp) -> String {
    // As RFC 3339 has it: 2015-08-30T12:36:00.000Z.
    let text: String = now.to_string().chars().filter(|c| c.is_ascii_digit() || matches!(c, 'T' | '.' | 'Z')).collect();
    let (seconds, _) = text.split_once('.').unwrap_or((text.trim_end_matches('Z'), ""));
    format!("{seconds}Z")
}

/// The canonical request, and the names of its signed headers.
fn canonical(method: &str, path: &str, query: &str, headers: &HeaderMap, body: &[u8]) -> (String, String) {
    // The path is encoded once more as it stands on the wire, segment by segment.
    let path: Vec<_> = path.split('/').map(encoded).collect();
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (again(name), again(value))
        })
        .collect();
    pairs.sort();
    let query: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut signed = Vec::new();
    let mut head = String::new();
    for name in SIGNED {
        let values: Vec<String> = headers.get_all(name).iter().map(|value| trimmed(value.as_bytes())).collect();
        if !values.is_empty() {
            signed.push(name);
            head.push_str(&format!("{name}:{}\n", values.join(",")));
        }
    }
    let names = signed.join(";");
    let hash = hex(digest::digest(&digest::SHA256, body).as_ref());
    (format!("{method}\n{}\n{}\n{head}\n{names}\n{hash}", path.join("/"), query.join("&")), names)
}

/// Encoded as the signature wants it, however it was.
fn again(text: &str) -> String {
    let plain = crate::api::decoded(text).unwrap_or_else(|| text.to_owned());
    encoded(&plain).into_owned()
}

/// Without spaces around it, and with one where there were several.
fn trimmed(value: &[u8]) -> String {
    String::from_utf8_lossy(value).split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
