//! `wardkeep-agent egress ...`: asks the helper, which is root.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use wardkeep_lock::{Answer, Request, State, Status, ask, ruleset};

use super::EgressCommand;
use super::context::{CliError, Context};
use crate::egress_lock;
use crate::lock_audit::{place, ranges, who};

/// Runs one of the lock's commands.
///
/// # Errors
/// The helper is not there or says no; the configuration names no sound lock.
pub async fn run(command: &EgressCommand, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    match command {
        EgressCommand::Lock { dry_run: true, .. } => {
            // Nobody is spared here: whoever asks may not know the daemon's user.
            let plan = egress_lock::plan(&context.config()?, 0)?;
            context.say(ruleset::text(&plan).trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
        EgressCommand::Lock { dry_run: false, json } => {
            let (changed, status) = status(Request::EgressLock {}).await?;
            if *json {
                context.json(&Done { changed, status: &status })?;
            } else {
                let done =
                    if changed { "locked, and after each reboot" } else { "was locked already; nothing changed" };
                context.say(done)?;
                context.say(reach(&status))?;
                if let Some(line) = open(&status) {
                    context.say(line)?;
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        EgressCommand::Unlock { yes: false, .. } => Err(CliError::Usage(
            "agents would reach the network past the gates; say --yes if that is meant (it is recorded)".to_owned(),
        )),
        EgressCommand::Unlock { yes: true, json } => {
            let (changed, status) = status(Request::EgressUnlock {}).await?;
            if *json {
                context.json(&Done { changed, status: &status })?;
            } else {
                context.say(if changed { "unlocked; this is in the audit log" } else { "was not locked" })?;
            }
            Ok(ExitCode::SUCCESS)
        }
        EgressCommand::Status { json } => {
            let (_, status) = status(Request::EgressStatus {}).await?;
            if *json {
                context.json(&status)?;
            } else {
                context.say(text(&status))?;
            }
            Ok(if status.state == State::Locked { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

/// What `lock` and `unlock` did, as JSON: that of `status`, and one more.
#[derive(Serialize)]
struct Done<'a> {
    changed: bool,
    #[serde(flatten)]
    status: &'a Status,
}

async fn status(request: Request) -> Result<(bool, Status), CliError> {
    match ask(Path::new(egress_lock::SOCKET), request).await? {
        Answer::Status { changed, status } => Ok((changed, status)),
        _ => Err(CliError::Usage("the helper answers something else; restart wardkeep-helper".to_owned())),
    }
}

fn reach(status: &Status) -> String {
    let doors: Vec<String> = status.doors.iter().map(ToString::to_string).collect();
    format!("user ids {} reach {} and nothing else", ranges(&status.uids), doors.join(", "))
}

fn open(status: &Status) -> Option<String> {
    let why = status.open.as_ref()?;
    Some(format!("connections from before may still be open, but nothing can be sent over them: {why}"))
}

fn text(status: &Status) -> String {
    let mut lines = match status.state {
        State::Unlocked => return "unlocked: agents reach the network past the gates".to_owned(),
        State::Locked => vec![format!("locked: {}", reach(status))],
        State::Drifted => vec![
            format!("drifted: {}", status.drift.map_or("", |drift| drift.words())),
            "the helper puts it back within seconds; if this stays, look at `journalctl -u wardkeep-helper`".to_owned(),
        ],
    };
    lines.extend(status.outdated.as_ref().map(|why| format!("not as configured: {why}")));
    lines.extend(open(status));
    let totals = &status.totals;
    lines.push(format!(
        "packets: {} let through, {} refused, {} of these DNS",
        totals.passed.packets, totals.denied.packets, totals.denied_dns.packets
    ));
    if totals.unowned.packets > 0 {
        lines.push(format!("refused besides, of connections whose socket was closed: {}", totals.unowned.packets));
    }
    if !status.tried.is_empty() {
        lines.push("tried within the last hour:".to_owned());
    }
    for tried in &status.tried {
        lines.push(format!("{:>9}  {}  by {}", tried.count.packets, place(tried), who(tried)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use wardkeep_lock::UidRange;
    use wardkeep_lock::listing::{Count, Destination, Totals, Tried};
    use wardkeep_lock::lock::Drift;

    use super::*;

    #[test]
    fn a_status_says_what_holds_and_what_was_tried() {
        let address = "2001:db8::9".parse().expect("an address");
        let destination = Destination { uid: Some(998), address, protocol: 6, port: Some(443) };
        let of_nobody = Destination { uid: None, ..destination };
        let count = |packets| Count { packets, bytes: 0 };
        let mut status = Status {
            state: State::Locked,
            drift: None,
            outdated: None,
            open: None,
            uids: vec![UidRange { first: 998, last: 998 }, UidRange { first: 5, last: 9 }],
            doors: vec!["127.0.0.1:7400".parse().expect("an address")],
            totals: Totals { passed: count(12), denied: count(7), denied_dns: count(3), unowned: count(2) },
            tried: vec![Tried { destination, count: count(4) }, Tried { destination: of_nobody, count: count(2) }],
        };
        assert_eq!(
            text(&status),
            "locked: user ids 998, 5-9 reach 127.0.0.1:7400 and nothing else\n\
             packets: 12 let through, 7 refused, 3 of these DNS\n\
             refused besides, of connections whose socket was closed: 2\n\
             tried within the last hour:\n        4  tcp [2001:db8::9]:443  by user id 998\n\
             \x20       2  tcp [2001:db8::9]:443  by what was left of a closed socket"
        );
        status.state = State::Drifted;
        status.drift = Some(Drift::RulesGone);
        status.outdated = Some("other users".to_owned());
        status.open = Some("the kernel cannot".to_owned());
        let drifted = text(&status);
        assert!(
            drifted.starts_with("drifted: the rules are gone")
                && drifted.contains("\nnot as configured: other users\nconnections from before may still be open")
                && drifted.contains("sent over them: the kernel cannot\n")
        );
        let done = serde_json::to_value(Done { changed: true, status: &status }).expect("JSON");
        assert_eq!((&done["changed"], &done["state"]), (&true.into(), &"drifted".into()));
        status.state = State::Unlocked;
        assert!(text(&status).starts_with("unlocked: "));
    }
}
