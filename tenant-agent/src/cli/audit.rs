//! `wardkeep-agent audit …`: `verify` from disk and, if wanted, the hub; `show` and `export` from the daemon or from disk.

mod line;

use std::process::ExitCode;
use std::time::Duration;

use http::Method;
use serde_json::json;
use wardkeep_proto::time::Timestamp;
use wardkeep_safety::audit::{self, Decided, Filter, Origin, Row, Verified};

use self::line::line;
use super::context::{CliError, Context};
use super::{AuditCommand, ExportFormat, RowArgs, RowDecision};
use crate::against_hub::{Held, NotCompared, signed_at_hub};
use crate::identity::IdentityDir;
use crate::observed::hostname;
use crate::state::StateDir;
use crate::unix_http::UnixClient;

/// Rows that are read at a time.
const BATCH: u32 = 1000;
/// How long one question for more rows waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs one of the audit's commands.
///
/// # Errors
/// The configuration or the log cannot be read.
pub async fn run(command: &AuditCommand, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    match command {
        AuditCommand::Verify { against_hub, json } => verify(*against_hub, *json, context).await,
        AuditCommand::Show { last, follow, json, rows } => {
            let filter = filter(rows, context)?;
            let mut source = Source::of(rows, context)?;
            let mut newest = std::collections::VecDeque::new();
            while let Some(batch) = source.next(Duration::ZERO).await? {
                for row in batch.into_iter().filter(|row| filter.fits(row)) {
                    newest.push_back(row);
                    if newest.len() > *last as usize {
                        newest.pop_front();
                    }
                }
            }
            newest.iter().try_for_each(|row| show(row, *json, context))?;
            if !follow {
                return Ok(ExitCode::SUCCESS);
            }
            loop {
                context.out.flush()?;
                for row in source.next(PATIENCE).await?.unwrap_or_default() {
                    if filter.fits(&row) {
                        show(&row, *json, context)?;
                    }
                }
            }
        }
        AuditCommand::Export { format, rows } => {
            let (filter, origin) = (filter(rows, context)?, origin(context)?);
            let mut source = Source::of(rows, context)?;
            while let Some(batch) = source.next(Duration::ZERO).await? {
                for row in batch.iter().filter(|row| filter.fits(row)) {
                    let line = match format {
                        ExportFormat::Jsonl => serde_json::to_string(row),
                        ExportFormat::Ocsf => serde_json::to_string(&audit::event(row, &origin)),
                    };
                    context.say(line.map_err(std::io::Error::other)?)?;
                }
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// One row as a line of JSON. Its fields stand in it as JSON, too; their canonical form (RFC 8785) is what the hash covers.
fn shown(row: &Row) -> serde_json::Result<String> {
    let mut shown = serde_json::to_value(row)?;
    shown["fields"] = serde_json::from_str(&row.fields)?;
    serde_json::to_string(&shown)
}

fn show(row: &Row, as_json: bool, context: &mut Context<'_>) -> Result<(), CliError> {
    if as_json {
        return context.say(shown(row).map_err(std::io::Error::other)?);
    }
    context.say(line(row))
}

async fn verify(against_hub: bool, as_json: bool, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    let config = context.config()?;
    let state = StateDir::existing(&config.state_dir);
    let log = state.gate().join("gate.db");
    if !against_hub && audit::is_unbegun(&state.gate()) {
        return Err(CliError::Usage(format!(
            "there is no audit log at {}: the daemon has not run here yet, or somebody took it away; --against-hub tells which",
            log.display()
        )));
    }
    let mut verified = audit::verify_folder(&state.gate());
    let mut held = None;
    if against_hub {
        let signed = signed_at_hub(&state, config.hub.address.as_ref()).await;
        let Held { checkpoints, key, newest } = signed.map_err(not_compared)?;
        held = Some((checkpoints.len(), newest));
        // The hub's word is the stronger one: it names what an older copy of everything hides.
        let against = audit::verify_against_all(&log, checkpoints, &key);
        verified = verified.and(against);
    }
    report(&verified, held, as_json, context)?;
    Ok(if verified.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn not_compared(why: NotCompared) -> CliError {
    CliError::Usage(format!("nothing was compared with the hub: {}", crate::channel::chain(&why)))
}

fn report(
    verified: &Result<Verified, audit::Broken>,
    held: Option<(usize, u64)>,
    as_json: bool,
    context: &mut Context<'_>,
) -> Result<(), CliError> {
    let (checkpoints, signed) = held.unzip();
    match (verified, as_json) {
        (Ok(whole), true) => context.json(
            &json!({ "ok": true, "length": whole.length, "head": whole.head, "checkpoints": checkpoints, "signed": signed }),
        ),
        (Ok(whole), false) => {
            context.say(format_args!("whole: {} rows, last hash {}", whole.length, whole.head))?;
            match held {
                Some((0, _)) => context.say("the hub holds no checkpoint of it yet"),
                Some((count, newest)) => context.say(format_args!(
                    "the hub's checkpoints, {count} of {count}, are in it; the newest is of row {newest}"
                )),
                None => Ok(()),
            }
        }
        (Err(broken), true) => context.json(&json!({ "ok": false, "at": broken.at, "why": broken.why.to_string() })),
        (Err(broken), false) => context.say(broken),
    }
}

/// Where rows come from, a batch at a time.
struct Source {
    after: u64,
    place: Place,
}

enum Place {
    Daemon(UnixClient),
    File(std::path::PathBuf),
}

impl Source {
    fn of(args: &RowArgs, context: &Context<'_>) -> Result<Self, CliError> {
        let config = context.config()?;
        let place = if args.offline {
            Place::File(StateDir::existing(&config.state_dir).gate().join("gate.db"))
        } else {
            Place::Daemon(UnixClient::admin_of(&config))
        };
        Ok(Self { after: 0, place })
    }

    /// The next rows; `None` when there are no more after `within`.
    async fn next(&mut self, within: Duration) -> Result<Option<Vec<Row>>, CliError> {
        let rows: Vec<Row> = match &self.place {
            Place::File(path) => {
                let rows = audit::rows_of_file(path, self.after, BATCH)?;
                if rows.is_empty() {
                    tokio::time::sleep(within.min(Duration::from_secs(1))).await;
                }
                rows
            }
            Place::Daemon(client) => {
                let after = self.after;
                let path = format!("/v1/audit?after={after}&limit={BATCH}&wait_ms={}", within.as_millis());
                let answer = client.send(Method::GET, &path, None, within + PATIENCE).await?.accepted()?;
                serde_json::from_value(answer).map_err(std::io::Error::other)?
            }
        };
        let Some(last) = rows.last() else { return Ok(None) };
        self.after = last.number;
        Ok(Some(rows))
    }
}

fn filter(args: &RowArgs, context: &Context<'_>) -> Result<Filter, CliError> {
    let RowArgs { agent, since, until, class, decision, kind, text, offline: _ } = args;
    let now = context.env.clock.now();
    let when = |text: &Option<String>| {
        let read = |text: &String| {
            let unread = || {
                CliError::Usage(format!("{text:?} is no moment; write 2026-12-01, 2026-12-01T08:30:00Z, 90m, 2h or 3d"))
            };
            Timestamp::of_text(text, now).ok_or_else(unread)
        };
        text.as_ref().map(read).transpose()
    };
    let decided = decision.map(|decision| match decision {
        RowDecision::Allowed => Decided::Allowed,
        RowDecision::Asked => Decided::Asked,
        RowDecision::Denied => Decided::Denied,
        RowDecision::Expired => Decided::Expired,
        RowDecision::Ran => Decided::Ran,
    });
    Ok(Filter {
        agent: agent.clone(),
        since: when(since)?,
        until: when(until)?,
        class: *class,
        decided,
        kind: kind.clone(),
        text: text.clone(),
    })
}

/// Whose log it is; a server that is not enrolled has no name.
fn origin(context: &Context<'_>) -> Result<Origin, CliError> {
    let state = StateDir::existing(&context.config()?.state_dir);
    let identity = IdentityDir::new(state.identity()).load().ok().flatten();
    let (tenant, name) = identity.map(|identity| (identity.tenant.to_string(), identity.name)).unzip();
    Ok(Origin {
        tenant: tenant.unwrap_or_default(),
        name: name.map(|name| name.to_string()).unwrap_or_default(),
        hostname: hostname(),
    })
}
