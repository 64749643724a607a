//! Whether recordings and database belong together.

use std::fs;
use std::io::{self, Write as _};

use uuid::Uuid;

use super::{Recorder, files};
use crate::store::{Store, StoreError};

/// The file that says which run last wrote here.
const FILE: &str = "run";

/// Why a run cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The folder cannot be read or written.
    #[error("recordings: {0}")]
    Io(#[from] io::Error),
    /// The database cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A run that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunStart {
    /// Its name, never given twice.
    pub run: String,
    /// Database and recordings do not belong together: one of them was put back from an older copy. What
    /// is remembered of sessions may have been given out once more since. Every session that was live
    /// then is marked ([`crate::store::StoredSession::restored`]) until its next epoch.
    pub restored: bool,
}

/// Begins a run: database and recordings write down its name. Call it once at a start, with the data
/// folder locked. May be killed at any point.
///
/// # Errors
/// When either cannot be read or written.
pub async fn begin_run(store: &Store, recorder: &Recorder) -> Result<RunStart, RunError> {
    let path = recorder.folder.join(FILE);
    let recorded = match fs::read_to_string(&path) {
        Ok(run) => Some(run.trim_end().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let run = Uuid::new_v4().to_string();
    let mut report = store.report().await?;
    let restored = !report.runs().await?.agree_with(recorded.as_deref());
    report.announce_run(&run, restored).await?;
    report.commit().await?;
    let unfinished = path.with_extension("new");
    let mut file = files::create(&unfinished, true)?;
    writeln!(file, "{run}")?;
    file.sync_all()?;
    fs::rename(unfinished, path)?;
    fs::File::open(&recorder.folder)?.sync_all()?;
    let mut report = store.report().await?;
    report.begin_run(&run).await?;
    report.commit().await?;
    Ok(RunStart { run, restored })
}
