//! The listening side: connections on loopback, HTTP/1.1.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::gateway::Gateway;

mod connection;
mod places;

use places::Places;

/// Connections of the forward proxy at the same time; more wait to be accepted.
const CONNECTIONS: usize = 1024;
/// Connections beyond the limit that are told so at the same time; more wait to be accepted.
const TURNED_AWAY: usize = 64;
/// After `stop`, how long answers under way may go on.
const GRACE: Duration = Duration::from_secs(10);

/// Serves agents until `stop`, then lets answers under way end within ten seconds.
///
/// Usage of answers that were cut by the end is settled as estimates; close the [`crate::Meter`] after this returns.
pub async fn serve(listener: TcpListener, gateway: Arc<Gateway>, stop: CancellationToken) {
    // Ends with this future, however that ends.
    let mut porter = JoinSet::new();
    porter.spawn(gateway.parts.meter.clone().carry());
    let places = Places::new(gateway.parts.connections);
    let doorstep = Arc::new(Semaphore::new(TURNED_AWAY));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &doorstep) => accepted,
        };
        while connections.try_join_next().is_some() {}
        let Some((stream, permit)) = accepted else { continue };
        let (gateway, stop) = (Arc::clone(&gateway), stop.clone());
        if let Some(place) = places.take() {
            drop(permit);
            connections.spawn(connection::serve(stream, gateway, place, stop));
        } else {
            connections.spawn(async move {
                connection::turn_away(stream, gateway, stop).await;
                drop(permit);
            });
        }
    }
    drop(listener);
    end_within_grace(connections).await;
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
            let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
            tracing::info!(tasks, "the LLM gateway has ended");
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
    end_within_grace(connections).await;
}

async fn end_within_grace(mut connections: JoinSet<()>) {
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
