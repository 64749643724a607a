//! When to dial again. Pure: what happened and a random number go in, a delay comes out.

use std::time::Duration;

/// A link that lived this long was a good one: its loss is not held against the server.
const GOOD_LINK: Duration = Duration::from_secs(10);
/// The first try after a good link was lost comes within this.
const AFTER_LOSS: Duration = Duration::from_millis(1000);
/// Longest delay after the first failure; it doubles with each further one.
const FIRST_STEP: Duration = Duration::from_millis(1500);
/// Longest delay of all.
const LONGEST: Duration = Duration::from_secs(60);
/// Over how long tries are spread when the server says "later" and names no time.
const UNNAMED_SPREAD: Duration = Duration::from_secs(10);
/// The longest time a server may name.
const LONGEST_SPREAD: Duration = Duration::from_secs(3600);

/// Whether a reason may cut a wait short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    /// How long to wait.
    pub(crate) delay: Duration,
    /// The server has asked for it: a network that comes back is no reason to come sooner.
    pub(crate) asked_for: bool,
}

/// Counts failures since the last good link.
#[derive(Debug, Clone, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// A link was lost after it had lived for `lived`. `random` is uniform over all of `u32`.
    pub(crate) fn lost(&mut self, lived: Duration, random: u32) -> Wait {
        if lived < GOOD_LINK {
            return self.failed(random);
        }
        self.failures = 0;
        Wait {
            delay: scale(AFTER_LOSS, random),
            asked_for: false,
        }
    }

    /// No link came about.
    pub(crate) fn failed(&mut self, random: u32) -> Wait {
        let longest = FIRST_STEP
            .saturating_mul(1 << self.failures.min(16))
            .min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let half = longest / 2;
        Wait {
            delay: half + scale(longest - half, random),
            asked_for: false,
        }
    }

    /// The server said "not now", maybe with a time: devices spread themselves over it.
    pub(crate) fn asked(&mut self, spread: Option<Duration>, random: u32) -> Wait {
        let spread = spread.unwrap_or(UNNAMED_SPREAD).min(LONGEST_SPREAD);
        Wait {
            delay: scale(spread, random),
            asked_for: true,
        }
    }

    /// Something changed (token, address): what failed before says nothing about now.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Reads a time that a server names: the value of `Retry-After`, or the first number in the
/// reason of a close frame, both in seconds.
pub(crate) fn named_seconds(text: &str) -> Option<Duration> {
    let digits = text
        .split(|c: char| !c.is_ascii_digit())
        .find(|digits| !digits.is_empty())?;
    digits.parse().ok().map(Duration::from_secs)
}

fn scale(whole: Duration, random: u32) -> Duration {
    whole.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_43_a_single_loss_is_repaired_within_two_seconds() {
        for random in [0, u32::MAX / 2, u32::MAX] {
            let mut backoff = Backoff::default();
            assert!(backoff.lost(Duration::from_secs(3600), random).delay <= AFTER_LOSS);
            let mut backoff = Backoff::default();
            assert!(backoff.lost(Duration::ZERO, random).delay < Duration::from_secs(2));
        }
    }

    #[test]
    fn item_43_failures_back_off_with_jitter_up_to_60_seconds() {
        let (mut low, mut high) = (Backoff::default(), Backoff::default());
        let mut before = Duration::ZERO;
        for n in 0..1000 {
            let (shortest, longest) = (low.failed(0).delay, high.failed(u32::MAX).delay);
            assert!(shortest < longest, "no jitter at try {n}");
            assert!(
                longest >= before && longest <= Duration::from_secs(60),
                "{longest:?}"
            );
            before = longest;
        }
        assert_eq!(before, Duration::from_secs(60));
    }

    #[test]
    fn links_that_break_at_once_back_off_too() {
        let mut backoff = Backoff::default();
        for _ in 0..10 {
            backoff.lost(Duration::from_secs(1), 0);
        }
        assert!(backoff.lost(Duration::from_secs(1), 0).delay >= Duration::from_secs(30));
        assert!(backoff.lost(GOOD_LINK, u32::MAX).delay <= AFTER_LOSS);
        assert!(backoff.failed(u32::MAX).delay < Duration::from_secs(2));
    }

    #[test]
    fn item_43_the_first_try_is_spread_over_the_time_the_server_names() {
        let mut backoff = Backoff::default();
        let spread = Some(Duration::from_secs(300));
        let first = backoff.asked(spread, 0);
        let last = backoff.asked(spread, u32::MAX);
        assert_eq!(
            (first.delay, last.delay),
            (Duration::ZERO, Duration::from_secs(300))
        );
        assert!(first.asked_for && last.asked_for);
        assert!(backoff.asked(Some(Duration::MAX), u32::MAX).delay <= LONGEST_SPREAD);
        assert_eq!(backoff.asked(None, u32::MAX).delay, UNNAMED_SPREAD);
    }

    #[test]
    fn named_times_are_found_in_headers_and_reasons() {
        for (text, seconds) in [
            ("120", Some(120)),
            ("server restarting, retry in 30 s", Some(30)),
            ("retry-after=5", Some(5)),
            ("", None),
            ("soon", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(
                named_seconds(text),
                seconds.map(Duration::from_secs),
                "{text}"
            );
        }
    }
}
