//! The part that is root: it hears the daemon's user and root, does one of a few things, and looks after the rules.
//!
//! One question about the lock at a time, between two looks: nothing is done twice at once, and no lock is needed. Runs
//! have units of their own, which systemd keeps apart.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::Uid;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use wardkeep_proto::chance::Chance;
use wardkeep_proto::time::Clock;

use crate::containers::{ContainerTerms, Containers};
use crate::journal::{Journal, What};
use crate::listing::Listing;
use crate::lock::{Lock, LockError, chain};
use crate::passing;
use crate::plan::Plan;
use crate::protocol::{self, ASK_BYTES, Answer, Request, State, Status};
use crate::runs::{RunTerms, Runs};

/// Between two looks at the kernel, usually.
pub const EVERY: Duration = Duration::from_secs(5);
/// Whoever connects must ask within, and take the answer within.
const PATIENCE: Duration = Duration::from_secs(2);
/// Destinations in a status.
const SHOWN: usize = 50;

/// What the helper is told at its start.
pub struct Terms {
    /// The kernel's rules and the saved wish.
    pub lock: Lock,
    /// The journal's file.
    pub journal: PathBuf,
    /// Where it listens.
    pub socket: PathBuf,
    /// Who may ask, beside root.
    pub daemon: u32,
    /// What root's configuration says now; an error's text says what to do.
    pub plan: Arc<dyn Fn() -> Result<Plan, String> + Send + Sync>,
    /// The units that hold permitted calls.
    pub runs: RunTerms,
    /// The containers that do.
    pub containers: ContainerTerms,
    /// Between two looks at the kernel.
    pub every: Duration,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub chance: Arc<dyn Chance>,
}

/// Why it does not start.
#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    /// The socket.
    #[error("cannot listen on {path}; its folder must exist and be root's")]
    Socket {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The journal.
    #[error("cannot write {path}")]
    Journal {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// The helper, listening.
pub struct Helper {
    terms: Terms,
    runs: Arc<Runs>,
    containers: Arc<Containers>,
    journal: Journal,
    listener: UnixListener,
    /// The last trouble of a look, so that it is logged once.
    trouble: Option<String>,
}

impl Helper {
    /// Listens.
    ///
    /// # Errors
    /// Both of [`HelperError`].
    pub fn open(terms: Terms) -> Result<Self, HelperError> {
        let journal = Journal::open(terms.journal.clone(), &*terms.chance)
            .map_err(|source| HelperError::Journal { path: terms.journal.clone(), source })?;
        let listener = listen(&terms).map_err(|source| HelperError::Socket { path: terms.socket.clone(), source })?;
        let runs = Arc::new(Runs::new(terms.runs.clone()));
        let containers = Arc::new(Containers::new(terms.containers.clone()));
        Ok(Self { terms, runs, containers, journal, listener, trouble: None })
    }

    /// Serves until `stop`. The rules stay.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut every = interval(self.terms.every);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        every.tick().await;
        self.look_after().await;
        let left = tokio::spawn(Arc::clone(&self.containers).keep_tidy());
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = every.tick() => self.look_after().await,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => self.serve(stream).await,
                    Err(error) => {
                        tracing::error!(%error, "the helper's socket cannot accept");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                },
            }
        }
        left.abort();
    }

    async fn serve(&mut self, mut stream: UnixStream) {
        let Ok(peer) = stream.peer_cred() else { return };
        if !allowed(peer.uid(), self.terms.daemon) {
            tracing::warn!(uid = peer.uid(), "a connection by another user was dropped");
            return;
        }
        let answer = match timeout(PATIENCE, passing::receive(&stream, ASK_BYTES)).await {
            // Runs go on beside all other questions.
            Ok(Ok((Request::RunStart(run), files))) => return self.runs.start(run, files, stream),
            Ok(Ok((Request::RunEnd { permit }, _))) => {
                let runs = Arc::clone(&self.runs);
                answer_apart(stream, async move { runs.end(permit).await });
                return;
            }
            Ok(Ok((Request::RunReady {}, _))) => {
                let runs = Arc::clone(&self.runs);
                answer_apart(stream, async move { runs.ready().await });
                return;
            }
            Ok(Ok((Request::ContainerStart(asked), files))) => {
                return Arc::clone(&self.containers).start(asked, files, stream);
            }
            Ok(Ok((Request::ContainerEnd { permit }, _))) => {
                let containers = Arc::clone(&self.containers);
                answer_apart(stream, async move { containers.end(permit).await });
                return;
            }
            Ok(Ok((Request::ContainerReady {}, _))) => {
                let containers = Arc::clone(&self.containers);
                answer_apart(stream, async move { containers.ready().await });
                return;
            }
            Ok(Ok((request, _))) => self.answer(request, peer.uid()).await,
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                Answer::Refused { message: "the helper does not know this question".to_owned() }
            }
            Ok(Err(_)) | Err(_) => return,
        };
        let _ = timeout(PATIENCE, protocol::write(&mut stream, &answer)).await;
    }

    async fn answer(&mut self, request: Request, by: u32) -> Answer {
        let done = match request {
            Request::EgressLock {} => self.lock(by).await,
            Request::EgressUnlock {} => self.unlock(by).await,
            Request::EgressStatus {} => Ok(false),
            Request::EgressEvents { after } => {
                return Answer::Events { journal: self.journal.name().to_owned(), events: self.journal.after(after) };
            }
            Request::RunStart(_)
            | Request::RunEnd { .. }
            | Request::RunReady {}
            | Request::ContainerStart(_)
            | Request::ContainerEnd { .. }
            | Request::ContainerReady {} => Err("runs are answered elsewhere".to_owned()),
        };
        let status = match done {
            Ok(changed) => self.status().await.map(|status| Answer::Status { changed, status }),
            Err(message) => Err(message),
        };
        status.unwrap_or_else(|message| Answer::Refused { message })
    }

    async fn lock(&mut self, by: u32) -> Result<bool, String> {
        let plan = (self.terms.plan)()?;
        self.look_after().await;
        if !self.terms.lock.lock(&plan).await.map_err(|error| chain(&error))? {
            return Ok(false);
        }
        tracing::info!(by, "locked");
        let doors = plan.doors().iter().copied().collect();
        self.record([What::Applied { by, uids: plan.uids().to_vec(), doors }])?;
        Ok(true)
    }

    async fn unlock(&mut self, by: u32) -> Result<bool, String> {
        // What was tried so far goes with the rules.
        self.look_after().await;
        if !self.terms.lock.unlock().await.map_err(|error| chain(&error))? {
            return Ok(false);
        }
        self.journal.watch().clear();
        tracing::warn!(by, "unlocked");
        self.record([What::Removed { by }])?;
        Ok(true)
    }

    async fn status(&self) -> Result<Status, String> {
        let sight = self.terms.lock.look().await.map_err(|error| chain(&error))?;
        let state = match (&sight.wanted, sight.drift) {
            (_, Some(_)) => State::Drifted,
            (Some(_), None) => State::Locked,
            (None, None) => State::Unlocked,
        };
        let outdated = sight.wanted.as_ref().and_then(|wanted| match (self.terms.plan)() {
            Ok(plan) if plan == *wanted => None,
            Ok(_) => Some("the configuration names other users or ports than are locked; lock again".to_owned()),
            Err(message) => Some(message),
        });
        let (totals, mut tried) = sight.listing.map(|listing| (listing.totals, listing.tried)).unwrap_or_default();
        tried.sort_by_key(|tried| std::cmp::Reverse(tried.count.packets));
        tried.truncate(SHOWN);
        let (uids, doors) =
            sight.wanted.map(|plan| (plan.uids().to_vec(), plan.doors().iter().copied().collect())).unwrap_or_default();
        Ok(Status { state, drift: sight.drift, outdated, open: sight.open, uids, doors, totals, tried })
    }

    /// Puts back what somebody changed, and writes down what was tried.
    async fn look_after(&mut self) {
        let looked = self.look_once().await;
        let trouble = looked.err();
        if let Some(message) = trouble.as_ref().filter(|message| self.trouble.as_ref() != Some(message)) {
            tracing::error!(error = message, "the lock could not be looked after");
        }
        self.trouble = trouble;
    }

    async fn look_once(&mut self) -> Result<(), String> {
        let sight = self.terms.lock.look().await.map_err(|error| chain(&error))?;
        if let Some(listing) = &sight.listing {
            self.record_attempts(listing)?;
        }
        if let (Some(drift), Some(_)) = (sight.drift, sight.wanted) {
            tracing::warn!(?drift, "the lock's rules were changed by somebody and are put back");
            self.terms.lock.restore().await.map_err(|error| chain(&error))?;
            self.journal.watch().clear();
            self.record([What::Mended { drift }])?;
        } else if sight.open.is_some() {
            self.terms.lock.end_open().await.map_err(|error| chain(&error))?;
        }
        Ok(())
    }

    fn record_attempts(&mut self, listing: &Listing) -> Result<(), String> {
        let now = self.terms.clock.now();
        let news = self.journal.watch().take(&listing.tried, now);
        let flood = (news.waiting > 0).then_some(What::Flood { destinations: news.waiting });
        self.record(news.tried.into_iter().map(What::Attempt).chain(flood))
    }

    fn record(&mut self, what: impl IntoIterator<Item = What>) -> Result<(), String> {
        let at = self.terms.clock.now();
        self.journal.add(at, what).map_err(|error| format!("it was done, but the journal cannot be written: {error}"))
    }
}

/// Answers beside all other questions.
fn answer_apart(mut stream: UnixStream, work: impl Future<Output = Result<(), String>> + Send + 'static) {
    tokio::spawn(async move {
        let answer = match work.await {
            Ok(()) => Answer::Done {},
            Err(message) => Answer::Refused { message },
        };
        let _ = timeout(PATIENCE, protocol::write(&mut stream, &answer)).await;
    });
}

const fn allowed(uid: u32, daemon: u32) -> bool {
    uid == daemon || uid == 0
}

/// A socket file left by a crash is replaced; systemd keeps a second helper from starting. Only the daemon's user may
/// even connect.
fn listen(terms: &Terms) -> io::Result<UnixListener> {
    match std::fs::remove_file(&terms.socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&terms.socket)?;
    std::fs::set_permissions(&terms.socket, Permissions::from_mode(0o600))?;
    rustix::fs::chown(&terms.socket, Some(Uid::from_raw(terms.daemon)), None)?;
    Ok(listener)
}

/// Puts what is saved in force, at boot; says what it did.
///
/// # Errors
/// All of [`LockError`].
pub async fn restore(lock: &Lock) -> Result<&'static str, LockError> {
    Ok(if lock.restore().await? { "locked, as before the reboot" } else { "nothing is locked" })
}

#[cfg(test)]
mod tests;
