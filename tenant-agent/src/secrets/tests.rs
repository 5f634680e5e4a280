use wardkeep_policy::Posture;
use wardkeep_vault::Bindings;

use super::*;
use crate::testing::{Counted, TestClock};

struct Fixture {
    dir: tempfile::TempDir,
    book: VaultBook,
    redaction: Shared,
    posture: PostureBook,
    clock: Arc<TestClock>,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let redaction = Shared::new(patterns_only(&[3; 32]).expect("builds"));
        let posture = PostureBook::new(Posture::open());
        let clock = Arc::new(TestClock::new());
        let book = VaultBook::new(VaultParts {
            path: dir.path().join("vault.db"),
            key: KeySource::File(dir.path().join("vault.key")),
            clock: clock.clone(),
            redaction: redaction.clone(),
            tag_key: Zeroizing::new([3; 32]),
            posture: posture.clone(),
        });
        Self { dir, book, redaction, posture, clock }
    }

    /// The vault as another process (the CLI) has it.
    fn cli(&self, create: bool) -> Vault {
        let key = self.dir.path().join("vault.key");
        let path = self.dir.path().join("vault.db");
        if create {
            let key = KeySource::generate(&key, &Counted::default()).expect("made");
            return Vault::create(&path, &key, self.clock.clone()).expect("made");
        }
        Vault::open(&path, &KeySource::File(key), self.clock.clone()).expect("opens")
    }

    fn ask(&self, name: &str) -> Result<SecretValue, NotGiven> {
        self.book.resolve(&name.parse().expect("valid"), Destination::Host { host: "api.example.com", port: 443 })
    }
}

fn set(vault: &Vault, name: &str, value: &str) {
    let bindings = Bindings::parse(["host:api.example.com"]).expect("valid");
    let _ = vault.set(&name.parse().expect("valid"), &SecretValue::new(value.to_owned()), &bindings).expect("set");
}

#[test]
fn without_a_vault_nothing_is_given_and_the_posture_says_so() {
    let fixture = Fixture::new();
    fixture.book.refresh();
    assert_eq!(fixture.ask("api_key").unwrap_err(), NotGiven::Locked);
    assert_eq!(fixture.book.every_value().unwrap_err(), NotGiven::Locked);
    assert!(fixture.posture.read().has(Closed::VaultLocked));
    assert!(fixture.book.locked_because().expect("a reason").contains("vault init"));

    let vault = fixture.cli(true);
    set(&vault, "api_key", "correct-horse-1");
    fixture.book.refresh();
    assert!(fixture.posture.read().is_open() && fixture.book.locked_because().is_none());
    assert_eq!(fixture.ask("api_key").expect("given").expose(), "correct-horse-1");
}

#[test]
fn a_value_is_never_given_before_redaction_knows_it() {
    let fixture = Fixture::new();
    let _ = fixture.cli(true);
    fixture.book.refresh();
    set(&fixture.cli(false), "api_key", "correct-horse-2");
    assert_eq!(fixture.redaction.load().redact("x correct-horse-2").text, "x correct-horse-2");
    let _ = fixture.ask("api_key").expect("given without waiting for the next poll");
    assert_eq!(fixture.redaction.load().redact("x correct-horse-2").text, "x SECRET_REF(api_key)");
}

#[test]
fn a_vault_that_goes_away_locks() {
    let fixture = Fixture::new();
    set(&fixture.cli(true), "api_key", "correct-horse-3");
    fixture.book.refresh();
    std::fs::rename(fixture.dir.path().join("vault.db"), fixture.dir.path().join("elsewhere.db")).expect("moved");
    fixture.book.refresh();
    assert_eq!(fixture.ask("api_key").unwrap_err(), NotGiven::Locked);
    assert!(fixture.posture.read().has(Closed::VaultLocked));
    let text = fixture.redaction.load().redact("correct-horse-3").text.into_owned();
    assert_eq!(text, "SECRET_REF(api_key)", "what was known is still masked");
}

#[test]
fn a_wrong_key_is_named_and_locks() {
    let fixture = Fixture::new();
    drop(fixture.cli(true));
    std::fs::remove_file(fixture.dir.path().join("vault.key")).expect("removed");
    let chance = crate::testing::Fixed(200);
    let _ = KeySource::generate(&fixture.dir.path().join("vault.key"), &chance).expect("made");
    fixture.book.refresh();
    assert!(fixture.book.locked_because().expect("a reason").contains("key"));
    assert!(fixture.posture.read().has(Closed::VaultLocked));
}

#[test]
fn the_tag_key_stays_over_a_restart() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("redaction.key");
    let chance = Counted::default();
    let first = tag_key(path.clone(), &chance).expect("made");
    assert_eq!(tag_key(path.clone(), &chance).expect("read"), first);
    std::fs::write(&path, b"short").expect("written");
    assert!(matches!(tag_key(path, &chance), Err(TagKeyError::Damaged(_))));
}
