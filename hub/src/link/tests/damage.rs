//! Rows that another program or a bad disk wrote.

use super::*;
use crate::store::commands::{Command, CommandState, Order};
use wardkeep_proto::ids::CommandId;

/// Writes past the store, as no part of the hub does.
fn damage(hub: &Served, sql: &str) {
    let file = crate::store::db::file_in(hub.dir.path());
    let connection = rusqlite::Connection::open(file).expect("opens");
    connection.busy_timeout(Duration::from_secs(10)).expect("set");
    assert_eq!(connection.execute(sql, []).expect("written"), 1, "{sql}");
}

async fn order(hub: &Served) -> CommandId {
    let now = hub.app.clock.now();
    let id = CommandId::new(now, hub.app.chance.as_ref());
    let (deadline, ordered_by) = (now.plus(Duration::from_secs(60)), "ada".to_owned());
    let (state, state_at, output) = (CommandState::Queued, now, String::new());
    let (tenant, order) = (hub.tenant, Order::RunDoctor);
    let command = Command { id, tenant, order, ordered_by, created: now, deadline, state, state_at, output };
    assert!(hub.app.store.add_command(&Caller::Operator, command).await.expect("stored"));
    id
}

/// Stores a request and approves it.
async fn approved(hub: &Served, class: &str) -> Digest {
    let now = hub.app.clock.now();
    let new = approval(hub.tenant, class, now);
    let digest = new.digest;
    hub.app.store.put_approval(hub.tenant, new, now).await.expect("stored");
    hub.app.decisions.decide_as(&Caller::Operator, "ada", digest, Verdict::Approved, "").await.expect("decided");
    digest
}

#[tokio::test]
async fn a_damaged_row_stops_only_itself() {
    let hub = Served::new().await;
    let daemon = hub.enrol(hub.tenant).await;
    let publish = || hub.app.publisher.publish(&Caller::Operator, "ada", hub.tenant, crate::policies::EXAMPLE);
    publish().await.expect("published");
    publish().await.expect("published");
    damage(&hub, "UPDATE policies SET digest = 'x' WHERE version = 2");
    let (unsigned, unnamed, unruled, good) = (
        approved(&hub, "red").await,
        approved(&hub, "yellow").await,
        approved(&hub, "green").await,
        approved(&hub, "yellow_external").await,
    );
    damage(&hub, &format!("UPDATE approvals SET signature = NULL WHERE digest = '{unsigned}'"));
    damage(&hub, &format!("UPDATE approvals SET decided_by = CAST(X'ff' AS TEXT) WHERE digest = '{unnamed}'"));
    damage(&hub, &format!("UPDATE approvals SET verdict = NULL WHERE digest = '{unruled}'"));
    let (nonsense, whole) = (order(&hub).await, order(&hub).await);
    damage(&hub, &format!("UPDATE commands SET payload = '{{}}' WHERE id = '{nonsense}'"));

    let mut link = hub.attach(&daemon).await;
    // No policy: the newest cannot be read, and an older one is not what should run.
    let Down::ApprovalDecision(decision) = link.next().await.expect("sent") else { panic!("a decision") };
    assert_eq!(decision.digest, good.0.to_vec());
    let Down::Command(command) = link.next().await.expect("sent") else { panic!("a command") };
    assert_eq!(command.id, whole.to_string());
    // The tenant's word about a damaged row is not the end either.
    for digest in [unsigned, unnamed, unruled] {
        let receipt = v1::DecisionReceipt { digest: digest.0.to_vec(), accepted: true, error: String::new() };
        link.send(Up::DecisionReceipt(receipt)).await;
        let state = v1::ApprovalState::Claimed.into();
        let (at_ms, digest) = (hub.app.clock.now().millis(), digest.0.to_vec());
        let said = v1::ApprovalProgress { digest, state, at_ms, ..v1::ApprovalProgress::default() };
        link.send(Up::ApprovalProgress(said)).await;
    }
    link.activity(1).await;
    // The next version that can be read is sent on the same stream.
    damage(&hub, "DELETE FROM policies WHERE version = 2");
    publish().await.expect("published");
    assert!(matches!(link.next().await.expect("pushed"), Down::Desired(desired) if desired.generation == 2));
    hub.end().await;
}

/// The inbox, the API and the command line show what can be read, and name what cannot.
#[tokio::test]
async fn a_damaged_approval_hides_no_other() {
    let world = World::new().await;
    let tenant = world.tenant("bakery", "bakery").await;
    let mut good = Vec::new();
    for class in ["red", "yellow", "yellow_external"] {
        good.push(world.approval(tenant, class).await);
    }
    let file = crate::store::db::file_in(world.dir.path());
    let connection = rusqlite::Connection::open(file).expect("opens");
    let broken = good.remove(1);
    let sql = format!("UPDATE approvals SET state = 'approved' WHERE digest = '{broken}'");
    assert_eq!(connection.execute(&sql, []).expect("written"), 1, "approved by nobody");
    let (ada, eve) = (world.user("ada", None).await, world.user("eve", Some("bakery")).await);
    let (operator, member) = (world.signed_in(&ada).await.0, world.signed_in(&eve).await.0);
    let page = async |cookie: &str, path: &str| {
        let request = http::Request::builder().uri(path).header("cookie", cookie);
        let (status, _, page) = world.send(request.body(axum::body::Body::empty()).expect("a request")).await;
        assert_eq!(status, http::StatusCode::OK, "{path}");
        page
    };
    let (hers, theirs) = (page(&operator, "/approvals").await, page(&member, "/approvals").await);
    for digest in &good {
        assert!(hers.contains(&digest.to_string()) && theirs.contains(&digest.to_string()));
    }
    assert!(hers.contains(&format!("bakery {broken}")) && hers.contains("repair or restore hub.db"), "{hers}");
    assert!(!theirs.contains(&broken.to_string()) && theirs.contains("1 approval cannot be shown here"), "{theirs}");
    page(&member, "/tenants/bakery").await;
    let token = world.api_token(&eve).await;
    let (_, _, body) = world.send(crate::testing::by_token(http::Method::GET, "/api/v1/approvals", &token, "")).await;
    let list: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(list["approvals"].as_array().map(Vec::len), Some(2), "{list}");
    assert_eq!(list["damaged"], serde_json::json!([format!("bakery {broken}")]));
}
