//! What left the daemon, by the way it took.

use std::fs;

use super::hooks::Hooks;
use super::search::{self, Leak, Plant, http2};
use super::stage::{ELSEWHERE, Stage};

/// A way out of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// To the language model's provider.
    Provider,
    /// To the newsletter service, to which a key is bound.
    Service,
    /// To a place to which nothing is bound.
    Elsewhere,
    /// To the hub.
    Link,
    /// Back to the agent.
    Agent,
    /// Standard output and standard error, which the journal keeps.
    Log,
}

/// Bytes that took one way.
pub struct Capture {
    /// Which way.
    pub channel: Channel,
    /// The same for people.
    pub place: String,
    /// What was said. Credentials that were injected where they belong are cut out, there and nowhere else.
    pub bytes: Vec<u8>,
}

/// All that went over the relays.
#[must_use]
pub fn taps(stage: &Stage) -> Vec<Capture> {
    let mut all = Vec::new();
    for (name, tap) in &stage.taps {
        let channel = channel(name);
        for (number, tape) in tap.tapes().iter().enumerate() {
            let bytes = if channel == Channel::Link { http2::said(tape) } else { without_credentials(stage, tape) };
            all.push(Capture { channel, place: format!("connection {number} to {name}"), bytes });
        }
    }
    all
}

fn channel(relay: &str) -> Channel {
    match relay {
        "provider" => Channel::Provider,
        "newsletter service" => Channel::Service,
        ELSEWHERE => Channel::Elsewhere,
        _ => Channel::Link,
    }
}

/// Remembers how far every way was listened to.
#[derive(Default)]
pub struct Ear {
    taps: Vec<Vec<usize>>,
    heard: usize,
    log: usize,
}

impl Ear {
    /// What was said since the last time, on every way but the link: that has a compression of its own and is read whole.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn news(&mut self, stage: &Stage, agents: &[&Hooks]) -> anyhow::Result<Vec<Capture>> {
        let mut news = Vec::new();
        self.taps.resize(stage.taps.len(), Vec::new());
        for ((name, tap), marks) in stage.taps.iter().zip(&mut self.taps) {
            let channel = channel(name);
            if channel == Channel::Link {
                continue;
            }
            let tapes = tap.tapes();
            marks.resize(tapes.len(), 0);
            for (tape, mark) in tapes.iter().zip(marks) {
                let bytes = without_credentials(stage, &tape[*mark..]);
                *mark = tape.len();
                news.push(Capture { channel, place: (*name).to_owned(), bytes });
            }
        }
        let heard: Vec<u8> = agents.iter().flat_map(|agent| agent.heard()).collect();
        if agents.len() == 1 {
            news.push(Capture {
                channel: Channel::Agent,
                place: "the agent".to_owned(),
                bytes: heard[self.heard..].to_vec(),
            });
        } else {
            news.push(Capture { channel: Channel::Agent, place: "the agents".to_owned(), bytes: heard.clone() });
        }
        self.heard = heard.len();
        let log = fs::read(stage.log())?;
        news.push(Capture { channel: Channel::Log, place: "the log".to_owned(), bytes: log[self.log..].to_vec() });
        self.log = log.len();
        Ok(news)
    }
}

/// The plants that stand in any of the captures.
#[must_use]
pub fn leaks(plants: &[Plant], captures: &[Capture]) -> Vec<Leak> {
    captures.iter().flat_map(|capture| search::find(plants, &capture.place, &capture.bytes)).collect()
}

/// The key that was injected for a service may stand in its one credential header.
fn without_credentials(stage: &Stage, tape: &[u8]) -> Vec<u8> {
    let mut clean = tape.to_vec();
    for (header, key) in [
        ("authorization: Bearer ", &stage.secrets.newsletter),
        ("authorization: Bearer ", &stage.secrets.llm),
        ("x-api-key: ", &stage.secrets.llm),
    ] {
        let mut at = 0;
        while let Some(found) = memchr::memmem::find(&clean[at..], key.as_bytes()) {
            let start = at + found;
            let line = start.saturating_sub(header.len() + 2);
            let before = String::from_utf8_lossy(&clean[line..start]).to_ascii_lowercase();
            let whole = before == format!("\r\n{}", header.to_ascii_lowercase());
            if whole && clean[start + key.len()..].starts_with(b"\r\n") {
                clean.drain(start..start + key.len());
            }
            at = start + 1;
        }
    }
    clean
}
