//! The clients of the matrix.

/// The API that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Messages,
    Chat,
    Responses,
    Gemini,
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
}

/// Models of the policy, by the API of their provider.
pub(crate) const CLAUDE: &str = "claude";
pub(crate) const GPT: &str = "gpt";
pub(crate) const GEMINI: &str = "gemini";
/// Google's client for Python goes by the name: with any other it makes one vector of all texts.
pub(crate) const EMBEDDER: &str = "text-embedding-004";

/// All of them, in the order of the table.
pub(crate) const COLUMNS: &[Column] = &[
    python("python anthropic", "anthropic_client", Api::Messages, CLAUDE),
    python("python openai chat", "openai_client", Api::Chat, GPT),
    python("python openai responses", "openai_responses", Api::Responses, GPT),
    python("python google", "google_client", Api::Gemini, GEMINI),
    node("node anthropic", "anthropic_client", Api::Messages, CLAUDE),
    node("node openai chat", "openai_client", Api::Chat, GPT),
    node("node openai responses", "openai_responses", Api::Responses, GPT),
    node("node google", "google_client", Api::Gemini, GEMINI),
];

const fn python(name: &'static str, script: &'static str, api: Api, model: &'static str) -> Column {
    Column { name, language: Language::Python, script, api, model }
}

const fn node(name: &'static str, script: &'static str, api: Api, model: &'static str) -> Column {
    Column { name, language: Language::Node, script, api, model }
}

/// For a message about a name that is none.
pub(crate) fn names() -> String {
    COLUMNS.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}
