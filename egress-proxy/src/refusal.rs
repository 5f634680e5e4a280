//! Every way in which the gateway says no, as a document of the caller's dialect.
//!
//! The status decides what agents do next. A hard refusal is 400: one attempt, the text is shown, nothing cools down. 402
//! and 429 are never ours (agents disable the provider or retry for minutes); 401 is for a token nobody knows; 502 and 504
//! are worth a retry. Source: reference/openclaw.md 3.2 and the retry rules of both official clients.

use http::StatusCode;
use serde_json::json;
use wardkeep_policy::{Closed, Dialect};
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::secret::NotGiven;
use wardkeep_redaction::Unscannable;

use crate::api::Api;
use crate::attachments::Held;
use crate::budget::Stop;
use crate::forward::wire::InvalidHead;
use crate::gate_memory::{PastTheGate, Unanswered};
use crate::meter::MeterError;
use crate::multipart::InvalidUpload;
use crate::request::{BODY_BYTES, InvalidBody};
use crate::strict::Fault;
use crate::translate::Untranslatable;

/// Why a request got no answer from a model. The texts hold no byte of the request but names, without secrets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    // The caller's.
    #[error(
        "this address does not exist here; the gateway serves /v1/messages, /v1/messages/count_tokens, \
         /v1/chat/completions, /v1/responses, /v1/embeddings, /v1/files (POST), /v1/models and Gemini's methods at /v1beta/models"
    )]
    NoRoute,
    #[error("no model of this name is there for you; GET /v1/models lists yours")]
    NoModel,
    #[error("this address answers {0} only")]
    Method(&'static str),
    #[error(
        "the API key is not a local token of an agent of this server; run `wardkeep-agent status` to see its agents"
    )]
    UnknownToken,
    #[error("the request is compressed; send it without content-encoding, so that it can be scanned")]
    Encoded,
    #[error("the request is larger than {} MiB; send less, or begin a new session", BODY_BYTES / 1024 / 1024)]
    TooLarge,
    #[error("the request stopped arriving; send it again, at once")]
    Stalled,
    #[error("the request ended before its body was whole; send it again")]
    Cut,
    #[error("{0}")]
    Malformed(#[from] Fault),
    #[error("{0}")]
    Invalid(#[from] InvalidBody),
    #[error("the request cannot be scanned and therefore does not leave: {0}")]
    Unscannable(#[from] Unscannable),
    #[error("the address or a header holds a secret; send it nowhere but in a tool call as SECRET_REF(name)")]
    SecretInHead,
    #[error(
        "the query asks for an answer in which the usage could not be read; leave all but alt=sse and alt=json out of it"
    )]
    Query,
    #[error("{0}")]
    File(#[from] Held),
    #[error("{0}")]
    Upload(#[from] InvalidUpload),
    // The policy's.
    #[error(
        "agent {0} has no live hook: its runtime must load the Wardkeep hook and call session-start before it gets a model"
    )]
    NoLease(AgentName),
    #[error("closed ({}): {}; {}", .0.as_str(), .0.why(), .0.what_to_do())]
    Closed(Closed),
    #[error("the policy does not know agent {0}; add it on the hub")]
    UnknownAgent(AgentName),
    #[error("agent {agent} may not use this model; it may use: {allowed}")]
    UnlistedModel { agent: AgentName, allowed: String },
    #[error(
        "the provider of this model does not speak this API, and the request cannot be told in the one it speaks; \
         ask for the model at {0}"
    )]
    OtherDialect(&'static str),
    #[error("the provider of this model speaks another API, in which this request cannot be told: {0}")]
    Untranslatable(#[from] Untranslatable),
    #[error(
        "this model's provider does not serve this API; ask for the model at another address, or for another model"
    )]
    NotServed,
    #[error("{0}")]
    PastTheGate(PastTheGate),
    #[error("{0}")]
    Gate(Unanswered),
    /// Where an answer of the model would not be one.
    #[error("{0}")]
    Budget(Box<Stop>),
    // The operator's.
    #[error("the provider of this model is not configured rightly; mend the policy on the hub")]
    BadProvider,
    #[error("the provider's key is not available: {0}")]
    NoKey(#[from] NotGiven),
    #[error("the provider's key has characters that no header may carry; set it again")]
    BadKey,
    #[error("usage cannot be recorded, so nothing is sent: {0}")]
    Meter(#[from] MeterError),
    // The machine's and the provider's.
    #[error("too many large requests wait at the same time; try again")]
    Busy,
    #[error("the provider cannot be reached from this server; try again, or run `wardkeep-agent doctor`")]
    Unreachable,
    #[error("the provider's answer broke off before it began, or is none that can be read; try again")]
    Broken,
    #[error("the provider did not answer in time; try again")]
    Silent,
    #[error("the provider began to answer and told an error instead; try again")]
    Faltered,
    #[error("every provider of this model failed just now and is left alone for {0} seconds; try again then")]
    Resting(u64),
    #[error("the provider answered with something that cannot be relayed (status {0}); is its address right?")]
    Unrelayable(u16),
    #[error("{}", .0.of_answer())]
    Untold(Untranslatable),
}

impl Refusal {
    /// The stable name, for records, tests and the `OpenAI` field `code`.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NoRoute => "no-route",
            Self::NoModel => "no-model",
            Self::Method(_) => "method",
            Self::UnknownToken => "unknown-token",
            Self::Encoded => "encoded",
            Self::TooLarge => "too-large",
            Self::Stalled => "stalled",
            Self::Cut => "cut",
            Self::Malformed(Fault::Head(InvalidHead::TooLarge) | Fault::Many) => "large-head",
            Self::Malformed(Fault::Slow) => "slow-head",
            Self::Malformed(Fault::Crowded) => "crowded",
            Self::Malformed(_) => "malformed",
            Self::Invalid(_) => "invalid-body",
            Self::Unscannable(Unscannable::Sealed { .. }) => "secret-in-signed-block",
            Self::Unscannable(_) => "unscannable",
            Self::SecretInHead => "secret-in-head",
            Self::Query => "query",
            Self::File(Held::Secret)
            | Self::Upload(InvalidUpload::Held(Held::Secret) | InvalidUpload::SecretInName) => "secret-in-file",
            Self::File(_) | Self::Upload(InvalidUpload::Held(_)) => "unscannable-file",
            Self::Upload(_) => "invalid-upload",
            Self::NoLease(_) => "no-lease",
            Self::Closed(closed) => closed.as_str(),
            Self::UnknownAgent(_) => "unknown-agent",
            Self::UnlistedModel { .. } => "unlisted-model",
            Self::OtherDialect(_) => "other-dialect",
            Self::Untranslatable(_) => "untranslatable",
            Self::NotServed => "not-served",
            Self::PastTheGate(_) => "past-the-gate",
            Self::Gate(_) => "gate",
            Self::Budget(_) => "budget",
            Self::BadProvider => "bad-provider",
            Self::NoKey(NotGiven::Locked) => "vault-locked",
            Self::NoKey(_) => "no-key",
            Self::BadKey => "bad-key",
            Self::Meter(MeterError::DiskFull) => "disk-full",
            Self::Meter(_) => "meter",
            Self::Busy => "busy",
            Self::Unreachable => "unreachable",
            Self::Broken => "broken",
            Self::Silent => "silent",
            Self::Faltered => "faltered",
            Self::Resting(_) => "resting",
            Self::Unrelayable(_) => "unrelayable",
            Self::Untold(_) => "untold",
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::UnknownToken => StatusCode::UNAUTHORIZED,
            Self::NoRoute | Self::NoModel => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Stalled | Self::Malformed(Fault::Slow) => StatusCode::REQUEST_TIMEOUT,
            Self::Malformed(Fault::Head(InvalidHead::TooLarge) | Fault::Many) => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Self::Busy | Self::Resting(_) | Self::Malformed(Fault::Crowded) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreachable | Self::Broken | Self::Faltered | Self::Unrelayable(_) | Self::Untold(_) => {
                StatusCode::BAD_GATEWAY
            }
            Self::Silent => StatusCode::GATEWAY_TIMEOUT,
            Self::Encoded
            | Self::Cut
            | Self::Malformed(_)
            | Self::Invalid(_)
            | Self::Unscannable(_)
            | Self::SecretInHead
            | Self::Query
            | Self::File(_)
            | Self::Upload(_)
            | Self::NoLease(_)
            | Self::Closed(_)
            | Self::UnknownAgent(_)
            | Self::UnlistedModel { .. }
            | Self::OtherDialect(_)
            | Self::Untranslatable(_)
            | Self::NotServed
            | Self::PastTheGate(_)
            | Self::Gate(_)
            | Self::Budget(_)
            | Self::BadProvider
            | Self::NoKey(_)
            | Self::BadKey
            | Self::Meter(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// Whether the same request may succeed later without anybody doing something.
    pub(crate) fn may_pass_later(&self) -> bool {
        // What a model said cannot be told: it was paid for, and would be again.
        let is_final = matches!(self, Self::Untold(_));
        (self.status().is_server_error() && !is_final) || self.status() == StatusCode::REQUEST_TIMEOUT
    }

    /// The document that `dialect` expects.
    pub(crate) fn document(&self, dialect: Dialect, request_id: &str) -> Vec<u8> {
        document(dialect, self.status(), self.code(), &format!("Wardkeep: {self}"), request_id)
    }
}

/// An error in the words of `dialect`.
fn document(dialect: Dialect, status: StatusCode, code: &str, message: &str, request_id: &str) -> Vec<u8> {
    let kind = kind(dialect, status);
    match dialect {
        Dialect::Anthropic => {
            json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id})
        }
        Dialect::OpenAi => json!({"error": {"message": message, "type": kind, "param": null, "code": code}}),
        Dialect::Gemini => json!({"error": {"code": status.as_u16(), "message": message, "status": kind}}),
    }
    .to_string()
    .into_bytes()
}

/// The event that ends a stream which broke on its way.
pub(crate) fn broken_stream(api: Api) -> Vec<u8> {
    let text = "Wardkeep: the provider's stream broke off; the answer is not complete";
    match api.dialect() {
        Dialect::Anthropic => {
            let data = json!({"type": "error", "error": {"type": "api_error", "message": text}});
            format!("event: error\ndata: {data}\n\n")
        }
        Dialect::OpenAi if api == Api::Responses => {
            // As the API's own: its stream has no end after this one.
            let data = json!({"type": "error", "code": "broken", "message": text, "param": null, "sequence_number": 0});
            format!("event: error\ndata: {data}\n\n")
        }
        Dialect::OpenAi => {
            let error = json!({"message": text, "type": "server_error", "param": null, "code": "broken"});
            format!("data: {}\n\n", json!({ "error": error }))
        }
        Dialect::Gemini => {
            let error = json!({"code": 502, "message": text, "status": "UNAVAILABLE"});
            format!("data: {}\n\n", json!({ "error": error }))
        }
    }
    .into_bytes()
}

/// A provider's error in the words of `dialect`, where it has others: a gateway in front of it, or another vendor's API.
/// `None` where a client can read it as it is.
pub(crate) fn translated(dialect: Dialect, status: StatusCode, document: &[u8], request_id: &str) -> Option<Vec<u8>> {
    /// Of a page of HTML, say.
    const SHOWN: usize = 2048;
    let said: Option<serde_json::Value> = serde_json::from_slice(document).ok();
    // Gemini's streams answer with a list of one.
    let body = said.as_ref().map(|said| said.get(0).unwrap_or(said));
    if body.is_some_and(|body| body.get("error").is_some_and(serde_json::Value::is_object)) {
        return None;
    }
    let words = body.and_then(|body| {
        ["message", "Message", "error", "detail", "error_description"].iter().find_map(|name| match body.get(name)? {
            serde_json::Value::String(text) => Some(text.clone()),
            serde_json::Value::Null => None,
            other => Some(other.to_string()),
        })
    });
    let words = words.unwrap_or_else(|| {
        let text = String::from_utf8_lossy(document);
        text.chars().take(SHOWN).collect()
    });
    let message = format!("the provider answered: {}", if words.is_empty() { status.as_str() } else { &words });
    Some(self::document(dialect, status, "provider", &message, request_id))
}

fn kind(dialect: Dialect, status: StatusCode) -> &'static str {
    match (dialect, status.as_u16()) {
        (Dialect::Anthropic, 401) => "authentication_error",
        (Dialect::Anthropic, 403) => "permission_error",
        (Dialect::Anthropic, 429) => "rate_limit_error",
        (Dialect::Anthropic, 529) => "overloaded_error",
        (Dialect::Anthropic, 404) => "not_found_error",
        (Dialect::Anthropic, 413) => "request_too_large",
        (Dialect::Anthropic, 408 | 504) => "timeout_error",
        (Dialect::Anthropic, 500..) => "api_error",
        (Dialect::OpenAi, 429) => "rate_limit_error",
        (Dialect::OpenAi, 500..) => "server_error",
        (Dialect::Gemini, 401) => "UNAUTHENTICATED",
        (Dialect::Gemini, 403) => "PERMISSION_DENIED",
        (Dialect::Gemini, 404) => "NOT_FOUND",
        (Dialect::Gemini, 429) => "RESOURCE_EXHAUSTED",
        (Dialect::Gemini, 408 | 504) => "DEADLINE_EXCEEDED",
        (Dialect::Gemini, 500..) => "UNAVAILABLE",
        (Dialect::Gemini, _) => "INVALID_ARGUMENT",
        _ => "invalid_request_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_refusal_makes_agents_disable_the_provider_or_retry_for_long() {
        let name: AgentName = "office".parse().unwrap();
        for refusal in [
            Refusal::NoLease(name.clone()),
            Refusal::Closed(Closed::DiskFull),
            Refusal::UnknownAgent(name.clone()),
            Refusal::UnlistedModel { agent: name, allowed: "none".to_owned() },
            Refusal::NoKey(NotGiven::Locked),
            Refusal::Meter(MeterError::DiskFull),
            Refusal::Unscannable(Unscannable::TooDeep),
            Refusal::Encoded,
            Refusal::SecretInHead,
        ] {
            assert_eq!(refusal.status(), StatusCode::BAD_REQUEST, "{refusal}");
            assert!(!refusal.may_pass_later());
        }
        assert!(Refusal::Unreachable.may_pass_later());
    }

    #[test]
    fn documents_are_those_of_the_dialect() {
        let anthropic = Refusal::UnknownToken.document(Dialect::Anthropic, "wk-1");
        let anthropic: serde_json::Value = serde_json::from_slice(&anthropic).unwrap();
        assert_eq!(anthropic["type"], "error");
        assert_eq!(anthropic["error"]["type"], "authentication_error");
        assert_eq!(anthropic["request_id"], "wk-1");
        let openai = Refusal::Unreachable.document(Dialect::OpenAi, "wk-1");
        let openai: serde_json::Value = serde_json::from_slice(&openai).unwrap();
        assert_eq!(openai["error"]["type"], "server_error");
        assert_eq!(openai["error"]["code"], "unreachable");
        let gemini = Refusal::UnknownToken.document(Dialect::Gemini, "wk-1");
        let gemini: serde_json::Value = serde_json::from_slice(&gemini).unwrap();
        assert_eq!(gemini["error"]["code"], 401);
        assert_eq!(gemini["error"]["status"], "UNAUTHENTICATED");
        assert!(gemini["error"]["message"].as_str().unwrap().starts_with("Wardkeep: "));
    }

    #[test]
    fn an_error_in_other_words_is_translated() {
        let status = StatusCode::TOO_MANY_REQUESTS;
        for native in [
            r#"{"type":"error","error":{"type":"x","message":"m"}}"#,
            r#"{"error":{"message":"m"}}"#,
            r#"[{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}]"#,
        ] {
            assert_eq!(translated(Dialect::OpenAi, status, native.as_bytes(), "wk-1"), None, "{native}");
        }
        for (foreign, says) in [
            (r#"{"message":"Too many tokens"}"#, "Too many tokens"),
            (r#"{"object":"error","message":"slow down","type":"x"}"#, "slow down"),
            (r#"{"detail":[{"loc":["body"],"msg":"bad"}]}"#, "\"msg\":\"bad\""),
            (r#"{"error":"model not found"}"#, "model not found"),
            ("<html>502</html>", "<html>502</html>"),
            ("", "429"),
        ] {
            let document = translated(Dialect::Anthropic, status, foreign.as_bytes(), "wk-1").expect(foreign);
            let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
            assert_eq!(document["error"]["type"], "rate_limit_error");
            assert!(document["error"]["message"].as_str().unwrap().contains(says), "{document}");
        }
    }
}
