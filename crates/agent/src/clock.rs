//! The clock of the stream: it never steps, and goes on while the device sleeps.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// The time since the device was started.
pub(crate) fn since_boot() -> Duration {
    // Every Linux since 2.6.39 has this clock, so there is nothing to be done about its lack.
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .map(Duration::from)
        .unwrap_or_default()
}

/// Milliseconds from one moment to a later one.
pub(crate) fn millis(from: Duration, to: Duration) -> u64 {
    u64::try_from(to.saturating_sub(from).as_millis()).unwrap_or(u64::MAX)
}
