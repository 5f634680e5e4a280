//! Redacts standard input: `redact [--vault FILE.jsonl] [--jsonl] [--stream] [--no-rules] [--personal]`.
//!
//! The vault file has one `{"name", "value"}` per line. With `--jsonl` each line of input is `{"id", "text"}` and is
//! answered by one such line, as `wardkeep-agent redact --jsonl` does. For measurements and fuzzing; the daemon has its own commands.

use std::io::{BufRead as _, Read as _, Write as _};

use anyhow::Context as _;
use wardkeep_redaction::{Additions, Engine, Profile, RuleSet, Secret};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| arguments.iter().any(|a| a == name);
    let vault = arguments.iter().position(|a| a == "--vault").and_then(|at| arguments.get(at + 1));
    let mut secrets = Vec::new();
    if let Some(path) = vault {
        for line in std::fs::read_to_string(path).context("the vault file")?.lines().filter(|l| !l.trim().is_empty()) {
            let line: serde_json::Value = serde_json::from_str(line)?;
            let text = |key: &str| line[key].as_str().map(str::to_owned).with_context(|| format!("no {key}"));
            secrets.push((text("name")?, text("value")?));
        }
    }
    let profiles = if flag("--personal") { vec![Profile::Personal] } else { Vec::new() };
    let rules = match flag("--no-rules") {
        true => RuleSet::none(),
        false => RuleSet::builtin_with(&Additions { profiles, ..Additions::default() })?,
    };
    let engine = Engine::build(secrets.iter().map(|(name, value)| Secret::new(name, value)), &rules, [7; 32])?;
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    if flag("--jsonl") {
        for line in input.lines() {
            let mut line: serde_json::Value = serde_json::from_str(&line?)?;
            let text = line["text"].as_str().context("no text")?.to_owned();
            line["text"] = engine.redact_document(&text).text.into();
            writeln!(output, "{line}")?;
        }
    } else if flag("--stream") {
        let mut stream = engine.stream();
        let mut piece = vec![0; 65_536];
        loop {
            let n = input.read(&mut piece)?;
            if n == 0 {
                break;
            }
            output.write_all(&stream.push(&piece[..n]))?;
            output.flush()?;
        }
        output.write_all(&stream.finish())?;
    } else {
        let mut all = Vec::new();
        input.read_to_end(&mut all)?;
        output.write_all(&engine.redact_bytes(&all).bytes)?;
    }
    Ok(output.flush()?)
}
