//! What a tool of an outside service gives back: as much as its adapter says, cut behind redaction.

use super::*;

/// Answers one request after another with these statuses and bodies; what of each the tool gives back.
fn given(ground: &Ground, answers: Vec<(u16, String, Reply)>) -> Vec<CallResult> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (replies, bodies): (Vec<_>, Vec<_>) =
        answers.into_iter().map(|(status, body, reply)| (reply, (status, body))).unzip();
    let server = std::thread::spawn(move || {
        for (status, body) in bodies {
            let (mut stream, _) = listener.accept().unwrap();
            let mut seen = Vec::new();
            let mut chunk = [0; 4096];
            while !seen.ends_with(b"\r\n\r\n") {
                let read = std::io::Read::read(&mut stream, &mut chunk).unwrap();
                seen.extend_from_slice(&chunk[..read]);
            }
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            // Who has read enough hangs up.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
        }
    });
    let get = |reply| Work::Http {
        method: "GET".to_owned(),
        url: format!("http://127.0.0.1:{port}/"),
        headers: Vec::new(),
        body: None,
        reply,
    };
    let results = replies.into_iter().map(|reply| ground.run(ground.spec(get(reply)))).collect();
    server.join().unwrap();
    results
}

fn reply(max_bytes: Option<u32>, keep: &[&str]) -> Reply {
    Reply { max_bytes, keep: keep.iter().map(|&way| way.to_owned()).collect() }
}

#[test]
fn an_answer_that_is_cut_is_told_up_to_the_cut() {
    const TOO_LONG: &str = "[the answer is longer than this tool gives back; ask for fewer]";
    const NO_JSON: &str = "[the answer is not JSON, and this tool gives back fields only]";
    let json = |padding: usize| format!("{{\"id\":1,\"name\":\"{}\"}}", "n".repeat(padding));
    let (long, ids) = ("e".repeat(9000), reply(None, &["id"]));
    let table = vec![
        // Of an error its beginning, whatever fields are kept.
        (422, long.clone(), ids.clone(), "e".repeat(4096), true),
        (422, "e".repeat(200_000), ids.clone(), "e".repeat(4096), true),
        (422, long.clone(), reply(Some(100), &["id"]), "e".repeat(100), true),
        (404, "no such thing".to_owned(), ids.clone(), "no such thing".to_owned(), false),
        // Fields of a whole answer, or words in their place.
        (200, json(400_000), ids.clone(), TOO_LONG.to_owned(), true),
        (200, json(20), reply(Some(10), &["name"]), TOO_LONG.to_owned(), true),
        (200, "<html>".to_owned(), reply(Some(10), &["id"]), NO_JSON.to_owned(), true),
        (200, json(5000), reply(Some(10), &["id"]), "{\"id\":1}".to_owned(), false),
        (200, json(5000), ids.clone(), "{\"id\":1}".to_owned(), false),
        (204, String::new(), ids, String::new(), false),
        // All of it, up to a number of bytes.
        (200, long.clone(), reply(Some(4096), &[]), "e".repeat(4096), true),
        (200, "e".repeat(200_000), reply(Some(1), &[]), "e".to_owned(), true),
        (500, long.clone(), reply(Some(4096), &[]), "e".repeat(4096), true),
        (200, long.clone(), reply(Some(9000), &[]), long, false),
        (200, "short".to_owned(), reply(Some(5), &[]), "short".to_owned(), false),
    ];
    let ground = Ground::new();
    let asked = table.iter().map(|(status, body, reply, ..)| (*status, body.clone(), reply.clone())).collect();
    for (result, (status, body, reply, want, cut)) in given(&ground, asked).into_iter().zip(&table) {
        let what = format!("{status}, {} bytes, {reply:?}", body.len());
        assert_eq!(result.http_status, Some(*status), "{what}");
        assert!(result.output == *want, "{what}: {} bytes, {:.80}", result.output.len(), result.output);
        assert_eq!(result.truncated, *cut, "{what}");
    }
}

#[test]
fn a_value_across_the_cut_is_never_half_told() {
    let ground = Ground::new();
    let margin = output::margin(SECRET.len());
    let mut asked = Vec::new();
    for (status, most, reply) in [(200, 100, reply(Some(100), &[])), (422, 4096, reply(None, &["id"]))] {
        // Across what is told, and across what is read.
        for end in [most, most + margin] {
            for before in (end - SECRET.len()..end).step_by(5) {
                for behind in [0, 3 * margin, 100_000] {
                    let body = format!("{}{SECRET}{}", "x".repeat(before), "y".repeat(behind));
                    asked.push((status, body, reply.clone()));
                }
            }
        }
    }
    for result in given(&ground, asked) {
        let shown = result.output.trim_start_matches('x');
        assert!("SECRET_REF(token)".starts_with(shown) || shown.starts_with("SECRET_REF(token)"), "{shown:.80}");
        assert!(!result.output.is_empty() && result.output.len() <= 4096);
    }
}
