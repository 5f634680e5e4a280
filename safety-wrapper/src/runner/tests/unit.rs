//! Runs in units, with processes that stand for units: this test binary, started as a launcher.

use std::os::fd::BorrowedFd;
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};
use wardkeep_policy::RunLimits;
use wardkeep_proto::ids::PermitId;

use super::*;
use crate::runner::unit::{UnitLine, UnitOfRun, UnitSpec, Units, inside as unit_inside};
use crate::runner::{ContainerLine, ContainerOfRun};

/// Not a test of its own: what [`Pretended`] starts. Alone it finds no line on its standard input.
#[test]
#[ignore = "started by the tests that run something"]
fn entry_of_a_launcher() {
    std::process::exit(i32::from(launcher::launch().is_err()));
}

/// What systemd would do, with a process group for a unit and a file for its name.
pub(crate) struct Pretended(PathBuf);

impl Pretended {
    pub(crate) fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// In a runner: the folder beside the state that the run belongs to.
    pub(crate) fn near_run() -> Self {
        let cwd = std::env::current_dir().expect("a folder");
        let beside = cwd.ancestors().map(|folder| folder.join("units")).find(|folder| folder.is_dir());
        Self::new(&beside.unwrap_or_else(|| cwd.join("no-units")))
    }

    fn file(&self, permit: PermitId) -> PathBuf {
        self.0.join(permit.to_string())
    }

    /// The launcher of a unit.
    pub(crate) fn first(&self, permit: PermitId) -> Option<Pid> {
        std::fs::read_to_string(self.file(permit)).ok()?.parse().ok().and_then(Pid::from_raw)
    }
}

/// As systemd does with a control group.
pub(crate) fn kill_tree(first: Pid) -> Vec<Pid> {
    let threads = std::fs::read_dir(format!("/proc/{first}/task")).into_iter().flatten().flatten();
    let lists: Vec<String> =
        threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok()).collect();
    let _ = kill_process(first, Signal::KILL);
    let children = lists.iter().flat_map(|list| list.split_whitespace()).filter_map(|pid| pid.parse().ok());
    children.filter_map(Pid::from_raw).flat_map(kill_tree).chain([first]).collect()
}

/// One that nobody has waited for yet has ended all the same.
pub(crate) fn is_alive(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

impl Units for Pretended {
    fn start(
        &self,
        unit: UnitOfRun,
        line: BorrowedFd<'_>,
        door: Option<BorrowedFd<'_>>,
    ) -> Result<Box<dyn UnitLine>, String> {
        if self.0.join("refuse").exists() {
            return Err("the helper is not running".to_owned());
        }
        if self.0.join("silent").exists() {
            return Ok(Box::new(Silent));
        }
        // What a unit was asked for, for the tests to look at.
        std::fs::write(self.0.join("asked"), format!("{unit:?}")).map_err(|e| e.to_string())?;
        // In a session of its own: the end of its runner must not reach it by way of its process group.
        let child = Command::new("setsid")
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--test-threads=1", "runner::tests::unit::entry_of_a_launcher"])
            .env_clear()
            .stdin(line.try_clone_to_owned().unwrap())
            .stdout(door.map_or_else(Stdio::null, |door| door.try_clone_to_owned().unwrap().into()))
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| e.to_string())?;
        std::fs::write(self.file(unit.permit), child.id().to_string()).map_err(|e| e.to_string())?;
        Ok(Box::new(Line(child)))
    }

    fn start_container(&self, _: &ContainerOfRun, _: BorrowedFd<'_>) -> Result<Box<dyn ContainerLine>, String> {
        Err("there is no engine here".to_owned())
    }

    fn end_container(&self, _: PermitId) -> Result<(), String> {
        Err("there is no engine here".to_owned())
    }

    fn end(&self, permit: PermitId) -> Result<(), String> {
        std::fs::write(self.0.join(format!("{permit}.ended")), "").map_err(|e| e.to_string())?;
        if self.0.join("refuse-end").exists() {
            return Err("the helper is not running".to_owned());
        }
        let killed = self.first(permit).map(kill_tree).unwrap_or_default();
        while killed.iter().any(|pid| is_alive(*pid)) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

struct Line(Child);

impl UnitLine for Line {
    fn over(mut self: Box<Self>, _: Duration) -> Result<String, String> {
        let status = self.0.wait().map_err(|e| e.to_string())?;
        Ok(if status.success() { "success" } else { "signal" }.to_owned())
    }
}

/// A unit that never speaks, of a helper that says so.
struct Silent;

impl UnitLine for Silent {
    fn over(self: Box<Self>, _: Duration) -> Result<String, String> {
        Err("there is no systemd".to_owned())
    }
}

/// A ground whose runs are held in units.
fn ground() -> Ground {
    let ground = Ground::new();
    std::fs::create_dir(ground.root.path().join("units")).unwrap();
    ground
}

fn units_of(ground: &Ground) -> PathBuf {
    ground.root.path().join("units")
}

const PERMIT: &str = "00000000-0000-7000-8000-000000000001";

fn in_unit(ground: &Ground, work: Work) -> RunSpec {
    let unit = UnitSpec {
        permit: PERMIT.parse().unwrap(),
        agent: "office".parse().unwrap(),
        limits: RunLimits::default(),
        workspace: Some(ground.ws()),
    };
    let mut spec = ground.spec(work);
    spec.unit = Some(unit);
    spec
}

#[test]
fn a_program_runs_in_its_unit_and_its_result_is_redacted_outside() {
    let ground = ground();
    let mut spec = in_unit(&ground, shell("echo \"value $TOKEN\"; pwd; echo kept > file; exit 3"));
    if let Work::Program { env, .. } = &mut spec.work {
        env.insert("TOKEN".to_owned(), SECRET.to_owned());
    }
    let result = ground.run(spec);
    let ws = std::fs::canonicalize(ground.ws()).unwrap();
    assert_eq!(result.output, format!("value SECRET_REF(token)\n{}\n", ws.display()));
    assert_eq!((result.status, result.exit_code, result.signal), (RunStatus::Failed, Some(3), None));
    assert!(result.cpu_ms.is_some() && ws.join("file").exists());
    let asked = std::fs::read_to_string(units_of(&ground).join("asked")).unwrap();
    assert!(asked.contains("reads: false") && asked.contains("seconds: 150") && !asked.contains(SECRET), "{asked}");
}

#[test]
fn the_walls_inside_stand_in_a_unit_too() {
    let ground = ground();
    let root = ground.root.path().display();
    for text in [format!("cat {root}/vault.key"), format!("echo x > {root}/planted"), "cat /proc/$PPID/maps".to_owned()]
    {
        let result = ground.run(in_unit(&ground, shell(&text)));
        assert_eq!(result.status, RunStatus::Failed, "{text}: {result:?}");
        assert!(!result.output.contains("the key of the vault"));
    }
}

#[test]
fn the_vault_is_not_told_to_the_launcher() {
    // As the program sees the line's other end: its own memory is closed to it, so the message itself is looked at.
    let ground = ground();
    let spec = in_unit(&ground, shell("true"));
    let inside = unit_inside(spec, 1000);
    assert!(!serde_json::to_string(&inside).unwrap().contains(SECRET));
}

#[test]
fn what_looks_and_what_asks_the_network_needs_no_unit() {
    let ground = ground();
    std::fs::write(ground.ws().join("a.txt"), "text").unwrap();
    std::fs::write(units_of(&ground).join("refuse"), "").unwrap();
    let read = ground.run(in_unit(&ground, Work::FileRead { path: "a.txt".to_owned() }));
    assert_eq!((read.status, read.output.as_str()), (RunStatus::Ok, "text"));
}

#[test]
fn without_a_helper_nothing_runs_and_that_is_said() {
    for refusal in ["refuse", "silent"] {
        let ground = ground();
        std::fs::write(units_of(&ground).join(refusal), "").unwrap();
        let works = [
            shell("echo ran > ran"),
            Work::FileWrite { path: "ran".to_owned(), content: "x".to_owned() },
            Work::FileDelete { path: "keep".to_owned() },
        ];
        std::fs::write(ground.ws().join("keep"), "").unwrap();
        for work in works {
            let result = ground.run(in_unit(&ground, work));
            assert_eq!(result.status, RunStatus::Failed);
            assert!(result.output.ends_with("; nothing was done"), "{refusal}: {}", result.output);
        }
        assert!(!ground.ws().join("ran").exists() && ground.ws().join("keep").exists());
    }
}

#[test]
fn a_workspace_that_was_exchanged_is_not_touched() {
    let ground = ground();
    let other = ground.root.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let mut inside = unit_inside(in_unit(&ground, shell("echo x > planted")), 1000);
    std::fs::remove_dir(ground.ws()).unwrap();
    symlink(&other, ground.ws()).unwrap();
    inside.folder = ground.root.path().join("private");
    let why = launcher::ready(&inside).unwrap_err();
    assert!(why.contains("exchanged"), "{why}");
    assert!(!other.join("planted").exists());
}

#[test]
fn signals_and_limits_are_told_and_nothing_stays_behind() {
    let ground = ground();
    let killed = ground.run(in_unit(&ground, shell("kill -9 $$")));
    assert_eq!((killed.exit_code, killed.signal), (Some(137), Some(9)));
    let mut spec = in_unit(&ground, shell("setsid sh -c 'echo $$ > left; exec sleep 600' & sleep 600"));
    spec.limit_ms = 3000;
    let result = ground.run(spec);
    assert!(result.output.starts_with("[stopped: it ran longer than 3 s]"), "{}", result.output);
    let pid = std::fs::read_to_string(ground.ws().join("left")).unwrap();
    assert!(!Path::new("/proc").join(pid.trim()).exists());
}

#[test]
fn a_unit_that_is_killed_from_outside_leaves_a_result() {
    let ground = ground();
    let units = Pretended::new(&units_of(&ground));
    let (ws, permit) = (ground.ws(), PERMIT.parse().unwrap());
    let killer = std::thread::spawn(move || {
        while !ws.join("begun").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        units.end(permit).unwrap();
    });
    let result = ground.run(in_unit(&ground, shell("echo x > begun; sleep 600")));
    killer.join().unwrap();
    assert_eq!(result.status, RunStatus::Failed);
    assert!(result.output.contains("its sandbox ended (signal)"), "{}", result.output);
}
