//! Names made valid and unique, and where an address would bind a secret to.

use std::collections::{BTreeMap, BTreeSet};

use wardkeep_proto::ids::SecretName;
use wardkeep_proto::secret::SecretValue;

use super::Item;
use crate::binding::{Binding, Bindings};

/// Longest name without the number that makes it unique; the largest file has room for seven digits of them.
const STEM: usize = 56;
/// Longest text of a file that is shown.
const SHOWN: usize = 80;
/// Most places that are suggested for one secret.
const PLACES: usize = 8;

/// Makes names that differ within one file.
#[derive(Default)]
pub(crate) struct Namer {
    taken: BTreeSet<SecretName>,
    /// The last number given after a stem.
    numbers: BTreeMap<String, u32>,
}

impl Namer {
    /// An item called by `parts`, e.g. the title of an entry and the label of its field.
    pub(crate) fn item(&mut self, parts: &[&str], value: String, suggested: &Bindings) -> Item {
        let from = printable(&parts.join(" / "));
        let name = self.name(stem(parts));
        Item { name, from, value: SecretValue::new(value), suggested: suggested.clone(), terms: None }
    }

    fn name(&mut self, stem: String) -> SecretName {
        let mut text = stem.clone();
        loop {
            if let Ok(name) = text.parse::<SecretName>()
                && self.taken.insert(name.clone())
            {
                return name;
            }
            let number = self.numbers.entry(stem.clone()).or_insert(1);
            *number += 1;
            text = format!("{stem}_{number}");
        }
    }
}

/// Lower-case letters, digits and single underscores, a letter first.
fn stem(parts: &[&str]) -> String {
    let mut out = String::new();
    for c in parts.join("_").chars() {
        match c {
            c if c.is_ascii_alphanumeric() => out.push(c.to_ascii_lowercase()),
            'ä' | 'Ä' => out.push_str("ae"),
            'ö' | 'Ö' => out.push_str("oe"),
            'ü' | 'Ü' => out.push_str("ue"),
            'ß' => out.push_str("ss"),
            _ if out.is_empty() || out.ends_with('_') => {}
            _ => out.push('_'),
        }
        if out.len() >= STEM {
            break;
        }
    }
    out.truncate(STEM);
    let out = out.trim_end_matches('_');
    match out.bytes().next() {
        None => "secret".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("s_{out}"),
        Some(_) => out.to_owned(),
    }
}

/// A title or key as it may stand on a terminal: no control characters, not endless.
pub(super) fn printable(text: &str) -> String {
    let mut out: String = text.trim().chars().take(SHOWN).map(|c| if unseen(c) { '?' } else { c }).collect();
    if out.is_empty() {
        out.push_str("(no name)");
    }
    out
}

/// Characters that move the cursor, hide or turn text around.
fn unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Where the addresses of an entry would bind its secrets to.
pub(super) fn suggested<'a>(addresses: impl IntoIterator<Item = &'a str>) -> Bindings {
    addresses.into_iter().filter_map(place).take(PLACES).collect()
}

fn place(address: &str) -> Option<Binding> {
    let address = address.trim();
    let whole;
    let address = if address.contains("://") {
        address
    } else {
        whole = format!("https://{address}");
        &whole
    };
    let url = url::Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let host = url.host_str().filter(|host| host.contains(['.', ':']))?;
    format!("host:{host}:{}", url.port_or_known_default()?).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_valid_and_differ() {
        let mut namer = Namer::default();
        let mut name = |parts: &[&str]| {
            let item = namer.item(parts, String::new(), &Bindings::none());
            (item.name.to_string(), item.from)
        };
        for (parts, wanted) in [
            (&["GitHub (work)"][..], "github_work"),
            (&["GitHub [work]"][..], "github_work_2"),
            (&["GitHub", "API key"][..], "github_api_key"),
            (&["1Password"][..], "s_1password"),
            (&["Schlüssel für Größe"][..], "schluessel_fuer_groesse"),
            (&["日本"][..], "secret"),
            (&[""][..], "secret_2"),
            (&["__X__"][..], "x"),
        ] {
            assert_eq!(name(parts).0, wanted);
        }
        let long = name(&["x".repeat(300).as_str()]);
        assert_eq!(long.0.len(), STEM);
        assert_eq!(name(&["x".repeat(300).as_str()]).0.len(), STEM + 2);
        assert_eq!(long.1.len(), SHOWN);
        assert_eq!(name(&["a\u{1b}[2Jb\u{202e}c\n"]).1, "a?[2Jb?c");
    }

    #[test]
    fn only_addresses_that_a_binding_can_name_are_suggested() {
        for (address, wanted) in [
            ("https://github.com/login", Some("host:github.com")),
            ("github.com", Some("host:github.com")),
            ("http://intranet.example.com:8080/x", Some("host:intranet.example.com:8080")),
            ("http://example.com", Some("host:example.com:80")),
            ("https://user:pw@api.example.com", Some("host:api.example.com")),
            ("https://[::1]:8443/", Some("host:[::1]:8443")),
            ("androidapp://com.example", None),
            ("localhost", None),
            ("", None),
            ("https://", None),
            ("not an address", None),
        ] {
            assert_eq!(place(address).map(|b| b.to_string()).as_deref(), wanted, "{address}");
        }
    }
}
