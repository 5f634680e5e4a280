//! Files: inside a request and uploaded, scanned part by part or kept here with a reason.

use super::harness::{KEY, PASSWORD, Request, TOKEN, World};
use wardkeep_policy::bundle::llm::Unscanned;

const DONE: &str = r#"{"id":"file_1","type":"file","filename":"a.txt","size_bytes":4}"#;

fn upload(target: &'static str, anthropic: bool, name: &str, file: &[u8]) -> Request<'static> {
    let head = format!(
        "--b1\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nuser_data\r\n--b1\r\n\
         content-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\ncontent-type: text/plain\r\n\r\n"
    );
    let body = [head.as_bytes(), file, b"\r\n--b1--\r\n"].concat();
    let request = if anthropic { Request::messages(body) } else { Request::completions(body) };
    Request { target, ..request }.with("content-type", "multipart/form-data; boundary=b1")
}

#[tokio::test]
async fn an_uploaded_text_goes_without_its_secrets() {
    for anthropic in [true, false] {
        let mut world = World::new().await;
        world.provider.document("200 OK", DONE);
        let text = format!("user {PASSWORD}\nkey {KEY}\n");
        let reply = world.ask(upload("/v1/files?beta=true", anthropic, "a.txt", text.as_bytes())).await;
        assert_eq!((reply.status, reply.text().as_str()), (200, DONE));
        let seen = world.provider.seen().pop().unwrap();
        assert_eq!(seen.line, "POST /v1/files?beta=true HTTP/1.1");
        assert_eq!(seen.headers["content-type"], "multipart/form-data; boundary=\"b1\"");
        let sent = String::from_utf8_lossy(&seen.body).into_owned();
        assert!(
            sent.contains("\r\n\r\nuser SECRET_REF(db_password)\nkey SECRET_REF(llm_key)\n\r\n--b1--\r\n"),
            "{sent}"
        );
        let raw = String::from_utf8_lossy(&seen.raw).into_owned();
        assert!(!raw.contains(PASSWORD) && !raw.contains(TOKEN) && raw.matches(KEY).count() == 1, "{raw}");
        let amounts = world.amounts(1).await;
        assert_eq!((amounts.requests, amounts.estimated_requests, amounts.input_tokens), (1, 0, 0));
        let due = world.meter.buckets_to_report(9).await.unwrap();
        let provider = if anthropic { "claude" } else { "gpt" };
        assert_eq!((due[0].key.provider.as_str(), due[0].key.model.as_str()), (provider, "files"));
    }
}

#[tokio::test]
async fn what_cannot_be_read_or_changed_is_not_uploaded() {
    let world = World::new().await;
    let picture = [b"\x89PNG\r\n\x1a\n".as_slice(), KEY.as_bytes()].concat();
    let boundary = format!("multipart/form-data; boundary={KEY}");
    for (name, request, want) in [
        ("an archive", upload("/v1/files", true, "a.zip", b"PK\x03\x04\0\0"), (400, "unscannable-file")),
        ("a PDF", upload("/v1/files", false, "a.pdf", b"%PDF-1.7\n"), (400, "unscannable-file")),
        ("a picture with a secret", upload("/v1/files", true, "a.png", &picture), (400, "secret-in-file")),
        ("a secret in its name", upload("/v1/files", true, &format!("{KEY}.txt"), b"x"), (400, "secret-in-file")),
        (
            "no form",
            upload("/v1/files", true, "a", b"x").with("content-type", "application/json"),
            (400, "invalid-upload"),
        ),
        (
            "a secret as boundary",
            upload("/v1/files", true, "a", b"x").with("content-type", &boundary),
            (400, "secret-in-head"),
        ),
        (
            "another boundary",
            upload("/v1/files", true, "a", b"x").with("content-type", "multipart/form-data; boundary=b2"),
            (400, "invalid-upload"),
        ),
        (
            "a stranger's",
            upload("/v1/files", true, "a", b"x").with("x-api-key", "wka_token_of_a_stranger"),
            (400, "unknown-agent"),
        ),
        ("nobody's", upload("/v1/files", true, "a", b"x").with("x-api-key", "x"), (401, "unknown-token")),
    ] {
        let reply = world.ask(request).await;
        assert_eq!(reply.refusal(), want, "{name}: {}", reply.text());
        assert!(!reply.text().contains(KEY));
    }
    assert!(world.provider.seen().is_empty() && world.nothing_was_metered().await);
    // The policy may trust a provider with it.
    world.change(|bundle| bundle.llm.providers[1].unscanned = vec![Unscanned::Pdf]);
    world.provider.document("200 OK", DONE);
    assert_eq!(world.ask(upload("/v1/files", false, "a.pdf", b"%PDF-1.7\n")).await.status, 200);
    assert_eq!(world.ask(upload("/v1/files", true, "a.pdf", b"%PDF-1.7\n")).await.refusal(), (400, "unscannable-file"));
}

#[tokio::test]
async fn a_file_inside_a_request_is_judged_like_an_uploaded_one() {
    let world = World::new().await;
    let base64 = |bytes: &[u8]| data_encoding::BASE64.encode(bytes);
    let messages = |data: &str| {
        Request::messages(format!(
            r#"{{"model":"sonnet","messages":[{{"role":"user","content":[{{"type":"document","source":{{"type":"base64","media_type":"text/plain","data":"{data}"}}}}]}}]}}"#
        ))
    };
    let chat = |data: &str| {
        Request::completions(format!(
            r#"{{"model":"mini","messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{data}"}}}}]}}]}}"#
        ))
    };
    let responses = |data: &str| Request {
        target: "/v1/responses",
        ..Request::completions(format!(
            r#"{{"model":"mini","input":[{{"role":"user","content":[{{"type":"input_file","filename":"a","file_data":"data:application/pdf;base64,{data}"}}]}}]}}"#
        ))
    };
    let gemini = |data: &str| {
        Request::gemini(
            "/v1beta/models/flash:generateContent",
            format!(r#"{{"contents":[{{"parts":[{{"inlineData":{{"mimeType":"image/png","data":"{data}"}}}}]}}]}}"#),
        )
    };
    let forms: [&dyn Fn(&str) -> Request<'static>; 4] = [&messages, &chat, &responses, &gemini];
    for form in forms {
        let picture = base64(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
        world.provider.document("200 OK", "{}");
        assert_eq!(world.ask(form(&picture)).await.status, 200);
        assert!(String::from_utf8_lossy(&world.provider.seen().pop().unwrap().body).contains(&picture), "unchanged");
        // Two base64 layers apart, a rule would not find it: the file is decoded first.
        let note = format!("ssh ghp_{}\n{PASSWORD}", "16C7e42F292c6912E7710c838347Ae178B4a");
        world.provider.document("200 OK", "{}");
        assert_eq!(world.ask(form(&base64(note.as_bytes()))).await.status, 200);
        let sent = String::from_utf8_lossy(&world.provider.seen().pop().unwrap().body).into_owned();
        let file = sent.split('"').map(|text| text.rsplit(',').next().unwrap()).find_map(|text| {
            data_encoding::BASE64.decode(text.as_bytes()).ok().filter(|file| file.starts_with(b"ssh"))
        });
        let file = String::from_utf8(file.expect("still a file")).unwrap();
        assert!(file.contains("SECRET_REF(db_password)") && !file.contains("ghp_"), "{file}");
        for (file, want) in [
            (base64(b"%PDF-1.7\n"), "unscannable-file"),
            (base64(b"PK\x03\x04\0\0"), "unscannable-file"),
            (base64(&[b"GIF89a", KEY.as_bytes()].concat()), "secret-in-file"),
            ("@@@".to_owned(), "unscannable-file"),
        ] {
            let count = world.provider.seen().len();
            assert_eq!(world.ask(form(&file)).await.refusal(), (400, want), "{file}");
            assert_eq!(world.provider.seen().len(), count);
        }
    }
}
