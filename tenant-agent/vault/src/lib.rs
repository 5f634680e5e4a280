//! The encrypted vault of one tenant.
//!
//! * **Owns**: the SQLCipher file with the tenant's secrets, their versions and their bindings; its key file.
//! * **Flows through it**: values, in on `set` and `import`, out to gates by [`wardkeep_proto::secret::SecretSource`] when a
//!   binding allows the destination, and as a whole to redaction, rotated ones for a grace period included.
//! * **Never hears of**: HTTP, agents, rules, the hub.

mod binding;
mod import;
mod key;
mod store;
mod vault;

pub use binding::{Binding, Bindings, HostPattern, InvalidBinding};
pub use import::{ImportReport, Skipped};
pub use key::{KeyError, KeySource};
pub use vault::{Entry, GRACE, OpenError, Vault, VaultError};
