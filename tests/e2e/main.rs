//! The installation on a real systemd: Debian in a container, played by `./dev e2e` as root.
//!
//! `pretended_daemon` proves the script and the unit with a small daemon that it can make fail; `enrolment` proves the
//! product: the command that the hub prints, the daemon it installs, the first heartbeat. `runs` proves what holds commands.

mod container;
mod enrolment;
mod pretended_daemon;
mod runs;
mod web;
