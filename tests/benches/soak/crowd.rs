//! The process with the callers, from the side that cues them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::Context as _;

use crate::Options;
use crate::clients::Seen;
use crate::process;
use crate::stage::Stage;

/// The process with the callers.
pub(crate) struct Crowd {
    child: Child,
    cues: ChildStdin,
    pub(crate) told: Receiver<Seen>,
}

impl Crowd {
    pub(crate) fn start(options: &Options, stage: &Stage, secrets: &Path) -> anyhow::Result<Self> {
        let mut command = process::part("clients")?;
        command.args(["--to", &stage.llm.to_string(), "--token", &stage.token]);
        command.arg("--secrets").arg(secrets).args(["--seed", &options.seed.to_string()]);
        let seconds = (options.minutes * 60.0) as u64;
        for (name, value) in [
            ("--seconds", seconds),
            ("--idle", options.idle as u64),
            ("--workers", options.workers as u64),
            ("--pause", options.pause as u64),
        ] {
            command.args([name, &value.to_string()]);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let cues = child.stdin.take().context("a pipe")?;
        let lines = BufReader::new(child.stdout.take().context("a pipe")?).lines();
        let (tell, told) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let Ok(seen) = serde_json::from_str(&line) else { break };
                if tell.send(seen).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, cues, told })
    }

    pub(crate) fn cue(&mut self) -> anyhow::Result<()> {
        self.cues.write_all(b"\n").context("the callers have gone")
    }

    pub(crate) fn hear(&self, patience: Duration) -> anyhow::Result<Seen> {
        self.told.recv_timeout(patience).context("the callers say nothing more")
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
