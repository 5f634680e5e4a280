//! The listening side: connections on loopback, HTTP/1.1.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::exchange;
use crate::gateway::Gateway;
use crate::strict::{self, HEAD_BYTES, Strict};

/// Connections at the same time; more wait to be accepted.
const CONNECTIONS: usize = 1024;
/// A connection on which nothing is asked is closed after this.
const UNUSED: Duration = Duration::from_secs(60);
/// After `stop`, how long answers under way may go on.
const GRACE: Duration = Duration::from_secs(10);

/// Serves agents until `stop`, then lets answers under way end within ten seconds.
///
/// Usage of answers that were cut by the end is settled as estimates; close the [`crate::Meter`] after this returns.
pub async fn serve(listener: TcpListener, gateway: Arc<Gateway>, stop: CancellationToken) {
    each_connection(listener, stop, move |stream, stop| connection(stream, Arc::clone(&gateway), stop)).await;
}

/// As [`serve`], on a thread of its own, and returns when that ends: answers do not wait for what else the process does, and no
/// connection has to wake another thread for its next turn. One core carries far more than the agents of one server ask.
pub async fn serve_apart(listener: TcpListener, gateway: Arc<Gateway>, stop: CancellationToken) {
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    let apart = move || {
        // Dropped with the thread, however it ends.
        let _ended = ended;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener.into_std()?)?;
            serve(listener, gateway, stop).await;
            Ok::<_, std::io::Error>(())
        })
    };
    let logged = move || {
        if let Err(error) = apart() {
            tracing::error!(%error, "the LLM gateway cannot be served");
        }
    };
    match std::thread::Builder::new().name("llm-gateway".to_owned()).spawn(logged) {
        Ok(_) => drop(end.await),
        Err(error) => tracing::error!(%error, "the LLM gateway has no thread"),
    }
}

/// Accepts until `stop`, a bounded number at the same time, and then lets what is under way end within [`GRACE`].
pub(crate) async fn each_connection<F, C>(listener: TcpListener, stop: CancellationToken, serve: F)
where
    F: Fn(TcpStream, CancellationToken) -> C,
    C: Future<Output = ()> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &room) => accepted,
        };
        while connections.try_join_next().is_some() {}
        let Some((stream, permit)) = accepted else { continue };
        let connection = serve(stream, stop.clone());
        connections.spawn(async move {
            connection.await;
            drop(permit);
        });
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, all).await.is_err() {
        tracing::warn!(connections = connections.len(), "answers under way were cut because the daemon stops");
        connections.shutdown().await;
    }
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, permit)),
        Err(error) => {
            // Out of file descriptors, mostly: some connection has to end first.
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

async fn connection(mut stream: TcpStream, gateway: Arc<Gateway>, stop: CancellationToken) {
    // Small events must not wait for the acknowledgement of the one before.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let requests = Strict::new(&mut stream, gateway.parts.timeouts.head);
    let witness = requests.witness();
    let numbers = Arc::clone(&witness);
    let service = service_fn(move |request| {
        let (gateway, number) = (Arc::clone(&gateway), numbers.next());
        async move { Ok::<_, Infallible>(exchange::answer(gateway, request, number).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(UNUSED)
        // A head that is let through always has room.
        .max_buf_size(HEAD_BYTES + 4096)
        .serve_connection(TokioIo::new(requests), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
    if witness.left_unread() {
        strict::linger(&mut stream).await;
    }
}
