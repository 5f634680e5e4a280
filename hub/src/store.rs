//! The hub's rows: one file per aggregate, one adapter below them.
//!
//! Who asks is the first argument of everything that belongs to a tenant, and rows of other tenants do not exist for
//! that caller: "not found" and "not yours" are the same answer.

pub mod activity;
pub mod approvals;
pub mod audit;
pub mod changes;
pub mod commands;
#[cfg(test)]
pub(crate) mod conformance;
pub mod db;
pub mod enrolment;
pub mod keys;
mod odd;
pub mod organisations;
pub mod passkeys;
pub mod policies;
pub mod status;
pub mod stir;
pub mod tenants;
pub mod usage;
pub mod users;
pub(crate) mod value;

use std::path::PathBuf;

use wardkeep_proto::ids::{TenantId, UserId};

pub use db::Db;
use value::Value;

/// Who asks for rows; decides which exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A daemon, named by its certificate: its own rows only.
    Tenant(TenantId),
    /// A signed-in person: the tenants of own organisations only.
    User(UserId),
    /// Whoever runs the hub: everything.
    Operator,
}

impl Caller {
    fn kind(&self) -> Value {
        Value::from(match self {
            Self::Tenant(_) => "tenant",
            Self::User(_) => "user",
            Self::Operator => "operator",
        })
    }

    fn id(&self) -> Value {
        match self {
            Self::Tenant(id) => Value::from(*id),
            Self::User(id) => Value::from(*id),
            Self::Operator => Value::from(""),
        }
    }
}

/// The condition that hides rows of other tenants. `$1` and `$2` of the statement are the caller's kind and id.
macro_rules! visible {
    ($column:literal) => {
        concat!(
            "($1 = 'operator' OR ($1 = 'tenant' AND ",
            $column,
            " = $2) OR ($1 = 'user' AND ",
            $column,
            " IN (SELECT vt.id FROM tenants vt JOIN members vm ON vm.organisation_id = vt.organisation_id WHERE vm.user_id = $2)))"
        )
    };
}
pub(crate) use visible;

/// Parameters of a statement with [`visible!`]: the caller, then the rest from `$3` on.
macro_rules! asked_by {
    ($caller:expr $(, $value:expr)* $(,)?) => { &[$caller.kind(), $caller.id() $(, $crate::store::value::Value::from($value))*] };
}
pub(crate) use asked_by;

/// Everything the hub remembers; cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
    /// Names this process in `changes`, so that it does not hear itself.
    origin: std::sync::Arc<str>,
    odd: odd::OddRows,
}

impl Store {
    /// A store over an open database. `origin` names this process among those that share the database.
    #[must_use]
    pub fn new(db: Db, origin: &str) -> Self {
        Self { db, origin: origin.into(), odd: odd::OddRows::default() }
    }
}

/// The database did not do it. Nothing was changed, except after [`StoreError::Stopped`], when that is not known.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The library is too old to be safe.
    #[error("SQLite {found} can corrupt a database in WAL mode; 3.51.3 or newer is needed")]
    OldSqlite {
        /// What is linked.
        found: String,
    },
    /// A newer hub has used this database.
    #[error("{path}: schema {found} is newer than this program ({known}); start the newer wardkeep-hub")]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Number in the file.
        found: usize,
        /// Newest number known here.
        known: usize,
    },
    /// The file cannot be opened or brought up to date.
    #[error("{path}: the database cannot be opened")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// No thread for the database.
    #[error("{path}: no thread for the database")]
    Thread {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A statement failed.
    #[error("the database refused {query:?}")]
    Statement {
        /// The beginning of its text.
        query: String,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// The commit that others shared failed.
    #[error("the database did not commit: {0}")]
    NotCommitted(String),
    /// A row does not mean what it should: another program wrote it, or the file is damaged.
    #[error("a row of {query:?} cannot be understood")]
    Row {
        /// The statement.
        query: &'static str,
    },
    /// The database is closing or cannot begin a transaction.
    #[error("the database does not answer; look for a full disk or a stopping hub")]
    Stopped,
}

impl StoreError {
    fn open(path: &std::path::Path, source: rusqlite::Error) -> Self {
        Self::Open { path: path.to_owned(), source }
    }

    fn statement(sql: &str, source: rusqlite::Error) -> Self {
        Self::Statement { query: sql.chars().take(60).collect(), source }
    }

    /// The same failure, told to one more caller.
    fn again(&self) -> Self {
        let source = std::error::Error::source(self).map(|s| format!(": {s}")).unwrap_or_default();
        Self::NotCommitted(format!("{self}{source}"))
    }
}
