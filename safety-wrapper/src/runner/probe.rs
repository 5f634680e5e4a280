//! The self-test of units: a probe is run in one, tries what no run may, and says what it got through with.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::net::{AddressFamily, SocketType};
use rustix::process::{Pid, chroot, geteuid, test_kill_process};
use serde::{Deserialize, Serialize};
use wardkeep_policy::RunLimits;
use wardkeep_proto::ids::PermitId;

use super::unit::{self, UnitSpec, Units};
use super::{Folder, Held, Reach, RunSpec, Sandbox, Work, folder};

/// A probe needs a fraction of it.
const LIMIT: Duration = Duration::from_secs(20);
/// More than all breaches in words.
const OUTPUT: usize = 64 * 1024;
/// Where nothing may be written.
const OUTSIDE: &[&str] = &["/", "/etc", "/usr", "/opt", "/var", "/srv", "/run", "/home", "/root", "/boot", "/mnt"];
/// The user that probes change things as.
const NOBODYS_AGENT: &str = "wardkeep-probe";

/// What the probe is tempted with.
#[derive(Debug, Serialize, Deserialize)]
struct Temptations {
    /// The daemon's, not to be read.
    file: PathBuf,
    /// The daemon's, not to be looked into or written.
    folder: PathBuf,
    /// Of the daemon.
    pid: i32,
    /// Of the daemon; the probe must be somebody else.
    uid: u32,
    /// Where the daemon listens.
    listener: SocketAddr,
    /// The daemon's and the helper's.
    sockets: Vec<PathBuf>,
}

/// Who tests, and with what.
pub struct UnitTest<'a> {
    /// The program that calls [`probe_from_stdin`] when its argument is `probe`; a run must be able to read it.
    pub program: &'a Path,
    /// A folder of the daemon for the test's own files.
    pub ground: &'a Path,
    /// Sockets that no run may reach.
    pub sockets: Vec<PathBuf>,
    /// What holds runs from within.
    pub sandbox: Sandbox,
    /// One for each probe, never used before.
    pub permits: [PermitId; 2],
}

/// Proves that units hold: once with the unit's own walls alone, once with all.
///
/// # Errors
/// What got through, or why that cannot be known, in words for people.
pub fn test_units(units: &dyn Units, test: &UnitTest<'_>) -> Result<(), String> {
    let [first, second] = test.permits;
    probed(units, test, first, (Reach::Reads, Sandbox::Off)).map_err(|why| format!("the unit alone: {why}"))?;
    probed(units, test, second, (Reach::Changes, test.sandbox))
}

fn probed(
    units: &dyn Units,
    test: &UnitTest<'_>,
    permit: PermitId,
    (reach, sandbox): (Reach, Sandbox),
) -> Result<(), String> {
    let folder = Folder::make(test.ground, permit).map_err(|error| format!("no folder for the probe: {error:?}"))?;
    // Somebody answers there, so that only the sandbox is in the way.
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| format!("nothing can listen: {error}"))?;
    let tempted = Temptations {
        file: folder.path.join("reserve"),
        folder: test.ground.to_owned(),
        pid: i32::try_from(std::process::id()).unwrap_or(1),
        uid: geteuid().as_raw(),
        listener: listener.local_addr().map_err(|error| error.to_string())?,
        sockets: test.sockets.clone(),
    };
    let agent = NOBODYS_AGENT.parse().map_err(|_| "the probe has no name".to_owned())?;
    let unit = UnitSpec { permit, agent, limits: RunLimits::default(), workspace: None };
    let stdin = serde_json::to_string(&tempted).map_err(|error| error.to_string())?;
    let argv = vec![test.program.display().to_string(), "probe".to_owned()];
    let spec = RunSpec {
        folder: folder.path.clone(),
        // Readable to every run, and written by none.
        workspace: "/usr".into(),
        cwd: None,
        work: Work::Program { argv, env: std::collections::BTreeMap::new(), stdin: Some(stdin) },
        limit_ms: u64::try_from(LIMIT.as_millis()).unwrap_or(u64::MAX),
        output_bytes: OUTPUT,
        limits: RunLimits::default(),
        sandbox,
        reach,
        unit: None,
        workspace_is: None,
        sealed: Vec::new(),
        leaf: Vec::new(),
        proxy: None,
        redact: Vec::new(),
    };
    let Held { raw, .. } = unit::perform(spec, &unit, units, OUTPUT, LIMIT, super::live::nobody());
    // Lets go the thread that waits for an end by hand.
    folder::begin(&folder.path);
    folder::end(&folder.path);
    let _ = Folder::remove(test.ground, permit);
    verdict(raw.ok, &raw.output)
}

/// Only a whole list of nothing is a proof.
fn verdict(ended_well: bool, said: &[u8]) -> Result<(), String> {
    match serde_json::from_slice::<Vec<String>>(said) {
        Ok(breaches) if ended_well && breaches.is_empty() => Ok(()),
        Ok(breaches) if !breaches.is_empty() => Err(breaches.join("; ")),
        _ => {
            let said = String::from_utf8_lossy(said);
            Err(format!("the probe could not say what holds: {}", said.trim().chars().take(500).collect::<String>()))
        }
    }
}

/// The whole life of a probe: reads its temptations, tries them, prints what it got through with.
#[must_use]
pub fn probe_from_stdin() -> ExitCode {
    let mut text = String::new();
    if std::io::stdin().lock().take(OUTPUT as u64).read_to_string(&mut text).is_err() {
        return ExitCode::FAILURE;
    }
    let Ok(tempted) = serde_json::from_str::<Temptations>(&text) else { return ExitCode::FAILURE };
    let printed = serde_json::to_vec(&tried(&tempted)).map(|json| std::io::stdout().lock().write_all(&json));
    if matches!(printed, Ok(Ok(()))) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Everything that was possible and must not be, or must be and was not.
fn tried(tempted: &Temptations) -> Vec<String> {
    let mut all = Vec::new();
    let mut breach = |is: bool, what: String| {
        if is {
            all.push(what);
        }
    };
    let Temptations { file, folder, pid, uid, listener, sockets } = tempted;
    breach(File::open(file).is_ok(), "it reads the daemon's files".to_owned());
    breach(fs::read_dir(folder).is_ok(), "it looks into the daemon's folder".to_owned());
    breach(File::open("/etc/shadow").is_ok(), "it reads /etc/shadow".to_owned());
    for place in OUTSIDE.iter().map(Path::new).chain([folder.as_path()]) {
        breach(writes(place), format!("it writes to {}", place.display()));
    }
    let own = geteuid().as_raw();
    breach(own == 0 || own == *uid, format!("its user is {own}"));
    for socket in sockets {
        breach(UnixStream::connect(socket).is_ok(), format!("it reaches {}", socket.display()));
    }
    // A pair of them reaches nobody, and programs talk to what they start by pairs.
    let unix = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None);
    breach(unix.is_ok(), "it makes Unix sockets".to_owned());
    breach(TcpStream::connect_timeout(listener, Duration::from_secs(1)).is_ok(), "it reaches the network".to_owned());
    breach(routes(), "it has a way to other hosts".to_owned());
    breach(Pid::from_raw(*pid).is_some_and(|pid| test_kill_process(pid).is_ok()), "it signals the daemon".to_owned());
    breach(fs::read(format!("/proc/{pid}/environ")).is_ok(), "it reads the daemon's environment".to_owned());
    breach(sees_others(own), "it sees processes of others".to_owned());
    for why in status() {
        breach(true, why);
    }
    breach(chroot("/").is_ok(), "it changes its root".to_owned());
    let private = std::env::temp_dir();
    let device = private.join("device");
    breach(mknodat(CWD, &device, FileType::CharacterDevice, Mode::RUSR, 0x103).is_ok(), "it makes devices".to_owned());
    match works(&private) {
        Ok(set_user_id) => breach(set_user_id, "it makes programs that take on a user".to_owned()),
        Err(error) => breach(true, format!("its private folder cannot be used: {error}")),
    }
    let programs = fs::read_dir("/usr/bin").map_or(0, Iterator::count);
    breach(programs == 0, "it sees no programs".to_owned());
    all
}

fn writes(folder: &Path) -> bool {
    let path = folder.join(".wardkeep-probe");
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).is_ok();
    if made {
        let _ = fs::remove_file(&path);
    }
    made
}

/// Whether the kernel knows a way to a host that is nobody's (RFC 5737); nothing is sent.
fn routes() -> bool {
    UdpSocket::bind("0.0.0.0:0").is_ok_and(|socket| socket.connect("192.0.2.1:9").is_ok())
}

/// Every process that is seen is one of this user's.
fn sees_others(own: u32) -> bool {
    let Ok(entries) = fs::read_dir("/proc") else { return false };
    let processes = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok());
    processes.filter_map(|entry| entry.metadata().ok()).any(|about| {
        // The launcher lets nobody look at it, so it is root's by this measure; it is our parent.
        about.uid() != own && about.uid() != 0
    })
}

/// What the kernel says of this process, where it is not as it must be.
fn status() -> Vec<String> {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
    let mut all = Vec::new();
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        if value(set).is_none_or(|bits| bits.bytes().any(|b| b != b'0')) {
            all.push(format!("{set} is {}", value(set).unwrap_or("unknown")));
        }
    }
    if value("NoNewPrivs") != Some("1") {
        all.push("it may gain privileges".to_owned());
    }
    if value("Seccomp") != Some("2") {
        all.push("its system calls are not filtered".to_owned());
    }
    let group = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    if !group.contains("/wardkeep-run-") {
        all.push("it has no control group of its own".to_owned());
    }
    all
}

/// Uses the private folder; whether a file there can take on its user for others.
fn works(private: &Path) -> std::io::Result<bool> {
    let path = private.join("probe");
    fs::write(&path, "kept")?;
    if fs::read(&path)? != b"kept" {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    let asked = fs::set_permissions(&path, fs::Permissions::from_mode(0o4755));
    Ok(asked.is_ok() && fs::metadata(&path)?.mode() & 0o4000 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_list_of_nothing_is_a_proof() {
        assert_eq!(verdict(true, b"[]"), Ok(()));
        for (well, said) in [
            (false, &b"[]"[..]),
            (true, b""),
            (true, b"[\"it reads the daemon's files\"]"),
            (true, b"[] []"),
            (true, b"the program is not found"),
            (false, b"[\"x\"]"),
        ] {
            assert!(verdict(well, said).is_err(), "{}", String::from_utf8_lossy(said));
        }
    }

    #[test]
    fn a_process_without_walls_gets_through() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("reserve");
        fs::write(&file, "the key of the vault").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tempted = Temptations {
            file,
            folder: dir.path().to_owned(),
            pid: std::process::id().try_into().unwrap(),
            uid: geteuid().as_raw(),
            listener: listener.local_addr().unwrap(),
            sockets: vec![dir.path().join("no-socket")],
        };
        let all = tried(&tempted);
        for what in [
            "it reads the daemon's files",
            "it looks into the daemon's folder",
            &format!("it writes to {}", dir.path().display()),
            &format!("its user is {}", geteuid().as_raw()),
            "it makes Unix sockets",
            "it reaches the network",
            "it signals the daemon",
            "it may gain privileges",
            "it has no control group of its own",
            "it makes programs that take on a user",
        ] {
            assert!(all.iter().any(|found| found == what), "{what}: {all:?}");
        }
        assert!(!all.iter().any(|found| found.contains("no-socket")));
    }
}
