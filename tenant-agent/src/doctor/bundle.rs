//! What the doctor says of the policy: that it ages is one thing, that its files are refused is another.

use wardkeep_policy::Closed;
use wardkeep_proto::time::Timestamp;

use super::{Finding, Level, quoted};
use crate::bundle_ledger::{BundleLedger, InForce, LedgerError};
use crate::channel::chain;
use crate::identity::{Identity, IdentityDir};
use crate::state::StateDir;

/// One finding: `policy` for a bundle that is there or is yet to come, `bundle` for files that do not count.
pub(super) fn look(
    state: &StateDir,
    dir: IdentityDir,
    identity: &Identity,
    now: Timestamp,
    enrol_again: &str,
) -> Finding {
    match BundleLedger::open(state.bundle(), dir, identity).map(|ledger| ledger.in_force(now)) {
        Ok(InForce::Stored { bundle, seen }) => {
            let age_days = now.since(bundle.issued).as_secs() / 86_400;
            let found = format!("version {} is valid, {age_days} days old, until {}", seen.version, bundle.expires);
            if bundle.expires.since(now) < bundle.expires.since(bundle.issued) / 4 {
                Finding::bad("policy", Level::Warning, found, "publish a new policy on the hub before it expires")
            } else {
                Finding::ok("policy", found)
            }
        }
        Ok(InForce::Strict { closed: Closed::BundleRefused, why }) => {
            let found = format!("the stored policy bundle is refused, only Green is allowed: {why}");
            let todo = format!(
                "the hub sends it again when the daemon connects: `systemctl restart wardkeep-agent`, then \
                 `wardkeep-agent policy verify`; still refused: publish the policy again on the hub, and find out who \
                 changed the files: `ls -l {}`",
                quoted(&state.bundle())
            );
            Finding::bad("bundle", Level::Error, found, todo)
        }
        Ok(InForce::Strict { closed, why }) => {
            Finding::bad("policy", Level::Error, format!("{closed}: {why}"), closed.what_to_do())
        }
        Err(error @ LedgerError::Damaged(_)) => {
            let bundles = quoted(&state.bundle());
            let todo = format!(
                "find out who changed it, then let the hub send the policy again: `mv {bundles} {bundles}.old`, \
                 `systemctl restart wardkeep-agent`"
            );
            Finding::bad("bundle", Level::Error, chain(&error), todo)
        }
        Err(error) => Finding::bad("bundle", Level::Error, chain(&error), enrol_again),
    }
}
