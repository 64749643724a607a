//! Waiting for something that happens in another process.

use std::fmt::Display;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

/// Generous, since two cores may be busy with something else; a test that passes never waits it out.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// What another process does cannot be awaited, only looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Looks until `look` finds something.
///
/// # Errors
/// When `look` fails, or finds nothing within [`DEADLINE`].
pub async fn until<T>(
    what: impl Display,
    look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    within(DEADLINE, what, look).await
}

/// The same with a deadline of its own.
///
/// # Errors
/// When `look` fails, or finds nothing in time.
pub async fn within<T>(
    deadline: Duration,
    what: impl Display,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if Instant::now() >= end {
            bail!("waited {deadline:?} in vain for {what}");
        }
        sleep(LOOK_AGAIN).await;
    }
}
