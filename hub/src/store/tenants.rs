//! Customers' servers: the row a person made, joined with what the server last said.

use wardkeep_proto::ids::{OrganisationId, TenantId, TenantName};
use wardkeep_proto::limits::OFFLINE_AFTER;
use wardkeep_proto::time::Timestamp;

use super::status::Status;
use super::value::{Row, args};
use super::{Caller, Store, StoreError, asked_by, visible};

/// One customer's server as the hub knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its id, for ever.
    pub id: TenantId,
    /// Its name, unique on this hub.
    pub name: TenantName,
    /// Whose it is.
    pub organisation: OrganisationId,
    /// Name of that organisation.
    pub organisation_name: String,
    /// When a person added it.
    pub created: Timestamp,
    /// When its daemon enrolled; `None` before.
    pub enrolled: Option<Timestamp>,
    /// Newest published policy version: what it should run.
    pub desired_generation: Option<u64>,
    /// Approvals that wait for a person, by the hub's own count.
    pub waiting: u64,
    /// What it last said; `None` before the first word.
    pub status: Option<Status>,
}

/// How a tenant stands, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Added, never enrolled.
    New,
    /// Enrolled; not heard from for a while.
    Offline,
    /// Heard from within the last 90 seconds.
    Online,
}

impl Standing {
    /// One lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Offline => "offline",
            Self::Online => "online",
        }
    }
}

impl Tenant {
    /// How it stands now. Derived, never stored: no lost message can leave it wrong for ever.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing {
        match (&self.status, self.enrolled) {
            (Some(status), _) if status.connected && now.since(status.last_seen) < OFFLINE_AFTER => Standing::Online,
            (None, None) => Standing::New,
            _ => Standing::Offline,
        }
    }

    fn of(row: &mut Row) -> Result<Self, StoreError> {
        let name = row.next::<String>()?.parse().map_err(|_| row.wrong())?;
        Ok(Self {
            name,
            id: row.next()?,
            organisation: row.next()?,
            organisation_name: row.next()?,
            created: row.next()?,
            enrolled: row.next()?,
            desired_generation: row.next()?,
            waiting: row.next()?,
            status: Status::of(row)?,
        })
    }
}

macro_rules! select_tenant {
    ($rest:literal) => {
        concat!(
            "SELECT t.name, t.id, t.organisation_id, o.name, t.created_ms, t.enrolled_ms, \
             (SELECT MAX(p.version) FROM policies p WHERE p.tenant_id = t.id), \
             (SELECT COUNT(*) FROM approvals a WHERE a.tenant_id = t.id AND a.state = 'pending' AND a.approve_by_ms > $3), \
             s.last_seen_ms, s.connected, s.epoch, s.agent_version, s.hostname, s.started_ms, s.generation, \
             s.refused_generation, s.refused_reason, s.closed, s.agents, s.audit_length, s.audit_head, s.open_approvals, \
             s.memory_bytes, s.clock_skew_ms, s.passkeys, s.keys_version, s.grants \
             FROM tenants t JOIN organisations o ON o.id = t.organisation_id \
             LEFT JOIN tenant_status s ON s.tenant_id = t.id WHERE ",
            visible!("t.id"),
            $rest
        )
    };
}

/// Why a tenant could not be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tenant of this name exists; choose another name or use `wardkeep-hub token enrol NAME`")]
pub struct NameTaken;

impl Store {
    /// Adds a tenant to an organisation.
    ///
    /// # Errors
    /// [`StoreError`]; inside, [`NameTaken`].
    pub async fn add_tenant(
        &self,
        organisation: OrganisationId,
        id: TenantId,
        name: &TenantName,
        now: Timestamp,
    ) -> Result<Result<(), NameTaken>, StoreError> {
        let (name, origin) = (name.to_string(), self.origin.clone());
        self.db
            .run_tx("add_tenant", move |tx| {
                let added = tx.execute(
                    "INSERT INTO tenants (id, organisation_id, name, created_ms, epoch) VALUES ($1, $2, $3, $4, 0) \
                     ON CONFLICT (name) DO NOTHING",
                    args![id, organisation, name, now],
                )?;
                super::changes::note(tx, &origin, "tenant", Some(id), now)?;
                Ok(if added == 1 { Ok(()) } else { Err(NameTaken) })
            })
            .await
    }

    /// The tenants that `caller` may see, by name, after the name `after`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tenants(
        &self,
        caller: &Caller,
        after: Option<&TenantName>,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<Tenant>, StoreError> {
        let (caller, after) = (*caller, after.map(ToString::to_string).unwrap_or_default());
        self.db
            .read("tenants", move |tx| {
                let rows = tx.query(
                    select_tenant!(" AND t.name > $4 ORDER BY t.name LIMIT $5"),
                    asked_by![caller, now, after, i64::from(limit)],
                )?;
                rows.into_iter().map(|mut row| Tenant::of(&mut row)).collect()
            })
            .await
    }

    /// One tenant, if `caller` may see it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tenant(&self, caller: &Caller, id: TenantId, now: Timestamp) -> Result<Option<Tenant>, StoreError> {
        let caller = *caller;
        self.db
            .read("tenant", move |tx| {
                let row = tx.first(select_tenant!(" AND t.id = $4"), asked_by![caller, now, id])?;
                row.map(|mut row| Tenant::of(&mut row)).transpose()
            })
            .await
    }

    /// One tenant by name, if `caller` may see it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tenant_named(
        &self,
        caller: &Caller,
        name: &TenantName,
        now: Timestamp,
    ) -> Result<Option<Tenant>, StoreError> {
        let (caller, name) = (*caller, name.to_string());
        self.db
            .read("tenant_named", move |tx| {
                let row = tx.first(select_tenant!(" AND t.name = $4"), asked_by![caller, now, name])?;
                row.map(|mut row| Tenant::of(&mut row)).transpose()
            })
            .await
    }
}
