//! Values of a row, the same for every database.

use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{CommandId, OrganisationId, TenantId, UserId};
use wardkeep_proto::time::Timestamp;

use super::StoreError;

/// What a column holds. BIGINT, TEXT and BLOB are all that the schema uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

macro_rules! text_values {
    ($($kind:ty),+) => {$(
        impl From<$kind> for Value {
            fn from(value: $kind) -> Self {
                Self::Text(value.to_string())
            }
        }

        impl FromValue for $kind {
            fn from_value(value: Value) -> Option<Self> {
                match value {
                    Value::Text(text) => text.parse().ok(),
                    _ => None,
                }
            }
        }
    )+};
}

text_values!(Digest, TenantId, UserId, OrganisationId, CommandId);

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

/// Counts are bounded where they come in; the far end of the column is the far end of counting.
impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::Int(value.millis())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Blob(value)
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Blob(value.to_vec())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A domain value out of a column; `None` when the column holds something else.
pub(crate) trait FromValue: Sized {
    fn from_value(value: Value) -> Option<Self>;
}

impl FromValue for i64 {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Int(int) => Some(int),
            _ => None,
        }
    }
}

impl FromValue for u64 {
    fn from_value(value: Value) -> Option<Self> {
        i64::from_value(value).and_then(|int| Self::try_from(int).ok())
    }
}

impl FromValue for bool {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Int(0) => Some(false),
            Value::Int(1) => Some(true),
            _ => None,
        }
    }
}

impl FromValue for Timestamp {
    fn from_value(value: Value) -> Option<Self> {
        i64::from_value(value).map(Timestamp)
    }
}

impl FromValue for String {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Blob(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            other => T::from_value(other).map(Some),
        }
    }
}

/// One row; columns are taken from left to right.
#[derive(Debug)]
pub(crate) struct Row {
    query: &'static str,
    columns: std::vec::IntoIter<Value>,
}

impl Row {
    pub(crate) fn new(query: &'static str, columns: Vec<Value>) -> Self {
        Self { query, columns: columns.into_iter() }
    }

    /// What finds the row again: the text and the numbers among its first two columns. Before any is taken.
    pub(crate) fn key(&self) -> String {
        let parts = self.columns.as_slice().iter().take(2).filter_map(|value| match value {
            Value::Text(text) => Some(text.chars().take(80).collect()),
            Value::Int(int) => Some(int.to_string()),
            Value::Null | Value::Blob(_) => None,
        });
        parts.collect::<Vec<String>>().join(" ")
    }

    /// The next column as a domain value.
    pub(crate) fn next<T: FromValue>(&mut self) -> Result<T, StoreError> {
        self.columns.next().and_then(T::from_value).ok_or(StoreError::Row { query: self.query })
    }

    /// A row that does not mean what it should.
    pub(crate) fn wrong(&self) -> StoreError {
        StoreError::Row { query: self.query }
    }
}

/// Parameters `$1`, `$2`, … of one statement.
macro_rules! args {
    ($($value:expr),* $(,)?) => { &[$($crate::store::value::Value::from($value)),*] };
}
pub(crate) use args;
