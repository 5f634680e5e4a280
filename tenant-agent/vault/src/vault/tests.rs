use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;

struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

struct Place {
    dir: tempfile::TempDir,
    clock: Arc<Hands>,
}

const VALUE: &str = "hunter2-correct-horse-battery";

impl Place {
    fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap(), clock: Arc::new(Hands(AtomicI64::new(1_000))) };
        place.key_file("key", 'a');
        place
    }

    fn key_file(&self, name: &str, digit: char) -> KeySource {
        let path = self.dir.path().join(name);
        std::fs::write(&path, digit.to_string().repeat(64)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        KeySource::File(path)
    }

    fn key(&self) -> KeySource {
        KeySource::File(self.dir.path().join("key"))
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("vault.db")
    }

    fn create(&self) -> Vault {
        Vault::create(&self.path(), &self.key(), self.clock.clone()).unwrap_or_else(|e| panic!("{e:?}"))
    }

    fn open(&self) -> Result<Vault, OpenError> {
        Vault::open(&self.path(), &self.key(), self.clock.clone())
    }

    fn later(&self, by: Duration) {
        self.clock.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

fn value(text: &str) -> SecretValue {
    SecretValue::new(text.to_owned())
}

fn bound(texts: &[&str]) -> Bindings {
    Bindings::parse(texts.iter().copied()).unwrap()
}

const API: Destination<'_> = Destination::Host { host: "api.example.com", port: 443 };

fn every(vault: &Vault) -> Vec<String> {
    vault.every_value().unwrap().iter().map(|(_, v)| v.expose().to_owned()).collect()
}

#[test]
fn a_missing_vault_is_not_an_empty_one() {
    let place = Place::new();
    assert!(matches!(place.open(), Err(OpenError::NotFound(_))));
    assert!(!place.path().exists(), "opening must not create");
}

#[test]
fn the_wrong_key_is_named() {
    let place = Place::new();
    place.create().set(&name("k"), &value(VALUE), &Bindings::none()).unwrap();
    let before = std::fs::read(place.path()).unwrap();
    let other = place.key_file("other", 'b');
    assert!(matches!(Vault::open(&place.path(), &other, place.clock.clone()), Err(OpenError::WrongKey(_))));
    assert_eq!(std::fs::read(place.path()).unwrap(), before, "a wrong key changes nothing");
    assert_eq!(every(&place.open().unwrap()), [VALUE]);
}

#[test]
fn damage_is_named_wherever_it_is() {
    let place = Place::new();
    let vault = place.create();
    for n in 0..40 {
        vault.set(&name(&format!("k{n}")), &value(&format!("{VALUE}-{n}").repeat(20)), &Bindings::none()).unwrap();
    }
    drop(vault);
    let whole = std::fs::read(place.path()).unwrap();
    assert!(whole.len() > 4096 * 5);
    for at in [16, 100, 4095, 4096, 5000, whole.len() / 2, whole.len() - 1] {
        let mut bent = whole.clone();
        bent[at] ^= 1;
        std::fs::write(place.path(), bent).unwrap();
        assert!(matches!(place.open(), Err(OpenError::Tampered(_))), "byte {at}: {:?}", place.open());
    }
    for len in [0, 15, 16, 512, 4096, 8192] {
        std::fs::write(place.path(), &whole[..len]).unwrap();
        assert!(matches!(place.open(), Err(OpenError::Tampered(_))), "cut to {len}: {:?}", place.open());
    }
    std::fs::write(place.path(), &whole).unwrap();
    assert_eq!(place.open().unwrap().list().unwrap().len(), 40);
}

#[test]
fn a_vault_is_never_overwritten() {
    let place = Place::new();
    place.create().set(&name("k"), &value(VALUE), &Bindings::none()).unwrap();
    assert!(matches!(Vault::create(&place.path(), &place.key(), place.clock.clone()), Err(OpenError::Exists(_))));
    assert_eq!(every(&place.open().unwrap()), [VALUE]);
}

#[test]
fn an_orphaned_log_is_not_taken_over() {
    let place = Place::new();
    std::fs::write(place.dir.path().join("vault.db-wal"), b"old").unwrap();
    assert!(matches!(Vault::create(&place.path(), &place.key(), place.clock.clone()), Err(OpenError::Leftover(_))));
    assert!(!place.path().exists());
}

#[test]
fn a_crashed_creation_leaves_no_vault_and_the_next_one_works() {
    let place = Place::new();
    std::fs::write(place.dir.path().join("vault.db.new"), vec![7; 5000]).unwrap();
    std::fs::write(place.dir.path().join("vault.db.new-journal"), vec![7; 700]).unwrap();
    assert!(matches!(place.open(), Err(OpenError::NotFound(_))));
    drop(place.create());
    let left: Vec<_> = std::fs::read_dir(place.dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "key and vault only: {left:?}");
    let mode = std::fs::metadata(place.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[test]
fn a_newer_schema_is_refused() {
    let place = Place::new();
    let vault = place.create();
    vault.lock().execute_batch("PRAGMA user_version = 2").unwrap();
    drop(vault);
    assert!(matches!(place.open(), Err(OpenError::NewerSchema { found: 2, known: 1 })));
}

#[test]
fn unfit_values_are_refused() {
    let place = Place::new();
    let vault = place.create();
    let (k, none) = (name("k"), Bindings::none());
    assert!(matches!(vault.set(&k, &value("seven77"), &none), Err(VaultError::TooShort(_))));
    assert!(matches!(vault.set(&k, &value(&"xy1z".repeat(20_000)), &none), Err(VaultError::TooLong(_))));
    assert!(matches!(vault.set(&k, &value("abababcababc"), &none), Err(VaultError::TooSimple(_))));
    assert!(matches!(vault.set(&k, &value("12345678\0"), &none), Err(VaultError::ZeroByte(_))));
    assert!(matches!(vault.rotate(&k, &value(VALUE)), Err(VaultError::Unknown(_))));
    assert!(matches!(vault.rm(&k), Err(VaultError::Unknown(_))));
    assert!(matches!(vault.bind(&k, &"host:a.b".parse().unwrap()), Err(VaultError::Unknown(_))));
    assert!(vault.list().unwrap().is_empty());
    assert_eq!(vault.generation().unwrap(), 1, "a refusal is no change");
}

#[test]
fn an_unbound_secret_goes_nowhere() {
    let place = Place::new();
    let vault = place.create();
    vault.set(&name("k"), &value(VALUE), &Bindings::none()).unwrap();
    assert!(matches!(vault.resolve(&name("k"), API), Err(NotGiven::NotBound { .. })));
    assert!(matches!(vault.resolve(&name("other"), API), Err(NotGiven::Unknown(_))));
    vault.bind(&name("k"), &"host:*.example.com".parse().unwrap()).unwrap();
    assert_eq!(vault.resolve(&name("k"), API).unwrap().expose(), VALUE);
    assert!(vault.resolve(&name("k"), Destination::Host { host: "api.example.com", port: 80 }).is_err());
    vault.unbind(&name("k"), &"host:*.example.com".parse().unwrap()).unwrap();
    assert!(matches!(vault.resolve(&name("k"), API), Err(NotGiven::NotBound { .. })));
}

#[test]
fn setting_again_replaces_the_bindings_and_rotating_keeps_them() {
    let place = Place::new();
    let vault = place.create();
    assert_eq!(vault.set(&name("k"), &value(VALUE), &bound(&["host:api.example.com"])).unwrap(), 1);
    assert_eq!(vault.rotate(&name("k"), &value("second-value")).unwrap(), 2);
    assert_eq!(vault.resolve(&name("k"), API).unwrap().expose(), "second-value");
    assert_eq!(vault.set(&name("k"), &value("second-value"), &bound(&["tool:shell/psql"])).unwrap(), 2);
    assert!(vault.resolve(&name("k"), API).is_err());
    let entries = vault.list().unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].version, 2);
    assert_eq!(entries[0].bindings, bound(&["tool:shell/psql"]));
}

#[test]
fn old_values_are_redacted_for_the_grace_period() {
    let place = Place::new();
    let vault = place.create();
    let (k, none) = (name("k"), Bindings::none());
    vault.set(&k, &value("first-value"), &none).unwrap();
    vault.rotate(&k, &value("second-value")).unwrap();
    assert_eq!(every(&vault), ["second-value", "first-value"]);
    place.later(GRACE - Duration::from_millis(1));
    assert_eq!(every(&vault), ["second-value", "first-value"]);
    place.later(Duration::from_millis(1));
    assert_eq!(every(&vault), ["second-value"]);
    vault.rm(&k).unwrap();
    assert_eq!(every(&vault), ["second-value"], "a removed value is still redacted");
    assert_eq!(vault.set(&k, &value("third-value"), &none).unwrap(), 3);
    place.later(GRACE);
    assert_eq!(every(&vault), ["third-value"]);
}

#[test]
fn every_change_counts_also_from_another_process() {
    let place = Place::new();
    let daemon = place.create();
    let cli = place.open().unwrap();
    let k = name("k");
    let mut last = daemon.generation().unwrap();
    let mut grew = |what: &str| {
        let now = daemon.generation().unwrap();
        assert!(now > last, "{what}");
        last = now;
    };
    cli.set(&k, &value(VALUE), &Bindings::none()).unwrap();
    grew("set");
    cli.bind(&k, &"host:a.b".parse().unwrap()).unwrap();
    grew("bind");
    cli.unbind(&k, &"host:a.b".parse().unwrap()).unwrap();
    grew("unbind");
    cli.import_env(&b"NEW_ONE=12345678"[..]).unwrap();
    grew("import");
    cli.rm(&k).unwrap();
    grew("rm");
    assert_eq!(every(&daemon), [VALUE, "12345678"]);
}

#[test]
fn an_env_file_is_taken_over() {
    let place = Place::new();
    let vault = place.create();
    vault.set(&name("db_password"), &value("old-password"), &bound(&["host:db.example.com:5432"])).unwrap();
    vault.set(&name("same"), &value("same-value"), &Bindings::none()).unwrap();
    let report = vault
        .import_env(&b"API_KEY=sk-12345678\nDB_PASSWORD='new-password'\nSAME=same-value\nSHORT=abc\n"[..])
        .unwrap();
    assert_eq!(report.added, [name("api_key")]);
    assert_eq!(report.updated, [name("db_password")]);
    assert_eq!(report.unchanged, [name("same")]);
    assert_eq!(report.skipped.len(), 1);
    assert!(!format!("{report:?}").contains("abc"), "{report:?}");
    assert_eq!(vault.list().unwrap()[1].bindings, bound(&["host:db.example.com:5432"]), "bindings stay");
}

#[test]
fn no_file_holds_a_value_in_the_clear() {
    let place = Place::new();
    let vault = place.create();
    vault.set(&name("k"), &value(VALUE), &bound(&["host:plain-binding.example.com"])).unwrap();
    vault.rotate(&name("k"), &value("second-value-in-the-log")).unwrap();
    let searched = || {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(place.dir.path()).unwrap() {
            let entry = entry.unwrap();
            let bytes = std::fs::read(entry.path()).unwrap();
            for needle in [&VALUE.as_bytes()[..12], b"second-value", b"plain-binding", b"SQLite format"] {
                assert!(!bytes.windows(needle.len()).any(|w| w == needle), "{:?}", entry.file_name());
            }
            names.push(entry.file_name().into_string().unwrap());
        }
        names
    };
    assert!(searched().contains(&"vault.db-wal".to_owned()), "the log must be among the files searched");
    drop(vault);
    searched();
    assert!(!format!("{:?} {:?}", value(VALUE), place.open().unwrap()).contains("hunter2"));
}

/// Writes until it is killed; does nothing in an ordinary run. Started by the test below.
#[test]
fn child_that_writes() {
    let mut arguments = std::env::args();
    let Some(folder) = arguments.find_map(|a| a.strip_prefix("--skip=vault-child:").map(str::to_owned)) else {
        return;
    };
    let (path, key) = (Path::new(&folder).join("vault.db"), KeySource::File(Path::new(&folder).join("key")));
    let clock = Arc::new(Hands(AtomicI64::new(0)));
    let vault = match Vault::open(&path, &key, clock.clone()) {
        Err(OpenError::NotFound(_)) => Vault::create(&path, &key, clock).unwrap(),
        other => other.unwrap(),
    };
    let from = vault.generation().unwrap();
    for n in from.. {
        vault.set(&name("counter"), &value(&format!("value-number-{n:06}")), &Bindings::none()).unwrap();
        // Said only after the commit: the parent holds us to it.
        println!("done {n}");
    }
}

#[test]
fn a_kill_at_any_moment_loses_nothing_that_was_confirmed() {
    use std::io::{BufRead as _, BufReader};
    let place = Place::new();
    let mut confirmed = 0;
    for round in 0..6 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "vault::tests::child_that_writes", "--nocapture", "--test-threads=1"])
            .arg(format!("--skip=vault-child:{}", place.dir.path().display()))
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut rest =
            lines.map_while(Result::ok).filter_map(|l| l.rsplit("done ").next().and_then(|n| n.parse::<u64>().ok()));
        // Round 0 dies somewhere in its creation or early writes, later ones deeper in the log.
        for n in rest.by_ref().take(1 + round * 7) {
            confirmed = n;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for n in rest {
            confirmed = n;
        }
        let vault = place.open().unwrap_or_else(|e| panic!("after round {round}: {e:?}"));
        let present = vault.every_value().unwrap().remove(0).1;
        let number: u64 = present.expose().rsplit('-').next().unwrap().parse().unwrap();
        assert!(number >= confirmed, "{number} < {confirmed}");
    }
    assert!(confirmed > 6);
}
