//! The gateway as a whole, over real sockets: an agent on one side, a provider that is a script of bytes on the other.

mod accounts;
mod apis;
mod budgets;
mod crowd;
mod files;
mod gate_memory;
mod harness;
mod holds;
mod hostile;
mod prefix;
mod providers;
mod refusals;
mod relaying;
mod routes;
mod secrets;
mod server_tools;
mod tls;
mod torn;
mod translating;
