//! What the doctor says of the network lock.

use std::path::Path;

use wardkeep_lock::{Answer, ClientError, Request, State, Status, ask};

use super::{Finding, Level};
use crate::channel::chain;

const CHECK: &str = "network lock";

/// Asks the helper.
pub(super) async fn look(socket: &Path) -> Finding {
    judge(ask(socket, Request::EgressStatus {}).await)
}

fn judge(answer: Result<Answer, ClientError>) -> Finding {
    let status = match answer {
        Ok(Answer::Status { status, .. }) => status,
        Ok(_) => {
            let todo = "systemctl restart wardkeep-helper";
            return Finding::bad(CHECK, Level::Error, "the helper is of another version", todo);
        }
        // Somebody may run the daemon without it, on purpose.
        Err(ClientError::NotRunning { .. }) => {
            let todo = "systemctl start wardkeep-helper; then `wardkeep egress status`";
            return Finding::bad(CHECK, Level::Warning, "the helper is not running, so nothing keeps a lock", todo);
        }
        Err(error @ ClientError::NotAllowed { .. }) => {
            return Finding::bad(CHECK, Level::Warning, chain(&error), "run this as root or through `wardkeep`");
        }
        // A container that may not touch nftables has no lock, which is no more than being unlocked.
        Err(ClientError::Refused(why)) => {
            return Finding::bad(
                CHECK,
                Level::Warning,
                why,
                "let this server use nftables; then `wardkeep egress status`",
            );
        }
        Err(error) => {
            return Finding::bad(CHECK, Level::Error, chain(&error), "look at `journalctl -u wardkeep-helper`");
        }
    };
    of_status(&status)
}

fn of_status(status: &Status) -> Finding {
    match (status.state, &status.outdated, &status.open) {
        (State::Drifted, ..) => {
            let found = status.drift.map_or("the rules are not as they should be", |drift| drift.words());
            let todo =
                "the helper puts them back within seconds; if this stays, look at `journalctl -u wardkeep-helper`";
            Finding::bad(CHECK, Level::Error, found, todo)
        }
        (State::Unlocked, ..) => {
            let found = "agents reach the network past the gates";
            Finding::bad(CHECK, Level::Warning, found, "wardkeep egress lock")
        }
        (State::Locked, Some(why), _) => Finding::bad(
            CHECK,
            Level::Warning,
            format!("it holds, but not as configured: {why}"),
            "wardkeep egress lock",
        ),
        (State::Locked, None, Some(why)) => {
            let found = format!("it holds, but connections from before may be open, over which nothing is sent: {why}");
            Finding::bad(CHECK, Level::Warning, found, "restart what the agents' users run")
        }
        (State::Locked, None, None) => {
            Finding::ok(CHECK, format!("it holds; {} packets refused so far", status.totals.denied.packets))
        }
    }
}

#[cfg(test)]
mod tests {
    use wardkeep_lock::listing::Totals;

    use super::*;

    #[test]
    fn each_state_has_its_level() {
        let status = |state, outdated: Option<&str>, open: Option<&str>| Status {
            state,
            drift: None,
            outdated: outdated.map(str::to_owned),
            open: open.map(str::to_owned),
            uids: Vec::new(),
            doors: Vec::new(),
            totals: Totals::default(),
            tried: Vec::new(),
        };
        for (status, level) in [
            (status(State::Drifted, None, None), Level::Error),
            (status(State::Unlocked, None, None), Level::Warning),
            (status(State::Locked, Some("other users"), None), Level::Warning),
            (status(State::Locked, None, Some("this kernel cannot")), Level::Warning),
            (status(State::Locked, None, None), Level::Ok),
        ] {
            let finding = judge(Ok(Answer::Status { changed: false, status }));
            assert_eq!((finding.level, finding.what_to_do.is_empty()), (level, level == Level::Ok), "{finding:?}");
        }
        let refused = judge(Err(ClientError::Refused("nft is missing".to_owned())));
        assert!(refused.level == Level::Warning && refused.found.contains("nft is missing"));
    }

    #[tokio::test]
    async fn a_helper_that_is_not_there_is_no_error() {
        assert_eq!(look(Path::new("/nowhere/helper.sock")).await.level, Level::Warning);
    }
}
