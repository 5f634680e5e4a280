//! The crash test's way of dying at a chosen point; debug builds only.

use std::fs::OpenOptions;
use std::path::PathBuf;

use wardkeep_proto::waypoint::{UnknownWaypoint, Waypoint, Waypoints};

/// Kills the process the first time it passes a point; the marker file remembers that it did.
#[derive(Debug)]
pub struct KillAt {
    at: Waypoint,
    marker: PathBuf,
}

/// `WARDKEEP_KILL_AT` is not `<waypoint>:<marker path>`.
#[derive(Debug, thiserror::Error)]
pub enum InvalidKillAt {
    /// No colon.
    #[error("WARDKEEP_KILL_AT must be <waypoint>:<marker path>")]
    Form,
    /// No such point.
    #[error(transparent)]
    Waypoint(#[from] UnknownWaypoint),
}

impl KillAt {
    /// Parses `<waypoint>:<marker path>`.
    ///
    /// # Errors
    /// Both of [`InvalidKillAt`].
    pub fn parse(text: &str) -> Result<Self, InvalidKillAt> {
        let (at, marker) = text.split_once(':').ok_or(InvalidKillAt::Form)?;
        Ok(Self { at: at.parse()?, marker: marker.into() })
    }
}

impl Waypoints for KillAt {
    fn pass(&self, at: Waypoint) {
        // create_new: of two threads that pass at once only one dies with the marker, and a restarted process lives.
        if at != self.at || OpenOptions::new().write(true).create_new(true).open(&self.marker).is_err() {
            return;
        }
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        loop {
            std::thread::park();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_written_form_is_taken() {
        for bad in ["", "call-claimed", "nowhere:/tmp/x"] {
            assert!(KillAt::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(KillAt::parse("call-claimed:/a:b").expect("valid").marker, PathBuf::from("/a:b"));
    }

    #[test]
    fn a_point_passed_before_lets_the_process_live() {
        let dir = tempfile::tempdir().expect("tempdir");
        let marker = dir.path().join("marker");
        std::fs::write(&marker, "").expect("written");
        let kill = KillAt::parse(&format!("call-claimed:{}", marker.display())).expect("valid");
        kill.pass(Waypoint::CallClaimed);
        kill.pass(Waypoint::CallRecorded);
    }
}
