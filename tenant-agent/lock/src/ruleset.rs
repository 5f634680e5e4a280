//! The rules as nftables reads them: one pure function.
//!
//! Rules hang on the output of this machine and judge by the user whose socket sends. A packet of a locked user passes
//! when it goes to a door on loopback, or when it answers somebody on loopback; all else is counted, noted with its
//! destination, and refused. It does not matter what it is: TCP, UDP and with it DNS and QUIC, ICMP, raw IP, multicast,
//! IPv4 or IPv6.

use std::fmt::Write as _;

use crate::plan::Plan;

/// Family and name of our table. Nobody else's rules stand in it, so it can be replaced whole.
pub const TABLE: [&str; 2] = ["inet", "wardkeep"];

const COUNTERS: [&str; 3] = ["passed", "denied", "denied_dns"];
/// Destinations that are remembered in one set, and how long after the last try.
const REMEMBERED: &str = "size 4096\n\t\tflags dynamic,timeout\n\t\ttimeout 1h";
/// Protocols whose packets carry a destination port where TCP has it.
const WITH_PORTS: &str = "{ tcp, udp, dccp, sctp, udplite }";

/// Makes the rules in place, in one transaction. Counters and noted destinations stay.
///
/// Table and base chain stay, too: the kernel puts a new base chain beside the old one for a moment, and a packet that
/// passes both in that moment is judged by neither. For the same reason no user and no door stands in a set: sets of
/// ranges are filled only after the rules that ask them are in force.
#[must_use]
pub fn text(plan: &Plan) -> String {
    let mut text = String::from("table inet wardkeep {\n");
    for name in COUNTERS {
        let _ = writeln!(text, "\tcounter {name} {{\n\t}}");
    }
    for version in ["4", "6"] {
        let key = format!("uid . ipv{version}_addr . inet_proto");
        let _ = writeln!(text, "\tset tried{version} {{\n\t\ttype {key} . inet_service\n\t\t{REMEMBERED}\n\t}}");
        let _ = writeln!(text, "\tset others{version} {{\n\t\ttype {key}\n\t\t{REMEMBERED}\n\t}}");
    }
    text.push_str("\tchain agent {\n\t}\n\tchain output {\n");
    text.push_str("\t\ttype filter hook output priority 0; policy accept;\n\t}\n}\n");
    text.push_str("flush chain inet wardkeep output\nflush chain inet wardkeep agent\n");
    for rule in rules(plan) {
        let _ = writeln!(text, "add rule inet wardkeep {rule}");
    }
    text
}

/// The same after removing whatever stands there, for a table that somebody changed.
#[must_use]
pub fn anew(plan: &Plan) -> String {
    format!("table inet wardkeep\ndelete table inet wardkeep\n{}", text(plan))
}

fn rules(plan: &Plan) -> Vec<String> {
    let mut rules: Vec<String> = plan
        .uids()
        .iter()
        .map(|range| match range.first == range.last {
            true => format!("output meta skuid {} jump agent", range.first),
            false => format!("output meta skuid {}-{} jump agent", range.first, range.last),
        })
        .collect();
    rules.extend(plan.doors().iter().map(|door| {
        let (ip, address, port) = (if door.is_ipv4() { "ip" } else { "ip6" }, door.ip(), door.port());
        format!("agent oifname \"lo\" {ip} daddr {address} tcp dport {port} counter name passed accept")
    }));
    // Only answers on loopback: one to another machine would be a way out.
    rules.push("agent oifname \"lo\" ct direction reply ct state established accept".to_owned());
    rules.push("agent counter name denied".to_owned());
    rules.push("agent meta l4proto { tcp, udp } th dport { 53, 853 } counter name denied_dns".to_owned());
    for (version, ip) in [("4", "ip"), ("6", "ip6")] {
        let (of, key) = (
            format!("agent meta nfproto ipv{version} meta l4proto"),
            format!("meta skuid . {ip} daddr . meta l4proto"),
        );
        rules.push(format!("{of} {WITH_PORTS} update @tried{version} {{ {key} . th dport counter }}"));
        rules.push(format!("{of} != {WITH_PORTS} update @others{version} {{ {key} counter }}"));
    }
    rules.push("agent reject with icmpx type admin-prohibited".to_owned());
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::UidRange;

    #[test]
    fn the_rules_are_these() {
        let uids = vec![UidRange { first: 100_000, last: 165_535 }, UidRange { first: 998, last: 998 }];
        let doors = ["127.0.0.1:7401", "127.0.0.1:7400", "[::1]:7400"].map(|door| door.parse().expect("an address"));
        let plan = Plan::new(uids, doors, 999).expect("sound");
        assert_eq!(text(&plan), include_str!("ruleset/golden.nft"));
        assert!(anew(&plan).starts_with("table inet wardkeep\ndelete table inet wardkeep\ntable inet wardkeep {\n"));
    }
}
