//! What is said at the helper's socket: a length of four bytes and so many bytes of JSON, once each way. Verbs are fixed
//! and carry nothing that could be made to mean something else.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use wardkeep_proto::ids::{AgentName, PermitId};
use zeroize::Zeroizing;

use crate::journal::Event;
use crate::listing::{Totals, Tried};
use crate::lock::Drift;
use crate::plan::UidRange;

/// Longest question, bytes: the words and variables of a container, and little else.
pub const ASK_BYTES: u32 = 1024 * 1024;
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
    /// Run one permitted call in a container of its own. What it prints goes to a socket that is handed over beside this
    /// question. Answered when the container has ended; one whose asker goes away is ended.
    ContainerStart(ContainerStart),
    /// End that container. Answered when nothing of it is alive; one that is not there has ended.
    ContainerEnd {
        /// Whose.
        permit: PermitId,
    },
    /// Whether containers are carried out here.
    ContainerReady {},
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

/// All that can be said of a container; everything else is fixed, see [`crate::containers`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerStart {
    /// Names the container; each one is used once.
    pub permit: PermitId,
    /// Whose call: containers of one agent are one user.
    pub agent: AgentName,
    /// The id of an image that is there: `sha256:` and 64 digits.
    pub image: String,
    /// What runs in place of the image's own command; empty for that.
    pub argv: Vec<String>,
    /// Its variables.
    pub env: BTreeMap<String, Hidden>,
    /// Where it starts, in the container; `None` is where the image says.
    pub workdir: Option<String>,
    /// What it sees of the machine; nothing when absent.
    pub workspace: Option<Shown>,
    /// When it is cut.
    pub limits: Limits,
}

/// A workspace, as a container sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// Absolute, beneath one of the folders that root's configuration lists.
    pub path: String,
    /// What may be done with it.
    pub access: Access,
}

/// A text that may hold a secret: never printed, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(Zeroizing<String>);

impl Hidden {
    /// Hides `text`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Serialize for Hidden {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
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
    /// To `container-start`: the container has ended.
    ContainerOver(ContainerOver),
    /// To `run-end`, `run-ready`, `container-end` and `container-ready`.
    Done {},
    /// It was not done.
    Refused {
        /// Why, and what to do.
        message: String,
    },
}

/// How a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerOver {
    /// Of its program; 128 and the signal where one ended it.
    pub exit_code: i32,
    /// Whether the kernel ended some of it for want of memory.
    pub out_of_memory: bool,
    /// Why it was ended before its time.
    pub cut: Option<Cut>,
}

/// Why a container did not end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cut {
    /// It ran longer than it may.
    Time,
    /// Somebody wanted it to end.
    Wanted,
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
    /// Why connections from before the lock may still be open. Nothing can be sent over them.
    #[serde(default)]
    pub open: Option<String>,
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
            "{\"verb\":\"container-end\"}",
            "{\"verb\":\"container-ready\",\"engine\":\"/run/other.sock\"}",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(parse("{\"verb\":\"egress-lock\"}"), Some(Request::EgressLock {}));
        assert_eq!(parse("{\"verb\":\"egress-events\",\"after\":3}"), Some(Request::EgressEvents { after: 3 }));
    }

    /// Everything by which containers were let out elsewhere is no field, so a request with it is none.
    #[test]
    fn a_container_can_be_asked_for_in_no_other_words() {
        let good = serde_json::json!({
            "verb": "container-start", "permit": "00000000-0000-7000-8000-000000000001", "agent": "office", "image": "sha256:00",
            "argv": [], "env": {}, "workdir": null, "workspace": {"path": "/srv/agents/office", "access": "reads"},
            "limits": {"seconds": 1, "memory_mebibytes": 16, "processes": 8, "cpu_percent": 100, "file_mebibytes": 1},
        });
        for more in [
            "privileged",
            "network",
            "NetworkMode",
            "user",
            "User",
            "devices",
            "cap_add",
            "pid",
            "ipc",
            "userns",
            "mounts",
            "binds",
            "Binds",
            "volumes",
            "volumes_from",
            "security_opt",
            "runtime",
            "ports",
            "restart",
            "HostConfig",
            "entrypoint",
            "pull",
        ] {
            let mut bad = good.clone();
            bad[more] = serde_json::json!("host");
            assert_eq!(parse(&bad.to_string()), None, "{more}");
        }
        let mut bad = good.clone();
        bad["workspace"]["target"] = serde_json::json!("/etc");
        assert_eq!(parse(&bad.to_string()), None);
        bad["workspace"] = serde_json::json!([{"path": "/"}, {"path": "/etc"}]);
        assert_eq!(parse(&bad.to_string()), None);
        assert!(matches!(parse(&good.to_string()), Some(Request::ContainerStart(_))));
    }

    #[tokio::test]
    async fn a_message_that_is_too_long_is_not_even_read() {
        let mut long = ASK_BYTES.saturating_add(1).to_be_bytes().to_vec();
        long.resize(2_000_000, b' ');
        let error = read::<Request>(&mut &long[..], ASK_BYTES).await.expect_err("too long");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let mut good = Vec::new();
        write(&mut good, &Request::EgressStatus {}).await.expect("written");
        assert_eq!(read::<Request>(&mut &good[..], ASK_BYTES).await.expect("read"), Request::EgressStatus {});
        assert!(read::<Request>(&mut &good[..good.len() - 1], ASK_BYTES).await.is_err());
    }
}
