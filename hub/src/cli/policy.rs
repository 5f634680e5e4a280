//! `policy`.

mod changes;
mod sign;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use wardkeep_hub::drafts::{Drafts, Reviewed, Stage, objection};
use wardkeep_hub::events::Events;
use wardkeep_hub::link::Links;
use wardkeep_hub::orders::Orders;
use wardkeep_hub::policies::{Changes, EXAMPLE, Publisher};
use wardkeep_hub::reviews::{Answer, Reviews};
use wardkeep_hub::serve::{Opened, open_store};
use wardkeep_hub::store::stir::Stir;
use wardkeep_hub::store::tenants::{Standing, Tenant};
use wardkeep_hub::store::{Caller, Store};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantName;
use wardkeep_proto::time::Timestamp;

use super::tenants::{COMMAND_LINE, find};
use super::{Place, say};

/// Something would be judged more openly than now.
const LOOSENS: u8 = 3;
/// How a person publishes what is refused.
const SAY: &str = "look at `policy diff` and `policy test`, and say --loosens to publish all the same";
/// Nothing that was heard loosens, and not every server was heard.
const NOT_HEARD: u8 = 4;

#[derive(Debug, Subcommand)]
pub(super) enum Policy {
    /// The newest policy of a tenant.
    Show {
        /// Which tenant.
        tenant: TenantName,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// What a draft would change, by its text; what loosens stands first. Exit code 3 when something does.
    Diff(changes::Diff),
    /// Which of the newest real calls a draft would judge differently; the servers judge, and tell titles only. Exit code 3
    /// when one would be judged more openly, 4 when not every server was heard.
    Test(test::Test),
    /// Sign a policy without sending it; with a key file also on a machine that is no hub.
    Sign(sign::Sign),
    /// Sign a policy and make it the one that the tenant should run. Refused when one of the newest calls would be judged more
    /// openly, or when the text loosens and the server was not heard, unless `--loosens` says so.
    Publish(Publish),
    /// A commented policy to begin with.
    Example,
}

/// The TOML, with or without its option.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Text {
    /// The TOML; see `policy example`.
    #[arg(value_name = "FILE")]
    text: Option<PathBuf>,
    /// The same.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// How servers are asked.
#[derive(Clone, Copy, Debug, Args)]
struct Asking {
    /// How many calls each server judges anew.
    #[arg(long, value_name = "CALLS", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=5000))]
    last: u32,
    /// Wait so many seconds for the servers' answers; with 0 nobody is asked.
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    wait: u32,
}

#[derive(Debug, Args)]
pub(super) struct Publish {
    /// Which tenant.
    tenant: TenantName,
    /// The TOML; see `policy example`.
    #[arg(value_name = "FILE", required_unless_present_any = ["file", "reviewed"])]
    text: Option<PathBuf>,
    /// The same.
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    file: Option<PathBuf>,
    /// Exactly the draft that was reviewed on the hub's page, by the digest that the page shows; no server is asked again.
    #[arg(long, value_name = "DIGEST", conflicts_with_all = ["text", "file", "signed"])]
    reviewed: Option<Digest>,
    /// An envelope of `policy sign` over this very text: it is published as it was signed.
    #[arg(long, value_name = "FILE")]
    signed: Option<PathBuf>,
    /// Only check it and say what it would change.
    #[arg(long)]
    dry_run: bool,
    /// Publish although it loosens.
    #[arg(long)]
    loosens: bool,
    #[command(flatten)]
    asking: Asking,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Policy {
    pub(super) async fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        match self {
            Self::Show { tenant, json } => show(place, &tenant, json).await.map(|()| ExitCode::SUCCESS),
            Self::Diff(diff) => diff.run(place).await,
            Self::Test(test) => test.run(place).await,
            Self::Sign(sign) => sign.run(place).await.map(|()| ExitCode::SUCCESS),
            Self::Publish(publish) => publish.run(place).await.map(|()| ExitCode::SUCCESS),
            Self::Example => say(EXAMPLE.trim_end()).map(|()| ExitCode::SUCCESS),
        }
    }
}

impl Text {
    fn read(self) -> anyhow::Result<String> {
        let file = self.text.or(self.file).context("name a file")?;
        std::fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))
    }
}

/// Everything that works on drafts.
struct Desk {
    store: Store,
    publisher: Publisher,
    reviews: Reviews,
    drafts: Drafts,
    stir: Stir,
}

impl Desk {
    async fn open(place: &Place) -> anyhow::Result<Self> {
        let Opened { store, keys } = Opened::open(&place.data_dir, &place.outside).await?;
        let (clock, chance) = (Arc::clone(&place.outside.clock), Arc::clone(&place.outside.chance));
        let (events, links) = (Events::new(), Links::new());
        let orders = Orders::new(store.clone(), (Arc::clone(&clock), chance), (events.clone(), links.clone()));
        let publisher = Publisher::new(store.clone(), Arc::clone(&clock), keys.ring, events, links);
        let drafts = Drafts::new(store.clone(), Arc::clone(&clock), orders.clone(), publisher.clone());
        Ok(Self { reviews: Reviews::new(orders, clock), stir: Stir::over(&place.data_dir), store, publisher, drafts })
    }

    async fn ask(&mut self, tenant: Tenant, source: &str, asking: Asking) -> anyhow::Result<Answer> {
        if asking.wait == 0 {
            return Ok(Answer::Silent("it was not asked"));
        }
        let until = tokio::time::Instant::now() + std::time::Duration::from_secs(asking.wait.into());
        let asked = self.reviews.ask(&Caller::Operator, COMMAND_LINE, tenant, source, asking.last).await?;
        Ok(self.reviews.answer(&Caller::Operator, &asked, until, &mut self.stir).await?)
    }
}

async fn show(place: &Place, name: &TenantName, json: bool) -> anyhow::Result<()> {
    let store = open_store(&place.data_dir, &place.outside)?;
    let tenant = find(&store, name, place.outside.clock.now()).await?;
    let policy = store.policy(&Caller::Operator, tenant.id).await?;
    let policy = policy.with_context(|| {
        format!("{name} has no policy; publish one with: wardkeep-hub policy publish {name} --file F")
    })?;
    if json {
        return say(&json!({
            "tenant": tenant.id,
            "version": policy.version,
            "digest": policy.digest,
            "issued_ms": policy.issued,
            "expires_ms": policy.expires,
            "published_by": policy.published_by,
            "source": policy.source,
        })
        .to_string());
    }
    say(&format!(
        "# version {} of {}, by {}, until {}",
        policy.version, policy.issued, policy.published_by, policy.expires
    ))?;
    say(policy.source.trim_end())
}

/// What is to be published, and what speaks against it.
struct Proposal {
    source: String,
    changes: Changes,
    answer: Option<Answer>,
    /// When it was drafted and reviewed, if that is over.
    reviewed: Option<Timestamp>,
}

impl Publish {
    async fn run(self, place: &Place) -> anyhow::Result<()> {
        let mut desk = Desk::open(place).await?;
        let tenant = find(&desk.store, &self.tenant, place.outside.clock.now()).await?;
        let id = tenant.id;
        let proposal = match self.reviewed {
            Some(digest) => reviewed(&desk, tenant, digest).await?,
            None => self.ask(&mut desk, tenant, place.outside.clock.now()).await?,
        };
        let Proposal { source, changes, answer, reviewed } = &proposal;
        let against = answer.as_ref().and_then(|answer| objection(&self.tenant, changes, answer));
        let refused = against.filter(|_| !self.loosens).map(|why| format!("{why}; {SAY}"));
        if !self.json {
            changes::print(changes, false)?;
            answer.iter().try_for_each(|answer| test::print(&self.tenant, answer))?;
        }
        if self.dry_run {
            return self.tell(&proposal, refused.as_deref());
        }
        if let Some(why) = refused {
            bail!("{why}");
        }
        let (publisher, digest) = (&desk.publisher, changes.draft.digest);
        let policy = match (&self.signed, reviewed) {
            (Some(file), _) => {
                let envelope = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
                publisher.publish_signed(&Caller::Operator, COMMAND_LINE, id, source, envelope).await?
            }
            (None, Some(issued)) => {
                publisher.publish_reviewed(&Caller::Operator, COMMAND_LINE, id, source, (*issued, digest)).await?
            }
            (None, None) => publisher.publish(&Caller::Operator, COMMAND_LINE, id, source).await?,
        };
        if self.json {
            return say(&json!({
                "version": policy.version, "digest": policy.digest, "expires_ms": policy.expires,
                "differences": changes.differences, "answer": answer.as_ref().map(test::view),
            })
            .to_string());
        }
        say(&format!("version {} of {} is signed until {}", policy.version, self.tenant, policy.expires))
    }

    async fn ask(&self, desk: &mut Desk, tenant: Tenant, now: Timestamp) -> anyhow::Result<Proposal> {
        let source = Text { text: self.text.clone(), file: self.file.clone() }.read()?;
        let changes = desk.publisher.changes(&Caller::Operator, tenant.id, &source).await?;
        // Nothing of a server that never enrolled can be loosened, and nothing that is the same.
        let answer = if tenant.standing(now) == Standing::New || changes.differences.is_empty() {
            None
        } else {
            eprint_progress(&format!("{} judges its last {} calls by the draft ...", self.tenant, self.asking.last));
            Some(desk.ask(tenant, &source, self.asking).await?)
        };
        Ok(Proposal { source, changes, answer, reviewed: None })
    }

    fn tell(&self, proposal: &Proposal, refused: Option<&str>) -> anyhow::Result<()> {
        let Changes { draft, differences, .. } = &proposal.changes;
        if self.json {
            return say(&json!({
                "version": draft.bundle.version, "digest": draft.digest, "differences": differences,
                "answer": proposal.answer.as_ref().map(test::view), "refused": refused, "bundle": draft.bundle,
            })
            .to_string());
        }
        say(&match refused {
            Some(why) => format!("would be refused: {why}"),
            None => format!("version {} would be published", draft.bundle.version),
        })
    }
}

async fn reviewed(desk: &Desk, tenant: Tenant, digest: Digest) -> anyhow::Result<Proposal> {
    let found = desk.drafts.of_digest(&Caller::Operator, tenant, digest).await?;
    let (Reviewed { answer, stage: Stage::Open(changes), tenant }, source, issued) = found.context(
        "no draft of that digest was reviewed for this server within a day, or a newer policy was published since; review it again",
    )?
    else {
        bail!("the draft was published already, or is over");
    };
    let answer = answer.with_context(|| format!("{} still judges the draft; wait for its answer", tenant.name))?;
    Ok(Proposal { source, changes: *changes, answer: Some(answer), reviewed: Some(issued) })
}

/// For a person who waits; programs read standard output.
fn eprint_progress(line: &str) {
    use std::io::IsTerminal as _;
    use std::io::Write as _;
    if std::io::stderr().is_terminal() {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}
