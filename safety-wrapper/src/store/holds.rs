//! Rows of what holds agents.

use rusqlite::{Connection, params};
use wardkeep_proto::time::Timestamp;
use wardkeep_proto::whom::Whom;

use super::{StoreError, Tx};
use crate::halt::{Hold, Holder, Standing, may};

/// Writes a hold, over the one in the same name.
pub(crate) fn put(tx: &Tx<'_>, hold: &Hold) -> Result<(), StoreError> {
    let Hold { whom, holder, standing, by, reason, since } = hold;
    tx.prepare_cached(
        "INSERT INTO holds (whom, holder, standing, by, reason, since) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (whom, holder) DO UPDATE SET standing = ?3, by = ?4, reason = ?5, since = ?6",
    )?
    .execute(params![whom.as_str(), holder.as_str(), standing.as_str(), by, reason, since.0])?;
    Ok(())
}

/// Takes away what `who` may let go of `whom`; gives how many. What people denied to them is forgotten.
pub(crate) fn release(tx: &Tx<'_>, whom: &Whom, who: Holder) -> Result<usize, StoreError> {
    tx.prepare_cached("DELETE FROM denials WHERE agent = ?1 OR ?1 = '*'")?.execute([whom.as_str()])?;
    let mut gone = 0;
    for holder in Holder::ALL.into_iter().filter(|holder| may(who, *holder, Standing::Free)) {
        gone += tx
            .prepare_cached("DELETE FROM holds WHERE whom = ?1 AND holder = ?2")?
            .execute([whom.as_str(), holder.as_str()])?;
    }
    Ok(gone)
}

/// Every hold.
pub(crate) fn all(conn: &Connection) -> Result<Vec<Hold>, StoreError> {
    const BAD: StoreError = StoreError::corrupt("holds");
    let mut statement =
        conn.prepare_cached("SELECT whom, holder, standing, by, reason, since FROM holds ORDER BY whom, holder")?;
    let mut rows = statement.query([])?;
    let mut holds = Vec::new();
    while let Some(row) = rows.next()? {
        let text = |column| row.get::<_, String>(column);
        holds.push(Hold {
            whom: text(0)?.parse().map_err(|_| BAD)?,
            holder: Holder::named(&text(1)?).ok_or(BAD)?,
            standing: Standing::named(&text(2)?).ok_or(BAD)?,
            by: text(3)?,
            reason: text(4)?,
            since: Timestamp(row.get(5)?),
        });
    }
    Ok(holds)
}
