//! Brings the database to the version this program knows: numbered scripts, forward only.

use sqlx::{Executor, Row as _};

use super::StoreError;
use super::database::{BEGIN_CHANGE, MIGRATIONS, Pool};

/// Runs every script the database has not seen, all in one transaction, so that two programs that start
/// at once on an empty folder do it once.
pub(super) async fn run(pool: &Pool) -> Result<(), StoreError> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let mut transaction = pool.begin_with(BEGIN_CHANGE).await?;
    transaction
        .execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
        .await?;
    let found: i64 = transaction
        .fetch_one("SELECT COALESCE(MAX(version), 0) FROM schema_version")
        .await?
        .try_get(0)?;
    if found > known {
        return Err(StoreError::TooNew { found, known });
    }
    for (script, version) in MIGRATIONS.iter().zip(1_i64..) {
        if version <= found {
            continue;
        }
        sqlx::raw_sql(*script).execute(&mut *transaction).await?;
        sqlx::query("INSERT INTO schema_version (version) VALUES ($1)")
            .bind(version)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(())
}
