//! The encrypted vault of one tenant.
//!
//! * **Owns**: the SQLCipher file with the tenant's secrets, their versions, bindings, ends and journal; its key, be it in a
//!   file, in a credential or made from its owner's passphrase; what comes in from and goes out to other password stores.
//! * **Flows through it**: values, in on `set` and `import`, out to gates by [`wardkeep_proto::secret::SecretSource`] when a
//!   binding allows the destination, and as a whole to redaction, rotated ones for a grace period included.
//! * **Never hears of**: HTTP, agents, rules, the hub.

mod binding;
mod error;
mod export;
mod import;
mod journal;
mod key;
mod rekey;
mod schema;
mod seal;
mod store;
mod terms;
mod vault;

pub use binding::{Binding, Bindings, HostPattern, InvalidBinding};
pub use error::{OpenError, VaultError};
pub use export::{ExportError, Opener, Reader, decrypt};
pub use import::{
    Format, Found, IMPORT_BYTES, ImportError, ImportOptions, ImportReport, Item, Skipped, open_bitwarden, read_import,
};
pub use journal::{Change, ChangeKind};
pub use key::{Key, KeyError, KeySource};
pub use rekey::{NewKey, RekeyError, Rekeyed, rekey};
pub use terms::{Context, Terms, expiry};
pub use vault::{Entry, GRACE, Glance, MAX_BYTES, MIN_BYTES, MIN_BYTES_BESIDE, REMIND_DAYS, Vault};
