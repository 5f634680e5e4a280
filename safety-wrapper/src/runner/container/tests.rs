//! A helper that says what it is told to: what becomes of its words, and of its silence. `./dev e2e containers` has a real one.

use std::io::Write as _;
use std::os::fd::BorrowedFd;
use std::sync::Mutex;

use super::*;
use crate::runner::unit::{UnitLine, UnitOfRun};
use crate::runner::{Reach, Sandbox, sealed, tmp};

/// What it prints, how it ends, and which containers it was told to end.
struct Helper {
    prints: Vec<u8>,
    ends: Result<ContainerEnd, NoEnd>,
    /// Nothing more is heard of it.
    silent: bool,
    started: Mutex<u32>,
    ended: Mutex<Vec<PermitId>>,
}

struct Line(Result<ContainerEnd, NoEnd>, Option<UnixStream>);

impl ContainerLine for Line {
    fn over(self: Box<Self>, _: Duration) -> Result<ContainerEnd, NoEnd> {
        let Self(ends, silent) = *self;
        if let Some(mut until) = silent {
            let _ = until.read(&mut [0; 1]);
            return Err(NoEnd::Lost("it was ended".to_owned()));
        }
        ends
    }
}

impl Helper {
    fn new(prints: &str, ends: Result<ContainerEnd, NoEnd>) -> Self {
        let (started, ended) = Default::default();
        Self { prints: prints.as_bytes().to_vec(), ends, silent: false, started, ended }
    }

    fn ended(&self) -> usize {
        self.ended.lock().unwrap().len()
    }
}

impl Units for Helper {
    fn start(&self, _: UnitOfRun, _: BorrowedFd<'_>, _: Option<BorrowedFd<'_>>) -> Result<Box<dyn UnitLine>, String> {
        Err("no unit was asked for".to_owned())
    }

    fn start_container(&self, _: &ContainerOfRun, output: BorrowedFd<'_>) -> Result<Box<dyn ContainerLine>, String> {
        *self.started.lock().unwrap() += 1;
        let mut output = UnixStream::from(output.try_clone_to_owned().unwrap());
        let silent = self.silent.then(|| output.try_clone().unwrap());
        let prints = self.prints.clone();
        std::thread::spawn(move || output.write_all(&prints));
        Ok(Box::new(Line(self.ends.clone(), silent)))
    }

    fn end_container(&self, permit: PermitId) -> Result<(), String> {
        self.ended.lock().unwrap().push(permit);
        Ok(())
    }

    fn end(&self, _: PermitId) -> Result<(), String> {
        Err("no unit was started".to_owned())
    }
}

const GOOD: ContainerEnd = ContainerEnd { exit_code: 0, out_of_memory: false, out_of_time: false };

struct Ground(tempfile::TempDir);

impl Ground {
    fn new() -> Self {
        let ground = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(tmp(ground.0.path())).unwrap();
        let pipe = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, ground.0.path().join("end"), pipe, 0o600.into(), 0).unwrap();
        ground
    }

    fn spec(&self) -> RunSpec {
        let limits = RunLimits::default();
        RunSpec {
            folder: self.0.path().to_owned(),
            workspace: self.0.path().to_owned(),
            cwd: None,
            work: Work::Container(ContainerOfRun {
                permit: "00000000-0000-7000-8000-000000000001".parse().unwrap(),
                agent: "office".parse().unwrap(),
                image: "sha256:0".to_owned(),
                argv: vec!["id".to_owned()],
                env: BTreeMap::new(),
                workdir: None,
                workspace: None,
                limits,
            }),
            limit_ms: 1000,
            output_bytes: 1000,
            limits,
            sandbox: Sandbox::Off,
            reach: Reach::Changes,
            unit: None,
            workspace_is: None,
            sealed: Vec::new(),
            leaf: Vec::new(),
            proxy: None,
            redact: Vec::new(),
        }
    }

    fn run(&self, helper: &Helper, spec: &RunSpec) -> Held {
        perform(spec, helper, 1000, Duration::from_secs(60), super::super::live::nobody())
    }
}

fn text(held: &Held) -> String {
    String::from_utf8_lossy(&held.raw.output).into_owned()
}

#[test]
fn a_file_that_was_exchanged_starts_no_container() {
    let (ground, helper) = (Ground::new(), Helper::new("", Ok(GOOD)));
    let path = std::fs::canonicalize(ground.0.path()).unwrap().join("job.py");
    std::fs::write(&path, "one").unwrap();
    let seal = sealed::Sealed::of(&path, &std::fs::File::open(&path).unwrap()).unwrap();
    let mut spec = ground.spec();
    spec.sealed = vec![seal];
    std::fs::write(&path, "two").unwrap();
    let held = ground.run(&helper, &spec);
    assert!(!held.raw.ok && text(&held).contains("has changed since it was approved"), "{}", text(&held));
    assert_eq!(*helper.started.lock().unwrap(), 0);
    std::fs::write(&path, "one").unwrap();
    assert!(ground.run(&helper, &spec).raw.ok);
}

#[test]
fn each_end_has_its_words() {
    let ground = Ground::new();
    let lost = NoEnd::Lost("the helper did not answer".to_owned());
    for (ends, ok, code, words, again) in [
        (Ok(GOOD), true, Some(0), "said\n", 0),
        (Ok(ContainerEnd { exit_code: 3, ..GOOD }), false, Some(3), "said\n", 0),
        (
            Ok(ContainerEnd { exit_code: 137, out_of_memory: true, ..GOOD }),
            false,
            Some(137),
            "[stopped: it used more memory than it may]\nsaid\n",
            0,
        ),
        (
            Ok(ContainerEnd { exit_code: 137, out_of_time: true, ..GOOD }),
            false,
            None,
            "[stopped: it ran longer than 60 s]\nsaid\n",
            0,
        ),
        (
            Err(NoEnd::Refused("the image is not on this server".to_owned())),
            false,
            None,
            "the image is not on this server\nsaid\n",
            1,
        ),
        (
            Err(lost),
            false,
            None,
            "[stopped: its container was lost (the helper did not answer); what it did until then is not undone]\nsaid\n",
            1,
        ),
    ] {
        let helper = Helper::new("said\n", ends.clone());
        let held = ground.run(&helper, &ground.spec());
        assert_eq!((held.raw.ok, held.raw.exit_code, text(&held).as_str()), (ok, code, words), "{ends:?}");
        assert_eq!(helper.ended(), again, "what has not ended is ended by its name: {ends:?}");
    }
}

#[test]
fn what_prints_without_end_is_ended() {
    let ground = Ground::new();
    let endless = "x".repeat(usize::try_from(PRINTED).unwrap() + 100_000);
    let helper = Helper { silent: true, ..Helper::new(&endless, Ok(GOOD)) };
    let held = ground.run(&helper, &ground.spec());
    assert!(!held.raw.ok && text(&held).starts_with("[stopped: it printed more than 64 MiB]\n"), "{:.80}", text(&held));
    assert_eq!(helper.ended(), 1);
}

#[test]
fn who_is_told_to_end_ends_its_container() {
    let ground = Ground::new();
    let helper = Helper { silent: true, ..Helper::new("begun\n", Ok(GOOD)) };
    let pipe = ground.0.path().join("end");
    std::thread::spawn(move || std::fs::OpenOptions::new().write(true).open(pipe));
    let held = ground.run(&helper, &ground.spec());
    assert!(held.was_ended);
    assert_eq!(helper.ended(), 1);
    assert!(folder::may_have_container(ground.0.path()), "a daemon that starts again would not look for it");
}
