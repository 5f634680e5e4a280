//! `classify` and [`redact`](mod@redact): standard input to standard output, also where no daemon was ever installed.

pub mod redact;

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
