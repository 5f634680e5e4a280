//! `usage`: what agents used, asked of the running daemon.

use std::fmt;
use std::process::ExitCode;

use serde_json::json;
use wardkeep_egress::{Amounts, By, Line};
use wardkeep_proto::time::Timestamp;

use super::context::{CliError, Context};
use super::{UsageArgs, UsageBy};
use crate::unix_http::UnixClient;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// `usage`.
///
/// # Errors
/// The daemon does not run.
pub async fn run(args: &UsageArgs, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    let client = UnixClient::admin_of(&context.config()?);
    let since = Timestamp(context.env.clock.now().millis().saturating_sub(i64::from(args.days) * DAY_MS)).hour();
    let by = match args.by {
        UsageBy::Agent => By::Agent,
        UsageBy::Model => By::Model,
        UsageBy::Session => By::Session,
        UsageBy::Run => By::Run,
    };
    let name = json!(by);
    let name = name.as_str().unwrap_or_default();
    let lines = client.get(&format!("/v1/usage?by={name}&since_ms={}&limit={}", since.millis(), args.limit)).await?;
    let lines: Vec<Line> = serde_json::from_value(lines).map_err(std::io::Error::other)?;
    if args.json {
        context.json(&json!({ "by": by, "since": since, "usage": lines }))?;
    } else {
        show(&lines, since, context)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(lines: &[Line], since: Timestamp, context: &mut Context<'_>) -> Result<(), CliError> {
    if lines.is_empty() {
        return context.say(format_args!("nothing was used since {since}"));
    }
    context.say(format_args!(
        "{:>9} {:>12} {:>12} {:>12} {:>12} {:>14}  for, since {since}",
        "requests", "input", "cache read", "cache write", "output", "cost"
    ))?;
    for line in lines {
        let Amounts {
            requests,
            estimated_requests,
            guessed_price_requests,
            input_tokens,
            output_tokens,
            cache_read_tokens,
            cache_write_tokens,
            cost_micros,
            ..
        } = line.amounts;
        let mut marks = String::new();
        if estimated_requests > 0 {
            marks += &format!(", {estimated_requests} estimated");
        }
        if guessed_price_requests > 0 {
            marks += &format!(", {guessed_price_requests} at a guessed price");
        }
        let cost = format!("{}.{:06} USD", cost_micros / 1_000_000, cost_micros % 1_000_000);
        context.say(format_args!(
            "{requests:>9} {input_tokens:>12} {cache_read_tokens:>12} {cache_write_tokens:>12} {output_tokens:>12} {cost:>14}  {}{marks}",
            For(line)
        ))?;
    }
    Ok(())
}

/// The names of a line.
struct For<'a>(&'a Line);

impl fmt::Display for For<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line { agent, provider, model, session, run, last, .. } = self.0;
        write!(f, "{agent}")?;
        if let (Some(model), Some(provider)) = (model, provider) {
            write!(f, ", {model} at {provider}")?;
        }
        for (what, name) in [("session", session), ("run", run)] {
            match name.as_deref() {
                Some("") => write!(f, ", no {what}")?,
                Some(name) => write!(f, ", {what} {name}")?,
                None => {}
            }
        }
        match last {
            Some(last) => write!(f, ", until {last}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_named_by_what_was_asked_for() {
        let line = |json: serde_json::Value| {
            let mut line = json!(Amounts::default());
            line["agent"] = json!("office");
            for (key, value) in json.as_object().expect("an object") {
                line[key] = value.clone();
            }
            For(&serde_json::from_value(line).expect("a line")).to_string()
        };
        assert_eq!(line(json!({})), "office");
        assert_eq!(line(json!({"provider": "claude", "model": "small"})), "office, small at claude");
        let at = "1970-01-01T00:00:00.001Z";
        assert_eq!(line(json!({"session": "s", "last": 1})), format!("office, session s, until {at}"));
        assert_eq!(
            line(json!({"session": "", "run": "ab", "last": 1})),
            format!("office, no session, run ab, until {at}")
        );
    }
}
