//! What an agent is offered: the tools that the daemon itself carries out, and those of its adapters, as far as its manifest lists
//! them. The list is a courtesy; what is not in it is refused by the gate.

use serde_json::{Value, json};
use wardkeep_policy::adapters::input_schema;
use wardkeep_policy::containers::TOOL;
use wardkeep_policy::{AgentPolicy, Bundle, Class};

/// Asks for the result of a call that waited for a person.
pub(super) const RESULT: &str = "wardkeep_result";

/// A tool of the daemon's own.
struct Own {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    reads: bool,
    schema: fn() -> Value,
}

const OWN: &[Own] = &[
    Own {
        name: "shell",
        title: "Run a command",
        description: "Runs a command with bash on this server, in your workspace. Secrets go into env as SECRET_REF(name), never \
                      into the command, which names the variable in double quotes: \"$NAME\".",
        reads: false,
        schema: || {
            object(
                &json!({
                    "command": {"type": "string", "description": "Text for bash -c"},
                    "env": {
                        "type": "object", "additionalProperties": {"type": "string"},
                        "description": "Added to the environment; values may be SECRET_REF(name)",
                    },
                    "cwd": {"type": "string", "description": "A folder of the workspace"},
                }),
                &["command"],
            )
        },
    },
    Own {
        name: "read_file",
        title: "Read a file",
        description: "Gives the content of a file of your workspace.",
        reads: true,
        schema: || object(&json!({"path": {"type": "string", "description": "Below the workspace"}}), &["path"]),
    },
    Own {
        name: "list_files",
        title: "List a folder",
        description: "Lists a folder of your workspace.",
        reads: true,
        schema: || {
            object(&json!({"path": {"type": "string", "description": "Below the workspace; itself if not given"}}), &[])
        },
    },
    Own {
        name: "write_file",
        title: "Write a file",
        description: "Writes a whole file of your workspace.",
        reads: false,
        schema: || {
            let content = json!({"type": "string", "description": "The whole new content"});
            object(
                &json!({"path": {"type": "string", "description": "Below the workspace"}, "content": content}),
                &["path", "content"],
            )
        },
    },
    Own {
        name: "delete_file",
        title: "Delete a file",
        description: "Deletes a file of your workspace; with a / at the end a folder and all in it.",
        reads: false,
        schema: || object(&json!({"path": {"type": "string", "description": "Below the workspace"}}), &["path"]),
    },
    Own {
        name: "http_request",
        title: "Send an HTTP request",
        description: "Sends one HTTP request; redirects are not followed. Secrets go into headers or the body as SECRET_REF(name).",
        reads: false,
        schema: || {
            object(
                &json!({
                    "method": {"type": "string", "description": "GET if not given"},
                    "url": {"type": "string", "description": "https://…"},
                    "headers": {"type": "object", "additionalProperties": {"type": "string"}},
                    "body": {"type": "string"},
                }),
                &["url"],
            )
        },
    },
];

/// The images that a policy names, run in containers.
fn container(bundle: &Bundle) -> Option<Value> {
    let names: Vec<&str> = bundle.images.iter().map(|image| image.name.as_str()).collect();
    let schema = object(
        &json!({
            "image": {"type": "string", "enum": names, "description": "Which image"},
            "argv": {
                "type": "array", "items": {"type": "string"},
                "description": "Program and arguments, without a shell; the image's own command if not given",
            },
            "env": {
                "type": "object", "additionalProperties": {"type": "string"},
                "description": "Its variables; values may be SECRET_REF(name)",
            },
            "workspace": {
                "type": "string", "enum": ["nothing", "reads", "changes"],
                "description": "What it may do with your workspace, which it sees as /workspace; nothing if not given",
            },
            "workdir": {"type": "string", "description": "The folder in the container where it starts"},
        }),
        &["image"],
    );
    let description = "Runs a program in a container of its own, without a network; it ends with the call.";
    (!names.is_empty()).then(|| entry(TOOL, "Run a container", description, schema, Class::Yellow))
}

fn object(properties: &Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

/// Whether the daemon can carry out a tool of that name, in exactly these letters.
pub(super) fn is_known(bundle: &Bundle, name: &str) -> bool {
    let container = name == TOOL && !bundle.images.is_empty();
    container || OWN.iter().any(|own| own.name == name) || bundle.adapter_tool(name).is_some()
}

/// An argument that one of the daemon's own tools does not have; those of adapters are checked where they are read.
pub(super) fn knows_all(name: &str, args: &Value) -> bool {
    let Some(own) = OWN.iter().find(|own| own.name == name) else { return true };
    let schema = (own.schema)();
    args.as_object().is_some_and(|map| map.keys().all(|key| schema["properties"].get(key).is_some()))
}

/// All that `agent` may use, by name.
pub(super) fn offered(bundle: &Bundle, agent: &AgentPolicy) -> Vec<Value> {
    let own = OWN.iter().map(|own| {
        let class = if own.reads { Class::Green } else { Class::Yellow };
        entry(own.name, own.title, own.description, (own.schema)(), class)
    });
    let adapted = bundle.adapters.iter().flat_map(|adapter| {
        adapter.tools.iter().map(|tool| {
            let title = format!("{} ({})", tool.title, adapter.title);
            entry(&adapter.name_of(tool), &title, &tool.description, input_schema(tool), tool.floor())
        })
    });
    let may = |entry: &Value| entry["name"].as_str().is_some_and(|name| agent.may_use(name));
    let mut all: Vec<Value> = own.chain(adapted).chain(container(bundle)).filter(may).chain([result()]).collect();
    all.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
    all
}

fn result() -> Value {
    let approval = json!({"type": "string", "description": "As it was told: A-1f2e3d4c"});
    let description = "Gives the result of a call that waited for a person, once it was decided on.";
    entry(
        RESULT,
        "Ask for a result",
        description,
        object(&json!({ "approval": approval }), &["approval"]),
        Class::Green,
    )
}

/// The annotations say to people what to expect; nothing here or in the gate reads them.
fn entry(name: &str, title: &str, description: &str, schema: Value, class: Class) -> Value {
    json!({
        "name": name,
        "title": title,
        "description": description,
        "inputSchema": schema,
        "annotations": {
            "title": title,
            "readOnlyHint": class == Class::Green,
            "destructiveHint": class >= Class::Red,
            "openWorldHint": class >= Class::YellowExternal,
        },
    })
}
