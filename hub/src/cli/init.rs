//! `init`: folder, configuration, master key, keys, first key list.

use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;

use anyhow::Context as _;
use clap::Args;
use wardkeep_hub::config::{Config, DEFAULT};
use wardkeep_hub::keys::{Keys, RootSeed};
use wardkeep_hub::seal::{Sealer, write_private};
use wardkeep_hub::serve::open_store;
use wardkeep_proto::ids::OrganisationId;

use super::{Place, say};

/// Name of the organisation that is used when none is named.
pub(super) const DEFAULT_ORGANISATION: &str = "default";

#[derive(Debug, Args)]
pub(super) struct Init {
    /// Where daemons connect; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:7443")]
    link_listen: SocketAddr,
    /// HOST:PORT of the link as daemons reach it; the listening address when absent.
    #[arg(long)]
    link_address: Option<String>,
    /// Where pages and API listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:7480")]
    web_listen: SocketAddr,
    /// URL of the pages as people reach them; the listening address when absent.
    #[arg(long)]
    web_url: Option<String>,
}

impl Init {
    pub(super) async fn run(self, place: &Place) -> anyhow::Result<()> {
        let dir = &place.data_dir;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .with_context(|| format!("{} cannot be made", dir.display()))?;
        let config = Config::file_in(dir);
        if !config.exists() {
            std::fs::write(&config, self.text()).with_context(|| format!("{} cannot be written", config.display()))?;
        }
        Config::read(dir)?;
        let (clock, chance) = (&place.outside.clock, place.outside.chance.as_ref());
        let key = &place.outside.master_key;
        // A crash between the key and the database must not lock anybody out: the key that is there is used.
        let sealer = if key.exists() { Sealer::open(key)? } else { Sealer::create(key, chance)? };
        let store = open_store(dir, &place.outside)?;
        let now = clock.now();
        store.organisation(OrganisationId::new(now, chance), DEFAULT_ORGANISATION, now).await?;
        let root = dir.join("root.key");
        anyhow::ensure!(
            store.key_list().await?.is_none(),
            "{} holds a hub already; its keys are never replaced",
            dir.display()
        );
        // Without a key list it has signed nothing: an earlier `init` was cut off between the two.
        if root.exists() {
            std::fs::remove_file(&root).with_context(|| format!("{} cannot be removed", root.display()))?;
        }
        let seed = RootSeed::new(chance);
        write_private(&root, seed.to_text().as_bytes())
            .with_context(|| format!("{} cannot be written", root.display()))?;
        Keys::make(&store, &sealer, &seed, now, chance).await?;
        say(&format!("A new hub is in {}.", dir.display()))?;
        say(&format!(
            "Move {} off this machine now: it signs the list of policy keys, and the hub never needs it.",
            root.display()
        ))?;
        say(&format!("Keep a copy of {}: without it the database opens nothing.", key.display()))?;
        say("Next: wardkeep-hub serve, then wardkeep-hub user add NAME --operator --login-link")
    }

    /// The commented default with these addresses.
    fn text(&self) -> String {
        let link = self.link_address.clone().unwrap_or_else(|| self.link_listen.to_string());
        let web = self.web_url.clone().unwrap_or_else(|| format!("http://{}", self.web_listen));
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        DEFAULT
            .replace("listen = \"127.0.0.1:7443\"", &format!("listen = {}", quoted(&self.link_listen.to_string())))
            .replace("public_address = \"127.0.0.1:7443\"", &format!("public_address = {}", quoted(&link)))
            .replace("listen = \"127.0.0.1:7480\"", &format!("listen = {}", quoted(&self.web_listen.to_string())))
            .replace("public_url = \"http://127.0.0.1:7480\"", &format!("public_url = {}", quoted(&web)))
    }
}
