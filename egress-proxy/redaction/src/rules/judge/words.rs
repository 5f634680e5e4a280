//! Words that stand where a secret could stand, and say that there is none.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use super::language;

/// Words of one section of the list.
pub(crate) struct Words(HashSet<&'static [u8], BuildHasherDefault<Quick>>);

/// FNV-1a: the words are ours, so nobody can choose them to meet.
struct Quick(u64);

impl Default for Quick {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    }

    fn write_usize(&mut self, n: usize) {
        self.0 = (self.0 ^ n as u64).wrapping_mul(0x0100_0000_01b3);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

const LIST: &str = include_str!("words.txt");

impl Words {
    fn of(section: &str) -> Self {
        let lines = LIST.lines().filter(|line| !line.starts_with('#'));
        let lines = lines.skip_while(|line| line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) != Some(section));
        Self(
            lines
                .skip(1)
                .take_while(|line| !line.starts_with('['))
                .flat_map(str::split_whitespace)
                .map(str::as_bytes)
                .collect(),
        )
    }

    /// Whether `word`, in any case, is one of them.
    pub(crate) fn has(&self, word: &[u8]) -> bool {
        let mut lower = [0_u8; 20];
        let Some(lower) = lower.get_mut(..word.len()) else { return false };
        lower.copy_from_slice(word);
        lower.make_ascii_lowercase();
        self.0.contains(&*lower)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static [u8]> {
        self.0.iter().copied()
    }
}

macro_rules! sections {
    ($($name:ident = $section:literal),* $(,)?) => {
        $(pub(crate) static $name: LazyLock<Words> = LazyLock::new(|| Words::of($section));)*
        #[cfg(test)]
        const SECTIONS: &[&str] = &[$($section),*];
    };
}

sections! {
    SPOKEN = "spoken",
    COMMON = "common",
    NAMES = "names-of-secrets",
    CREDENTIAL_KEYS = "credential-keys",
    NO_CREDENTIALS = "no-credentials",
    ARTICLES = "articles",
    NO_PASSWORDS = "no-passwords",
    ASKS = "asks",
    STEMS = "stems",
    SAME = "same",
    OTHERS = "others",
    AUTH_VALUES = "auth-values",
    FAKES = "fakes",
    PROSE = "prose",
}

/// Parts that only an example or a form to fill in has. Lower case.
const EXAMPLES: &[&str] = &[
    "example",
    "placeholder",
    "your",
    "redacted",
    "changeme",
    "change_me",
    "change-me",
    "change_this",
    "change-this",
    "insert",
    "replace",
    "_here",
    "-here",
    "dummy",
    "fake",
    "sample",
    "todo",
    "fixme",
    "not_a_",
    "not-a-",
];

/// Whether a run of letters is a spoken word, or some written together: `mypassword`.
fn is_spoken(run: &[u8]) -> bool {
    /// Longer ones are not looked at.
    const MOST: usize = 32;
    if run.len() > MOST {
        return false;
    }
    // reached[n]: the first n letters divide into words.
    let mut reached = [false; MOST + 1];
    reached[0] = true;
    for from in 0..run.len() {
        if reached[from] {
            for to in from + 1..=run.len() {
                reached[to] = reached[to] || SPOKEN.has(&run[from..to]);
            }
        }
    }
    reached[run.len()]
}

/// A value of spoken words alone, with two digits at most: `new_password`, `test1`, `invalid-token`, `scram-sha-256`.
pub(super) fn says_nothing(text: &[u8]) -> bool {
    const NUMBERS: [&[u8]; 12] =
        [b"128", b"192", b"224", b"256", b"384", b"512", b"1024", b"2048", b"4096", b"1305", b"25519", b"64"];
    let text = text.strip_suffix(b"\\n").unwrap_or(text);
    let numbers = text.split(|b| !b.is_ascii_digit()).filter(|number| !NUMBERS.contains(number));
    let plain = text.iter().all(|b| b.is_ascii_alphanumeric() || b"_-. /:@".contains(b));
    plain
        && numbers.map(<[u8]>::len).sum::<usize>() <= 2
        && text.iter().any(u8::is_ascii_alphabetic)
        && language::runs(text).all(is_spoken)
}

/// A part of it says that it is an example.
pub(crate) fn is_example(text: &[u8]) -> bool {
    contains_any(text, EXAMPLES) || calls_itself_fake(text)
}

/// A word of its own says so: no drawn value has that.
pub(crate) fn calls_itself_fake(text: &[u8]) -> bool {
    text.split(|b| !b.is_ascii_alphanumeric()).any(|part| FAKES.has(part))
}

/// `COVERALLS_REPO_TOKEN`, `adminPassword`, `ed25519.PrivateKey`: the name of a secret, not a secret.
pub(crate) fn names_a_secret(text: &[u8]) -> bool {
    let digits = text.iter().filter(|b| b.is_ascii_digit()).count();
    let named = if digits <= 2 {
        language::runs(text).any(|run| NAMES.has(run))
    } else {
        text.last().is_some_and(u8::is_ascii_alphabetic)
            && language::runs(text).last().is_some_and(|run| NAMES.has(run))
    };
    named
        && text.iter().all(|b| b.is_ascii_alphanumeric() || b"_-.:/".contains(b))
        && language::runs(text).count() > 1
        && language::runs(text).all(|run| run.len() < 5 || language::is_word(run))
}

/// Among what people choose most, digits aside.
pub(crate) fn is_common(text: &[u8]) -> bool {
    let letters = text.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    text[letters..].iter().all(u8::is_ascii_digit) && COMMON.has(&text[..letters])
}

/// Whether `text`, in any case, contains one of `parts`, which are in lower case.
pub(crate) fn contains_any(text: &[u8], parts: &[&str]) -> bool {
    let mut firsts = [false; 256];
    for part in parts {
        firsts[usize::from(part.as_bytes()[0])] = true;
    }
    (0..text.len()).any(|at| {
        firsts[usize::from(text[at].to_ascii_lowercase())]
            && parts.iter().any(|part| {
                text.get(at..at + part.len()).is_some_and(|here| here.eq_ignore_ascii_case(part.as_bytes()))
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_is_read_and_every_word_can_be_found() {
        let sections: Vec<&str> =
            LIST.lines().filter_map(|line| line.strip_prefix('[').and_then(|l| l.strip_suffix(']'))).collect();
        assert_eq!(sections, SECTIONS);
        for section in sections {
            let words = Words::of(section);
            assert!(words.iter().count() > 5, "{section}");
            for word in words.iter() {
                assert!(words.has(&word.to_ascii_uppercase()), "{section}: {word:?}");
                assert!(word.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{section}: {word:?}");
            }
        }
    }

    #[test]
    fn a_value_of_spoken_words_says_nothing() {
        for text in
            ["mypassword", "new_password", "test-token", "password2", "fooBar", "not_a_valid_token", "some value"]
        {
            assert!(says_nothing(text.as_bytes()), "{text}");
        }
        for text in ["hunter2", "password123", "swordfish", "12345678", "mypassw0rd!", "qkzv"] {
            assert!(!says_nothing(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn names_of_secrets_are_not_secrets() {
        for text in ["COVERALLS_REPO_TOKEN", "dbPassword", "session.redis.password", "GITHUB_KEY_2"] {
            assert!(names_a_secret(text.as_bytes()), "{text}");
        }
        for text in ["password", "hunter", "correct-horse-battery", "zqkw_token_qpzvxk", "key_83a9f2c1"] {
            assert!(!names_a_secret(text.as_bytes()), "{text}");
        }
    }
}
