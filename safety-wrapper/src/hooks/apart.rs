//! The hook API on a thread of its own.
//!
//! An agent waits for the answer to each of its calls. Judging one and writing it down takes less time than waking another thread and
//! being woken by it, so that is done where the question was read. Everything else that the API does, runs above all, belongs to the
//! runtime of the whole daemon: it goes on when this thread has long ended, and no call waits for it.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use wardkeep_proto::secret::AgentTokens;

use super::{BEFORE_TOOL_CALL, Caller, Failure, hook_router};
use crate::gate::Gate;

/// Serves agents at both doors until `stop`, and returns when the last answer under way has ended. Dropped, it cuts them.
pub async fn serve_hooks(
    (port, socket): (TcpListener, UnixListener),
    gate: Arc<Gate>,
    tokens: Arc<dyn AgentTokens>,
    stop: CancellationToken,
) {
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    let cut = CancellationToken::new();
    let _cut = cut.clone().drop_guard();
    let api = hook_router(gate, tokens).layer(from_fn_with_state(Handle::current(), apart));
    let thread = move || {
        // Dropped with the thread, however it ends.
        let _ended = ended;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let port = TcpListener::from_std(port.into_std()?)?;
            let socket = UnixListener::from_std(socket.into_std()?)?;
            cut.run_until_cancelled(both(port, socket, api, stop)).await;
            Ok::<_, std::io::Error>(())
        })
    };
    let logged = move || {
        if let Err(error) = thread() {
            tracing::error!(%error, "the hook API cannot be served");
        }
    };
    match std::thread::Builder::new().name("hooks".to_owned()).spawn(logged) {
        Ok(_) => drop(end.await),
        Err(error) => tracing::error!(%error, "the hook API has no thread"),
    }
}

fn both(port: TcpListener, socket: UnixListener, api: Router, stop: CancellationToken) -> impl Future<Output = ()> {
    let at_port = axum::serve(port, api.clone()).with_graceful_shutdown(stop.clone().cancelled_owned());
    let at_socket = axum::serve(socket, api.into_make_service_with_connect_info::<Caller>())
        .with_graceful_shutdown(stop.cancelled_owned());
    async move {
        // Neither gives an error: what a connection meets ends that connection.
        let _ = tokio::join!(at_port.into_future(), at_socket.into_future());
    }
}

/// Takes all but the judging of a call to the runtime of the whole daemon.
async fn apart(State(daemon): State<Handle>, request: Request, next: Next) -> Response {
    if request.uri().path() == BEFORE_TOOL_CALL {
        return next.run(request).await;
    }
    // Whoever hangs up has its work dropped, as if it were done here.
    match AbortOnDropHandle::new(daemon.spawn(next.run(request))).await {
        Ok(response) => response,
        Err(_) => Failure::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the daemon was interrupted; try again")
            .into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
    use tokio::net::{TcpStream, UnixStream};
    use tokio::time::timeout;
    use wardkeep_policy::Level;
    use wardkeep_proto::ids::AgentName;

    use super::*;
    use crate::gate::tests::{World, office};

    struct Everybody;

    impl AgentTokens for Everybody {
        fn agent_of(&self, _: &str) -> Option<AgentName> {
            Some(office())
        }
    }

    /// One question and the first piece of its answer.
    async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), path: &str, body: serde_json::Value) -> String {
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer x\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        let mut answer = vec![0; 8192];
        let length = stream.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }

    fn call(id: &str) -> serde_json::Value {
        json!({"session": "s1", "call": id, "tool": "shell", "args": {"command": "git status"}})
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn both_doors_judge_calls_and_close_with_the_stop() {
        let (world, folder) = (World::new(Level::Supervised), tempfile::tempdir().unwrap());
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, path) = (port.local_addr().unwrap(), folder.path().join("hook.sock"));
        let doors = (port, UnixListener::bind(&path).unwrap());
        let (gate, stop) = (world.gate(), CancellationToken::new());
        let served = tokio::spawn(serve_hooks(doors, gate.clone(), Arc::new(Everybody), stop.clone()));

        let mut socket = UnixStream::connect(&path).await.unwrap();
        let mut port = TcpStream::connect(address).await.unwrap();
        for (id, answer) in [
            ("c1", ask(&mut socket, BEFORE_TOOL_CALL, call("c1")).await),
            ("c2", ask(&mut port, BEFORE_TOOL_CALL, call("c2")).await),
        ] {
            assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#""decision":"allow""#), "{id}: {answer}");
        }
        // What the daemon's own runtime does is answered the same way.
        let start = json!({"session": "s1", "runtime": "test/1"});
        let answer = ask(&mut socket, "/v1/hooks/lease", start).await;
        assert!(answer.starts_with("HTTP/1.1 200") && gate.lease_alive(&office()), "{answer}");
        let answer = ask(&mut port, "/v1/hooks/nothing", json!({})).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");

        stop.cancel();
        // A lease has no end of its own; the daemon ends it.
        gate.release_leases();
        timeout(Duration::from_secs(10), served).await.expect("it ends").unwrap();
        assert!(UnixStream::connect(&path).await.is_err(), "nobody listens");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn whoever_drops_it_cuts_what_is_open() {
        let (world, folder) = (World::new(Level::Supervised), tempfile::tempdir().unwrap());
        let path = folder.path().join("hook.sock");
        let doors = (TcpListener::bind("127.0.0.1:0").await.unwrap(), UnixListener::bind(&path).unwrap());
        let served = tokio::spawn(serve_hooks(doors, world.gate(), Arc::new(Everybody), CancellationToken::new()));
        let mut socket = UnixStream::connect(&path).await.unwrap();
        let answer = ask(&mut socket, "/v1/hooks/lease", json!({"session": "s1", "runtime": "test/1"})).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        served.abort();
        let mut rest = Vec::new();
        let cut = timeout(Duration::from_secs(10), socket.read_to_end(&mut rest)).await;
        assert!(cut.is_ok(), "the connection of a lease has no end of its own");
    }
}
