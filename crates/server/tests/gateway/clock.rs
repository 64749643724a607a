//! A clock that stands still although sockets are real.

use std::sync::mpsc;
use std::time::Duration;

/// Real time a test may take while its clock stands still.
const HANG: Duration = Duration::from_secs(60);

/// While this lives, time passes only by [`Clock::pass`].
pub struct Clock {
    _hold: mpsc::Sender<()>,
}

impl Clock {
    /// Stops the clock of a current-thread runtime.
    pub fn stop() -> Self {
        tokio::time::pause();
        let (hold, held) = mpsc::channel::<()>();
        // A paused clock leaps to the next timer when everything waits for sockets, but not while there is
        // blocking work. This is such work, and a watchdog, since timeouts stand still as well.
        tokio::task::spawn_blocking(move || {
            if let Err(mpsc::RecvTimeoutError::Timeout) = held.recv_timeout(HANG) {
                eprintln!("a test with a stopped clock hangs");
                std::process::abort();
            }
        });
        Self { _hold: hold }
    }

    /// Lets time pass, second by second, as timers and those who wait for them do their work.
    pub async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            tokio::time::advance(Duration::from_secs(1)).await;
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        }
    }
}
