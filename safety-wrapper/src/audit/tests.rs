use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use wardkeep_proto::chance::Chance;

use super::*;
use crate::store::Store;

struct Fixed(u8);

impl Chance for Fixed {
    fn fill(&self, out: &mut [u8]) {
        out.fill(self.0);
    }
}

struct Log {
    dir: tempfile::TempDir,
    store: Store,
}

impl Log {
    fn of(rows: i64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("gate.db")).unwrap();
        for at in 0..rows {
            store.write(|tx| append(tx, Timestamp(at), "test", None, &json!({"n": at}))).unwrap();
        }
        Self { dir, store }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("gate.db")
    }

    fn sql(&self, text: &str) {
        self.store.write(|tx| Ok(tx.execute_batch(text)?)).unwrap();
    }

    fn head(&self) -> Head {
        self.store.read(head).unwrap()
    }

    fn checkpoint(&self) -> Checkpoint {
        let tenant = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        Checkpoint::sign(self.head(), tenant, Timestamp(9), &self.key()).unwrap()
    }

    fn key(&self) -> AuditKey {
        AuditKey::open(&self.dir.path().join("audit.key"), &Fixed(5)).unwrap()
    }
}

#[test]
fn what_a_hash_covers_is_canonical_json() {
    let row = |number, at, kind: &str, call: &str, fields: &str| Row {
        number,
        at: Timestamp(at),
        kind: kind.to_owned(),
        call: call.to_owned(),
        fields: fields.to_owned(),
        previous: Digest([7; 32]),
        hash: Digest([8; 32]),
    };
    for row in [
        row(1, 0, "", "", "{}"),
        row(2, 1_795_219_200_123, "call-permitted", "a/s/c", r#"{"tool":"shell","title":"ls \"-la\"\n"}"#),
        row(1 << 53, -(1 << 53), "k", "ä/\u{1f600}/\u{2028}", "\0\u{7f}\u{1b}\u{8}\u{c}\r\t/\\"),
    ] {
        let covered = json!({
            "number": row.number,
            "at_ms": row.at,
            "kind": row.kind,
            "call": row.call,
            "fields": row.fields,
            "previous": row.previous,
        });
        assert_eq!(row.covered().unwrap(), serde_json_canonicalizer::to_vec(&covered).unwrap(), "{row:?}");
    }
}

#[test]
fn every_change_is_found_at_its_row() {
    for (change, at, why) in [
        ("UPDATE audit SET fields = '{\"n\":99}' WHERE number = 3", 3, Why::Changed),
        ("UPDATE audit SET at = at + 1 WHERE number = 1", 1, Why::Changed),
        ("UPDATE audit SET kind = 'other' WHERE number = 5", 5, Why::Changed),
        ("UPDATE audit SET call = 'a/b/c' WHERE number = 2", 2, Why::Changed),
        ("UPDATE audit SET hash = zeroblob(32) WHERE number = 4", 4, Why::Changed),
        ("UPDATE audit SET previous = zeroblob(32) WHERE number = 4", 4, Why::Unlinked),
        ("DELETE FROM audit WHERE number = 3", 3, Why::Missing),
        ("DELETE FROM audit WHERE number = 1", 1, Why::Missing),
        ("DELETE FROM audit WHERE number = 3; UPDATE audit SET number = number - 1 WHERE number > 3", 3, Why::Unlinked),
        (
            "UPDATE audit SET number = 9 WHERE number = 2; UPDATE audit SET number = 2 WHERE number = 3;
             UPDATE audit SET number = 3 WHERE number = 9",
            2,
            Why::Unlinked,
        ),
    ] {
        let log = Log::of(5);
        log.sql(change);
        assert_eq!(verify(&log.path()), Err(Broken { at, why }), "{change}");
    }
    let log = Log::of(5);
    assert_eq!(verify(&log.path()), Ok(Verified { length: 5, head: log.head().hash }));
    assert_eq!(verify(&Log::of(0).path()), Ok(Verified { length: 0, head: Digest([0; 32]) }));
}

#[test]
fn a_row_that_cannot_be_read_is_a_break_and_not_a_panic() {
    let log = Log::of(3);
    log.sql("UPDATE audit SET hash = X'00' WHERE number = 2");
    assert!(matches!(verify(&log.path()), Err(Broken { at: 2, why: Why::Unreadable { .. } })));
    let nowhere = log.dir.path().join("none.db");
    assert!(matches!(verify(&nowhere), Err(Broken { at: 0, why: Why::Unreadable { .. } })));
    assert!(!nowhere.exists(), "looking makes no file");
}

#[test]
fn a_cut_end_shows_against_a_checkpoint_only() {
    let log = Log::of(5);
    let (signed, key) = (log.checkpoint(), log.key());
    log.sql("DELETE FROM audit WHERE number > 3");
    assert_eq!(verify(&log.path()).map(|v| v.length), Ok(3));
    let broken = verify_against(&log.path(), &signed, key.public());
    assert_eq!(broken, Err(Broken { at: 4, why: Why::Truncated(5) }));
}

/// A server that never ran is told apart from one whose history was taken away.
#[test]
fn a_log_that_is_gone_beside_its_checkpoint_is_no_fresh_start() {
    let dir = tempfile::tempdir().unwrap();
    assert!(is_unbegun(dir.path()));
    let log = Log::of(3);
    assert!(!is_unbegun(log.dir.path()));
    std::fs::write(log.dir.path().join(KEPT), serde_json::to_vec(&log.checkpoint()).unwrap()).unwrap();
    std::fs::remove_file(log.path()).unwrap();
    assert!(!is_unbegun(log.dir.path()) && verify_folder(log.dir.path()).is_err());
}

#[test]
fn a_chain_written_anew_is_not_the_one_that_was_signed() {
    let (old, new) = (Log::of(5), Log::of(3));
    let (signed, key) = (old.checkpoint(), old.key());
    for at in 90..95 {
        new.store.write(|tx| append(tx, Timestamp(at), "other", None, &json!({}))).unwrap();
    }
    assert_eq!(verify(&new.path()).map(|v| v.length), Ok(8));
    let broken = verify_against(&new.path(), &signed, key.public());
    assert_eq!(broken, Err(Broken { at: 5, why: Why::NotAsSigned }));
    old.store.write(|tx| append(tx, Timestamp(7), "test", None, &json!({}))).unwrap();
    assert_eq!(verify_against(&old.path(), &signed, key.public()).map(|v| v.length), Ok(6));
}

#[test]
fn a_forged_checkpoint_proves_nothing() {
    let log = Log::of(2);
    let (signed, key) = (log.checkpoint(), log.key());
    let forgeries = [
        Checkpoint { length: 1, ..signed.clone() },
        Checkpoint { head: Digest([1; 32]), ..signed.clone() },
        Checkpoint { at: Timestamp(8), ..signed.clone() },
        Checkpoint { tenant: "01890a5d-ac96-774b-bcce-b302099a8058".parse().unwrap(), ..signed.clone() },
        Checkpoint { signature: vec![0; 64], ..signed.clone() },
    ];
    for forged in forgeries {
        let broken = verify_against(&log.path(), &forged, key.public());
        assert!(matches!(broken, Err(Broken { why: Why::BadCheckpoint, .. })), "{forged:?}");
    }
    let other = tempfile::tempdir().unwrap();
    let stranger = AuditKey::open(&other.path().join("audit.key"), &Fixed(6)).unwrap();
    assert!(!signed.is_signed_by(stranger.public()));
    assert!(signed.is_signed_by(key.public()));
}

#[test]
fn the_key_stays_private_and_is_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.key");
    let first = AuditKey::open(&path, &Fixed(1)).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(AuditKey::open(&path, &Fixed(2)).unwrap().public(), first.public());
    std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(AuditKey::open(&path, &Fixed(2)), Err(KeyError::Open(_))));
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    for damaged in [&[][..], &[1; 31], &[1; 33]] {
        std::fs::write(&path, damaged).unwrap();
        assert!(matches!(AuditKey::open(&path, &Fixed(2)), Err(KeyError::Damaged(_))));
        assert_eq!(std::fs::read(&path).unwrap(), damaged);
    }
}
