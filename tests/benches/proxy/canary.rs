//! What must not happen on the way: a secret that leaves, a prompt cache that is lost.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};

use crate::bodies;
use crate::chance::Chance;
use crate::targets::{OURS, Rig, Target, last};
use crate::wire;

/// Secrets of the vault that are sent, each in every form.
const SECRETS: usize = 40;
/// Turns of a session that only grows.
const TURNS: usize = 30;
const PATIENCE: Duration = Duration::from_secs(20);

/// What was found.
pub(crate) struct Found {
    /// Requests with a secret; those in which some form of it reached the provider.
    pub(crate) sent: usize,
    pub(crate) leaks: Vec<String>,
    /// Turns; those whose beginning the provider saw otherwise than the turn before.
    pub(crate) turns: usize,
    pub(crate) unstable: usize,
}

/// Sends secrets in every form, plain and streamed, and a session that grows.
pub(crate) fn look(rig: &Rig) -> anyhow::Result<Option<Found>> {
    let Some(target) = rig.targets.iter().find(|target| target.name == OURS) else { return Ok(None) };
    let mut found = Found { sent: 0, leaks: Vec::new(), turns: TURNS, unstable: 0 };
    for (name, value) in rig.secrets.iter().step_by(rig.secrets.len() / SECRETS) {
        for (form, text, needle) in forms(value) {
            for streamed in [false, true] {
                let body = json!({
                    "model": bodies::MODEL, "stream": streamed,
                    "messages": [{"role": "user", "content": "What is this?"}, {"role": "user", "content": "@"}],
                });
                // The form is JSON already.
                let body = body.to_string().replace("\"@\"", &text);
                ask(target, body.as_bytes())?;
                found.sent += 1;
                let seen = last(rig.provider)?;
                anyhow::ensure!(
                    memchr::memmem::find(&seen, b"What is this?").is_some(),
                    "the provider saw another body"
                );
                if [needle.as_str(), value]
                    .iter()
                    .any(|needle| memchr::memmem::find(&seen, needle.as_bytes()).is_some())
                {
                    found.leaks.push(format!("{name} as {form}"));
                }
            }
        }
    }
    stability(rig, target, &mut found)?;
    Ok(Some(found))
}

/// A JSON text that holds the value in some form, and what must not be found.
fn forms(value: &str) -> Vec<(&'static str, String, String)> {
    let quoted = |text: &str| Value::from(text).to_string();
    let escaped = |text: &str| quoted(text).trim_matches('"').to_owned();
    let unicode: String = value.chars().map(|c| format!("\\u{:04x}", c as u32)).collect();
    let percent: String = value.bytes().map(|b| format!("%{b:02X}")).collect();
    let based = |lead: &str| {
        let all = BASE64.encode(format!("{lead}{value} and more").as_bytes());
        // Without what the neighbours decide.
        let core = all[4 * lead.len().div_ceil(3)..4 * ((lead.len() + value.len()) / 3)].to_owned();
        (quoted(&all), core)
    };
    let (base0, base1, base2) = (based(""), based("a"), based("ab"));
    let nested = quoted(&json!({"argument": value}).to_string());
    let of = |text: String| (quoted(&format!("it is {text}.")), text);
    let mut all = vec![
        ("plain text", quoted(&format!("it is {value}.")), escaped(value)),
        ("\\u escapes", format!("\"it is {unicode}.\""), unicode),
        ("percent", of(percent.clone()).0, percent),
        ("base64, first alignment", base0.0, base0.1),
        ("base64, second", base1.0, base1.1),
        ("base64, third", base2.0, base2.1),
        ("JSON in JSON", nested.clone(), escaped(&escaped(value))),
        ("a key", json!([{"type": "text", "text": "x", value: 1}]).to_string(), escaped(value)),
    ];
    let (hex, url) = (HEXLOWER.encode(value.as_bytes()), BASE64URL_NOPAD.encode(value.as_bytes()));
    all.push(("hex", of(hex.clone()).0, hex));
    all.push(("base64url", of(url.clone()).0, url));
    all
}

fn ask(target: &Target, body: &[u8]) -> anyhow::Result<()> {
    let ask = wire::post(&target.to.to_string(), "/v1/chat/completions", &target.headers, body);
    let (status, said) = wire::once(target.to, &ask, PATIENCE)?;
    anyhow::ensure!(status == 200, "{status} {}", String::from_utf8_lossy(&said));
    Ok(())
}

/// An agent's session only grows at its end; the provider must see that, too, or it reads everything anew and bills it.
fn stability(rig: &Rig, target: &Target, found: &mut Found) -> anyhow::Result<()> {
    let mut chance = Chance::new(11);
    let mut body = bodies::session(&mut chance, 24 << 10, 1_500);
    // Redacted in each turn, the same each time.
    body["messages"][1]["content"] = format!("The password is {}.", rig.secrets[3].1).into();
    let mut before: Option<(Vec<u8>, Vec<u8>)> = None;
    for turn in 0..TURNS {
        let asked = head_first(&body).into_bytes();
        ask(target, &asked)?;
        let seen = last(rig.provider)?;
        if let Some((asked_before, seen_before)) = &before {
            let tail = asked_before.len() - common(asked_before, &asked);
            if common(seen_before, &seen) + tail < seen_before.len() {
                found.unstable += 1;
            }
        }
        before = Some((asked, seen));
        let messages = body["messages"].as_array_mut().context("messages")?;
        messages.extend(bodies::turn(&mut chance, 100 + turn, 900));
    }
    Ok(())
}

/// With the messages at the end, as clients that mind the cache write it.
fn head_first(body: &Value) -> String {
    format!("{{\"model\":{},\"tools\":{},\"messages\":{}}}", body["model"], body["tools"], body["messages"])
}

fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

/// Whether the files of the target hold what was sent in clear, as [`Found::leaks`]; nothing else is written there.
pub(crate) fn in_log(rig: &Rig) -> usize {
    let log = fs::read(rig.folder.join("tenant.log")).unwrap_or_default();
    rig.secrets.iter().filter(|(_, value)| memchr::memmem::find(&log, value.as_bytes()).is_some()).count()
}
