//! The program itself, as a person uses it.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

fn hub(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wardkeep-hub"));
    command.arg("--data-dir").arg(data).env_remove("WARDKEEP_KILL_AT").env_remove("CREDENTIALS_DIRECTORY");
    command
}

fn run(data: &Path, arguments: &[&str]) -> Output {
    hub(data).args(arguments).output().expect("the program starts")
}

fn good(data: &Path, arguments: &[&str]) -> String {
    let output = run(data, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

fn bad(data: &Path, arguments: &[&str], says: &str) {
    let output = run(data, arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains(says), "{arguments:?}: {error}");
    assert!(!error.contains('\u{1b}'), "colours for what is no terminal: {error:?}");
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).expect("there").permissions().mode() & 0o777
}

/// Every file of the hub is for its own user only, and those of `expected` are there.
fn files_are_private(data: &Path, expected: &[&str]) {
    let entries = std::fs::read_dir(data).expect("a folder").map(|entry| entry.expect("an entry").path());
    let files: Vec<_> = entries.filter(|path| path.is_file()).collect();
    for name in expected {
        assert!(files.contains(&data.join(name)), "{name} is not in {files:?}");
    }
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

/// Ends the hub whatever happens to the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Serving {
    fn start(data: &Path) -> Self {
        let _ = std::fs::remove_file(data.join("listen.json"));
        let child = hub(data).arg("serve").stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        let serving = Self(child);
        wait("the ports", || data.join("listen.json").exists());
        serving
    }
}

fn wait(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(30), "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_hub_is_made_once_and_served() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("hub");
    bad(&data, &["serve"], "wardkeep-hub init");
    good(&data, &["init", "--link-listen", "127.0.0.1:0", "--web-listen", "127.0.0.1:0"]);
    bad(&data, &["init"], "already");
    assert_eq!(mode(&data), 0o700);
    files_are_private(&data, &["hub.db", "hub.key", "hub.toml", "root.key"]);
    bad(&data, &["tenant", "add", "bakery"], "start `wardkeep-hub serve` first");

    let mut serving = Serving::start(&data);
    good(&data, &["user", "add", "ada"]);
    bad(&data, &["user", "add", "ada", "--operator"], "exists with the role of member");
    let url = json(&good(&data, &["user", "login", "ada", "--json"]))["url"].as_str().expect("a URL").to_owned();
    assert!(url.starts_with("http://127.0.0.1:") && url.contains("/login/"), "{url}");
    bad(&data, &["user", "login", "eve"], "nobody is named eve");
    assert!(
        json(&good(&data, &["token", "api", "ada", "--json"]))["token"].as_str().expect("text").starts_with("wka_")
    );

    let added = json(&good(&data, &["tenant", "add", "bakery", "--json"]));
    assert!(added["token"].as_str().expect("text").starts_with("wke1."));
    bad(&data, &["tenant", "add", "bakery"], "exists");
    bad(&data, &["token", "enrol", "butcher"], "no tenant is named butcher");
    let listed = json(&good(&data, &["tenant", "list", "--json"]));
    assert_eq!((&listed[0]["name"], &listed[0]["standing"]), (&"bakery".into(), &"new".into()));

    let file = dir.path().join("policy.toml");
    std::fs::write(&file, "[[agents]]\nname = \"a\"\nlevel = \"root\"\nworkspace = \"/x\"\n").expect("written");
    let path = file.to_str().expect("text");
    bad(&data, &["policy", "publish", "bakery", "--file", path], "cannot be read");
    std::fs::write(&file, good(&data, &["policy", "example"])).expect("written");
    let draft = json(&good(&data, &["policy", "publish", "bakery", "--file", path, "--dry-run", "--json"]));
    assert_eq!(draft["version"], 2, "the tenant has begun with a first one");
    good(&data, &["policy", "publish", "bakery", "--file", path]);
    assert_eq!(json(&good(&data, &["policy", "show", "bakery", "--json"]))["version"], 2);
    assert_eq!(good(&data, &["approvals", "list", "--json"]), "[]");
    bad(&data, &["approvals", "deny", &"0".repeat(64)], "no such approval");

    files_are_private(&data, &["hub.db", "hub.db-shm", "hub.db-wal", "listen.json"]);
    let pid = Pid::from_child(&serving.0);
    kill_process(pid, Signal::TERM).expect("sent");
    assert!(serving.0.wait().expect("ended").success());
}

#[test]
fn a_killed_hub_starts_again_with_everything() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("hub");
    good(&data, &["init", "--link-listen", "127.0.0.1:0", "--web-listen", "127.0.0.1:0"]);
    let mut serving = Serving::start(&data);
    good(&data, &["tenant", "add", "bakery"]);
    serving.0.kill().expect("killed");
    serving.0.wait().expect("ended");
    let _serving = Serving::start(&data);
    assert_eq!(json(&good(&data, &["tenant", "list", "--json"]))[0]["name"], "bakery");
    assert_eq!(json(&good(&data, &["policy", "show", "bakery", "--json"]))["version"], 1);
}

/// The key that signs policy may live where the hub is not: what it signed is published as it is, or not at all.
#[test]
fn a_policy_is_signed_where_the_key_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let (data, nowhere) = (dir.path().join("hub"), dir.path().join("elsewhere"));
    let file = |name: &str| dir.path().join(name).display().to_string();
    good(&data, &["init", "--link-listen", "127.0.0.1:0", "--web-listen", "127.0.0.1:0"]);
    let _serving = Serving::start(&data);
    for tenant in ["bakery", "butcher"] {
        good(&data, &["tenant", "add", tenant]);
    }
    let (text, other, key, after) = (file("p.toml"), file("other.toml"), file("bundle.key"), file("shown.json"));
    let example = good(&data, &["policy", "example"]);
    std::fs::write(&text, &example).expect("written");
    std::fs::write(&other, example.replacen("level = \"supervised\"", "level = \"trusted\"", 1)).expect("written");
    let show = |tenant: &str, to: &str| {
        std::fs::write(to, good(&data, &["policy", "show", tenant, "--json"])).expect("written");
    };
    show("bakery", &after);
    let public = good(&nowhere, &["keys", "new", "--out", &key]);
    assert_eq!(mode(Path::new(&key)), 0o600);

    let signed = file("signed.dsse");
    let sign = ["policy", "sign", "--file", &text, "--key", &key, "--after", &after, "--out", &signed, "--json"];
    // What is missing or no key is told, and no envelope is left.
    for (wrong, right, says) in [
        (text.as_str(), key.as_str(), "is no key"),
        ("/nowhere/key", key.as_str(), "cannot be read"),
        (text.as_str(), after.as_str(), "is not what `policy show --json` prints"),
    ] {
        bad(&nowhere, &sign.map(|word| if word == right { wrong } else { word }), says);
        assert!(!Path::new(&signed).exists(), "{says}");
    }
    bad(&nowhere, &["policy", "sign", "--file", &text, "--key", &key, "--out", &signed], "--after");
    bad(&nowhere, &["policy", "sign", "bakery", &text, "--key", &key, "--after", &after, "--out", &signed], "--key");
    let told = json(&good(&nowhere, &sign));
    assert!(!nowhere.exists(), "signing made a hub");
    let shown = json(&std::fs::read_to_string(&after).expect("there"));
    assert_eq!((&told["version"], &told["tenant"]), (&2.into(), &shown["tenant"]));

    let publish = |tenant: &str, text: &str| -> Vec<String> {
        let words = ["policy", "publish", tenant, text, "--signed", &signed, "--loosens", "--wait", "0"];
        words.map(str::to_owned).to_vec()
    };
    let refused = |words: Vec<String>, says: &str| {
        bad(&data, &words.iter().map(String::as_str).collect::<Vec<_>>(), says);
    };
    refused(publish("bakery", &text), "not published");
    good(
        &data,
        &["keys", "rotate", "bundle", "--public", &public, "--root", &data.join("root.key").display().to_string()],
    );
    // Making the list known signs nothing of what the new key signed; the version is still the next one or signing is repeated.
    show("bakery", &after);
    let told = json(&good(&nowhere, &sign));
    refused(publish("bakery", &other), "something else than the text");
    refused(publish("butcher", &text), "something else than the text");
    let published = publish("bakery", &text);
    good(&data, &published.iter().map(String::as_str).collect::<Vec<_>>());
    let shown = json(&good(&data, &["policy", "show", "bakery", "--json"]));
    assert_eq!(
        (&shown["digest"], &shown["version"]),
        (&told["digest"], &told["version"]),
        "published as it was signed"
    );
    refused(published, "something else than the text");
    let envelope = std::fs::read_to_string(&signed).expect("there");
    std::fs::write(&signed, envelope.replacen("\"sig\":\"", "\"sig\":\"AAAA", 1)).expect("written");
    refused(publish("bakery", &text), "not published");
}
