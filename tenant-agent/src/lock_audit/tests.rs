use std::path::Path;
use std::sync::Mutex;

use tokio::net::UnixListener;
use wardkeep_lock::listing::{Count, Destination};
use wardkeep_lock::lock::Drift;
use wardkeep_lock::protocol;
use wardkeep_policy::{Bundle, Posture};
use wardkeep_proto::ids::SecretName;
use wardkeep_proto::secret::{Destination as To, KnownValue, NotGiven, SecretSource, SecretValue};
use wardkeep_redaction::Shared;
use wardkeep_safety::{GateParts, PostureBook, RunnerCommand, Sandbox};

use super::*;
use crate::secrets::patterns_only;
use crate::testing::{Counted, TestClock};

struct NoSecrets;

impl SecretSource for NoSecrets {
    fn resolve(&self, name: &SecretName, _: To<'_>) -> Result<SecretValue, NotGiven> {
        Err(NotGiven::Unknown(name.clone()))
    }

    fn every_value(&self) -> Result<Vec<KnownValue>, NotGiven> {
        Ok(Vec::new())
    }
}

/// A helper that answers from a list; its name can change.
struct Helper {
    dir: tempfile::TempDir,
    journal: Arc<Mutex<(String, Vec<Event>)>>,
    clock: Arc<TestClock>,
}

impl Helper {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let journal = Arc::new(Mutex::new(("first".to_owned(), Vec::<Event>::new())));
        let (listener, kept) = (UnixListener::bind(dir.path().join("helper.sock")).expect("bound"), journal.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let asked = protocol::read(&mut stream, protocol::ASK_BYTES).await.expect("a question");
                let Request::EgressEvents { after } = asked else { panic!("{asked:?}") };
                let (journal, events) = kept.lock().expect("whole").clone();
                // Two at a time: there is more than one answer.
                let events = events.into_iter().filter(|event| event.number > after).take(2).collect();
                protocol::write(&mut stream, &Answer::Events { journal, events }).await.expect("written");
            }
        });
        Self { dir, journal, clock: Arc::new(TestClock::new()) }
    }

    fn happened(&self, what: impl IntoIterator<Item = What>) {
        let mut journal = self.journal.lock().expect("whole");
        for what in what {
            let number = journal.1.last().map_or(1, |event| event.number + 1);
            journal.1.push(Event { number, at: Timestamp(number.cast_signed()), what });
        }
    }

    /// A start of the daemon.
    fn start(&self) -> (Arc<Gate>, LockAudit) {
        let chance = Arc::new(Counted::default());
        let redaction = Shared::new(patterns_only(&[3; 32]).expect("builds"));
        let parts = GateParts {
            tenant: wardkeep_proto::ids::TenantId::new(self.clock.now(), &*chance),
            secrets: Arc::new(NoSecrets),
            redaction,
            bundle: tokio::sync::watch::channel(Arc::new(Bundle::strict())).1,
            posture: PostureBook::new(Posture::open()),
            clock: self.clock.clone(),
            chance,
            waypoints: Arc::new(wardkeep_proto::waypoint::NoWaypoints),
            runner: RunnerCommand { program: "/bin/false".into(), args: Vec::new(), leaf: Vec::new() },
            sandbox: Sandbox::Off,
            walls: wardkeep_safety::WallsBook::processes(),
        };
        let gate = Gate::open(&self.dir.path().join("gate"), parts).expect("opens");
        (gate.clone(), LockAudit::new(gate, self.dir.path().join("helper.sock"), self.clock.clone()))
    }
}

fn attempt(port: u16) -> What {
    let destination = Destination {
        uid: Some(998),
        address: "192.0.2.9".parse().expect("an address"),
        protocol: 6,
        port: Some(port),
    };
    What::Attempt(Tried { destination, count: Count { packets: 3, bytes: 180 } })
}

async fn rows(gate: &Gate) -> Vec<(String, Value)> {
    let rows = gate.audit_after(0, 100).await.expect("reads").into_iter();
    rows.map(|row| (row.kind, serde_json::from_str(&row.fields).expect("JSON"))).collect()
}

async fn notices(gate: &Gate) -> Vec<String> {
    gate.activity_after(0, 100).await.expect("reads").into_iter().map(|row| row.summary).collect()
}

#[tokio::test]
async fn each_event_is_told_once_whether_or_not_a_daemon_runs() {
    let helper = Helper::new();
    let uids = vec![UidRange { first: 998, last: 998 }];
    helper.happened([What::Applied { by: 0, uids, doors: vec!["127.0.0.1:7400".parse().expect("an address")] }]);
    {
        let (gate, mut audit) = helper.start();
        audit.catch_up().await.expect("told");
        helper.happened([attempt(443), attempt(53), What::Mended { drift: Drift::RulesGone }]);
        audit.catch_up().await.expect("told");
        audit.catch_up().await.expect("told");
        assert_eq!(rows(&gate).await.len(), 4);
    }
    helper.happened([What::Flood { destinations: 7 }, What::Removed { by: 999 }]);
    let (gate, mut audit) = helper.start();
    audit.catch_up().await.expect("told");
    let rows = rows(&gate).await;
    let kinds: Vec<&str> = rows.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["lock-applied", "lock-attempt", "lock-attempt", "lock-mended", "lock-flood", "lock-removed"]);
    assert_eq!(
        rows[1].1,
        json!({"journal":"first","number":2,"uid":998,"address":"192.0.2.9","port":443,"protocol":"tcp","packets":3,"bytes":180})
    );
    assert_eq!(rows[5].1, json!({"journal":"first","number":6,"by":"uid-999"}));
    let notices = notices(&gate).await;
    assert_eq!(notices.len(), 4, "{notices:?}");
    assert!(notices[1].contains("998 was kept from tcp 192.0.2.9:443"), "{notices:?}");
}

#[tokio::test]
async fn people_hear_of_attempts_every_ten_minutes_and_the_log_has_all() {
    let helper = Helper::new();
    let (gate, mut audit) = helper.start();
    for (wait, notices_by_then) in [(0, 1), (599, 1), (1, 2)] {
        helper.clock.advance(Duration::from_secs(wait));
        helper.happened([attempt(1), attempt(2)]);
        audit.catch_up().await.expect("told");
        assert_eq!(notices(&gate).await.len(), notices_by_then, "{wait}");
    }
    assert_eq!(rows(&gate).await.len(), 6);
}

#[tokio::test]
async fn what_the_helper_forgot_is_told_and_a_new_journal_begins_at_its_first() {
    let helper = Helper::new();
    helper.happened((0..9).map(attempt));
    helper.journal.lock().expect("whole").1.drain(..4);
    let (gate, mut audit) = helper.start();
    audit.catch_up().await.expect("told");
    assert_eq!(rows(&gate).await[0].1["missed"], 4);
    *helper.journal.lock().expect("whole") = ("second".to_owned(), Vec::new());
    helper.happened([attempt(1)]);
    audit.catch_up().await.expect("told");
    let rows = rows(&gate).await;
    assert_eq!((rows.len(), &rows[5].1["journal"], &rows[5].1["missed"]), (6, &json!("second"), &Value::Null));
}

#[tokio::test]
async fn without_a_helper_there_is_nothing_to_tell() {
    let helper = Helper::new();
    let (gate, _) = helper.start();
    let mut audit = LockAudit::new(gate.clone(), Path::new("/nowhere/helper.sock").to_owned(), helper.clock.clone());
    audit.catch_up().await.expect("no error");
    assert_eq!(rows(&gate).await, []);
}
