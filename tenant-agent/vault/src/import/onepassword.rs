//! What 1Password hands over: its export (1PUX) and what its command line prints.
//!
//! Source: <https://support.1password.com/1pux-format/> and <https://developer.1password.com/docs/cli/item-fields/> (seen
//! November 2026).

use serde_json::Value;

use super::names::suggested;
use super::{Found, Namer};
use crate::binding::Bindings;

/// The items of all accounts and vaults of an export.
pub(super) fn export(export: &Value) -> Found {
    let (mut found, mut namer) = (Found::default(), Namer::default());
    for account in list(export, "accounts") {
        for vault in list(account, "vaults") {
            for item in list(vault, "items") {
                // Exports of version 1 wrapped each item once more.
                let item = item.get("item").unwrap_or(item);
                exported(item, &mut found, &mut namer);
            }
        }
    }
    found
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

fn exported(item: &Value, found: &mut Found, namer: &mut Namer) {
    let title = item["overview"]["title"].as_str().unwrap_or_default();
    if item["state"] == "archived" || item["trashed"] == true {
        return found.skip(title, "it is archived; restore it there if it is still in use");
    }
    let (overview, details) = (&item["overview"], &item["details"]);
    let addresses = list(overview, "urls").map(|of| &of["url"]).chain([&overview["url"]]);
    let places = suggested(addresses.filter_map(Value::as_str));
    let mut taker = Taker { found, namer, title, places, taken: false };
    for field in list(details, "loginFields") {
        if field["designation"] == "password" || field["fieldType"] == "P" {
            let main = field["designation"] == "password";
            taker.take((!main).then(|| field["name"].as_str().unwrap_or("field")), &field["value"]);
        }
    }
    taker.take(None, &details["password"]);
    for section in list(details, "sections") {
        for field in list(section, "fields") {
            let label = field["title"].as_str().filter(|label| !label.is_empty()).unwrap_or("field");
            let value = &field["value"];
            taker.take(Some(label), &value["concealed"]);
            taker.take(Some("totp"), &value["totp"]);
            taker.take(Some("private key"), &value["sshKey"]["privateKey"]);
        }
    }
    if !taker.taken {
        let why = match item["categoryUuid"].as_str() {
            Some("003") => "it is a note; store what is secret in it by hand",
            Some("006") => "it is a document; store what is secret in it by hand",
            _ => "it has neither a password nor a concealed field",
        };
        found.skip(title, why);
    }
}

/// Whether a value is an item as `op` prints it.
pub(super) fn is_item(value: &Value) -> bool {
    value["id"].is_string()
        && value["title"].is_string()
        && (value["category"].is_string() || value["fields"].is_array())
}

/// Items as `op` prints them.
pub(super) fn items<'a>(items: impl IntoIterator<Item = &'a Value>) -> Found {
    let (mut found, mut namer) = (Found::default(), Namer::default());
    for item in items {
        let title = item["title"].as_str().unwrap_or_default();
        if !item["fields"].is_array() {
            found.skip(
                title,
                "it is listed without its fields; pipe the list on: `op item list --format json | op item get - --format json`",
            );
            continue;
        }
        let places = suggested(list(item, "urls").filter_map(|url| url["href"].as_str()));
        let mut taker = Taker { found: &mut found, namer: &mut namer, title, places, taken: false };
        for field in list(item, "fields") {
            let label = field["label"].as_str().filter(|label| !label.is_empty()).unwrap_or("field");
            match field["type"].as_str() {
                Some("CONCEALED") => {
                    taker.take((field["purpose"] != "PASSWORD").then_some(label), &field["value"]);
                }
                Some("OTP") => taker.take(Some("totp"), &field["value"]),
                Some("SSHKEY") => taker.take(Some("private key"), &field["value"]),
                _ => {}
            }
        }
        if !taker.taken {
            found.skip(title, "it has neither a password nor a concealed field");
        }
    }
    found
}

/// Takes the values of one item.
struct Taker<'a> {
    found: &'a mut Found,
    namer: &'a mut Namer,
    title: &'a str,
    places: Bindings,
    taken: bool,
}

impl Taker<'_> {
    fn take(&mut self, label: Option<&str>, value: &Value) {
        let Some(text) = value.as_str().filter(|text| !text.is_empty()) else { return };
        let item = match label {
            Some(label) => self.namer.item(&[self.title, label], text.to_owned(), &self.places),
            None => self.namer.item(&[self.title], text.to_owned(), &self.places),
        };
        self.found.items.push(item);
        self.taken = true;
    }
}
