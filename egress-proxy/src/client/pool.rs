//! Connections to providers, kept between requests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::BytesMut;
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::time::Instant;
use tower_service::Service as _;

use super::inflow::Inflow;
use super::line::{self, Line, NoAnswer, Stream};
use crate::sheaf::Sheaf;

/// A connection that nobody used for so long is closed.
const UNUSED: Duration = Duration::from_secs(60);
/// Between two looks for those, and for what providers closed.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Connections to one host that wait; more are closed after their request.
const WAITING: usize = 256;
/// Those of them that keep their room.
const ROOMY: usize = 32;

/// Connections to all hosts.
#[derive(Clone)]
pub(crate) struct Pool {
    connector: HttpsConnector<HttpConnector>,
    idle: Arc<Idle>,
}

/// Those that nobody uses now; the last of a host was used last.
#[derive(Default)]
struct Idle(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    /// By host; a bundle has few.
    lines: Vec<(Place, Vec<Unused>)>,
    /// Somebody looks after them.
    is_kept: bool,
}

type Place = (Scheme, Authority);

/// A connection, and since when.
type Unused = (Box<Line>, Instant);

/// Where a connection goes once its answer was read.
pub(super) struct Home {
    idle: Weak<Idle>,
    place: Place,
}

/// Why a provider did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    /// It never got the request.
    #[error("no connection: {0}")]
    Connect(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It may have got it.
    #[error("{0}")]
    Broken(String),
}

impl Failed {
    pub(crate) const fn is_connect(&self) -> bool {
        matches!(self, Self::Connect(_))
    }
}

impl Pool {
    pub(super) fn new(connector: HttpsConnector<HttpConnector>) -> Self {
        Self { connector, idle: Arc::default() }
    }

    /// Sends the request, to its whole address, and gives the answer once its head is there.
    pub(crate) async fn request(&self, request: Request<Sheaf>) -> Result<Response<Inflow>, Failed> {
        let uri = request.uri();
        let place = match (uri.scheme(), uri.authority()) {
            (Some(scheme), Some(authority)) => (scheme.clone(), authority.clone()),
            _ => return Err(Failed::Connect("the address is not whole".into())),
        };
        loop {
            let (mut line, is_fresh) = match self.idle.of(&place) {
                Some(line) => (line, false),
                None => (self.connect(uri).await?, true),
            };
            match line.ask(line::head(&request), request.body().clone()).await {
                Ok(answer) => {
                    let home = answer.keeps_alive.then(|| Home { idle: Arc::downgrade(&self.idle), place });
                    let mut response = Response::new(Inflow::new(line, answer.framing, home));
                    *response.status_mut() = answer.status;
                    *response.headers_mut() = answer.headers;
                    return Ok(response);
                }
                // It was closed while nobody looked.
                Err(NoAnswer::Unsent) if !is_fresh => {}
                Err(error) => return Err(Failed::Broken(error.to_string())),
            }
        }
    }

    async fn connect(&self, uri: &Uri) -> Result<Box<Line>, Failed> {
        let mut connector = self.connector.clone();
        std::future::poll_fn(|cx| connector.poll_ready(cx)).await.map_err(Failed::Connect)?;
        // It is handed on with each request.
        Ok(Box::new(Line::new(match connector.call(uri.clone()).await.map_err(Failed::Connect)? {
            MaybeHttpsStream::Http(io) => Stream::Plain(io.into_inner()),
            MaybeHttpsStream::Https(io) => Stream::Tls(Box::new(io.into_inner())),
        })))
    }
}

impl Waiting {
    fn of(&mut self, place: &Place) -> Option<&mut Vec<Unused>> {
        self.lines.iter_mut().find(|(other, _)| other == place).map(|(_, lines)| lines)
    }
}

impl Idle {
    fn of(&self, place: &Place) -> Option<Box<Line>> {
        loop {
            // One that cannot be used is closed outside of the lock.
            let (mut line, _) = self.waiting().of(place)?.pop()?;
            if line.is_idle() {
                return Some(line);
            }
        }
    }

    fn put(self: Arc<Self>, place: Place, mut line: Box<Line>) {
        let mut waiting = self.waiting();
        match waiting.of(&place) {
            None => waiting.lines.push((place, vec![(line, Instant::now())])),
            Some(lines) => {
                if lines.len() >= ROOMY {
                    line.ahead = BytesMut::new();
                }
                if lines.len() < WAITING {
                    lines.push((line, Instant::now()));
                }
            }
        }
        if !std::mem::replace(&mut waiting.is_kept, true) {
            drop(waiting);
            tokio::spawn(Self::keep(Arc::downgrade(&self)));
        }
    }

    /// Closes what nobody uses, until there is nothing.
    async fn keep(this: Weak<Self>) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let Some(this) = this.upgrade() else { return };
            let mut gone = Vec::new();
            let mut waiting = this.waiting();
            waiting.lines.retain_mut(|(_, lines)| {
                gone.extend(lines.extract_if(.., |(line, since)| since.elapsed() >= UNUSED || !line.is_idle()));
                !lines.is_empty()
            });
            waiting.is_kept = !waiting.lines.is_empty();
            let ends = !waiting.is_kept;
            drop(waiting);
            drop(gone);
            if ends {
                return;
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Home {
    pub(super) fn take(self, mut line: Box<Line>) {
        if let Some(idle) = self.idle.upgrade()
            && line.is_idle()
        {
            idle.put(self.place, line);
        }
    }
}
