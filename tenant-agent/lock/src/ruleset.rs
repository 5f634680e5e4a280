//! The rules as nftables reads them: one pure function.
//!
//! Rules hang on the output of this machine and judge by the user whose socket sends. A packet of a locked user passes
//! when it goes to a door on loopback, or when it answers somebody on loopback; all else is counted, noted with its
//! destination, and refused. It does not matter what it is: TCP, UDP and with it DNS and QUIC, ICMP, raw IP, multicast,
//! IPv4 or IPv6.
//!
//! A TCP connection outlives its socket: what was written is sent after `close`, by nobody. The kernel no longer knows
//! whose it was, so the rules do: what a socket with a user may send leaves a [`mark`](Mark) at its connection, for its
//! direction, and what has no user passes only where that mark is. A connection from before the lock has none.

use std::fmt::Write as _;

use crate::mark::Mark;
use crate::plan::{NOBODY, Plan};

/// Family and name of our table. Nobody else's rules stand in it, so it can be replaced whole.
pub const TABLE: [&str; 2] = ["inet", "wardkeep"];

const COUNTERS: [&str; 4] = ["passed", "denied", "denied_dns", "unowned"];
/// Destinations that are remembered in one set, and how long after the last try.
const REMEMBERED: &str = "size 4096\n\t\tflags dynamic,timeout\n\t\ttimeout 1h";
/// Protocols whose packets carry a destination port where TCP has it.
const WITH_PORTS: &str = "{ tcp, udp, dccp, sctp, udplite }";
/// Protocols that send for a socket after it was closed.
const OUTLIVING: &str = "{ tcp, sctp }";
/// The first packet of a connection that this machine opens.
const FIRST: &str = "output tcp flags & (syn | ack) == syn";
const FAMILIES: [(&str, &str); 2] = [("4", "ip"), ("6", "ip6")];

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
        let key = format!("ipv{version}_addr . inet_proto . inet_service");
        let _ = writeln!(text, "\tset unowned{version} {{\n\t\ttype {key}\n\t\t{REMEMBERED}\n\t}}");
    }
    text.push_str("\tchain may {\n\t}\n\tchain agent {\n\t}\n\tchain output {\n");
    text.push_str("\t\ttype filter hook output priority 0; policy accept;\n\t}\n}\n");
    text.push_str("flush chain inet wardkeep output\nflush chain inet wardkeep agent\nflush chain inet wardkeep may\n");
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
    let mark = Mark::of(plan);
    let mut rules: Vec<String> = plan
        .uids()
        .iter()
        .map(|range| match range.first == range.last {
            true => format!("output meta skuid {} jump agent", range.first),
            false => format!("output meta skuid {}-{} jump agent", range.first, range.last),
        })
        .collect();
    rules.extend(of_all_others(mark));
    rules.extend(plan.doors().iter().map(|door| {
        let (ip, address, port) = (if door.is_ipv4() { "ip" } else { "ip6" }, door.ip(), door.port());
        format!("agent oifname \"lo\" {ip} daddr {address} tcp dport {port} counter name passed goto may")
    }));
    // Only answers on loopback: one to another machine would be a way out.
    rules.push("agent oifname \"lo\" ct direction reply ct state established goto may".to_owned());
    rules.push("agent counter name denied".to_owned());
    rules.push("agent meta l4proto { tcp, udp } th dport { 53, 853 } counter name denied_dns".to_owned());
    for (version, ip) in FAMILIES {
        let (of, key) = (
            format!("agent meta nfproto ipv{version} meta l4proto"),
            format!("meta skuid . {ip} daddr . meta l4proto"),
        );
        rules.push(format!("{of} {WITH_PORTS} update @tried{version} {{ {key} . th dport counter }}"));
        rules.push(format!("{of} != {WITH_PORTS} update @others{version} {{ {key} counter }}"));
    }
    // What is in the middle of a connection ends it, and with it all that waits to be sent.
    rules.push("agent tcp flags & syn == 0 reject with tcp reset".to_owned());
    rules.push("agent reject with icmpx type admin-prohibited".to_owned());
    rules.extend(mark.rules().map(|rule| format!("may {rule}")));
    rules.push("may accept".to_owned());
    rules
}

/// Everybody else, and nobody.
fn of_all_others(mark: Mark) -> Vec<String> {
    let mut rules = vec![format!("output meta l4proto != {OUTLIVING} accept")];
    rules.extend(mark.matches().map(|matches| format!("output {matches} accept")));
    // Any user: a packet without one matches no test of it, this one included.
    rules.push(format!("output meta skuid != {NOBODY} goto may"));
    // The kernel's own: it says that nobody is there, and carries nothing.
    rules.push("output tcp flags & rst == rst accept".to_owned());
    // Connections that the kernel itself opens (a mounted share). No socket that somebody closed opens one; the two options
    // stand for connections that the kernel opens for somebody, MPTCP and SMC: the first are marked once they have a user.
    rules.push(format!("{FIRST} tcp option 254 missing tcp option mptcp missing goto may"));
    rules.push(format!("{FIRST} tcp option 254 missing accept"));
    // Servers within the kernel, at ports that ask for privileges.
    rules.push("output tcp flags & (syn | ack) == (syn | ack) tcp sport < 1024 goto may".to_owned());
    // Sent before there is a connection of anybody.
    rules.push("output sctp chunk init-ack exists accept".to_owned());
    rules.push("output counter name unowned".to_owned());
    for (version, ip) in FAMILIES {
        let key = format!("{ip} daddr . meta l4proto . th dport");
        rules.push(format!("output meta nfproto ipv{version} update @unowned{version} {{ {key} counter }}"));
    }
    rules.push("output meta l4proto tcp reject with tcp reset".to_owned());
    rules.push("output reject with icmpx type admin-prohibited".to_owned());
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
