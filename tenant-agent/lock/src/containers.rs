//! The containers that hold permitted calls: the helper has a Docker engine make them, and nobody else speaks to the engine.
//!
//! What may be asked for is [`ContainerStart`]; the engine's request is made here ([`body`]). A container lives as long as
//! its call: it is ended when its time is over, when somebody says so, and when whoever asked for it goes away, and removed
//! after that. What an earlier life of the helper left behind is removed, too; it is never taken up.

mod body;
mod engine;
mod frames;
mod verbs;

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Method;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use rustix::net::AddressFamily;
use rustix::net::sockopt::socket_domain;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use wardkeep_proto::ids::PermitId;

use crate::protocol::{self, Answer, ContainerOver, ContainerStart, Cut};
use crate::runs::{Spent, unit, workspace};
use engine::{Engine, EngineError, WORK};

/// Containers at a time.
const CONTAINERS: usize = 16;
/// Whoever waits for an answer must take it within.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the last of what a container printed may take.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// ... of one that somebody wanted to end.
const LAST_WORDS_AT_ONCE: Duration = Duration::from_millis(20);
/// Between two looks for what an earlier helper left behind, until one succeeded.
const TIDY_AGAIN: Duration = Duration::from_secs(60);

/// What the helper knows about containers by itself, whoever asks.
#[derive(Clone)]
pub struct ContainerTerms {
    /// The engine's socket by root's configuration now; `None`: containers are not carried out here.
    pub engine: Arc<dyn Fn() -> Result<Option<PathBuf>, String> + Send + Sync>,
    /// Beneath which folders workspaces lie, by root's configuration now.
    pub workspaces: Arc<dyn Fn() -> Result<Vec<PathBuf>, String> + Send + Sync>,
    /// The group that the workspaces belong to.
    pub group: u32,
}

/// The helper's containers.
pub(crate) struct Containers {
    terms: ContainerTerms,
    places: Arc<Semaphore>,
    spent: Mutex<Spent>,
    live: Mutex<HashMap<PermitId, Live>>,
}

/// One that is being made, runs, or is being ended.
#[derive(Clone)]
struct Live {
    end: CancellationToken,
    /// Closed when nothing of it is alive.
    over: watch::Receiver<()>,
}

/// The right to one container.
struct Admitted {
    engine: Engine,
    output: UnixStream,
    end: CancellationToken,
    over: watch::Sender<()>,
    _place: OwnedSemaphorePermit,
}

impl Containers {
    pub(crate) fn new(terms: ContainerTerms) -> Self {
        let places = Arc::new(Semaphore::new(CONTAINERS));
        Self { terms, places, spent: Mutex::default(), live: Mutex::default() }
    }

    /// Checks what is asked for and carries it out beside everything else; answers on `stream` when the container has ended.
    pub(crate) fn start(self: Arc<Self>, asked: ContainerStart, files: Vec<OwnedFd>, mut stream: UnixStream) {
        let admitted = self.admit(&asked, files);
        tokio::spawn(async move {
            let permit = asked.permit;
            let (answer, left) = match admitted {
                Ok(admitted) => self.hold(&asked, admitted, &mut stream).await,
                Err(message) => (Err(message), None),
            };
            let answer = match answer {
                Ok(over) => Answer::ContainerOver(over),
                Err(message) => {
                    tracing::warn!(%permit, message, "a container was refused, or is lost");
                    Answer::Refused { message }
                }
            };
            let _ = tokio::time::timeout(PATIENCE, protocol::write(&mut stream, &answer)).await;
            if let Some((engine, place)) = left {
                remove(&engine, &body::name(permit)).await;
                drop(place);
            }
        });
    }

    /// Ends a container; returns when nothing of it is alive.
    pub(crate) async fn end(&self, permit: PermitId) -> Result<(), String> {
        // Ended before it began: it never will.
        self.spent().take(permit);
        let live = self.live().get(&permit).cloned();
        if let Some(mut live) = live {
            live.end.cancel();
            let gone = tokio::time::timeout(WORK, async { while live.over.changed().await.is_ok() {} }).await;
            return gone.map_err(|_| format!("the engine did not end it within {} seconds", WORK.as_secs()));
        }
        // Of an earlier life of this helper, or never begun.
        match (self.terms.engine)()? {
            Some(socket) => Engine::at(&socket).remove(&body::name(permit)).await.map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }

    /// Whether this machine can hold calls in containers.
    pub(crate) async fn ready(&self) -> Result<(), String> {
        (self.terms.workspaces)()?;
        self.engine()?.limits().await
    }

    /// Removes what an earlier life of the helper left behind, once the engine answers.
    pub(crate) async fn keep_tidy(self: Arc<Self>) {
        loop {
            if let Ok(Some(socket)) = (self.terms.engine)() {
                match self.tidy(&Engine::at(&socket)).await {
                    Ok(()) => return,
                    Err(error) => tracing::debug!(%error, "containers were not looked for"),
                }
            }
            tokio::time::sleep(TIDY_AGAIN).await;
        }
    }

    async fn tidy(&self, engine: &Engine) -> Result<(), EngineError> {
        for permit in engine.labelled().await? {
            if self.live().contains_key(&permit) {
                continue;
            }
            tracing::warn!(%permit, "a container that nobody waits for is removed");
            engine.remove(&body::name(permit)).await?;
        }
        Ok(())
    }

    fn engine(&self) -> Result<Engine, String> {
        match (self.terms.engine)()? {
            Some(socket) => Ok(Engine::at(&socket)),
            None => Err(
                "containers are not carried out on this server; name the Docker engine's socket in [containers] of \
                         /etc/wardkeep/agent.toml"
                    .to_owned(),
            ),
        }
    }

    fn admit(&self, asked: &ContainerStart, files: Vec<OwnedFd>) -> Result<Admitted, String> {
        unit::check(&asked.limits)?;
        body::check(asked)?;
        let output = files.into_iter().next().ok_or("a container needs its line")?;
        if !matches!(socket_domain(&output), Ok(AddressFamily::UNIX)) {
            return Err("a container's line is a Unix socket and nothing else".to_owned());
        }
        if let Some(shown) = &asked.workspace {
            workspace::check_fixed(&shown.path, &(self.terms.workspaces)()?)?;
        }
        let engine = self.engine()?;
        let output = stream_of(output).map_err(|error| format!("the line cannot be used: {error}"))?;
        let place = Arc::clone(&self.places);
        let place =
            place.try_acquire_owned().map_err(|_| format!("{CONTAINERS} containers run already; wait for one"))?;
        if !self.spent().take(asked.permit) {
            return Err("this permit was used before; it is never run twice".to_owned());
        }
        let end = CancellationToken::new();
        let (over, gone) = watch::channel(());
        self.live().insert(asked.permit, Live { end: end.clone(), over: gone });
        Ok(Admitted { engine, output, end, over, _place: place })
    }

    /// From the request to the container's end; what is to be removed after the answer comes beside it.
    async fn hold(
        &self,
        asked: &ContainerStart,
        admitted: Admitted,
        stream: &mut UnixStream,
    ) -> (Result<ContainerOver, String>, Option<(Engine, OwnedSemaphorePermit)>) {
        let Admitted { engine, output, end, over, _place: place } = admitted;
        let name = body::name(asked.permit);
        let answer = match make(&engine, asked, &name, self.terms.group).await {
            Ok(()) => run(&engine, asked, &name, output, stream, &end).await,
            Err(why) => {
                self.forget(asked.permit, over);
                return (Err(why), None);
            }
        };
        let answer = match answer {
            Ok(over) => Ok(over),
            // Whatever became of it: it is not alive when this is told.
            Err(why) => match engine.remove(&name).await {
                Ok(()) => Err(why),
                Err(error) => Err(format!("{why}; and it could not be removed: {error}")),
            },
        };
        self.forget(asked.permit, over);
        (answer, Some((engine, place)))
    }

    fn forget(&self, permit: PermitId, over: watch::Sender<()>) {
        self.live().remove(&permit);
        drop(over);
    }

    fn live(&self) -> MutexGuard<'_, HashMap<PermitId, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spent(&self) -> MutexGuard<'_, Spent> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stream_of(line: OwnedFd) -> std::io::Result<UnixStream> {
    let line = std::os::unix::net::UnixStream::from(line);
    line.set_nonblocking(true)?;
    UnixStream::from_std(line)
}

/// Makes the container; nothing runs in it yet.
async fn make(engine: &Engine, asked: &ContainerStart, name: &str, group: u32) -> Result<(), String> {
    engine.limits().await?;
    let volumes = engine.volumes_of(&asked.image).await?;
    let body = body::of(asked, group, &volumes);
    let made = engine.ask(Method::POST, &format!("/containers/create?name={name}"), Some(&body), WORK).await;
    made.map(drop).map_err(|error| match error {
        EngineError::Refused { status, .. } if status == http::StatusCode::CONFLICT => {
            "this permit was used before; it is never run twice".to_owned()
        }
        error => error.to_string(),
    })
}

/// Starts it, hands on what it prints, and follows it to its end, which comes at the latest when nobody waits for it.
async fn run(
    engine: &Engine,
    asked: &ContainerStart,
    name: &str,
    output: UnixStream,
    stream: &mut UnixStream,
    end: &CancellationToken,
) -> Result<ContainerOver, String> {
    let words = |error: EngineError| error.to_string();
    let limit = Duration::from_secs(u64::from(asked.limits.seconds));
    let printed = engine.attach(name).await.map_err(words)?;
    let pump = tokio::spawn(hand_on(printed, output));
    if end.is_cancelled() {
        return Err("it was ended before it began".to_owned());
    }
    engine.start(name).await.map_err(|error| format!("the container did not start: {error}"))?;
    let over = engine.over(name, limit + WORK);
    let mut over = std::pin::pin!(over);
    let mut nothing = [0; 1];
    let cut = tokio::select! {
        ended = &mut over => {
            ended.map_err(words)?;
            None
        }
        () = end.cancelled() => Some(Cut::Wanted),
        // Nothing more is said on this line while the container lives: whatever comes, it is over.
        _ = stream.read(&mut nothing) => Some(Cut::Wanted),
        () = tokio::time::sleep(limit) => Some(Cut::Time),
    };
    if cut.is_some() {
        engine.kill(name).await.map_err(words)?;
        tokio::time::timeout(WORK, over).await.map_err(|_| "the engine did not end it".to_owned())?.map_err(words)?;
    }
    let (last, abort) = (if cut == Some(Cut::Wanted) { LAST_WORDS_AT_ONCE } else { LAST_WORDS }, pump.abort_handle());
    if tokio::time::timeout(last, pump).await.is_err() {
        abort.abort();
    }
    engine.ended(name, cut).await
}

/// What comes out of the container goes to whoever asked, as long as anybody listens.
async fn hand_on(mut printed: Incoming, mut output: UnixStream) {
    let (mut frames, mut bytes) = (frames::Frames::default(), Vec::new());
    while let Some(Ok(frame)) = printed.frame().await {
        let Ok(piece) = frame.into_data() else { continue };
        frames.push(&piece, &mut bytes);
        if output.write_all(&bytes).await.is_err() {
            return;
        }
        bytes.clear();
    }
}

async fn remove(engine: &Engine, name: &str) {
    if let Err(error) = engine.remove(name).await {
        tracing::error!(%error, name, "a container that has ended could not be removed; it is tried at the next start");
    }
}

#[cfg(test)]
mod tests;
