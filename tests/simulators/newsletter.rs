//! A newsletter service: a small third party with a REST API, a key, and readers who get every campaign that is sent.
//!
//! It sends as often as it is asked. Only an `Idempotency-Key` that it has seen before changes nothing, so a call that runs
//! twice shows in [`NewsletterSimulator::sends`].

pub mod adapter;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::Recorded;

/// How many readers every campaign has.
pub const SUBSCRIBERS: u64 = 412;

/// A campaign as the service keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// `cmp_1`, `cmp_2`, …
    pub id: String,
    /// Subject line.
    pub subject: String,
    /// Text.
    pub body: String,
    /// How often it went out.
    pub sends: u32,
}

/// The running service; ends when dropped.
pub struct NewsletterSimulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    key: String,
    state: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    requests: Vec<Recorded>,
    campaigns: Vec<Campaign>,
    /// Answers by idempotency key.
    answered: BTreeMap<String, (StatusCode, Value)>,
}

impl NewsletterSimulator {
    /// Starts the service on a free port of 127.0.0.1; it wants `Authorization: Bearer key`.
    ///
    /// # Errors
    /// No port can be bound.
    pub async fn start(key: &str) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { key: key.to_owned(), state: Mutex::default() });
        let router = Router::new()
            .route("/v1/subscribers", get(subscribers))
            .route("/v1/account", get(account))
            .route("/v1/campaigns", post(create).get(list))
            .route("/v1/campaigns/{id}/send", post(send))
            .route("/v1/echo", any(echo))
            .route("/v1/moved", get(moved))
            .route("/v1/export", get(export))
            .fallback(nothing_there)
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            // Accepting goes on until the task is dropped; the error case does not exist.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, shared, task })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:port`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far, refused ones included.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.memory().requests.clone()
    }

    /// Every campaign so far.
    #[must_use]
    pub fn campaigns(&self) -> Vec<Campaign> {
        self.shared.memory().campaigns.clone()
    }

    /// How often readers got mail: the sum over all campaigns.
    #[must_use]
    pub fn sends(&self) -> u32 {
        self.shared.memory().campaigns.iter().map(|campaign| campaign.sends).sum()
    }
}

impl Drop for NewsletterSimulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the request, checks the key, answers once per idempotency key.
    fn answer(&self, request: Recorded, work: impl FnOnce(&mut Memory) -> (StatusCode, Value)) -> Response {
        let mut memory = self.memory();
        let right_key = request.header("authorization") == Some(&format!("Bearer {}", self.key));
        let once = request.header("idempotency-key").map(|key| format!("{} {key}", request.target));
        let (status, document) = if !right_key {
            (StatusCode::UNAUTHORIZED, json!({"error": "the API key is missing or wrong"}))
        } else if let Some(before) = once.as_ref().and_then(|key| memory.answered.get(key)) {
            before.clone()
        } else {
            let answer = work(&mut memory);
            if let Some(key) = once {
                memory.answered.insert(key, answer.clone());
            }
            answer
        };
        memory.requests.push(Recorded { status: status.as_u16(), ..request });
        (status, axum::Json(document)).into_response()
    }
}

async fn subscribers(State(shared): State<Arc<Shared>>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    shared.answer(Recorded::new(&method, &uri, &headers, &[]), |_| {
        (StatusCode::OK, json!({"total": SUBSCRIBERS, "active": SUBSCRIBERS - 12, "unsubscribed": 12}))
    })
}

/// Services like to show a key back; the caller must not see it.
async fn account(State(shared): State<Arc<Shared>>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let key = shared.key.clone();
    shared.answer(Recorded::new(&method, &uri, &headers, &[]), |_| {
        (StatusCode::OK, json!({"name": "Bakery", "plan": "small", "api_key": key}))
    })
}

async fn list(State(shared): State<Arc<Shared>>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    shared.answer(Recorded::new(&method, &uri, &headers, &[]), |memory| {
        let all: Vec<Value> = memory.campaigns.iter().map(document).collect();
        (StatusCode::OK, json!({ "campaigns": all }))
    })
}

async fn create(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.answer(Recorded::new(&method, &uri, &headers, &body), |memory| {
        let Ok(wanted) = serde_json::from_slice::<Value>(&body) else {
            return (StatusCode::BAD_REQUEST, json!({"error": "the body is not JSON"}));
        };
        let (Some(subject), Some(text)) = (wanted["subject"].as_str(), wanted["body"].as_str()) else {
            return (StatusCode::UNPROCESSABLE_ENTITY, json!({"error": "subject and body are needed"}));
        };
        let campaign = Campaign {
            id: format!("cmp_{}", memory.campaigns.len() + 1),
            subject: subject.to_owned(),
            body: text.to_owned(),
            sends: u32::from(wanted["send_now"].as_bool().unwrap_or(false)),
        };
        let answer = document(&campaign);
        memory.campaigns.push(campaign);
        (StatusCode::CREATED, answer)
    })
}

async fn send(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.answer(Recorded::new(&method, &uri, &headers, &body), |memory| {
        match memory.campaigns.iter_mut().find(|campaign| campaign.id == id) {
            Some(campaign) => {
                campaign.sends += 1;
                (StatusCode::ACCEPTED, document(campaign))
            }
            None => (StatusCode::NOT_FOUND, json!({"error": "no such campaign"})),
        }
    })
}

/// As debug endpoints do: shows everything that was sent, the key included.
async fn echo(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = Recorded::new(&method, &uri, &headers, &body);
    let sent = request.headers.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)));
    let sent: Vec<String> = sent.collect();
    let basic = data_encoding::BASE64.encode(format!("api:{}", shared.key).as_bytes());
    let text = String::from_utf8_lossy(&body).into_owned();
    shared.answer(request, |_| (StatusCode::OK, json!({"sent": sent, "basic": basic, "body": text})))
}

/// Leads on to the address in the query, with the key behind it.
async fn moved(State(shared): State<Arc<Shared>>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let to = uri.query().and_then(|query| query.strip_prefix("to=")).unwrap_or("/");
    let location = format!("{to}?key={}", shared.key);
    let answer =
        shared.answer(Recorded::new(&method, &uri, &headers, &[]), |_| (StatusCode::OK, json!({"moved": location})));
    (StatusCode::TEMPORARY_REDIRECT, [("location", location)], answer.into_body()).into_response()
}

/// The key in pieces that arrive one after the other, behind as many bytes as the query says.
async fn export(State(shared): State<Arc<Shared>>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let before = uri.query().and_then(|query| query.strip_prefix("before=")?.parse().ok()).unwrap_or(0);
    let key = shared.key.clone();
    let recorded = shared.answer(Recorded::new(&method, &uri, &headers, &[]), |_| (StatusCode::OK, Value::Null));
    if recorded.status() != StatusCode::OK {
        return recorded;
    }
    let (one, two) = key.split_at(key.len() / 2);
    let pieces = ["x".repeat(before), one.to_owned(), two.to_owned(), "y".repeat(before)];
    let pieces = futures_util::stream::iter(pieces).then(|piece| async move {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        Ok::<_, std::convert::Infallible>(piece)
    });
    axum::body::Body::from_stream(pieces).into_response()
}

async fn nothing_there(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.answer(Recorded::new(&method, &uri, &headers, &body), |_| {
        (StatusCode::NOT_FOUND, json!({"error": "no such address"}))
    })
}

fn document(campaign: &Campaign) -> Value {
    json!({"id": campaign.id, "subject": campaign.subject, "sends": campaign.sends,
           "status": if campaign.sends > 0 { "sent" } else { "draft" }, "recipients": SUBSCRIBERS})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_wants_its_key_and_counts_what_goes_out() {
        let service = NewsletterSimulator::start("nl_live_key_for_tests").await.unwrap();
        let http = crate::simulators::http_client();
        let url = |path: &str| format!("{}{path}", service.base_url());
        let refused = http.get(url("/v1/subscribers")).bearer_auth("wrong").send().await.unwrap();
        assert_eq!(refused.status(), 401);
        let post = |path: &str| http.post(url(path)).bearer_auth("nl_live_key_for_tests");
        let letter = json!({"subject": "S", "body": "B", "send_now": true});
        assert_eq!(post("/v1/campaigns").json(&letter).send().await.unwrap().status(), 201);
        assert_eq!(post("/v1/campaigns/cmp_1/send").send().await.unwrap().status(), 202);
        for _ in 0..2 {
            let sent = post("/v1/campaigns/cmp_1/send").header("idempotency-key", "k").send().await.unwrap();
            assert_eq!(sent.status(), 202);
        }
        assert_eq!(post("/v1/campaigns/cmp_9/send").send().await.unwrap().status(), 404);
        assert_eq!(service.sends(), 3);
        assert_eq!(service.requests().iter().map(|r| r.status).collect::<Vec<_>>(), [401, 201, 202, 202, 202, 404]);
    }
}
