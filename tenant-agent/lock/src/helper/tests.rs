use std::sync::Mutex;

use wardkeep_proto::time::Timestamp;

use super::*;
use crate::client::{ClientError, ask};
use crate::nft::Nft;
use crate::plan::UidRange;
use crate::sockets::Sockets;
use crate::sockets::tests::nothing_open;

#[derive(Debug)]
struct Fixed;

impl Chance for Fixed {
    fn fill(&self, out: &mut [u8]) {
        out.fill(7);
    }
}

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp(1_000)
    }
}

struct Served {
    dir: tempfile::TempDir,
    plan: Arc<Mutex<Result<Plan, String>>>,
    stop: CancellationToken,
}

fn plan(uid: u32) -> Plan {
    let door = "127.0.0.1:7400".parse().expect("an address");
    Plan::new(vec![UidRange { first: uid, last: uid }], [door], 999).expect("sound")
}

impl Served {
    /// With an `nft` that remembers what it was told, and a table in which one destination was tried.
    fn new(daemon: u32) -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let script = r#"
            cd "$0"
            case "$*" in
                '-f -') cat > new; case "$(cat new)" in *'delete table inet wardkeep') rm -f rules ;; *) mv new rules ;; esac ;;
                *) if [ ! -e rules ]; then echo 'No such file or directory' >&2; exit 1; fi
                   printf '{"nftables":[{"chain":{"name":"%s"}},{"set":{"name":"tried4","elem":[{"elem":{"val":{"concat":[998,"192.0.2.9",6,443]},"counter":{"packets":3,"bytes":180}}}]}}]}' "$(cksum < rules)" ;;
            esac"#;
        let words = ["sh", "-c", script, &dir.path().display().to_string()].map(str::to_owned);
        let now = Arc::new(Mutex::new(Ok(plan(998))));
        let plan = now.clone();
        let terms = Terms {
            lock: Lock::new(Nft::command(words), Sockets::through(nothing_open), dir.path().join("saved.json")),
            journal: dir.path().join("journal.json"),
            socket: dir.path().join("helper.sock"),
            daemon,
            plan: Arc::new(move || plan.lock().expect("whole").clone()),
            runs: crate::runs::tests::terms(dir.path()),
            containers: ContainerTerms {
                engine: Arc::new(|| Ok(None)),
                workspaces: Arc::new(|| Ok(Vec::new())),
                group: 997,
            },
            every: Duration::from_secs(3600),
            clock: Arc::new(Fixed),
            chance: Arc::new(Fixed),
        };
        let stop = CancellationToken::new();
        // Nothing is there to look after yet; the next look is far.
        tokio::spawn(Helper::open(terms).expect("listens").run(stop.clone()));
        Self { dir, plan: now, stop }
    }

    async fn ask(&self, request: Request) -> Result<Answer, ClientError> {
        ask(&self.dir.path().join("helper.sock"), request).await
    }

    async fn status(&self, request: Request) -> (bool, Status) {
        match self.ask(request).await {
            Ok(Answer::Status { changed, status }) => (changed, status),
            other => panic!("{other:?}"),
        }
    }

    async fn events(&self, after: u64) -> Vec<What> {
        match self.ask(Request::EgressEvents { after }).await {
            Ok(Answer::Events { events, .. }) => events.into_iter().map(|event| event.what).collect(),
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[test]
fn only_the_daemon_and_root_are_heard() {
    assert!(allowed(0, 999) && allowed(999, 999) && !allowed(998, 999) && !allowed(u32::MAX, 999));
}

#[tokio::test]
async fn locked_looked_at_and_unlocked_with_a_record_of_each() {
    let helper = Served::new(me());
    assert_eq!(helper.status(Request::EgressStatus {}).await.1.state, State::Unlocked);
    let (changed, status) = helper.status(Request::EgressLock {}).await;
    assert!(changed && status.state == State::Locked && status.outdated.is_none(), "{status:?}");
    assert_eq!((status.uids[0].first, status.tried[0].count.packets), (998, 3));
    assert!(!helper.status(Request::EgressLock {}).await.0);
    let (changed, status) = helper.status(Request::EgressUnlock {}).await;
    assert!(changed && status.state == State::Unlocked);
    assert!(!helper.status(Request::EgressUnlock {}).await.0);
    let events = helper.events(0).await;
    assert!(matches!(events[0], What::Applied { by, .. } if by == me()), "{events:?}");
    assert!(matches!(events[1], What::Attempt(tried) if tried.destination.port == Some(443)), "{events:?}");
    assert_eq!(events[2..], [What::Removed { by: me() }]);
    assert_eq!(helper.events(2).await, [What::Removed { by: me() }]);
}

#[tokio::test]
async fn rules_that_somebody_removed_are_put_back_and_that_is_told() {
    let helper = Served::new(me());
    helper.status(Request::EgressLock {}).await;
    std::fs::remove_file(helper.dir.path().join("rules")).expect("removed");
    let (_, status) = helper.status(Request::EgressStatus {}).await;
    assert_eq!((status.state, status.drift), (State::Drifted, Some(crate::lock::Drift::RulesGone)));
    // Each verb that changes looks first.
    assert!(!helper.status(Request::EgressLock {}).await.0);
    assert!(helper.events(0).await.contains(&What::Mended { drift: crate::lock::Drift::RulesGone }));
    assert_eq!(helper.status(Request::EgressStatus {}).await.1.state, State::Locked);
}

#[tokio::test]
async fn a_configuration_that_changed_is_told_and_one_that_is_broken_locks_nothing() {
    let helper = Served::new(me());
    *helper.plan.lock().expect("whole") = Err("lock.users is wrong".to_owned());
    let error = helper.ask(Request::EgressLock {}).await.expect_err("refused");
    assert_eq!(error.to_string(), "lock.users is wrong");
    *helper.plan.lock().expect("whole") = Ok(plan(998));
    helper.status(Request::EgressLock {}).await;
    *helper.plan.lock().expect("whole") = Ok(plan(997));
    let (_, status) = helper.status(Request::EgressStatus {}).await;
    assert_eq!((status.state, status.outdated.is_some()), (State::Locked, true));
    assert!(helper.status(Request::EgressLock {}).await.0);
    assert_eq!(helper.status(Request::EgressStatus {}).await.1.uids[0].first, 997);
}

#[tokio::test]
async fn what_is_no_question_is_refused_and_does_nothing() {
    let helper = Served::new(me());
    let socket = helper.dir.path().join("helper.sock");
    assert_eq!(std::fs::metadata(&socket).expect("there").permissions().mode() & 0o777, 0o600);
    for (length, text) in [(4, "{}  "), (15, "{\"verb\":\"sh\"}  "), (u32::MAX, "{\"verb\":\"egress-lock\"}")] {
        use tokio::io::AsyncWriteExt as _;
        let mut stream = UnixStream::connect(&socket).await.expect("connected");
        stream.write_all(&u32::to_be_bytes(length)).await.expect("written");
        stream.write_all(text.as_bytes()).await.expect("written");
        let answer: Answer = protocol::read(&mut stream, 1000).await.expect("an answer");
        assert!(matches!(answer, Answer::Refused { .. }), "{text}");
    }
    assert_eq!(helper.events(0).await, []);
}
