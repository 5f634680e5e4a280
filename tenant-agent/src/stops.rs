//! Budgets that ended, and requests that begin otherwise than before, taken into the audit log and, as lines for people, to
//! the hub.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use wardkeep_egress::{PrefixChange, Reason, Reports, Stop};
use wardkeep_safety::{Gate, GateError};

/// Stops that may wait to be recorded; the same one comes once a minute at most.
const WAITING: usize = 256;

/// Records notes one after the other, beside the requests that they are about.
#[derive(Debug)]
pub struct StopBook(mpsc::Sender<Note>);

#[derive(Debug)]
enum Note {
    Stop(Stop),
    Prefix(PrefixChange),
}

impl StopBook {
    /// Starts recording; ends with the last handle. Wants a runtime around it.
    #[must_use]
    pub fn new(gate: Arc<Gate>) -> Self {
        let (sender, mut queue) = mpsc::channel::<Note>(WAITING);
        tokio::spawn(async move {
            while let Some(note) = queue.recv().await {
                let told = match note {
                    Note::Stop(stop) => {
                        let kind = if stop.enforced { "budget-stop" } else { "budget-over" };
                        gate.notice(kind, fields(&stop), "budget", &summary(&stop)).await
                    }
                    Note::Prefix(change) => tell(&gate, &change).await,
                };
                if let Err(error) = told {
                    tracing::error!(
                        error = crate::channel::chain(&error),
                        "a note of the gateway is not in the audit log"
                    );
                }
            }
        });
        Self(sender)
    }
}

impl Reports for StopBook {
    fn stopped(&self, stop: Stop) {
        if self.0.try_send(Note::Stop(stop)).is_err() {
            tracing::error!("too many budgets ended at once; one is not in the audit log");
        }
    }

    fn prefix_changed(&self, change: PrefixChange) {
        if self.0.try_send(Note::Prefix(change)).is_err() {
            tracing::error!("too much is to be noted at once; a changed prefix is not in the audit log");
        }
    }
}

async fn tell(gate: &Gate, change: &PrefixChange) -> Result<(), GateError> {
    let PrefixChange { agent, version, print, others } = change;
    let print = data_encoding::HEXLOWER.encode(print);
    let fields = json!({"agent": agent, "version": version, "prefix": print, "others": others});
    let summary = format!(
        "agent {agent} sends other instructions or tools than before, and its version is still {version}; \
         name a new version in the policy if that was meant"
    );
    gate.notice("prefix-changed", fields, "prefix", &summary).await
}

fn fields(stop: &Stop) -> Value {
    let Stop { agent, session, model, reason, opens, contact: _, enforced, untold } = stop;
    let mut fields = json!({
        "agent": agent,
        "budget_of": reason.scope().map_or("tenant", |scope| scope.as_str()),
        "enforced": enforced,
        "model": model,
        "reason": reason.name(),
        "what": reason.to_string(),
    });
    if let Some(session) = session {
        fields["session"] = json!(session);
    }
    if let Some(opens) = opens {
        fields["opens_ms"] = json!(opens);
    }
    if *untold > 0 {
        fields["untold"] = json!(untold);
    }
    if let Reason::Amount(over) = reason {
        let micros = |cost: wardkeep_egress::Cost| cost.micros_up();
        // Audit rows are canonical JSON: numbers beyond 2^53 would not be exact.
        let tokens = |tokens: u128| u64::try_from(tokens).unwrap_or(u64::MAX).min(1 << 53);
        for (name, amount) in [("used", over.used), ("held", over.held), ("need", over.need)] {
            fields[name] = json!({"tokens": tokens(amount.tokens), "micros": micros(amount.cost)});
        }
    }
    fields
}

fn summary(stop: &Stop) -> String {
    let verb = if stop.enforced { "was stopped" } else { "would have been stopped" };
    format!("agent {} {verb} by its budget: {}", stop.agent, stop.reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stop(enforced: bool) -> Stop {
        Stop {
            agent: "office".parse().expect("valid"),
            session: "s-1".parse().ok(),
            model: "sonnet".to_owned(),
            reason: Reason::Concurrent { scope: None, most: 2 },
            opens: None,
            contact: None,
            enforced,
            untold: 3,
        }
    }

    #[test]
    fn the_record_names_who_what_and_whose() {
        let fields = fields(&stop(true));
        for (name, want) in [
            ("agent", json!("office")),
            ("budget_of", json!("tenant")),
            ("enforced", json!(true)),
            ("session", json!("s-1")),
            ("reason", json!("concurrent")),
            ("untold", json!(3)),
        ] {
            assert_eq!(fields[name], want, "{name}");
        }
        assert!(summary(&stop(true)).starts_with("agent office was stopped by its budget: all agents"));
        assert!(summary(&stop(false)).contains("would have been"));
    }
}
