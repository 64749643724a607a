//! How long to wait before trying again.

use std::time::Duration;

use ring::rand::SecureRandom;

/// Delays that double from `first` up to `limit`. Each is drawn from the upper half of its range,
/// so that a fleet that lost its server together does not come back together.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    limit: Duration,
    failures: u32,
}

impl Backoff {
    /// Starts at `first` and never exceeds `limit`.
    #[must_use]
    pub fn new(first: Duration, limit: Duration) -> Self {
        Self {
            first,
            limit,
            failures: 0,
        }
    }

    /// The delay after one more failure.
    pub fn next_delay(&mut self) -> Duration {
        let full = self
            .first
            .saturating_mul(1 << self.failures.min(20))
            .min(self.limit);
        self.failures = self.failures.saturating_add(1);
        full / 2 + (full / 2).mul_f64(random_fraction())
    }

    /// Begins anew after a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A random number from 0 up to 1.
#[must_use]
pub fn random_fraction() -> f64 {
    let mut bytes = [0; 4];
    // Without randomness the middle will do; nothing secret hangs on it.
    match ring::rand::SystemRandom::new().fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / 4_294_967_296.0,
        Err(_) => 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_limit_and_are_spread() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        for full in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            let delay = backoff.next_delay();
            assert!(delay >= Duration::from_secs(full) / 2, "{delay:?}");
            assert!(delay <= Duration::from_secs(full), "{delay:?}");
        }
        backoff.reset();
        assert!(backoff.next_delay() <= Duration::from_secs(1));
        let draws: Vec<_> = (0..8).map(|_| random_fraction().to_bits()).collect();
        assert!(draws.iter().any(|draw| *draw != draws[0]));
    }
}
