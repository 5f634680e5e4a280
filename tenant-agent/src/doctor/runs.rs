//! What the doctor says of the units that hold runs.

use std::sync::Arc;

use super::{Finding, Level};
use crate::channel::chain;
use crate::cli::context::Environment;
use crate::config::{Config, UnitsWanted};
use crate::run_units::HelperUnits;
use crate::state::StateDir;
use crate::walls::{self, CONTROLLERS, limits_not_enforced};

const CHECK: &str = "runs";

/// Tests them here and now.
pub(super) async fn look(config: &Config, env: &Environment) -> Vec<Finding> {
    let (config, env) = (config.clone(), env.clone());
    let looked = tokio::task::spawn_blocking(move || {
        let controllers = std::fs::read_to_string(CONTROLLERS).unwrap_or_default();
        let units = Arc::new(HelperUnits::default());
        let ready = units.ready().map_err(|error| chain(&error));
        let tested = || {
            let ground = StateDir::existing(&config.state_dir).gate().join("walls-doctor");
            walls::test(&config, &env, &*units, &ground)
        };
        judge(config.runs.units, ready, tested, &controllers)
    });
    looked.await.unwrap_or_default()
}

fn judge(
    wanted: UnitsWanted,
    ready: Result<(), String>,
    tested: impl FnOnce() -> Result<(), String>,
    controllers: &str,
) -> Vec<Finding> {
    let plain = "commands of calls run as the daemon's user, held by Landlock and a system call filter alone";
    match (wanted, ready) {
        (UnitsWanted::Off, _) => {
            let found = format!("{plain}: [runs] units is \"off\"");
            vec![Finding::bad(
                CHECK,
                Level::Warning,
                found,
                "set it to \"auto\", then `systemctl restart wardkeep-agent`",
            )]
        }
        (UnitsWanted::Auto, Err(why)) => {
            let todo =
                "on a server with systemd: `systemctl start wardkeep-helper`, then `systemctl restart wardkeep-agent`";
            vec![Finding::bad(CHECK, Level::Warning, format!("{plain}: {why}"), todo)]
        }
        (UnitsWanted::Required, Err(why)) => {
            let found = format!("commands of calls cannot be held in units, so nothing beyond Green is allowed: {why}");
            vec![Finding::bad(CHECK, Level::Error, found, "systemctl start wardkeep-helper")]
        }
        (_, Ok(())) => match tested() {
            Ok(()) => {
                let found = "each has a unit and a user of its own; a probe in one got through nowhere";
                [Finding::ok(CHECK, found)].into_iter().chain(limits(controllers)).collect()
            }
            Err(why) => {
                let todo = "look at `journalctl -u wardkeep-helper -u 'wardkeep-run-*'`; only reads are allowed until this is mended";
                vec![Finding::bad(CHECK, Level::Error, format!("the sandbox of commands does not hold: {why}"), todo)]
            }
        },
    }
}

fn limits(controllers: &str) -> Option<Finding> {
    let missing = limits_not_enforced(controllers);
    if missing.is_empty() {
        return None;
    }
    let found = format!("this kernel does not limit what runs use of: {}", missing.join(", "));
    let todo = "boot with unified control groups (`systemd.unified_cgroup_hierarchy=1`)";
    Some(Finding::bad("run limits", Level::Warning, found, todo))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_of_holding_runs_has_its_words() {
        const ALL: &str = "cpu memory pids";
        let no = || Err("the helper is not running".to_owned());
        let broken = || Err("it reads /etc/shadow".to_owned());
        let never = || panic!("nothing is tested where there are no units");
        for (findings, level, word) in [
            (judge(UnitsWanted::Off, Ok(()), never, ALL), Level::Warning, "\"off\""),
            (judge(UnitsWanted::Auto, no(), never, ALL), Level::Warning, "not running"),
            (judge(UnitsWanted::Required, no(), never, ALL), Level::Error, "not running"),
            (judge(UnitsWanted::Required, Ok(()), broken, ALL), Level::Error, "/etc/shadow"),
            (judge(UnitsWanted::Auto, Ok(()), broken, ALL), Level::Error, "/etc/shadow"),
            (judge(UnitsWanted::Auto, Ok(()), || Ok(()), ALL), Level::Ok, "a user of its own"),
        ] {
            assert_eq!((findings.len(), findings[0].level), (1, level), "{findings:?}");
            assert!(findings[0].found.contains(word), "{findings:?}");
            assert_eq!(findings[0].what_to_do.is_empty(), level == Level::Ok);
        }
        let unlimited = judge(UnitsWanted::Auto, Ok(()), || Ok(()), "pids");
        assert!(unlimited[1].found.ends_with("memory, processor") && unlimited[1].level == Level::Warning);
    }
}
