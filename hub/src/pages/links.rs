//! Every address of the pages, as a type: a template cannot link to a page that does not exist.

use std::fmt;

use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::CommandId;

/// The paths as the router knows them.
pub mod paths {
    /// Leads to the fleet.
    pub const HOME: &str = "/";
    /// All tenants.
    pub const FLEET: &str = "/fleet";
    /// One tenant by name.
    pub const TENANT: &str = "/tenants/{name}";
    /// Pauses, stops or resumes its agents (POST).
    pub const STANDING: &str = "/tenants/{name}/standing";
    /// Takes back what was granted with an approval (POST).
    pub const GRANTS: &str = "/tenants/{name}/grants";
    /// The inbox.
    pub const APPROVALS: &str = "/approvals";
    /// How many approvals wait, as a fragment.
    pub const APPROVALS_COUNT: &str = "/approvals/count";
    /// One approval by digest.
    pub const APPROVAL: &str = "/approvals/{digest}";
    /// Approve or deny it (POST).
    pub const DECISION: &str = "/approvals/{digest}/decision";
    /// Tokens and cost.
    pub const USAGE: &str = "/usage";
    /// A draft of the policy to be reviewed (GET), and asked about (POST).
    pub const POLICY: &str = "/policy";
    /// What servers say of one draft.
    pub const REVIEW: &str = "/policy/reviews/{id}";
    /// The person's own passkeys.
    pub const PASSKEYS: &str = "/passkeys";
    /// Gives one up (POST).
    pub const PASSKEY_REMOVAL: &str = "/passkeys/removal";
    /// How to get a login link; takes one (POST).
    pub const LOGIN: &str = "/login";
    /// The page behind a one-time link.
    pub const LOGIN_TOKEN: &str = "/login/{token}";
    /// Ends the session (POST).
    pub const LOGOUT: &str = "/logout";
    /// Remembers light or dark (POST).
    pub const THEME: &str = "/theme";
    /// The stream of changes.
    pub const EVENTS: &str = "/events";
    /// What the service worker shows without a connection.
    pub const OFFLINE: &str = "/offline";
    /// Embedded files.
    pub const ASSET: &str = "/assets/{file}";
    /// The icon under its fixed name.
    pub const FAVICON: &str = "/favicon.svg";
    /// What a phone reads to install the pages.
    pub const MANIFEST: &str = "/manifest.webmanifest";
    /// The service worker; its place gives it all pages.
    pub const SERVICE_WORKER: &str = "/service-worker.js";
}

/// One address with its parts filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link<'a> {
    /// [`paths::FLEET`].
    Fleet,
    /// [`paths::TENANT`].
    Tenant(&'a str),
    /// [`paths::STANDING`].
    Standing(&'a str),
    /// [`paths::GRANTS`].
    Grants(&'a str),
    /// [`paths::APPROVALS`].
    Approvals,
    /// The inbox after a decision, which it confirms.
    Decided(&'a Digest),
    /// [`paths::APPROVALS_COUNT`].
    ApprovalsCount,
    /// [`paths::APPROVAL`].
    Approval(&'a Digest),
    /// The approval with the reason why a decision was refused.
    Refused(&'a Digest, &'a str),
    /// [`paths::DECISION`].
    Decision(&'a Digest),
    /// [`paths::USAGE`].
    Usage,
    /// [`paths::USAGE`] of one tenant and range, `24h` or `30d`.
    UsageOf(Option<&'a str>, &'a str),
    /// [`paths::POLICY`].
    Policy,
    /// The same, beginning with what is published for that server.
    PolicyOf(&'a str),
    /// [`paths::REVIEW`].
    Review(CommandId),
    /// [`paths::PASSKEYS`].
    Passkeys,
    /// The same after a key was let in, which it confirms.
    Introduced,
    /// [`paths::PASSKEY_REMOVAL`].
    PasskeyRemoval,
    /// [`paths::LOGIN`].
    Login,
    /// [`paths::LOGOUT`].
    Logout,
    /// [`paths::THEME`].
    Theme,
    /// [`paths::EVENTS`].
    Events,
    /// [`paths::MANIFEST`].
    Manifest,
    /// [`paths::FAVICON`].
    Favicon,
    /// [`paths::SERVICE_WORKER`].
    ServiceWorker,
}

impl fmt::Display for Link<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fleet => f.write_str(paths::FLEET),
            Self::Tenant(name) => write!(f, "/tenants/{name}"),
            Self::Standing(name) => write!(f, "/tenants/{name}/standing"),
            Self::Grants(name) => write!(f, "/tenants/{name}/grants"),
            Self::Approvals => f.write_str(paths::APPROVALS),
            Self::Decided(digest) => write!(f, "/approvals?decided={digest}"),
            Self::ApprovalsCount => f.write_str(paths::APPROVALS_COUNT),
            Self::Approval(digest) => write!(f, "/approvals/{digest}"),
            Self::Refused(digest, why) => write!(f, "/approvals/{digest}?refused={why}"),
            Self::Decision(digest) => write!(f, "/approvals/{digest}/decision"),
            Self::Usage => f.write_str(paths::USAGE),
            Self::UsageOf(None, range) => write!(f, "/usage?range={range}"),
            Self::UsageOf(Some(tenant), range) => write!(f, "/usage?range={range}&tenant={tenant}"),
            Self::Policy => f.write_str(paths::POLICY),
            Self::PolicyOf(name) => write!(f, "{}?of={name}", paths::POLICY),
            Self::Review(id) => write!(f, "/policy/reviews/{id}"),
            Self::Passkeys => f.write_str(paths::PASSKEYS),
            Self::Introduced => write!(f, "{}?introduced=1", paths::PASSKEYS),
            Self::PasskeyRemoval => f.write_str(paths::PASSKEY_REMOVAL),
            Self::Login => f.write_str(paths::LOGIN),
            Self::Logout => f.write_str(paths::LOGOUT),
            Self::Theme => f.write_str(paths::THEME),
            Self::Events => f.write_str(paths::EVENTS),
            Self::Manifest => f.write_str(paths::MANIFEST),
            Self::Favicon => f.write_str(paths::FAVICON),
            Self::ServiceWorker => f.write_str(paths::SERVICE_WORKER),
        }
    }
}
