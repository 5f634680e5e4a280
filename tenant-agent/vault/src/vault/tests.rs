use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::import::{ImportOptions, read_import};
use crate::journal::ChangeKind;

pub(crate) struct Hands(pub(crate) AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) struct Place {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) clock: Arc<Hands>,
}

pub(crate) const VALUE: &str = "hunter2-correct-horse-battery";

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap(), clock: Arc::new(Hands(AtomicI64::new(1_000))) };
        place.key_file("key", 'a');
        place
    }

    pub(crate) fn key_file(&self, name: &str, digit: char) -> KeySource {
        let path = self.dir.path().join(name);
        std::fs::write(&path, digit.to_string().repeat(64)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        KeySource::File(path)
    }

    pub(crate) fn key(&self) -> KeySource {
        KeySource::File(self.dir.path().join("key"))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("vault.db")
    }

    pub(crate) fn create(&self) -> Vault {
        Vault::create(&self.path(), &self.key(), self.clock.clone()).unwrap_or_else(|e| panic!("{e:?}"))
    }

    pub(crate) fn open(&self) -> Result<Vault, OpenError> {
        Vault::open(&self.path(), &self.key(), self.clock.clone())
    }

    pub(crate) fn later(&self, by: Duration) {
        self.clock.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

pub(crate) fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

pub(crate) fn value(text: &str) -> SecretValue {
    SecretValue::new(text.to_owned())
}

pub(crate) fn bound(texts: &[&str]) -> Bindings {
    Bindings::parse(texts.iter().copied()).unwrap()
}

pub(crate) const API: Destination<'_> = Destination::Host { host: "api.example.com", port: 443 };

pub(crate) fn every(vault: &Vault) -> Vec<String> {
    vault.every_value().unwrap().iter().map(|known| known.value.expose().to_owned()).collect()
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
    place.create().set(&name("k"), &value(VALUE), &Terms::default()).unwrap();
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
        vault.set(&name(&format!("k{n}")), &value(&format!("{VALUE}-{n}").repeat(20)), &Terms::default()).unwrap();
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
    place.create().set(&name("k"), &value(VALUE), &Terms::default()).unwrap();
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
    vault.lock().execute_batch("PRAGMA user_version = 3").unwrap();
    drop(vault);
    assert!(matches!(place.open(), Err(OpenError::NewerSchema { found: 3, known: 2 })));
}

#[test]
fn unfit_values_are_refused() {
    let place = Place::new();
    let vault = place.create();
    let (k, none) = (name("k"), Terms::default());
    assert!(matches!(vault.set(&k, &value("seven77"), &none), Err(VaultError::TooShort(_))));
    assert!(matches!(vault.set(&k, &value(&"xy1z".repeat(20_000)), &none), Err(VaultError::TooLong(_))));
    assert!(matches!(vault.set(&k, &value("abababcababc"), &none), Err(VaultError::TooSimple(_))));
    assert!(matches!(vault.set(&k, &value("12345678\0"), &none), Err(VaultError::ZeroByte(_))));
    assert!(matches!(vault.rotate(&k, &value(VALUE), None, None), Err(VaultError::Unknown(_))));
    assert!(matches!(vault.rm(&k), Err(VaultError::Unknown(_))));
    assert!(matches!(vault.bind(&k, &bound(&["host:a.b"])), Err(VaultError::Unknown(_))));
    assert!(vault.list().unwrap().is_empty());
    assert_eq!(vault.generation().unwrap(), 1, "a refusal is no change");
}

#[test]
fn an_unbound_secret_goes_nowhere() {
    let place = Place::new();
    let vault = place.create();
    vault.set(&name("k"), &value(VALUE), &Terms::default()).unwrap();
    assert!(matches!(vault.resolve(&name("k"), API), Err(NotGiven::NotBound { .. })));
    assert!(matches!(vault.resolve(&name("other"), API), Err(NotGiven::Unknown(_))));
    vault.bind(&name("k"), &bound(&["host:*.example.com"])).unwrap();
    assert_eq!(vault.resolve(&name("k"), API).unwrap().expose(), VALUE);
    assert!(vault.resolve(&name("k"), Destination::Host { host: "api.example.com", port: 80 }).is_err());
    vault.unbind(&name("k"), &bound(&["host:*.example.com"])).unwrap();
    assert!(matches!(vault.resolve(&name("k"), API), Err(NotGiven::NotBound { .. })));
}

#[test]
fn setting_again_replaces_the_bindings_and_rotating_keeps_them() {
    let place = Place::new();
    let vault = place.create();
    assert_eq!(vault.set(&name("k"), &value(VALUE), &Terms::bound(bound(&["host:api.example.com"]))).unwrap(), 1);
    assert_eq!(vault.rotate(&name("k"), &value("second-value"), None, None).unwrap(), 2);
    assert_eq!(vault.resolve(&name("k"), API).unwrap().expose(), "second-value");
    assert_eq!(vault.set(&name("k"), &value("second-value"), &Terms::bound(bound(&["tool:shell/psql"]))).unwrap(), 2);
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
    let (k, none) = (name("k"), Terms::default());
    vault.set(&k, &value("first-value"), &none).unwrap();
    vault.rotate(&k, &value("second-value"), None, None).unwrap();
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
    cli.set(&k, &value(VALUE), &Terms::default()).unwrap();
    grew("set");
    cli.bind(&k, &bound(&["host:a.b"])).unwrap();
    grew("bind");
    cli.unbind(&k, &bound(&["host:a.b"])).unwrap();
    grew("unbind");
    cli.expire(&k, Some(Timestamp(1))).unwrap();
    grew("expire");
    cli.rm(&k).unwrap();
    grew("rm");
    assert_eq!(every(&daemon), [VALUE]);
}

#[test]
fn no_file_holds_a_value_in_the_clear() {
    let place = Place::new();
    let vault = place.create();
    vault.set(&name("k"), &value(VALUE), &Terms::bound(bound(&["host:plain-binding.example.com"]))).unwrap();
    vault.rotate(&name("k"), &value("second-value-in-the-log"), None, None).unwrap();
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
    vault
        .change(|db| {
            db.execute("UPDATE versions SET retired_ms = NULL", [])?;
            db.execute("UPDATE secrets SET updated_ms = 7", [])?;
            assert!(
                searched().contains(&"vault.db-journal".to_owned()),
                "the journal must be among the files searched"
            );
            Ok(())
        })
        .unwrap();
    drop(vault);
    assert_eq!(searched().len(), 2, "key and vault only");
    assert!(!format!("{:?} {:?}", value(VALUE), place.open().unwrap()).contains("hunter2"));
}

/// Changes everything there is to change until it is killed; does nothing in an ordinary run. Started by the test below.
#[test]
fn child_that_writes() {
    let mut arguments = std::env::args();
    let Some(folder) = arguments.find_map(|a| a.strip_prefix("--skip=vault-child:").map(str::to_owned)) else {
        return;
    };
    let (path, key) = (Path::new(&folder).join("vault.db"), KeySource::File(Path::new(&folder).join("key")));
    let clock = Arc::new(Hands(AtomicI64::new(0)));
    let vault = match Vault::open(&path, &key, clock.clone()) {
        Err(OpenError::NotFound(_)) => Vault::create(&path, &key, clock.clone()).unwrap(),
        other => other.unwrap(),
    };
    let options = ImportOptions { bind: true, dry_run: false, fits: &|_| Ok(()) };
    let from = vault.last_change().unwrap();
    for n in from.. {
        clock.0.fetch_add(61_000, Ordering::SeqCst);
        let text = format!("value-number-{n:06}");
        vault.set(&name("counter"), &value(&text), &Terms::bound(bound(&["host:api.example.com"]))).unwrap();
        // Said only after the commit: the parent holds us to it.
        println!("done {n}");
        vault.set(&name("other"), &value(&format!("{text}-other")), &Terms::default()).unwrap();
        vault.rotate(&name("other"), &value(&format!("{text}-again")), None, Some(Timestamp(i64::MAX))).unwrap();
        vault.bind(&name("other"), &bound(&["host:a.b"])).unwrap();
        vault.unbind(&name("other"), &bound(&["host:a.b"])).unwrap();
        let found =
            read_import(format!("title,url,password\nA,https://a.example.com,{text}-a\nB,,{text}-b\n").as_bytes());
        vault.import(&found.unwrap().1, &options).unwrap();
        vault.rm(&name("other")).unwrap();
        let _ = vault.resolve(&name("counter"), API).unwrap();
        vault.write_used(false).unwrap();
        vault.remind().unwrap();
    }
}

#[test]
fn a_kill_at_any_moment_loses_nothing_that_was_confirmed() {
    use std::io::{BufRead as _, BufReader};
    let place = Place::new();
    let mut confirmed = 0;
    for round in 0..14_usize {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "vault::tests::child_that_writes", "--nocapture", "--test-threads=1"])
            .arg(format!("--skip=vault-child:{}", place.dir.path().display()))
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut rest =
            lines.map_while(Result::ok).filter_map(|l| l.rsplit("done ").next().and_then(|n| n.parse::<u64>().ok()));
        // Round 0 dies somewhere in its creation or early writes, later ones among all the others.
        for n in rest.by_ref().take(1 + round % 3) {
            confirmed = n;
        }
        for _ in 0..round * 40_000 {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for n in rest {
            confirmed = n;
        }
        let vault = place.open().unwrap_or_else(|e| panic!("after round {round}: {e:?}"));
        let present = vault.every_value().unwrap().into_iter().find(|known| known.name == name("counter")).unwrap();
        let number: u64 = present.value.expose().rsplit('-').next().unwrap().parse().unwrap();
        assert!(number >= confirmed, "{number} < {confirmed}");
        let (entries, last) = (vault.list().unwrap(), vault.last_change().unwrap());
        assert_eq!(vault.changes_after(0, u32::MAX).unwrap().len() as u64, last, "the journal has no gaps");
        assert_eq!(
            entries.iter().any(|entry| entry.name == name("a")),
            entries.iter().any(|entry| entry.name == name("b")),
            "an import is whole or not at all"
        );
    }
    assert!(confirmed > 14);
}

/// Each page in turn is the one of an older copy, which SQLCipher takes for good: it was written with the key.
#[test]
fn a_page_of_an_older_copy_is_noticed() {
    const PAGE: usize = 4096;
    let place = Place::new();
    let vault = place.create();
    for n in 0..60 {
        vault.set(&name(&format!("k{n}")), &value(&format!("{VALUE}-{n}").repeat(20)), &Terms::default()).unwrap();
    }
    let old = std::fs::read(place.path()).unwrap();
    vault.rotate(&name("k7"), &value("the-value-after-a-leak"), None, None).unwrap();
    vault.bind(&name("k9"), &bound(&["host:api.example.com"])).unwrap();
    vault.unbind(&name("k9"), &bound(&["host:api.example.com"])).unwrap();
    let seen = |vault: &Vault| (every(vault), vault.list().unwrap(), vault.changes_after(0, 1000).unwrap());
    let wanted = seen(&vault);
    drop(vault);
    let new = std::fs::read(place.path()).unwrap();
    let mut tried = 0;
    for at in (0..old.len().min(new.len())).step_by(PAGE) {
        let mut mixed = new.clone();
        mixed[at..at + PAGE].copy_from_slice(&old[at..at + PAGE]);
        if mixed == new {
            continue;
        }
        std::fs::write(place.path(), mixed).unwrap();
        match place.open() {
            Err(OpenError::Tampered(_)) => tried += 1,
            // Pages that hold the same as before but are written anew: an older one changes nothing.
            Ok(vault) => assert_eq!(seen(&vault), wanted, "page {}", at / PAGE),
            Err(error) => panic!("page {}: {error:?}", at / PAGE),
        }
    }
    assert!(tried >= 3, "{tried}");
    std::fs::write(place.path(), new).unwrap();
    assert_eq!(seen(&place.open().unwrap()), wanted);
}

/// What a write that was cut short leaves, and somebody takes its journal away.
#[test]
fn a_write_without_its_journal_is_noticed() {
    let place = Place::new();
    let vault = place.create();
    vault.set(&name("k"), &value(VALUE), &Terms::default()).unwrap();
    drop(vault);
    for cut in 2..7_usize {
        let before = std::fs::read(place.path()).unwrap();
        let vault = place.open().unwrap();
        vault.set(&name(&format!("more{cut}")), &value(&VALUE.repeat(cut * 50)), &Terms::default()).unwrap();
        drop(vault);
        let mut half = std::fs::read(place.path()).unwrap();
        let kept = (cut * 4096).min(before.len());
        half[..kept].copy_from_slice(&before[..kept]);
        std::fs::write(place.path(), half).unwrap();
        assert!(matches!(place.open(), Err(OpenError::Tampered(_))), "cut {cut}: {:?}", place.open());
        std::fs::write(place.path(), before).unwrap();
    }
}

#[test]
fn an_expired_secret_is_kept_from_everybody_and_still_redacted() {
    let place = Place::new();
    let vault = place.create();
    let k = name("k");
    let ends = Timestamp(place.clock.now().millis() + 10_000);
    let terms = Terms { expires: Some(ends), ..Terms::bound(bound(&["host:api.example.com"])) };
    vault.set(&k, &value(VALUE), &terms).unwrap();
    place.later(Duration::from_millis(9_999));
    assert!(vault.resolve(&k, API).is_ok());
    place.later(Duration::from_millis(1));
    assert_eq!(vault.resolve(&k, API), Err(NotGiven::Expired { name: k.clone(), at: ends }));
    assert_eq!(every(&vault), [VALUE], "an agent may have seen where it was used");
    vault.rotate(&k, &value("second-value"), None, None).unwrap();
    assert!(vault.resolve(&k, API).is_ok(), "the old value's end is not the new one's");
    vault.expire(&k, Some(Timestamp(0))).unwrap();
    assert!(vault.resolve(&k, API).is_err());
    vault.expire(&k, None).unwrap();
    assert!(vault.resolve(&k, API).is_ok());
}

#[test]
fn each_reminder_is_noted_once_and_missed_ones_are_not_made_up_for() {
    let place = Place::new();
    let vault = place.create();
    let day = Duration::from_secs(24 * 60 * 60);
    let start = place.clock.now();
    let terms = |days: u32| Terms { expires: Some(start.plus(day * days)), ..Terms::default() };
    vault.set(&name("far"), &value("value-of-far"), &terms(20)).unwrap();
    vault.set(&name("near"), &value("value-of-near"), &terms(2)).unwrap();
    vault.set(&name("never"), &value("value-of-never"), &Terms::default()).unwrap();
    let generation = vault.generation().unwrap();
    let mut from = 3;
    let mut told = || {
        vault.remind().unwrap();
        let rows = vault.changes_after(from, 100).unwrap();
        from += rows.len() as u64;
        assert!(rows.iter().all(|row| row.kind == ChangeKind::Reminded));
        rows.into_iter().map(|row| row.name.unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(told(), ["near"]);
    assert!(told().is_empty(), "once");
    place.later(day * 3);
    assert_eq!(told(), ["near"], "it has ended");
    place.later(day * 4);
    assert_eq!(told(), ["far"]);
    place.later(day * 30);
    assert_eq!(told(), ["far"], "of three and zero days only the last");
    assert!(told().is_empty());
    assert_eq!(vault.generation().unwrap(), generation, "a reminder is no reason to build an index");
}

#[test]
fn use_is_written_once_a_minute() {
    let place = Place::new();
    let vault = place.create();
    let k = name("k");
    vault.set(&k, &value(VALUE), &Terms::bound(bound(&["host:api.example.com"]))).unwrap();
    let generation = vault.generation().unwrap();
    let used = || place.open().unwrap().show(&k).unwrap().used;
    let _ = vault.resolve(&k, Destination::Host { host: "evil.test", port: 443 });
    vault.write_used(true).unwrap();
    assert_eq!(used(), None, "a refusal is no use");
    let _ = vault.resolve(&k, API).unwrap();
    vault.write_used(false).unwrap();
    let first = place.clock.now();
    assert_eq!(used(), Some(first));
    place.later(Duration::from_secs(59));
    let _ = vault.resolve(&k, API).unwrap();
    vault.write_used(false).unwrap();
    assert_eq!(used(), Some(first));
    place.later(Duration::from_secs(1));
    vault.write_used(false).unwrap();
    assert_eq!(used(), Some(Timestamp(first.millis() + 59_000)));
    let _ = vault.resolve(&k, API).unwrap();
    vault.write_used(true).unwrap();
    assert_eq!(used(), Some(place.clock.now()));
    assert_eq!(vault.generation().unwrap(), generation, "use is no reason to build an index");
}

#[test]
fn every_change_is_in_the_journal_with_who_and_without_values() {
    let place = Place::new();
    let vault = place.create();
    let k = name("k");
    vault.set(&k, &value(VALUE), &Terms::bound(bound(&["host:api.example.com"]))).unwrap();
    vault.rotate(&k, &value("second-value"), None, None).unwrap();
    vault.bind(&k, &bound(&["tool:shell/psql", "host:a.b"])).unwrap();
    vault.unbind(&k, &bound(&["host:a.b"])).unwrap();
    vault.expire(&k, Some(Timestamp(5))).unwrap();
    vault.rm(&k).unwrap();
    assert!(vault.rm(&k).is_err());
    let rows = vault.changes_after(0, 100).unwrap();
    let kinds: Vec<_> = rows.iter().map(|row| row.kind.as_str()).collect();
    assert_eq!(
        kinds,
        ["vault-set", "vault-rotated", "vault-bound", "vault-unbound", "vault-expiry", "vault-removed"],
        "a refusal is no change"
    );
    assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert_eq!((rows[0].version, rows[1].version), (Some(1), Some(2)));
    assert!(rows.iter().all(|row| row.by.starts_with("uid-") && row.at == place.clock.now()));
    assert_eq!(rows[2].note, "host:a.b tool:shell/psql");
    assert!(!format!("{rows:?}").contains("hunter2"));
    assert_eq!(vault.history(&k).unwrap(), rows, "also of what is gone");
    assert!(matches!(vault.history(&name("other")), Err(VaultError::Unknown(_))));
}

#[test]
fn a_short_value_is_kept_beside_its_context_only() {
    let place = Place::new();
    let vault = place.create();
    let beside = |text: &str| Terms { context: Some(text.parse().unwrap()), ..Terms::default() };
    let k = name("pin");
    assert!(matches!(vault.set(&k, &value("4711"), &Terms::default()), Err(VaultError::TooShort(_))));
    assert!(matches!(vault.set(&k, &value("471"), &beside("pin")), Err(VaultError::TooShortBeside(_))));
    vault.set(&k, &value("4711"), &beside("pin,door code")).unwrap();
    vault.rotate(&k, &value("a-longer-value"), None, None).unwrap();
    let known: Vec<_> = vault.every_value().unwrap().into_iter().map(|known| known.beside).collect();
    assert_eq!(known, [None, Some("pin,door code".to_owned())], "each version with its own");
}

#[test]
fn a_vault_of_schema_1_opens_as_it_was() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/schema1");
    for (database, log) in [("closed.db", None), ("crashed.db", Some("crashed.db-wal"))] {
        let place = Place::new();
        std::fs::copy(data.join(database), place.path()).unwrap();
        if let Some(log) = log {
            std::fs::copy(data.join(log), place.dir.path().join("vault.db-wal")).unwrap();
        }
        place.clock.0.store(1_790_000_000_000 + 60_000, Ordering::SeqCst);
        let vault = place.open().unwrap_or_else(|e| panic!("{database}: {e:?}"));
        assert_eq!(vault.resolve(&name("api_key"), API).unwrap().expose(), "second-value-of-api", "{database}");
        assert_eq!(
            every(&vault),
            ["second-value-of-api", "first-value-of-api", "pässword-of-database", "value-that-was-removed"]
        );
        let entries = vault.list().unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!((entries[0].version, entries[0].expires, entries[0].used), (2, None, None));
        assert_eq!(entries[0].bindings, bound(&["host:api.example.com", "tool:shell/curl"]));
        assert_eq!(vault.id().unwrap().len(), 32);
        assert!(vault.history(&name("api_key")).unwrap().is_empty());
        vault.rotate(&name("api_key"), &value("third-value-of-api"), None, None).unwrap();
        drop(vault);
        let left: Vec<_> = std::fs::read_dir(place.dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "key and vault only: {left:?}");
        assert_eq!(every(&place.open().unwrap())[0], "third-value-of-api");
    }
}

#[test]
fn what_lies_beside_the_vault_changes_nothing_and_opens_nothing() {
    let place = Place::new();
    place.create().set(&name("k"), &value(VALUE), &Terms::default()).unwrap();
    let other = Place::new();
    other.key_file("key", 'b');
    other.create().set(&name("k"), &value("another-vaults-value"), &Terms::default()).unwrap();
    // A swapped file is another vault, and its key is not ours.
    std::fs::rename(place.path(), place.dir.path().join("own.db")).unwrap();
    std::fs::copy(other.path(), place.path()).unwrap();
    assert!(matches!(place.open(), Err(OpenError::WrongKey(_))));
    std::fs::rename(place.dir.path().join("own.db"), place.path()).unwrap();
    // Foreign logs are none of ours.
    for suffix in ["-wal", "-journal"] {
        std::fs::write(place.dir.path().join(format!("vault.db{suffix}")), vec![7; 9000]).unwrap();
        assert_eq!(every(&place.open().unwrap()), [VALUE], "{suffix}");
    }
    // The salt names the key.
    let mut bent = std::fs::read(place.path()).unwrap();
    bent[3] ^= 1;
    std::fs::write(place.path(), bent).unwrap();
    assert!(matches!(place.open(), Err(OpenError::WrongKey(_))), "{:?}", place.open());
}
