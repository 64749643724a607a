//! Time as a session counts it: on a clock that never steps, and goes on while this machine sleeps.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// A clock that shows 0 at its start.
#[derive(Debug)]
pub(super) struct Clock {
    start: Instant,
    slept: Duration,
}

impl Clock {
    pub(super) fn start() -> Self {
        Clock {
            start: Instant::now(),
            slept: slept(),
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.start.elapsed() + slept().saturating_sub(self.slept)
    }

    /// When the clock will show this, if the machine does not sleep.
    pub(super) fn at(&self, time: Duration) -> Instant {
        Instant::now() + time.saturating_sub(self.now())
    }
}

/// How long this machine has slept since it was started. It grows a little even if it never did, by
/// what passes between the two questions.
fn slept() -> Duration {
    let read = |clock| {
        let time = clock_gettime(clock);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        Duration::from_secs(seconds)
            + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0))
    };
    let awake = read(ClockId::Monotonic);
    let since_start = read(ClockId::Boottime);
    let slept = since_start.saturating_sub(awake);
    // Whole seconds only: the clock must not go back by a moment's difference.
    Duration::from_secs(slept.as_secs_f64().round() as u64)
}
