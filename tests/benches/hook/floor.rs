//! The floor: the least that hyper needs to read a question on a Unix socket and to answer it.

use std::path::Path;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::UnixListener;

const ANSWER: &[u8] =
    br#"{"call":"call-1","decision":"allow","class":"green","permit":"01a1fb89-d7a8-7b5d-9dbb-8af03cd77059"}"#;

/// Serves until the process is ended.
pub(crate) async fn serve(socket: &Path) -> anyhow::Result<()> {
    let listener = UnixListener::bind(socket)?;
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        tokio::spawn(async move {
            // Whoever leaves, leaves.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await);
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    request.into_body().collect().await?;
    Ok(Response::new(Full::new(Bytes::from_static(ANSWER))))
}
