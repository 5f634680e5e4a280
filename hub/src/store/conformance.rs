//! What every database behind the store must do, as functions over a `Db`: a second backend runs the same list.

use std::sync::Arc;
use std::time::Duration;

use wardkeep_proto::chance::SystemChance;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{CommandId, OrganisationId, TenantId, UserId};
use wardkeep_proto::time::Timestamp;

use super::activity::ActivityRow;
use super::approvals::{ApprovalState, NotDecided, Origin, Progress, Receipt, Ruling, StateKind, Verdict};
use super::audit::Checkpoint;
use super::commands::{Command, CommandState, Order};
use super::enrolment::{Certificate, TokenState};
use super::policies::{PolicyVersion, VersionTaken};
use super::status::{Fenced, Status};
use super::tenants::{NameTaken, Standing};
use super::usage::{Bucket, BucketKey, Totals};
use super::users::{Role, TokenKind, User};
use super::value::args;
use super::{Caller, Db, Store, StoreError};

macro_rules! conformance {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                let dir = tempfile::tempdir().expect("a folder");
                let db = super::Db::open_sqlite(&super::super::db::file_in(dir.path())).expect("opens");
                super::$name(db).await;
            })+
        }
    };
}

conformance! {
    rows_of_other_tenants_do_not_exist,
    rows_of_other_tenants_cannot_be_changed,
    an_enrolment_token_is_spent_once,
    enrolling_anew_revokes_older_certificates,
    a_login_link_is_spent_once,
    tokens_of_one_kind_are_not_those_of_another,
    the_first_decision_stands,
    an_approval_only_moves_forward,
    what_happened_on_the_tenant_is_shown,
    a_decision_taken_on_the_tenant_is_shown_with_its_name,
    a_decision_is_open_until_its_receipt,
    usage_totals_never_shrink,
    a_rewritten_history_is_flagged,
    an_activity_row_counts_once,
    a_fenced_stream_writes_nothing,
    a_command_ends_once,
    a_policy_follows_its_predecessor,
    a_process_does_not_hear_itself,
    a_failure_undoes_its_own_work_only,
    a_reader_cannot_write,
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
    Ruling { verdict, by: "ada".to_owned(), at, note: String::new(), origin: Origin::Hub }
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
    Checkpoint { length, head: hash(head), at: NOW, key: hash("key"), signature: vec![7; 64], consistent: true }
}

fn status(epoch: u64) -> Status {
    crate::testing::status(epoch, NOW)
}

/// A row of each kind for a tenant.
async fn furnish(store: &Store, tenant: TenantId) {
    store.put_approval(tenant, crate::testing::approval(tenant, "red", NOW), NOW).await.unwrap();
    store.put_activity(tenant, vec![row(1)]).await.unwrap();
    store.put_usage(tenant, vec![bucket(1, Totals { requests: 1, ..Totals::default() })], NOW).await.unwrap();
    store.put_policy(policy(tenant, 1)).await.unwrap().unwrap();
    store.put_checkpoint(tenant, checkpoint(1, "a"), NOW).await.unwrap();
    store.put_checkpoint(tenant, checkpoint(1, "b"), NOW).await.unwrap();
    assert!(store.add_command(&Caller::Operator, command(tenant)).await.unwrap());
}

async fn rows_of_other_tenants_do_not_exist(db: Db) {
    let store = Store::new(db, "test");
    let (ours, us) = household(&store, "ours").await;
    let (theirs, _) = household(&store, "theirs").await;
    let until = NOW.plus(HOUR);
    furnish(&store, ours).await;
    furnish(&store, theirs).await;
    let foreign = crate::testing::approval(theirs, "red", NOW).digest;
    let stranger = Caller::User(UserId::new(NOW, &chance()));
    for (caller, own) in [
        (us, vec![ours]),
        (Caller::Tenant(ours), vec![ours]),
        (stranger, vec![]),
        (Caller::Operator, vec![ours, theirs]),
    ] {
        let tenants = store.tenants(&caller, None, 10, NOW).await.unwrap();
        assert_eq!(tenants.iter().map(|t| t.id).collect::<Vec<_>>(), own, "{caller:?}");
        let of_theirs = usize::from(own.contains(&theirs));
        assert_eq!(rows_of(&store, &caller, theirs, foreign).await, [of_theirs; 11], "{caller:?}");
        let of_all = [
            store.approvals(&caller, None, None, None, 10).await.unwrap().len(),
            store.activity(&caller, None, None, 10).await.unwrap().len(),
            store.usage(&caller, None, Timestamp(0), until).await.unwrap().len(),
        ];
        assert_eq!(of_all, [own.len(); 3], "{caller:?}");
    }
}

async fn rows_of_other_tenants_cannot_be_changed(db: Db) {
    let store = Store::new(db, "test");
    let (ours, us) = household(&store, "ours").await;
    let (theirs, them) = household(&store, "theirs").await;
    furnish(&store, theirs).await;
    let foreign = crate::testing::approval(theirs, "red", NOW).digest;
    assert!(!store.add_command(&us, command(theirs)).await.unwrap());
    let decided = store.decide(&us, foreign, ruling(Verdict::Approved, NOW), Vec::new(), None).await.unwrap();
    assert_eq!(decided, Err(NotDecided::Unknown));
    // A tenant cannot move what is another's, whatever digest it names.
    let progress =
        Progress { digest: foreign, state: StateKind::Done, at: NOW, result: String::new(), decided_by: String::new() };
    assert!(!store.put_progress(ours, progress).await.unwrap());
    let id = store.commands(&them, theirs, 1).await.unwrap()[0].id;
    assert!(!store.put_command_state(ours, id, CommandState::Succeeded, String::new(), NOW).await.unwrap());
    assert_eq!(store.approval(&them, foreign).await.unwrap().unwrap().state, ApprovalState::Pending);
}

/// How many rows of `tenant` exist for `caller`, question by question.
async fn rows_of(store: &Store, caller: &Caller, tenant: TenantId, approval: Digest) -> [usize; 11] {
    let (of, until) = (Some(tenant), NOW.plus(HOUR));
    let name = "theirs".parse().unwrap();
    [
        usize::from(store.tenant(caller, tenant, NOW).await.unwrap().is_some()),
        usize::from(store.tenant_named(caller, &name, NOW).await.unwrap().is_some()),
        usize::from(store.approval(caller, approval).await.unwrap().is_some()),
        store.approvals(caller, of, None, None, 10).await.unwrap().len(),
        store.activity(caller, of, None, 10).await.unwrap().len(),
        store.usage_by_hour(caller, of, Timestamp(0), until).await.unwrap().len(),
        usize::from(store.policy(caller, tenant).await.unwrap().is_some()),
        store.policy_history(caller, tenant, 9).await.unwrap().len(),
        store.checkpoints(caller, tenant, 1).await.unwrap().len(),
        usize::from(store.audit_contradicted(caller, tenant).await.unwrap()),
        store.commands(caller, tenant, 9).await.unwrap().len(),
    ]
}

async fn an_enrolment_token_is_spent_once(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, _) = household(&store, "ours").await;
    store.add_enrolment_token(tenant, hash("token"), NOW, NOW.plus(HOUR)).await.unwrap();
    let certificate =
        |serial: &str| Certificate { serial: serial.to_owned(), expires: NOW.plus(HOUR), pem: serial.to_owned() };
    let useless = TokenState::Useless;
    assert_eq!(store.enrolment_token(hash("another"), Some(hash("csr")), NOW).await.unwrap(), useless);
    assert_eq!(
        store.spend_enrolment_token(hash("token"), hash("csr"), certificate("1"), NOW.plus(HOUR)).await.unwrap(),
        useless
    );
    let fresh = TokenState::Fresh { tenant, tenant_name: "ours".to_owned() };
    assert_eq!(store.spend_enrolment_token(hash("token"), hash("csr"), certificate("1"), NOW).await.unwrap(), fresh);
    // The same request is answered again, with the same certificate; any other is not.
    let same = TokenState::Same { tenant, tenant_name: "ours".to_owned(), certificate_pem: "1".to_owned() };
    assert_eq!(store.spend_enrolment_token(hash("token"), hash("csr"), certificate("2"), NOW).await.unwrap(), same);
    assert_eq!(
        store.spend_enrolment_token(hash("token"), hash("other"), certificate("3"), NOW).await.unwrap(),
        useless
    );
    assert_eq!(store.enrolment_token(hash("token"), None, NOW).await.unwrap(), useless);
    assert_eq!(store.enrolment_token(hash("token"), Some(hash("csr")), NOW.plus(HOUR)).await.unwrap(), useless);
    for (serial, good) in [("1", true), ("2", false), ("3", false)] {
        assert_eq!(store.certificate_in_force(tenant, serial, NOW).await.unwrap(), good, "{serial}");
    }
}

async fn enrolling_anew_revokes_older_certificates(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, _) = household(&store, "ours").await;
    let (other, _) = household(&store, "theirs").await;
    let certificate =
        |serial: &str| Certificate { serial: serial.to_owned(), expires: NOW.plus(HOUR), pem: serial.to_owned() };
    store.add_certificate(tenant, certificate("old"), NOW).await.unwrap();
    store.add_certificate(other, certificate("other"), NOW).await.unwrap();
    store.add_enrolment_token(tenant, hash("token"), NOW, NOW.plus(HOUR)).await.unwrap();
    store.audit_key(tenant, vec![1; 32], NOW).await.unwrap();
    store.spend_enrolment_token(hash("token"), hash("csr"), certificate("new"), NOW).await.unwrap();
    assert!(!store.certificate_in_force(tenant, "old", NOW).await.unwrap());
    assert!(store.certificate_in_force(tenant, "new", NOW).await.unwrap());
    assert!(store.certificate_in_force(other, "other", NOW).await.unwrap());
    assert!(!store.certificate_in_force(tenant, "other", NOW).await.unwrap(), "another tenant's");
    assert!(!store.certificate_in_force(tenant, "new", NOW.plus(HOUR)).await.unwrap(), "expired");
    // The audit key is pinned by whoever reports first after enrolling.
    assert_eq!(store.audit_key(tenant, vec![2; 32], NOW).await.unwrap(), [2; 32]);
    assert_eq!(store.audit_key(tenant, vec![3; 32], NOW).await.unwrap(), [2; 32]);
}

async fn a_login_link_is_spent_once(db: Db) {
    let store = Store::new(db, "test");
    let user = User { id: UserId::new(NOW, &chance()), name: "ada".to_owned(), role: Role::Operator };
    let user = store.add_user(user, None, NOW).await.unwrap();
    let until = NOW.plus(HOUR);
    store.add_login_link(user.id, hash("link"), NOW, until).await.unwrap();
    assert_eq!(store.spend_login_link(hash("link"), hash("late"), until, until).await.unwrap(), None);
    assert_eq!(store.spend_login_link(hash("guess"), hash("s"), NOW, until).await.unwrap(), None);
    // Looking at it, as a link preview does, spends nothing.
    assert_eq!(store.peek_login_link(hash("link"), NOW).await.unwrap(), Some(user.clone()));
    assert_eq!(store.spend_login_link(hash("link"), hash("session"), NOW, until).await.unwrap(), Some(user.clone()));
    assert_eq!(store.peek_login_link(hash("link"), NOW).await.unwrap(), None);
    assert_eq!(store.spend_login_link(hash("link"), hash("again"), NOW, until).await.unwrap(), None);
    assert_eq!(store.user_of_token(TokenKind::Session, hash("again"), NOW).await.unwrap(), None);
    assert_eq!(store.user_of_token(TokenKind::Session, hash("session"), NOW).await.unwrap(), Some(user));
    assert_eq!(store.user_of_token(TokenKind::Session, hash("session"), until).await.unwrap(), None, "expired");
    store.end_session(hash("session")).await.unwrap();
    assert_eq!(store.user_of_token(TokenKind::Session, hash("session"), NOW).await.unwrap(), None, "ended");
}

async fn tokens_of_one_kind_are_not_those_of_another(db: Db) {
    let store = Store::new(db, "test");
    let user = User { id: UserId::new(NOW, &chance()), name: "ada".to_owned(), role: Role::Member };
    let user = store.add_user(user, None, NOW).await.unwrap();
    store.add_api_token(user.id, hash("api"), "ci", NOW, NOW.plus(HOUR)).await.unwrap();
    assert_eq!(store.user_of_token(TokenKind::Session, hash("api"), NOW).await.unwrap(), None);
    assert_eq!(store.user_of_token(TokenKind::Api, hash("api"), NOW.plus(HOUR)).await.unwrap(), None, "expired");
    assert_eq!(store.user_of_token(TokenKind::Api, hash("api"), NOW).await.unwrap(), Some(user.clone()));
    // The name is taken: the one who has it stays who they are.
    let impostor = User { id: UserId::new(NOW, &chance()), name: "ada".to_owned(), role: Role::Operator };
    assert_eq!(store.add_user(impostor, None, NOW).await.unwrap(), user);
}

async fn the_first_decision_stands(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, us) = household(&store, "ours").await;
    let new = crate::testing::approval(tenant, "red", NOW);
    let (digest, late) = (new.digest, new.approve_by);
    assert!(store.put_approval(tenant, new.clone(), NOW).await.unwrap());
    assert!(!store.put_approval(tenant, new.clone(), NOW.plus(HOUR)).await.unwrap(), "a repeat is not new");
    assert_eq!(
        store.decide(&us, digest, ruling(Verdict::Approved, late), vec![1], None).await.unwrap(),
        Err(NotDecided::Late)
    );
    let decided = store.decide(&us, digest, ruling(Verdict::Denied, NOW), vec![2], None).await.unwrap().unwrap();
    assert_eq!(decided.state, ApprovalState::Denied(ruling(Verdict::Denied, NOW)));
    for verdict in [Verdict::Approved, Verdict::Denied] {
        let again = store.decide(&Caller::Operator, digest, ruling(verdict, NOW), vec![3], None).await.unwrap();
        assert_eq!(again, Err(NotDecided::AlreadyDecided(StateKind::Denied)));
    }
    assert!(!store.put_approval(tenant, new, NOW).await.unwrap());
    assert_eq!(store.approval(&us, digest).await.unwrap().unwrap(), decided, "a repeated request changes nothing");
}

async fn an_approval_only_moves_forward(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, us) = household(&store, "ours").await;
    let new = crate::testing::approval(tenant, "red", NOW);
    let digest = new.digest;
    store.put_approval(tenant, new, NOW).await.unwrap();
    let progress =
        |state, by: &str| Progress { digest, state, at: NOW, result: "out".to_owned(), decided_by: by.to_owned() };
    store.decide(&us, digest, ruling(Verdict::Approved, NOW), vec![1], None).await.unwrap().unwrap();
    assert!(!store.put_progress(tenant, progress(StateKind::Pending, "")).await.unwrap());
    assert!(store.put_progress(tenant, progress(StateKind::Claimed, "")).await.unwrap());
    assert!(!store.put_progress(tenant, progress(StateKind::Claimed, "")).await.unwrap(), "a repeat");
    assert!(!store.put_progress(tenant, progress(StateKind::Denied, "eve")).await.unwrap(), "it runs already");
    assert!(store.put_progress(tenant, progress(StateKind::Done, "")).await.unwrap());
    for state in StateKind::ALL {
        assert!(!store.put_progress(tenant, progress(state, "eve")).await.unwrap(), "{state:?} after the end");
    }
    let ended = store.approval(&us, digest).await.unwrap().unwrap();
    assert_eq!(ended.state.result(), Some("out"));
    assert_eq!(ended.state.ruling(), Some(&ruling(Verdict::Approved, NOW)));
}

async fn a_decision_taken_on_the_tenant_is_shown_with_its_name(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, us) = household(&store, "ours").await;
    let local = crate::testing::approval(tenant, "yellow", NOW);
    let digest = local.digest;
    store.put_approval(tenant, local, NOW).await.unwrap();
    let denied =
        Progress { digest, state: StateKind::Denied, at: NOW, result: String::new(), decided_by: "root".to_owned() };
    assert!(store.put_progress(tenant, denied).await.unwrap());
    let ruling = store.approval(&us, digest).await.unwrap().unwrap().state.ruling().cloned().unwrap();
    assert_eq!((ruling.verdict, ruling.by.as_str(), ruling.origin), (Verdict::Denied, "root", Origin::Tenant));
    assert!(store.open_decisions(tenant).await.unwrap().is_empty(), "nothing to tell the tenant that decided");
}

async fn what_happened_on_the_tenant_is_shown(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, us) = household(&store, "ours").await;
    let done = |digest| Progress {
        digest,
        state: StateKind::Done,
        at: NOW,
        result: "out".to_owned(),
        decided_by: "root".to_owned(),
    };
    // Denied here after it was approved there: the tenant refuses the decision, and the call has run.
    for (class, receipt, shown) in [
        ("a", None, StateKind::Done),
        ("b", Some(Receipt::Refused("decided already".to_owned())), StateKind::Done),
        ("c", Some(Receipt::Taken), StateKind::Denied),
    ] {
        let new = crate::testing::approval(tenant, class, NOW);
        let digest = new.digest;
        store.put_approval(tenant, new, NOW).await.unwrap();
        store.decide(&us, digest, ruling(Verdict::Denied, NOW), vec![1], None).await.unwrap().unwrap();
        if let Some(receipt) = receipt {
            store.put_receipt(tenant, digest, receipt, NOW).await.unwrap();
        }
        store.put_progress(tenant, done(digest)).await.unwrap();
        let state = store.approval(&us, digest).await.unwrap().unwrap().state;
        assert_eq!(state.kind(), shown, "{class}");
        let by = if shown == StateKind::Done { "root" } else { "ada" };
        assert_eq!(state.ruling().unwrap().by, by, "{class}");
    }
    // The hub's clock said that it expired; the tenant was only away.
    let new = crate::testing::approval(tenant, "d", NOW);
    let digest = new.digest;
    store.put_approval(tenant, new, NOW).await.unwrap();
    assert_eq!(store.expire_approvals(NOW.plus(2 * HOUR)).await.unwrap(), 1);
    assert_eq!(store.approval(&us, digest).await.unwrap().unwrap().state.kind(), StateKind::Expired);
    let late = store.decide(&us, digest, ruling(Verdict::Approved, NOW), vec![1], None).await.unwrap();
    assert_eq!(late, Err(NotDecided::AlreadyDecided(StateKind::Expired)));
    assert!(store.put_progress(tenant, done(digest)).await.unwrap());
}

async fn a_decision_is_open_until_its_receipt(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, us) = household(&store, "ours").await;
    let (other, _) = household(&store, "theirs").await;
    let new = crate::testing::approval(tenant, "red", NOW);
    let digest = new.digest;
    store.put_approval(tenant, new, NOW).await.unwrap();
    assert!(store.open_decisions(tenant).await.unwrap().is_empty());
    store.decide(&us, digest, ruling(Verdict::Approved, NOW), vec![9], None).await.unwrap().unwrap();
    let open = store.open_decisions(tenant).await.unwrap();
    assert_eq!((open.len(), open[0].digest, open[0].signature.as_slice()), (1, digest, &[9][..]));
    assert!(store.open_decisions(other).await.unwrap().is_empty());
    store.put_receipt(other, digest, Receipt::Taken, NOW).await.unwrap();
    assert_eq!(store.open_decisions(tenant).await.unwrap().len(), 1, "another tenant's receipt is none");
    store.put_receipt(tenant, digest, Receipt::Refused("late".to_owned()), NOW).await.unwrap();
    store.put_receipt(tenant, digest, Receipt::Taken, NOW).await.unwrap();
    assert!(store.open_decisions(tenant).await.unwrap().is_empty());
    let receipt = store.approval(&us, digest).await.unwrap().unwrap().receipt;
    assert_eq!(receipt, Some(Receipt::Refused("late".to_owned())), "the first receipt stays");
}

async fn usage_totals_never_shrink(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, us) = household(&store, "ours").await;
    let totals = |requests, cost_micros| Totals { requests, cost_micros, ..Totals::default() };
    // (revision, totals) → (revision on disk, totals on disk, shrunk)
    for (revision, sent, stored, kept, shrunk) in [
        (2, totals(5, 50), 2, totals(5, 50), false),
        (2, totals(9, 90), 2, totals(5, 50), false),
        (1, totals(9, 90), 2, totals(5, 50), false),
        (3, totals(6, 60), 3, totals(6, 60), false),
        (4, totals(7, 10), 4, totals(7, 60), true),
        (5, totals(8, 80), 5, totals(8, 80), true),
    ] {
        let answer = store.put_usage(tenant, vec![bucket(revision, sent)], NOW).await.unwrap();
        assert_eq!(answer[0].1, stored, "revision {revision}");
        let lines = store.usage(&us, Some(tenant), Timestamp(0), NOW.plus(HOUR)).await.unwrap();
        assert_eq!((lines[0].totals, lines[0].shrunk), (kept, shrunk), "revision {revision}");
    }
    let hours = store.usage_by_hour(&us, None, NOW.hour(), NOW.plus(HOUR)).await.unwrap();
    assert_eq!((hours.len(), hours[0].totals), (1, totals(8, 80)));
    assert!(store.usage(&us, None, Timestamp(0), NOW.hour()).await.unwrap().is_empty(), "the end is excluded");
}

async fn a_rewritten_history_is_flagged(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, us) = household(&store, "ours").await;
    for (length, head, highest, consistent) in
        [(5, "a", 5, true), (5, "a", 5, true), (9, "b", 9, true), (7, "c", 9, true), (5, "x", 9, false)]
    {
        let outcome = store.put_checkpoint(tenant, checkpoint(length, head), NOW).await.unwrap();
        assert_eq!((outcome.length, outcome.consistent), (highest, consistent), "{length} {head}");
    }
    let cut = Checkpoint { at: NOW.plus(HOUR), ..checkpoint(8, "d") };
    assert!(!store.put_checkpoint(tenant, cut, NOW).await.unwrap().consistent, "a later one is shorter");
    assert!(store.audit_contradicted(&us, tenant).await.unwrap());
    assert_eq!(store.checkpoints(&us, tenant, 9).await.unwrap().len(), 5, "the contradiction is kept beside the first");
}

async fn an_activity_row_counts_once(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, us) = household(&store, "ours").await;
    assert_eq!(store.put_activity(tenant, vec![row(1), row(2)]).await.unwrap(), 2);
    let changed = ActivityRow { summary: "rewritten".to_owned(), ..row(2) };
    assert_eq!(store.put_activity(tenant, vec![changed, row(3)]).await.unwrap(), 3);
    let rows = store.activity(&us, None, None, 10).await.unwrap();
    assert_eq!(rows.iter().map(|r| r.row.summary.as_str()).collect::<Vec<_>>(), ["row 3", "row 2", "row 1"]);
    let before = super::activity::Before { at: NOW, number: 3 };
    assert_eq!(store.activity(&us, None, Some(before), 1).await.unwrap()[0].row.number, 2);
}

async fn a_fenced_stream_writes_nothing(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, us) = household(&store, "ours").await;
    assert_eq!(store.next_epoch(TenantId::new(NOW, &chance())).await.unwrap(), None, "no such tenant");
    assert_eq!(store.tenant(&us, tenant, NOW).await.unwrap().unwrap().standing(NOW), Standing::New);
    assert_eq!(store.next_epoch(tenant).await.unwrap(), Some(1));
    assert_eq!(store.put_status(tenant, status(1)).await.unwrap(), Ok(()));
    assert_eq!(store.next_epoch(tenant).await.unwrap(), Some(2));
    assert_eq!(store.put_status(tenant, status(1)).await.unwrap(), Err(Fenced));
    assert_eq!(store.put_status(tenant, status(2)).await.unwrap(), Ok(()));
    let later = NOW.plus(HOUR);
    store.seen(vec![(tenant, 1, later, false)]).await.unwrap();
    let row = store.tenant(&us, tenant, NOW).await.unwrap().unwrap();
    assert_eq!(row.status, Some(status(2)), "the end of the old stream is not the end of the new one");
    assert_eq!((row.standing(NOW), row.standing(later)), (Standing::Online, Standing::Offline));
    store.seen(vec![(tenant, 2, later, false)]).await.unwrap();
    assert_eq!(store.tenant(&us, tenant, later).await.unwrap().unwrap().standing(later), Standing::Offline);
}

async fn a_command_ends_once(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, us) = household(&store, "ours").await;
    let one = command(tenant);
    store.add_command(&us, one.clone()).await.unwrap();
    assert_eq!(store.open_commands(tenant, NOW).await.unwrap(), std::slice::from_ref(&one));
    assert!(store.open_commands(tenant, one.deadline).await.unwrap().is_empty(), "too late to begin");
    let put = |state| store.put_command_state(tenant, one.id, state, "said".to_owned(), NOW);
    assert!(put(CommandState::Received).await.unwrap());
    assert!(store.open_commands(tenant, NOW).await.unwrap().is_empty(), "it is in the tenant's journal");
    assert!(put(CommandState::Succeeded).await.unwrap());
    assert!(!put(CommandState::Failed).await.unwrap());
    let late = command(tenant);
    store.add_command(&us, late.clone()).await.unwrap();
    assert_eq!(late.standing(late.deadline), CommandState::Expired);
    assert_eq!(store.expire_commands(late.deadline.plus(HOUR)).await.unwrap(), 1);
    let states: Vec<_> = store.commands(&us, tenant, 9).await.unwrap().into_iter().map(|c| (c.id, c.state)).collect();
    assert!(states.contains(&(one.id, CommandState::Succeeded)) && states.contains(&(late.id, CommandState::Expired)));
}

async fn a_policy_follows_its_predecessor(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, us) = household(&store, "ours").await;
    for (version, outcome) in
        [(2, Err(VersionTaken)), (1, Ok(())), (1, Err(VersionTaken)), (3, Err(VersionTaken)), (2, Ok(()))]
    {
        assert_eq!(store.put_policy(policy(tenant, version)).await.unwrap(), outcome, "version {version}");
    }
    let nobody = policy(TenantId::new(NOW, &chance()), 1);
    assert_eq!(store.put_policy(nobody).await.unwrap(), Err(VersionTaken));
    assert_eq!(store.policy(&us, tenant).await.unwrap(), Some(policy(tenant, 2)));
    assert_eq!(store.policies_expiring(NOW.plus(HOUR)).await.unwrap(), []);
    assert_eq!(store.policies_expiring(NOW.plus(2 * HOUR)).await.unwrap(), [policy(tenant, 2)]);
    let name = "ours".parse().unwrap();
    let organisation = store.organisations().await.unwrap()[0].id;
    let again = store.add_tenant(organisation, TenantId::new(NOW, &chance()), &name, NOW).await.unwrap();
    assert_eq!(again, Err(NameTaken));
}

async fn a_process_does_not_hear_itself(db: Db) {
    let (here, there) = (Store::new(db.clone(), "here"), Store::new(db, "there"));
    let (tenant, _) = household(&here, "ours").await;
    let start = here.last_change().await.unwrap();
    here.put_policy(policy(tenant, 1)).await.unwrap().unwrap();
    assert_eq!(here.changes_after(start).await.unwrap(), []);
    let heard = there.changes_after(start).await.unwrap();
    assert_eq!(heard.iter().map(|c| (c.topic.as_str(), c.tenant)).collect::<Vec<_>>(), [("policy", Some(tenant))]);
    there.forget_old_changes(NOW.plus(HOUR)).await.unwrap();
    assert_eq!(there.last_change().await.unwrap(), heard[0].number, "numbers go on");
}

async fn a_failure_undoes_its_own_work_only(db: Db) {
    let insert = "INSERT INTO organisations (id, name, created_ms) VALUES ($1, $2, $3)";
    let db = Arc::new(db);
    // All of them wait together, so they share commits; each third one fails after it has written.
    let jobs: Vec<_> = (0..60_i64)
        .map(|number| {
            let db = Arc::clone(&db);
            tokio::spawn(async move {
                db.run_tx("mixed", move |tx| {
                    let id = format!("{number}");
                    tx.execute(insert, args![id.as_str(), id.as_str(), number])?;
                    if number % 3 == 0 {
                        tx.execute(insert, args![id.as_str(), id.as_str(), number]).map(drop)
                    } else {
                        Ok(())
                    }
                })
                .await
            })
        })
        .collect();
    for (number, job) in jobs.into_iter().enumerate() {
        let outcome = job.await.unwrap();
        assert_eq!(matches!(outcome, Err(StoreError::Statement { .. })), number % 3 == 0, "{number}: {outcome:?}");
    }
    let count = db
        .read("count", |tx| {
            tx.first("SELECT COUNT(*), SUM(CASE WHEN created_ms % 3 = 0 THEN 1 ELSE 0 END) FROM organisations", args![])
        })
        .await
        .unwrap()
        .map(|mut row| (row.next::<i64>().unwrap(), row.next::<i64>().unwrap()));
    assert_eq!(count, Some((40, 0)));
}

async fn a_reader_cannot_write(db: Db) {
    let written = db.read("write", |tx| tx.execute("DELETE FROM tenants", args![])).await;
    assert!(matches!(written, Err(StoreError::Statement { .. })), "{written:?}");
}

#[test]
fn a_newer_schema_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = super::db::file_in(dir.path());
    drop(Db::open_sqlite(&path).expect("opens"));
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 1000).unwrap();
    assert!(matches!(Db::open_sqlite(&path), Err(StoreError::NewerSchema { found: 1000, .. })));
}

#[test]
fn states_follow_each_other_one_way() {
    for from in StateKind::ALL {
        assert!(!from.may_become(from), "{from:?}");
        assert!(!from.may_become(StateKind::Pending), "{from:?}");
        for to in StateKind::ALL {
            assert!(!(from.is_final() && from.may_become(to)), "{from:?} is final");
            assert!(!(from.may_become(to) && to.may_become(from)), "{from:?} and {to:?}");
        }
    }
}
