//! `POST /v1/hooks/lease`: an answer that has no end. Whoever reads it is alive.

use axum::Extension;
use axum::body::Body as Answer;
use axum::extract::State;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::once;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::UnixListener;

use super::{Agent, Body, Failure, Hooks};
use crate::gate::{BoundLease, BoundStart};

/// The process at the other end of a Unix socket.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// By `SO_PEERCRED`; `None` where the system does not say.
    process: Option<i32>,
}

impl Connected<IncomingStream<'_, UnixListener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self { process: stream.io().peer_cred().ok().and_then(|peer| peer.pid()) }
    }
}

/// Says how things stand, in one line of JSON, and then nothing until the lease ends.
pub(super) async fn hold(
    State(hooks): State<Hooks>,
    Agent(agent): Agent,
    caller: Option<Extension<ConnectInfo<Caller>>>,
    Body(start): Body<BoundStart>,
) -> Result<Response, Failure> {
    let process = caller.and_then(|Extension(ConnectInfo(caller))| caller.process);
    let told = process.and_then(|pid| u32::try_from(pid).ok());
    // Before the lease is there: a process that ends meanwhile is seen.
    let life = process.and_then(Life::of);
    let (started, lease) = hooks.gate.bind_lease(&agent, start, told).await?;
    let mut line = serde_json::to_vec(&started)
        .map_err(|_| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "unavailable", "the answer cannot be written"))?;
    line.push(b'\n');
    let end = async move {
        until_over(lease, life).await;
        Ok(Bytes::new())
    };
    let stream = once(async { Ok::<_, std::convert::Infallible>(Bytes::from(line)) }).chain(once(end));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Answer::from_stream(stream)).into_response())
}

/// A connection may outlive its process where another one inherited it; the process does not.
async fn until_over(mut lease: BoundLease, life: Option<Life>) {
    match life {
        Some(life) => tokio::select! {
            () = lease.over() => {}
            () = life.over() => {}
        },
        None => lease.over().await,
    }
}

/// The life of a process, whatever its number is given to afterwards.
struct Life(AsyncFd<rustix::fd::OwnedFd>);

impl Life {
    /// `None` where the system cannot watch it, as for one of another container: then its connection alone counts.
    #[expect(deprecated, reason = "an owned descriptor stays what it is; what replaces this one asks for `unsafe`")]
    fn of(pid: i32) -> Option<Self> {
        let process = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::NONBLOCK).ok()?;
        AsyncFd::with_interest(process, Interest::READABLE).ok().map(Self)
    }

    async fn over(&self) {
        if self.0.readable().await.is_err() {
            // Nothing more is heard of it; its connection counts.
            std::future::pending::<()>().await;
        }
    }
}
