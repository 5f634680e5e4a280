//! One agent at work: model → tool calls → gate → results → model, until the model has nothing more to call.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::StatusCode;
use serde_json::{Value, json};

mod anthropic;
mod openai;

/// How long a daemon or provider may be away before the agent gives up.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long one question to the gate is held open.
const WAIT_MS: u64 = 20_000;

/// Where the agent finds its two doors, and the token that names it at both.
pub struct Door {
    /// Base URL of the LLM gateway.
    pub llm: String,
    /// Base URL of the hook API.
    pub hooks: String,
    /// Local token.
    pub token: String,
}

/// Which of the two APIs the agent speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Anthropic Messages, streamed.
    Anthropic,
    /// `OpenAI` Chat Completions, streamed.
    OpenAi,
}

impl FromStr for Dialect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "anthropic" => Ok(Self::Anthropic),
            "openai" => Ok(Self::OpenAi),
            other => Err(format!("{other:?} is neither anthropic nor openai")),
        }
    }
}

/// One tool call as the model proposed it.
#[derive(Clone, Debug)]
pub struct ToolCall {
    /// The model's own id of the call.
    pub id: String,
    /// Tool name.
    pub name: String,
    /// Arguments, an object.
    pub args: Value,
}

/// What came of one tool call.
#[derive(Clone, Debug)]
pub struct ToolOutcome {
    /// Id of the call.
    pub id: String,
    /// Text for the model.
    pub output: String,
    /// True when the call was refused or failed.
    pub is_error: bool,
}

/// One turn of the model.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// What it said.
    pub text: String,
    /// What it wants to do.
    pub calls: Vec<ToolCall>,
    /// The turn in the form in which it goes back into the conversation.
    pub raw: Value,
}

/// One agent with one task.
pub struct Agent {
    door: Door,
    dialect: Dialect,
    model: String,
    session: String,
    workspace: PathBuf,
    transcript: Option<Mutex<File>>,
    http: reqwest::Client,
}

impl Agent {
    /// Prepares the agent; nothing is sent yet.
    ///
    /// # Errors
    /// When the transcript cannot be written or no HTTP client can be made.
    pub fn new(
        door: Door,
        dialect: Dialect,
        model: String,
        session: String,
        workspace: PathBuf,
        transcript: Option<PathBuf>,
    ) -> anyhow::Result<Self> {
        let transcript = transcript
            .map(|path| File::create(&path).with_context(|| format!("transcript {}", path.display())))
            .transpose()?
            .map(Mutex::new);
        Ok(Self { door, dialect, model, session, workspace, transcript, http: super::stage::http_client()? })
    }

    /// Works until the model ends its turn without a call; answers what it said last.
    ///
    /// # Errors
    /// When the daemon stays away for a minute, or answers what no agent can go on with.
    pub async fn run(&self, task: &str) -> anyhow::Result<String> {
        let renew = self.start_session().await?;
        let heartbeat = self.keep_lease(renew);
        let work = self.work(task);
        tokio::pin!(heartbeat, work);
        tokio::select! {
            done = &mut work => done,
            never = &mut heartbeat => never,
        }
    }

    async fn work(&self, task: &str) -> anyhow::Result<String> {
        let mut conversation = vec![json!({"role": "user", "content": task})];
        for _ in 0..40 {
            let turn = self.ask_model(&conversation).await?;
            self.note("model", &json!({"text": turn.text, "calls": turn.calls.len()}));
            conversation.push(turn.raw.clone());
            if turn.calls.is_empty() {
                return Ok(turn.text);
            }
            let mut outcomes = Vec::new();
            for call in &turn.calls {
                let outcome = self.call_tool(call).await?;
                self.note("tool", &json!({"call": call.id, "tool": call.name, "args": call.args, "output": outcome.output, "is_error": outcome.is_error}));
                outcomes.push(outcome);
            }
            match self.dialect {
                Dialect::Anthropic => conversation.push(anthropic::results(&outcomes)),
                Dialect::OpenAi => conversation.extend(openai::results(&outcomes)),
            }
        }
        bail!("the model went on for 40 turns")
    }

    // ---- the gate ----

    async fn start_session(&self) -> anyhow::Result<Duration> {
        let body = json!({"session": self.session, "runtime": "demo-agent/1"});
        let answer = self.hook("/v1/hooks/session-start", &body).await?;
        let renew = answer["lease"]["renew_after_ms"].as_u64().context("a lease says when to renew it")?;
        Ok(Duration::from_millis(renew))
    }

    async fn keep_lease(&self, mut renew: Duration) -> anyhow::Result<String> {
        loop {
            tokio::time::sleep(renew).await;
            renew = self.start_session().await?;
        }
    }

    async fn call_tool(&self, call: &ToolCall) -> anyhow::Result<ToolOutcome> {
        let ask = json!({
            "session": self.session, "call": call.id, "tool": call.name, "args": call.args,
            "cwd": self.workspace, "wait_ms": WAIT_MS,
        });
        let mut answer = self.hook("/v1/hooks/before-tool-call", &ask).await?;
        loop {
            match answer["decision"].as_str() {
                Some("allow") => {
                    let permit = answer["permit"].as_str().context("an allowed call has a permit")?;
                    let run = self.hook("/v1/exec", &json!({"permit": permit})).await?;
                    return Ok(outcome(call, &run["result"]));
                }
                Some("done") => return Ok(outcome(call, &answer["result"])),
                Some("pending") => {
                    self.note("waiting", &answer);
                    let path = format!("/v1/calls/{}/{}?wait_ms={WAIT_MS}", self.session, call.id);
                    answer = self.poll(&path).await?;
                }
                Some("deny") => {
                    let why = answer["message"].as_str().unwrap_or("denied").to_owned();
                    return Ok(ToolOutcome { id: call.id.clone(), output: format!("Denied: {why}"), is_error: true });
                }
                other => bail!("the gate answered {other:?}"),
            }
        }
    }

    async fn hook(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.patiently(|| self.http.post(format!("{}{path}", self.door.hooks)).json(body)).await
    }

    async fn poll(&self, path: &str) -> anyhow::Result<Value> {
        self.patiently(|| self.http.get(format!("{}{path}", self.door.hooks))).await
    }

    /// Asks until somebody answers: a daemon that restarts is no reason to lose a morning's work.
    async fn patiently(&self, request: impl Fn() -> reqwest::RequestBuilder) -> anyhow::Result<Value> {
        let give_up = tokio::time::Instant::now() + PATIENCE;
        loop {
            let sent = request().bearer_auth(&self.door.token).send().await;
            let answer = match sent {
                Ok(response) => match (response.status(), response.text().await) {
                    (StatusCode::OK, Ok(text)) => {
                        let answer: Value = serde_json::from_str(&text).context("the hook API speaks JSON")?;
                        self.note("hook", &answer);
                        return Ok(answer);
                    }
                    (StatusCode::SERVICE_UNAVAILABLE, _) => "503".to_owned(),
                    (status, Ok(text)) => bail!("hook API: {status}: {text}"),
                    (_, Err(error)) => error.to_string(),
                },
                Err(error) => error.to_string(),
            };
            if tokio::time::Instant::now() > give_up {
                bail!("the daemon did not come back within {PATIENCE:?}: {answer}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    // ---- the model ----

    async fn ask_model(&self, conversation: &[Value]) -> anyhow::Result<Turn> {
        let give_up = tokio::time::Instant::now() + PATIENCE;
        loop {
            let trouble = match self.ask_once(conversation).await {
                Ok(Asked::Turn(turn)) => return Ok(turn),
                Ok(Asked::Refused(status, text)) => {
                    // Without a lease the gateway refuses; after a restart of the daemon a new one may be due.
                    self.start_session().await?;
                    format!("{status}: {text}")
                }
                Err(error) => format!("{error:#}"),
            };
            if tokio::time::Instant::now() > give_up {
                bail!("no answer from the model: {trouble}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn ask_once(&self, conversation: &[Value]) -> anyhow::Result<Asked> {
        let (path, body) = match self.dialect {
            Dialect::Anthropic => ("/v1/messages", anthropic::request(&self.model, conversation)),
            Dialect::OpenAi => ("/v1/chat/completions", openai::request(&self.model, conversation)),
        };
        let request = self.http.post(format!("{}{path}", self.door.llm)).json(&body);
        let request = match self.dialect {
            Dialect::Anthropic => {
                request.header("x-api-key", &self.door.token).header("anthropic-version", "2023-06-01")
            }
            Dialect::OpenAi => request.bearer_auth(&self.door.token),
        };
        let response = request.send().await?;
        let status = response.status();
        let text = response.text().await?;
        if !status.is_success() {
            self.note("llm-error", &json!({"status": status.as_u16(), "body": text}));
            return Ok(Asked::Refused(status, text));
        }
        self.note("llm", &json!({"body": text}));
        let turn = match self.dialect {
            Dialect::Anthropic => anthropic::turn(&text)?,
            Dialect::OpenAi => openai::turn(&text)?,
        };
        Ok(Asked::Turn(turn))
    }

    /// Keeps what this process saw, so that a test can search it.
    fn note(&self, what: &str, saw: &Value) {
        if let Some(file) = &self.transcript
            && let Ok(mut file) = file.lock()
        {
            // A transcript that cannot be written must not stop the work; the test that needs it sees the gap.
            let _ = writeln!(file, "{}", json!({"what": what, "saw": saw}));
        }
    }
}

enum Asked {
    Turn(Turn),
    Refused(StatusCode, String),
}

fn outcome(call: &ToolCall, result: &Value) -> ToolOutcome {
    let status = result["status"].as_str().unwrap_or("failed");
    let output = result["output"].as_str().unwrap_or_default();
    let output = if status == "ok" { output.to_owned() } else { format!("{status}: {output}") };
    ToolOutcome { id: call.id.clone(), output, is_error: status != "ok" }
}

/// The tools of the demo, as JSON schemas: name, description, properties.
fn tools() -> Vec<(&'static str, &'static str, Value)> {
    let text = |what: &str| json!({"type": "string", "description": what});
    vec![
        ("list_files", "List a folder of the workspace.", json!({"path": text("folder")})),
        ("read_file", "Read a text file of the workspace.", json!({"path": text("file")})),
        (
            "write_file",
            "Write a text file of the workspace.",
            json!({"path": text("file"), "content": text("whole content")}),
        ),
        (
            "http_request",
            "Call an HTTP API. A stored key is named SECRET_REF(name) in a header or the body; its value is filled in for you.",
            json!({"method": text("GET, POST, ..."), "url": text("URL"),
                   "headers": {"type": "object", "description": "header names and values"}, "body": text("request body")}),
        ),
        ("shell", "Run a shell command in the workspace.", json!({"command": text("command line")})),
    ]
}

const SYSTEM: &str = "You are the newsletter assistant of a small bakery. Work in small steps, use the tools, and never ask \
for passwords: a stored key is written SECRET_REF(name). When a call is denied, respect the decision and go on.";

/// The payload of each `data:` line of a server-sent event stream.
///
/// Source: WHATWG HTML, "Server-sent events", 9.2.6.
fn sse_data(stream: &str) -> impl Iterator<Item = &str> {
    stream.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim)
}
