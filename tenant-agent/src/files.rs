//! File descriptors: as many as the daemon may have, and as few as usual for the programs that it starts.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What programs expect: some close all that there could be, some put each into a table of this size.
const USUAL: u64 = 1024;

/// Lets this process have as many as the system allows.
pub fn raise() {
    let limit = getrlimit(Resource::Nofile);
    // A limit that stays is seen by `connections`.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Undoes [`raise`] in a process that the daemon has started.
pub fn lower() {
    let limit = getrlimit(Resource::Nofile);
    let usual = limit.maximum.map_or(USUAL, |most| most.min(USUAL));
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(usual), ..limit });
}

/// How many connections the gateway may accept, of those that the operator wants: three quarters of what this process may
/// have, so that databases, runs and the other ports never go without.
#[must_use]
pub fn connections(wanted: usize) -> usize {
    let fit = fitting(wanted, getrlimit(Resource::Nofile).current);
    if fit < wanted {
        tracing::warn!(
            wanted,
            accepted = fit,
            "too few file descriptors for the connections of the LLM gateway; raise LimitNOFILE of the unit, or the hard \
             limit of open files, to twice that number"
        );
    }
    fit
}

fn fitting(wanted: usize, limit: Option<u64>) -> usize {
    let most = limit.map_or(usize::MAX, |limit| usize::try_from(limit / 4 * 3).unwrap_or(usize::MAX));
    wanted.min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_rest() {
        for (wanted, limit, accepted) in [
            (12_288, None, 12_288),
            (12_288, Some(65_536), 12_288),
            (12_288, Some(4_096), 3_072),
            (100, Some(1_024), 100),
        ] {
            assert_eq!(fitting(wanted, limit), accepted, "{wanted} {limit:?}");
        }
    }
}
