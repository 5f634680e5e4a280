//! The service as an adapter of a policy describes it.

/// Its key as the service wants it: in the vault under the name that the story gives it.
pub const BEARER: &str =
    r#"{ kind = "header", name = "Authorization", before = "Bearer ", value = "SECRET_REF(newsletter_api_key)" }"#;

/// The adapter `id`, at this address and with these credentials, and those of its tools.
///
/// # Panics
/// When there is no such tool.
#[must_use]
pub fn adapter(id: &str, base_url: &str, auth: &str, tools: &[&str]) -> String {
    let head = format!(
        "\n[[adapters]]\nid = \"{id}\"\ntitle = \"The newsletter\"\nsource = \"https://newsletter.example/docs\"\n\
         base_url = \"{base_url}\"\nauth = {auth}\n"
    );
    let tools = tools.iter().map(|tool| {
        let (_, described) = TOOLS.iter().find(|(name, _)| name == tool).unwrap_or_else(|| panic!("no tool {tool}"));
        format!("\n[[adapters.tools]]\nname = \"{tool}\"\n{described}")
    });
    head + &tools.collect::<String>()
}

/// All of them, by name.
pub const ALL: &[&str] = &["account", "get", "debug", "moved", "export", "create", "send"];

const TOOLS: &[(&str, &str)] = &[
    (
        "account",
        r#"title = "Read the account"
description = "Name and plan."
method = "GET"
path = "/v1/account"
class = "green"
"#,
    ),
    (
        "get",
        r#"title = "Read a campaign"
description = "One campaign."
method = "GET"
path = "/v1/campaigns/{id}"
class = "green"
params = [{ name = "id", in = "path", type = "string", required = true, description = "Of the campaign" }]
"#,
    ),
    (
        "debug",
        r#"title = "Read what was sent"
description = "Shows what the service was sent."
method = "GET"
path = "/v1/echo"
class = "green"
"#,
    ),
    (
        "moved",
        r#"title = "Read what has moved"
description = "Answers with a redirect."
method = "GET"
path = "/v1/moved"
class = "green"
params = [{ name = "to", in = "query", type = "string", description = "Where" }]
"#,
    ),
    (
        "export",
        r#"title = "Export the readers"
description = "All of them."
method = "GET"
path = "/v1/export"
class = "green"
"#,
    ),
    (
        "create",
        r#"title = "Write a campaign"
description = "Makes a draft."
method = "POST"
path = "/v1/campaigns"
class = "yellow"
body = "json"
reply = { keep = ["id", "sends"] }
params = [
    { name = "subject", in = "body", type = "string", required = true, description = "In one line" },
    { name = "body", in = "body", type = "text", required = true, description = "The text" },
]
"#,
    ),
    (
        "send",
        r#"title = "Send a campaign to its readers"
description = "Sends it."
method = "POST"
path = "/v1/campaigns/{id}/send"
class = "yellow_external"
external = true
params = [{ name = "id", in = "path", type = "string", required = true, description = "Of the campaign" }]
"#,
    ),
];
