//! The mark at a connection of which a user may send: eight bits of conntrack's 32, the others stay as they are.

use wardkeep_proto::digest::Digest;

use crate::plan::Plan;

/// All that is ours.
const OURS: u32 = 0xff00_0000;
/// Of these, which plan it was that let the connection be.
const OF_PLAN: u32 = 0xfc00_0000;
/// The two directions, as nftables names them. Both ends of a connection on loopback are here, and what one of them may
/// says nothing of the other.
const DIRECTIONS: [(&str, u32); 2] = [("original", 0x0100_0000), ("reply", 0x0200_0000)];

/// The mark of one plan: who was free under another may be locked in now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(u32);

impl Mark {
    pub(crate) fn of(plan: &Plan) -> Self {
        let uids = plan.uids().iter().map(|range| format!("{}-{}\n", range.first, range.last));
        let text: String = uids.chain(plan.doors().iter().map(|door| format!("{door}\n"))).collect();
        let Digest([first, ..]) = Digest::of("wardkeep/egress-lock-mark/v1", text.as_bytes());
        Self(u32::from(first) << 24 & OF_PLAN)
    }

    /// What sets it. Marks of other plans go.
    pub(crate) fn rules(self) -> impl Iterator<Item = String> {
        let Self(plan) = self;
        let begin =
            format!("ct mark & {OF_PLAN:#010x} != {plan:#010x} ct mark set ct mark & {:#010x} | {plan:#010x}", !OURS);
        let directions = DIRECTIONS.map(|(name, bit)| format!("ct direction {name} ct mark set ct mark | {bit:#010x}"));
        [begin].into_iter().chain(directions)
    }

    /// What asks for it, by direction.
    pub(crate) fn matches(self) -> impl Iterator<Item = String> {
        let Self(plan) = self;
        DIRECTIONS.into_iter().map(move |(name, bit)| {
            format!("ct direction {name} ct mark & {:#010x} == {:#010x}", OF_PLAN | bit, plan | bit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::UidRange;

    #[test]
    fn each_plan_and_each_direction_has_its_own() {
        let door = "127.0.0.1:7400".parse().expect("an address");
        let mark = |uid| Mark::of(&Plan::new(vec![UidRange { first: uid, last: uid }], [door], 999).expect("sound"));
        assert_eq!(mark(998), mark(998));
        assert!(mark(998) != mark(997) && mark(998).0 & !OF_PLAN == 0);
        let asked: Vec<String> = mark(998).matches().collect();
        assert!(asked[0] != asked[1] && asked.iter().all(|rule| !rule.contains("== 0x00000000")), "{asked:?}");
        assert!(mark(998).rules().all(|rule| rule.contains("ct mark set")));
    }
}
