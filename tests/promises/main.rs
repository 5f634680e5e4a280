//! One file per promise of the design: each attacks its promise on the real processes.

mod p01_no_secret_leaves;
mod p02_the_agent_never_holds_a_secret;
mod p03_what_was_approved_is_what_runs;
mod p04_a_draft_is_judged_first;
mod p04_every_action_is_classified;
mod p05_a_stop_is_a_stop;
mod p05_closed_is_the_resting_position;
mod p06_a_bypass_is_seen;
mod p07_the_hub_is_a_relay;
mod p08_nothing_is_lost_or_counted_twice;
mod p09_history_cannot_be_rewritten;
mod p10_tenants_never_meet;

use std::path::Path;

use serde_json::Value;
use wardkeep_tests::story::hooks::Hooks;
use wardkeep_tests::story::seeded::VALUES;
use wardkeep_tests::story::stage::{Setting, Stage};

/// A stage with a live session, ready to be attacked.
async fn stage(folder: &Path) -> (Stage, Hooks) {
    set(Setting::plain(folder)).await
}

#[expect(clippy::print_stdout, reason = "shown where the test fails")]
async fn set(setting: Setting) -> (Stage, Hooks) {
    println!("{VALUES}={} draws these values again", setting.values);
    let stage = Stage::set(setting, &|_| ()).await.expect("the stage stands");
    let hooks = Hooks::of(&stage.tenant).expect("a client");
    let (status, answer) = hooks.start_session().await.expect("the daemon answers");
    assert!(status.is_success(), "{answer}");
    (stage, hooks)
}

/// Proposes a call and sees it run if anybody can: what waits for a person is approved on the server. `None` where it is
/// refused.
async fn force(stage: &Stage, hooks: &Hooks, call: &str, tool: &str, args: Value) -> Option<Value> {
    let (_, answer) = hooks.propose(call, tool, args).await.expect("the daemon answers");
    if let Some(permit) = answer["permit"].as_str() {
        let (_, run) = hooks.exec(permit).await.expect("the daemon answers");
        return Some(run["result"].clone());
    }
    stage.tenant.cli(&["approvals", "approve", answer["digest"].as_str()?]).await.ok()?;
    let (_, ended) = hooks.status(call, 20_000).await.expect("the daemon answers");
    ended.get("result").cloned()
}
