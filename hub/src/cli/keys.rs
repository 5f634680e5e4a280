//! `keys`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use wardkeep_hub::events::Events;
use wardkeep_hub::keys::{BundleSeed, Listed, Old, Purpose, RootSeed, with, without};
use wardkeep_hub::link::Links;
use wardkeep_hub::policies::Publisher;
use wardkeep_hub::seal::write_private;
use wardkeep_hub::serve::Opened;
use wardkeep_policy::signed::{Key, KeyList};
use zeroize::Zeroizing;

use super::tenants::all;
use super::{Place, say};

#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// The keys that sign, which of them are held here, and how many servers go by the newest list.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// A new key in the first place of the next list; the old ones count beside it until they are revoked.
    Rotate {
        /// What it signs.
        kind: Kind,
        /// Leave the old ones out: what they signed counts no more once a server has the list.
        #[arg(long)]
        revoke_old: bool,
        /// A key that is kept elsewhere, as `keys new` prints it, in place of one that is made and held here. It stands last.
        #[arg(long, value_name = "PUBLIC", conflicts_with = "revoke_old")]
        public: Option<String>,
        #[command(flatten)]
        signing: Signing,
    },
    /// The next list without a key: what it signed counts no more.
    Revoke {
        /// Its id; see `keys list`.
        id: String,
        #[command(flatten)]
        signing: Signing,
    },
    /// Make a key in a file, for `policy sign --key` on another machine; needs no hub.
    New {
        /// Where it goes.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Sign a list with the root key; needs no hub.
    SignList {
        /// What `keys rotate --out` or `keys revoke --out` wrote.
        list: PathBuf,
        /// The file `root.key`.
        #[arg(long, value_name = "FILE")]
        root: PathBuf,
        /// Where the signed list goes.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Go by a list that the root signed, send it to every server, and sign again what another key had signed.
    Install {
        /// What `keys sign-list` wrote.
        list: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Kind {
    /// Bundles of policy.
    Bundle,
    /// Decisions on approvals.
    Decision,
}

/// Where the root key is.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Signing {
    /// The file `root.key`, on this machine for this moment: the list is signed and installed at once.
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// Write the unsigned list, for `keys sign-list` on the machine that has the root key.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Keys {
    pub(super) async fn run(self, place: &Place) -> anyhow::Result<()> {
        match self {
            Self::List { json } => list(place, json).await,
            Self::Rotate { kind, revoke_old, public, signing } => {
                rotate(place, kind, revoke_old, public, signing).await
            }
            Self::Revoke { id, signing } => {
                let ring = Opened::open(&place.data_dir, &place.outside).await?.keys.ring;
                let next = without(&ring.listed().await?.list, &id, &ring.pinned().await?)?;
                signing.go_on(place, &next).await
            }
            Self::New { out } => {
                let seed = BundleSeed::new(place.outside.chance.as_ref());
                let public = seed.key()?.listed().bytes().context("a key has 32 bytes")?;
                write_private(&out, seed.to_text().as_bytes())
                    .with_context(|| format!("{} cannot be written", out.display()))?;
                say(&data_encoding::HEXLOWER.encode(&public))
            }
            Self::SignList { list, root, out } => {
                let next: KeyList = serde_json::from_slice(&read(&list)?)
                    .with_context(|| format!("{} is no list of keys", list.display()))?;
                say(&words(&next))?;
                let signed = root_at(&root)?.sign(&next)?;
                std::fs::write(&out, signed).with_context(|| format!("{} cannot be written", out.display()))?;
                say(&format!(
                    "It is signed in {}; on the hub: wardkeep-hub keys install {}",
                    out.display(),
                    out.display()
                ))
            }
            Self::Install { list } => install(place, read(&list)?).await,
        }
    }
}

async fn list(place: &Place, as_json: bool) -> anyhow::Result<()> {
    let Opened { store, keys } = Opened::open(&place.data_dir, &place.outside).await?;
    let Listed { list, root, .. } = keys.ring.listed().await?;
    let tenants = all(&store, place.outside.clock.now()).await?;
    let enrolled = tenants.iter().filter(|tenant| tenant.enrolled.is_some()).count();
    let behind: Vec<&str> = tenants
        .iter()
        .filter(|tenant| tenant.status.as_ref().is_some_and(|status| status.keys_version != Some(list.version)))
        .map(|tenant| tenant.name.as_str())
        .collect();
    let decision = if list.decision.is_empty() { vec![keys.ring.pinned().await?] } else { list.decision.clone() };
    let mut rows = Vec::new();
    for (purpose, listed) in [(Purpose::Bundle, &list.keys), (Purpose::Decision, &decision)] {
        let held = keys.ring.held(purpose).await?;
        let signs = listed.iter().find(|key| held.contains(key));
        let unlisted = held.iter().filter(|key| !listed.contains(key));
        for key in listed.iter().chain(unlisted) {
            let is_listed = listed.contains(key);
            rows.push((purpose, key.id.clone(), is_listed, held.contains(key), is_listed && signs == Some(key)));
        }
    }
    if as_json {
        let rows: Vec<_> = rows
            .into_iter()
            .map(|(purpose, id, listed, held, signs)| {
                json!({"kind": purpose.as_str(), "id": id, "listed": listed, "held_here": held, "signs": signs})
            })
            .collect();
        let root = data_encoding::HEXLOWER.encode(&root);
        let view = json!({"version": list.version, "root": root, "keys": rows, "enrolled": enrolled, "behind": behind});
        return say(&view.to_string());
    }
    say(&format!("list {}, signed by the root {}", list.version, &data_encoding::HEXLOWER.encode(&root)[..16]))?;
    for (purpose, id, listed, held, signs) in rows {
        let what = match (listed, signs) {
            (_, true) => "signs",
            (true, false) => "listed",
            (false, _) => "not listed: counts for nothing",
        };
        let place = if held { "" } else { ", held elsewhere" };
        say(&format!("  {:<8} {id}  {what}{place}", purpose.as_str()))?;
    }
    match behind.len() {
        0 => say(&format!("every server that was heard goes by it ({enrolled} enrolled)")),
        count => say(&format!("{count} of {enrolled} servers do not go by it yet: {}", behind.join(", "))),
    }
}

async fn rotate(
    place: &Place,
    kind: Kind,
    revoke_old: bool,
    public: Option<String>,
    signing: Signing,
) -> anyhow::Result<()> {
    let ring = Opened::open(&place.data_dir, &place.outside).await?.keys.ring;
    let purpose = match kind {
        Kind::Bundle => Purpose::Bundle,
        Kind::Decision => Purpose::Decision,
    };
    let (list, pinned) = (ring.listed().await?.list, ring.pinned().await?);
    let next = match public {
        None => {
            let old = if revoke_old { Old::Go } else { Old::Stay };
            let key = ring.add(purpose, place.outside.clock.now(), place.outside.chance.as_ref()).await?;
            with(&list, purpose, key, &pinned, old)?
        }
        Some(public) => {
            let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(public.as_bytes()).unwrap_or_default();
            let bytes: [u8; 32] =
                bytes.try_into().ok().context("a public key is 64 hex digits, as `keys new` prints it")?;
            let mut next = with(&list, purpose, Key::new(&bytes), &pinned, Old::Stay)?;
            // The first one that is held here signs; another place says so to whoever reads the list.
            match purpose {
                Purpose::Bundle => next.keys.rotate_left(1),
                Purpose::Decision => next.decision.rotate_left(1),
            }
            next
        }
    };
    signing.go_on(place, &next).await
}

impl Signing {
    async fn go_on(self, place: &Place, next: &KeyList) -> anyhow::Result<()> {
        say(&words(next))?;
        if let Some(out) = self.out {
            std::fs::write(&out, serde_json::to_vec_pretty(next)?)
                .with_context(|| format!("{} cannot be written", out.display()))?;
            return say(&format!(
                "Nothing counts yet. Where the root key is: wardkeep-hub keys sign-list {} --root root.key --out SIGNED; then here: \
                 wardkeep-hub keys install SIGNED",
                out.display()
            ));
        }
        let Some(root) = self.root else { bail!("say --root or --out") };
        install(place, root_at(&root)?.sign(next)?).await
    }
}

async fn install(place: &Place, envelope: Vec<u8>) -> anyhow::Result<()> {
    let Opened { store, keys } = Opened::open(&place.data_dir, &place.outside).await?;
    let list = keys.ring.install(envelope, place.outside.clock.now()).await?;
    let publisher = Publisher::new(store, Arc::clone(&place.outside.clock), keys.ring, Events::new(), Links::new());
    let (signed, failed) = publisher.sign_again().await?;
    say(&format!("list {} counts; {signed} policies were signed again", list.version))?;
    ensure!(failed == 0, "{failed} policies were not signed again, see above; publish them anew");
    Ok(())
}

fn words(list: &KeyList) -> String {
    let ids = |keys: &[Key]| keys.iter().map(|key| key.id.as_str()).collect::<Vec<_>>().join(", ");
    let decision = match list.decision.as_slice() {
        [] => "the one that was pinned at enrolment".to_owned(),
        keys => ids(keys),
    };
    format!("list {}: bundles by {}; decisions by {decision}", list.version, ids(&list.keys))
}

fn root_at(path: &Path) -> anyhow::Result<RootSeed> {
    let text = Zeroizing::new(String::from_utf8(read(path)?).context("the root key is text")?);
    RootSeed::from_text(&text).with_context(|| format!("{} is no root key", path.display()))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}
