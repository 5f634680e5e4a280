use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::cli::context::Environment;
use crate::testing::TestClock;
use wardkeep_proto::chance::Chance;

/// Different at each call and in each byte.
struct Mixed;

impl Chance for Mixed {
    fn fill(&self, out: &mut [u8]) {
        static CALLS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
        let mut state = CALLS.fetch_add(1, std::sync::atomic::Ordering::SeqCst).wrapping_mul(0x9e37_79b9);
        for byte in out {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = state.to_be_bytes()[0];
        }
    }
}

/// A folder with a configuration, and every command over the same one.
struct Place {
    dir: tempfile::TempDir,
    credentials: Option<PathBuf>,
}

const PHRASE: &str = "six words that nobody else knows";

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let config = format!(
            "state_dir = \"{0}/state\"\nruntime_dir = \"{0}/run\"\n[vault]\nkey_file = \"{0}/vault.key\"\n",
            dir.path().display()
        );
        let place = Self { dir, credentials: None };
        place.file("agent.toml", &config);
        place
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run_with(&self, passphrase_from: Option<PathBuf>, command: VaultCommand) -> (Result<(), CliError>, String) {
        let env = Environment {
            credentials_dir: self.credentials.clone(),
            agent_token: None,
            program: "/bin/false".into(),
            clock: Arc::new(TestClock::new()),
            chance: Arc::new(Mixed),
            waypoints: Arc::new(wardkeep_proto::waypoint::NoWaypoints),
        };
        let mut out = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut context = Context { env: &env, config_path: self.path("agent.toml"), out: &mut out };
        let done = runtime.block_on(run(VaultArgs { passphrase_from, command }, &mut context));
        (done, String::from_utf8(out).expect("text"))
    }

    fn run(&self, command: VaultCommand) -> (Result<(), CliError>, String) {
        self.run_with(None, command)
    }

    fn said(&self, command: VaultCommand) -> String {
        let (done, said) = self.run(command);
        done.unwrap_or_else(|e| panic!("{e}"));
        said
    }

    fn refused(&self, command: VaultCommand) -> String {
        crate::channel::chain(&self.run(command).0.expect_err("refused"))
    }
}

fn name(text: &str) -> SecretName {
    text.parse().expect("valid")
}

fn set(text: &str, to: &[&str], generate: u16, expires: Option<&str>) -> VaultCommand {
    let value = ValueArgs { context: None, expires: expires.map(str::to_owned), generate: Some(generate) };
    VaultCommand::Set { name: name(text), to: to.iter().map(|&to| to.to_owned()).collect(), value }
}

fn import(file: PathBuf) -> VaultCommand {
    VaultCommand::Import { file, dry_run: false, bind: false, identity: None }
}

fn export(file: PathBuf, recipient: &[&str], new_passphrase_from: Option<PathBuf>) -> VaultCommand {
    let recipient: Vec<String> = recipient.iter().map(|&text| text.to_owned()).collect();
    VaultCommand::Export { encrypted: file, passphrase: recipient.is_empty(), recipient, new_passphrase_from }
}

fn rekey_to(to_passphrase: Option<PathBuf>, to_credential: Option<&str>) -> VaultCommand {
    VaultCommand::Rekey {
        to_passphrase: to_passphrase.is_some(),
        new_passphrase_from: to_passphrase,
        to_credential: to_credential.map(str::to_owned),
    }
}

#[test]
fn an_import_that_left_something_out_fails_after_the_rest_is_stored() {
    let place = Place::new();
    place.said(VaultCommand::Init { passphrase: false, anew: false });
    let text = "FIRST=long-enough-1\nSHORT=hunter2\nCOMMON=password123\n_X=long-enough-2\nLAST=long-enough-3\n";
    let (done, said) = place.run(import(place.file("input.env", text)));
    let error = done.expect_err("two were left out").to_string();
    assert!(error.contains("SHORT") && error.contains("COMMON") && error.starts_with("2 of"), "{error}");
    assert!(!error.contains("hunter2") && !said.contains("hunter2") && !said.contains("password123"));
    assert!(!said.contains("long-enough") && said.contains("shred -u"), "{said}");
    assert!(said.contains("x  from \"_X\""), "{said}");
    let names = place.said(VaultCommand::List { json: false });
    assert!(names.contains("first") && names.contains("last") && !names.contains("short"), "{names}");
    place.said(import(place.file("more.env", "FIRST=long-enough-1\nNEXT=long-enough-4\n")));
}

#[test]
fn a_dry_run_says_what_would_happen_and_binds_nothing() {
    let place = Place::new();
    place.said(VaultCommand::Init { passphrase: false, anew: false });
    let file = place.file("export.csv", "title,url,password\nGitHub,https://github.com,correct-horse\nNote,,\n");
    let dry = VaultCommand::Import { file: file.clone(), dry_run: true, bind: false, identity: None };
    let said = place.said(dry);
    for wanted in ["dry run", "added", "github", "could go to host:github.com", "skipped", "Note", "nothing was stored"]
    {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    assert!(place.said(VaultCommand::List { json: false }).contains("no secrets yet"));
    let (done, said) = place.run(VaultCommand::Import { file, dry_run: false, bind: true, identity: None });
    assert!(matches!(done, Err(CliError::Skipped(_))) && said.contains("bound to host:github.com"), "{said}");
    assert!(place.said(VaultCommand::Show { name: name("github"), json: false }).contains("host:github.com"));
}

#[test]
fn a_value_is_made_kept_and_never_shown() {
    let place = Place::new();
    place.said(VaultCommand::Init { passphrase: false, anew: false });
    let said = place.said(set("webhook", &["host:api.example.com"], 40, Some("90d")));
    let key = KeySource::File(place.path("vault.key"));
    let vault = Vault::open(&place.path("state/vault.db"), &key, Arc::new(TestClock::new())).expect("opens");
    use wardkeep_proto::secret::SecretSource as _;
    let value = vault.every_value().expect("reads").remove(0).value;
    assert!(value.expose().len() == 40 && value.expose().bytes().all(|b| b.is_ascii_alphanumeric()));
    let all = [
        said,
        place.said(VaultCommand::List { json: false }),
        place.said(VaultCommand::List { json: true }),
        place.said(VaultCommand::Show { name: name("webhook"), json: false }),
        place.said(VaultCommand::Show { name: name("webhook"), json: true }),
        place.said(VaultCommand::History { name: name("webhook"), json: false }),
        place.said(VaultCommand::History { name: name("webhook"), json: true }),
    ];
    assert!(!all.concat().contains(value.expose()));
    assert_eq!(
        all[1],
        "NAME     VERSION  CHANGED   LAST USED  ENDS        MAY GO TO\n\
         webhook  v1       just now  never      in 90 days  host:api.example.com\n"
    );
    assert!(all[3].contains("Z (in 90 days)") && all[4].contains("Z\""), "{}{}", all[3], all[4]);
    assert!(all[5].contains("set") && all[5].contains("uid-"), "{}", all[5]);
}

#[test]
fn refusals_say_what_to_do() {
    let place = Place::new();
    assert!(place.refused(VaultCommand::List { json: false }).contains("vault init"));
    place.said(VaultCommand::Init { passphrase: false, anew: false });
    assert!(place.refused(VaultCommand::Init { passphrase: false, anew: false }).contains("already exists"));
    assert!(place.refused(set("k", &["github.com"], 40, None)).contains("host:"));
    assert!(place.refused(set("k", &[], 40, Some("yesterday"))).contains("90d"));
    place.said(set("k", &[], 40, None));
    let rm = |text: &str, yes| VaultCommand::Rm { name: name(text), yes };
    assert!(place.refused(rm("other", true)).contains("vault list"));
    assert!(place.refused(rm("k", false)).contains("--yes"));
    assert!(place.refused(VaultCommand::Unlock).contains("nothing to unlock"));
    assert!(place.refused(rekey_to(None, Some("vault-key"))).contains("operations.md"));
    place.said(rm("k", true));
    assert!(place.said(VaultCommand::History { name: name("k"), json: false }).contains("removed"));
}

#[test]
fn no_new_vault_takes_the_place_of_a_lost_one() {
    let place = Place::new();
    place.said(VaultCommand::Init { passphrase: false, anew: false });
    std::fs::remove_file(place.path("state/vault.db")).expect("removed");
    for passphrase in [false, true] {
        let why = place.refused(VaultCommand::Init { passphrase, anew: false });
        assert!(why.contains("vault.key") && why.contains("restore") && why.contains("--anew"), "{why}");
    }
    place.said(VaultCommand::Init { passphrase: false, anew: true });
}

#[test]
fn an_audit_log_with_secrets_is_a_trace_of_a_vault() {
    let place = Place::new();
    let log_at = StateDir::open(&place.path("state")).expect("made").gate().join("gate.db");
    let log = |rows: &str| {
        let _ = std::fs::remove_file(&log_at);
        let db = rusqlite::Connection::open(&log_at).expect("opens");
        db.execute_batch(&format!("CREATE TABLE audit (kind TEXT); {rows}")).expect("written");
    };
    log("INSERT INTO audit VALUES ('vault-set')");
    let why = place.refused(VaultCommand::Init { passphrase: false, anew: false });
    assert!(why.contains("audit log") && why.contains("--anew") && !place.path("vault.key").exists(), "{why}");
    std::fs::write(&log_at, "no database at all, and long enough to be read").expect("written");
    assert!(place.refused(VaultCommand::Init { passphrase: false, anew: false }).contains("audit log"));
    // A daemon has run here before there was any vault.
    log("INSERT INTO audit VALUES ('vault-locked')");
    place.said(VaultCommand::Init { passphrase: false, anew: false });
}

#[test]
fn a_lost_recipe_is_named() {
    let place = Place::new();
    let phrase = place.file("phrase", PHRASE);
    place.run_with(Some(phrase.clone()), VaultCommand::Init { passphrase: true, anew: false }).0.expect("made");
    std::fs::remove_file(place.path("state/vault.db.passphrase")).expect("removed");
    for command in [VaultCommand::List { json: false }, VaultCommand::Unlock] {
        let (done, _) = place.run_with(Some(phrase.clone()), command);
        let why = crate::channel::chain(&done.expect_err("no key"));
        assert!(why.contains("vault.db.passphrase") && why.contains("restore"), "{why}");
        assert!(!why.contains("vault init"), "{why}");
    }
}

#[test]
fn redaction_decides_what_may_be_stored() {
    let common =
        |context: Option<&str>| fits(&name("k"), "password123", context.map(|c| c.parse().expect("valid")).as_ref());
    let error = common(None).expect_err("too common").to_string();
    assert!(error.contains("--context") && !error.contains("password123"), "{error}");
    assert!(common(Some("door")).is_ok());
}

#[test]
fn the_key_goes_to_its_owner_and_comes_back() {
    let place = Place::new();
    place.said(VaultCommand::Init { passphrase: false, anew: false });
    place.said(set("k", &[], 40, None));
    let old = std::fs::read(place.path("vault.key")).expect("reads");
    place.said(rekey_to(None, None));
    assert_ne!(std::fs::read(place.path("vault.key")).expect("reads"), old);

    let phrase = place.file("phrase", &format!("{PHRASE}\n"));
    let said = place.said(rekey_to(Some(phrase.clone()), None));
    assert!(said.contains("removed") && said.contains("vault unlock"), "{said}");
    assert!(!place.path("vault.key").exists());
    assert!(place.refused(rekey_to(Some(place.file("weak", "too short")), None)).contains("passphrase"));
    let wrong = place.file("wrong", "six words that nobody ever knew");
    let (refused, _) = place.run_with(Some(wrong), VaultCommand::List { json: false });
    assert!(refused.expect_err("wrong").to_string().contains("not the passphrase"));
    let (done, said) = place.run_with(Some(phrase.clone()), VaultCommand::List { json: false });
    assert!(done.is_ok() && said.contains('k'), "{said}");
    // Nobody runs that could take it.
    let (unlocked, _) = place.run_with(Some(phrase.clone()), VaultCommand::Unlock);
    assert!(matches!(unlocked, Err(CliError::Daemon(_))), "{unlocked:?}");

    place.run_with(Some(phrase), rekey_to(None, None)).0.expect("a key file again");
    assert!(place.said(VaultCommand::List { json: false }).contains('k'));
    assert!(!place.path("state/vault.db.passphrase").exists());
}

#[test]
fn a_vault_can_begin_without_a_key_on_this_server() {
    let place = Place::new();
    let phrase = place.file("phrase", PHRASE);
    let (done, said) = place.run_with(Some(phrase.clone()), VaultCommand::Init { passphrase: true, anew: false });
    done.expect("made");
    assert!(said.contains("in no file") && !place.path("vault.key").exists(), "{said}");
    place.run_with(Some(phrase), set("k", &[], 40, None)).0.expect("stored");
}

#[test]
fn an_export_is_made_once_and_comes_back() {
    let place = Place::new();
    place.said(VaultCommand::Init { passphrase: false, anew: false });
    place.said(set("k", &["host:api.example.com"], 40, None));
    let phrase = place.file("phrase", PHRASE);
    let file = place.path("backup.age");
    assert!(place.refused(export(file.clone(), &["age1nobody"], None)).contains("age-keygen"));
    assert!(!file.exists(), "half an export is none");
    assert!(place.refused(export(file.clone(), &[], Some(place.file("weak", "x")))).contains("12 characters"));
    assert!(!file.exists(), "an export that anybody opens is none");
    place.said(export(file.clone(), &[], Some(phrase.clone())));
    assert!(place.refused(export(file.clone(), &[], Some(phrase.clone()))).contains("must not exist"));
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(file.metadata().expect("there").permissions().mode() & 0o777, 0o600);

    let other = Place::new();
    other.said(VaultCommand::Init { passphrase: false, anew: false });
    let (done, said) = other.run_with(Some(phrase), import(file));
    done.expect("comes back");
    assert!(said.contains("added      k  bound to host:api.example.com"), "{said}");
}

#[test]
fn a_credential_takes_over() {
    let mut place = Place::new();
    place.said(VaultCommand::Init { passphrase: false, anew: false });
    place.said(set("k", &[], 40, None));
    let folder = place.path("credentials");
    std::fs::create_dir(&folder).expect("made");
    let credential = folder.join("vault-key");
    std::fs::write(&credential, "ab".repeat(32)).expect("written");
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&credential, std::fs::Permissions::from_mode(0o440)).expect("chmod");
    place.credentials = Some(folder);
    place.said(rekey_to(None, Some("vault-key")));
    assert!(!place.path("vault.key").exists());
    let text = std::fs::read_to_string(place.path("agent.toml")).expect("reads") + "credential = \"vault-key\"\n";
    place.file("agent.toml", &text);
    assert!(place.said(VaultCommand::List { json: false }).contains('k'));
    assert!(Path::new(&place.path("state/vault.db")).exists());
}
