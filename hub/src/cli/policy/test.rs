//! `policy test`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};
use wardkeep_hub::reviews::{Answer, Asked, plain};
use wardkeep_hub::store::Caller;
use wardkeep_hub::store::tenants::Tenant;
use wardkeep_policy::review::{Judged, Outcome};
use wardkeep_policy::{Effect, Review};
use wardkeep_proto::ids::TenantName;

use super::super::tenants::{COMMAND_LINE, all, find};
use super::super::{Place, say};
use super::{Asking, Desk, LOOSENS, NOT_HEARD, eprint_progress};

#[derive(Debug, Args)]
pub(in super::super) struct Test {
    /// Which tenant.
    #[arg(required_unless_present = "all")]
    tenant: Option<TenantName>,
    /// The TOML; see `policy example`.
    #[arg(value_name = "FILE", required_unless_present = "all")]
    text: Option<std::path::PathBuf>,
    /// Every server judges: by its own newest text and this program's rules, or by `--file`, which each of them reads.
    #[arg(long, conflicts_with_all = ["tenant", "text"])]
    all: bool,
    /// With `--all`: the TOML that every server is to judge by.
    #[arg(long, value_name = "FILE", requires = "all")]
    file: Option<std::path::PathBuf>,
    #[command(flatten)]
    asking: Asking,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Test {
    pub(super) async fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let mut desk = Desk::open(place).await?;
        let now = place.outside.clock.now();
        let text = self.text.as_ref().or(self.file.as_ref());
        let text = text
            .map(|file| std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display())));
        let text = text.transpose()?;
        let tenants = match &self.tenant {
            Some(name) => vec![find(&desk.store, name, now).await?],
            None => all(&desk.store, now).await?,
        };
        let until = tokio::time::Instant::now() + Duration::from_secs(self.asking.wait.into());
        let mut asked = Vec::new();
        for tenant in tenants {
            asked.push(self.ask(&desk, tenant, text.as_deref()).await?);
        }
        let (mut answers, total) = (Vec::new(), asked.len());
        for asked in asked {
            let name = asked.tenant.name.clone();
            answers.push((name, desk.reviews.answer(&Caller::Operator, &asked, until, &mut desk.stir).await?));
            eprint_progress(&format!("{} of {total} servers", answers.len()));
        }
        if self.json {
            let views: Vec<Value> =
                answers.iter().map(|(name, answer)| json!({"tenant": name.as_str(), "answer": view(answer)})).collect();
            say(&Value::from(views).to_string())?;
        } else {
            answers.iter().try_for_each(|(name, answer)| print(name, answer))?;
        }
        Ok(exit(answers.iter().map(|(_, answer)| answer)))
    }

    async fn ask(&self, desk: &Desk, tenant: Tenant, text: Option<&str>) -> anyhow::Result<Asked> {
        let own = match text {
            Some(_) => None,
            None => desk.store.policy(&Caller::Operator, tenant.id).await?.map(|policy| policy.source),
        };
        let source = text.or(own.as_deref()).unwrap_or_default();
        let name = tenant.name.clone();
        // What the hub itself finds wrong is told before anybody is asked.
        let checked = desk.publisher.draft(&Caller::Operator, tenant.id, source).await;
        checked.with_context(|| format!("the draft for {name} is refused"))?;
        Ok(desk.reviews.ask(&Caller::Operator, COMMAND_LINE, tenant, source, self.asking.last).await?)
    }
}

fn exit<'a>(answers: impl Iterator<Item = &'a Answer> + Clone) -> ExitCode {
    let loosens = |answer: &Answer| matches!(answer, Answer::Reviewed(review) if review.loosens());
    if answers.clone().any(|answer| matches!(answer, Answer::Refused(_))) {
        ExitCode::FAILURE
    } else if answers.clone().any(loosens) {
        ExitCode::from(LOOSENS)
    } else if answers.clone().any(|answer| matches!(answer, Answer::Silent(_))) {
        ExitCode::from(NOT_HEARD)
    } else {
        ExitCode::SUCCESS
    }
}

/// As JSON.
pub(super) fn view(answer: &Answer) -> Value {
    match answer {
        Answer::Reviewed(review) => json!({"heard": true, "loosens": review.loosens(), "review": review}),
        Answer::Refused(why) => json!({"heard": true, "refused": why}),
        Answer::Silent(why) => json!({"heard": false, "why": why}),
    }
}

pub(super) fn print(name: &TenantName, answer: &Answer) -> anyhow::Result<()> {
    match answer {
        Answer::Reviewed(review) => print_review(name, review),
        Answer::Refused(why) => say(&format!("{name}: refused: {why}")),
        Answer::Silent(why) => say(&format!("{name}: not heard: {why}")),
    }
}

fn print_review(name: &TenantName, review: &Review) -> anyhow::Result<()> {
    let differ: u64 = review.shifts.iter().map(|shift| shift.count).sum();
    let since = review.since_ms.map(|at| format!(" since {at}")).unwrap_or_default();
    say(&format!(
        "{name}: {} calls{since} judged anew, {differ} differ from version {}",
        review.judged, review.in_force
    ))?;
    if review.not_kept > 0 {
        say(&format!("  {} more were refused at once, and nothing is kept to judge them by", review.not_kept))?;
    }
    for shift in &review.shifts {
        say(&format!("  {}  {:>6}  {} -> {}", mark(shift.effect), shift.count, words(shift.from), words(shift.to)))?;
    }
    for shown in &review.calls {
        let times = if shown.count > 1 { format!(" ({} times)", shown.count) } else { String::new() };
        let rules =
            if shown.rules.is_empty() { String::new() } else { format!(" [{}]", plain(&shown.rules.join(", "))) };
        say(&format!(
            "  {}  {}: {}{times}: {} -> {}{rules}",
            mark(shown.effect),
            shown.agent,
            plain(&shown.title),
            words(shown.from),
            words(shown.to)
        ))?;
    }
    if review.left_out > 0 {
        say(&format!("  and {} more titles", review.left_out))?;
    }
    Ok(())
}

const fn mark(effect: Effect) -> &'static str {
    match effect {
        Effect::Loosens => "LOOSENS ",
        Effect::Tightens => "tightens",
        Effect::Neutral => "        ",
    }
}

fn words(judged: Judged) -> String {
    let outcome = match judged.outcome {
        Outcome::Run => "runs",
        Outcome::Ask => "asks",
        Outcome::Passkey => "asks for a passkey",
        Outcome::Refuse => "refused",
    };
    judged.class.map_or_else(|| outcome.to_owned(), |class| format!("{outcome} ({})", class.as_str()))
}
