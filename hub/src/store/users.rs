//! People, their sessions, login links and API tokens. Of every token only the hash is stored.

use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{OrganisationId, UserId};
use wardkeep_proto::time::Timestamp;

use super::db::Tx;
use super::value::{Row, args};
use super::{Caller, Store, StoreError};

/// What a user may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Every organisation.
    Operator,
    /// Own organisations.
    Member,
}

impl Role {
    /// As stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Member => "member",
        }
    }
}

/// A person who signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The person's id.
    pub id: UserId,
    /// As shown to people.
    pub name: String,
    /// What the person may see.
    pub role: Role,
}

impl User {
    /// This person as the one who asks for rows.
    #[must_use]
    pub fn caller(&self) -> Caller {
        match self.role {
            Role::Operator => Caller::Operator,
            Role::Member => Caller::User(self.id),
        }
    }

    fn of(row: &mut Row) -> Result<Self, StoreError> {
        let (id, name, role) = (row.next()?, row.next()?, row.next::<String>()?);
        let role = match role.as_str() {
            "operator" => Role::Operator,
            "member" => Role::Member,
            _ => return Err(row.wrong()),
        };
        Ok(Self { id, name, role })
    }
}

/// Kinds of tokens that name a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A browser's cookie.
    Session,
    /// A token of the JSON API.
    Api,
}

impl Store {
    /// Adds a person, or finds the one of that name; a found one keeps the role and joins the organisation.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_user(
        &self,
        user: User,
        organisation: Option<OrganisationId>,
        now: Timestamp,
    ) -> Result<User, StoreError> {
        self.db
            .run_tx("add_user", move |tx| {
                tx.execute(
                    "INSERT INTO users (id, name, role, created_ms) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING",
                    args![user.id, user.name.as_str(), user.role.as_str(), now],
                )?;
                let found = named(tx, &user.name)?.ok_or(StoreError::Row { query: "users" })?;
                if let Some(organisation) = organisation {
                    tx.execute(
                        "INSERT INTO members (organisation_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                        args![organisation, found.id],
                    )?;
                }
                Ok(found)
            })
            .await
    }

    /// The person named `name`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn user_named(&self, name: &str) -> Result<Option<User>, StoreError> {
        let name = name.to_owned();
        self.db.read("user_named", move |tx| named(tx, &name)).await
    }

    /// Everybody, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        self.db
            .read("users", |tx| {
                let rows = tx.query("SELECT id, name, role FROM users ORDER BY name", args![])?;
                rows.into_iter().map(|mut row| User::of(&mut row)).collect()
            })
            .await
    }

    /// Remembers the hash of a one-time login link.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_login_link(
        &self,
        user: UserId,
        hash: Digest,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<(), StoreError> {
        self.db
            .run_tx("add_login_link", move |tx| {
                tx.execute(
                    "INSERT INTO login_links (hash, user_id, created_ms, expires_ms) VALUES ($1, $2, $3, $4)",
                    args![hash, user, now, expires],
                )
                .map(drop)
            })
            .await
    }

    /// Whose link it is, while it can still be spent. Spends nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn peek_login_link(&self, hash: Digest, now: Timestamp) -> Result<Option<User>, StoreError> {
        self.db
            .read("peek_login_link", move |tx| {
                tx.first(
                    "SELECT u.id, u.name, u.role FROM login_links l JOIN users u ON u.id = l.user_id \
                     WHERE l.hash = $1 AND l.used_ms IS NULL AND l.expires_ms > $2",
                    args![hash, now],
                )?
                .map(|mut row| User::of(&mut row))
                .transpose()
            })
            .await
    }

    /// Spends a link and opens a session in the same transaction; `None` for a link that is unknown, spent or expired.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn spend_login_link(
        &self,
        link: Digest,
        session: Digest,
        now: Timestamp,
        session_until: Timestamp,
    ) -> Result<Option<User>, StoreError> {
        self.db
            .run_tx("spend_login_link", move |tx| {
                let spent = tx.execute(
                    "UPDATE login_links SET used_ms = $2 WHERE hash = $1 AND used_ms IS NULL AND expires_ms > $2",
                    args![link, now],
                )?;
                if spent != 1 {
                    return Ok(None);
                }
                tx.execute(
                    "INSERT INTO sessions (hash, user_id, created_ms, expires_ms) \
                     SELECT $1, user_id, $2, $3 FROM login_links WHERE hash = $4",
                    args![session, now, session_until, link],
                )?;
                user_of(tx, TokenKind::Session, session, now)
            })
            .await
    }

    /// Remembers the hash of an API token.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_api_token(
        &self,
        user: UserId,
        hash: Digest,
        label: &str,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<(), StoreError> {
        let label = label.to_owned();
        self.db
            .run_tx("add_api_token", move |tx| {
                tx.execute(
                    "INSERT INTO api_tokens (hash, user_id, label, created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5)",
                    args![hash, user, label, now, expires],
                )
                .map(drop)
            })
            .await
    }

    /// Who holds the token with this hash, while it is in force.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn user_of_token(
        &self,
        kind: TokenKind,
        hash: Digest,
        now: Timestamp,
    ) -> Result<Option<User>, StoreError> {
        self.db.read("user_of_token", move |tx| user_of(tx, kind, hash, now)).await
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_session(&self, hash: Digest) -> Result<(), StoreError> {
        self.db
            .run_tx("end_session", move |tx| tx.execute("DELETE FROM sessions WHERE hash = $1", args![hash]).map(drop))
            .await
    }

    /// Forgets links and sessions that ended before `before`; says how many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_old_logins(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.db
            .run_tx("forget_old_logins", move |tx| {
                let links = tx.execute("DELETE FROM login_links WHERE expires_ms < $1", args![before])?;
                Ok(links + tx.execute("DELETE FROM sessions WHERE expires_ms < $1", args![before])?)
            })
            .await
    }
}

fn named(tx: &Tx<'_>, name: &str) -> Result<Option<User>, StoreError> {
    tx.first("SELECT id, name, role FROM users WHERE name = $1", args![name])?
        .map(|mut row| User::of(&mut row))
        .transpose()
}

fn user_of(tx: &Tx<'_>, kind: TokenKind, hash: Digest, now: Timestamp) -> Result<Option<User>, StoreError> {
    let sql = match kind {
        TokenKind::Session => {
            "SELECT u.id, u.name, u.role FROM sessions t JOIN users u ON u.id = t.user_id \
             WHERE t.hash = $1 AND t.expires_ms > $2"
        }
        TokenKind::Api => {
            "SELECT u.id, u.name, u.role FROM api_tokens t JOIN users u ON u.id = t.user_id \
             WHERE t.hash = $1 AND t.expires_ms > $2 AND t.revoked_ms IS NULL"
        }
    };
    tx.first(sql, args![hash, now])?.map(|mut row| User::of(&mut row)).transpose()
}
