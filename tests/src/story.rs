//! The story that the demo plays and that crash and promise tests attack: one small business, one agent, one morning.
//!
//! * [`agent`]: the agent program, a loop over a model and the hook API.
//! * [`business`]: the workspace, the task, the planted secrets, the script of the simulated model.
//! * [`stage`]: hub, daemon, simulators and agent as real processes, started, killed and started again.
//! * [`playbook`]: a model that does what a scene has written for it.
//! * [`plot`]: what happens, and what must be true afterwards.
//! * [`evidence`]: what can be seen afterwards of a runtime at work.
//! * [`hooks`]: the hook API without patience, for attackers.
//! * [`capture`]: what left the daemon, by the way it took.
//! * [`disguise`]: ways to write a value so that it does not look like itself.
//! * [`people`]: the customer who decides, through the hub's API.
//! * [`seeded`]: chance that can be had again.
//! * [`valuables`]: what else a business keeps in its vault.
//! * [`wiretap`]: relays that keep what leaves the daemon's sockets.
//! * [`search`]: every form of a planted secret, looked for in everything that left the vault.

pub mod agent;
pub mod business;
pub mod capture;
pub mod disguise;
pub mod evidence;
pub mod hooks;
pub mod people;
pub mod playbook;
pub mod plot;
pub mod search;
pub mod seeded;
pub mod stage;
pub mod valuables;
pub mod wiretap;
