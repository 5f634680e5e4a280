//! A person's own passkeys.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use wardkeep_passkey::{Assertion, Introduction, Registration};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::time::Timestamp;

use super::error::{ErrorBody, Refusal};
use super::tenants::{id, invalid};
use crate::auth::Session;
use crate::passkeys::{PasskeyError, Passkeys};
use crate::store::Store;
use crate::store::passkeys::OwnPasskey;

/// One key.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PasskeyView {
    /// SHA-256 that names key and site.
    fingerprint: String,
    /// What is typed on a server that is to trust it.
    code: String,
    name: String,
    /// `ES256`, `EdDSA` or `RS256`.
    algorithm: &'static str,
    /// The site it was made on.
    origin: String,
    /// base64url.
    credential_id: String,
    /// Its owner's devices may share it.
    synced: bool,
    created_ms: i64,
}

impl From<&OwnPasskey> for PasskeyView {
    fn from(key: &OwnPasskey) -> Self {
        Self {
            fingerprint: key.fingerprint.to_string(),
            code: key.code().to_string(),
            name: key.name.clone(),
            algorithm: key.passkey.public_key.algorithm(),
            origin: key.passkey.origin.clone(),
            credential_id: BASE64URL_NOPAD.encode(&key.passkey.credential_id),
            synced: key.synced,
            created_ms: key.created.millis(),
        }
    }
}

/// Keys, oldest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PasskeyList {
    passkeys: Vec<PasskeyView>,
}

/// Your passkeys.
#[utoipa::path(get, path = "/api/v1/passkeys", responses((status = 200, body = PasskeyList)))]
pub(super) async fn list(session: Session, State(store): State<Store>) -> Result<Json<PasskeyList>, Refusal> {
    let keys = store.passkeys_of(session.user().id).await?;
    Ok(Json(PasskeyList { passkeys: keys.iter().map(PasskeyView::from).collect() }))
}

/// What `navigator.credentials.create` is to be given.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ChallengeView {
    /// base64url; ten minutes.
    challenge: String,
    /// Id of the relying party.
    rp_id: String,
    /// Id of the person, base64url.
    user_id: String,
    user_name: String,
    /// Credentials that are there already, base64url.
    exclude: Vec<String>,
}

/// Begins a registration.
#[utoipa::path(post, path = "/api/v1/passkeys/challenge", responses((status = 200, body = ChallengeView), (status = 409, body = ErrorBody)))]
pub(super) async fn challenge(
    session: Session,
    State(passkeys): State<Passkeys>,
    State(store): State<Store>,
) -> Result<Json<ChallengeView>, Refusal> {
    let user = session.user();
    let challenge = passkeys.challenge(user.id).await?;
    let exclude = store.passkeys_of(user.id).await?;
    Ok(Json(ChallengeView {
        challenge: BASE64URL_NOPAD.encode(&challenge.0),
        rp_id: passkeys.rp_id().unwrap_or_default().to_owned(),
        user_id: BASE64URL_NOPAD.encode(user.id.to_string().as_bytes()),
        user_name: user.name.clone(),
        exclude: exclude.iter().map(|key| BASE64URL_NOPAD.encode(&key.passkey.credential_id)).collect(),
    }))
}

/// A key as a browser made it.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistrationBody {
    /// For you, 1 to 60 characters.
    name: String,
    /// The challenge it was made for, base64url.
    challenge: String,
    /// base64url of `response.getAuthenticatorData()` and `response.clientDataJSON`.
    #[schema(value_type = Object)]
    registration: Registration,
    /// `response.getTransports()`; a hint for the next time.
    #[serde(default)]
    transports: Vec<String>,
}

/// Registers a key. No server trusts it by this: its code is to be typed there.
#[utoipa::path(post, path = "/api/v1/passkeys", request_body = RegistrationBody, responses((status = 200, body = PasskeyView), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(super) async fn register(
    session: Session,
    State(passkeys): State<Passkeys>,
    body: Result<Json<RegistrationBody>, JsonRejection>,
) -> Result<Json<PasskeyView>, Refusal> {
    let Json(body) = body.map_err(|_| invalid("send {\"name\",\"challenge\",\"registration\"} as JSON"))?;
    let challenge = BASE64URL_NOPAD.decode(body.challenge.as_bytes()).ok();
    let challenge = challenge.and_then(|bytes| Digest::try_from(bytes.as_slice()).ok());
    let challenge = challenge.ok_or_else(|| invalid("challenge must be 32 bytes in base64url"))?;
    let key = passkeys.register(session.user(), challenge, (&body.name, &body.transports), &body.registration).await?;
    Ok(Json(PasskeyView::from(&key)))
}

/// Gives a key up: every server that trusts it stops as soon as it hears of it.
#[utoipa::path(post, path = "/api/v1/passkeys/{fingerprint}/removal", params(("fingerprint" = String, Path, description = "64 hex digits")), responses((status = 200, body = PasskeyList), (status = 404, body = ErrorBody)))]
pub(super) async fn remove(
    session: Session,
    State(passkeys): State<Passkeys>,
    State(store): State<Store>,
    Path(fingerprint): Path<String>,
) -> Result<Json<PasskeyList>, Refusal> {
    passkeys.remove(session.user(), named(&fingerprint)?).await?;
    list(session, State(store)).await
}

/// An introduction as it is asked for, and as it comes back signed.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IntroductionBody {
    /// Id of the tenant.
    tenant: String,
    /// As it was given; absent to ask for something to sign.
    #[serde(default)]
    expires_ms: Option<i64>,
    /// What a key that the server trusts signed; absent to ask for something to sign.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    assertion: Option<Assertion>,
}

/// What is to be signed, or that it was stored.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct IntroductionView {
    /// base64url.
    challenge: String,
    expires_ms: i64,
    /// It is on its way to the server.
    stored: bool,
}

/// Lets a key in on a server by another one that it trusts: ask without `assertion`, sign the challenge, send it.
#[utoipa::path(post, path = "/api/v1/passkeys/{fingerprint}/introduction", params(("fingerprint" = String, Path, description = "64 hex digits")), request_body = IntroductionBody, responses((status = 200, body = IntroductionView), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(super) async fn introduce(
    session: Session,
    State(passkeys): State<Passkeys>,
    Path(fingerprint): Path<String>,
    body: Result<Json<IntroductionBody>, JsonRejection>,
) -> Result<Json<IntroductionView>, Refusal> {
    let Json(body) = body.map_err(|_| invalid("send {\"tenant\",\"expires_ms\"?,\"assertion\"?} as JSON"))?;
    let mut introduction = passkeys.introduction(id(&body.tenant)?, named(&fingerprint)?);
    if let Some(expires) = body.expires_ms {
        introduction = Introduction { expires_ms: Timestamp(expires), ..introduction };
    }
    if let Some(assertion) = &body.assertion {
        passkeys.introduce(session.user(), introduction, assertion).await?;
    }
    Ok(Json(IntroductionView {
        challenge: BASE64URL_NOPAD.encode(&introduction.challenge().0),
        expires_ms: introduction.expires_ms.millis(),
        stored: body.assertion.is_some(),
    }))
}

fn named(fingerprint: &str) -> Result<Digest, Refusal> {
    fingerprint.parse().map_err(|_| Refusal::NotFound)
}

impl From<PasskeyError> for Refusal {
    fn from(error: PasskeyError) -> Self {
        let message = error.to_string();
        match error {
            PasskeyError::Store(error) => Self::Internal(error),
            PasskeyError::Unknown => Self::NotFound,
            PasskeyError::Name => Self::Invalid(message),
            PasskeyError::Refused(_) | PasskeyError::NotStored(_) | PasskeyError::NotPinned | PasskeyError::Late => {
                Self::Conflict { code: "passkey", message }
            }
        }
    }
}
