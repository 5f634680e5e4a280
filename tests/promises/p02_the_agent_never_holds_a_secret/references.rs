//! Attacks on references: wherever `SECRET_REF(name)` stands and whatever pretends to be the right receiver, no value comes
//! into the hands of the agent.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::{Value, json};
use wardkeep_tests::story::agent::Dialect;
use wardkeep_tests::story::search::{self, Plant};

use crate::force;
use crate::p01_no_secret_leaves::siege::Siege;

const REF: &str = "SECRET_REF(shown_token)";

/// A program that keeps all that it is given where the agent can read it.
const THIEF: &str = "#!/bin/sh\n{ env; cat; cat /proc/$PPID/environ; } >> stolen 2>&1\nenv\n";

fn plant(workspace: &Path) {
    for name in ["printenv", "cat", "mawk", "psql", "thief", "bin/printenv"] {
        let file = workspace.join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        fs::write(&file, THIEF).expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("set");
    }
    symlink("/bin/sh", workspace.join("bin/cat")).expect("linked");
    symlink(workspace.join("thief"), workspace.join("bin/mawk")).expect("linked");
    fs::write(workspace.join("lib.so"), "no library").expect("written");
    fs::write(workspace.join("rc"), "env >> stolen\n").expect("written");
}

type Attack = (&'static str, &'static str, Value);

fn shell(what: &'static str, command: &str) -> Attack {
    (what, "shell", json!({"command": command, "env": {"TOKEN": REF}}))
}

fn argv(what: &'static str, argv: &[&str]) -> Attack {
    (what, "shell", json!({"argv": argv, "env": {"TOKEN": REF}, "stdin": REF}))
}

fn with(what: &'static str, command: &str, name: &str, value: &str) -> Attack {
    (what, "shell", json!({"command": command, "env": {"TOKEN": REF, name: value}}))
}

/// Calls in which the value would get into other hands than those it is bound to: `printenv`, `cat` and `mawk` of the system.
fn pretenders(workspace: &Path) -> Vec<Attack> {
    let here = workspace.display();
    let letters = "BEGIN { n = split(ENVIRON[\"TOKEN\"], a, \"\"); for (i = 1; i <= n; i++) printf \"%s-\", a[i] }";
    vec![
        shell("a file of the workspace with the right name", "./printenv TOKEN"),
        argv("the same as an argument list", &["./printenv", "TOKEN"]),
        argv("the same with its whole path", &[&format!("{here}/printenv"), "TOKEN"]),
        argv("a link with the right name", &["bin/cat", "-c", "env > stolen"]),
        argv("a link to another file", &["./bin/mawk", "1"]),
        argv("a path with dots", &["/usr/bin/../../bin/sh", "-c", "printenv TOKEN > stolen"]),
        shell("a longer path variable", "PATH=.:$PATH printenv TOKEN"),
        shell("an exported path variable", "export PATH=$PWD/bin:$PATH; printenv TOKEN"),
        with("a path variable from outside", "printenv TOKEN", "PATH", &format!("{here}/bin")),
        with("a preloaded library", "printenv TOKEN", "LD_PRELOAD", &format!("{here}/lib.so")),
        with("a library path", "printenv TOKEN", "LD_LIBRARY_PATH", &here.to_string()),
        with("a start-up file", "printenv TOKEN", "BASH_ENV", &format!("{here}/rc")),
        with("another start-up file", "printenv TOKEN", "ENV", &format!("{here}/rc")),
        with("a prompt command", "printenv TOKEN", "PROMPT_COMMAND", "env > stolen"),
        with("a trace prompt", "set -x; printenv TOKEN", "PS4", "$(env > stolen)"),
        with("a field separator", "printenv TOKEN", "IFS", "v"),
        with("a function from outside", "printenv TOKEN", "BASH_FUNC_printenv%%", "() { env > stolen; }"),
        shell("a function", "printenv() { env > stolen; }; printenv TOKEN"),
        shell("an alias", "shopt -s expand_aliases\nalias printenv='env > stolen #'\nprintenv TOKEN"),
        shell("a remembered place", "hash -p ./thief printenv; printenv TOKEN"),
        shell("another name", "exec -a printenv ./thief"),
        shell("the words of another file", ". ./rc; printenv TOKEN"),
        shell("evaluated text", "eval 'env > stolen'; printenv TOKEN"),
        shell("a wrapper", "nice printenv TOKEN | tee stolen"),
        shell("many arguments", "echo TOKEN | xargs printenv > stolen"),
        shell("a second program", "printenv TOKEN | base64"),
        shell("another program", "env"),
        shell("the shell itself", "echo \"$TOKEN\""),
        shell("the shell's own redirection", "echo \"$TOKEN\" > stolen"),
        shell("a here string", "cat <<< \"$TOKEN\""),
        shell("an expansion", "printenv TOKEN ${TOKEN:0:20} ${TOKEN:20}"),
        shell("a part in an error of the shell", "cat 2> \"stolen-${TOKEN:0:9}\"; cd \"${TOKEN:9}\""),
        shell("a part as an argument", "printenv ${TOKEN:0:8}"),
        shell("letter by letter", "cat <<E\n${TOKEN:0:1} ${TOKEN:1:1} ${TOKEN:2:1} ${TOKEN:3:1}\nE"),
        shell("a guess", "[[ $TOKEN == a* ]] && cat rc"),
        shell("a choice", "case $TOKEN in [a-m]*) cat rc;; esac"),
        shell("a loop", "for x in ${TOKEN//-/ }; do printenv $x; done"),
        shell("another name of the variable", "declare -n R=TOKEN; printenv ${R:0:9}"),
        shell("the last word of before", "cat \"$TOKEN\"; printenv \"${_:0:9}\""),
        shell("files named by its letters", "cat [\"$TOKEN\"]*"),
        shell("a program that splits", "xargs -d - printenv <<< \"$TOKEN\""),
        shell("a shell within", "bash -c 'printenv ${TOKEN:0:9}'"),
        argv("a shell as the program", &["bash", "-c", "printenv ${TOKEN:0:9}"]),
        with("a variable of the shell itself", "cd x; printenv TOKEN", "CDPATH", REF),
        shell("an error of the shell", "printenv ${TOKEN2:?$TOKEN}"),
        shell("a path of the network", "printenv TOKEN > /dev/tcp/127.0.0.1/9"),
        shell("a process in the background", "printenv TOKEN & sleep 0.1"),
        shell("an arithmetic", "printenv TOKEN; echo $((TOKEN))"),
        argv("a program that spells", &["mawk", letters]),
    ]
}

/// The right hands, which show and write what they are given. What they write lies in the workspace as it is; see
/// docs/security.md. The gate reads it redacted.
fn careless() -> Vec<Attack> {
    vec![
        shell("a redirection", "printenv TOKEN > stolen"),
        shell("a copy", "cat > stolen <<E\n$(printenv TOKEN)\nE"),
        argv("a program that runs others", &["mawk", "BEGIN { system(\"env > stolen\") }"]),
        argv("a program that writes files", &["mawk", "BEGIN { print ENVIRON[\"TOKEN\"] > \"stolen\" }"]),
    ]
}

/// References in places where no value may be put.
fn misplaced() -> Vec<Attack> {
    let text = |what, command: String| (what, "shell", json!({ "command": command }));
    let misspelt = |what, text: &str| (what, "shell", json!({"command": "printenv TOKEN", "env": {"TOKEN": text}}));
    vec![
        text("text of the shell", format!("printenv {REF}")),
        text("quoted text of the shell", format!("cat <<'E'\n{REF}\nE")),
        ("an argument", "shell", json!({"argv": ["printenv", REF]})),
        ("the program", "shell", json!({"argv": [REF]})),
        ("the name of a variable", "shell", json!({"command": "printenv", "env": {REF: "x"}})),
        ("a file to read", "read_file", json!({"path": REF})),
        ("a file to write", "write_file", json!({"path": REF, "content": "x"})),
        ("content of a file", "write_file", json!({"path": "stolen", "content": REF})),
        ("a folder", "list_files", json!({"path": REF})),
        ("the folder to start in", "shell", json!({"command": "pwd", "cwd": REF})),
        ("a message", "message", json!({"channel": "chat", "to": ["ada"], "text": REF})),
        ("a recipient", "send_email", json!({"to": [REF], "body": "x"})),
        ("an unknown tool", "crm_note", json!({"text": REF})),
        misspelt("a reference in a reference", "SECRET_REF(SECRET_REF(shown_token))"),
        misspelt("a reference without an end", "SECRET_REF(shown_token"),
        misspelt("a reference with spaces", "SECRET_REF( shown_token )"),
        misspelt("a reference to nothing", "SECRET_REF()"),
        misspelt("a reference to what is not there", "SECRET_REF(nobody)"),
        misspelt("a reference to another's", "SECRET_REF(llm_api_key)"),
        misspelt("a reference to what is bound to nothing", "SECRET_REF(pem)"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_reference_puts_a_value_into_the_wrong_hands() {
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    let workspace = siege.stage.tenant.workspace();
    plant(&workspace);
    let token = siege.secrets().into_iter().find(|(name, _)| *name == "shown_token").expect("kept").1;
    let plants = [Plant::new("shown_token", &token)];
    // The right hands first: it comes, and comes back redacted.
    let args = json!({"command": "printenv TOKEN", "env": {"TOKEN": REF}});
    let shown = force(&siege.stage, &siege.hooks, "right", "shell", args).await.expect("it runs");
    assert_eq!(shown["output"], json!(format!("{REF}\n")), "{shown}");
    siege.listen("the right program");
    let mut stolen = Vec::new();
    for (number, (what, tool, args)) in pretenders(&workspace).into_iter().chain(misplaced()).enumerate() {
        force(&siege.stage, &siege.hooks, &format!("r{number}"), tool, args).await;
        siege.listen(what);
        // What a program wrote into the workspace is in the hands of the agent, whatever redaction makes of reading it.
        let path = workspace.join("stolen");
        if let Ok(bytes) = fs::read(&path) {
            stolen.extend(search::find(&plants, what, &bytes));
            fs::remove_file(&path).expect("removed");
        }
    }
    assert_eq!(stolen, []);
    for (number, (what, tool, args)) in careless().into_iter().enumerate() {
        force(&siege.stage, &siege.hooks, &format!("w{number}"), tool, args).await;
        let read =
            force(&siege.stage, &siege.hooks, &format!("s{number}"), "read_file", json!({"path": "stolen"})).await;
        let read = read.map_or_else(String::new, |result| result.to_string());
        if workspace.join("stolen").exists() {
            assert!(read.contains(REF), "{what}: {read}");
            fs::remove_file(workspace.join("stolen")).expect("removed");
        }
        siege.listen(what);
    }
    siege.lift().await;
}
