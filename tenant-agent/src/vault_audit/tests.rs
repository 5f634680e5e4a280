use std::path::PathBuf;

use wardkeep_policy::{Bundle, Posture};
use wardkeep_proto::chance::Chance;
use wardkeep_proto::secret::SecretValue;
use wardkeep_proto::time::Clock as _;
use wardkeep_redaction::Shared;
use wardkeep_safety::{GateParts, PostureBook, RunnerCommand, Sandbox};
use wardkeep_vault::{KeySource, Terms, Vault};
use zeroize::Zeroizing;

use super::*;
use crate::secrets::{VaultParts, patterns_only};
use crate::testing::{Counted, TestClock};

struct Server {
    dir: tempfile::TempDir,
    clock: Arc<TestClock>,
    chance: Arc<dyn Chance>,
    key: KeySource,
}

impl Server {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let (clock, chance) = (Arc::new(TestClock::new()), Arc::new(Counted::default()));
        let key = KeySource::generate(&dir.path().join("vault.key"), &*chance).expect("made");
        drop(Vault::create(&dir.path().join("vault.db"), &key, clock.clone()).expect("made"));
        Self { dir, clock, chance, key }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("vault.db")
    }

    /// A start of the daemon.
    fn start(&self) -> (Arc<VaultBook>, Arc<Gate>, Told) {
        let redaction = Shared::new(patterns_only(&[3; 32]).expect("builds"));
        let posture = PostureBook::new(Posture::open());
        let book = Arc::new(VaultBook::new(VaultParts {
            path: self.path(),
            key: self.key.clone(),
            clock: self.clock.clone(),
            redaction: redaction.clone(),
            tag_key: Zeroizing::new([3; 32]),
            posture: posture.clone(),
            bundle: tokio::sync::watch::channel(Arc::new(Bundle::strict())).1,
        }));
        book.refresh();
        let parts = GateParts {
            tenant: wardkeep_proto::ids::TenantId::new(self.clock.now(), &*self.chance),
            secrets: book.clone(),
            redaction,
            bundle: tokio::sync::watch::channel(Arc::new(Bundle::strict())).1,
            posture,
            clock: self.clock.clone(),
            chance: self.chance.clone(),
            waypoints: Arc::new(wardkeep_proto::waypoint::NoWaypoints),
            runner: RunnerCommand { program: "/bin/false".into(), args: Vec::new(), leaf: Vec::new() },
            sandbox: Sandbox::Off,
            walls: wardkeep_safety::WallsBook::processes(),
        };
        (book, Gate::open(&self.dir.path().join("gate"), parts).expect("opens"), Told::default())
    }

    /// The command line, in a process of its own.
    fn set(&self, name: &str) {
        let vault = Vault::open(&self.path(), &self.key, self.clock.clone()).expect("opens");
        let value = SecretValue::new(format!("correct-horse-of-{name}"));
        vault.set(&name.parse().expect("valid"), &value, &Terms::default()).expect("set");
    }
}

async fn told(gate: &Gate) -> Vec<String> {
    let rows = gate.audit_after(0, 100).await.expect("reads");
    assert!(rows.iter().all(|row| !row.fields.contains("correct-horse")));
    let name = |row: &wardkeep_safety::audit::Row| {
        let fields: serde_json::Value = serde_json::from_str(&row.fields).expect("JSON");
        fields["name"].as_str().unwrap_or("-").to_owned()
    };
    rows.iter().filter(|row| row.kind.starts_with("vault-")).map(|row| format!("{} {}", row.kind, name(row))).collect()
}

#[tokio::test]
async fn changes_are_told_once_whether_or_not_a_daemon_runs() {
    let server = Server::new();
    server.set("before");
    {
        let (book, gate, mut memory) = server.start();
        memory.catch_up(&book, &gate, &*server.chance).await.expect("told");
        server.set("during");
        memory.catch_up(&book, &gate, &*server.chance).await.expect("told");
        memory.catch_up(&book, &gate, &*server.chance).await.expect("told");
        assert_eq!(told(&gate).await, ["vault-set before", "vault-set during"]);
    }
    server.set("between");
    let (book, gate, mut memory) = server.start();
    memory.catch_up(&book, &gate, &*server.chance).await.expect("told");
    assert_eq!(told(&gate).await, ["vault-set before", "vault-set during", "vault-set between"]);
}

#[tokio::test]
async fn an_older_copy_is_told_and_what_follows_is_not_lost() {
    let server = Server::new();
    server.set("kept");
    let older = std::fs::read(server.path()).expect("reads");
    server.set("lost");
    {
        let (book, gate, mut memory) = server.start();
        memory.catch_up(&book, &gate, &*server.chance).await.expect("told");
    }
    std::fs::write(server.path(), older).expect("put back");
    let (book, gate, mut memory) = server.start();
    memory.catch_up(&book, &gate, &*server.chance).await.expect("told");
    server.set("after");
    memory.catch_up(&book, &gate, &*server.chance).await.expect("told");
    let all = ["vault-set kept", "vault-set lost", "vault-older-copy -", "vault-set after"];
    assert_eq!(told(&gate).await, all);
    let notices = gate.activity_after(0, 10).await.expect("reads");
    assert!(notices.len() == 1 && notices[0].summary.contains("older copy: 1 of 2"), "{notices:?}");
    drop((book, gate));
    let (book, gate, mut memory) = server.start();
    memory.catch_up(&book, &gate, &*server.chance).await.expect("told");
    assert_eq!(told(&gate).await, all, "once");
}
