use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use axum::routing::{get, post};
use axum::{Router, middleware};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::UnixListener;

use super::*;
use crate::servers::peer::{Peer, PeerChecked};
use crate::testing::{Counted, Fixed};
use crate::unix_http::{ClientError, UnixClient};

const WITHIN: Duration = Duration::from_secs(5);

struct Served {
    dir: tempfile::TempDir,
    stop: tokio::task::JoinHandle<()>,
}

impl Served {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let token = AdminToken::take_up(&dir.path().join("admin.token"), &Fixed(0xab)).expect("made");
        let routes = Router::new().route("/v1/status", get(async || "1")).route("/v1/reload", post(async || "2"));
        let routes = routes.layer(middleware::from_fn_with_state(token, demand));
        let listener = UnixListener::bind(dir.path().join("admin.sock")).expect("binds");
        let listener = PeerChecked::new(listener, rustix::process::geteuid().as_raw());
        let serving = axum::serve(listener, routes.into_make_service_with_connect_info::<Peer>());
        Self { dir, stop: tokio::spawn(async move { serving.await.expect("serves") }) }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("admin.sock")
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("admin.token")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.abort();
    }
}

#[tokio::test]
async fn the_right_user_without_the_token_is_refused_everywhere() {
    let served = Served::start();
    let right = std::fs::read_to_string(served.file()).expect("reads");
    AdminToken::take_up(&served.dir.path().join("other"), &Fixed(9)).expect("made");
    let foreign = std::fs::read_to_string(served.dir.path().join("other")).expect("reads");
    let tokens = [
        None,
        Some(String::new()),
        Some(right[1..].into()),
        Some(format!("{right}0")),
        Some(right.to_uppercase()),
        Some(foreign),
    ];
    for token in tokens {
        let mut client = UnixClient::new(&served.socket());
        if let Some(token) = &token {
            client = client.with_token(SecretValue::new(token.clone()));
        }
        for (method, path) in [(Method::GET, "/v1/status"), (Method::POST, "/v1/reload"), (Method::GET, "/nowhere")] {
            // A body that is no JSON: it is not even looked at.
            let answer = client.send(method, path, Some(&Value::Null), WITHIN).await.expect("an answer");
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path} with {token:?}");
            assert_eq!(answer.body["error"]["code"], "no-token");
        }
    }
    let admin = UnixClient::admin(&served.socket(), &served.file());
    assert_eq!(admin.get("/v1/status").await.expect("heard"), json!(1));
    assert_eq!(admin.post("/v1/reload", &json!({})).await.expect("heard"), json!(2));
}

#[tokio::test]
async fn who_cannot_ask_is_told_what_to_do() {
    let served = Served::start();
    let nobody = UnixClient::admin(&served.dir.path().join("no.sock"), &served.file());
    let error = nobody.get("/v1/status").await.expect_err("nobody listens");
    assert!(matches!(error, ClientError::NotRunning { .. }) && error.to_string().contains("not running"), "{error}");

    // A directory cannot be read as a file, whoever asks.
    let unreadable = UnixClient::admin(&served.socket(), served.dir.path());
    let error = unreadable.get("/v1/status").await.expect_err("no token");
    assert!(matches!(error, ClientError::TokenUnreadable { .. }), "{error}");
    assert!(error.to_string().contains("run this as root or through `wardkeep`"), "{error}");

    std::fs::remove_file(served.file()).expect("removed");
    let error = UnixClient::admin(&served.socket(), &served.file()).get("/v1/status").await.expect_err("no token");
    assert!(matches!(error, ClientError::TokenMissing { .. }), "{error}");
    assert!(error.to_string().contains("systemctl restart wardkeep-agent"), "{error}");
}

#[test]
fn a_token_is_kept_unless_it_is_none_or_others_could_have_read_it() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (path, chance) = (dir.path().join("admin.token"), Counted::default());
    let made = || std::fs::read_to_string(&path).expect("reads");
    for damaged in ["", "00", &"g".repeat(DIGITS), &"A".repeat(DIGITS)] {
        std::fs::write(&path, damaged).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("chmod");
        assert!(!AdminToken::take_up(&path, &chance).expect("made").is(damaged));
        assert!(sound(&made()));
    }
    let read_by_others = made();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("chmod");
    assert!(!AdminToken::take_up(&path, &chance).expect("made").is(&read_by_others));

    let kept = made();
    let meta = path.metadata().expect("exists");
    assert_eq!((meta.permissions().mode() & 0o777, meta.uid()), (0o600, dir.path().metadata().expect("exists").uid()));
    assert!(AdminToken::take_up(&path, &chance).expect("read").is(&kept));
    assert_eq!(made(), kept);
}
