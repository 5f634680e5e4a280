//! The clients of the matrix.

/// The API that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Messages,
    Chat,
    Responses,
    Gemini,
    /// No model: what tools reach.
    Web,
}

/// In what its script is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    Node,
}

/// One client.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) language: Language,
    /// The script that speaks for it.
    pub(crate) script: &'static str,
    pub(crate) api: Api,
    /// What the agent asks for.
    pub(crate) model: &'static str,
    /// The API that the model's provider speaks.
    pub(crate) provider: Api,
}

impl Column {
    /// A client that differs from another in how it waits only.
    pub(crate) fn waits(&self) -> bool {
        self.script.ends_with("_async")
    }

    /// What is said is told in another API.
    pub(crate) fn told(&self) -> bool {
        self.api != self.provider
    }
}

/// Models of the policy, by the API of their provider.
pub(crate) const CLAUDE: &str = "claude";
pub(crate) const GPT: &str = "gpt";
pub(crate) const GEMINI: &str = "gemini";
/// A route that begins with the model of one vendor and falls back on the other's.
pub(crate) const CLAUDE_OR_GPT: &str = "claude-or-gpt";
pub(crate) const GPT_OR_CLAUDE: &str = "gpt-or-claude";
/// Google's client for Python goes by the name: with any other it makes one vector of all texts.
pub(crate) const EMBEDDER: &str = "text-embedding-004";

/// All of them, in the order of the table.
pub(crate) const COLUMNS: &[Column] = &[
    python("python anthropic", "anthropic_client", Api::Messages),
    python("python openai chat", "openai_client", Api::Chat),
    python("python openai responses", "openai_responses", Api::Responses),
    python("python google", "google_client", Api::Gemini),
    python("python anthropic async", "anthropic_async", Api::Messages),
    python("python openai async", "openai_async", Api::Chat),
    python("python google async", "google_async", Api::Gemini),
    python("python anthropic on GPT", "anthropic_client", Api::Messages).on(GPT, Api::Chat),
    python("python openai on Claude", "openai_client", Api::Chat).on(CLAUDE, Api::Messages),
    node("node anthropic", "anthropic_client", Api::Messages),
    node("node openai chat", "openai_client", Api::Chat),
    node("node openai responses", "openai_responses", Api::Responses),
    node("node google", "google_client", Api::Gemini),
    node("node anthropic on GPT", "anthropic_client", Api::Messages).on(GPT, Api::Chat),
    node("node openai on Claude", "openai_client", Api::Chat).on(CLAUDE, Api::Messages),
    python("python requests", "requests_client", Api::Web),
    python("python httpx", "httpx_client", Api::Web),
    python("python urllib", "urllib_client", Api::Web),
    python("curl", "curl_client", Api::Web),
    node("node fetch", "fetch_client", Api::Web),
    node("node https", "https_client", Api::Web),
    node("node undici", "undici_client", Api::Web),
    node("node https-proxy-agent", "agent_client", Api::Web),
];

const fn python(name: &'static str, script: &'static str, api: Api) -> Column {
    Column { name, language: Language::Python, script, api, model: model_of(api), provider: api }
}

const fn node(name: &'static str, script: &'static str, api: Api) -> Column {
    Column { language: Language::Node, ..python(name, script, api) }
}

const fn model_of(api: Api) -> &'static str {
    match api {
        Api::Messages => CLAUDE,
        Api::Chat | Api::Responses => GPT,
        Api::Gemini => GEMINI,
        Api::Web => "",
    }
}

impl Column {
    /// The same client on a model of another vendor.
    const fn on(self, model: &'static str, provider: Api) -> Self {
        Self { model, provider, ..self }
    }
}

/// For a message about a name that is none.
pub(crate) fn names() -> String {
    COLUMNS.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}
