//! What new servers fetch: the installation script and the daemon's binary. Nothing here is secret; the command that a
//! person pastes pins the script's digest, and the script pins the binary's.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::body::{Body, Bytes};
use axum::extract::{Path as UrlPath, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use tokio::io::AsyncReadExt as _;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::secret::SecretValue;
use wardkeep_provisioner::binary::{Binary, NotABinary};
use wardkeep_provisioner::one_liner::InvalidToken;
use wardkeep_provisioner::script::{self, Script};
use wardkeep_provisioner::{InstallParams, InvalidParams, one_liner};

use crate::access::{Access, Routes};
use crate::api::error::Refusal;
use crate::app::WebSettings;

/// Bytes read from the binary at a time.
const CHUNK: usize = 64 * 1024;

/// There is nothing to install.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The binary is absent or unreadable.
    #[error("{path} cannot be read; set [install] agent_binary in hub.toml")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not a program for a server.
    #[error("{path} cannot be installed")]
    NotABinary {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: NotABinary,
    },
    /// The addresses cannot stand in a script.
    #[error(transparent)]
    Params(#[from] InvalidParams),
    /// The token cannot stand in a command.
    #[error(transparent)]
    Token(#[from] InvalidToken),
}

/// One state of the binary and the script made for it.
#[derive(Debug)]
struct Offer {
    modified: Option<SystemTime>,
    size: u64,
    params: InstallParams,
    script: Script,
    sha256: Digest,
}

/// Knows the daemon's binary; looks at it again when the file changes.
#[derive(Debug)]
pub struct Installer {
    path: PathBuf,
    web: Arc<WebSettings>,
    offer: Mutex<Option<Arc<Offer>>>,
}

impl Installer {
    /// An installer of the binary at `path`; the file is read when it is first needed.
    #[must_use]
    pub const fn new(path: PathBuf, web: Arc<WebSettings>) -> Self {
        Self { path, web, offer: Mutex::new(None) }
    }

    /// The binary beside the running program `program`.
    #[must_use]
    pub fn beside(program: &Path) -> PathBuf {
        program.with_file_name("wardkeep-agent")
    }

    /// The one command that installs and enrols a server with `token`. Blocks on the file; for command lines.
    ///
    /// # Errors
    /// Every reason of [`InstallError`].
    pub fn command(&self, token: &SecretValue) -> Result<SecretValue, InstallError> {
        Ok(one_liner(&self.offer()?.params, token)?)
    }

    fn offer(&self) -> Result<Arc<Offer>, InstallError> {
        let fail = |source| InstallError::Unreadable { path: self.path.clone(), source };
        let meta = std::fs::metadata(&self.path).map_err(fail)?;
        let (modified, size) = (meta.modified().ok(), meta.len());
        let mut known = self.offer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(offer) = known.as_ref().filter(|offer| offer.modified == modified && offer.size == size) {
            return Ok(Arc::clone(offer));
        }
        let file = std::fs::read(&self.path).map_err(fail)?;
        let binary =
            Binary::inspect(&file).map_err(|source| InstallError::NotABinary { path: self.path.clone(), source })?;
        let link = format!("https://{}", self.web.link_address);
        let params = InstallParams::new(&self.web.public_url, &link, env!("CARGO_PKG_VERSION"), vec![binary])?;
        let script = script::render(&params);
        let offer = Arc::new(Offer { modified, size, params, script, sha256: binary.sha256 });
        *known = Some(Arc::clone(&offer));
        Ok(offer)
    }
}

/// Adds the routes of this module.
pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .get("/install/{script}", Access::Anyone, script_text)
        .get("/install/wardkeep-agent", Access::Anyone, newest_binary)
        .get("/install/wardkeep-agent/{digest}", Access::Anyone, pinned_binary)
}

/// The offer, read off the reactor; absent when there is nothing to install.
async fn offered(installer: &Arc<Installer>) -> Result<Arc<Offer>, Refusal> {
    let installer = Arc::clone(installer);
    let offer = tokio::task::spawn_blocking(move || installer.offer()).await;
    match offer {
        Ok(Ok(offer)) => Ok(offer),
        Ok(Err(error)) => {
            tracing::warn!(error = %crate::api::error::chain(&error), "nothing to install");
            Err(Refusal::NotFound)
        }
        Err(_) => Err(Refusal::NotFound),
    }
}

async fn script_text(
    State(installer): State<Arc<Installer>>,
    UrlPath(name): UrlPath<String>,
) -> Result<Response, Refusal> {
    let offer = offered(&installer).await?;
    if name.strip_suffix(".sh") != Some(offer.script.sha256.to_string().as_str()) {
        return Err(Refusal::NotFound);
    }
    let kind = HeaderValue::from_static("text/x-shellscript; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], offer.script.text.clone()).into_response())
}

async fn newest_binary(State(installer): State<Arc<Installer>>) -> Result<Response, Refusal> {
    let offer = offered(&installer).await?;
    stream(&installer.path, offer.size).await
}

async fn pinned_binary(
    State(installer): State<Arc<Installer>>,
    UrlPath(digest): UrlPath<String>,
) -> Result<Response, Refusal> {
    let offer = offered(&installer).await?;
    if digest != offer.sha256.to_string() {
        return Err(Refusal::NotFound);
    }
    stream(&installer.path, offer.size).await
}

async fn stream(path: &Path, size: u64) -> Result<Response, Refusal> {
    let file = tokio::fs::File::open(path).await.map_err(|_| Refusal::NotFound)?;
    let chunks = futures_util::stream::try_unfold(file, |mut file| async move {
        let mut chunk = vec![0; CHUNK];
        let read = file.read(&mut chunk).await?;
        chunk.truncate(read);
        Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(chunk), file)))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_LENGTH, HeaderValue::from(size)),
    ];
    Ok((headers, Body::from_stream(chunks)).into_response())
}
