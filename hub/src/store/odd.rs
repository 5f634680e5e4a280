//! Rows that do not mean what they should: another program wrote them, or the file is damaged.
//!
//! A link reads its lists again and again. There one such row must not stop the others, so it is skipped, and told of
//! once, not at each reading.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::StoreError;
use super::value::Row;

/// Rows remembered at most; beyond it they are told of again.
const REMEMBERED: usize = 10_000;

/// Which odd rows the log has; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct OddRows(Arc<Mutex<HashSet<(&'static str, String)>>>);

impl OddRows {
    /// Reads the rows that can be read.
    pub(super) fn skip<T>(
        &self,
        rows: Vec<Row>,
        read: impl Fn(&mut Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        Ok(self.split(rows, read)?.0)
    }

    /// Reads the rows that can be read, and says what finds the others.
    pub(super) fn split<T>(
        &self,
        rows: Vec<Row>,
        read: impl Fn(&mut Row) -> Result<T, StoreError>,
    ) -> Result<(Vec<T>, Vec<String>), StoreError> {
        let (mut good, mut odd) = (Vec::with_capacity(rows.len()), Vec::new());
        for mut row in rows {
            let key = row.key();
            match self.or_nothing(&key, read(&mut row))? {
                Some(value) => good.push(value),
                None => odd.push(key),
            }
        }
        Ok((good, odd))
    }

    /// `None` for a row that cannot be understood; other failures stay failures. `key` is what finds the row.
    pub(super) fn or_nothing<T>(&self, key: &str, read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(StoreError::Row { query }) => {
                if self.is_new(query, key) {
                    tracing::error!(query, row = ?key, "a row cannot be understood and is left out; repair or restore it");
                }
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    fn is_new(&self, query: &'static str, key: &str) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert((query, key.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::Value;
    use super::*;

    fn row(columns: &[Value]) -> Row {
        Row::new("SELECT", columns.to_vec())
    }

    #[test]
    fn an_odd_row_is_left_out_and_any_other_failure_stays_one() {
        let rows = || vec![row(&[Value::Int(1)]), row(&[Value::Null]), row(&[]), row(&[Value::Int(2)])];
        let odd = OddRows::default();
        assert_eq!(odd.skip(rows(), Row::next::<i64>).expect("read"), [1, 2]);
        let failed = odd.skip(rows(), |_| Err::<i64, _>(StoreError::Stopped));
        assert!(matches!(failed, Err(StoreError::Stopped)));
    }

    #[test]
    fn each_odd_row_is_told_of_once() {
        let odd = OddRows::default();
        let keys = ["a", "b", "a", "b"].map(|text| row(&[Value::from(text), Value::Null]).key());
        let told = keys.map(|key| odd.clone().is_new("SELECT", &key));
        assert_eq!(told, [true, true, false, false]);
        assert!(odd.is_new("SELECT other", "a"), "the same key of another list");
    }
}
