//! Limits of the wire, the same on both sides.

use std::time::Duration;

/// Lowest protocol version this build speaks.
pub const PROTOCOL_MIN: u32 = 1;
/// Highest protocol version this build speaks.
pub const PROTOCOL_MAX: u32 = 1;
/// Bytes of one message in either direction, before decoding. `OpAMP` allows 64 MiB; nothing here is near 4.
pub const MESSAGE_BYTES: usize = 4 * 1024 * 1024;
/// HTTP/2 PING when the connection is quiet, on both sides: a vanished peer is noticed.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// How long a PING may stay unanswered.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two heartbeats of one tenant.
pub const HEARTBEAT: Duration = Duration::from_secs(30);
/// Without any message for this long (three missed heartbeats) a tenant counts as offline.
pub const OFFLINE_AFTER: Duration = Duration::from_secs(90);
/// An approval can be given for this long at most.
pub const APPROVE_BY: Duration = Duration::from_secs(24 * 60 * 60);
/// An approved call must start within this time.
pub const USE_BY: Duration = Duration::from_secs(15 * 60);
