//! What changed, told to whoever looks at a page. Lossy by design: a page that missed something reads the rows again.

use tokio::sync::broadcast;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantId;

/// Changes that a slow listener may be behind before it loses some.
const BACKLOG: usize = 1024;

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The tenant's row, status, certificate or connection.
    Tenant,
    /// An approval came, was decided, or went on.
    Approval(Digest),
    /// New activity rows.
    Activity,
    /// New usage totals.
    Usage,
    /// A policy was published.
    Policy,
    /// A command was given or answered.
    Command,
}

/// One change of one tenant's rows. Carries no data: the listener reads what it may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whose rows.
    pub tenant: TenantId,
    /// Which.
    pub change: Change,
}

/// The broadcast; cheap to clone.
#[derive(Clone, Debug)]
pub struct Events(broadcast::Sender<Event>);

impl Events {
    /// A broadcast without listeners.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "two broadcasts in one process would be a mistake")]
    pub fn new() -> Self {
        Self(broadcast::channel(BACKLOG).0)
    }

    /// Tells everybody who listens now.
    pub fn tell(&self, tenant: TenantId, change: Change) {
        // Nobody listening is fine.
        let _ = self.0.send(Event { tenant, change });
    }

    /// Listens from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }
}
