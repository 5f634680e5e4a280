//! What can go wrong, by door: opening the vault, and using it.

use std::path::PathBuf;

use wardkeep_proto::ids::SecretName;

use crate::key::KeyError;
use crate::vault::{MAX_BYTES, MIN_BYTES, MIN_BYTES_BESIDE, MIN_DIFFERENT};

/// Why there is no open vault. There is never an empty one instead.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No file there.
    #[error("there is no vault at {0}; make one with `wardkeep-agent vault init`")]
    NotFound(PathBuf),
    /// A vault is never overwritten.
    #[error("a vault already exists at {0}; nothing was changed, see `wardkeep-agent vault list`")]
    Exists(PathBuf),
    /// Neither a key nor the recipe of one is there.
    #[error(
        "neither the vault key {key} nor {recipe} is there; where the vault's owner has a passphrase, restore {recipe} from \
         the backup of the vault (without it no passphrase opens it), otherwise restore the key, or check [vault] in the \
         configuration", key = .key.display(), recipe = .recipe.display()
    )]
    NoKey {
        /// Where the key would be.
        key: PathBuf,
        /// Where the recipe would be that makes one from a passphrase.
        recipe: PathBuf,
    },
    /// The main file is gone but something of it is there.
    #[error("{0} is left from a vault whose main file is gone; restore that file, or move this one away")]
    Leftover(PathBuf),
    /// Another process is at it.
    #[error("another process is using {0}; try again when it has finished")]
    Busy(PathBuf),
    /// The file was made with another key.
    #[error("the key does not belong to the vault {0}; check [vault] in the configuration, or restore the right key")]
    WrongKey(PathBuf),
    /// It opens with its owner's passphrase, and nobody has given it.
    #[error(
        "the vault {0} opens with its owner's passphrase; give it to the daemon with `wardkeep-agent vault unlock`"
    )]
    NeedsPassphrase(PathBuf),
    /// Another passphrase made this key.
    #[error("this is not the passphrase of the vault {0}; try again")]
    WrongPassphrase(PathBuf),
    /// The new key is the old one.
    #[error("the vault {0} has this key already; give it another one")]
    SameKey(PathBuf),
    /// The key is right, but the file is damaged or was changed.
    #[error("the vault {0} is damaged or was tampered with; restore it from its backup")]
    Tampered(PathBuf),
    /// Written by a later build.
    #[error("the vault has schema {found}, this build knows {known}; install the newer version again")]
    NewerSchema {
        /// In the file.
        found: i64,
        /// Of this build.
        known: i64,
    },
    /// Built against an SQLite that can damage files.
    #[error("this build carries an SQLite older than 3.51.3, which can damage files; rebuild it")]
    OldSqlite,
    /// No key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The system refused.
    #[error("the vault {path} cannot be read or written", path = .path.display())]
    Io {
        /// The vault.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("the vault's database refused")]
    Sql(#[source] rusqlite::Error),
}

/// Why an open vault did not do what was asked. Never contains a value.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// Too short to be looked for everywhere.
    #[error(
        "the value of {0} is shorter than {MIN_BYTES} bytes; masking it everywhere would destroy ordinary text: choose a \
         longer one, or name words that stand before it with `--context KEYWORD`"
    )]
    TooShort(SecretName),
    /// Too short even beside a keyword.
    #[error(
        "the value of {0} is shorter than {MIN_BYTES_BESIDE} bytes; no context makes that safe, choose a longer one"
    )]
    TooShortBeside(SecretName),
    /// Longer than 64 KiB.
    #[error("the value of {0} is longer than {MAX_BYTES} bytes; store the key, not the file it opens")]
    TooLong(SecretName),
    /// Too few different characters.
    #[error(
        "the value of {0} has fewer than {MIN_DIFFERENT} different characters; masking it everywhere would destroy ordinary \
         text: choose another one, or name words that stand before it with `--context KEYWORD`"
    )]
    TooSimple(SecretName),
    /// A zero byte cannot be put into an environment or a header.
    #[error("the value of {0} contains a zero byte")]
    ZeroByte(SecretName),
    /// No such secret.
    #[error("no secret is named {0}; see `wardkeep-agent vault list`")]
    Unknown(SecretName),
    /// The keywords of a context are not what they must be.
    #[error(
        "{0:?} is no context; write one to eight keywords of 3 to 32 letters, digits, - or _, with commas between them"
    )]
    Context(String),
    /// Not a moment in the future.
    #[error(
        "{0:?} is no end; write a date to come (2027-01-31), a time (2027-01-31T12:00:00Z), a span (90d, 12h, 2w) or never"
    )]
    When(String),
    /// The vault has another file now.
    #[error("the vault was given another key or replaced meanwhile; run this again")]
    Replaced,
    /// Somebody writes for too long.
    #[error("another process is writing into the vault; try again when it has finished")]
    Busy,
    /// SQLite refused.
    #[error("the vault's database refused")]
    Sql(#[source] rusqlite::Error),
}

impl From<rusqlite::Error> for VaultError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => Self::Busy,
            _ => Self::Sql(error),
        }
    }
}
