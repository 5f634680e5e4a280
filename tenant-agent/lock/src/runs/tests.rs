//! With programs that pretend to be systemd: what the helper asks of it, and whom it serves.

use std::os::unix::net::UnixStream as BlockingStream;
use std::path::Path;

use super::*;
use crate::client::{ClientError, RunLine};
use crate::protocol::{Access, Limits};

/// `systemd-run` that starts the launcher on its own standard input, `systemctl` that ends it.
pub(crate) fn terms(dir: &Path) -> RunTerms {
    // The unit's name becomes a file with the number of the process that stands for the unit.
    let run = r#"
        cd "$0"
        for word in "$@"; do case "$word" in --unit=*) unit=${word#--unit=} ;; --version) exit 0 ;; esac; done
        while [ "$1" != -- ]; do shift; done; shift
        if [ -e "$unit" ]; then echo "Failed to start transient service unit: Unit $unit already exists." >&2; exit 1; fi
        echo $$ > "$unit"
        echo "Running as unit: $unit" >&2
        if "$@"; then result=success; else result=exit-code; fi
        if [ -e "$unit.stopped" ]; then result=signal; fi
        rm "$unit"
        echo "Finished with result: $result" >&2"#;
    let ctl = r#"
        cd "$0"
        case "$1" in show) echo 252 ;; stop)
            if [ ! -e "$3" ]; then echo "Failed to stop $3: Unit $3 not loaded." >&2; exit 5; fi
            : > "$3.stopped"; read pid < "$3"; kill $(cat /proc/$pid/task/$pid/children); while [ -e "$3" ]; do sleep 0.01; done ;;
        esac"#;
    let words = |script: &str| ["sh", "-c", script, dir.to_str().expect("text")].map(OsString::from).to_vec();
    let roots = vec![std::fs::canonicalize(dir).expect("real").join("agents")];
    RunTerms {
        systemd_run: words(run),
        systemctl: words(ctl),
        launcher: vec!["cat".to_owned()],
        group: 997,
        workspaces: Arc::new(move || Ok(roots.clone())),
    }
}

const LIMITS: Limits =
    Limits { seconds: 60, memory_mebibytes: 64, processes: 16, cpu_percent: 100, file_mebibytes: 16 };

fn wanted(number: u8) -> RunStart {
    RunStart {
        permit: format!("00000000-0000-7000-8000-0000000000{number:02x}").parse().expect("a permit"),
        agent: "office".parse().expect("an agent"),
        access: Access::Reads,
        workspace: None,
        limits: LIMITS,
    }
}

struct Ground {
    dir: tempfile::TempDir,
    runs: Runs,
}

impl Ground {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        std::fs::create_dir_all(dir.path().join("agents/office")).expect("made");
        let runs = Runs::new(terms(dir.path()));
        Self { dir, runs }
    }

    /// Starts a run; answers its line to the helper, and the other end of its own line.
    fn start(&self, run: RunStart) -> (RunLine, BlockingStream) {
        let (near, far) = BlockingStream::pair().expect("a pair");
        (self.start_with(run, vec![far.into()]), near)
    }

    fn start_with(&self, run: RunStart, files: Vec<OwnedFd>) -> RunLine {
        let (ours, theirs) = BlockingStream::pair().expect("a pair");
        theirs.set_nonblocking(true).expect("set");
        self.runs.start(run, files, UnixStream::from_std(theirs).expect("a stream"));
        RunLine::of(ours)
    }
}

async fn over(line: RunLine) -> Result<String, ClientError> {
    tokio::task::spawn_blocking(move || line.over(Duration::from_secs(30))).await.expect("no panic")
}

fn refusal(result: Result<String, ClientError>) -> String {
    match result {
        Err(ClientError::Refused(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_not_to_be_is_refused_before_anything_starts() {
    let ground = Ground::new();
    let file = || -> OwnedFd { std::fs::File::open("/dev/null").expect("there").into() };
    let net = || -> OwnedFd { std::net::UdpSocket::bind("127.0.0.1:0").expect("bound").into() };
    let line = || -> OwnedFd { BlockingStream::pair().expect("a pair").0.into() };
    let outside = Some("/etc".to_owned());
    for (what, run, files) in [
        ("no line", wanted(1), vec![]),
        ("a file as its line", wanted(1), vec![file()]),
        ("a network socket as its line", wanted(1), vec![net()]),
        ("a file as its doors", wanted(1), vec![line(), file()]),
        ("a folder outside", RunStart { workspace: outside, ..wanted(1) }, vec![line()]),
        ("no limit", RunStart { limits: Limits { seconds: 0, ..LIMITS }, ..wanted(1) }, vec![line()]),
    ] {
        refusal(over(ground.start_with(run, files)).await);
        assert_eq!(std::fs::read_dir(ground.dir.path()).expect("read").count(), 1, "{what}");
    }
    // None of that used the permit up.
    let (line, near) = ground.start(wanted(1));
    drop(near);
    assert_eq!(over(line).await.expect("it ran"), "success");
}

#[tokio::test]
async fn a_permit_starts_one_unit_ever() {
    let ground = Ground::new();
    let (first, near) = ground.start(wanted(1));
    assert!(refusal(over(ground.start(wanted(1)).0).await).contains("never run twice"), "while it runs");
    drop(near);
    over(first).await.expect("it ran");
    assert!(refusal(over(ground.start(wanted(1)).0).await).contains("never run twice"), "once it has ended");
    ground.runs.end(wanted(2).permit).await.expect("nothing to end");
    assert!(refusal(over(ground.start(wanted(2)).0).await).contains("never run twice"), "ended before it began");
    // A helper that was started again knows no permits; systemd knows the unit.
    let (line, near) = ground.start(wanted(3));
    until(|| ground.dir.path().join(unit::name(wanted(3).permit)).exists()).await;
    let again = Ground { dir: tempfile::tempdir().expect("tempdir"), runs: Runs::new(terms(ground.dir.path())) };
    assert!(refusal(over(again.start(wanted(3)).0).await).contains("already exists"));
    drop(near);
    over(line).await.expect("it ran");
}

#[tokio::test]
async fn a_unit_is_ended_by_its_name_and_when_nobody_waits_for_it() {
    let ground = Ground::new();
    let (line, _near) = ground.start(wanted(1));
    let unit = ground.dir.path().join(unit::name(wanted(1).permit));
    until(|| unit.exists()).await;
    ground.runs.end(wanted(1).permit).await.expect("ended");
    assert!(!unit.exists());
    assert_eq!(over(line).await.expect("it ran"), "signal");

    let (line, _near) = ground.start(wanted(2));
    let unit = ground.dir.path().join(unit::name(wanted(2).permit));
    until(|| unit.exists()).await;
    drop(line);
    until(|| !unit.exists()).await;
    assert!(unit.with_extension("service.stopped").exists());
}

#[tokio::test]
async fn too_many_wait_for_none_and_are_told() {
    let ground = Ground::new();
    let held: Vec<_> = (0..UNITS).map(|number| ground.start(wanted(u8::try_from(number).expect("few")))).collect();
    assert!(refusal(over(ground.start(wanted(200)).0).await).contains("held already"));
    for (line, near) in held {
        drop(near);
        over(line).await.expect("it ran");
    }
    let (line, near) = ground.start(wanted(200));
    drop(near);
    over(line).await.expect("there is room again, and the refusal did not use the permit up");
}

async fn until(mut reached: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if reached() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within ten seconds");
}

#[tokio::test]
async fn a_machine_without_systemd_says_so() {
    let ground = Ground::new();
    assert_eq!(ground.runs.ready().await, Ok(()));
    let none = |program: &str| vec![OsString::from(program)];
    let with = |systemctl| Runs::new(RunTerms { systemctl, ..terms(ground.dir.path()) });
    assert!(with(none("wardkeep-no-systemctl")).ready().await.is_err());
    assert!(with(none("false")).ready().await.is_err());
    let (near, far) = BlockingStream::pair().expect("a pair");
    let runs = Runs::new(RunTerms { systemd_run: none("wardkeep-no-systemd-run"), ..terms(ground.dir.path()) });
    let (ours, theirs) = BlockingStream::pair().expect("a pair");
    theirs.set_nonblocking(true).expect("set");
    runs.start(wanted(9), vec![far.into()], UnixStream::from_std(theirs).expect("a stream"));
    assert!(refusal(over(RunLine::of(ours)).await).contains("cannot be started"));
    drop(near);
}
