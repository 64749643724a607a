//! The database: typed questions and changes. Nothing outside this module knows which one it is.
//!
//! [`Reader`] answers questions. [`Change`] is a write transaction that can be ended for good only together
//! with the audit event that says who did it. [`Report`] needs no such event, and can write nothing but what
//! is nobody's decision: what devices report of themselves, and the tokens they have a right to. Either,
//! dropped, leaves nothing behind.

mod attributes;
mod audit;
mod auth_sets;
mod database;
mod device_tokens;
mod devices;
mod groups;
mod migrate;
mod rows;
mod run;
mod search;
mod sessions;
mod users;

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::path::Path;

use sqlx::Transaction;
use sqlx::pool::PoolConnection;

pub use attributes::{Attribute, AttributeScope};
pub use audit::AuditRow;
pub use auth_sets::{AuthSet, AuthStatus};
pub use device_tokens::DeviceTokenOwner;
pub use devices::{Device, DeviceFilter};
pub use search::{AttributeName, Comparison, Condition, Order, Search};
pub use sessions::{Controller, Ending, NewSession, Person, StoredSession};
pub use users::{User, UserTokenOwner};

use crate::audit::AuditEvent;
use database::{BEGIN_CHANGE, Connection, Db, Pool};

/// The database failed, or holds something this version does not understand.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database itself reported a failure.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// A stored value has a form this version does not know.
    #[error("stored {column} is not understood")]
    Stored {
        /// Which column.
        column: &'static str,
    },
    /// The database was written by a later version, whose changes cannot be undone.
    #[error("the database is of version {found}, this program knows versions up to {known}")]
    TooNew {
        /// The database's schema version.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
}

/// The database.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
}

impl Store {
    /// Opens the database file, making or upgrading it as needed.
    ///
    /// # Errors
    /// When the file cannot be opened, or is of a later version.
    pub async fn open(file: &Path) -> Result<Self, StoreError> {
        let pool = database::open(file).await?;
        migrate::run(&pool).await?;
        Ok(Self { pool })
    }

    /// A connection for questions.
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn read(&self) -> Result<Reader, StoreError> {
        Ok(Reader {
            connection: Source::Pooled(self.pool.acquire().await?),
        })
    }

    /// Begins a change. Changes are made one after another.
    ///
    /// # Errors
    /// When no connection can be had, or another writer does not finish in time.
    pub async fn change(&self) -> Result<Change, StoreError> {
        self.write().await
    }

    /// Begins to write down what is nobody's decision.
    ///
    /// # Errors
    /// As [`Self::change`].
    pub async fn report(&self) -> Result<Report, StoreError> {
        self.write().await
    }

    async fn write<K>(&self) -> Result<Write<K>, StoreError> {
        Ok(Write {
            reader: Reader {
                connection: Source::Transaction(self.pool.begin_with(BEGIN_CHANGE).await?),
            },
            kind: PhantomData,
        })
    }

    /// Records an event that changes nothing else (a refusal, a sign-in that failed).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record(&self, event: &AuditEvent) -> Result<(), StoreError> {
        self.change().await?.commit(event).await
    }

    /// Waits for all connections to end.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

enum Source {
    Pooled(PoolConnection<Db>),
    Transaction(Transaction<'static, Db>),
}

/// Questions to the database; see the methods in this module's files.
pub struct Reader {
    connection: Source,
}

impl Reader {
    fn connection(&mut self) -> &mut Connection {
        match &mut self.connection {
            Source::Pooled(connection) => connection,
            Source::Transaction(transaction) => transaction,
        }
    }
}

/// A write transaction, which also answers questions.
#[must_use = "what is not committed is undone"]
pub struct Write<K> {
    reader: Reader,
    kind: PhantomData<K>,
}

/// The kind of a [`Change`].
pub enum Decision {}

/// The kind of a [`Report`].
pub enum Routine {}

/// Changes what somebody decided, and says who.
pub type Change = Write<Decision>;

/// Writes down what is nobody's decision.
pub type Report = Write<Routine>;

impl Change {
    /// Ends the change together with the event that says who did it.
    ///
    /// # Errors
    /// When the database fails; nothing is changed then.
    pub async fn commit(mut self, event: &AuditEvent) -> Result<(), StoreError> {
        self.insert_audit(event).await?;
        self.end().await
    }

    /// Adds an event beside the one the change will be committed with.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn also(&mut self, event: &AuditEvent) -> Result<(), StoreError> {
        self.insert_audit(event).await
    }
}

impl Report {
    /// Ends it for good.
    ///
    /// # Errors
    /// When the database fails; nothing is written then.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.end().await
    }
}

impl<K> Write<K> {
    async fn end(self) -> Result<(), StoreError> {
        match self.reader.connection {
            Source::Transaction(transaction) => Ok(transaction.commit().await?),
            Source::Pooled(_) => Ok(()),
        }
    }
}

impl<K> Deref for Write<K> {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl<K> DerefMut for Write<K> {
    fn deref_mut(&mut self) -> &mut Reader {
        &mut self.reader
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Action, Actor, Object};

    fn event() -> AuditEvent {
        AuditEvent::new(Action::LoggedIn, Actor::System, Object::Server).with("n", 1)
    }

    async fn actions(store: &Store) -> Vec<String> {
        let events = store.read().await.unwrap().audit_events(10).await.unwrap();
        events.into_iter().map(|event| event.action).collect()
    }

    #[tokio::test]
    async fn a_change_is_kept_only_with_its_event() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db")).await.unwrap();
        let mut change = store.change().await.unwrap();
        change.also(&event()).await.unwrap();
        drop(change);
        assert!(actions(&store).await.is_empty());
        let mut change = store.change().await.unwrap();
        change.also(&event()).await.unwrap();
        change.commit(&event()).await.unwrap();
        assert_eq!(actions(&store).await, ["LoggedIn", "LoggedIn"]);
    }

    #[tokio::test]
    async fn audit_events_are_neither_changed_nor_removed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db")).await.unwrap();
        store.record(&event()).await.unwrap();
        for statement in [
            "UPDATE audit_events SET action = 'x'",
            "DELETE FROM audit_events",
        ] {
            let error = sqlx::query(statement).execute(&store.pool).await;
            let error = error.unwrap_err().to_string();
            assert!(error.contains("append only"), "{error}");
        }
        assert_eq!(actions(&store).await, ["LoggedIn"]);
    }

    #[tokio::test]
    async fn two_programs_may_open_a_new_database_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let (one, other) = tokio::join!(Store::open(&path), Store::open(&path));
        let (one, other) = (one.unwrap(), other.unwrap());
        one.record(&event()).await.unwrap();
        other.record(&event()).await.unwrap();
        assert_eq!(actions(&one).await.len(), 2);
        // And again, when it is there.
        one.close().await;
        other.close().await;
        assert_eq!(actions(&Store::open(&path).await.unwrap()).await.len(), 2);
    }

    #[tokio::test]
    async fn a_database_of_a_later_version_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let store = Store::open(&path).await.unwrap();
        sqlx::query("INSERT INTO schema_version (version) VALUES (1000)")
            .execute(&store.pool)
            .await
            .unwrap();
        store.close().await;
        let refused = Store::open(&path).await.err().unwrap();
        assert!(matches!(
            refused,
            StoreError::TooNew { found: 1000, known } if known < 1000
        ));
    }
}
