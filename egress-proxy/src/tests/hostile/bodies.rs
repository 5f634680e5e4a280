//! Bodies: lengths, encodings and JSON that two readers could take for two things.

use super::{After, CALLERS, Caller, Line, refused, untouched};
use crate::Timeouts;
use crate::request::BODY_BYTES;
use crate::tests::harness::{PATIENT, World};

const INVALID: (u16, &str) = (400, "invalid-body");
const UNSCANNABLE: (u16, &str) = (400, "unscannable");

/// The body of `caller` with `change` made to it.
fn with(caller: &Caller, change: impl FnOnce(String) -> String) -> Vec<u8> {
    caller.sized(change(caller.body.to_owned()))
}

/// The body with one more member.
fn member(caller: &Caller, member: &str) -> Vec<u8> {
    with(caller, |body| body.replacen('{', &format!("{{{member},"), 1))
}

/// The body with this between the quotes of a text that goes to the model.
fn text(caller: &Caller, text: &[u8]) -> Vec<u8> {
    let at = memchr::memmem::rfind(caller.body.as_bytes(), b"Hi").unwrap();
    caller.sized([&caller.body.as_bytes()[..at], text, &caller.body.as_bytes()[at + 2..]].concat())
}

/// What is not one JSON document in UTF-8.
fn no_document(caller: &Caller) -> Vec<(&'static str, Vec<u8>)> {
    let body = caller.body;
    let utf16 = |endian: fn(u16) -> [u8; 2]| body.encode_utf16().flat_map(endian).collect::<Vec<u8>>();
    let gzip =
        b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\xab\x56\xca\xcd\x4f\x49\xcd\x51\xb2\x52\x2a\xce\xcf\x2b\xc9\xcf\x53\xaa\x05\0";
    vec![
        ("nothing", caller.sized("")),
        ("white space", caller.sized(" \r\n\t")),
        ("a byte order mark", caller.sized(format!("\u{feff}{body}"))),
        ("UTF-16", caller.sized(utf16(u16::to_le_bytes))),
        ("UTF-16, big end first", caller.sized([b"\xfe\xff".to_vec(), utf16(u16::to_be_bytes)].concat())),
        ("UTF-32", caller.sized(body.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect::<Vec<u8>>())),
        ("garbage behind", caller.sized(format!("{body}x"))),
        ("NUL behind", caller.sized(format!("{body}\0"))),
        ("two documents", caller.sized(format!("{body}{body}"))),
        ("two lines", caller.sized(format!("{body}\n{body}\n"))),
        ("a list", caller.sized(format!("[{body}]"))),
        ("a string", caller.sized("\"{}\"")),
        ("a form", caller.sized("model=sonnet&messages=Hi")),
        ("a comment", with(caller, |body| body.replacen('{', "{/* a */", 1))),
        ("a line comment", with(caller, |body| body.replacen('{', "{// a\n", 1))),
        ("a comma too many", with(caller, |body| format!("{},}}", &body[..body.len() - 1]))),
        ("single quotes", with(caller, |body| body.replace('"', "'"))),
        ("a name without quotes", member(caller, "a:1")),
        ("NaN", member(caller, "\"a\":NaN")),
        ("Infinity", member(caller, "\"a\":-Infinity")),
        ("a number in hex", member(caller, "\"a\":0x10")),
        ("a number with a plus", member(caller, "\"a\":+1")),
        ("a number with a zero first", member(caller, "\"a\":01")),
        ("half a number", member(caller, "\"a\":1.")),
        ("half a document", with(caller, |body| body[..body.len() - 1].to_owned())),
        ("NUL in a string", text(caller, b"a\0b")),
        ("a line end in a string", text(caller, b"a\nb")),
        ("an escape that is none", text(caller, b"\\x41")),
        ("a broken escape", text(caller, b"\\u12")),
        ("bytes that are no UTF-8", text(caller, b"\xff\xfe")),
        ("an overlong slash", text(caller, b"\xc0\xaf")),
        ("an encoded surrogate", text(caller, b"\xed\xa0\x80")),
        ("half a letter", text(caller, b"\xc3")),
        ("beyond Unicode", text(caller, b"\xf4\x90\x80\x80")),
        ("a name that is no UTF-8", caller.sized([b"{\"\xff\":1,", &caller.body.as_bytes()[1..]].concat())),
        ("a name that is half a pair", member(caller, "\"\\ud800\":1")),
        ("gzip", caller.sized(gzip)),
        ("zstd", caller.sized(b"\x28\xb5\x2f\xfd\x04\x00\x69\x00\x00{\"model\":\"sonnet\"}")),
        ("a deflated bomb", caller.sized([&b"\x78\xda"[..], &[0; 4096]].concat())),
    ]
}

/// One document of which two readers would take two things.
fn twice(caller: &Caller) -> Vec<(&'static str, Vec<u8>)> {
    let model = caller.body.contains("\"model\"");
    let text = if caller.body.contains("\"messages\"") {
        "messages"
    } else if model {
        "input"
    } else {
        "contents"
    };
    let mut all = vec![
        ("the messages twice", member(caller, &format!("\"{text}\":[]"))),
        (
            "the messages twice, escaped",
            member(caller, &format!("\"\\u{:04x}{}\":[]", u32::from(text.as_bytes()[0]), &text[1..])),
        ),
        ("the messages in capitals", member(caller, &format!("\"{}\":[]", text.to_uppercase()))),
        ("a member twice", member(caller, "\"metadata\":{},\"metadata\":{}")),
        ("a member in two spellings", member(caller, "\"toolConfig\":{},\"tool_config\":{}")),
    ];
    if model {
        all.extend([
            ("the model twice", member(caller, "\"model\":\"secret\"")),
            ("the model twice, escaped", member(caller, "\"m\\u006fdel\":\"secret\"")),
            ("the model with a capital", member(caller, "\"Model\":\"secret\"")),
            ("a stream and none", member(caller, "\"stream\":false,\"stream\":false")),
            ("a stream in capitals", member(caller, "\"stream\":false,\"STREAM\":true")),
            ("a stream with a long s", member(caller, "\"stream\":false,\"\u{17f}tream\":true")),
        ]);
    }
    all
}

#[tokio::test]
async fn a_body_that_is_no_document() {
    for caller in &CALLERS {
        let world = World::new().await;
        for (name, raw) in no_document(caller) {
            refused(&world, caller, name, &raw, INVALID, After::Usable).await;
        }
        untouched(&world).await;
    }
}

#[tokio::test]
async fn a_document_of_which_two_readers_take_two_things() {
    for caller in &CALLERS {
        let world = World::new().await;
        for (name, raw) in twice(caller) {
            refused(&world, caller, name, &raw, INVALID, After::Usable).await;
        }
        untouched(&world).await;
    }
}

#[tokio::test]
async fn a_document_deeper_or_wider_than_anybody_needs() {
    for caller in &CALLERS {
        let world = World::new().await;
        for depth in [200, 10_000, 1_000_000] {
            for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
                let deep = format!("\"a\":{}0{}", open.repeat(depth), close.repeat(depth));
                let name = format!("{depth} of {open}");
                refused(&world, caller, &name, &member(caller, &deep), UNSCANNABLE, After::Usable).await;
            }
            // Never closed.
            let raw = caller.sized("[".repeat(depth));
            refused(&world, caller, "only opened", &raw, INVALID, After::Usable).await;
        }
        let many: Vec<String> = (0..2000).map(|n| format!("\"a{n}\":0")).collect();
        refused(&world, caller, "very many members", &member(caller, &many.join(",")), INVALID, After::Usable).await;
        untouched(&world).await;
    }
}

#[tokio::test]
async fn a_compressed_body_is_not_looked_into() {
    for caller in &CALLERS {
        let world = World::new().await;
        for coding in [
            "gzip",
            "deflate",
            "br",
            "zstd",
            "compress",
            "gzip, gzip",
            "identity, gzip",
            "x-gzip",
            "aws-chunked",
            "\"\"",
            ",",
        ] {
            let body = vec![0x1f; 64 * 1024];
            let headers = format!("content-encoding: {coding}\r\ncontent-length: {}\r\n", body.len());
            refused(&world, caller, coding, &caller.raw(&headers, &body), (400, "encoded"), After::Usable).await;
            let chunks = format!("content-encoding: {coding}\r\ntransfer-encoding: chunked\r\n");
            refused(
                &world,
                caller,
                coding,
                &caller.raw(&chunks, "1\r\nx\r\n0\r\n\r\n"),
                (400, "encoded"),
                After::Usable,
            )
            .await;
        }
        untouched(&world).await;
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_at_its_announcement() {
    for caller in &CALLERS {
        let world = World::new().await;
        for length in ["33554433", "4294967296", "999999999999999999"] {
            let mut line = Line::open(&world).await;
            line.send(&caller.raw(&format!("content-length: {length}\r\n"), "{")).await;
            // The caller hangs up; what was announced is not waited for.
            tokio::io::AsyncWriteExt::shutdown(&mut line.stream).await.unwrap();
            let reply = line.reply().await.unwrap_or_else(|| panic!("{length}: no answer"));
            caller.reads(&reply, (413, "too-large"), length);
            assert!(line.reply().await.is_none());
        }
        untouched(&world).await;
    }
}

#[tokio::test]
async fn chunks_without_end_are_refused_in_bounded_room() {
    let caller = &CALLERS[0];
    let world = World::new().await;
    let mut line = Line::open(&world).await;
    line.send(&caller.raw("transfer-encoding: chunked\r\n", "")).await;
    let chunk = [&b"10000\r\n"[..], &vec![b' '; 65536], b"\r\n"].concat();
    for _ in 0..=BODY_BYTES / 65536 {
        assert!(line.send(&chunk).await);
    }
    line.send(b"0\r\n\r\n").await;
    caller.reads(&line.reply().await.expect("an answer"), (413, "too-large"), "endless chunks");
    untouched(&world).await;
}

#[tokio::test]
async fn a_body_shorter_than_announced_goes_nowhere() {
    let short = Timeouts { idle: std::time::Duration::from_millis(150), ..PATIENT };
    for caller in &CALLERS {
        let (world, patient) = (World::with(short).await, World::new().await);
        for (name, raw) in [
            ("a length", caller.raw(&format!("content-length: {}\r\n", caller.body.len() + 1), caller.body)),
            (
                "chunks",
                caller.raw("transfer-encoding: chunked\r\n", format!("{:x}\r\n{}\r\n", caller.body.len(), caller.body)),
            ),
            ("half a chunk", caller.raw("transfer-encoding: chunked\r\n", format!("400\r\n{}", caller.body))),
            ("no chunk", caller.raw("transfer-encoding: chunked\r\n", "")),
            ("no byte", caller.raw("content-length: 9\r\n", "")),
        ] {
            // One says nothing more, one hangs up.
            let mut line = Line::open(&world).await;
            line.send(&raw).await;
            let stalled = line.reply().await.unwrap_or_else(|| panic!("{name}: no answer"));
            caller.reads(&stalled, (408, "stalled"), name);
            assert!(line.reply().await.is_none(), "{name}");
            let mut line = Line::open(&patient).await;
            line.send(&raw).await;
            tokio::io::AsyncWriteExt::shutdown(&mut line.stream).await.unwrap();
            let cut = line.reply().await.unwrap_or_else(|| panic!("{name}: no answer to half a request"));
            caller.reads(&cut, (400, "cut"), name);
        }
        untouched(&world).await;
        untouched(&patient).await;
    }
}

/// What JSON allows, however odd, goes on as it was written.
#[tokio::test]
async fn odd_documents_go_on_byte_for_byte() {
    let world = World::new().await;
    for (name, odd) in [
        ("huge numbers", r#""a":[1e999999,-0.0,123456789012345678901234567890,1E+2,0e-0,9007199254740993]"#),
        ("half a pair", r#""a":"\ud800 \udc00\ud800""#),
        ("escapes", r#""a":"\u0000\/\b\u000a\ud83d\ude00""#),
        ("a name that nobody knows", "\"\u{202e}\\u0000\":{\"\":[]}"),
        ("equal names further in", r#""a":{"b":1,"b":2}"#),
        ("many empty lists", r#""a":[[],[[]],{},{"x":{}}]"#),
    ] {
        for caller in &CALLERS[..2] {
            let before = world.provider.seen().len();
            world.provider.document("200 OK", r#"{"usage":{"input_tokens":1,"output_tokens":1}}"#);
            let body = caller.body.replacen('{', &format!("{{ {odd} ,\t"), 1);
            let mut line = Line::open(&world).await;
            line.send(&caller.sized(&body)).await;
            let reply = line.reply().await.expect("an answer");
            assert_eq!(reply.status, 200, "{name}: {}", reply.text());
            let seen = world.provider.seen();
            assert_eq!(seen.len(), before + 1);
            let want = body.replace("\"sonnet\"", "\"sonnet-20260101\"").replace("\"mini\"", "\"mini-20260101\"");
            assert_eq!(String::from_utf8_lossy(&seen[before].body), want, "{name}");
        }
    }
}
