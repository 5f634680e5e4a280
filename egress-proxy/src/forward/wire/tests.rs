use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::*;

fn reading(bytes: &[u8]) -> Reader {
    let (mut far, near) = tokio::io::duplex(bytes.len().max(1));
    let bytes = bytes.to_vec();
    tokio::spawn(async move { far.write_all(&bytes).await });
    split(Box::new(near), &Arc::new(Pulse::new(Duration::from_secs(60)))).0
}

async fn request(text: &str) -> Result<RequestHead, InvalidHead> {
    let head = reading(text.as_bytes()).head().await?.ok_or(InvalidHead::Cut)?;
    RequestHead::parse(&head)
}

#[tokio::test]
async fn heads_that_two_readers_could_read_differently_are_none() {
    for (text, want) in [
        ("GET / HTTP/1.1\nHost: a\n\n", InvalidHead::LineEnd),
        ("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", InvalidHead::LineEnd),
        ("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", InvalidHead::LineEnd),
        ("GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", InvalidHead::Folded),
        ("GET / HTTP/1.1\r\nX: a\r\n\tfolded\r\n\r\n", InvalidHead::Folded),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", InvalidHead::Folded),
        ("GET / HTTP/1.1\r\n: a\r\n\r\n", InvalidHead::Folded),
        ("GET / HTTP/1.1\r\nContent-Length : 4\r\n\r\n", InvalidHead::Name),
        ("GET / HTTP/1.1\r\nX\0: 4\r\n\r\n", InvalidHead::Name),
        ("GET / HTTP/1.1\r\nX: a\0b\r\n\r\n", InvalidHead::Value),
        ("GET  / HTTP/1.1\r\n\r\n", InvalidHead::FirstLine),
        ("GET / HTTP/1.1 \r\n\r\n", InvalidHead::FirstLine),
        ("GET / HTTP/2.0\r\n\r\n", InvalidHead::FirstLine),
        ("GET / http/1.1\r\n\r\n", InvalidHead::FirstLine),
        ("GET /\r\n\r\n", InvalidHead::FirstLine),
        ("G(T / HTTP/1.1\r\n\r\n", InvalidHead::FirstLine),
        ("GET /b\u{fc}cher HTTP/1.1\r\n\r\n", InvalidHead::FirstLine),
        ("GET / HTTP/1.1\r\nHost: a\r\n", InvalidHead::Cut),
        // Told before an empty line, which would not come.
        ("GET /\r\n", InvalidHead::FirstLine),
        ("GET /\n", InvalidHead::LineEnd),
        ("GET / HTTP/1.1\r\nHost: a\nX: b", InvalidHead::LineEnd),
    ] {
        assert_eq!(request(text).await, Err(want), "{text:?}");
    }
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: 1\r\n".repeat(129));
    assert_eq!(request(&many).await, Err(InvalidHead::Many));
    let large = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(HEAD_BYTES));
    assert_eq!(request(&large).await, Err(InvalidHead::TooLarge));
    assert_eq!(reading(b"").head().await, Ok(None));
}

#[tokio::test]
async fn unclear_lengths_are_refused() {
    for fields in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Content-Length: 4\r\nContent-Length: 4\r\n",
        "Content-Length: 4, 4\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: 0x4\r\n",
        "Content-Length: -1\r\n",
        "Content-Length:\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
        "Transfer-Encoding: identity\r\n",
    ] {
        let read = request(&format!("POST / HTTP/1.1\r\n{fields}\r\n")).await;
        assert!(
            read.map(|head| Framing::of_request(&head)).is_ok_and(|framing| framing.is_err())
                || fields.contains('\x0b'),
            "{fields:?}"
        );
    }
    let old = request("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
    assert!(Framing::of_request(&old).is_err());
    let plain = request("\r\nPOST / HTTP/1.1\r\nhost: a\r\nContent-Length: 4\r\n\r\n").await.unwrap();
    assert_eq!(Framing::of_request(&plain), Ok(Framing::Length(4)));
    let chunked = request("POST / HTTP/1.1\r\nTRANSFER-encoding:  Chunked \r\n\r\n").await.unwrap();
    assert_eq!(Framing::of_request(&chunked), Ok(Framing::Chunked));
}

#[tokio::test]
async fn an_answer_without_a_body_has_none_whatever_it_says() {
    let answer = |text: &str| AnswerHead::parse(text.as_bytes()).unwrap();
    let long = answer("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n");
    assert_eq!(Framing::of_answer(&long, "GET"), Ok(Framing::Length(7)));
    assert_eq!(Framing::of_answer(&long, "HEAD"), Ok(Framing::Empty));
    assert_eq!(Framing::of_answer(&answer("HTTP/1.1 204\r\n\r\n"), "GET"), Ok(Framing::Empty));
    assert_eq!(Framing::of_answer(&answer("HTTP/1.0 200 OK\r\n\r\n"), "GET"), Ok(Framing::ToEnd));
    let both = answer("HTTP/1.1 200 OK\r\ncontent-length: 7\r\ntransfer-encoding: chunked\r\n\r\n");
    assert!(Framing::of_answer(&both, "GET").is_err());
    for bad in [
        "HTTP/1.1 099 X\r\n\r\n",
        "HTTP/1.1 20 X\r\n\r\n",
        "HTTP/1.1 2000 X\r\n\r\n",
        "HTTP/3 200 X\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
    ] {
        assert_eq!(AnswerHead::parse(bad.as_bytes()), Err(InvalidHead::FirstLine), "{bad:?}");
    }
}

async fn body(framing: Framing, bytes: &[u8]) -> Result<Vec<u8>, BrokenBody> {
    let (mut reader, mut body, mut all) = (reading(bytes), Body::new(framing), Vec::new());
    while let Some(piece) = body.piece(&mut reader).await? {
        all.extend_from_slice(&piece);
    }
    assert!(body.is_done());
    Ok(all)
}

#[tokio::test]
async fn bodies_end_where_they_say_or_are_broken() {
    for broken in [
        &b"4\r\nabcd"[..],
        b"4\r\nabcd\r\n",
        b"4\r\nabcdX\r\n0\r\n\r\n",
        b"4\nabcd\r\n0\r\n\r\n",
        b"g\r\nabcd\r\n0\r\n\r\n",
        b"-4\r\nabcd\r\n0\r\n\r\n",
        b"0x4\r\nabcd\r\n0\r\n\r\n",
        b" 4\r\nabcd\r\n0\r\n\r\n",
        b"4;a\nb\r\nabcd\r\n0\r\n\r\n",
        b"1000000000000000\r\n",
        b"\r\n",
    ] {
        assert!(body(Framing::Chunked, broken).await.is_err(), "{:?}", String::from_utf8_lossy(broken));
    }
    // Nothing more is waited for.
    assert_eq!(body(Framing::Chunked, b"4\nabcd\n0\n\n").await, Err(BrokenBody::Chunk));
    assert_eq!(body(Framing::Chunked, b"4\r\nabcd\n").await, Err(BrokenBody::Chunk));
    assert_eq!(body(Framing::Length(5), b"abcd").await, Err(BrokenBody::Cut));
    assert_eq!(body(Framing::Length(4), b"abcdREST").await.unwrap(), b"abcd");
    assert_eq!(body(Framing::Empty, b"abcd").await.unwrap(), b"");
    assert_eq!(body(Framing::ToEnd, b"abcd").await.unwrap(), b"abcd");
    let chunks = b"4;name=\"v\"\r\nabcd\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nNEXT";
    assert_eq!(body(Framing::Chunked, chunks).await.unwrap(), b"abcd0123456789");
}

#[tokio::test]
async fn a_message_that_comes_byte_by_byte_is_the_same() {
    const MESSAGE: &[u8] =
        b"\r\nPOST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\nT: 1\r\n\r\nGET ";
    let (mut far, near) = tokio::io::duplex(1);
    tokio::spawn(async move { far.write_all(MESSAGE).await });
    let (mut reader, _) = split(Box::new(near), &Arc::new(Pulse::new(Duration::from_secs(60))));
    let head = RequestHead::parse(&reader.head().await.unwrap().unwrap()).unwrap();
    assert_eq!((head.target.as_str(), Framing::of_request(&head)), ("/a", Ok(Framing::Chunked)));
    let (mut body, mut all) = (Body::new(Framing::Chunked), Vec::new());
    while let Some(piece) = body.piece(&mut reader).await.unwrap() {
        all.extend_from_slice(&piece);
    }
    assert_eq!(all, b"abcd");
    assert_eq!(reader.head().await, Err(InvalidHead::Cut), "what follows is the next message");
}
