//! Which run of the server last wrote to this database.
//!
//! Database and recordings belong together. Each run begins with a word that both write down, in three
//! steps: the database says which word comes next, the recordings take it, the database takes it. If at
//! a start they do not agree, one of them was put back from an older copy, and what the other remembers
//! of the sessions cannot be told from what happened since.

use sqlx::Row as _;

use super::{Report, StoreError};

/// What the database knows of runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// The newest run that has begun; `None` before the first.
    pub current: Option<String>,
    /// One that was about to begin.
    pub next: Option<String>,
}

impl Runs {
    /// Whether recordings that last saw the run `recorded` belong to this database.
    #[must_use]
    pub fn agree_with(&self, recorded: Option<&str>) -> bool {
        recorded == self.current.as_deref()
            || (recorded.is_some() && recorded == self.next.as_deref())
    }
}

impl Report {
    /// What is known of runs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn runs(&mut self) -> Result<Runs, StoreError> {
        let row = sqlx::query("SELECT current, next FROM server_run")
            .fetch_one(self.connection())
            .await?;
        Ok(Runs {
            current: row.try_get("current")?,
            next: row.try_get("next")?,
        })
    }

    /// Announces a run. With `restored`, every live session is marked until its next epoch begins; so that
    /// is known however often the server is killed before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn announce_run(&mut self, run: &str, restored: bool) -> Result<(), StoreError> {
        if restored {
            sqlx::query("UPDATE sessions SET restored = TRUE WHERE ended_at IS NULL")
                .execute(self.connection())
                .await?;
        }
        sqlx::query("UPDATE server_run SET next = $1")
            .bind(run)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// The announced run has begun.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_run(&mut self, run: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE server_run SET current = $1, next = NULL")
            .bind(run)
            .execute(self.connection())
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    async fn runs(store: &Store) -> Runs {
        store.report().await.unwrap().runs().await.unwrap()
    }

    #[tokio::test]
    async fn only_a_copy_of_the_same_age_agrees() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db")).await.unwrap();
        assert!(runs(&store).await.agree_with(None));
        let mut recorded = None;
        for run in ["one", "two"] {
            let mut report = store.report().await.unwrap();
            report.announce_run(run, false).await.unwrap();
            report.commit().await.unwrap();
            // Killed here, on either side of the recordings' own step.
            assert!(runs(&store).await.agree_with(recorded));
            assert!(runs(&store).await.agree_with(Some(run)));
            let older = recorded.replace(run);
            let mut report = store.report().await.unwrap();
            report.begin_run(run).await.unwrap();
            report.commit().await.unwrap();
            assert!(runs(&store).await.agree_with(Some(run)));
            assert!(!runs(&store).await.agree_with(older));
            assert!(!runs(&store).await.agree_with(Some("three")));
        }
    }
}
