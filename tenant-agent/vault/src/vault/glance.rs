//! One look at the file for all that a request asks of it.

use std::time::Instant;

use wardkeep_proto::ids::SecretName;
use wardkeep_proto::secret::{Destination, NotGiven, SecretValue};

use super::calm::{Calm, Given, Look};
use super::{Vault, rows};
use crate::error::VaultError;

/// How the file of a vault looked at one moment, and what it counted then.
#[derive(Clone, Copy, Debug)]
pub struct Glance {
    look: Look,
    generation: u64,
}

impl Glance {
    /// Counts every change of values and bindings.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }
}

impl Vault {
    /// Counts every change of values and bindings, also those of other processes: poll it to know when to read
    /// [`every_value`](wardkeep_proto::secret::SecretSource::every_value) again.
    ///
    /// # Errors
    /// [`VaultError::Replaced`] when the vault has another file now, or SQLite refused.
    pub fn generation(&self) -> Result<u64, VaultError> {
        Ok(self.glance()?.generation)
    }

    /// As [`Self::generation`], for [`Self::remembered`].
    ///
    /// # Errors
    /// As [`Self::generation`].
    pub fn glance(&self) -> Result<Glance, VaultError> {
        let count = || {
            let db = self.lock();
            let count = db.prepare_cached("SELECT generation FROM meta")?.query_row([], |row| row.get::<_, i64>(0))?;
            Ok(u64::try_from(count).unwrap_or(0))
        };
        let (look, generation) = self.calmly(|known| &mut known.generation, count)?;
        Ok(Glance { look, generation })
    }

    /// The random name of this vault and the number of the last row of its journal; 0 for none. Numbers count within the name.
    ///
    /// # Errors
    /// As [`Self::generation`].
    pub fn journal_head(&self) -> Result<(String, u64), VaultError> {
        let (_, head) = self.calmly(|known| &mut known.journal, || Ok((self.id()?, self.last_change()?)))?;
        Ok(head)
    }

    /// What `read` gives, from memory while nobody writes the file; and how the file looked.
    fn calmly<T: Clone>(
        &self,
        place: impl Fn(&mut Calm) -> &mut Option<T>,
        read: impl FnOnce() -> Result<T, VaultError>,
    ) -> Result<(Look, T), VaultError> {
        let look = Look::at(&self.path).filter(|look| self.file.is(look.file())).ok_or(VaultError::Replaced)?;
        let calm = {
            let mut known = self.calm();
            let calm = known.look(look, Instant::now());
            if let Some(found) = place(&mut known).as_ref().filter(|_| calm) {
                return Ok((look, found.clone()));
            }
            calm
        };
        let found = read()?;
        if calm {
            self.keep(look, |known| *place(known) = Some(found.clone()));
        }
        Ok((look, found))
    }

    /// As [`resolve`](wardkeep_proto::secret::SecretSource::resolve), of what is in memory since before `glance` and was true
    /// then; `None` where the file has to be asked.
    #[must_use]
    pub fn remembered(
        &self,
        glance: &Glance,
        name: &SecretName,
        to: Destination<'_>,
    ) -> Option<Result<SecretValue, NotGiven>> {
        let calm = self.calm();
        let given = calm.given.get(name).filter(|_| calm.is(glance.look))?;
        Some(self.give(name, Some(given), to))
    }

    /// What may be given of `name`, from memory while nobody writes the file.
    pub(super) fn given(&self, name: &SecretName) -> Result<Option<Given>, VaultError> {
        let calm = Look::at(&self.path).filter(|look| self.calm().look(*look, Instant::now()));
        if let Some(given) = self.calm().given.get(name).filter(|_| calm.is_some()) {
            return Ok(Some(given.clone()));
        }
        let given = rows::present(&self.lock(), name)?;
        let given = given.map(|(value, expires, bindings)| Given { value, expires, bindings });
        if let (Some(look), Some(given)) = (calm, given.clone()) {
            self.keep(look, |known| drop(known.given.insert(name.clone(), given)));
        }
        Ok(given)
    }

    /// Gives the value if it may go `to` there, and notes that it was used.
    pub(super) fn give(
        &self,
        name: &SecretName,
        given: Option<&Given>,
        to: Destination<'_>,
    ) -> Result<SecretValue, NotGiven> {
        let now = self.clock.now();
        let Given { value, expires, bindings } = given.ok_or_else(|| NotGiven::Unknown(name.clone()))?;
        if !bindings.allow(to) {
            return Err(NotGiven::not_bound(name, to));
        }
        if let Some(at) = expires.filter(|at| *at <= now) {
            return Err(NotGiven::Expired { name: name.clone(), at });
        }
        let mut used = self.used();
        match used.pending.get_mut(name) {
            Some(last) => *last = now,
            None => drop(used.pending.insert(name.clone(), now)),
        }
        drop(used);
        Ok(value.clone())
    }

    /// Keeps what was read since the file had this look, unless it was written meanwhile.
    fn keep(&self, look: Look, what: impl FnOnce(&mut Calm)) {
        let now = Look::at(&self.path);
        let mut calm = self.calm();
        if now == Some(look) && calm.is(look) {
            what(&mut calm);
        }
    }
}
