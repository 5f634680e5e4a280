//! From a permitted action to what the runner gets: secrets put in, and nowhere else than where their references stand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio_util::sync::CancellationToken;
use wardkeep_policy::action::{Call, Sees, WORKSPACE, refs_in};
use wardkeep_policy::adapters::Reply;
use wardkeep_policy::{Action, Class, RunLimits};
use wardkeep_proto::ids::{AgentName, PermitId};
use wardkeep_proto::secret::{Destination, KnownValue, NotGiven};
use wardkeep_proto::waypoint::Waypoint;
use zeroize::Zeroizing;

use super::receivers::Programs;
use super::{Gate, RunnerCommand};
use crate::call::CallResult;
use crate::runner::ForwardProxy;
use crate::runner::doors::Door;
use crate::runner::folder::{end, has_begun, may_have_container, may_have_unit, read_result};
use crate::runner::unit::UnitSpec;
use crate::runner::{ContainerOfRun, Folder, GRACE, Masked, Reach, RunSpec, Work, http_target};
use crate::walls::Walls;

/// Between two tries to end a unit.
const UNIT_AGAIN: Duration = Duration::from_secs(1);
/// The result of a run that a stop kept from beginning.
const NOT_BEGUN: &str = "the agent was stopped before this call began; nothing was done";

impl Gate {
    /// The spec of one run.
    ///
    /// # Errors
    /// Why it cannot run, in words for the agent; no value in it.
    pub(super) fn spec(
        &self,
        action: &Action,
        permit: PermitId,
        class: Option<Class>,
        folder: &Folder,
    ) -> Result<RunSpec, String> {
        let workspace = self.workspace(action)?;
        let redact = match self.parts.secrets.every_value() {
            Ok(values) => values
                .into_iter()
                .map(|KnownValue { name, value, beside }| Masked {
                    name: name.into(),
                    value: value.expose().to_owned(),
                    beside,
                })
                .collect(),
            // Without a vault there is nothing to put in, and what is decided here reads at most.
            Err(NotGiven::Locked) if class == Some(Class::Green) => Vec::new(),
            Err(why) => return Err(why.to_string()),
        };
        let limits = self.parts.bundle.borrow().limits_of(&action.agent);
        let in_unit = self.parts.walls.read() != Walls::Process;
        let shown = Some(workspace.clone());
        let unit = in_unit.then(|| UnitSpec { permit, agent: action.agent.clone(), limits, workspace: shown });
        let mut spec = RunSpec {
            folder: folder.path.clone(),
            workspace,
            cwd: action.cwd.clone(),
            work: Work::FileList { path: String::new() },
            limit_ms: u64::from(limits.seconds) * 1000,
            output_bytes: limits.output_kibibytes as usize * 1024,
            limits,
            sandbox: self.parts.sandbox,
            // Green is held to reading, also where a rule was wrong about a program.
            reach: if class == Some(Class::Green) { Reach::Reads } else { Reach::Changes },
            unit,
            workspace_is: None,
            sealed: Vec::new(),
            leaf: self.leaf()?,
            proxy: None,
            redact,
        };
        spec.work = self.work(action, permit, limits)?;
        let program = matches!(spec.work, Work::Program { .. });
        if in_unit && program && spec.reach == Reach::Changes {
            self.open_door(&mut spec, permit, &action.agent);
        }
        Ok(spec)
    }

    /// The words that start a leaf.
    fn leaf(&self) -> Result<Vec<String>, String> {
        let RunnerCommand { program, leaf, .. } = &self.parts.runner;
        let program = program.to_str().ok_or("the daemon's own file has a name that cannot be written down")?;
        Ok([program].into_iter().chain(leaf.iter().map(String::as_str)).map(str::to_owned).collect())
    }

    /// A program that may do more than look reaches the forward proxy, under a name of its run alone.
    fn open_door(&self, spec: &mut RunSpec, permit: PermitId, agent: &AgentName) {
        let Some(ForwardProxy { address, authority_pem }) = self.parts.walls.proxy() else { return };
        let token = self.run_token(permit, agent);
        spec.redact.push(Masked { name: "run".to_owned(), value: token.clone(), beside: None });
        spec.proxy = Some(Door { address, authority_pem, token });
    }

    pub(super) fn workspace(&self, action: &Action) -> Result<PathBuf, String> {
        if matches!(
            action.call,
            Call::Http { .. } | Call::Adapter { .. } | Call::Container { workspace: Sees::Nothing, .. }
        ) {
            return Ok(self.runs.clone());
        }
        let bundle = self.parts.bundle.borrow().clone();
        let named = bundle.agent(&action.agent).map(|agent| agent.workspace).filter(|path| !path.is_empty());
        let named =
            named.ok_or_else(|| format!("the policy names no workspace for {}; set it on the hub", action.agent))?;
        let path = Path::new(&named);
        let real = std::fs::canonicalize(path).map_err(|e| format!("the workspace {named} cannot be used: {e}"))?;
        // The agent writes the workspace: the gate's own files must not lie in it.
        if !path.is_absolute() || self.state_dir.starts_with(&real) || real.starts_with(&self.runs) {
            return Err(format!(
                "{named} cannot be a workspace: the daemon's own files lie there; choose another on the hub"
            ));
        }
        Ok(path.to_owned())
    }

    fn work(&self, action: &Action, permit: PermitId, limits: RunLimits) -> Result<Work, String> {
        let bundle = self.parts.bundle.borrow().clone();
        let to = Programs::of(action, &bundle.rules);
        Ok(match &action.call {
            Call::Shell { command, env } => {
                let argv = ["bash", "--norc", "--noprofile", "-c", command].map(str::to_owned).to_vec();
                Work::Program { argv, env: self.fill_env(env, &to)?, stdin: None }
            }
            Call::Exec { argv, stdin, env } => {
                let stdin =
                    stdin.as_ref().map(|text| self.fill(text, |this, name| to.resolve(this, name))).transpose()?;
                Work::Program { argv: argv.clone(), env: self.fill_env(env, &to)?, stdin }
            }
            Call::FileRead { path } => Work::FileRead { path: path.clone() },
            Call::FileList { path } => Work::FileList { path: path.clone() },
            Call::FileWrite { path, content } => Work::FileWrite { path: path.clone(), content: content.clone() },
            Call::FileDelete { path } => Work::FileDelete { path: path.clone() },
            Call::Http { method, url, headers, body } => {
                let target = http_target(url)?;
                let host = target.host_str().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
                let port = target.port_or_known_default().ok_or("the URL names no port")?;
                let to = Destination::Host { host: &host, port };
                let fill = |text: &String| self.fill(text, |gate, name| gate.value(name, to));
                let headers = headers.iter().map(|(name, value)| Ok((name.clone(), fill(value)?))).collect::<Result<
                    Vec<_>,
                    String,
                >>(
                )?;
                let body = body.as_ref().map(fill).transpose()?;
                Work::Http { method: method.clone(), url: target.to_string(), headers, body, reply: Reply::default() }
            }
            Call::Container { image: _, id, argv, env, workspace, workdir } => {
                let shown = |reads| self.workspace(action).map(|path| Some((path, reads)));
                Work::Container(ContainerOfRun {
                    permit,
                    agent: action.agent.clone(),
                    image: id.clone(),
                    argv: argv.clone(),
                    env: self.fill_env(env, &to)?,
                    workdir: workdir.clone().or_else(|| (*workspace != Sees::Nothing).then(|| WORKSPACE.to_owned())),
                    workspace: match workspace {
                        Sees::Nothing => None,
                        Sees::Reads => shown(true)?,
                        Sees::Changes => shown(false)?,
                    },
                    limits,
                })
            }
            Call::Adapter { request, .. } => self.adapter(request)?,
            Call::Message { .. } | Call::Other { .. } => {
                return Err("this tool is not carried out by the daemon".to_owned());
            }
        })
    }

    fn fill_env(&self, env: &BTreeMap<String, String>, to: &Programs<'_>) -> Result<BTreeMap<String, String>, String> {
        env.iter()
            .map(|(name, value)| Ok((name.clone(), self.fill(value, |gate, secret| to.resolve(gate, secret))?)))
            .collect()
    }

    /// The text with every reference replaced by its value.
    fn fill(
        &self,
        text: &str,
        value: impl Fn(&Self, &wardkeep_proto::ids::SecretName) -> Result<Zeroizing<String>, String>,
    ) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for found in refs_in(text) {
            let (name, range) = found.map_err(|_| "a SECRET_REF is misspelt".to_owned())?;
            out.push_str(&text[from..range.start]);
            out.push_str(&value(self, &name)?);
            from = range.end;
        }
        out.push_str(&text[from..]);
        Ok(out)
    }

    pub(super) fn value(
        &self,
        name: &wardkeep_proto::ids::SecretName,
        to: Destination<'_>,
    ) -> Result<Zeroizing<String>, String> {
        let value = self.parts.secrets.resolve(name, to).map_err(|why| why.to_string())?;
        Ok(Zeroizing::new(value.expose().to_owned()))
    }

    /// Starts the runner, waits for its end, or ends it when `cut` fires; reads what it left. Nothing of the run is alive
    /// when this returns.
    pub(super) async fn run(
        &self,
        permit: PermitId,
        spec: RunSpec,
        folder: Folder,
        cut: &CancellationToken,
    ) -> CallResult {
        if cut.is_cancelled() {
            return CallResult::failed(NOT_BEGUN);
        }
        let Folder { path, lock } = folder;
        let limit = Duration::from_millis(spec.limit_ms) + GRACE + GRACE;
        let Ok(text) = serde_json::to_vec(&spec).map(Zeroizing::new) else {
            return CallResult::failed("the run could not be described");
        };
        drop(spec);
        let started = tokio::process::Command::new(&self.parts.runner.program)
            .args(&self.parts.runner.args)
            .env_clear()
            .current_dir(&path)
            .process_group(0)
            .stdin(Stdio::piped())
            // The runner inherits the lock; ours goes with this value.
            .stdout(lock)
            .stderr(Stdio::null())
            .spawn();
        let mut runner = match started {
            Ok(runner) => runner,
            Err(error) => {
                tracing::error!(%error, program = %self.parts.runner.program.display(), "no runner could be started");
                return CallResult::failed("no runner could be started; run `wardkeep-agent doctor`");
            }
        };
        let told = async {
            let mut stdin = runner.stdin.take()?;
            stdin.write_all(&text).await.ok()?;
            stdin.shutdown().await.ok()
        };
        // A runner that is not told everything runs nothing and leaves no result.
        let _ = cut.run_until_cancelled(told).await;
        drop(text);
        self.parts.waypoints.pass(Waypoint::RunnerStarted);
        let is_cut = tokio::select! {
            ended = tokio::time::timeout(limit, runner.wait()) => {
                if ended.is_err() {
                    // It ends its own children when it is in time; now only the kernel can.
                    let _ = runner.kill().await;
                }
                false
            }
            () = cut.cancelled() => true,
        };
        if is_cut {
            drop(runner.stdin.take());
            self.end_run(path.clone()).await;
            if tokio::time::timeout(GRACE, runner.wait()).await.is_err() {
                let _ = runner.kill().await;
            }
        }
        let read = tokio::task::spawn_blocking(move || (read_result(&path), has_begun(&path))).await;
        match read {
            Ok((Some(result), _)) => result,
            Ok((None, _)) if is_cut => CallResult::failed("").stopped(),
            Ok((None, false)) => CallResult::failed("the run could not begin; nothing was done; ask again"),
            _ => {
                self.end_unit(permit).await;
                CallResult::interrupted()
            }
        }
    }
}

impl Gate {
    /// Tells the runner of that folder to end itself and all it started, or keeps it from ever beginning.
    pub(super) async fn end_run(&self, folder: PathBuf) {
        let told = tokio::task::spawn_blocking(move || end(&folder)).await;
        if !matches!(told, Ok(true)) {
            tracing::error!("a run could not be told to end; it ends by its own limit");
        }
    }

    /// Sees to it that nothing of a run whose runner is gone is alive. What happened is recorded only after that, so this
    /// tries for as long as it takes.
    pub(super) async fn end_unit(&self, permit: PermitId) {
        let folder = self.runs.join(permit.to_string());
        loop {
            let (units, folder) = (self.parts.walls.units(), folder.clone());
            let ended = tokio::task::spawn_blocking(move || {
                if may_have_unit(&folder) {
                    units.end(permit)?;
                }
                if may_have_container(&folder) { units.end_container(permit) } else { Ok(()) }
            });
            match ended.await {
                Ok(Ok(())) => return,
                Ok(Err(why)) => tracing::error!(%permit, why, "the unit of a lost run could not be ended; tried again"),
                Err(_) => return,
            }
            tokio::time::sleep(UNIT_AGAIN).await;
        }
    }
}
