//! The forward proxy on real sockets: refusals first.

mod harness;
mod refusals;
mod tunnels;
