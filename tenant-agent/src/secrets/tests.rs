use wardkeep_policy::Posture;
use wardkeep_vault::{Bindings, NewKey, Terms, rekey};

use super::*;
use crate::testing::{Counted, TestClock};

struct Fixture {
    dir: tempfile::TempDir,
    book: VaultBook,
    redaction: Shared,
    posture: PostureBook,
    clock: Arc<TestClock>,
    bundle: watch::Sender<Arc<Bundle>>,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let redaction = Shared::new(patterns_only(&[3; 32]).expect("builds"));
        let posture = PostureBook::new(Posture::open());
        let clock = Arc::new(TestClock::new());
        let (bundle, watched) = watch::channel(Arc::new(Bundle::strict()));
        let book = VaultBook::new(VaultParts {
            path: dir.path().join("vault.db"),
            key: KeySource::File(dir.path().join("vault.key")),
            clock: clock.clone(),
            redaction: redaction.clone(),
            tag_key: Zeroizing::new([3; 32]),
            posture: posture.clone(),
            bundle: watched,
        });
        Self { dir, book, redaction, posture, clock, bundle }
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

    /// A policy that says this about redaction.
    fn publish(&self, version: u64, redaction: Additions) {
        self.bundle.send_replace(Arc::new(Bundle { version, redaction, ..Bundle::strict() }));
    }

    fn ask(&self, name: &str) -> Result<SecretValue, NotGiven> {
        self.book.resolve(&name.parse().expect("valid"), Destination::Host { host: "api.example.com", port: 443 })
    }
}

fn set(vault: &Vault, name: &str, value: &str) {
    let bindings = Bindings::parse(["host:api.example.com"]).expect("valid");
    let terms = Terms::bound(bindings);
    let _ = vault.set(&name.parse().expect("valid"), &SecretValue::new(value.to_owned()), &terms).expect("set");
}

#[test]
fn a_value_is_masked_from_the_moment_it_is_stored() {
    let fixture = Fixture::new();
    let vault = fixture.cli(true);
    fixture.book.refresh();
    set(&vault, "api_key", "correct-horse-1");
    let masked = || fixture.redaction.load().redact("say correct-horse-1").text.into_owned();
    assert_eq!(masked(), "say correct-horse-1", "nobody has looked yet");
    fixture.book.catch_up();
    assert_eq!(masked(), "say SECRET_REF(api_key)");
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

const PHRASE: &str = "six words that nobody else knows";

fn phrase() -> SecretValue {
    SecretValue::new(PHRASE.to_owned())
}

impl Fixture {
    fn path(&self) -> PathBuf {
        self.dir.path().join("vault.db")
    }

    /// Takes the key off the disk.
    fn give_to_owner(&self) {
        let (key, chance) = (KeySource::File(self.dir.path().join("vault.key")), Counted::default());
        rekey(&self.path(), &key, NewKey::Passphrase(&phrase()), self.clock.clone(), &chance).expect("rekeyed");
    }

    fn owners_key(&self) -> Key {
        (*Vault::unlock(&self.path(), &phrase(), self.clock.clone()).expect("opens").key()).clone()
    }

    fn clean(&self, text: &str) -> String {
        self.redaction.load().redact(text).text.into_owned()
    }
}

#[test]
fn the_owners_key_opens_the_vault_until_it_is_taken_back() {
    let fixture = Fixture::new();
    set(&fixture.cli(true), "api_key", "correct-horse-5");
    fixture.give_to_owner();
    // As after a start: never read, so nothing at all.
    fixture.book.refresh();
    assert!(fixture.posture.read().has(Closed::VaultUnread));
    assert!(fixture.book.locked_because().expect("a reason").contains("vault unlock"));
    assert!(fixture.book.facts().by_passphrase);
    assert!(fixture.book.unlock(Key::random(&Counted::default())).is_err());
    assert!(fixture.posture.read().has(Closed::VaultUnread));

    fixture.book.unlock(fixture.owners_key()).expect("opens");
    assert!(fixture.posture.read().is_open());
    assert_eq!(fixture.ask("api_key").expect("given").expose(), "correct-horse-5");

    fixture.book.lock(Forget::Key).expect("locks");
    assert_eq!(fixture.ask("api_key").unwrap_err(), NotGiven::Locked);
    fixture.book.refresh();
    assert!(fixture.posture.read().has(Closed::VaultLocked) && !fixture.posture.read().has(Closed::VaultUnread));
    assert_eq!(fixture.clean("correct-horse-5"), "SECRET_REF(api_key)", "reads go on and are redacted");

    fixture.book.unlock(fixture.owners_key()).expect("opens");
    assert!(fixture.posture.read().is_open());
    fixture.book.lock(Forget::Index).expect("locks");
    assert!(fixture.posture.read().has(Closed::VaultUnread), "without an index nothing at all is allowed");
    assert_eq!(fixture.clean("correct-horse-5"), "correct-horse-5", "not even memory holds it");
    fixture.book.unlock(fixture.owners_key()).expect("opens");
    assert_eq!(fixture.clean("correct-horse-5"), "SECRET_REF(api_key)");
}

#[test]
fn a_vault_whose_key_is_on_the_server_cannot_be_locked() {
    let fixture = Fixture::new();
    set(&fixture.cli(true), "api_key", "correct-horse-6");
    fixture.book.refresh();
    assert_eq!(fixture.book.lock(Forget::Index), Err(NotLockable));
    assert!(fixture.ask("api_key").is_ok());
}

#[test]
fn another_key_is_taken_up_by_itself_or_locks() {
    let fixture = Fixture::new();
    set(&fixture.cli(true), "api_key", "correct-horse-7");
    fixture.book.refresh();
    let file = fixture.dir.path().join("vault.key");
    let chance = crate::testing::Fixed(77);
    let key = KeySource::File(file.clone());
    rekey(&fixture.path(), &key, NewKey::File(&file), fixture.clock.clone(), &chance).expect("rekeyed");
    // No poll in between: the file that was open is not the vault any more.
    assert_eq!(fixture.ask("api_key").expect("given").expose(), "correct-horse-7");
    set(&fixture.cli(false), "other", "correct-horse-8");
    assert!(fixture.ask("other").is_ok());
    fixture.give_to_owner();
    assert_eq!(fixture.ask("api_key").unwrap_err(), NotGiven::Locked);
    assert_eq!(fixture.clean("correct-horse-8"), "SECRET_REF(other)");
}

#[test]
fn one_value_that_cannot_be_masked_is_given_to_nobody_and_hides_no_other() {
    let fixture = Fixture::new();
    let vault = fixture.cli(true);
    set(&vault, "common", "password123");
    set(&vault, "api_key", "correct-horse-9");
    fixture.book.refresh();
    assert!(fixture.posture.read().is_open());
    assert_eq!(fixture.ask("common"), Err(NotGiven::Unmaskable("common".parse().expect("valid"))));
    assert!(fixture.ask("api_key").is_ok());
    assert_eq!(fixture.clean("correct-horse-9"), "SECRET_REF(api_key)");
    assert_eq!(fixture.book.facts().unmaskable.len(), 1);
    vault
        .rotate(&"common".parse().expect("valid"), &SecretValue::new("rarer-than-that".to_owned()), None, None)
        .expect("set");
    assert!(fixture.ask("common").is_ok());
    assert!(fixture.book.facts().unmaskable.is_empty());
}

#[test]
fn a_short_value_is_masked_beside_its_keyword() {
    let fixture = Fixture::new();
    let terms = Terms { context: Some("pin".parse().expect("valid")), ..Terms::default() };
    fixture.cli(true).set(&"door".parse().expect("valid"), &SecretValue::new("4711".into()), &terms).expect("set");
    fixture.book.refresh();
    assert_eq!(fixture.clean("the pin is 4711"), "the pin is SECRET_REF(door)");
    assert_eq!(fixture.clean("4711 rooms"), "4711 rooms");
}

#[test]
fn what_ends_is_told_and_noted() {
    let fixture = Fixture::new();
    let vault = fixture.cli(true);
    let soon = fixture.clock.now().plus(Duration::from_secs(3 * 24 * 60 * 60));
    let terms = Terms { expires: Some(soon), ..Terms::default() };
    vault.set(&"token".parse().expect("valid"), &SecretValue::new("correct-horse-10".into()), &terms).expect("set");
    fixture.book.refresh();
    assert_eq!(fixture.book.facts().ending, [Ending { name: "token".parse().expect("valid"), at: soon }]);
    let Journal { last, rows, .. } = fixture.book.journal_after(1, 10).expect("open");
    assert_eq!((last, rows.len()), (2, 1));
    assert!(rows[0].note.contains("expires") && rows[0].by == "daemon", "{rows:?}");
}

#[test]
fn the_bundle_adds_rules_and_the_vault_still_comes_first() {
    let fixture = Fixture::new();
    let vault = fixture.cli(true);
    set(&vault, "api_key", "acme_0123456789abcdef");
    fixture.book.refresh();
    let text = "badge acme_fedcba9876543210, key acme_0123456789abcdef, ghp_16C7e42F292c6912E7710c838347Ae178B4a";
    let before = fixture.redaction.load().redact(text).text.into_owned();
    assert!(before.contains("acme_fedcba9876543210") && before.contains("SECRET_REF(api_key)"), "{before}");
    assert!(before.contains("[REDACTED:github-token:"), "{before}");

    let additions = Additions::from_toml(
        r#"
        [[rules]]
        id = "acme-badge"
        source = "https://example.com/badges"
        keywords = ["acme_"]
        token = 'acme_[0-9a-f]{16}'
        matches = ["acme_fedcba9876543210"]
        ignores = ["acme_fedcba"]
        [[allow]]
        value = "acme_0123456789abcdef"
        reason = "an attempt to let a vault value pass"
        [[allow]]
        value = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
        reason = "an example of the vendor's documentation"
        "#,
    )
    .expect("reads");
    fixture.publish(1, additions);
    fixture.book.refresh();
    let after = fixture.redaction.load().redact(text).text.into_owned();
    assert!(after.contains("[REDACTED:acme-badge:") && after.contains("SECRET_REF(api_key)"), "{after}");
    assert!(after.contains("ghp_16C7"), "{after}");

    // A policy that ended takes no rule away; the next one that says nothing does.
    fixture.bundle.send_replace(Arc::new(Bundle::strict()));
    fixture.book.refresh();
    assert_eq!(fixture.redaction.load().redact(text).text, after);
    fixture.publish(2, Additions::default());
    fixture.book.refresh();
    assert_eq!(fixture.redaction.load().redact(text).text, before);
}

#[test]
fn rules_come_into_force_while_the_vault_is_closed_and_its_values_stay_covered() {
    let additions = Additions::from_toml(
        r#"
        [[rules]]
        id = "acme-badge"
        source = "https://example.com/badges"
        keywords = ["acme_"]
        token = 'acme_[0-9a-f]{16}'
        matches = ["acme_fedcba9876543210"]
        "#,
    )
    .expect("reads");
    let text = "badge acme_fedcba9876543210, key correct-horse-7";
    let redacted = |fixture: &Fixture| fixture.redaction.load().redact(text).text.into_owned();

    // Never read.
    let fixture = Fixture::new();
    fixture.book.refresh();
    assert_eq!(redacted(&fixture), text);
    fixture.publish(1, additions.clone());
    fixture.book.catch_up();
    assert!(fixture.posture.read().has(Closed::VaultUnread));
    let out = redacted(&fixture);
    assert!(out.contains("[REDACTED:acme-badge:") && out.contains("correct-horse-7"), "{out}");

    // Read, then lost: the index is the last one, the rules are new.
    let fixture = Fixture::new();
    set(&fixture.cli(true), "api_key", "correct-horse-7");
    fixture.book.refresh();
    std::fs::rename(fixture.dir.path().join("vault.db"), fixture.dir.path().join("away.db")).expect("moved");
    fixture.publish(1, additions);
    fixture.book.refresh();
    assert!(fixture.posture.read().has(Closed::VaultLocked));
    let out = redacted(&fixture);
    assert!(out.contains("[REDACTED:acme-badge:") && out.contains("SECRET_REF(api_key)"), "{out}");
}
