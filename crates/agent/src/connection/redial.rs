//! When to dial again. What happened goes in, a delay comes out; nothing is waited for here.

use std::time::Duration;

use crate::backoff::{Backoff, random_fraction};

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

/// A wait before the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    /// How long.
    pub(crate) delay: Duration,
    /// The server has asked for it: a network that comes back is no reason to come sooner.
    pub(crate) asked_for: bool,
}

/// Counts failures since the last good link.
#[derive(Debug, Clone)]
pub(crate) struct Redial {
    failures: Backoff,
}

impl Redial {
    /// Starts without failures.
    pub(crate) fn new() -> Self {
        Self {
            failures: Backoff::new(FIRST_STEP, LONGEST),
        }
    }

    /// A link was lost after it had lived for `lived`.
    pub(crate) fn lost(&mut self, lived: Duration) -> Wait {
        if lived < GOOD_LINK {
            return self.failed();
        }
        self.failures.reset();
        Wait {
            delay: AFTER_LOSS.mul_f64(random_fraction()),
            asked_for: false,
        }
    }

    /// No link came about.
    pub(crate) fn failed(&mut self) -> Wait {
        Wait {
            delay: self.failures.next_delay(),
            asked_for: false,
        }
    }

    /// The server said "not now", maybe with a time: devices spread themselves over it.
    pub(crate) fn asked(&mut self, spread: Option<Duration>) -> Wait {
        let spread = spread.unwrap_or(UNNAMED_SPREAD).min(LONGEST_SPREAD);
        Wait {
            delay: spread.mul_f64(random_fraction()),
            asked_for: true,
        }
    }

    /// Something changed (token, address): what failed before says nothing about now.
    pub(crate) fn reset(&mut self) {
        self.failures.reset();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_43_a_single_loss_is_repaired_within_two_seconds() {
        for lived in [Duration::ZERO, GOOD_LINK, Duration::from_secs(3600)] {
            for _ in 0..100 {
                assert!(Redial::new().lost(lived).delay < Duration::from_secs(2));
            }
        }
    }

    #[test]
    fn item_43_failures_back_off_with_jitter_up_to_60_seconds() {
        let mut redial = Redial::new();
        let delays: Vec<_> = (0..1000).map(|_| redial.failed().delay).collect();
        assert!(delays[0] < Duration::from_secs(2));
        assert!(delays.iter().all(|delay| *delay <= LONGEST));
        let late = &delays[10..];
        assert!(late.iter().all(|delay| *delay >= LONGEST / 2));
        assert!(late.iter().any(|delay| *delay != late[0]), "no jitter");
    }

    #[test]
    fn links_that_break_at_once_back_off_too() {
        let mut redial = Redial::new();
        for _ in 0..10 {
            redial.lost(Duration::from_secs(1));
        }
        assert!(redial.lost(Duration::from_secs(1)).delay >= LONGEST / 2);
        assert!(redial.lost(GOOD_LINK).delay <= AFTER_LOSS);
        assert!(redial.failed().delay <= FIRST_STEP);
    }

    #[test]
    fn item_43_the_first_try_is_spread_over_the_time_the_server_names() {
        let named = Duration::from_secs(300);
        let draws: Vec<_> = (0..1000)
            .map(|_| Redial::new().asked(Some(named)))
            .collect();
        assert!(
            draws
                .iter()
                .all(|wait| wait.asked_for && wait.delay < named)
        );
        for tenth in 0..10 {
            let from = named / 10 * tenth;
            let within = |wait: &&Wait| wait.delay >= from && wait.delay < from + named / 10;
            assert!(
                draws.iter().filter(within).count() > 20,
                "nobody comes from {from:?} on"
            );
        }
        for _ in 0..100 {
            assert!(Redial::new().asked(Some(Duration::MAX)).delay <= LONGEST_SPREAD);
            assert!(Redial::new().asked(None).delay <= UNNAMED_SPREAD);
        }
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
