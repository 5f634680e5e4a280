use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

fn write(dir: &Path, text: &[u8], mode: u32) -> PathBuf {
    let path = dir.join("key");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

const GOOD: &[u8; 64] = &[b'a'; 64];

#[test]
fn a_key_that_others_may_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for mode in [0o644, 0o640, 0o604, 0o660, 0o620] {
        let path = write(dir.path(), GOOD, mode);
        assert!(
            matches!(KeySource::File(path).read(), Err(KeyError::Permissions { mode: m, .. }) if m == mode),
            "{mode:o}"
        );
    }
    for mode in [0o444, 0o604] {
        let path = write(dir.path(), GOOD, mode);
        assert!(matches!(KeySource::Credential(path).read(), Err(KeyError::Permissions { .. })), "{mode:o}");
    }
}

#[test]
fn what_is_not_a_key_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("none");
    assert!(matches!(KeySource::File(missing).read(), Err(KeyError::NotFound(_))));
    assert!(matches!(KeySource::File(dir.path().to_owned()).read(), Err(KeyError::NotAFile(_))));
    for text in [&b""[..], b"abc", &[b'a'; 63], &[b'a'; 65], &[b'g'; 64], &[0xff; 64], &[b'a'; 4096]] {
        let path = write(dir.path(), text, 0o600);
        assert!(matches!(KeySource::File(path).read(), Err(KeyError::Malformed(_))), "{} bytes", text.len());
    }
    let link = dir.path().join("link");
    symlink(write(dir.path(), GOOD, 0o600), &link).unwrap();
    assert!(matches!(KeySource::File(link).read(), Err(KeyError::NotAFile(_))));
}

#[test]
fn a_key_is_made_once() {
    struct Counted;
    impl Chance for Counted {
        fn fill(&self, out: &mut [u8]) {
            (0..).zip(out).for_each(|(n, b)| *b = n);
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault.key");
    let source = KeySource::generate(&path, &Counted).unwrap();
    assert_eq!(source.read().unwrap()[0].bytes()[..3], [0, 1, 2]);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert!(matches!(KeySource::generate(&path, &Counted), Err(KeyError::Exists(_))));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside the key");
}

#[test]
fn a_read_only_key_is_fine() {
    let dir = tempfile::tempdir().unwrap();
    for mode in [0o600, 0o400] {
        assert!(KeySource::File(write(dir.path(), GOOD, mode)).read().is_ok());
    }
    assert!(
        KeySource::Credential(write(
            dir.path(),
            b"AAaaAAaaAAaaAAaaAAaaAAaaAAaaAAaaAAaaAAaaAAaaAAaaAAaaAAaaAAaaAAaa\n",
            0o440
        ))
        .read()
        .is_ok()
    );
}
