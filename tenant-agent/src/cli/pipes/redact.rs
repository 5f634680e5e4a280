//! `redact`: text or JSON lines, as they come.
//!
//! Nothing grows with the input but what is held back: findings are reported when they are made, and answers leave when
//! the input pauses.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wardkeep_redaction::{Additions, Engine, Finding, RuleSet, Secret};
use zeroize::{Zeroize as _, Zeroizing};

use crate::cli::RedactArgs;
use crate::cli::context::CliError;

/// The key of tags when there is no tenant: placeholders are equal on every machine.
const NO_TENANT: [u8; 32] = [0; 32];
/// Bytes read at once.
const PIECE: usize = 64 * 1024;

/// Where a run reads and writes.
pub struct Pipes<'a> {
    /// Standard input.
    pub input: &'a mut dyn Read,
    /// Standard output.
    pub out: &'a mut dyn Write,
    /// Standard error, for the report.
    pub report: &'a mut dyn Write,
}

/// `redact`: a stream, or JSON lines.
///
/// # Errors
/// The input, the vault file or the rules are not what they should be, or cannot be read.
pub fn redact(args: &RedactArgs, pipes: Pipes<'_>) -> Result<(), CliError> {
    let engine = engine(args)?;
    let Pipes { input, out, report } = pipes;
    let mut out = BufWriter::with_capacity(PIECE, out);
    let mut report = Report { out: report, wanted: args.report, count: 0, bad: 0 };
    if args.jsonl {
        lines(&engine, BufReader::with_capacity(PIECE, input), &mut out, &mut report)?;
    } else {
        text(&engine, input, &mut out, &mut report)?;
    }
    out.flush()?;
    let bad = report.bad;
    report.close()?;
    if bad > 0 {
        let left = "of the lines could not be read and are left out; each is named above, the others are answered";
        return Err(CliError::Usage(format!("{bad} {left}")));
    }
    Ok(())
}

fn text(engine: &Engine, input: &mut dyn Read, out: &mut impl Write, report: &mut Report<'_>) -> Result<(), CliError> {
    let (mut stream, mut places) = (engine.stream(), Places::default());
    let mut piece = Zeroizing::new(vec![0; PIECE]);
    let mut clean = Vec::new();
    loop {
        let read = match input.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        stream.push_into(&piece[..read], &mut clean);
        out.write_all(&clean)?;
        // Whoever reads a pipe sees it while it comes.
        out.flush()?;
        clean.clear();
        if report.wanted() {
            places.take(&piece[..read]);
            for finding in stream.take_findings() {
                report.say(None, places.line(finding.start), &finding)?;
            }
            places.line(places.seen - stream.held_back());
        } else {
            stream.take_findings();
        }
    }
    stream.finish_into(&mut clean);
    out.write_all(&clean)?;
    for finding in stream.take_findings() {
        report.say(None, places.line(finding.start), &finding)?;
    }
    Ok(())
}

#[derive(Deserialize)]
struct Question<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

#[derive(Serialize)]
struct Answer<'a> {
    id: &'a RawValue,
    text: &'a str,
}

fn lines(
    engine: &Engine,
    mut input: BufReader<&mut dyn Read>,
    out: &mut impl Write,
    report: &mut Report<'_>,
) -> Result<(), CliError> {
    let mut line = Zeroizing::new(Vec::new());
    for number in 1.. {
        if !input.buffer().contains(&b'\n') {
            // The next line may have to be waited for, and what is answered must not wait with it.
            out.flush()?;
        }
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice::<Question<'_>>(&line) {
            Ok(Question { id, text }) => {
                let Some((named, of_id)) = redact_id(engine, id) else {
                    report.bad(number, "its id cannot be searched")?;
                    continue;
                };
                let clean = engine.redact_document(&text);
                serde_json::to_writer(&mut *out, &Answer { id: &named, text: &clean.text })
                    .map_err(io::Error::other)?;
                out.write_all(b"\n")?;
                for finding in of_id {
                    report.say_in_id(&named, number, &finding)?;
                }
                for finding in clean.findings {
                    report.say(Some(&named), number, &finding)?;
                }
            }
            // Halves of a character are no text, but they are JSON: such a line is answered as the document it is.
            Err(error)
                if error.is_syntax()
                    && let Ok(clean) = engine.redact_json(line.trim_ascii()) =>
            {
                out.write_all(&clean.bytes)?;
                out.write_all(b"\n")?;
                for finding in clean.findings {
                    report.say(None, number, &finding)?;
                }
            }
            // serde's own words could repeat a value.
            Err(error) => {
                report.bad(number, &format!(r#"not {{"id","text"}} in JSON (column {})"#, error.column()))?;
            }
        }
    }
    Ok(())
}

/// The id as it may leave, and what was found in it. `None`: nobody can say.
fn redact_id<'a>(engine: &Engine, id: &'a RawValue) -> Option<(Cow<'a, RawValue>, Vec<Finding>)> {
    let clean = engine.redact_json(id.get().as_bytes()).ok()?;
    let named = match clean.bytes {
        Cow::Borrowed(_) => Cow::Borrowed(id),
        Cow::Owned(bytes) => Cow::Owned(RawValue::from_string(String::from_utf8(bytes).ok()?).ok()?),
    };
    Some((named, clean.findings))
}

/// Where lines begin, as far as a finding can still ask for it.
#[derive(Default)]
struct Places {
    seen: usize,
    /// Line ends.
    ends: VecDeque<usize>,
    /// Line ends before those.
    passed: usize,
}

impl Places {
    fn take(&mut self, piece: &[u8]) {
        let ends = piece.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        self.ends.extend(ends.map(|(at, _)| self.seen + at));
        self.seen += piece.len();
    }

    /// The number of the line with the byte at `offset`; offsets never go back.
    fn line(&mut self, offset: usize) -> usize {
        while self.ends.front().is_some_and(|end| *end < offset) {
            self.ends.pop_front();
            self.passed += 1;
        }
        self.passed + 1
    }
}

/// What was replaced, a line of JSON each; never a value.
struct Report<'a> {
    out: &'a mut dyn Write,
    wanted: bool,
    count: usize,
    /// Lines that have no answer.
    bad: usize,
}

#[derive(Serialize)]
struct Entry<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a RawValue>,
    line: usize,
    rule: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    /// Where the offset counts, when not in the text.
    #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
    part: Option<&'a str>,
    offset: usize,
    length: usize,
}

/// A line of the input that has no answer.
#[derive(Serialize)]
struct Bad<'a> {
    line: usize,
    error: &'a str,
}

impl Report<'_> {
    fn wanted(&self) -> bool {
        self.wanted
    }

    fn say(&mut self, id: Option<&RawValue>, line: usize, finding: &Finding) -> Result<(), CliError> {
        self.entry(id, None, line, finding)
    }

    fn say_in_id(&mut self, id: &RawValue, line: usize, finding: &Finding) -> Result<(), CliError> {
        self.entry(Some(id), Some("id"), line, finding)
    }

    fn entry(
        &mut self,
        id: Option<&RawValue>,
        part: Option<&str>,
        line: usize,
        finding: &Finding,
    ) -> Result<(), CliError> {
        if !self.wanted {
            return Ok(());
        }
        let Finding { rule, name, start, len } = finding;
        self.count += 1;
        self.line(&Entry { id, line, rule, name: name.as_deref(), part, offset: *start, length: *len })
    }

    /// Without the words of the line: they could be a value.
    fn bad(&mut self, line: usize, error: &str) -> Result<(), CliError> {
        self.bad += 1;
        self.line(&Bad { line, error })
    }

    fn line(&mut self, entry: &impl Serialize) -> Result<(), CliError> {
        serde_json::to_writer(&mut *self.out, entry).map_err(io::Error::other)?;
        Ok(writeln!(self.out)?)
    }

    fn close(self) -> Result<(), CliError> {
        if !self.wanted {
            return Ok(());
        }
        Ok(writeln!(self.out, r#"{{"replaced":{}}}"#, self.count)?)
    }
}

/// A line of the vault file.
#[derive(Deserialize)]
struct VaultLine {
    name: String,
    value: String,
    #[serde(default)]
    context: Option<String>,
}

impl VaultLine {
    fn secret(&self) -> Secret<'_> {
        Secret { name: &self.name, value: &self.value, beside: self.context.as_deref() }
    }
}

impl Drop for VaultLine {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

fn engine(args: &RedactArgs) -> Result<Engine, CliError> {
    let rules = match &args.rules {
        None => RuleSet::builtin(),
        Some(path) => {
            let bad = |error: wardkeep_redaction::PackError| CliError::Usage(format!("{}: {error}", path.display()));
            let additions = Additions::from_toml(&read(path)?).map_err(bad)?;
            RuleSet::builtin_with(&additions).map_err(bad)?
        }
    };
    let secrets = args.vault.as_deref().map(vault).transpose()?.unwrap_or_default();
    Ok(Engine::build(secrets.iter().map(VaultLine::secret), &rules, NO_TENANT)?)
}

fn vault(path: &Path) -> Result<Vec<VaultLine>, CliError> {
    let text = read(path)?;
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            let bad = |why: String| CliError::Usage(format!("{} line {number}: {why}", path.display()));
            // serde's own words could repeat a value.
            let line: VaultLine = serde_json::from_str(line)
                .map_err(|error| bad(format!(r#"not {{"name","value"}} in JSON (column {})"#, error.column())))?;
            line.secret().check().map_err(|error| bad(error.to_string()))?;
            Ok(line)
        })
        .collect()
}

fn read(path: &Path) -> Result<Zeroizing<String>, CliError> {
    let text = std::fs::read_to_string(path).map_err(|source| CliError::Input { path: path.to_owned(), source })?;
    Ok(Zeroizing::new(text))
}

#[cfg(test)]
mod tests;
