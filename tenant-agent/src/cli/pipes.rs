//! `classify` and `redact`: standard input to standard output, also where no daemon was ever installed.

use std::io::{BufRead as _, Read as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use wardkeep_policy::Bundle;
use wardkeep_policy::jsonl::{Answer, classify_line};
use wardkeep_redaction::{Engine, Finding, RuleSet, Secret};
use zeroize::{Zeroize as _, Zeroizing};

use super::context::{CliError, Context};
use super::{ClassifyArgs, RedactArgs};

/// The key of tags when there is no tenant: placeholders are equal on every machine.
const NO_TENANT: [u8; 32] = [0; 32];
/// Bytes read at once.
const PIECE: usize = 64 * 1024;

/// `classify`: one call, or JSON lines.
///
/// # Errors
/// The input is not what it should be, or cannot be read.
pub fn classify(args: &ClassifyArgs, context: &mut Context<'_>) -> Result<(), CliError> {
    let bundle = super::policy::in_force_or_built_in(context);
    let stdin = std::io::stdin().lock();
    if !args.jsonl {
        let text = std::io::read_to_string(stdin)?;
        let answer = classify_text(&text, &bundle)?;
        context.say(answer.class)?;
        if args.explain {
            for fired in &answer.rules {
                context.say(format_args!("  {:<16} {}: {}", fired.class.as_str(), fired.rule, fired.reason))?;
            }
        }
        return Ok(());
    }
    for line in stdin.lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let Answer { id, class, rules } = classify_text(&line, &bundle)?;
        let answer = if args.explain {
            serde_json::json!({ "id": id, "class": class, "rules": rules })
        } else {
            serde_json::json!({ "id": id, "class": class })
        };
        context.say(answer)?;
    }
    Ok(())
}

fn classify_text(text: &str, bundle: &Bundle) -> Result<Answer, CliError> {
    classify_line(text, bundle).map_err(|error| {
        CliError::Usage(format!(r#"each input is JSON with "id", "tool" and "command" or "args": {error}"#))
    })
}

#[derive(Deserialize)]
struct VaultLine {
    name: String,
    value: String,
}

impl Drop for VaultLine {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

#[derive(Deserialize)]
struct TextLine {
    id: serde_json::Value,
    text: String,
}

#[derive(Serialize)]
struct Redacted<'a> {
    id: &'a serde_json::Value,
    text: &'a str,
    findings: Vec<Found<'a>>,
}

#[derive(Serialize)]
struct Found<'a> {
    rule: &'a str,
    name: Option<&'a str>,
    start: usize,
    len: usize,
}

impl<'a> From<&'a Finding> for Found<'a> {
    fn from(finding: &'a Finding) -> Self {
        Self { rule: &finding.rule, name: finding.name.as_deref(), start: finding.start, len: finding.len }
    }
}

/// `redact`: a stream, or JSON lines.
///
/// # Errors
/// The input or the vault file is not what it should be, or cannot be read.
pub fn redact(args: &RedactArgs, report: &mut dyn std::io::Write, context: &mut Context<'_>) -> Result<(), CliError> {
    let engine = engine(args.vault.as_deref())?;
    let mut findings = Vec::new();
    if args.jsonl {
        for line in std::io::stdin().lock().lines() {
            let line = line?;
            if line.trim().is_empty() {
                continue;
            }
            let line: TextLine = serde_json::from_str(&line)
                .map_err(|error| CliError::Usage(format!(r#"each line is JSON with "id" and "text": {error}"#)))?;
            let redacted = engine.redact(&line.text);
            let found = redacted.findings.iter().map(Found::from).collect();
            let answer = Redacted { id: &line.id, text: &redacted.text, findings: found };
            context.say(serde_json::to_string(&answer).map_err(std::io::Error::other)?)?;
            findings.extend(redacted.findings);
        }
    } else {
        findings = stream(&engine, context)?;
    }
    if args.report {
        for finding in &findings {
            let name = finding.name.as_deref().unwrap_or("-");
            writeln!(report, "{} {name} at {} length {}", finding.rule, finding.start, finding.len)?;
        }
        writeln!(report, "{} replaced", findings.len())?;
    }
    Ok(())
}

fn stream(engine: &Engine, context: &mut Context<'_>) -> Result<Vec<Finding>, CliError> {
    let (mut stream, mut input, mut findings) = (engine.stream(), std::io::stdin().lock(), Vec::new());
    let mut piece = Zeroizing::new(vec![0; PIECE]);
    loop {
        match input.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => {
                context.out.write_all(&stream.push(&piece[..read]))?;
                // Whoever reads a pipe sees it while it comes.
                context.out.flush()?;
                findings.extend(stream.take_findings());
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    context.out.write_all(&stream.finish())?;
    Ok(findings)
}

fn engine(vault: Option<&Path>) -> Result<Engine, CliError> {
    let Some(path) = vault else { return Ok(crate::secrets::patterns_only(&NO_TENANT)?) };
    let text = std::fs::read_to_string(path).map_err(|source| CliError::Input { path: path.to_owned(), source })?;
    let text = Zeroizing::new(text);
    let lines: Vec<VaultLine> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        // serde's own words could repeat a value.
        .map_err(|error| {
            CliError::Usage(format!(
                r#"{}: line is not {{"name","value"}} (column {})"#,
                path.display(),
                error.column()
            ))
        })?;
    let secrets = lines.iter().map(|line| Secret::new(&line.name, &line.value));
    Ok(Engine::build(secrets, &RuleSet::builtin(), NO_TENANT)?)
}
