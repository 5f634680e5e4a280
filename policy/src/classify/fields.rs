//! What a call says in several fields of a tool is no milder than the command line, the code or the statement that says the same.

use serde_json::json;

use super::*;
use crate::class::Class::{CriticalRed as C, Red as R, Yellow as Y, YellowExternal as E};

fn class(tool: &str, args: &serde_json::Value) -> (Class, Vec<String>) {
    let (agent, session) = ("a".parse().unwrap(), "s".parse().unwrap());
    let bundle = Bundle::strict();
    match Action::parse(agent, session, tool, args, None) {
        Ok(action) => {
            let verdict = classify(&action, &bundle);
            (verdict.class, verdict.fired.into_iter().map(|fired| fired.rule).collect())
        }
        Err(invalid) => (Class::Red, vec![invalid.to_string()]),
    }
}

#[test]
fn a_program_and_its_arguments_in_two_fields_are_one_command() {
    let mut low = Vec::new();
    for (want, program, args) in [
        (C, "rm", json!(["-rf", "/"])),
        (R, "rm", json!(["-rf", "/srv/shop"])),
        (R, "git", json!(["push", "--force"])),
        (R, "kubectl", json!(["delete", "ns", "x"])),
        (R, "find", json!([".", "-delete"])),
        (R, "psql", json!(["-c", "drop table x"])),
        (R, "terraform", json!(["destroy"])),
        (C, "docker", json!(["run", "--privileged", "x"])),
        (R, "aws", json!(["s3", "rb", "s3://b"])),
        (R, "bash", json!(["-c", "rm -rf /srv/shop"])),
        (E, "git", json!(["push"])),
    ] {
        let text = args.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect::<Vec<_>>().join(" ");
        let quoted = program == "bash" || program == "psql";
        for tool in ["run_command", "exec", "spawn_process", "mcp__host__execute", "frobnicate"] {
            for name in ["command", "program", "executable", "file", "cmd", "binary"] {
                if matches!(tool, "run_command" | "exec") && !matches!(name, "command" | "cmd") {
                    continue;
                }
                for list in ["args", "arguments", "argv", "flags", "params"] {
                    // The server's own shell tool reads no other names.
                    if matches!(tool, "run_command" | "exec") && !matches!(list, "args" | "arguments") {
                        continue;
                    }
                    let mut forms = vec![json!({name: program, list: args}), json!({list: args, name: program})];
                    forms.extend((!quoted).then(|| json!({name: program, list: text})));
                    forms.extend(
                        forms
                            .clone()
                            .into_iter()
                            .map(|form| json!({ "params": form }))
                            .filter(|_| !matches!(tool, "run_command" | "exec")),
                    );
                    for form in forms {
                        let got = class(tool, &form);
                        if got.0 < want {
                            low.push(format!("{} and not {want}: {tool} {form} {:?}", got.0, got.1));
                        }
                    }
                }
            }
        }
        for form in [json!({"args": args}), json!({"arguments": args}), json!({"command": args})] {
            let got = class(&format!("mcp__{program}__{program}"), &form);
            if got.0 < want {
                low.push(format!("{} and not {want}: {program} {form} {:?}", got.0, got.1));
            }
        }
    }
    assert!(low.is_empty(), "{}", low.join("\n"));
}

#[test]
fn a_tool_that_is_called_as_a_program_is_that_program() {
    for (want, tool, args) in [
        (R, "kubectl", json!({"command": "delete ns x"})),
        (R, "git", json!({"args": ["push", "--force"]})),
        (R, "git_push", json!({"args": "--force"})),
        (R, "terraform", json!({"command": "destroy"})),
        (C, "docker", json!({"args": ["run", "--privileged", "x"]})),
        (R, "aws", json!({"command": "s3 rb s3://b"})),
        (R, "find", json!({"args": [".", "-delete"]})),
        (R, "redis", json!({"command": "FLUSHALL"})),
        (C, "rm", json!({"recursive": true, "path": "/"})),
        (R, "rm", json!({"options": {"recursive": true}, "path": "/srv/shop"})),
        (R, "run_command", json!({"command": "git push", "args": ["--force"]})),
    ] {
        let got = class(tool, &args);
        assert!(got.0 >= want, "{} and not {want}: {tool} {args} {:?}", got.0, got.1);
    }
    for (most, tool, args) in [
        (Y, "git", json!({"args": ["status"]})),
        (Y, "Edit", json!({"file_path": "/w/a.md", "old_string": "a", "new_string": "b", "replace_all": false})),
        (Y, "edit", json!({"path": "a.md", "oldText": "a", "newText": "b"})),
        (Y, "Write", json!({"file_path": "/w/a.md", "content": "a"})),
        (Y, "Read", json!({"file_path": "/w/a.md", "limit": 5})),
        (Y, "run_command", json!({"command": "ls", "args": ["-la"]})),
        (Y, "kubectl", json!({"command": "get pods"})),
        (Y, "find", json!({"args": [".", "-name", "*.md"]})),
        (Y, "find_files", json!({"path": "docs", "pattern": "*.md"})),
        (Y, "git_log", json!({"max_count": 5, "repo_path": "."})),
        (Y, "mail_search", json!({"text": "drop the order"})),
        (Y, "translate", json!({"language": "es", "text": "delete all of it"})),
        (Y, "run_agent_notes", json!({"description": "rm is a program", "note": "don't"})),
    ] {
        let got = class(tool, &args);
        assert!(got.0 <= most, "{} and not {most}: {tool} {args} {:?}", got.0, got.1);
    }
}

#[test]
fn code_is_read_in_the_language_that_another_field_names() {
    for (want, tool, args) in [
        (C, "run_code", json!({"language": "bash", "code": "rm -rf /"})),
        (C, "run_code", json!({"code": "rm -rf /", "language": "bash"})),
        (C, "execute_code", json!({"lang": "shell", "source": "rm -rf /"})),
        (R, "run_code", json!({"language": "python", "source": "import os; os.system('id')"})),
        (R, "execute", json!({"language": "python3.12", "content": "import shutil; shutil.rmtree('x')"})),
        (R, "sandbox", json!({"runtime": "node", "body": "require('child_process').exec('id')"})),
        (C, "jupyter_execute", json!({"cell": "!rm -rf /"})),
        (C, "notebook_run", json!({"cells": ["x = 1", "y = !rm -rf /"]})),
        (C, "jupyter_execute", json!({"cell": "%%bash\nrm -rf /"})),
        (R, "run_cell", json!({"source": "import os\nos.remove('a')"})),
        (C, "run", json!({"cmdline": "rm -rf /"})),
        (C, "run", json!({"line": "rm -rf /"})),
        (C, "shell_run", json!({"input": "cd x && rm -rf /"})),
    ] {
        let got = class(tool, &args);
        assert!(got.0 >= want, "{} and not {want}: {tool} {args} {:?}", got.0, got.1);
    }
}

#[test]
fn a_statement_is_found_in_whatever_field_a_database_tool_has() {
    for name in ["q", "text", "stmt", "statement", "sql", "query", "command", "input", "anything"] {
        for tool in ["run_sql", "db", "snowflake", "mcp__postgres__query", "bigquery_execute"] {
            for text in ["drop table x", "/* a */ DROP\nTABLE x", "-- a\ndelete from x", "select 1; truncate x"] {
                let got = class(tool, &json!({name: text}));
                assert!(got.0 >= R, "{} : {tool} {name} {text} {:?}", got.0, got.1);
            }
            let got = class(tool, &json!({name: "select a from b where c = 1"}));
            assert!(got.0 <= R && (got.0 == Y || name == "command"), "{}: {tool} {name} {:?}", got.0, got.1);
        }
    }
}
