//! Beside an engine that answers what it is told to: what it is asked, and what comes of its answers. A real engine is asked
//! in `./dev e2e containers`.

use std::os::unix::net::UnixStream as BlockingStream;
use std::path::Path;

use serde_json::json;
use tokio::net::UnixListener;

use super::body::LABEL;
use super::body::tests::asked as wanted;
use super::*;
use crate::client::{ClientError, ContainerLine};
use crate::protocol::{Access, Limits, Shown};

const INFO: &str = r#"{"MemoryLimit":true,"PidsLimit":true,"CpuCfsQuota":true,"OSType":"linux"}"#;
const ENDED: &str = r#"{"State":{"ExitCode":3,"OOMKilled":true}}"#;

/// Method and beginning of a path, with the status and body that it gives; the first that fits counts.
type Answers = Vec<(&'static str, u16, String)>;

fn image() -> String {
    format!(r#"{{"Id":"{}","Config":{{"Volumes":{{"/data":{{}}}}}}}}"#, wanted().image)
}

/// An engine in which everything goes well.
fn well() -> Answers {
    vec![
        ("GET /info", 200, INFO.to_owned()),
        ("GET /images/", 200, image()),
        ("GET /containers/json", 200, "[]".to_owned()),
        ("GET /containers/", 200, ENDED.to_owned()),
        ("POST /containers/create", 201, r#"{"Id":"1","Warnings":[]}"#.to_owned()),
        (
            "POST /containers/wardkeep-run-00000000-0000-7000-8000-000000000001/attach",
            200,
            "\u{1}\0\0\0\0\0\0\u{3}one".to_owned(),
        ),
        ("POST /containers/wardkeep-run-00000000-0000-7000-8000-000000000001/start", 204, String::new()),
        (
            "POST /containers/wardkeep-run-00000000-0000-7000-8000-000000000001/wait",
            200,
            r#"{"StatusCode":3}"#.to_owned(),
        ),
        ("DELETE /containers/", 204, String::new()),
    ]
}

fn but(what: &'static str, status: u16, body: &str) -> Answers {
    [(what, status, body.to_owned())].into_iter().chain(well()).collect()
}

struct Ground {
    dir: tempfile::TempDir,
    containers: Arc<Containers>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Ground {
    /// Without an engine at the socket.
    fn without() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        std::fs::create_dir_all(dir.path().join("agents/office")).expect("made");
        let (socket, roots) = (dir.path().join("docker.sock"), vec![real(dir.path()).join("agents")]);
        let terms = ContainerTerms {
            engine: Arc::new(move || Ok(Some(socket.clone()))),
            workspaces: Arc::new(move || Ok(roots.clone())),
            group: 997,
        };
        Self { dir, containers: Arc::new(Containers::new(terms)), heard: Arc::default() }
    }

    fn with(answers: Answers) -> Self {
        let ground = Self::without();
        let listener = UnixListener::bind(ground.dir.path().join("docker.sock")).expect("bound");
        let heard = Arc::clone(&ground.heard);
        let answers = Arc::new(answers);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(one(stream, Arc::clone(&answers), Arc::clone(&heard)));
            }
        });
        ground
    }

    fn asked(&self) -> ContainerStart {
        let path = real(self.dir.path()).join("agents/office").display().to_string();
        ContainerStart { workspace: Some(Shown { path, access: Access::Reads }), ..wanted() }
    }

    fn start_with(&self, asked: ContainerStart, files: Vec<OwnedFd>) -> ContainerLine {
        let (ours, theirs) = BlockingStream::pair().expect("a pair");
        theirs.set_nonblocking(true).expect("set");
        Arc::clone(&self.containers).start(asked, files, UnixStream::from_std(theirs).expect("a stream"));
        ContainerLine::of(ours)
    }

    /// What came of it, and what it printed.
    async fn run(&self, asked: ContainerStart) -> (Result<ContainerOver, String>, String) {
        let (mut near, far) = BlockingStream::pair().expect("a pair");
        let line = self.start_with(asked, vec![far.into()]);
        let over = over(line).await;
        let mut said = String::new();
        std::io::Read::read_to_string(&mut near, &mut said).expect("read");
        (over, said)
    }

    fn heard(&self, what: &str) -> usize {
        self.heard.lock().expect("whole").iter().filter(|line| line.starts_with(what)).count()
    }
}

fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).expect("real")
}

async fn over(line: ContainerLine) -> Result<ContainerOver, String> {
    let over = tokio::task::spawn_blocking(move || line.over(Duration::from_secs(30))).await.expect("no panic");
    over.map_err(|error| match error {
        ClientError::Refused(message) => message,
        other => panic!("{other:?}"),
    })
}

/// One question and its answer; the connection is closed after it, as it is after what a container printed.
async fn one(mut stream: UnixStream, answers: Arc<Answers>, heard: Arc<Mutex<Vec<String>>>) {
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    let whole = |text: &[u8]| {
        let text = String::from_utf8_lossy(text).into_owned();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        (body.len() >= length.unwrap_or(0)).then(|| head.lines().next().unwrap_or_default().to_owned())
    };
    let question = loop {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(read) => text.extend_from_slice(&piece[..read]),
        }
        if let Some(question) = whole(&text) {
            break question;
        }
    };
    heard.lock().expect("whole").push(question.clone());
    let found = answers.iter().find(|(what, ..)| question.starts_with(what));
    let Some((_, status, body)) = found else { return };
    let answer = format!("HTTP/1.1 {status} Word\r\nConnection: close\r\n\r\n{body}");
    let _ = stream.write_all(answer.as_bytes()).await;
}

#[tokio::test]
async fn what_is_not_to_be_is_refused_before_the_engine_hears_of_it() {
    let ground = Ground::with(well());
    let file = || -> OwnedFd { std::fs::File::open("/dev/null").expect("there").into() };
    let line = || -> OwnedFd { BlockingStream::pair().expect("a pair").0.into() };
    let good = ground.asked();
    let shown = |path: &str| Some(Shown { path: path.to_owned(), access: Access::Reads });
    std::os::unix::fs::symlink("/etc", ground.dir.path().join("agents/link")).expect("linked");
    let link = real(ground.dir.path()).join("agents/link").display().to_string();
    for (what, asked, files) in [
        ("no line", good.clone(), vec![]),
        ("a file as its line", good.clone(), vec![file()]),
        ("the whole machine", ContainerStart { workspace: shown("/"), ..good.clone() }, vec![line()]),
        ("a folder outside", ContainerStart { workspace: shown("/etc"), ..good.clone() }, vec![line()]),
        ("a link that leads out", ContainerStart { workspace: shown(&link), ..good.clone() }, vec![line()]),
        ("the engine's socket", ContainerStart { workspace: shown("/run/docker.sock"), ..good.clone() }, vec![line()]),
        ("another name of an image", ContainerStart { image: "box:1".to_owned(), ..good.clone() }, vec![line()]),
        ("no limit", ContainerStart { limits: Limits { seconds: 0, ..good.limits }, ..good.clone() }, vec![line()]),
    ] {
        assert!(over(ground.start_with(asked, files)).await.is_err(), "{what}");
        assert!(ground.heard.lock().expect("whole").is_empty(), "{what}");
    }
    // None of that used the permit up.
    let (ended, said) = ground.run(good).await;
    assert_eq!(ended, Ok(ContainerOver { exit_code: 3, out_of_memory: true, cut: None }));
    assert_eq!(said, "one");
}

#[tokio::test]
async fn an_engine_that_is_not_there_or_holds_nothing_back_is_named() {
    let ground = Ground::without();
    let (ended, _) = ground.run(ground.asked()).await;
    assert!(ended.as_ref().is_err_and(|why| why.contains("no Docker engine answers at")), "{ended:?}");
    assert!(ground.containers.ready().await.is_err_and(|why| why.contains("no Docker engine answers at")));
    let off = ContainerTerms { engine: Arc::new(|| Ok(None)), ..ground.containers.terms.clone() };
    let off = Containers::new(off);
    assert!(off.ready().await.is_err_and(|why| why.contains("[containers]")));
    assert_eq!(off.end(wanted().permit).await, Ok(()));
    let loose = but("GET /info", 200, r#"{"MemoryLimit":false,"PidsLimit":true,"CpuCfsQuota":true,"OSType":"linux"}"#);
    let ground = Ground::with(loose);
    let (ended, _) = ground.run(ground.asked()).await;
    assert!(ended.as_ref().is_err_and(|why| why.contains("cannot limit what containers use of: memory")), "{ended:?}");
    assert_eq!(ground.heard("POST"), 0, "nothing was made");
}

#[tokio::test]
async fn an_image_that_is_not_there_or_is_another_one_runs_nothing() {
    let other = r#"{"Id":"sha256:0000000000000000000000000000000000000000000000000000000000000000","Config":{}}"#;
    for (what, status, body) in [("missing", 404, r#"{"message":"no such image"}"#), ("another", 200, other)] {
        let ground = Ground::with(but("GET /images/", status, body));
        let (ended, _) = ground.run(ground.asked()).await;
        assert!(ended.as_ref().is_err_and(|why| why.contains("is not on this server")), "{what}: {ended:?}");
        assert_eq!(ground.heard("POST"), 0, "{what}");
    }
}

#[tokio::test]
async fn a_container_that_does_not_start_is_removed_and_the_engines_reason_told() {
    let why = r#"{"message":"exec: \"nothing\": executable file not found in $PATH"}"#;
    let start = "POST /containers/wardkeep-run-00000000-0000-7000-8000-000000000001/start";
    let ground = Ground::with(but(start, 404, why));
    let (ended, _) = ground.run(ground.asked()).await;
    assert!(ended.as_ref().is_err_and(|why| why.contains("executable file not found")), "{ended:?}");
    assert!(ground.heard("DELETE /containers/wardkeep-run-") > 0);
}

#[tokio::test]
async fn a_permit_makes_one_container_ever() {
    let ground = Ground::with(well());
    ground.run(ground.asked()).await.0.expect("it ran");
    let twice = ground.run(ground.asked()).await.0;
    assert!(twice.as_ref().is_err_and(|why| why.contains("never run twice")), "{twice:?}");
    // A helper that was started again knows no permits; the engine knows the container.
    let ground = Ground::with(but("POST /containers/create", 409, r#"{"message":"the name is in use"}"#));
    let twice = ground.run(ground.asked()).await.0;
    assert!(twice.as_ref().is_err_and(|why| why.contains("never run twice")), "{twice:?}");
    assert_eq!(ground.heard("DELETE"), 0, "it is another call's");
    // Ended before it began.
    let ground = Ground::with(well());
    ground.containers.end(wanted().permit).await.expect("nothing to end");
    assert!(ground.run(ground.asked()).await.0.is_err_and(|why| why.contains("never run twice")));
}

#[tokio::test]
async fn what_an_earlier_helper_left_is_removed_and_nothing_else() {
    const LEFT: &str = "00000000-0000-7000-8000-000000000007";
    let listed = json!([
        {"Labels": {LABEL: LEFT}, "Names": [format!("/wardkeep-run-{LEFT}")]},
        // An image that brings the label along, under a name of its own.
        {"Labels": {LABEL: "00000000-0000-7000-8000-000000000008"}, "Names": ["/shop"]},
        {"Labels": {LABEL: "../x"}, "Names": ["/wardkeep-run-../x"]},
    ]);
    let ground = Ground::with(but("GET /containers/json", 200, &listed.to_string()));
    Arc::clone(&ground.containers).keep_tidy().await;
    assert_eq!((ground.heard("DELETE"), ground.heard(&format!("DELETE /containers/wardkeep-run-{LEFT}?"))), (1, 1));
}
