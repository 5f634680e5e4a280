//! What a run may touch.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetStatus,
};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::{Reach, RunSpec, Sandbox, Work, leaf, syscalls, tmp};

/// The newest rules this build asks for; an older kernel enforces the part that it knows.
const NEWEST: ABI = ABI::V6;

/// Readable and executable: programs and what they need. Not `/etc` and `/var` as a whole: keys and databases lie there.
const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/sys/devices/system/cpu",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/debian_version",
    "/etc/fonts",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/inputrc",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/locale.alias",
    "/etc/localtime",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/pki",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/terminfo",
    "/etc/timezone",
    "/run/systemd/resolve",
    "/dev/random",
    "/dev/urandom",
    "/dev/zero",
];
/// Readable and writable.
const DEVICES: &[&str] = &["/dev/null", "/dev/full"];
/// Readable, and nothing in it is a program: a link there leads to files that have lost their names.
const PROCESSES: &str = "/proc";

/// What the kernel of this machine can enforce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SandboxState {
    /// Everything that this build asks for.
    Full,
    /// A part; a newer kernel would enforce more.
    Partial,
    /// Nothing: runs are refused, or unprotected with `sandbox = "off"`.
    None,
}

/// Tries the sandbox on a thread that ends: what `doctor` says about this kernel.
#[must_use]
pub fn sandbox_state() -> SandboxState {
    let tried = std::thread::spawn(|| restrict(&[], &[], Tcp::Refused)).join();
    match tried {
        Ok(Ok(RulesetStatus::FullyEnforced)) => SandboxState::Full,
        Ok(Ok(RulesetStatus::PartiallyEnforced)) => SandboxState::Partial,
        _ => SandboxState::None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tcp {
    Allowed,
    Refused,
}

/// Locks the calling thread, and every process it starts, in for good. Other threads stay as they are.
///
/// # Errors
/// Why nothing may run, in words for people.
pub(super) fn enter(spec: &RunSpec) -> Result<(), String> {
    // First, so that no program gains back what is given up next.
    rustix::thread::set_no_new_privs(true).map_err(|e| format!("no_new_privs was refused: {e}"))?;
    confine(spec)?;
    if spec.sandbox == Sandbox::Landlock {
        // A request has no program: it may resolve a name and connect.
        let reach = if matches!(spec.work, Work::Http { .. }) { Reach::Changes } else { spec.reach };
        syscalls::filter(reach)?;
    }
    drop_capabilities().map_err(|e| format!("capabilities could not be given up: {e}"))
}

/// A daemon started as root must not lend its rights: Landlock leaves some doors of root open, `/proc/<pid>/environ` for one.
fn drop_capabilities() -> rustix::io::Result<()> {
    let none = CapabilitySet::empty();
    rustix::thread::clear_ambient_capability_set()?;
    rustix::thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
}

fn confine(spec: &RunSpec) -> Result<(), String> {
    match spec.sandbox {
        Sandbox::Off => Ok(()),
        Sandbox::Landlock => {
            let all = AccessFs::from_all(NEWEST);
            let read = AccessFs::from_read(NEWEST);
            // What only reads runs the system's programs alone, and nothing that the agent can write.
            let look = read & !AccessFs::Execute;
            let (own, bin) = (spec.workspace.clone(), leaf::folder(&spec.folder));
            let mut more = match (&spec.work, spec.reach) {
                (Work::Http { .. }, _) => Vec::new(),
                (_, Reach::Reads) => vec![(tmp(&spec.folder), all & !AccessFs::Execute), (own, look), (bin, read)],
                (_, Reach::Changes) => vec![(own, all), (tmp(&spec.folder), all)],
            };
            more.extend(spec.leaf.first().map(|program| (PathBuf::from(program), read)));
            let tcp = match spec.work {
                Work::Http { .. } => Tcp::Allowed,
                Work::Program { .. } if spec.reach == Reach::Changes => Tcp::Allowed,
                _ => Tcp::Refused,
            };
            match restrict(SYSTEM, &more, tcp) {
                Ok(RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced) => Ok(()),
                Ok(RulesetStatus::NotEnforced) => {
                    Err("this kernel has no Landlock, so nothing is run; boot a kernel of 5.13 \
                                                       or later, or set sandbox = \"off\" and know what that means"
                        .to_owned())
                }
                Err(error) => Err(format!("the sandbox could not be built, so nothing is run: {error}")),
            }
        }
    }
}

fn restrict(
    readable: &[&str],
    more: &[(PathBuf, BitFlags<AccessFs>)],
    tcp: Tcp,
) -> Result<RulesetStatus, landlock::RulesetError> {
    let all = AccessFs::from_all(NEWEST);
    let mut rules = Ruleset::default().set_compatibility(CompatLevel::BestEffort).handle_access(all)?;
    if tcp == Tcp::Refused {
        rules = rules.handle_access(AccessNet::from_all(NEWEST))?;
    }
    // A program may signal only what it started, and reach no abstract socket of others.
    rules = rules.scope(landlock::Scope::from_all(NEWEST))?;
    let mut rules = rules.create()?;
    for path in readable {
        rules = allow(rules, Path::new(path), AccessFs::from_read(NEWEST))?;
    }
    rules = allow(rules, Path::new(PROCESSES), AccessFs::from_read(NEWEST) & !AccessFs::Execute)?;
    for path in DEVICES {
        rules = allow(rules, Path::new(path), AccessFs::from_file(NEWEST))?;
    }
    for (path, access) in more {
        rules = allow(rules, path, *access)?;
    }
    Ok(rules.restrict_self()?.ruleset)
}

/// Allows what lies beneath `path`; a path that is not there allows nothing and drops no other rule.
fn allow(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, landlock::RulesetError> {
    let (Ok(open), Ok(about)) = (PathFd::new(path), std::fs::metadata(path)) else { return Ok(rules) };
    let access = if about.is_dir() { access } else { access & AccessFs::from_file(NEWEST) };
    rules.add_rule(PathBeneath::new(open, access))
}
