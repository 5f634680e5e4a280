//! Work that nobody asks for: idempotent functions without input, run by a timer, each safe to repeat or to lose.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wardkeep_proto::time::Timestamp;

use crate::api::error::chain;
use crate::app::App;
use crate::events::Change;
use crate::store::StoreError;
use crate::store::stir::Stir;

/// Notes of other processes are looked for when somebody has written, and this often in any case.
const POLL: Duration = Duration::from_secs(1);
/// When tenants were heard is written.
const FLUSH: Duration = Duration::from_secs(5);
/// What ran out of time gets its final state.
const EXPIRE: Duration = Duration::from_secs(30);
/// Bundles are signed again, old rows are forgotten.
const HOURLY: Duration = Duration::from_secs(60 * 60);
/// The tenant's own word about an expiry should come first.
const EXPIRY_GRACE: Duration = Duration::from_secs(5 * 60);
/// Activity is kept this long; the tenant's audit log keeps it for ever.
const KEEP_ACTIVITY: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// Ended logins and read notes are kept this long.
const KEEP_TRACES: Duration = Duration::from_secs(24 * 60 * 60);

/// Runs until `stop`. A failure is logged and tried again at the next turn.
pub async fn run(app: App, mut stir: Stir, stop: CancellationToken) {
    let mut poll = Poll::default();
    let mut each_flush = tokio::time::interval(FLUSH);
    let (mut each_expiry, mut each_hour) = (tokio::time::interval(EXPIRE), tokio::time::interval(HOURLY));
    for interval in [&mut each_flush, &mut each_expiry, &mut each_hour] {
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    }
    loop {
        let (task, done) = tokio::select! {
            () = stop.cancelled() => break,
            () = stir.wait(POLL) => ("poll", poll.turn(&app).await),
            _ = each_flush.tick() => ("flush", flush(&app).await),
            _ = each_expiry.tick() => ("expire", expire(&app).await),
            _ = each_hour.tick() => ("hourly", hourly(&app).await),
        };
        if let Err(error) = done {
            tracing::error!(task, error = %chain(&error), "background work failed");
        }
    }
    if let Err(error) = flush(&app).await {
        tracing::error!(error = %chain(&error), "the last flush failed");
    }
}

/// Hears what other processes (the command line) changed.
#[derive(Debug, Default)]
pub(crate) struct Poll {
    /// Number of the last note read; `None` before the first turn, which only takes the number.
    last: Option<u64>,
}

impl Poll {
    pub(crate) async fn turn(&mut self, app: &App) -> Result<(), StoreError> {
        let Some(last) = self.last else {
            self.last = Some(app.store.last_change().await?);
            return Ok(());
        };
        for change in app.store.changes_after(last).await? {
            self.last = Some(change.number);
            if change.topic == "keys" {
                app.links.nudge_all();
            }
            let Some(tenant) = change.tenant else { continue };
            app.links.nudge(tenant);
            let what = match change.topic.as_str() {
                "policy" => Change::Policy,
                "command" => Change::Command,
                // A listener reads the rows anyway; which approval it was matters to nobody here.
                _ => Change::Tenant,
            };
            app.events.tell(tenant, what);
            if change.topic == "approval" {
                tell_approvals(app, tenant).await?;
            }
        }
        Ok(())
    }
}

/// Tells the newest decided approvals of a tenant: the note does not say which one it was.
async fn tell_approvals(app: &App, tenant: wardkeep_proto::ids::TenantId) -> Result<(), StoreError> {
    for decision in app.store.open_decisions(tenant).await? {
        app.events.tell(tenant, Change::Approval(decision.digest));
    }
    Ok(())
}

/// One write for the heartbeats of all tenants.
async fn flush(app: &App) -> Result<(), StoreError> {
    let heard = app.links.take_heard();
    if heard.is_empty() { Ok(()) } else { app.store.seen(heard).await }
}

async fn expire(app: &App) -> Result<(), StoreError> {
    let now = app.clock.now();
    app.store.expire_approvals(before(now, EXPIRY_GRACE)).await?;
    app.store.expire_commands(now).await?;
    Ok(())
}

async fn hourly(app: &App) -> Result<(), StoreError> {
    let now = app.clock.now();
    let renewed = app.publisher.renew().await?;
    if renewed > 0 {
        tracing::info!(renewed, "policies signed again");
    }
    // Whoever installed a list of keys may have died before this.
    match app.publisher.sign_again().await {
        Ok((0, 0)) => {}
        Ok((signed, failed)) => tracing::info!(signed, failed, "policies of other keys were signed again"),
        Err(error) => tracing::error!(error = %chain(&error), "policies of other keys were not signed again"),
    }
    app.store.forget_old_activity(before(now, KEEP_ACTIVITY)).await?;
    app.store.forget_old_logins(before(now, KEEP_TRACES)).await?;
    app.store.forget_old_passkey_challenges(now).await?;
    app.store.forget_old_changes(before(now, KEEP_TRACES)).await?;
    Ok(())
}

fn before(now: Timestamp, by: Duration) -> Timestamp {
    Timestamp(now.millis().saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
}
