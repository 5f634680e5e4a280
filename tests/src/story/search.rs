//! Every form of a planted secret, looked for in everything that left the vault.

use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

/// One planted value and all the byte strings that would give it away.
pub struct Plant {
    /// Name of the secret, for the report.
    pub name: String,
    needles: Vec<(&'static str, Vec<u8>)>,
}

/// Where a value was found, and in which form. Never holds the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// Name of the secret.
    pub secret: String,
    /// E.g. `base64 at offset 1`.
    pub form: &'static str,
    /// File or capture.
    pub place: String,
}

impl Plant {
    /// Prepares the needles of `value`; the list follows the design, section 6.
    #[must_use]
    pub fn new(name: &str, value: &str) -> Self {
        let bytes = value.as_bytes();
        let mut needles = vec![
            ("plain", bytes.to_vec()),
            ("reversed", bytes.iter().rev().copied().collect()),
            ("hex", HEXLOWER.encode(bytes).into_bytes()),
            ("HEX", HEXUPPER.encode(bytes).into_bytes()),
            ("every byte percent-encoded", percent(bytes, |_| true, HEXUPPER)),
            ("percent-encoded", percent(bytes, |b| !b.is_ascii_alphanumeric(), HEXUPPER)),
            ("percent-encoded, lower case", percent(bytes, |b| !b.is_ascii_alphanumeric(), HEXLOWER)),
            ("JSON \\u", value.encode_utf16().flat_map(|u| format!("\\u{u:04x}").into_bytes()).collect()),
            ("UTF-16 little-endian", value.encode_utf16().flat_map(u16::to_le_bytes).collect()),
            ("UTF-16 big-endian", value.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        ];
        for (offset, form) in [(0, "base64"), (1, "base64 at offset 1"), (2, "base64 at offset 2")] {
            for encoding in [&BASE64_NOPAD, &BASE64URL_NOPAD] {
                needles.push((form, core(&encoding.encode(&[&vec![0; offset], bytes].concat()), offset, bytes.len())));
            }
        }
        // The halves: a value that was cut, masked in the middle, or cut by a limit still gives itself away.
        if bytes.len() >= 24 {
            needles.push(("first half", bytes[..bytes.len() / 2].to_vec()));
            needles.push(("second half", bytes[bytes.len() / 2..].to_vec()));
        }
        needles.dedup();
        Self { name: name.to_owned(), needles }
    }

    /// The forms in which the value stands in `haystack`.
    #[must_use]
    pub fn find(&self, place: &str, haystack: &[u8]) -> Vec<Leak> {
        self.needles
            .iter()
            .filter(|(_, needle)| contains(haystack, needle))
            .map(|(form, _)| Leak { secret: self.name.clone(), form, place: place.to_owned() })
            .collect()
    }
}

/// Looks through every file below `root`, except those for which `skip` says true. Reads raw bytes, so it sees into
/// databases, write-ahead logs and pages alike.
///
/// # Errors
/// When a folder cannot be listed or a file not read: what was not searched is not clean.
pub fn files(plants: &[Plant], root: &Path, skip: &dyn Fn(&Path) -> bool) -> anyhow::Result<(usize, Vec<Leak>)> {
    let mut searched = 0;
    let mut leaks = Vec::new();
    for path in walk(root)? {
        if skip(&path) {
            continue;
        }
        let Ok(bytes) = fs::read(&path) else {
            // A write-ahead log goes when its last reader does; anything else must be readable.
            if path.exists() {
                anyhow::bail!("{} could not be searched", path.display());
            }
            continue;
        };
        searched += 1;
        for plant in plants {
            leaks.extend(plant.find(&path.display().to_string(), &bytes));
        }
    }
    Ok((searched, leaks))
}

fn walk(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}

fn percent(bytes: &[u8], escape: fn(u8) -> bool, hex: data_encoding::Encoding) -> Vec<u8> {
    bytes
        .iter()
        .flat_map(|&b| if escape(b) { format!("%{}", hex.encode(&[b])).into_bytes() } else { vec![b] })
        .collect()
}

/// The characters of `encoded` that depend on the value alone: neighbours before (`offset` bytes) and behind are unknown.
fn core(encoded: &str, offset: usize, length: usize) -> Vec<u8> {
    let first = (offset * 8).div_ceil(6);
    let last = (offset + length) * 8 / 6;
    encoded.as_bytes()[first..last].to_vec()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_found_where_it_stands() {
        let value = "Kx9#vT2+bQ7/mZ4!wLp8sR3d";
        let plant = Plant::new("key", value);
        let surrounded = |inner: &str| format!("before {inner} behind").into_bytes();
        let base64 = |pad: &str| data_encoding::BASE64.encode(format!("{pad}{value}!!").as_bytes());
        for (form, text) in [
            ("plain", value.to_owned()),
            ("hex", HEXLOWER.encode(value.as_bytes())),
            ("base64", base64("")),
            ("base64 at offset 1", base64("a")),
            ("base64 at offset 2", base64("ab")),
            ("percent-encoded", value.replace('#', "%23").replace('+', "%2B").replace('/', "%2F").replace('!', "%21")),
        ] {
            let leaks = plant.find("here", &surrounded(&text));
            assert!(leaks.iter().any(|l| l.form == form), "{form}: {leaks:?}");
        }
        assert_eq!(plant.find("here", b"nothing of the kind"), []);
    }

    #[test]
    fn a_database_file_is_searched_as_bytes() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("deep")).expect("made");
        fs::write(folder.path().join("deep/x.db"), b"\0\0secret-value-1\0").expect("written");
        let plants = [Plant::new("s", "secret-value-1")];
        let (searched, leaks) = files(&plants, folder.path(), &|_| false).expect("searched");
        assert_eq!((searched, leaks.len()), (1, 1));
        let (searched, leaks) = files(&plants, folder.path(), &|p| p.ends_with("x.db")).expect("searched");
        assert_eq!((searched, leaks.len()), (0, 0));
    }
}
