//! Connections against a provider of which each byte is known.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::sheaf::Sheaf;

mod address;
mod hostile;

const SIZED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";

struct Provider(TcpListener);

impl Provider {
    async fn new() -> (Self, Pool) {
        let client = Client::new(&Roots::given([]).unwrap(), &Timeouts::default()).unwrap();
        (Self(TcpListener::bind("127.0.0.1:0").await.unwrap()), client.pool(None).into_owned())
    }

    fn request(&self, body: &Bytes) -> Request<Sheaf> {
        let uri = format!("http://{}/v1/x?y", self.0.local_addr().unwrap());
        Request::post(uri).header("x-a", "b").body(body.clone().into()).unwrap()
    }

    async fn connection(&self) -> TcpStream {
        self.0.accept().await.unwrap().0
    }
}

async fn told(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    while !seen.ends_with(b"}") {
        assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0);
    }
    String::from_utf8(seen).unwrap()
}

/// One request that is answered with `raw`; where it came, and what of the answer arrived.
async fn round(
    provider: &Provider,
    pool: &Pool,
    kept: Option<TcpStream>,
    raw: &str,
) -> (TcpStream, Result<Response<Inflow>, pool::Failed>) {
    let (asked, stream) = tokio::join!(pool.request(provider.request(&Bytes::from_static(b"{}"))), async {
        let mut stream = match kept {
            Some(stream) => stream,
            None => provider.connection().await,
        };
        let want = format!(
            "POST /v1/x?y HTTP/1.1\r\nhost: {}\r\nx-a: b\r\ncontent-length: 2\r\n\r\n{{}}",
            provider.0.local_addr().unwrap()
        );
        assert_eq!(told(&mut stream).await, want);
        stream.write_all(raw.as_bytes()).await.unwrap();
        stream
    });
    (stream, asked)
}

async fn text(answer: Result<Response<Inflow>, pool::Failed>) -> String {
    String::from_utf8(answer.unwrap().into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn a_connection_whose_answer_was_read_serves_the_next_request() {
    let (provider, pool) = Provider::new().await;
    let mut kept = None;
    for raw in [SIZED, CHUNKED, SIZED, "HTTP/1.1 103 Early Hints\r\nx: y\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"] {
        let (stream, answer) = round(&provider, &pool, kept, raw).await;
        assert_eq!(text(answer).await, if raw.contains("204") { "" } else { "ok" });
        kept = Some(stream);
    }
}

#[tokio::test]
async fn a_connection_about_which_something_is_odd_serves_nobody_else() {
    for raw in [
        SIZED.replace("\r\n\r\n", "\r\nconnection: x, Close\r\n\r\n"),
        SIZED.replace("1.1", "1.0"),
        format!("{SIZED}more"),
        format!("{CHUNKED}HTTP/1.1 200 OK\r\n\r\n"),
    ] {
        let (provider, pool) = Provider::new().await;
        let (_stream, answer) = round(&provider, &pool, None, &raw).await;
        assert_eq!(text(answer).await, "ok");
        // Served only if it comes on another connection.
        let (_, answer) = round(&provider, &pool, None, SIZED).await;
        assert_eq!(text(answer).await, "ok", "{raw}");
    }
}

#[tokio::test]
async fn an_answer_that_is_left_closes_its_connection() {
    let (provider, pool) = Provider::new().await;
    let (mut stream, answer) = round(&provider, &pool, None, &SIZED.replace("2\r\n\r\nok", "9\r\n\r\nok")).await;
    drop(answer);
    assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let (provider, pool) = Provider::new().await;
    let (stream, answer) = round(&provider, &pool, None, SIZED).await;
    assert_eq!(text(answer).await, "ok");
    drop(stream);
    // The runtime hears of it.
    tokio::task::yield_now().await;
    let (_, answer) = round(&provider, &pool, None, SIZED).await;
    assert_eq!(text(answer).await, "ok");
}

#[tokio::test]
async fn a_provider_may_answer_what_it_has_not_read() {
    let (provider, pool) = Provider::new().await;
    let body = Bytes::from(vec![b'x'; 8 << 20]);
    let (answer, mut stream) = tokio::join!(pool.request(provider.request(&body)), async {
        let mut stream = provider.connection().await;
        stream.read_exact(&mut [0; 100]).await.unwrap();
        stream.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 4\r\n\r\nno").await.unwrap();
        stream
    });
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 413);
    // The rest goes out while the answer is read.
    let (rest, all) = tokio::join!(answer.into_body().collect(), async {
        let mut left = body.len() - 100;
        let mut scratch = vec![0; 1 << 16];
        while left > 1 << 10 {
            left = left.saturating_sub(stream.read(&mut scratch).await.unwrap());
        }
        stream.write_all(b"ne").await.unwrap();
        left
    });
    assert_eq!(rest.unwrap().to_bytes(), "none");
    assert!(all <= 1 << 10);
}

#[tokio::test]
async fn nobody_there_is_told_from_an_answer_that_broke() {
    let (provider, pool) = Provider::new().await;
    for (raw, why) in
        [("", "ended"), ("HTTP/1.1 200", "ended"), ("HTTP/2 200\r\n\r\n", "head"), ("HTTP/1.1 200 OK\n\n", "CR LF")]
    {
        let (asked, ()) = tokio::join!(pool.request(provider.request(&Bytes::from_static(b"{}"))), async {
            let mut stream = provider.connection().await;
            told(&mut stream).await;
            stream.write_all(raw.as_bytes()).await.unwrap();
        });
        let failed = asked.err().unwrap();
        assert!(!failed.is_connect() && failed.to_string().contains(why), "{raw}: {failed}");
    }
    let request = provider.request(&Bytes::new());
    drop(provider);
    assert!(pool.request(request).await.err().unwrap().is_connect());
}
