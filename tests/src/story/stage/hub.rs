//! The hub on the stage.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use wardkeep_hub::app::WebSettings;
use wardkeep_hub::auth::Logins;
use wardkeep_hub::keys::Keys;
use wardkeep_hub::seal::Sealer;
use wardkeep_hub::store::Store;
use wardkeep_hub::store::db::{self, Db};
use wardkeep_proto::chance::SystemChance;
use wardkeep_proto::time::{Clock as _, SystemClock};

use super::{Service, Setting, Start, TENANT, command, field};
use crate::ports;
use crate::story::people::{Person, wait};
use crate::story::wiretap::Wiretap;

/// One hub.
pub struct Hub {
    /// `wardkeep-hub serve`.
    pub service: Service,
    /// Base URL of pages and API.
    pub url: String,
    /// As browsers know it.
    pub public_url: String,
    /// Where the link of a tenant ends.
    pub link: SocketAddr,
    program: PathBuf,
    folder: PathBuf,
}

impl Hub {
    pub(super) async fn start(program: &Path, setting: &Setting) -> anyhow::Result<Self> {
        let folder = setting.folder.join("hub");
        let data = folder.display().to_string();
        command(program, &["--data-dir", &data, "init"], "").await?;
        let (link, web) = (ports::free()?, ports::free()?);
        // Passkeys work on names, not on addresses.
        let public_url = format!("http://localhost:{}", web.port());
        fs::write(
            folder.join("hub.toml"),
            format!(
                "[link]\nlisten = \"{link}\"\npublic_address = \"{link}\"\n\n\
                 [web]\nlisten = \"{web}\"\npublic_url = \"{public_url}\"\n"
            ),
        )?;
        let mut environment = Vec::new();
        if let Some(kill) = setting.kill.filter(|k| k.at_hub()) {
            environment.push(kill.environment(&setting.folder));
        }
        let service = Service::start(Start {
            name: "wardkeep-hub",
            program: program.to_path_buf(),
            arguments: ["--data-dir", &data, "serve"].map(str::to_owned).into(),
            environment,
            log: setting.folder.join("hub.log"),
        })?;
        let hub = Self { service, url: format!("http://{web}"), public_url, link, program: program.into(), folder };
        hub.wait_until_up().await?;
        Ok(hub)
    }

    async fn wait_until_up(&self) -> anyhow::Result<()> {
        let http = super::http_client()?;
        let url = format!("{}/api/v1/healthz", self.url);
        wait("the hub to answer", || async {
            anyhow::ensure!(!self.service.ended(), "the hub ended; see hub.log");
            Ok(http.get(&url).send().await.ok().filter(|r| r.status().is_success()).map(|_| ()))
        })
        .await
    }

    /// Runs `wardkeep-hub ARGUMENTS` on this hub's data.
    ///
    /// # Errors
    /// When it ends with an error.
    pub async fn cli(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let data = self.folder.display().to_string();
        let mut all = vec!["--data-dir", data.as_str()];
        all.extend_from_slice(arguments);
        command(&self.program, &all, "").await
    }

    /// The same program on a machine that is no hub.
    ///
    /// # Errors
    /// When it ends with an error.
    pub async fn elsewhere(&self, arguments: &[&str]) -> anyhow::Result<String> {
        command(&self.program, &[&["--data-dir", "/nowhere"], arguments].concat(), "").await
    }

    /// The same, with its exit code and what it says of errors.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn cli_coded(&self, arguments: &[&str]) -> anyhow::Result<(i32, String, String)> {
        let mut command = tokio::process::Command::new(&self.program);
        let output = command.arg("--data-dir").arg(&self.folder).args(arguments).output().await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr)))
    }

    /// Adds the tenant and answers its one-time token.
    ///
    /// # Errors
    /// When the hub refuses.
    pub async fn enrolment_token(&self) -> anyhow::Result<String> {
        field(&self.cli(&["tenant", "add", TENANT, "--json"]).await?, "token")
    }

    /// A token for the API, as a person would make one.
    ///
    /// # Errors
    /// When the hub refuses.
    pub async fn api_token(&self) -> anyhow::Result<String> {
        self.add_ada().await?;
        field(&self.cli(&["token", "api", "ada", "--json"]).await?, "token")
    }

    /// A person of an organisation that has nothing to do with the bakery.
    ///
    /// # Errors
    /// When the hub refuses.
    pub async fn person_of(&self, organisation: &str, name: &str) -> anyhow::Result<Person> {
        self.cli(&["user", "add", name, "--organisation", organisation]).await?;
        Person::new(self.url.clone(), field(&self.cli(&["token", "api", name, "--json"]).await?, "token")?)
    }

    /// A one-time login for a browser.
    ///
    /// # Errors
    /// When the hub refuses.
    pub async fn login_link(&self) -> anyhow::Result<String> {
        self.add_ada().await?;
        field(&self.cli(&["user", "login", "ada", "--json"]).await?, "url")
    }

    async fn add_ada(&self) -> anyhow::Result<()> {
        self.cli(&["user", "add", "ada", "--json"]).await.map(drop)
    }

    /// Whether somebody has signed in with this link.
    ///
    /// # Errors
    /// When the hub's rows cannot be read.
    pub async fn is_spent(&self, link: &str) -> anyhow::Result<bool> {
        let token = link.rsplit('/').next().unwrap_or_default();
        let web = WebSettings { public_url: self.public_url.clone(), link_address: String::new() };
        let logins = Logins::new(self.store()?, Arc::new(SystemClock), Arc::new(SystemChance::new()), Arc::new(web));
        Ok(logins.peek(token).await?.is_none())
    }

    /// The hub's database, as somebody who has its disk writes into it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn database(&self) -> anyhow::Result<rusqlite::Connection> {
        let database = rusqlite::Connection::open(db::file_in(&self.folder))?;
        database.busy_timeout(std::time::Duration::from_secs(10))?;
        Ok(database)
    }

    fn store(&self) -> anyhow::Result<Store> {
        Ok(Store::new(Db::open_sqlite(&db::file_in(&self.folder))?, "stage"))
    }

    /// Publishes the tenant's policy.
    ///
    /// # Errors
    /// When the hub refuses it.
    pub async fn publish(&self, policy: &str) -> anyhow::Result<()> {
        let file = self.folder.join("bakery.toml");
        fs::write(&file, policy)?;
        self.cli(&["policy", "publish", TENANT, "--file", &file.display().to_string(), "--loosens", "--wait", "0"])
            .await?;
        Ok(())
    }

    /// Where its files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes the configuration away and kills the process: its next incarnation ends by itself.
    ///
    /// # Errors
    /// When it was not there.
    pub fn break_for_good(&self) -> anyhow::Result<()> {
        fs::rename(self.folder.join("hub.toml"), self.folder.join("hub.toml.away"))?;
        self.service.kill()
    }

    /// The hub's own keys, as somebody with its disk would have them.
    ///
    /// # Errors
    /// When they are not where they should be.
    pub async fn keys(&self) -> anyhow::Result<Keys> {
        Ok(Keys::open(&self.store()?, Sealer::open(&Sealer::file_in(&self.folder))?).await?)
    }

    /// Puts a relay between daemon and hub; `state` is the daemon's folder, from which the relay borrows its identity.
    ///
    /// # Errors
    /// When keys are not where they should be.
    pub async fn tap(&self, state: &Path) -> anyhow::Result<Wiretap> {
        let keys = self.keys().await?;
        let leaf = keys.ca.server("127.0.0.1", SystemClock.now(), &SystemChance::new())?;
        let authority = leaf.chain.last().context("a chain ends with the authority")?.clone();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority)?;
        let roots = Arc::new(roots);
        let verifier = WebPkiClientVerifier::builder(Arc::clone(&roots)).allow_unauthenticated().build()?;
        let mut server = rustls::ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
            .with_client_cert_verifier(verifier)
            .with_single_cert(leaf.chain, leaf.key)?;
        server.alpn_protocols = vec![b"h2".to_vec()];
        let identity = state.join("identity/client.pem");
        let client = move || {
            let builder = rustls::ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
                .with_root_certificates(Arc::clone(&roots));
            let mut config = if identity.exists() {
                let chain = CertificateDer::pem_file_iter(&identity)?.collect::<Result<_, _>>()?;
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(&identity)?)?
            } else {
                builder.with_no_client_auth()
            };
            config.alpn_protocols = vec![b"h2".to_vec()];
            Ok(Arc::new(config))
        };
        Wiretap::mutual_tls(self.link, Arc::new(server), Arc::new(client)).await
    }
}
