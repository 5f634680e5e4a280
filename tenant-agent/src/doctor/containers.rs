//! What the doctor says of the containers of calls.

use super::{Finding, Level};
use crate::channel::chain;
use crate::config::Config;
use crate::run_units::HelperUnits;

const CHECK: &str = "containers";

/// Asks the helper, which asks the engine.
pub(super) async fn look(config: &Config) -> Finding {
    if config.containers.engine.is_none() {
        return judge(None);
    }
    let asked = tokio::task::spawn_blocking(|| HelperUnits::default().containers_ready());
    judge(Some(asked.await.map_or_else(|error| Err(error.to_string()), |ready| ready.map_err(|error| chain(&error)))))
}

/// `None`: nobody wants them.
fn judge(ready: Option<Result<(), String>>) -> Finding {
    match ready {
        None => Finding::ok(CHECK, "not carried out here: [containers] names no engine"),
        Some(Ok(())) => {
            Finding::ok(CHECK, "the helper runs the images that the policy names, and the engine limits what they use")
        }
        Some(Err(why)) => {
            let found = format!("the containers of calls cannot be carried out: {why}");
            let todo = "`systemctl start wardkeep-helper docker`, or take `engine` out of [containers]";
            Finding::bad(CHECK, Level::Warning, found, todo)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_has_its_words() {
        let absent = Some(Err("no Docker engine answers at /run/docker.sock".to_owned()));
        for (finding, level, word) in [
            (judge(None), Level::Ok, "names no engine"),
            (judge(absent), Level::Warning, "no Docker engine answers at /run/docker.sock"),
            (judge(Some(Ok(()))), Level::Ok, "limits what they use"),
        ] {
            assert_eq!(finding.level, level, "{finding:?}");
            assert!(finding.found.contains(word), "{finding:?}");
            assert_eq!(finding.what_to_do.is_empty(), level == Level::Ok);
        }
    }
}
