use super::*;
use crate::import::{ImportOptions, read_import};
use crate::vault::tests::{Place, VALUE, bound, every, name, value};

/// Made with `age-keygen`, for this test only.
fn identity() -> (String, SecretValue) {
    let identity = age::x25519::Identity::generate();
    let text = age::secrecy::ExposeSecret::expose_secret(&identity.to_string()).to_owned();
    (identity.to_public().to_string(), SecretValue::new(format!("# a comment\n{text}\n")))
}

fn filled(place: &Place) -> Vault {
    let vault = place.create();
    let terms = Terms { expires: Some(Timestamp(9_000_000)), ..Terms::bound(bound(&["host:api.example.com"])) };
    vault.set(&name("k"), &value("an-older-value"), &terms).unwrap();
    vault.set(&name("k"), &value(VALUE), &terms).unwrap();
    let beside = Terms { context: Some("pin,door".parse().unwrap()), ..Terms::default() };
    vault.set(&name("pin"), &value("4711"), &beside).unwrap();
    vault
}

fn comes_back(text: &[u8], from: &Vault) {
    let (format, found) = read_import(text).unwrap();
    assert_eq!(format, Format::Wardkeep);
    let place = Place::new();
    let vault = place.create();
    let options = ImportOptions { bind: false, dry_run: false, fits: &|_| Ok(()) };
    let report = vault.import(&found, &options).unwrap();
    assert_eq!((report.added.len(), report.skipped.len()), (2, 0), "{report:?}");
    assert_eq!(every(&vault), [VALUE, "4711"], "older values stay where they were");
    for (new, old) in vault.list().unwrap().into_iter().zip(from.list().unwrap()) {
        assert_eq!(
            (new.name, new.bindings, new.expires, new.context),
            (old.name, old.bindings, old.expires, old.context)
        );
    }
}

#[test]
fn an_export_comes_back_for_its_recipient_and_nobody_else() {
    let place = Place::new();
    let vault = filled(&place);
    let (recipient, key) = identity();
    let (sealed, count) = vault.export(Reader::Recipients(&[recipient])).unwrap();
    assert_eq!(count, 2);
    assert!(!sealed.windows(7).any(|w| w == b"hunter2"));
    comes_back(&decrypt(&sealed, Opener::Identities(&key)).unwrap(), &vault);
    let (_, other) = identity();
    assert!(matches!(decrypt(&sealed, Opener::Identities(&other)), Err(ExportError::NotForUs)));
    let mut bent = sealed.clone();
    *bent.last_mut().unwrap() ^= 1;
    assert!(matches!(decrypt(&bent, Opener::Identities(&key)), Err(ExportError::Damaged)));
    assert!(matches!(decrypt(&sealed[..sealed.len() / 2], Opener::Identities(&key)), Err(ExportError::Damaged)));
    assert!(matches!(decrypt(b"age-encryption.org/v1\n", Opener::Identities(&key)), Err(ExportError::Damaged)));
    let row = vault.changes_after(0, 100).unwrap().pop().unwrap();
    assert_eq!((row.kind.as_str(), row.name), ("vault-exported", None));
}

#[test]
fn a_passphrase_opens_what_it_sealed() {
    let place = Place::new();
    let vault = filled(&place);
    let phrase = value("six words that nobody else knows");
    let (sealed, _) = vault.export(Reader::Passphrase(&phrase)).unwrap();
    assert!(matches!(decrypt(&sealed, Opener::Passphrase(&value("another phrase"))), Err(ExportError::NotForUs)));
    comes_back(&decrypt(&sealed, Opener::Passphrase(&phrase)).unwrap(), &vault);
}

#[test]
fn an_export_that_nobody_could_read_is_refused() {
    let place = Place::new();
    let vault = filled(&place);
    assert!(matches!(vault.export(Reader::Recipients(&[])), Err(ExportError::NoReader)));
    for bad in ["", "age1", "AGE-SECRET-KEY-1", "ssh-ed25519 AAAA"] {
        let refused = vault.export(Reader::Recipients(&[bad.to_owned()]));
        assert!(matches!(refused, Err(ExportError::Recipient(_))), "{bad}");
    }
    assert!(decrypt(b"", Opener::Identities(&value("# nothing"))).is_err());
}

/// The other implementation agrees; runs where `age` is installed.
#[test]
fn the_age_command_opens_an_export() {
    use std::process::{Command, Stdio};
    let Ok(made) = Command::new("age-keygen").stderr(Stdio::null()).output() else { return };
    let key = SecretValue::new(String::from_utf8(made.stdout).unwrap());
    let recipient = key.expose().lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned();
    let place = Place::new();
    let vault = filled(&place);
    let (sealed, _) = vault.export(Reader::Recipients(std::slice::from_ref(&recipient))).unwrap();
    let path = |file: &str| place.dir.path().join(file);
    std::fs::write(path("identity"), key.expose()).unwrap();
    std::fs::write(path("sealed.age"), &sealed).unwrap();
    let opened = Command::new("age").args(["-d", "-i"]).arg(path("identity")).arg(path("sealed.age")).output().unwrap();
    assert!(opened.status.success(), "{}", String::from_utf8_lossy(&opened.stderr));
    comes_back(&opened.stdout, &vault);
    // And back: what age sealed, armored, opens here.
    std::fs::write(path("plain"), &opened.stdout).unwrap();
    let sealed = Command::new("age").args(["-a", "-r", &recipient]).arg(path("plain")).output().unwrap();
    assert!(sealed.status.success());
    comes_back(&decrypt(&sealed.stdout, Opener::Identities(&key)).unwrap(), &vault);
}
