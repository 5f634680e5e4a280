//! A language model's provider: Anthropic Messages, `OpenAI` Chat Completions and Responses, and Gemini, plain and streamed,
//! with their counting, vectors and files, on a real socket.
//!
//! What the model says comes from a [`Script`] over the parsed conversation; ids and numbers are a function of the
//! conversation too, so a turn that is asked for again is answered the same. Errors have the true formats. Every raw
//! request is kept, to be searched later.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use wardkeep_proto::digest::Digest;

use super::Recorded;
use wire::{Piece, events, list, pieces};

mod anthropic;
mod gemini;
mod openai;
mod responses;
mod small;
#[cfg(test)]
mod tests;
mod wire;

/// One message of a conversation, the same for all dialects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// `user`, `assistant`, `tool` or `system`.
    pub role: String,
    /// All text of the message.
    pub text: String,
    /// Names of the tools that an assistant called.
    pub calls: Vec<String>,
    /// Results that are handed in.
    pub results: Vec<ToolResult>,
    /// Length of the message as JSON, in bytes.
    pub bytes: u64,
}

/// The result of one tool call, as the model gets it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolResult {
    /// Which call.
    pub call: String,
    /// Its output.
    pub text: String,
    /// Whether it was refused or failed, where the dialect says so (`OpenAI` does not: always false).
    pub is_error: bool,
}

/// What the script sees.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    /// The model asked for.
    pub model: String,
    /// The system prompt.
    pub system: String,
    /// Everything said so far.
    pub messages: Vec<Message>,
    /// Names of the tools on offer.
    pub tools: Vec<String>,
    /// The request itself.
    pub raw: Value,
}

impl Conversation {
    /// How often the model has spoken: 0 for the first turn.
    #[must_use]
    pub fn turn(&self) -> usize {
        self.messages.iter().filter(|message| message.role == "assistant").count()
    }

    /// The tool results since the model last spoke.
    #[must_use]
    pub fn last_results(&self) -> Vec<&ToolResult> {
        let since = self.messages.iter().rposition(|message| message.role == "assistant").map_or(0, |at| at + 1);
        self.messages[since..].iter().flat_map(|message| &message.results).collect()
    }

    /// The id of call number `index` of the next turn.
    fn call_id(&self, prefix: &str, index: usize) -> String {
        let first = self.messages.first().map_or("", |message| message.text.as_str());
        let text = format!("{first}\n{}\n{index}", self.turn());
        format!("{prefix}{}", &Digest::of("simulator/call", text.as_bytes()).to_string()[..24])
    }

    /// The numbers for `answer`: the first turn writes the system prompt to the cache, later turns read all but the last
    /// message from it. Four bytes are a token.
    #[must_use]
    pub fn usage(&self, answer: &Answer) -> Usage {
        let tokens = |bytes: u64| bytes.div_ceil(4);
        let system = tokens(self.system.len() as u64);
        let said: u64 = answer.calls.iter().map(|(name, args)| (name.len() + args.to_string().len()) as u64).sum();
        let output = tokens(answer.text.len() as u64 + said) + answer.reasoning_tokens;
        let (last, before) = match self.messages.split_last() {
            Some((last, before)) => (tokens(last.bytes), before.iter().map(|m| tokens(m.bytes)).sum()),
            None => (0, 0),
        };
        let (input, cache_read, cache_write) =
            if self.turn() == 0 { (last + before, 0, system) } else { (last, system + before, 0) };
        Usage { input, output, cache_read, cache_write, reasoning: answer.reasoning_tokens }
    }
}

/// With this the provider signs what a model thought: bytes in base64, as long as they are in the field.
pub const SIGNATURE: &str = "EqQBCrgkTQKJgdaTr3tFavjvpMrWPSguGf8UlCwkblDZNR0icEqAKnHDWAtjcN5M6yk8MkqEIzQlV9Tlw4Q48ONpEO57VLZoNsH7\
     3RPSRB2eFDTcYspnf7aPX+ZqRkuq3s29AFdvjWtaw7zICES31QscxmA0RLvnz8+PwKoe48Y22eM5+rhIybZXqFPuN8Ccv90UnQs4\
     B7GR3em2I8zZUoHdGHBbSMibFQOQOEW7pXU5RTUf5rRUhSdg9zUpzwHKj2ncyg==";

/// What the model says next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// What is thought aloud, and signed, before anything is said; Anthropic and Gemini only.
    pub thinking: String,
    /// Then text.
    pub text: String,
    /// Then tool calls: name and arguments.
    pub calls: Vec<(String, Value)>,
    /// Tokens of thinking that are billed and not shown.
    pub reasoning_tokens: u64,
}

/// Tokens as the simulator reports and bills them; input excludes the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Fresh input.
    pub input: u64,
    /// Output, reasoning included.
    pub output: u64,
    /// Input read from the cache.
    pub cache_read: u64,
    /// Input written to the cache.
    pub cache_write: u64,
    /// Part of the output that was reasoning.
    pub reasoning: u64,
}

/// Decides what the model says.
pub trait Script: Send + Sync + 'static {
    /// The answer to this conversation. Pure, so that asking again changes nothing.
    fn next(&self, conversation: &Conversation) -> Answer;
}

impl<F: Fn(&Conversation) -> Answer + Send + Sync + 'static> Script for F {
    fn next(&self, conversation: &Conversation) -> Answer {
        self(conversation)
    }
}

/// Something that goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An error with this status in the dialect's format: 400, 429, 500, 503, 529, …
    Status(u16),
    /// The same, with the word to try again after so many seconds.
    Later(u16, u16),
    /// Nothing comes, not even a head.
    Silent,
    /// The stream ends in the dialect's own error, overloaded, after this many events.
    Overloaded(usize),
    /// The stream says nothing more after this many events.
    Stall(usize),
    /// The connection breaks after this many events.
    Drop(usize),
    /// The event with this number (from 0) is cut in half and its JSON broken.
    Malformed(usize),
    /// An answer with this status that shows the caller all that it sent, its key included, in head and body; a redirect
    /// leads on with the key in its query.
    Echo(u16),
}

/// The running provider; ends when dropped.
pub struct LlmSimulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    key: String,
    script: Box<dyn Script>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    requests: Vec<Recorded>,
    billed: Vec<Usage>,
    faults: VecDeque<Fault>,
    answers: VecDeque<Answer>,
    pace: Duration,
    left: Arc<AtomicU64>,
}

impl Memory {
    /// How a request ends that a fault keeps from being read: with an echo, or never.
    fn unread(&mut self, fault: Option<Fault>, request: &Recorded, key: &str) -> Option<Option<Response>> {
        let (status, end) = match fault? {
            Fault::Echo(status) => (status, Some(echo(status, request, key))),
            Fault::Silent => (request.status, None),
            _ => return None,
        };
        self.requests.push(Recorded { status, ..request.clone() });
        Some(end)
    }
}

impl LlmSimulator {
    /// Starts the provider on a free port of 127.0.0.1; it wants `key` as its dialects do.
    ///
    /// # Errors
    /// No port can be bound.
    pub async fn start(key: &str, script: impl Script) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { key: key.to_owned(), script: Box::new(script), memory: Mutex::default() });
        let router = Router::new()
            .route("/v1/messages", post(messages))
            .route("/v1/chat/completions", post(completions))
            .route("/v1/responses", post(responses))
            .route("/v1beta/models/{call}", post(gemini))
            .route("/v1/messages/count_tokens", post(small))
            .route("/v1/embeddings", post(small))
            .route("/v1/files", post(small))
            .fallback(nothing_there)
            .layer(axum::extract::DefaultBodyLimit::max(64 * 1024 * 1024))
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream: &mut tokio::net::TcpStream| {
            // A provider does not wait with small events; if the option is refused, they only come later.
            let _ = stream.set_nodelay(true);
        });
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

    /// `http://127.0.0.1:port`: the base address of a provider of any dialect.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far, refused ones included.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.memory().requests.clone()
    }

    /// The numbers of every answer that was begun, in order.
    #[must_use]
    pub fn billed(&self) -> Vec<Usage> {
        self.shared.memory().billed.clone()
    }

    /// Lets the next request that has no fault yet fail so.
    pub fn fail_next(&self, fault: Fault) {
        self.shared.memory().faults.push_back(fault);
    }

    /// Says this to the next request that is answered, whatever the script has.
    pub fn say_next(&self, answer: Answer) {
        self.shared.memory().answers.push_back(answer);
    }

    /// How many streams were left by who asked before their end.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.shared.memory().left.load(Ordering::SeqCst)
    }

    /// Forgets what was to go wrong or be said, and every pace.
    pub fn calm(&self) {
        let mut memory = self.shared.memory();
        memory.faults.clear();
        memory.answers.clear();
        memory.pace = Duration::ZERO;
    }

    /// Waits this long before each event of a stream, from the next request on.
    pub fn pace(&self, pace: Duration) {
        self.shared.memory().pace = pace;
    }
}

impl Drop for LlmSimulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How an answer is to come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Streaming {
    No,
    Events,
    /// One JSON list that grows.
    List,
}

/// What differs between the APIs.
trait Speech {
    fn key(headers: &HeaderMap) -> Option<&str>;
    fn parse(raw: Value, uri: &Uri) -> Option<Conversation>;
    fn error(status: u16, message: &str) -> Value;
    /// The status with which such an error comes.
    fn status(status: u16) -> u16 {
        status
    }
    /// What stands in the head of every answer; `number` counts them.
    fn head(_number: usize) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    /// An error in the middle of a stream, with its blank line.
    fn error_event(status: u16, message: &str) -> String {
        format!("data: {}\n\n", Self::error(status, message))
    }
    fn streams(conversation: &Conversation, _: &Uri) -> Streaming {
        if conversation.raw["stream"] == Value::Bool(true) { Streaming::Events } else { Streaming::No }
    }
    fn document(conversation: &Conversation, answer: &Answer, usage: &Usage) -> Value;
    /// The events of a stream, each with its blank line.
    fn events(conversation: &Conversation, answer: &Answer, usage: &Usage) -> Vec<String>;
}

type Shown = (Method, Uri, HeaderMap);

async fn messages(state: State<Arc<Shared>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    come(answer::<anthropic::Messages>(&state, &(method, uri, headers), &body)).await
}

async fn completions(state: State<Arc<Shared>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    come(answer::<openai::Completions>(&state, &(method, uri, headers), &body)).await
}

async fn responses(state: State<Arc<Shared>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    come(answer::<responses::Responses>(&state, &(method, uri, headers), &body)).await
}

async fn gemini(state: State<Arc<Shared>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    if gemini::model_and_verb(&uri).1.ends_with("enerateContent") {
        return come(answer::<gemini::Gemini>(&state, &(method, uri, headers), &body)).await;
    }
    small(state, method, uri, headers, body).await
}

/// The answer, if there will ever be one.
async fn come(answer: Option<Response>) -> Response {
    match answer {
        Some(answer) => answer,
        None => std::future::pending().await,
    }
}

/// What is no conversation.
async fn small(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = Recorded::new(&method, &uri, &headers, &body);
    let words = small::speech(&uri, &headers);
    come(small_answer(&shared, &words, request, &uri, &headers, &body)).await
}

fn small_answer(
    shared: &Shared,
    words: &small::Words,
    request: Recorded,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Option<Response> {
    let mut memory = shared.memory();
    let fault = memory.faults.pop_front();
    if let Some(ended) = memory.unread(fault, &request, &shared.key) {
        return ended;
    }
    let raw = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let done = match uri.path() {
        "/v1/files" => Some((small::file(headers, body), None)),
        "/v1/embeddings" => small::embeddings(&raw),
        "/v1/messages/count_tokens" => small::count(&raw),
        _ => small::gemini(&raw, uri),
    };
    let outcome = match (fault, done) {
        _ if (words.key)(headers) != Some(&shared.key) => Err((401, "invalid x-api-key")),
        (Some(Fault::Status(status) | Fault::Later(status, _)), _) => Err((status, "the simulator was told to fail")),
        (_, None) => Err((400, "the request is malformed")),
        (_, Some(done)) => Ok(done),
    };
    let status = outcome.as_ref().map_or_else(|(status, _)| (words.status)(*status), |_| 200);
    memory.requests.push(Recorded { status, ..request });
    let head = (words.head)(memory.requests.len());
    Some(match outcome {
        Ok((document, usage)) => {
            memory.billed.extend(usage);
            headed(head, None, axum::Json(document).into_response())
        }
        Err((code, text)) => headed(head, fault, refused(status, &(words.error)(code, text))),
    })
}

fn refused(status: u16, document: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, axum::Json(document)).into_response()
}

/// With what stands in every head of this provider, and when to come again.
fn headed(head: Vec<(&'static str, String)>, fault: Option<Fault>, mut response: Response) -> Response {
    let later = match fault {
        Some(Fault::Later(_, seconds)) => Some(("retry-after", seconds.to_string())),
        _ => None,
    };
    for (name, value) in head.into_iter().chain(later) {
        if let Ok(value) = header::HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

async fn nothing_there(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = Recorded::new(&method, &uri, &headers, &body);
    shared.memory().requests.push(Recorded { status: 404, ..request });
    StatusCode::NOT_FOUND.into_response()
}

fn answer<S: Speech>(shared: &Shared, (method, uri, headers): &Shown, body: &[u8]) -> Option<Response> {
    let request = Recorded::new(method, uri, headers, body);
    let mut memory = shared.memory();
    let fault = memory.faults.pop_front();
    if let Some(ended) = memory.unread(fault, &request, &shared.key) {
        return ended;
    }
    let parsed = serde_json::from_slice(body).ok().and_then(|raw| S::parse(raw, uri));
    let wrong = match (fault, &parsed) {
        _ if S::key(headers) != Some(&shared.key) => Some((401, "invalid x-api-key")),
        (Some(Fault::Status(status) | Fault::Later(status, _)), _) => Some((status, "the simulator was told to fail")),
        (_, None) => Some((400, "the request is malformed")),
        _ => None,
    };
    let status = wrong.map_or(200, |(status, _)| S::status(status));
    memory.requests.push(Recorded { status, ..request });
    let head = S::head(memory.requests.len());
    let conversation = match (wrong, parsed) {
        (None, Some(conversation)) => conversation,
        (wrong, _) => {
            let (code, text) = wrong.unwrap_or((400, "the request is malformed"));
            return Some(headed(head, fault, refused(status, &S::error(code, text))));
        }
    };
    let answer = memory.answers.pop_front().unwrap_or_else(|| shared.script.next(&conversation));
    let usage = conversation.usage(&answer);
    memory.billed.push(usage);
    let streaming = S::streams(&conversation, uri);
    let (pace, left) = (memory.pace, Arc::clone(&memory.left));
    if streaming != Streaming::No {
        let mut all = S::events(&conversation, &answer, &usage);
        if let Some(Fault::Overloaded(after)) = fault {
            all.truncate(after);
            all.push(S::error_event(529, "Overloaded"));
        }
        if streaming == Streaming::List {
            all = list(&all);
        }
        return Some(headed(head, None, events(pieces(all, fault), pace, streaming, left)));
    }
    let document = S::document(&conversation, &answer, &usage).to_string();
    let only = |piece| events(vec![piece], Duration::ZERO, Streaming::Events, left);
    let document = match fault {
        Some(Fault::Stall(_)) => return Some(only(Piece::Never)),
        Some(Fault::Drop(_)) => return Some(only(Piece::Break)),
        Some(Fault::Malformed(_)) => document[..document.len() / 2].to_owned(),
        _ => document,
    };
    Some(headed(head, None, ([(header::CONTENT_TYPE, "application/json")], document).into_response()))
}

/// As careless debug endpoints and proxies do.
fn echo(status: u16, request: &Recorded, key: &str) -> Response {
    let all = request.headers.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)));
    let sent = format!("{}\n{}", all.collect::<Vec<_>>().join("\n"), String::from_utf8_lossy(&request.body));
    let basic = data_encoding::BASE64.encode(format!("api:{key}").as_bytes());
    let error =
        serde_json::json!({"error": {"type": "invalid_request_error", "message": sent, "key": key, "basic": basic}});
    let headers = [
        ("x-echo-key", key.to_owned()),
        ("www-authenticate", format!("Basic {basic}")),
        ("location", format!("https://login.example/?key={key}")),
    ];
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, headers, axum::Json(error)).into_response()
}

/// Cuts text into pieces of about twelve bytes, as models stream it.
fn cut(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let at = (12.min(rest.len())..=rest.len()).find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(at);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// Text of a content value: a string, or an array of parts with `text`.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}
