//! What every database behind the store must do, as functions over a `Db`: a second backend runs the same list.

mod access;
mod approvals;
mod base;
mod entry;
mod orders;
mod reports;

use std::time::Duration;

use wardkeep_proto::chance::SystemChance;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{CommandId, OrganisationId, TenantId, UserId};
use wardkeep_proto::time::Timestamp;

use super::activity::ActivityRow;
use super::approvals::{Origin, Ruling, Verdict};
use super::audit::Checkpoint;
use super::commands::{Command, CommandState, Order};
use super::policies::PolicyVersion;
use super::usage::{Bucket, BucketKey, Totals};
use super::users::{Role, User};
use super::{Caller, Db, Store};

macro_rules! conformance {
    ($($subject:ident: $($name:ident),+;)+) => {
        mod sqlite {
            $($(#[tokio::test]
            async fn $name() {
                let dir = tempfile::tempdir().expect("a folder");
                let db = super::Db::open_sqlite(&super::super::db::file_in(dir.path())).expect("opens");
                super::$subject::$name(db).await;
            })+)+
        }
    };
}

conformance! {
    access:
        rows_of_other_tenants_do_not_exist,
        rows_of_other_tenants_cannot_be_changed;
    entry:
        an_enrolment_token_is_spent_once,
        enrolling_anew_revokes_older_certificates,
        a_login_link_is_spent_once,
        tokens_of_one_kind_are_not_those_of_another;
    approvals:
        the_first_decision_stands,
        an_approval_only_moves_forward,
        what_happened_on_the_tenant_is_shown,
        a_decision_taken_on_the_tenant_is_shown_with_its_name,
        a_decision_is_open_until_its_receipt;
    reports:
        usage_totals_never_shrink,
        a_rewritten_history_is_flagged,
        an_activity_row_counts_once,
        a_fenced_stream_writes_nothing;
    orders:
        a_command_ends_once,
        a_policy_follows_its_predecessor;
    base:
        a_process_does_not_hear_itself,
        a_failure_undoes_its_own_work_only,
        a_reader_cannot_write;
}

const NOW: Timestamp = Timestamp(1_763_593_200_000);
const HOUR: Duration = Duration::from_secs(3600);

fn chance() -> SystemChance {
    SystemChance::new()
}

fn hash(text: &str) -> Digest {
    Digest::plain(text.as_bytes())
}

/// A tenant and a member of its organisation.
async fn household(store: &Store, name: &str) -> (TenantId, Caller) {
    let organisation = store.organisation(OrganisationId::new(NOW, &chance()), name, NOW).await.unwrap();
    let tenant = TenantId::new(NOW, &chance());
    store.add_tenant(organisation.id, tenant, &name.parse().unwrap(), NOW).await.unwrap().unwrap();
    let user = User { id: UserId::new(NOW, &chance()), name: format!("{name}-user"), role: Role::Member };
    let user = store.add_user(user, Some(organisation.id), NOW).await.unwrap();
    (tenant, user.caller())
}

fn ruling(verdict: Verdict, at: Timestamp) -> Ruling {
    Ruling { verdict, by: "ada".to_owned(), at, note: String::new(), origin: Origin::Hub, grant: None }
}

fn row(number: u64) -> ActivityRow {
    let text = || "x".to_owned();
    ActivityRow {
        number,
        at: NOW,
        agent: text(),
        session: text(),
        call: text(),
        tool: text(),
        class: "green".to_owned(),
        outcome: "done".to_owned(),
        summary: format!("row {number}"),
        digest: None,
    }
}

fn bucket(revision: u64, totals: Totals) -> Bucket {
    let text = || "x".to_owned();
    Bucket { key: BucketKey { agent: text(), provider: text(), model: text(), hour: NOW.hour() }, revision, totals }
}

fn policy(tenant: TenantId, version: u64) -> PolicyVersion {
    PolicyVersion {
        tenant,
        version,
        digest: hash(&version.to_string()),
        source: "x".to_owned(),
        envelope: vec![1, 2],
        issued: NOW,
        expires: NOW.plus(HOUR),
        published_by: "ada".to_owned(),
        signer: None,
    }
}

fn command(tenant: TenantId) -> Command {
    Command {
        id: CommandId::new(NOW, &chance()),
        tenant,
        order: Order::RunDoctor,
        ordered_by: "ada".to_owned(),
        created: NOW,
        deadline: NOW.plus(HOUR),
        state: CommandState::Queued,
        state_at: NOW,
        output: String::new(),
    }
}

fn checkpoint(length: u64, head: &str) -> Checkpoint {
    Checkpoint {
        length,
        head: hash(head),
        at: NOW,
        key: hash("key"),
        signature: vec![7; 64],
        received: NOW,
        consistent: true,
    }
}
