//! The forward proxy on real sockets: refusals first.

mod harness;
mod hostile;
mod inspected;
mod refusals;
mod secrets;
mod tunnels;
mod websockets;
