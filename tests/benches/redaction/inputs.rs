//! What is searched: text and code of the packages that the lock file pins, requests and logs made from them, and the same of
//! this repository, which speaks of keys, tokens and secrets far more than other text does. The same in every run.

mod chat;
mod hard;
mod logs;
mod third_party;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::chance::Chance;

/// A tool's result, a file that is read: most text comes in pieces of this size.
const PIECE: usize = 64 * 1024;

/// One kind of text, in pieces as they would come.
pub(crate) struct Input {
    pub(crate) name: &'static str,
    /// Goes through the walk for JSON.
    pub(crate) json: bool,
    pub(crate) texts: Vec<String>,
}

impl Input {
    fn of(name: &'static str, text: &str) -> Self {
        Self { name, json: false, texts: pieces(text) }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.texts.iter().map(String::len).sum()
    }
}

/// Everything that is searched.
pub(crate) struct Inputs {
    /// Clean text, chat JSON, code, logs.
    pub(crate) main: Vec<Input>,
    /// The same of our own text; what looks like secrets and is none, or is made of escapes.
    pub(crate) hard: Vec<Input>,
    /// Requests of 100 KiB and 1 MiB.
    pub(crate) bodies: [String; 2],
    /// Where the texts are from and how large they are before they are repeated or cut.
    pub(crate) sources: [String; 2],
}

/// Makes about `bytes` of each input.
pub(crate) fn all(bytes: usize) -> anyhow::Result<Inputs> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (files, packages) = third_party::files(&root)?;
    let theirs = Texts::new(&files, bytes, logs::messages);
    let ours = Texts::new(&ours(&root)?, bytes, |_| logs::MESSAGES.map(str::to_owned).to_vec());
    let main = theirs.inputs(["clean text", "chat JSON", "code", "logs"], bytes);
    let mut hard =
        ours.inputs(["clean text (own docs)", "chat JSON (own docs)", "code (own)", "logs (on passwords)"], bytes);
    hard.extend(hard::all(&ours.source(), &root, bytes / 4)?);
    let bodies = [(100, 11), (1024, 12)].map(|(kib, seed)| chat::request(&theirs.source(), kib * 1024, seed));
    let sources = [format!("{packages} packages of the lock file, {theirs}"), format!("this repository, {ours}")];
    Ok(Inputs { main, hard, bodies, sources })
}

/// What inputs are made of.
struct Texts {
    prose: Vec<String>,
    code: Vec<String>,
    logs: String,
}

impl Texts {
    /// From files; `messages` are those of the logs, made of prose.
    fn new(files: &[(PathBuf, String)], bytes: usize, messages: impl FnOnce(&[String]) -> Vec<String>) -> Self {
        let prose = prose(files);
        let logs = logs::text(bytes, &messages(&prose));
        Self { code: code(files), prose, logs }
    }

    fn source(&self) -> chat::Source<'_> {
        chat::Source { prose: &self.prose, code: &self.code, logs: &self.logs }
    }

    /// Text, requests, code, logs.
    fn inputs(&self, [text, chat, code, logs]: [&'static str; 4], bytes: usize) -> Vec<Input> {
        vec![
            Input::of(text, &fill(&self.prose, bytes)),
            Input { name: chat, json: true, texts: chat::requests(&self.source(), 192 * 1024, bytes) },
            Input::of(code, &fill(&self.code, bytes)),
            Input::of(logs, &self.logs),
        ]
    }
}

impl fmt::Display for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mb = |parts: &[String]| parts.iter().map(String::len).sum::<usize>() as f64 / 1e6;
        write!(f, "{:.1} MB of prose and {:.1} MB of code", mb(&self.prose), mb(&self.code))
    }
}

/// Files of the repository by path. The engine's own are left out: their tests are made of secrets.
fn ours(root: &Path) -> anyhow::Result<Vec<(PathBuf, String)>> {
    const FOLDERS: [&str; 9] = [
        "docs",
        "egress-proxy/src",
        "hub",
        "policy",
        "proto",
        "provisioner",
        "safety-wrapper",
        "tenant-agent",
        "tests/src",
    ];
    const ENDINGS: [&str; 6] = ["rs", "md", "js", "css", "html", "toml"];
    let mut folders: Vec<PathBuf> = FOLDERS.iter().map(|folder| root.join(folder)).collect();
    let mut paths = vec![root.join("README.md"), root.join("CONTRIBUTING.md"), root.join("LICENSE")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| ENDINGS.iter().any(|ending| e == *ending)) {
                paths.push(path);
            }
        }
    }
    paths.sort_unstable();
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            Ok((path, text))
        })
        .collect()
}

/// Paragraphs of the papers, and of what the code says about itself.
fn prose(files: &[(PathBuf, String)]) -> Vec<String> {
    let mut paragraphs = Vec::new();
    for (path, text) in files {
        let is = |ending: &str| path.extension().is_some_and(|e| e == ending);
        if is("md") || path.ends_with("LICENSE") {
            paragraphs.extend(text.split_inclusive("\n\n").map(str::to_owned));
        } else if is("rs") {
            let mut paragraph = String::new();
            for line in text.lines() {
                let line = line.trim_start();
                match line
                    .strip_prefix("/// ")
                    .or_else(|| line.strip_prefix("//! "))
                    .or_else(|| line.strip_prefix("// "))
                {
                    Some(words) => paragraph += &format!("{words}\n"),
                    None if paragraph.is_empty() => {}
                    None => paragraphs.push(std::mem::take(&mut paragraph) + "\n"),
                }
            }
        }
    }
    Chance::new(1).shuffle(&mut paragraphs);
    paragraphs
}

/// Whole source files.
fn code(files: &[(PathBuf, String)]) -> Vec<String> {
    let wanted = |path: &Path| path.extension().is_some_and(|e| ["rs", "js", "css", "html"].iter().any(|w| e == *w));
    let mut all: Vec<String> = files.iter().filter(|(path, _)| wanted(path)).map(|(_, text)| text.clone()).collect();
    Chance::new(2).shuffle(&mut all);
    all
}

/// Repeats `parts` up to `bytes`.
fn fill(parts: &[String], bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + PIECE);
    for part in parts.iter().cycle() {
        if text.len() >= bytes {
            break;
        }
        text += part;
    }
    text
}

/// Cuts at line ends where there are some.
fn pieces(text: &str) -> Vec<String> {
    let mut rest = text;
    let mut pieces = Vec::new();
    while rest.len() > PIECE {
        let mut cut = PIECE;
        while !rest.is_char_boundary(cut) {
            cut -= 1;
        }
        let cut = rest[..cut].rfind('\n').map_or(cut, |at| at + 1);
        pieces.push(rest[..cut].to_owned());
        rest = &rest[cut..];
    }
    pieces.push(rest.to_owned());
    pieces
}
