use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::terms::Terms;
use crate::vault::tests::{API, Hands, Place, VALUE, bound, every, name, value};
use wardkeep_proto::secret::SecretSource as _;

/// Different bytes at each call.
struct Counted(AtomicI64);

impl Chance for Counted {
    fn fill(&self, out: &mut [u8]) {
        let from = self.0.fetch_add(out.len() as i64, Ordering::SeqCst);
        (from..).zip(out).for_each(|(n, b)| *b = n.to_le_bytes()[0] ^ n.to_le_bytes()[1]);
    }
}

fn chance() -> Counted {
    Counted(AtomicI64::new(i64::from(std::process::id())))
}

const PHRASE: &str = "six words that nobody else knows";

fn filled(place: &Place) -> Vault {
    let vault = place.create();
    vault.set(&name("k"), &value("the-first-value"), &Terms::bound(bound(&["host:api.example.com"]))).unwrap();
    vault.rotate(&name("k"), &value(VALUE), None, None).unwrap();
    vault
}

/// Opens by whatever is on disk or in its owner's head.
fn open(place: &Place) -> Vault {
    let errors = match place.open() {
        Ok(vault) => return vault,
        Err(error) => error,
    };
    let vault = Vault::unlock(&place.path(), &value(PHRASE), place.clock.clone());
    vault.unwrap_or_else(|e| panic!("neither key opens: {errors:?}; {e:?}"))
}

fn holds_everything(vault: &Vault) {
    assert_eq!(every(vault), [VALUE, "the-first-value"]);
    assert_eq!(vault.resolve(&name("k"), API).unwrap().expose(), VALUE);
    assert!(vault.changes_after(0, 100).unwrap().len() >= 2);
}

fn names(place: &Place) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(place.dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn to<'a>(place: &Place, new: NewKey<'a>, old: &KeySource) -> Result<Rekeyed, RekeyError> {
    rekey(&place.path(), old, new, place.clock.clone(), &chance())
}

#[test]
fn a_new_key_file_replaces_the_old_one() {
    let place = Place::new();
    let vault = filled(&place);
    let (path, key) = (place.dir.path().join("key"), place.key());
    let (id, generation) = (vault.id().unwrap(), vault.generation().unwrap());
    let old = std::fs::read(&path).unwrap();
    let done = to(&place, NewKey::File(&path), &key).unwrap();
    assert_eq!(done, Rekeyed { removed: None, left: None });
    assert_ne!(std::fs::read(&path).unwrap(), old);
    assert_eq!(names(&place), ["key", "vault.db"]);
    for file in ["key", "vault.db"] {
        assert_eq!(place.dir.path().join(file).metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    }
    // Who had it open writes no more into the file that is gone.
    assert!(matches!(vault.generation(), Err(VaultError::Replaced)));
    assert!(matches!(vault.rm(&name("k")), Err(VaultError::Replaced)));
    let again = place.open().unwrap();
    holds_everything(&again);
    assert_eq!(again.id().unwrap(), id, "its journal goes on");
    assert!(again.generation().unwrap() > generation);
    assert_eq!(again.changes_after(0, 100).unwrap().last().unwrap().kind, ChangeKind::Rekeyed);
    std::fs::write(&path, old).unwrap();
    assert!(matches!(place.open(), Err(OpenError::WrongKey(_))), "the old key opens nothing");
}

#[test]
fn to_a_passphrase_and_back() {
    let place = Place::new();
    drop(filled(&place));
    let (path, key) = (place.dir.path().join("key"), place.key());
    assert!(matches!(
        to(&place, NewKey::Passphrase(&value("too short")), &key),
        Err(RekeyError::Open(OpenError::Key(KeyError::Weak)))
    ));
    let done = to(&place, NewKey::Passphrase(&value(PHRASE)), &key).unwrap();
    assert_eq!(done.removed.as_deref(), Some(path.as_path()), "no key stays on disk");
    assert_eq!(names(&place), ["vault.db", "vault.db.passphrase"]);
    assert!(matches!(place.open(), Err(OpenError::NeedsPassphrase(_))), "{:?}", place.open());
    assert!(matches!(
        Vault::unlock(&place.path(), &value("six words that nobody ever knew"), place.clock.clone()),
        Err(OpenError::WrongPassphrase(_))
    ));
    let vault = open(&place);
    holds_everything(&vault);
    let held = KeySource::Held(vault.key());
    // Another passphrase, then a file again.
    to(&place, NewKey::Passphrase(&value("quite another passphrase")), &held).unwrap();
    assert!(matches!(
        Vault::unlock(&place.path(), &value(PHRASE), place.clock.clone()),
        Err(OpenError::WrongPassphrase(_))
    ));
    let vault = Vault::unlock(&place.path(), &value("quite another passphrase"), place.clock.clone()).unwrap();
    to(&place, NewKey::File(&path), &KeySource::Held(vault.key())).unwrap();
    assert_eq!(names(&place), ["key", "vault.db"]);
    holds_everything(&place.open().unwrap());
}

#[test]
fn to_a_credential() {
    let place = Place::new();
    drop(filled(&place));
    let KeySource::File(credential) = place.key_file("vault-key", 'c') else { unreachable!() };
    let done = to(&place, NewKey::Credential(&credential), &place.key()).unwrap();
    assert_eq!(done.removed, Some(place.dir.path().join("key")));
    let source = KeySource::Credential(credential.clone());
    holds_everything(&Vault::open(&place.path(), &source, place.clock.clone()).unwrap());
    // The next one waits beside it under its own name, as the unit hands it over until the old one is gone.
    let KeySource::File(next) = place.key_file("vault-key.new", 'd') else { unreachable!() };
    to(&place, NewKey::Credential(&next), &source).unwrap();
    holds_everything(&Vault::open(&place.path(), &source, place.clock.clone()).unwrap());
}

#[test]
fn what_would_lose_a_key_is_refused_and_changes_nothing() {
    let place = Place::new();
    drop(filled(&place));
    let KeySource::File(taken) = place.key_file("taken", 'b') else { unreachable!() };
    assert!(matches!(
        to(&place, NewKey::File(&taken), &place.key()),
        Err(RekeyError::Open(OpenError::Key(KeyError::Exists(_))))
    ));
    assert!(matches!(
        to(&place, NewKey::Credential(&place.dir.path().join("key")), &place.key()),
        Err(RekeyError::Open(OpenError::SameKey(_)))
    ));
    assert!(matches!(
        to(&place, NewKey::File(&place.dir.path().join("key")), &place.key_file("wrong", 'e')),
        Err(RekeyError::Open(OpenError::WrongKey(_)))
    ));
    let alone = Alone::take(&place.path()).unwrap();
    assert!(matches!(
        to(&place, NewKey::File(&place.dir.path().join("key")), &place.key()),
        Err(RekeyError::Open(OpenError::Busy(_)))
    ));
    drop(alone);
    assert_eq!(names(&place), ["key", "taken", "vault.db", "wrong"]);
    holds_everything(&place.open().unwrap());
}

#[test]
fn a_lowered_or_changed_recipe_is_named() {
    let place = Place::new();
    drop(filled(&place));
    to(&place, NewKey::Passphrase(&value(PHRASE)), &place.key()).unwrap();
    let recipe = passphrase::recipe_path(&place.path());
    let good = std::fs::read_to_string(&recipe).unwrap();
    assert!(good.contains("\"memory_kib\":65536,\"passes\":3,\"lanes\":4"), "{good}");
    assert!(!good.contains(&place.open().map_or_else(|_| "none".to_owned(), |v| v.key().expose_hex().to_string())));
    let unlock = || Vault::unlock(&place.path(), &value(PHRASE), place.clock.clone()).map(drop).unwrap_err();
    for (from, to) in [("65536", "65535"), ("65536", "8"), ("\"passes\":3", "\"passes\":2")] {
        std::fs::write(&recipe, good.replace(from, to)).unwrap();
        assert!(matches!(unlock(), OpenError::Key(KeyError::Lowered(_))), "{from} {to}: {:?}", unlock());
    }
    for (from, to) in [
        ("65536", "4194304"),
        ("65536", "-1"),
        ("\"passes\":3", "\"passes\":1000"),
        ("\"lanes\":4", "\"lanes\":0"),
        ("/v1", "/v2"),
        ("{", "{\"more\":1,"),
        ("}", ""),
    ] {
        std::fs::write(&recipe, good.replace(from, to)).unwrap();
        assert!(matches!(unlock(), OpenError::Key(KeyError::Recipe(_))), "{from} {to}: {:?}", unlock());
    }
    // More work than before is another key, too.
    std::fs::write(&recipe, good.replace("\"passes\":3", "\"passes\":4")).unwrap();
    assert!(matches!(unlock(), OpenError::WrongPassphrase(_)));
    std::fs::remove_file(&recipe).unwrap();
    assert!(matches!(unlock(), OpenError::Key(KeyError::NotFound(_))));
    std::fs::write(&recipe, good).unwrap();
    holds_everything(&open(&place));
}

#[test]
fn a_vault_can_begin_with_a_passphrase() {
    let place = Place::new();
    let make = || Vault::create_with_passphrase(&place.path(), &value(PHRASE), place.clock.clone(), &chance());
    make().unwrap().set(&name("k"), &value(VALUE), &Terms::default()).unwrap();
    assert_eq!(every(&open(&place)), [VALUE]);
    assert!(matches!(make(), Err(OpenError::Exists(_))));
    std::fs::remove_file(place.path()).unwrap();
    assert!(matches!(make(), Err(OpenError::Leftover(_))), "a recipe is the last trace of a vault");
}

/// Gives the vault another key and dies on the way; does nothing in an ordinary run. Started by the tests below.
#[test]
fn child_that_rekeys() {
    let mut arguments = std::env::args();
    let Some(order) = arguments.find_map(|a| a.strip_prefix("--skip=rekey-child:").map(str::to_owned)) else { return };
    let (order, folder) = order.split_once(':').unwrap();
    let (path, file) = (Path::new(folder).join("vault.db"), Path::new(folder).join("key"));
    let clock = Arc::new(Hands(AtomicI64::new(5)));
    let (way, step) = order.split_once('/').unwrap();
    let phrase = value(PHRASE);
    let die = |at: Step| {
        if format!("{at:?}") == step {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    };
    let held = || KeySource::Held(Vault::unlock(&path, &phrase, clock.clone()).unwrap().key());
    let key = KeySource::File(file.clone());
    loop {
        let (old, new) = match way {
            "file" => (key.clone(), NewKey::File(&file)),
            "phrase" => (key.clone(), NewKey::Passphrase(&phrase)),
            _ => (held(), NewKey::File(&file)),
        };
        rekey_by_steps(&path, &old, new, (clock.clone(), &chance()), &die).unwrap();
        println!("done 1");
    }
}

fn child(place: &Place, order: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "rekey::tests::child_that_rekeys", "--nocapture", "--test-threads=1"])
        .arg(format!("--skip=rekey-child:{order}:{}", place.dir.path().display()))
        .stdout(std::process::Stdio::piped());
    command
}

#[test]
fn a_kill_at_each_step_leaves_a_vault_that_opens() {
    for way in ["file", "phrase", "back"] {
        for step in [Step::Staged, Step::Copied, Step::Exchanged, Step::Settled] {
            let place = Place::new();
            drop(filled(&place));
            if way == "back" {
                to(&place, NewKey::Passphrase(&value(PHRASE)), &place.key()).unwrap();
            }
            let died = child(&place, &format!("{way}/{step:?}")).status().unwrap();
            assert_eq!(died.signal(), Some(9), "{way} {step:?}: the child must die on the way");
            holds_everything(&open(&place));
            // What was left is cleared away by the opening, and the next one goes through. Whoever opens by passphrase knows
            // no key file, so a new one may wait for that.
            let mut left = names(&place);
            left.retain(|n| way != "back" || n != "key.new");
            assert!(!left.iter().any(|n| n.contains("rekeyed") || n.contains(".new")), "{way} {step:?}: {left:?}");
            let vault = open(&place);
            let old = if place.open().is_ok() { place.key() } else { KeySource::Held(vault.key()) };
            if matches!(old, KeySource::Held(_)) {
                // The old key may have outlived the crash; it opens nothing, and is not overwritten unasked.
                let _ = std::fs::remove_file(place.dir.path().join("key"));
            }
            to(&place, NewKey::File(&place.dir.path().join("key")), &old).unwrap();
            holds_everything(&place.open().unwrap());
            assert_eq!(names(&place), ["key", "vault.db"], "{way} {step:?}");
        }
    }
}

#[test]
fn a_kill_at_any_moment_leaves_a_vault_that_opens() {
    use std::io::{BufRead as _, BufReader};
    let place = Place::new();
    drop(filled(&place));
    for round in 0_u32..12 {
        let mut child = child(&place, "file/none").spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Somewhere inside the rekeying after this one.
        let done = lines.by_ref().map_while(Result::ok).find(|line| line.contains("done"));
        assert!(done.is_some(), "the child rekeys");
        for _ in 0..round * 3_000 {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        holds_everything(&place.open().unwrap_or_else(|e| panic!("after round {round}: {e:?}")));
    }
}
