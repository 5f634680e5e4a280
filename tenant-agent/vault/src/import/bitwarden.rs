//! Bitwarden's unencrypted JSON export.
//!
//! Source: <https://bitwarden.com/help/condition-bitwarden-import/> (seen November 2026): `items[]` with `type` 1 login,
//! 2 note, 3 card, 4 identity, 5 SSH key; `fields[].type` 1 is hidden.

use serde_json::Value;

use super::names::suggested;
use super::{Found, Namer};

const HIDDEN: u64 = 1;

/// The items of an export.
pub(super) fn export(export: &Value) -> Found {
    let (mut found, mut namer) = (Found::default(), Namer::default());
    for item in export["items"].as_array().into_iter().flatten() {
        read(item, &mut found, &mut namer);
    }
    found
}

fn read(item: &Value, found: &mut Found, namer: &mut Namer) {
    let title = item["name"].as_str().unwrap_or_default();
    if item["deletedDate"].is_string() {
        return found.skip(title, "it is in the trash; restore it there if it is still in use");
    }
    let addresses = item["login"]["uris"].as_array().into_iter().flatten();
    let places = suggested(addresses.filter_map(|uri| uri["uri"].as_str()));
    let before = found.items.len();
    let mut take = |parts: &[&str], value: &Value| {
        if let Some(text) = value.as_str().filter(|text| !text.is_empty()) {
            found.items.push(namer.item(parts, text.to_owned(), &places));
        }
    };
    take(&[title], &item["login"]["password"]);
    take(&[title, "totp"], &item["login"]["totp"]);
    take(&[title, "private key"], &item["sshKey"]["privateKey"]);
    for field in item["fields"].as_array().into_iter().flatten() {
        if field["type"].as_u64() == Some(HIDDEN) {
            take(&[title, field["name"].as_str().unwrap_or("field")], &field["value"]);
        }
    }
    if found.items.len() == before {
        found.skip(
            title,
            match item["type"].as_u64() {
                Some(2) => "it is a note; store what is secret in it by hand",
                Some(3) => "it is a card, which agents do not use",
                Some(4) => "it is an identity, which agents do not use",
                _ => "it has neither a password nor a hidden field",
            },
        );
    }
}
