//! How long to wait before another attempt to reach the server.

use std::time::Duration;

use uuid::Uuid;

/// The first wait, at most.
const FIRST: Duration = Duration::from_millis(500);

/// Every wait, at most: somebody looks at the screen.
const LIMIT: Duration = Duration::from_secs(10);

/// Waits that double. Each is drawn from the upper half of its range, so that all who lost a server
/// together do not come back together.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait before the next attempt.
    pub(super) fn next_delay(&mut self) -> Duration {
        let full = FIRST.saturating_mul(1 << self.failures.min(10)).min(LIMIT);
        self.failures = self.failures.saturating_add(1);
        // The last bits of a random id are random, and nothing secret hangs on them.
        let random = (Uuid::new_v4().as_u128() & 0xffff) as u32;
        full / 2 + full / 2 * random / 0xffff
    }

    /// The server was reached.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_are_spread() {
        let mut backoff = Backoff::default();
        for full in [500, 1000, 2000, 4000, 8000, 10_000, 10_000] {
            let full = Duration::from_millis(full);
            let delay = backoff.next_delay();
            assert!(full / 2 <= delay && delay <= full, "{delay:?}");
        }
        let draws: Vec<_> = (0..8).map(|_| backoff.next_delay()).collect();
        assert!(draws.iter().any(|draw| *draw != draws[0]));
        backoff.reset();
        assert!(backoff.next_delay() <= FIRST);
    }
}
