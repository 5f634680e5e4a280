//! What a business keeps in its vault beside API keys: values of every kind, new in every run.

use wardkeep_proto::chance::Chance;

/// One secret to be kept.
#[derive(Clone)]
pub struct Valuable {
    /// Its name in the vault.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// Where it may go.
    pub bindings: &'static [&'static str],
}

const ALNUM: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const SMALL: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const SIGNS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789!#$%&()*+,-./:;<=>?@[]^_{|}~";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const CYRILLIC: &[&str] = &["а", "б", "в", "г", "д", "е", "ж", "з", "и", "к", "л", "м", "н", "п", "р", "у"];

/// One of each kind.
pub fn draw(chance: &dyn Chance) -> Vec<Valuable> {
    let some = |letters: &[u8], length: usize| text(chance, letters, length);
    let keep = |name, value| Valuable { name, value, bindings: &[] };
    let words: Vec<String> = (0..5).map(|_| some(SMALL, 6)).collect();
    let lines = |count: usize| (0..count).map(|_| some(BASE64, 64)).collect::<Vec<_>>().join("\n");
    vec![
        // Programs that show what they are given: the worst to be trusted with anything.
        Valuable {
            name: "shown_token",
            value: some(ALNUM, 40),
            bindings: &["tool:shell/printenv", "tool:shell/cat", "tool:shell/mawk"],
        },
        // Behind the backslash no letter of an escape, which would break the lines of a dump; see `disguise::BEYOND`.
        keep("signs", format!("{}\\Q{}\"{}'{}", some(SIGNS, 8), some(SIGNS, 7), some(SIGNS, 8), some(SIGNS, 6))),
        keep("passphrase", words.join(" ")),
        keep("foreign", format!("Ключ-{}-日本-é-{}", foreign(chance, 10), some(ALNUM, 8))),
        keep("pem", format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", lines(4))),
        keep(
            "service_account",
            format!(
                "{{\"type\":\"service_account\",\"client_id\":\"{}\",\"token\":\"{}/+{}\"}}",
                some(ALNUM, 21),
                some(BASE64, 24),
                some(BASE64, 16)
            ),
        ),
        keep("two_lines", format!("{}\n{}", some(ALNUM, 20), some(ALNUM, 20))),
        keep("short", some(ALNUM, 10)),
        // As a number it has no quotes around it.
        keep("digits", format!("{}{}", 7, some(b"0123456789", 13))),
        // As a method, a host or the name of a header its letters change their case.
        keep("letters", some(LETTERS, 18)),
    ]
}

fn text(chance: &dyn Chance, letters: &[u8], length: usize) -> String {
    (0..length).map(|_| char::from(letters[below(chance, letters.len())])).collect()
}

fn foreign(chance: &dyn Chance, length: usize) -> String {
    (0..length).map(|_| CYRILLIC[below(chance, CYRILLIC.len())]).collect()
}

/// A number below `end`, which is small.
pub(crate) fn below(chance: &dyn Chance, end: usize) -> usize {
    let mut bytes = [0; 4];
    chance.fill(&mut bytes);
    u32::from_le_bytes(bytes) as usize % end
}
