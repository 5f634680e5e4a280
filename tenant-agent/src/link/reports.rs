//! The unary reports beside the stream: usage buckets and audit checkpoints, again until the hub has them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tonic::transport::Channel;
use wardkeep_egress::{Amounts, Bucket, BucketKey};
use wardkeep_proto::limits::MESSAGE_BYTES;
use wardkeep_proto::time::Timestamp;
use wardkeep_proto::v1;
use wardkeep_proto::v1::report_client::ReportClient;
use wardkeep_proto::waypoint::Waypoint;

use super::LinkParts;

/// Buckets in one report; a bucket is about 200 bytes.
const BUCKETS: u32 = 1000;
/// Between two looks at what is unacknowledged.
const USAGE_EVERY: Duration = Duration::from_secs(5);
/// After a change, so that a burst of requests becomes one report.
const SETTLE: Duration = Duration::from_millis(300);
/// After a report of a change: an agent that asks all the time is told of once in a second.
const REST: Duration = Duration::from_millis(700);
/// Between two checkpoints.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);
/// How long one report may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Reports for as long as the connection lives.
pub(super) async fn run(parts: &Arc<LinkParts>, channel: Channel) -> Infallible {
    let client =
        ReportClient::new(channel).max_decoding_message_size(MESSAGE_BYTES).max_encoding_message_size(MESSAGE_BYTES);
    let (never, _) = tokio::join!(usage(parts, client.clone()), checkpoints(parts, client));
    never
}

async fn usage(parts: &LinkParts, mut client: ReportClient<Channel>) -> Infallible {
    let mut changes = parts.spool.meter().changes();
    let mut every = interval(USAGE_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let changed = tokio::select! {
            _ = every.tick() => false,
            Ok(()) = changes.changed() => true,
        };
        if changed {
            tokio::time::sleep(SETTLE).await;
        }
        if let Err(why) = report_usage(parts, &mut client).await {
            tracing::info!(why, "usage was not reported; it is sent again");
        }
        if changed {
            tokio::time::sleep(REST).await;
        }
    }
}

/// Sends until nothing is due, or the hub stops accepting. What changes meanwhile is a change of its own: an agent that asks
/// all the time must not keep this busy all the time.
async fn report_usage(parts: &LinkParts, client: &mut ReportClient<Channel>) -> Result<(), String> {
    loop {
        let due = parts.spool.meter().buckets_to_report(BUCKETS).await.map_err(|e| e.to_string())?;
        if due.is_empty() {
            return Ok(());
        }
        let mut message = tonic::Request::new(v1::UsageReport { buckets: due.iter().map(bucket).collect() });
        message.set_timeout(TIMEOUT);
        let receipt = client.usage(message).await.map_err(|s| s.to_string())?.into_inner();
        parts.waypoints.pass(Waypoint::ReceiptReceived);
        let mut moved = 0;
        for accepted in receipt.accepted {
            // Only what was asked for: a receipt for another bucket or a revision never sent proves nothing.
            let sent = due.iter().find(|bucket| names(&accepted, &bucket.key) && accepted.revision >= bucket.revision);
            if let Some(sent) = sent {
                parts.spool.meter().acknowledge(sent.key.clone(), sent.revision).await.map_err(|e| e.to_string())?;
                moved += 1;
            }
        }
        if moved == 0 {
            return Err("the hub accepted none of the buckets".to_owned());
        }
        if moved >= due.len() && due.len() < BUCKETS as usize {
            return Ok(());
        }
    }
}

fn names(accepted: &v1::UsageAccepted, key: &BucketKey) -> bool {
    accepted.agent == key.agent.as_str()
        && accepted.provider == key.provider
        && accepted.model == key.model
        && Timestamp(accepted.hour_ms) == key.hour
}

fn bucket(bucket: &Bucket) -> v1::UsageBucket {
    let Bucket { key, revision, amounts } = bucket;
    let BucketKey { agent, provider, model, hour } = key;
    let Amounts {
        requests,
        estimated_requests,
        guessed_price_requests,
        input_tokens,
        output_tokens,
        cache_read_tokens,
        cache_write_tokens,
        cache_write_1h_tokens,
        reasoning_tokens,
        cost_micros,
    } = *amounts;
    v1::UsageBucket {
        agent: agent.to_string(),
        provider: provider.clone(),
        model: model.clone(),
        hour_ms: hour.millis(),
        revision: *revision,
        requests,
        input_tokens,
        output_tokens,
        cache_read_tokens,
        cache_write_tokens,
        reasoning_tokens,
        cost_micros,
        estimated_requests,
        cache_write_1h_tokens,
        guessed_price_requests,
    }
}

async fn checkpoints(parts: &LinkParts, mut client: ReportClient<Channel>) -> Infallible {
    let mut every = interval(CHECKPOINT_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = parts.checkpoint_now.notified() => {}
        }
        if let Err(why) = report_checkpoint(parts, &mut client).await {
            tracing::info!(why, "no audit checkpoint was stored at the hub; it is sent again");
        }
    }
}

async fn report_checkpoint(parts: &LinkParts, client: &mut ReportClient<Channel>) -> Result<(), String> {
    let gate = parts.spool.gate();
    let checkpoint = gate.checkpoint().await.map_err(|e| crate::channel::chain(&e))?;
    let known_length = parts.state.borrow().checkpoint_length;
    let known_head = gate.audit_hash_at(known_length).await.map_err(|e| crate::channel::chain(&e))?;
    let mut message = tonic::Request::new(v1::AuditCheckpointReport {
        length: checkpoint.length,
        head: checkpoint.head.0.to_vec(),
        at_ms: checkpoint.at.millis(),
        signature: checkpoint.signature.clone(),
        audit_key: checkpoint.key.clone(),
        known_length,
        known_head: known_head.map(|head| head.0.to_vec()).unwrap_or_default(),
    });
    message.set_timeout(TIMEOUT);
    let receipt = client.audit_checkpoint(message).await.map_err(|s| s.to_string())?.into_inner();
    if receipt.consistent {
        parts.spool.gate().keep_checkpoint(&checkpoint).await.map_err(|e| format!("it is not kept here: {e}"))?;
    } else {
        tracing::error!(length = checkpoint.length, "the hub holds another history of this server: run `doctor`");
    }
    parts.state.send_modify(|state| {
        state.checkpoint_length = receipt.length;
        state.history_conflict = !receipt.consistent;
    });
    Ok(())
}
