//! The one file that names a database.
//!
//! Everything else in `store` is written against these aliases, in SQL that SQLite and PostgreSQL both
//! take (`$1` placeholders, `BIGINT`, `ON CONFLICT`), so that a second database is another set of
//! migrations and another body for these functions.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

pub(super) type Db = sqlx::Sqlite;
pub(super) type Pool = sqlx::Pool<Db>;
pub(super) type Connection = <Db as sqlx::Database>::Connection;
pub(super) type Row = <Db as sqlx::Database>::Row;
pub(super) type Builder = sqlx::QueryBuilder<Db>;

/// Takes the write lock at once: a transaction that reads first and writes later could otherwise fail on
/// another writer in the middle.
pub(super) const BEGIN_CHANGE: &str = "BEGIN IMMEDIATE";

/// Forward-only, in order; a script's place in the list is its number, starting at 1.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/sqlite/0001_first.sql"),
    include_str!("migrations/sqlite/0002_sessions.sql"),
];

/// Between a text and a regular expression. Expressions are of Rust's `regex`, whose time is linear.
pub(super) const REGEX_OPERATOR: &str = " REGEXP ";

/// How long a writer waits for another process (a `user` command beside a running server).
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Readers never wait in WAL mode; more connections than this only cost memory.
const CONNECTIONS_MAX: u32 = 8;

/// Opens the database file, creating it if it is not there. `synchronous=FULL` because an acceptance or
/// an audit row that was answered for must survive a power cut.
pub(super) async fn open(file: &Path) -> Result<Pool, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .with_regexp();
    SqlitePoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(BUSY_TIMEOUT)
        .connect_with(options)
        .await
}
