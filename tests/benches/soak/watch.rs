//! The daemon from outside: memory, file descriptors, threads, connections, and whether they grow.

use std::fs;
use std::net::SocketAddr;

/// One look.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(crate) struct Look {
    /// Seconds since the load began.
    pub(crate) at: f64,
    /// MiB.
    pub(crate) rss: f64,
    /// MiB of memory that is no file's: heap and stacks.
    pub(crate) heap: f64,
    pub(crate) files: usize,
    pub(crate) threads: usize,
    /// Seconds of processor time so far.
    pub(crate) cpu: f64,
}

pub(crate) fn look(pid: u32, at: f64) -> Look {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name: &str| -> f64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim().trim_end_matches(" kB").trim().parse().unwrap_or_default()
    };
    Look {
        at,
        rss: field("VmRSS:") / 1024.0,
        heap: field("RssAnon:") / 1024.0,
        files: fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count),
        threads: field("Threads:") as usize,
        cpu: crate::process::processor_time(pid),
    }
}

/// Connections that were made to this address and are open or half open.
pub(crate) fn connections(to: SocketAddr) -> usize {
    // With the host: a caller's own port on another address may have the same number.
    let host = match to.ip() {
        std::net::IpAddr::V4(host) => u32::from_le_bytes(host.octets()),
        std::net::IpAddr::V6(_) => 0,
    };
    let address = format!("{host:08X}:{:04X}", to.port());
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    // ESTABLISHED, FIN_WAIT and CLOSE_WAIT of the listening side.
    let counts = |line: &&str| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        fields.next().is_some_and(|local| local == address)
            && matches!(fields.nth(1), Some("01" | "04" | "05" | "08" | "09"))
    };
    table.lines().skip(1).filter(counts).count()
}

/// How a figure moves over the looks: MiB, or whatever it counts, in an hour (least squares), and between the means of the
/// first and the last fifth.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(crate) struct Trend {
    pub(crate) an_hour: f64,
    pub(crate) growth: f64,
    pub(crate) from: f64,
    pub(crate) to: f64,
}

pub(crate) fn trend(looks: &[Look], of: impl Fn(&Look) -> f64) -> Trend {
    let count = looks.len() as f64;
    if looks.len() < 5 {
        return Trend::default();
    }
    let mean = |part: &[Look]| part.iter().map(&of).sum::<f64>() / part.len() as f64;
    let (mid_x, mid_y) = (looks.iter().map(|look| look.at).sum::<f64>() / count, mean(looks));
    let (mut above, mut below) = (0.0, 0.0);
    for look in looks {
        above += (look.at - mid_x) * (of(look) - mid_y);
        below += (look.at - mid_x) * (look.at - mid_x);
    }
    let fifth = looks.len() / 5;
    let (from, to) = (mean(&looks[..fifth]), mean(&looks[looks.len() - fifth..]));
    Trend { an_hour: if below > 0.0 { above / below * 3600.0 } else { 0.0 }, growth: to - from, from, to }
}
