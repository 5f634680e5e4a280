use wardkeep_proto::chance::Chance;

use super::*;
use crate::approval::{Origin, Verdict};

struct Fixed;

impl Chance for Fixed {
    fn fill(&self, out: &mut [u8]) {
        out.fill(3);
    }
}

fn every_state() -> Vec<CallState> {
    let permit = PermitId::new(Timestamp(1), &Fixed);
    let ruling = Ruling {
        verdict: Verdict::Approved,
        by: "ada".to_owned(),
        at: Timestamp(1),
        origin: Origin::Local,
        note: String::new(),
        passkey: None,
        grant: None,
    };
    let into = CallKey { agent: "a".parse().unwrap(), session: "s".parse().unwrap(), call: "c".parse().unwrap() };
    let result = CallResult::failed("x");
    vec![
        CallState::Permitted { permit, use_by: Timestamp(2) },
        CallState::Pending { approve_by: Timestamp(2) },
        CallState::Approved { permit, ruling: ruling.clone(), use_by: Timestamp(2) },
        CallState::Claimed { permit, at: Timestamp(2), by: Executor::Runner, to: None },
        CallState::Done { permit, result: result.clone() },
        CallState::Failed { permit, result: result.clone() },
        CallState::Interrupted { permit, result },
        CallState::Denied { reasons: vec!["no".to_owned()], ruling: Some(ruling) },
        CallState::Expired { why: "late".to_owned() },
        CallState::Superseded { why: "drift".to_owned() },
        CallState::Folded { into },
    ]
}

#[test]
fn the_table_of_steps() {
    let allowed = [
        ("permitted", "claimed"),
        ("permitted", "expired"),
        ("permitted", "superseded"),
        ("pending", "approved"),
        ("pending", "denied"),
        ("pending", "expired"),
        ("pending", "superseded"),
        ("approved", "claimed"),
        ("approved", "expired"),
        ("approved", "superseded"),
        ("claimed", "done"),
        ("claimed", "failed"),
        ("claimed", "interrupted"),
    ];
    for from in every_state() {
        for to in every_state() {
            let want = allowed.contains(&(from.name(), to.name()));
            assert_eq!(from.leads_to(&to), want, "{} -> {}", from.name(), to.name());
        }
    }
}

#[test]
fn a_final_state_leads_nowhere() {
    for state in every_state() {
        let leads = every_state().iter().any(|next| state.leads_to(next));
        assert_eq!(leads, !state.is_final(), "{}", state.name());
    }
}

#[test]
fn a_state_survives_its_row_and_names_itself() {
    for state in every_state() {
        let json = serde_json::to_value(&state).unwrap();
        assert_eq!(json["state"], state.name());
        assert_eq!(serde_json::from_value::<CallState>(json).unwrap(), state);
    }
}

#[test]
fn a_result_decides_the_last_state() {
    let permit = PermitId::new(Timestamp(1), &Fixed);
    for (status, want) in
        [(RunStatus::Ok, "done"), (RunStatus::Failed, "failed"), (RunStatus::Interrupted, "interrupted")]
    {
        let result = CallResult { status, ..CallResult::failed("x") };
        assert_eq!(CallState::ended(permit, result).name(), want);
    }
}
