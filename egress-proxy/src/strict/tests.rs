use tokio::io::AsyncWriteExt as _;

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

/// What hyper gets to read of pieces that arrive one by one, and what is known then.
async fn read(pieces: &[&[u8]]) -> (Vec<u8>, Option<Fault>) {
    let (mut far, near) = tokio::io::duplex(64 * 1024);
    let mut strict = Strict::new(near, PATIENCE);
    let witness = strict.witness();
    let mut all = Vec::with_capacity(4096);
    for piece in pieces {
        far.write_all(piece).await.unwrap();
        // Everything that is there, and then nothing is.
        while let Ok(Ok(1..)) = tokio::time::timeout(Duration::from_millis(1), strict.read_buf(&mut all)).await {
            tokio::task::yield_now().await;
        }
    }
    (all, witness.fault.get().map(|(_, fault, _)| *fault))
}

const ROW: &[u8] = b"\r\nPOST /v1/messages HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\nabcd\r\n0\r\nT: 1\r\n\r\n\
    GET /healthz HTTP/1.1\r\nhost: a\r\n\r\nPOST /v1/files HTTP/1.0\r\ncontent-length: 3\r\n\r\nxyz\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn good_requests_pass_byte_for_byte_however_they_are_cut() {
    // Line ends between requests may be left out.
    let requests = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("\r\nPOST", "POST").replace("xyz\r\n", "xyz");
    for cut in 0..=ROW.len() {
        let (passed, fault) = read(&[&ROW[..cut], &ROW[cut..]]).await;
        assert_eq!((requests(&passed), fault), (requests(ROW), None), "cut at {cut}");
    }
    let single: Vec<&[u8]> = ROW.chunks(1).collect();
    let (passed, fault) = read(&single).await;
    assert_eq!((requests(&passed), fault), (requests(ROW), None));
}

#[tokio::test(start_paused = true)]
async fn a_bad_one_is_replaced_and_nothing_behind_it_is_read() {
    let bad = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\nContent-Length: 2\r\n\r\nxxGET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let row = [ROW, bad].concat();
    let want = [ROW, INSTEAD].concat();
    for cut in 0..=row.len() {
        let (passed, fault) = read(&[&row[..cut], &row[cut..]]).await;
        let requests =
            |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("\r\nPOST", "POST").replace("xyz\r\n", "xyz");
        assert_eq!(requests(&passed), requests(&want), "cut at {cut}");
        assert_eq!(fault, Some(Fault::Unclear("it has content-length twice")));
    }
}

#[tokio::test]
async fn the_fault_is_that_of_its_own_request() {
    let (mut far, near) = tokio::io::duplex(64 * 1024);
    let mut strict = Strict::new(near, PATIENCE);
    let witness = strict.witness();
    far.write_all(b"GET /v1/messages HTTP/1.1\r\nhost: a\r\n\r\nPOST /v1beta/x HTTP/1.1\r\n\r\n").await.unwrap();
    drop(far);
    let (first, second) = (witness.next(), witness.next());
    let mut scratch = vec![0; 4096];
    assert_ne!(strict.read(&mut scratch).await.unwrap(), 0);
    assert_eq!(first.fault(), None);
    assert_eq!(second.fault(), Some((Fault::Host, Some(Dialect::Gemini))));
}

#[tokio::test(start_paused = true)]
async fn a_head_must_end_in_time_and_a_body_need_not() {
    let (mut far, near) = tokio::io::duplex(64);
    let mut strict = Strict::new(near, Duration::from_secs(1));
    let witness = strict.witness();
    let mut all = Vec::with_capacity(4096);
    far.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n").await.unwrap();
    strict.read_buf(&mut all).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_secs(5), strict.read_buf(&mut all)).await.is_err());
    far.write_all(b"xyG").await.unwrap();
    strict.read_buf(&mut all).await.unwrap();
    assert!(!witness.left_unread());
    strict.read_buf(&mut all).await.unwrap();
    assert!(all.ends_with(INSTEAD));
    assert_eq!(witness.fault.get().map(|(number, fault, _)| (*number, *fault)), Some((1, Fault::Slow)));
}

#[tokio::test(start_paused = true)]
async fn a_line_end_too_many_begins_nothing() {
    let good = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\nx";
    for more in [&b"\r\n"[..], b"\r\n\r\n"] {
        let (mut far, near) = tokio::io::duplex(4096);
        let mut strict = Strict::new(near, Duration::from_secs(1));
        let witness = strict.witness();
        let mut all = Vec::with_capacity(4096);
        for piece in [&good[..], &more[..1], &more[1..]] {
            far.write_all(piece).await.unwrap();
            let _ = tokio::time::timeout(Duration::from_millis(1), strict.read_buf(&mut all)).await;
        }
        // Long after it there is nothing to answer, nor when the caller leaves.
        assert!(tokio::time::timeout(Duration::from_secs(90), strict.read_buf(&mut all)).await.is_err());
        drop(far);
        assert_eq!(strict.read_buf(&mut all).await.unwrap(), 0);
        assert!(!witness.left_unread() && all.starts_with(good));
    }
}

#[test]
fn who_asks_is_guessed_from_what_can_be_read() {
    for (head, want) in [
        ("POST /v1/messages HTTP/1.1\nx", Dialect::Anthropic),
        ("\r\nPOST  /v1/messages?beta=true HTTP/9", Dialect::Anthropic),
        ("POST http://a.example/v1/messages HTTP/1.1\r\n", Dialect::Anthropic),
        ("POST /v1/models HTTP/1.1\r\nAnthropic-Version : 1\r\n", Dialect::Anthropic),
        ("POST /v1beta/models/a:generateContent", Dialect::Gemini),
        ("POST /x\r\nX-Goog-Api-Key: k", Dialect::Gemini),
        ("POST /v1/chat/completions HTTP/1.1", Dialect::OpenAi),
        ("\0\u{1}", Dialect::OpenAi),
        ("", Dialect::OpenAi),
    ] {
        assert_eq!(head::dialect(head.as_bytes()), want, "{head:?}");
    }
}
