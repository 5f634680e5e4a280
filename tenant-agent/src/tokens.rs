//! The local tokens by which agents name themselves. Only digests are on disk; the token is shown once.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use wardkeep_proto::chance::{Chance, bytes};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::secret::{AgentTokens, SecretValue};
use wardkeep_proto::time::Timestamp;
use wardkeep_safety::Gate;

use crate::state::{read, write_private};

const DOMAIN: &str = "wardkeep/agent-token/v1";
const PREFIX: &str = "wka1_";
/// Longer than a step of the clock of any file system: a file that has looked the same for so long was not written meanwhile.
const SETTLED: Duration = Duration::from_secs(2);

/// What `tokens.json` holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenFile {
    agents: BTreeMap<AgentName, Row>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    digest: Digest,
    made_at: Timestamp,
}

/// Why tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read or written.
    #[error("cannot access {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("{0} is damaged; remove it and make new tokens with `wardkeep-agent hook token AGENT`")]
    Damaged(PathBuf),
    /// The agent has one.
    #[error("agent {0} has a token already; make another with --rotate, which ends the present one")]
    Exists(AgentName),
}

/// Makes a token for `agent`. The returned value is its only copy.
///
/// # Errors
/// All of [`TokenError`].
pub fn make(
    path: &Path,
    agent: &AgentName,
    existing: Existing,
    now: Timestamp,
    chance: &dyn Chance,
) -> Result<SecretValue, TokenError> {
    let mut file = load(path)?;
    if existing == Existing::Keep && file.agents.contains_key(agent) {
        return Err(TokenError::Exists(agent.clone()));
    }
    let token = SecretValue::new(format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&bytes::<32>(chance))));
    let digest = Digest::of(DOMAIN, token.expose().as_bytes());
    file.agents.insert(agent.clone(), Row { digest, made_at: now });
    let failed = |source| TokenError::File { path: path.to_owned(), source };
    write_private(path, &serde_json::to_vec_pretty(&file).map_err(|e| failed(io::Error::other(e)))?).map_err(failed)?;
    Ok(token)
}

/// What [`make`] does with a token that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Refuse.
    Keep,
    /// End it.
    Rotate,
}

fn load(path: &Path) -> Result<TokenFile, TokenError> {
    match read(path).map_err(|source| TokenError::File { path: path.to_owned(), source })? {
        None => Ok(TokenFile::default()),
        Some(bytes) => serde_json::from_slice(&bytes).map_err(|_| TokenError::Damaged(path.to_owned())),
    }
}

/// The tokens in force, as the running daemon knows them.
#[derive(Debug)]
pub struct TokenBook {
    path: PathBuf,
    by_digest: ArcSwap<HashMap<Digest, AgentName>>,
    /// How the file looked when it was read well, and since when it has.
    seen: Mutex<Option<(Look, Instant)>>,
}

/// How a file looks from outside. Whoever writes it changes that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    file: (u64, u64),
    size: u64,
    times: [(i64, i64); 2],
}

impl Look {
    /// `None` where there is no file, or it cannot be seen.
    fn at(path: &Path) -> Option<Self> {
        let meta = path.metadata().ok()?;
        let times = [(meta.mtime(), meta.mtime_nsec()), (meta.ctime(), meta.ctime_nsec())];
        Some(Self { file: (meta.dev(), meta.ino()), size: meta.size(), times })
    }
}

impl TokenBook {
    /// Reads the file.
    ///
    /// # Errors
    /// [`TokenError::File`] and [`TokenError::Damaged`].
    pub fn open(path: PathBuf) -> Result<Self, TokenError> {
        let book = Self { path, by_digest: ArcSwap::default(), seen: Mutex::default() };
        book.reload()?;
        Ok(book)
    }

    /// Reads the file again if it was written; on failure the tokens known before stay in force.
    ///
    /// # Errors
    /// [`TokenError::File`] and [`TokenError::Damaged`].
    pub fn reload(&self) -> Result<(), TokenError> {
        // Before it is read: a write from here on shows at the next look.
        let (look, now) = (Look::at(&self.path), Instant::now());
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let since = seen.filter(|(known, _)| Some(*known) == look).map(|(_, since)| since);
        if since.is_some_and(|since| now.saturating_duration_since(since) > SETTLED) {
            return Ok(());
        }
        let file = load(&self.path).inspect_err(|_| *seen = None)?;
        *seen = look.map(|look| (look, since.unwrap_or(now)));
        self.by_digest.store(Arc::new(file.agents.into_iter().map(|(agent, row)| (row.digest, agent)).collect()));
        Ok(())
    }
}

impl AgentTokens for TokenBook {
    fn agent_of(&self, token: &str) -> Option<AgentName> {
        self.by_digest.load().get(&Digest::of(DOMAIN, token.as_bytes())).cloned()
    }
}

/// Who asks the forward proxy: an agent, or a run of its.
pub(crate) struct RunOrAgentTokens {
    pub(crate) agents: Arc<TokenBook>,
    pub(crate) gate: Arc<Gate>,
}

impl AgentTokens for RunOrAgentTokens {
    fn agent_of(&self, token: &str) -> Option<AgentName> {
        self.gate.agent_of_run(token).or_else(|| self.agents.agent_of(token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Counted;

    #[test]
    fn only_the_present_token_names_its_agent() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("tokens.json");
        let (agent, chance): (AgentName, _) = ("office".parse().expect("valid"), Counted::default());
        let first = make(&path, &agent, Existing::Keep, Timestamp(1), &chance).expect("made");
        assert!(matches!(make(&path, &agent, Existing::Keep, Timestamp(1), &chance), Err(TokenError::Exists(_))));
        let book = TokenBook::open(path.clone()).expect("opens");
        for wrong in ["", "office", &first.expose()[1..], &first.expose().to_uppercase()] {
            assert_eq!(book.agent_of(wrong), None);
        }
        assert_eq!(book.agent_of(first.expose()), Some(agent.clone()));

        let second = make(&path, &agent, Existing::Rotate, Timestamp(2), &chance).expect("made");
        book.reload().expect("reloads");
        assert_eq!((book.agent_of(first.expose()), book.agent_of(second.expose())), (None, Some(agent)));
        let stored = std::fs::read_to_string(&path).expect("reads");
        assert!(!stored.contains(second.expose()) && !stored.contains(PREFIX));

        std::fs::write(&path, "{").expect("written");
        assert!(matches!(book.reload(), Err(TokenError::Damaged(_))));
        assert!(book.agent_of(second.expose()).is_some(), "a damaged file does not lock agents out");
    }
}
