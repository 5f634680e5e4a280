use super::*;
use crate::plan::UidRange;
use crate::sockets::tests::nothing_open;

/// A pretended `nft`: the rules are a file, and it can be told to refuse.
struct Kernel {
    dir: tempfile::TempDir,
}

impl Kernel {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("tempdir") }
    }

    fn lock(&self) -> Lock {
        // Lists what was applied as the name of a chain: another text is another shape.
        let script = r#"
            cd "$0"
            if [ -e refuse ]; then echo 'Error: Operation not permitted' >&2; exit 1; fi
            case "$*" in
                '-f -')
                    cat > new
                    case "$(cat new)" in
                        *'delete table inet wardkeep') rm -f rules ;;
                        *) if [ -e other ] && ! grep -q delete new; then echo 'Error: File exists' >&2; exit 1; fi
                           mv new rules ;;
                    esac
                    ;;
                *list*)
                    if [ ! -e rules ]; then echo 'Error: No such file or directory' >&2; exit 1; fi
                    printf '{"nftables":[{"chain":{"name":"%s"}}]}' "$(cksum < rules)"
                    ;;
            esac"#;
        let words = ["sh", "-c", script, &self.dir.path().display().to_string()].map(str::to_owned);
        let unended = self.dir.path().join("unended");
        let sockets = Sockets::through(move || match unended.exists() {
            true => Err(io::ErrorKind::Unsupported.into()),
            false => nothing_open(),
        });
        Lock::new(Nft::command(words), sockets, self.dir.path().join("saved.json"))
    }

    fn put(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join(name), text).expect("written");
    }

    fn rules(&self) -> Option<String> {
        std::fs::read_to_string(self.dir.path().join("rules")).ok()
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.dir.path().join(name)).expect("removed");
    }

    async fn drift(&self) -> Option<Drift> {
        self.lock().look().await.expect("looked").drift
    }
}

fn plan(uid: u32) -> Plan {
    let door = "127.0.0.1:7400".parse().expect("an address");
    Plan::new(vec![UidRange { first: uid, last: uid }], [door], 999).expect("sound")
}

#[tokio::test]
async fn locking_again_changes_nothing_and_another_plan_is_put_in_place() {
    let kernel = Kernel::new();
    let lock = kernel.lock();
    assert_eq!(lock.look().await.expect("looked"), Sight { wanted: None, listing: None, drift: None, open: None });
    assert!(lock.lock(&plan(998)).await.expect("locked"));
    assert!(!lock.lock(&plan(998)).await.expect("locked"));
    assert_eq!(kernel.drift().await, None);
    assert!(lock.lock(&plan(997)).await.expect("locked"));
    assert!(!kernel.rules().expect("rules").contains("delete"));
    // Where it cannot be done in place, it is done all the same.
    kernel.put("other", "");
    assert!(lock.lock(&plan(996)).await.expect("locked"));
    assert!(kernel.rules().expect("rules").contains("delete"));
    assert!(lock.lock(&plan(997)).await.expect("locked"));
    assert_eq!(lock.look().await.expect("looked").wanted, Some(plan(997)));
}

#[tokio::test]
async fn what_nft_refuses_is_not_saved() {
    let kernel = Kernel::new();
    kernel.put("refuse", "");
    assert!(kernel.lock().lock(&plan(998)).await.is_err());
    kernel.remove("refuse");
    assert_eq!(kernel.lock().look().await.expect("looked").wanted, None);
}

#[tokio::test]
async fn what_is_saved_survives_the_kernel() {
    let kernel = Kernel::new();
    assert!(!kernel.lock().restore().await.expect("nothing to do"));
    kernel.lock().lock(&plan(998)).await.expect("locked");
    kernel.remove("rules");
    assert_eq!(kernel.drift().await, Some(Drift::RulesGone));
    assert!(kernel.lock().restore().await.expect("restored"));
    assert_eq!(kernel.drift().await, None);
}

#[tokio::test]
async fn every_difference_has_its_name() {
    let kernel = Kernel::new();
    kernel.put("rules", "something");
    assert_eq!(kernel.drift().await, Some(Drift::NotSaved));
    kernel.lock().lock(&plan(998)).await.expect("locked");
    kernel.put("rules", "something else");
    assert_eq!(kernel.drift().await, Some(Drift::RulesChanged));
    kernel.lock().restore().await.expect("restored");
    let path = kernel.dir.path().join("saved.json");
    let saved = std::fs::read_to_string(&path).expect("saved");
    kernel.put("saved.json", &saved.replace(&digest(&plan(998)).to_string(), &digest(&plan(997)).to_string()));
    assert_eq!(kernel.drift().await, Some(Drift::OlderRules));
    kernel.put("saved.json", "{}");
    let error = kernel.lock().look().await.expect_err("damaged");
    assert!(error.to_string().contains("lock again"), "{error}");
}

#[tokio::test]
async fn unlocking_leaves_neither_rules_nor_wish() {
    let kernel = Kernel::new();
    assert!(!kernel.lock().unlock().await.expect("nothing to do"));
    kernel.lock().lock(&plan(998)).await.expect("locked");
    kernel.put("refuse", "");
    assert!(kernel.lock().unlock().await.is_err());
    assert!(kernel.rules().is_some());
    kernel.remove("refuse");
    assert!(kernel.lock().unlock().await.expect("unlocked"));
    assert_eq!(kernel.rules(), None);
    assert!(!kernel.lock().restore().await.expect("nothing saved"));
}

#[tokio::test]
async fn connections_that_do_not_end_are_told_and_ended_later() {
    let kernel = Kernel::new();
    kernel.put("unended", "");
    assert!(kernel.lock().lock(&plan(998)).await.expect("locked all the same"));
    let open = async || kernel.lock().look().await.expect("looked").open;
    assert!(open().await.expect("told").contains("does not list connections"));
    kernel.lock().end_open().await.expect("tried");
    assert!(open().await.is_some());
    kernel.remove("unended");
    kernel.lock().end_open().await.expect("ended");
    assert_eq!(open().await, None);
    // Each change of who is locked in looks again, and so does each mend.
    kernel.put("unended", "");
    assert!(!kernel.lock().lock(&plan(998)).await.expect("nothing to do") && open().await.is_none());
    kernel.lock().lock(&plan(997)).await.expect("locked");
    assert!(open().await.is_some());
    kernel.remove("unended");
    kernel.lock().restore().await.expect("restored");
    assert_eq!(open().await, None);
}
