//! A shell at an agent that speaks the plain protocol.

use std::time::{Duration, Instant};

use super::backlog::Backlog;

/// How long a device may take to answer `new`. A real agent does nothing else while it ends a shell (4 s)
/// or runs a command for its client.
pub(super) const START_TIMEOUT: Duration = Duration::from_secs(60);

/// When a refused `new` is asked again: a real agent takes 4 s to end the shell before.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How far a shell has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// It was not asked for.
    #[default]
    None,
    /// The device is to start it.
    Starting {
        /// When it was asked; not yet if it is away.
        asked_at: Option<Instant>,
        /// It refused once because another shell had not ended yet.
        retried: bool,
        /// The link broke after it was asked, so that it was asked again.
        asked_again: bool,
    },
    /// It refused and will be asked again.
    Retrying { at: Instant },
    /// It runs.
    Running,
    /// It is to end; the device has not said so yet.
    Stopping,
    /// It has ended.
    Ended,
}

/// A shell, and what was typed for it.
#[derive(Debug)]
pub(super) struct Shell {
    pub(super) state: State,
    pub(super) backlog: Backlog,
    /// Input that was sent: an agent that keeps nothing has taken it then.
    pub(super) applied: u64,
    /// The epoch in which it was.
    pub(super) epoch: u64,
}

impl Default for Shell {
    fn default() -> Self {
        Self {
            state: State::None,
            backlog: Backlog::default(),
            applied: 0,
            epoch: 1,
        }
    }
}
