//! `classify` and [`redact`](mod@redact): standard input to standard output, also where no daemon was ever installed.

pub mod redact;
#[cfg(test)]
mod tests;

use std::io::BufRead as _;

use wardkeep_policy::Bundle;
use wardkeep_policy::jsonl::{Answer, classify_line};

use super::ClassifyArgs;
use super::context::{CliError, Context};

/// `classify`: one call, or JSON lines.
///
/// # Errors
/// The input is not what it should be, or cannot be read.
pub fn classify(args: &ClassifyArgs, context: &mut Context<'_>) -> Result<(), CliError> {
    let bundle = super::policy::in_force_or_built_in(context);
    let stdin = std::io::stdin().lock();
    if !args.jsonl {
        let text = match &args.command {
            Some(command) => command.clone(),
            None => std::io::read_to_string(stdin)?,
        };
        let answer = if args.command.is_none() && text.trim_start().starts_with("{\"") {
            classify_text(&text, &bundle)?
        } else {
            let call = serde_json::json!({ "id": "", "tool": "shell", "command": text.trim_end_matches('\n') });
            classify_text(&call.to_string(), &bundle)?
        };
        context.say(answer.class)?;
        return if args.explain { say_why(&answer, context) } else { Ok(()) };
    }
    for line in stdin.lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let Answer { id, class, rules, seen } = classify_text(&line, &bundle)?;
        let answer = if args.explain {
            serde_json::json!({ "id": id, "class": class, "rules": rules, "seen": seen })
        } else {
            let ids: Vec<String> = rules.into_iter().map(|fired| fired.rule).collect();
            serde_json::json!({ "id": id, "class": class, "rules": ids })
        };
        context.say(answer)?;
    }
    Ok(())
}

/// What was seen, then the rules: those that gave the class first.
fn say_why(answer: &Answer, context: &mut Context<'_>) -> Result<(), CliError> {
    if !answer.seen.is_empty() {
        context.say("\nWhat it does:")?;
    }
    for seen in &answer.seen {
        context.say(format_args!("  {:<8} {}", seen.what, seen.text))?;
    }
    let mut class = None;
    for fired in &answer.rules {
        if class != Some(fired.class) {
            let why = if class.is_none() { "Why" } else { "Also" };
            context.say(format_args!("\n{why}, {}:", fired.class.as_str().replace('_', " ")))?;
            class = Some(fired.class);
        }
        context.say(format_args!("  {:<28} {}", fired.rule, fired.reason))?;
    }
    Ok(())
}

fn classify_text(text: &str, bundle: &Bundle) -> Result<Answer, CliError> {
    classify_line(text, bundle).map_err(|error| {
        CliError::Usage(format!(r#"each input is JSON with "id", "tool" and "command" or "args": {error}"#))
    })
}
