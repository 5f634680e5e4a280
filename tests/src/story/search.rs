//! Every form of a planted secret, looked for in everything that left the vault.
//!
//! Knows nothing of the product's own engine. What is searched is decoded in every way that it can be read, several times over
//! ([`views`]); what is compared has no white space, no invisible characters and no case. A run of more than half of a value
//! is a leak: a value that was cut, masked in the middle, or cut by a limit still gives itself away.

use std::fs;
use std::path::{Path, PathBuf};

use memchr::memmem::Finder;

pub mod http2;
mod views;

/// How many encodings around each other are taken off what was sent.
const DEPTH: usize = 4;
/// The same for files: databases are large, and what is in them was seen on its way there.
const DEPTH_OF_FILES: usize = 3;
/// Shorter runs than this are chance, not a value.
const CHANCE: usize = 8;

/// One planted value.
pub struct Plant {
    /// Name of the secret, for the report.
    pub name: String,
    /// The value and the value reversed.
    faces: [Face; 2],
}

/// One folded text to look for, with what finds its parts.
struct Face {
    label: &'static str,
    text: Vec<u8>,
    /// How many bytes in a row are a leak.
    least: usize,
    /// Length of a part; any run of `least` bytes covers one whole part.
    step: usize,
    parts: Vec<Finder<'static>>,
}

/// Where a value was found, and in which form. Never holds the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// Name of the secret.
    pub secret: String,
    /// How it had to be read, e.g. `base64, JSON: 24 of 24 bytes`.
    pub form: String,
    /// File or capture.
    pub place: String,
}

impl Plant {
    /// Prepares the search for `value`.
    ///
    /// # Panics
    /// When the value is too short to be told from chance.
    #[must_use]
    pub fn new(name: &str, value: &str) -> Self {
        let text = fold(value.as_bytes());
        assert!(text.len() >= CHANCE, "the value of {name} is too short to be searched for");
        let reversed: String = value.chars().rev().collect();
        Self { name: name.to_owned(), faces: [Face::new("", text), Face::new("reversed, ", fold(reversed.as_bytes()))] }
    }

    /// As [`Plant::new`] for a text of which only the whole counts.
    ///
    /// # Panics
    /// As [`Plant::new`].
    #[must_use]
    pub fn whole(name: &str, value: &str) -> Self {
        let mut plant = Self::new(name, value);
        for face in &mut plant.faces {
            face.least = face.text.len();
        }
        plant
    }

    fn in_folded(&self, folded: &[u8]) -> Option<String> {
        self.faces.iter().find_map(|face| {
            let run = face.longest_run(folded)?;
            Some(format!("{}{run} of {} bytes", face.label, face.text.len()))
        })
    }
}

impl Face {
    fn new(label: &'static str, text: Vec<u8>) -> Self {
        let least = (text.len() / 2 + 1).max(CHANCE).min(text.len());
        let step = least.div_ceil(2);
        let parts = text.chunks_exact(step).map(|part| Finder::new(part).into_owned()).collect();
        Self { label, text, least, step, parts }
    }

    /// The first run that is long enough to be a leak.
    fn longest_run(&self, folded: &[u8]) -> Option<usize> {
        for (number, part) in self.parts.iter().enumerate() {
            let from = number * self.step;
            for at in part.find_iter(folded) {
                let (before, behind) = (&self.text[..from], &self.text[from + self.step..]);
                let left = common(before.iter().rev(), folded[..at].iter().rev());
                let right = common(behind.iter(), folded[at + self.step..].iter());
                let run = left + self.step + right;
                if run >= self.least {
                    return Some(run);
                }
            }
        }
        None
    }
}

fn common<'a>(a: impl Iterator<Item = &'a u8>, b: impl Iterator<Item = &'a u8>) -> usize {
    a.zip(b).take_while(|(a, b)| a == b).count()
}

/// The plants that stand in `bytes`, in whatever form. One leak for each plant is enough.
#[must_use]
pub fn find(plants: &[Plant], place: &str, bytes: &[u8]) -> Vec<Leak> {
    find_within(plants, place, bytes, DEPTH)
}

fn find_within(plants: &[Plant], place: &str, bytes: &[u8], depth: usize) -> Vec<Leak> {
    let mut leaks: Vec<Leak> = Vec::new();
    views::each(bytes, depth, &mut |how, view| {
        let folded = fold(view);
        for plant in plants {
            if leaks.iter().any(|leak| leak.secret == plant.name) {
                continue;
            }
            if let Some(found) = plant.in_folded(&folded) {
                let form = if how.is_empty() { found } else { format!("{}: {found}", how.join(", ")) };
                leaks.push(Leak { secret: plant.name.clone(), form, place: place.to_owned() });
            }
        }
    });
    leaks
}

/// Without white space, quotes, zero bytes and invisible characters, in lower case: however a shell, a program or a wrap
/// laid a value out, it folds to the same. `+` goes as well, since forms write a space so.
fn fold(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        if !rest[0].is_ascii()
            && let Some(long) = INVISIBLE.iter().find(|hidden| rest.starts_with(hidden))
        {
            at += long.len();
            continue;
        }
        if !rest[0].is_ascii_whitespace() && !b"\0+'\"\\".contains(&rest[0]) {
            out.push(rest[0].to_ascii_lowercase());
        }
        at += 1;
    }
    out
}

/// UTF-8 of characters that show nothing: soft hyphen, joiners and fillers, Mongolian separator, zero-width spaces and
/// marks, word joiner and invisible operators, variation selectors, byte order mark.
const INVISIBLE: &[&[u8]] = &[
    b"\xC2\xAD",
    b"\xCD\x8F",
    b"\xE1\xA0\x8E",
    b"\xE2\x80\x8B",
    b"\xE2\x80\x8C",
    b"\xE2\x80\x8D",
    b"\xE2\x80\x8E",
    b"\xE2\x80\x8F",
    b"\xE2\x81\xA0",
    b"\xE2\x81\xA1",
    b"\xE2\x81\xA2",
    b"\xE2\x81\xA3",
    b"\xE2\x81\xA4",
    b"\xEF\xB8\x8E",
    b"\xEF\xB8\x8F",
    b"\xEF\xBB\xBF",
];

/// Looks through every file below `root`, except those for which `skip` says true. Reads raw bytes, so it sees into
/// databases, write-ahead logs and pages alike; names of files and targets of links are searched too.
///
/// # Errors
/// When a folder cannot be listed or a file not read: what was not searched is not clean.
pub fn files(plants: &[Plant], root: &Path, skip: &dyn Fn(&Path) -> bool) -> anyhow::Result<(usize, Vec<Leak>)> {
    let mut searched = 0;
    let (paths, names) = walk(root, skip)?;
    let mut leaks = find_within(plants, "names of files", &names, DEPTH_OF_FILES);
    for path in paths {
        let Ok(bytes) = fs::read(&path) else {
            // A write-ahead log goes when its last reader does; anything else must be readable.
            if path.exists() {
                anyhow::bail!("{} could not be searched", path.display());
            }
            continue;
        };
        searched += 1;
        leaks.extend(find_within(plants, &path.display().to_string(), &bytes, DEPTH_OF_FILES));
    }
    Ok((searched, leaks))
}

/// The files below `root`, and what they and all else are called, a line each.
fn walk(root: &Path, skip: &dyn Fn(&Path) -> bool) -> anyhow::Result<(Vec<PathBuf>, Vec<u8>)> {
    let (mut found, mut names) = (Vec::new(), Vec::new());
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if skip(&entry.path()) {
                continue;
            }
            names.extend_from_slice(entry.file_name().as_encoded_bytes());
            names.push(b'\n');
            if kind.is_symlink()
                && let Ok(target) = fs::read_link(entry.path())
            {
                names.extend_from_slice(target.as_os_str().as_encoded_bytes());
                names.push(b'\n');
            }
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    Ok((found, names))
}

#[cfg(test)]
mod tests;
