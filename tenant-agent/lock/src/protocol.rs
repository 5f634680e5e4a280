//! What is said at the helper's socket: a length of four bytes and so many bytes of JSON, once each way. Verbs are fixed
//! and carry nothing that could be made to mean something else.

use std::io;
use std::net::SocketAddr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use wardkeep_proto::ids::{AgentName, PermitId};

use crate::journal::Event;
use crate::listing::{Totals, Tried};
use crate::lock::Drift;
use crate::plan::UidRange;

/// Longest question, bytes.
pub const ASK_BYTES: u32 = 1024;
/// Longest answer, bytes.
pub const ANSWER_BYTES: u32 = 1024 * 1024;

/// A question. Braces although empty: serde refuses unknown fields only there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Lock as root's configuration says.
    EgressLock {},
    /// Take the lock away.
    EgressUnlock {},
    /// How it stands.
    EgressStatus {},
    /// What happened after the event of this number.
    EgressEvents {
        /// 0 for all.
        after: u64,
    },
    /// Hold one permitted call in a unit of its own. What the call is comes over a socket that is handed over beside this
    /// question; the helper does not see it. Answered when the unit has ended; a unit whose asker goes away is ended.
    RunStart(RunStart),
    /// End that unit and all that it started. Answered when nothing of it is alive; one that is not there has ended.
    RunEnd {
        /// Whose.
        permit: PermitId,
    },
    /// Whether calls can be held in units here.
    RunReady {},
}

/// What a unit is made of: nothing of the call itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunStart {
    /// Names the unit; each one is used once.
    pub permit: PermitId,
    /// Whose call: runs of one agent that change its files do so as one user.
    pub agent: AgentName,
    /// What it may do with the workspace.
    pub access: Access,
    /// Absolute, beneath one of the folders that root's configuration lists; the only one that it sees.
    pub workspace: Option<String>,
    /// When it is cut.
    pub limits: Limits,
}

/// What a run may do with its workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Look.
    Reads,
    /// Change it.
    Changes,
}

/// When a run is cut by the machine. What is out of bounds is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// From start to end, 1 to 86,400.
    pub seconds: u32,
    /// All its processes together, 16 to 1,048,576.
    pub memory_mebibytes: u32,
    /// Processes and threads, 4 to 65,536.
    pub processes: u32,
    /// Of one core, 1 to 100,000.
    pub cpu_percent: u32,
    /// Each file that it writes, 1 to 1,048,576.
    pub file_mebibytes: u32,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// To `egress-lock`, `egress-unlock` and `egress-status`.
    Status {
        /// Whether the question changed anything.
        changed: bool,
        /// How it stands now.
        status: Status,
    },
    /// To `egress-events`.
    Events {
        /// The journal's name.
        journal: String,
        /// Oldest first; ask again until there is none.
        events: Vec<Event>,
    },
    /// To `run-start`: the unit has ended.
    RunOver {
        /// In systemd's words: `success`, `exit-code`, `signal`, `timeout`, `oom-kill`, ….
        result: String,
    },
    /// To `run-end` and `run-ready`.
    Done {},
    /// It was not done.
    Refused {
        /// Why, and what to do.
        message: String,
    },
}

/// Whether the kernel does what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nothing is locked.
    Unlocked,
    /// The rules are those that were applied.
    Locked,
    /// They are not.
    Drifted,
}

/// How it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// In one word.
    pub state: State,
    /// What is wrong, when drifted.
    pub drift: Option<Drift>,
    /// Why the configuration would now lock otherwise than it is locked; lock again to take it over.
    pub outdated: Option<String>,
    /// Who is locked in.
    pub uids: Vec<UidRange>,
    /// What they reach.
    pub doors: Vec<SocketAddr>,
    /// Packets since the lock, or since the reboot.
    pub totals: Totals,
    /// Destinations tried within the last hour, the most tried first, at most 50.
    pub tried: Vec<Tried>,
}

/// Writes one message.
///
/// # Errors
/// When the other end is gone.
pub async fn write(stream: &mut (impl AsyncWrite + Unpin), message: &impl Serialize) -> io::Result<()> {
    stream.write_all(&frame(message)?).await?;
    stream.flush().await
}

/// The bytes of one message.
pub(crate) fn frame(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let text = serde_json::to_vec(message).map_err(io::Error::other)?;
    let length = u32::try_from(text.len()).map_err(io::Error::other)?;
    Ok([&length.to_be_bytes()[..], &text].concat())
}

/// The length that a message announces.
pub(crate) fn announced(length: [u8; 4], longest: u32) -> io::Result<usize> {
    match u32::from_be_bytes(length) {
        length if length > longest => {
            Err(io::Error::new(io::ErrorKind::InvalidData, format!("a message of {length} bytes")))
        }
        length => Ok(length as usize),
    }
}

/// What a message says.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8]) -> io::Result<T> {
    serde_json::from_slice(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Reads one message of at most `longest` bytes.
///
/// # Errors
/// `InvalidData` for what is too long or no such message; else the other end is gone.
pub async fn read<T: DeserializeOwned>(stream: &mut (impl AsyncRead + Unpin), longest: u32) -> io::Result<T> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let mut text = vec![0; announced(length, longest)?];
    stream.read_exact(&mut text).await?;
    parse(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Request> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn only_the_verbs_are_understood() {
        for bad in [
            "{}",
            "{\"verb\":\"egress\"}",
            "{\"verb\":\"egress-lock\",\"uids\":[1]}",
            "{\"verb\":\"egress-unlock\",\"command\":\"id\"}",
            "{\"verb\":\"egress-events\"}",
            "{\"verb\":\"egress-events\",\"after\":-1}",
            "\"egress-lock\"",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(parse("{\"verb\":\"egress-lock\"}"), Some(Request::EgressLock {}));
        assert_eq!(parse("{\"verb\":\"egress-events\",\"after\":3}"), Some(Request::EgressEvents { after: 3 }));
    }

    #[tokio::test]
    async fn a_message_that_is_too_long_is_not_even_read() {
        let mut long = ASK_BYTES.saturating_add(1).to_be_bytes().to_vec();
        long.resize(10_000, b' ');
        let error = read::<Request>(&mut &long[..], ASK_BYTES).await.expect_err("too long");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let mut good = Vec::new();
        write(&mut good, &Request::EgressStatus {}).await.expect("written");
        assert_eq!(read::<Request>(&mut &good[..], ASK_BYTES).await.expect("read"), Request::EgressStatus {});
        assert!(read::<Request>(&mut &good[..good.len() - 1], ASK_BYTES).await.is_err());
    }
}
