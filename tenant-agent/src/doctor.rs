//! `doctor`: what is wrong, and what to do about it. Every finding stands alone and nothing is changed by looking.

use std::future::Future;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wardkeep_egress::{CoolingKey, ProviderState};
use wardkeep_passkey::Code;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::time::Timestamp;
use wardkeep_safety::runner::{SandboxState, sandbox_state};
use wardkeep_safety::{Sandbox, Standing};
use wardkeep_vault::{OpenError, Vault};

use crate::channel::chain;
use crate::cli::context::Environment;
use crate::config::Config;
use crate::egress_lock::SOCKET;
use crate::identity::{Identity, IdentityDir, first_open_file};
use crate::observed::StatusReport;
use crate::renew::prove;
use crate::secrets::{Ending, VaultFacts};
use crate::state::StateDir;
use crate::unix_http::UnixClient;

/// A clock this far off is worth a word, milliseconds.
const SKEW_WARNING_MS: u64 = 30_000;
/// A clock this far off breaks certificates and deadlines, milliseconds.
const SKEW_ERROR_MS: u64 = 300_000;
/// How long the hub may take to answer.
const HUB_WITHIN: Duration = Duration::from_secs(15);

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Works, but will not for ever or not as well as it could.
    Warning,
    /// Does not work.
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at, e.g. `vault`.
    pub check: String,
    /// How bad it is.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// What to do; empty when nothing is to be done.
    pub what_to_do: String,
}

impl Finding {
    pub(crate) fn ok(check: &str, found: impl Into<String>) -> Self {
        Self { check: check.to_owned(), level: Level::Ok, found: found.into(), what_to_do: String::new() }
    }

    pub(crate) fn bad(check: &str, level: Level, found: impl Into<String>, what_to_do: impl Into<String>) -> Self {
        Self { check: check.to_owned(), level, found: found.into(), what_to_do: what_to_do.into() }
    }
}

/// Who can look; the daemon answers a command of the hub with it.
pub trait Examiner: Send + Sync + 'static {
    /// Looks at everything.
    fn examine(&self) -> Pin<Box<dyn Future<Output = Vec<Finding>> + Send + '_>>;
}

/// The doctor of this server.
pub struct Doctor {
    config: Config,
    env: Environment,
}

impl Examiner for Doctor {
    fn examine(&self) -> Pin<Box<dyn Future<Output = Vec<Finding>> + Send + '_>> {
        Box::pin(self.look())
    }
}

impl Doctor {
    /// A doctor for a configuration that was read.
    #[must_use]
    pub fn new(config: Config, env: Environment) -> Self {
        Self { config, env }
    }

    async fn look(&self) -> Vec<Finding> {
        let state = StateDir::existing(&self.config.state_dir);
        let mut findings = vec![Finding::ok("configuration", "it can be read")];
        findings.push(permissions(&state));
        findings.push(sqlite());
        findings.push(self.disk());
        findings.push(sandbox(self.config.runs.sandbox, sandbox_state()));
        findings.extend(runs::look(&self.config, &self.env).await);
        findings.push(containers::look(&self.config).await);
        let dir = IdentityDir::new(state.identity());
        let identity = match dir.load() {
            Ok(Some(identity)) => {
                findings.push(Finding::ok("identity", format!("tenant {} ({})", identity.name, identity.tenant)));
                Some(identity)
            }
            Ok(None) => {
                let todo =
                    "run `wardkeep-agent enrol` with the token that `wardkeep-hub token enrol NAME` shows on the hub";
                findings.push(Finding::bad("identity", Level::Error, "this server is not enrolled", todo));
                None
            }
            Err(error) => {
                findings.push(Finding::bad("identity", Level::Error, chain(&error), enrol_again(&state, "NAME")));
                None
            }
        };
        findings.push(self.vault(&state));
        findings.extend(usage::look(&state));
        if let Some(identity) = &identity {
            let again = enrol_again(&state, &identity.name);
            findings.push(certificate(identity, self.env.clock.now(), &again));
            findings.push(bundle::look(&state, dir, identity, self.env.clock.now(), &again));
            findings.push(self.hub(identity).await);
        }
        findings.push(lock::look(Path::new(SOCKET)).await);
        findings.extend(self.daemon().await);
        findings
    }

    fn disk(&self) -> Finding {
        let floor = self.config.disk.floor_bytes();
        match rustix::fs::statvfs(&self.config.state_dir) {
            Ok(stat) => {
                let free = stat.f_bavail.saturating_mul(stat.f_frsize);
                let found = format!("{} MiB free in {}", free >> 20, self.config.state_dir.display());
                if free < floor {
                    Finding::bad("disk", Level::Error, found, self.free_space("below the floor only reads are allowed"))
                } else if free < floor * 4 {
                    Finding::bad("disk", Level::Warning, found, self.free_space("soon only reads are allowed"))
                } else {
                    Finding::ok("disk", found)
                }
            }
            Err(error) => Finding::bad(
                "disk",
                Level::Error,
                format!("{}: {error}", self.config.state_dir.display()),
                "check state_dir in the configuration",
            ),
        }
    }

    fn free_space(&self, why: &str) -> String {
        let dir = quoted(&self.config.state_dir);
        format!("free space, {why}; find what takes it: `df -h {dir}`, `du -xh --max-depth=2 {dir}`")
    }

    fn vault(&self, state: &StateDir) -> Finding {
        let key = self.env.vault_key(&self.config);
        match Vault::open(&state.vault(), &key, self.env.clock.clone()).map(|vault| vault.list()) {
            Ok(Ok(entries)) => Finding::ok("vault", format!("it opens and holds {} secrets", entries.len())),
            Ok(Err(error)) => {
                let todo = format!("restore {} from its backup", state.vault().display());
                Finding::bad("vault", Level::Error, chain(&error), todo)
            }
            Err(error @ OpenError::NotFound(_)) => {
                Finding::bad("vault", Level::Error, chain(&error), "wardkeep-agent vault init")
            }
            // Whether the daemon has the key is the daemon's to say; it is no fault of the vault.
            Err(OpenError::NeedsPassphrase(_)) => Finding::ok("vault", "it opens with its owner's passphrase"),
            Err(error @ OpenError::Tampered(_)) => {
                let todo = format!("restore {} from its backup", state.vault().display());
                Finding::bad("vault", Level::Error, chain(&error), todo)
            }
            Err(error) => Finding::bad(
                "vault",
                Level::Error,
                chain(&error),
                "give the daemon its key; see [vault] in the configuration",
            ),
        }
    }

    async fn hub(&self, identity: &Identity) -> Finding {
        let hub = self.config.hub.address.clone().unwrap_or_else(|| identity.hub.clone());
        let todo =
            "check network, firewall (outgoing TCP) and that the hub runs; agents go on with what is allowed offline";
        match tokio::time::timeout(HUB_WITHIN, prove(&identity.client, identity, &hub)).await {
            Ok(Ok(())) => Finding::ok("hub", format!("{hub} answers and accepts this server")),
            Ok(Err(error)) => Finding::bad("hub", Level::Error, chain(&error), todo),
            Err(_) => Finding::bad("hub", Level::Error, format!("{hub} did not answer in time"), todo),
        }
    }

    async fn daemon(&self) -> Vec<Finding> {
        let client = UnixClient::admin_of(&self.config);
        let report = match client.get("/v1/status").await {
            Ok(body) => serde_json::from_value::<StatusReport>(body).map_err(|error| error.to_string()),
            Err(error) => Err(chain(&error)),
        };
        match report {
            Ok(report) => running(&report, &self.config, self.env.clock.now()),
            Err(why) => {
                let todo = "systemctl restart wardkeep-agent; then `journalctl -u wardkeep-agent`";
                vec![Finding::bad("daemon", Level::Error, why, todo)]
            }
        }
    }
}

/// Which decisions take a passkey, and whose count here.
fn passkeys(pinned: &[Digest]) -> Finding {
    const CRITICAL: &str = "critical calls (money, rights, credentials, storage, the firewall)";
    let codes: Vec<String> = pinned.iter().map(|fingerprint| Code::of(fingerprint).short()).collect();
    match codes.len() {
        0 => Finding::ok(
            "passkeys",
            format!(
                "none is pinned: {CRITICAL} can only be denied; to approve them make one in the portal, then `wardkeep passkey pin CODE`"
            ),
        ),
        count => {
            let who = if count == 1 { "1 is pinned".to_owned() } else { format!("{count} are pinned") };
            let found =
                format!("{who} ({}): {CRITICAL} are approved by one of them and by nothing else", codes.join(", "));
            Finding::ok("passkeys", found)
        }
    }
}

/// A provider that is left alone, or a key of it that it does not take.
fn provider(state: &ProviderState) -> Vec<Finding> {
    let ProviderState { provider, resting_until, failures, cooling } = state;
    let rests = resting_until.iter().map(|until| {
        let found = format!("{provider} failed {failures} times in a row and is left alone until {until}");
        Finding::bad(
            "provider",
            Level::Warning,
            found,
            "see whether it works; routes of the policy ask others meanwhile",
        )
    });
    let rejected = cooling.iter().filter(|key| key.rejected).map(|CoolingKey { key, until, .. }| {
        let key = key.as_ref().map_or("what it is shown", |name| name.as_str());
        let found = format!("{provider} does not take {key}, which is left alone until {until}");
        Finding::bad(
            "provider",
            Level::Warning,
            found,
            format!("store one that it takes: `wardkeep-agent vault rotate {key}`"),
        )
    });
    rests.chain(rejected).collect()
}

fn running(report: &StatusReport, config: &Config, now: Timestamp) -> Vec<Finding> {
    let mut findings = vec![Finding::ok("daemon", format!("it runs since {}", report.status.started_at))];
    let sockets = [config.hook_socket(), config.admin_socket()];
    match sockets.iter().find(|path| !path.exists()) {
        None => findings.push(Finding::ok("sockets", format!("hooks at {}", config.hook_socket().display()))),
        Some(path) => {
            let todo = "something removed the socket; make it anew: `systemctl restart wardkeep-agent`";
            findings.push(Finding::bad("sockets", Level::Error, format!("{} is missing", path.display()), todo));
        }
    }
    if report.link.online {
        findings.push(clock(report.link.clock_skew_ms));
    }
    if report.link.history_conflict {
        let found = "the hub holds a signed checkpoint that contradicts this server's audit log";
        let state = StateDir::existing(&config.state_dir);
        let todo = format!(
            "keep {}, run `wardkeep-agent audit verify`, and compare with the hub's checkpoints",
            quoted(&state.gate().join("gate.db"))
        );
        findings.push(Finding::bad("audit", Level::Error, found, todo));
    }
    findings.push(passkeys(&report.status.passkeys));
    let alive = report.status.agents.iter().filter(|agent| agent.lease_until.is_some_and(|until| until > now)).count();
    let found = format!("agents with a live hook lease: {alive}");
    if alive == 0 {
        let todo = "start the agent's runtime with its hook; without a lease it gets no model";
        findings.push(Finding::bad("leases", Level::Warning, found, todo));
    } else {
        findings.push(Finding::ok("leases", found));
    }
    for paused in report.status.agents.iter().filter(|agent| agent.paused) {
        let what = if paused.standing == Standing::Stopped {
            "stopped: nothing of it runs"
        } else {
            "paused: it may only read"
        };
        let why = paused.held.first().map_or_else(String::new, |hold| format!(" ({}: {})", hold.by, hold.reason));
        let found = format!("agent {} is {what}{why}", paused.agent);
        let todo = format!("when it may go on: `wardkeep-agent resume {} --reason WHY`", paused.agent);
        findings.push(Finding::bad("paused", Level::Warning, found, todo));
    }
    findings.extend(secrets(&report.vault, now));
    findings.extend(report.providers.iter().flat_map(provider));
    findings.push(memory(report.memory_locked, crate::memory::has_swap()));
    for closed in &report.closed {
        let level = if closed.name == "hub-away" { Level::Warning } else { Level::Error };
        let found = format!("{}: {}", closed.name, closed.why);
        // The advice for everybody is to ask the doctor; the doctor says what stands above.
        let todo = match closed.name.as_str() {
            "bundle-refused" => "see the finding on the bundle".to_owned(),
            "vault-locked" | "vault-unread" if report.vault.by_passphrase => "wardkeep-agent vault unlock".to_owned(),
            "vault-locked" | "vault-unread" => "see the finding on the vault".to_owned(),
            _ => closed.what_to_do.clone(),
        };
        findings.push(Finding::bad("posture", level, found, todo));
    }
    findings
}

fn secrets(vault: &VaultFacts, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    for Ending { name, at } in &vault.ending {
        let todo = format!("store a new value: `wardkeep-agent vault rotate {name}`");
        findings.push(if *at <= now {
            Finding::bad("secrets", Level::Error, format!("{name} expired at {at} and is given no more"), todo)
        } else {
            Finding::bad("secrets", Level::Warning, format!("{name} expires at {at}"), todo)
        });
    }
    for name in &vault.unmaskable {
        let found = format!("{name} is too short or too common to be masked and so is given to nobody");
        let todo = format!(
            "choose a longer value, or name words before it: `wardkeep-agent vault rotate {name} --context KEYWORD`"
        );
        findings.push(Finding::bad("secrets", Level::Error, found, todo));
    }
    findings
}

fn memory(locked: bool, has_swap: bool) -> Finding {
    match (locked, has_swap) {
        (true, _) => Finding::ok("memory", "the daemon's memory is locked"),
        (false, false) => Finding::ok("memory", "the daemon's memory is not locked, and there is no swap"),
        (false, true) => {
            let todo = "set LimitMEMLOCK=infinity in the unit, or turn swap off: `swapoff -a`";
            Finding::bad("memory", Level::Warning, "the daemon's memory is not locked and can reach a swap file", todo)
        }
    }
}

fn clock(skew_ms: i64) -> Finding {
    let found = format!("this clock is {skew_ms} ms from the hub's");
    let todo = "turn on time synchronisation: `timedatectl set-ntp true`";
    match skew_ms.unsigned_abs() {
        off if off >= SKEW_ERROR_MS => Finding::bad("clock", Level::Error, found, todo),
        off if off >= SKEW_WARNING_MS => Finding::bad("clock", Level::Warning, found, todo),
        _ => Finding::ok("clock", found),
    }
}

fn certificate(identity: &Identity, now: Timestamp, again: &str) -> Finding {
    let todo = "let the daemon reach its hub: it renews at half of the life; after the end enrol again";
    match identity.client.validity() {
        Err(why) => Finding::bad("certificate", Level::Error, why, again),
        Ok(validity) if now >= validity.until => {
            Finding::bad("certificate", Level::Error, format!("it ended at {}", validity.until), again)
        }
        Ok(validity) if now < validity.from => {
            let found = format!("it begins at {}", validity.from);
            Finding::bad("certificate", Level::Error, found, "set this server's clock: `timedatectl set-ntp true`")
        }
        Ok(validity) if validity.renewal_overdue(now) => Finding::bad(
            "certificate",
            Level::Warning,
            format!("it ends at {} and was not renewed", validity.until),
            todo,
        ),
        Ok(validity) => Finding::ok("certificate", format!("valid until {}", validity.until)),
    }
}

fn permissions(state: &StateDir) -> Finding {
    let dir = state.path();
    let todo = format!("only the daemon's user may read it: `chmod -R go= {}`", quoted(dir));
    let mode = match dir.metadata() {
        Ok(meta) => meta.permissions().mode() & 0o7777,
        Err(error) => {
            let found = format!("{}: {error}", dir.display());
            return Finding::bad(
                "permissions",
                Level::Error,
                found,
                format!("make it, as the daemon's user: `install -d -m 0700 {}`", quoted(dir)),
            );
        }
    };
    if mode & 0o077 != 0 {
        return Finding::bad("permissions", Level::Error, format!("{} has mode {mode:04o}", dir.display()), todo);
    }
    let open = |dir: &Path| first_open_file(dir).ok().flatten();
    match open(&state.identity()) {
        Some(path) => Finding::bad("permissions", Level::Error, format!("others can read {}", path.display()), todo),
        None => Finding::ok("permissions", format!("{} is private", dir.display())),
    }
}

/// An enrolment that is there is answered by itself, so it has to go first.
fn enrol_again(state: &StateDir, name: &str) -> String {
    let identity = quoted(&state.identity());
    format!(
        "enrol this server again: `wardkeep-hub token enrol {name}` on the hub; here `mv {identity} {identity}.old`, \
         `wardkeep-agent enrol` with that token, `systemctl restart wardkeep-agent`"
    )
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%:,=".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

fn sandbox(wanted: Sandbox, kernel: SandboxState) -> Finding {
    let (check, todo) = ("sandbox", "use a kernel of 6.12 or newer with Landlock in its list of security modules");
    match (wanted, kernel) {
        (Sandbox::Off, _) => {
            let found = "runs are not held by a sandbox: [runs] sandbox is \"off\"";
            Finding::bad(check, Level::Warning, found, "set it to \"landlock\" where the kernel has it")
        }
        (Sandbox::Landlock, SandboxState::Full) => Finding::ok(check, "Landlock is fully enforced"),
        (Sandbox::Landlock, SandboxState::Partial) => {
            Finding::bad(check, Level::Warning, "this kernel enforces a part of the sandbox", todo)
        }
        (Sandbox::Landlock, SandboxState::None) => Finding::bad(
            check,
            Level::Error,
            "this kernel has no Landlock: calls that start programs are refused",
            todo,
        ),
    }
}

fn sqlite() -> Finding {
    let (number, version) = (rusqlite::version_number(), rusqlite::version());
    if number >= 3_051_003 {
        Finding::ok("sqlite", format!("SQLite {version}"))
    } else {
        let found = format!("SQLite {version} can damage its files");
        Finding::bad("sqlite", Level::Error, found, "install a build of wardkeep-agent with SQLite 3.51.3 or newer")
    }
}

mod bundle;
mod containers;
mod lock;
mod runs;
#[cfg(test)]
mod tests;
mod usage;
