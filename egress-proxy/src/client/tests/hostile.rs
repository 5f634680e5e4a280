//! Providers that answer what nobody asked, more than they announce, or what two readers could frame differently.

use std::time::Duration;

use super::*;

const NEXT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";

/// Whether the request after this answer goes out on another connection and gets its own answer.
async fn next_is_apart(provider: &Provider, pool: &Pool) {
    let (_stream, answer) = round(provider, pool, None, SIZED).await;
    assert_eq!(text(answer).await, "ok");
}

#[tokio::test]
async fn what_follows_an_answer_without_a_body_is_nobodys_answer() {
    for head in [
        format!("HTTP/1.1 204 No Content\r\ncontent-length: {}\r\n\r\n", NEXT.len()),
        "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
        format!("HTTP/1.1 304 Not Modified\r\ncontent-length: {}\r\n\r\n", NEXT.len()),
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n".to_owned(),
    ] {
        for behind in ["", NEXT] {
            let (provider, pool) = Provider::new().await;
            let (_stream, answer) = round(&provider, &pool, None, &format!("{head}{behind}")).await;
            let answer = answer.unwrap();
            assert!(!answer.headers().contains_key("content-length"), "{head}");
            assert_eq!(text(Ok(answer)).await, "");
            next_is_apart(&provider, &pool).await;
        }
    }
}

#[tokio::test]
async fn answers_before_the_answer_are_few_and_have_no_body() {
    let hint = "HTTP/1.1 103 Early Hints\r\nx: y\r\n\r\n";
    let (provider, pool) = Provider::new().await;
    let (_stream, answer) = round(&provider, &pool, None, &format!("{}{SIZED}", hint.repeat(16))).await;
    assert_eq!(text(answer).await, "ok");
    for (raw, why) in [
        (format!("{}{SIZED}", hint.repeat(17)), "before"),
        (format!("HTTP/1.1 103 Early Hints\r\ncontent-length: {}\r\n\r\n{NEXT}{SIZED}", NEXT.len()), "body"),
        (format!("HTTP/1.1 100 Continue\r\ntransfer-encoding: chunked\r\n\r\n{CHUNKED}"), "body"),
    ] {
        let (provider, pool) = Provider::new().await;
        let (_stream, answer) = round(&provider, &pool, None, &raw).await;
        let failed = answer.err().unwrap();
        assert!(!failed.is_connect() && failed.to_string().contains(why), "{raw}: {failed}");
        next_is_apart(&provider, &pool).await;
    }
}

#[tokio::test]
async fn a_head_that_can_be_read_in_two_ways_is_none() {
    let many = format!("HTTP/1.1 200 OK\r\n{}content-length: 2\r\n\r\nok", "a: b\r\n".repeat(128));
    let huge = format!("HTTP/1.1 200 OK\r\na: {}\r\ncontent-length: 2\r\n\r\nok", "b".repeat(1 << 16));
    let endless = format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(1 << 17));
    let fields = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\nok");
    for raw in [
        fields("content-length: 2\r\ncontent-length: 2"),
        fields("content-length: 2\r\nContent-Length: 9"),
        fields("content-length: 2, 2"),
        fields("content-length: +2"),
        fields("content-length: 0x2"),
        fields("content-length: -2"),
        fields("content-length:"),
        fields("content-length: 18446744073709551618"),
        fields("content-length: 2\r\ntransfer-encoding: chunked"),
        fields("transfer-encoding: chunked\r\ntransfer-encoding: chunked"),
        fields("transfer-encoding: gzip, chunked"),
        fields("transfer-encoding: chunked, identity"),
        fields("transfer-encoding: xchunked"),
        fields("transfer-encoding : chunked"),
        fields("content-length: 2\r\n folded: x"),
        fields("content-length: 2\r\nx: y\r\n\tz"),
        fields("content-length: 2\r\n: x"),
        fields("content-length: 2\r\nx"),
        fields("content-length: 2\nx: y"),
        fields("content-length: 2\rx: y"),
        fields("content-length: 2\r\nx: a\0b"),
        fields("content-length: 2\r\nx(y): a"),
        SIZED.replace("\r\n", "\n"),
        SIZED.replace("HTTP/1.1", "HTTP/1.11"),
        SIZED.replace("HTTP/1.1", "HTTP/2.0"),
        SIZED.replace("HTTP/1.1", "http/1.1"),
        SIZED.replace(" 200 ", "  200 "),
        SIZED.replace(" 200 ", " 099 "),
        SIZED.replace(" 200 ", " 2000 "),
        SIZED.replace(" 200 OK", " 20"),
        format!("\r\n{SIZED}"),
        many,
        huge,
        endless,
    ] {
        let (provider, pool) = Provider::new().await;
        let (_stream, answer) = round(&provider, &pool, None, &raw).await;
        let shown = &raw[..raw.len().min(90)];
        assert!(answer.err().is_some_and(|failed| !failed.is_connect()), "{shown:?}");
        next_is_apart(&provider, &pool).await;
    }
}

#[tokio::test]
async fn a_body_that_is_framed_otherwise_breaks_and_ends_its_connection() {
    let chunked = |body: &str| format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}");
    for raw in [
        chunked("2\r\nok\r\n0\r\n\n"),
        chunked("2\r\nok\r\n0\r\nx: y\n\r\n"),
        chunked("2;a=\"\rb\"\r\nok\r\n0\r\n\r\n"),
        chunked("2\nok\r\n0\r\n\r\n"),
        chunked("2\r\nokay\r\n0\r\n\r\n"),
        chunked("02x\r\nok\r\n0\r\n\r\n"),
        chunked(" 2\r\nok\r\n0\r\n\r\n"),
        chunked("-2\r\nok\r\n0\r\n\r\n"),
        chunked("ffffffffffffffff2\r\nok\r\n0\r\n\r\n"),
        chunked(&format!("2;{}\r\nok\r\n0\r\n\r\n", "x".repeat(256))),
        chunked(&format!("2\r\nok\r\n0\r\n{}\r\n", "x: y\r\n".repeat(65))),
        chunked(&format!("2\r\nok\r\n0\r\nx: {}\r\n\r\n", "y".repeat(9000))),
    ] {
        let (provider, pool) = Provider::new().await;
        let (_stream, answer) = round(&provider, &pool, None, &raw).await;
        let shown = &raw[..raw.len().min(90)];
        assert!(answer.unwrap().into_body().collect().await.is_err(), "{shown:?}");
        next_is_apart(&provider, &pool).await;
    }
}

#[tokio::test]
async fn extensions_and_trailers_are_read_past() {
    let raw =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n2 ;a=\"b;c\";d\r\nok\r\n0;e\r\ncontent-length: 7\r\n\r\n";
    let (provider, pool) = Provider::new().await;
    let mut kept = None;
    for _ in 0..2 {
        let (stream, answer) = round(&provider, &pool, kept, raw).await;
        let all = answer.unwrap().into_body().collect().await.unwrap();
        assert!(all.trailers().is_none());
        assert_eq!(all.to_bytes(), "ok");
        kept = Some(stream);
    }
}

#[tokio::test]
async fn a_connection_that_speaks_unasked_serves_nobody_else() {
    for raw in [SIZED.to_owned(), CHUNKED.to_owned(), SIZED.replace("1.1", "1.0"), CHUNKED.replace("1.1", "1.0")] {
        let (provider, pool) = Provider::new().await;
        let (mut stream, answer) = round(&provider, &pool, None, &raw).await;
        assert_eq!(text(answer).await, "ok");
        // It may be closed already.
        let _ = stream.write_all(NEXT.as_bytes()).await;
        // The runtime hears of it.
        tokio::task::yield_now().await;
        next_is_apart(&provider, &pool).await;
    }
}

#[tokio::test]
async fn a_request_that_left_is_not_sent_again() {
    let (provider, pool) = Provider::new().await;
    let (mut stream, answer) = round(&provider, &pool, None, SIZED).await;
    assert_eq!(text(answer).await, "ok");
    let (asked, ()) = tokio::join!(pool.request(provider.request(&Bytes::from_static(b"{}"))), async {
        told(&mut stream).await;
        drop(stream);
    });
    assert!(!asked.err().unwrap().is_connect());
    assert!(tokio::time::timeout(Duration::ZERO, provider.0.accept()).await.is_err(), "asked again");
}

#[tokio::test]
async fn an_answer_that_is_over_before_the_request_ends_its_connection() {
    let (provider, pool) = Provider::new().await;
    let body = Bytes::from(vec![b'x'; 8 << 20]);
    let (answer, _stream) = tokio::join!(pool.request(provider.request(&body)), async {
        let mut stream = provider.connection().await;
        stream.read_exact(&mut [0; 100]).await.unwrap();
        stream.write_all(SIZED.replace("200 OK", "413 Too Large").as_bytes()).await.unwrap();
        stream
    });
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 413);
    assert_eq!(text(Ok(answer)).await, "ok");
    next_is_apart(&provider, &pool).await;
}

#[tokio::test]
async fn a_connection_at_rest_keeps_no_request() {
    let (provider, pool) = Provider::new().await;
    let body = Bytes::from(b"{}".to_vec());
    let (asked, _stream) = tokio::join!(pool.request(provider.request(&body)), async {
        let mut stream = provider.connection().await;
        told(&mut stream).await;
        stream.write_all(SIZED.as_bytes()).await.unwrap();
        stream
    });
    assert_eq!(text(asked).await, "ok");
    assert!(body.is_unique(), "the connection has it still");
}
