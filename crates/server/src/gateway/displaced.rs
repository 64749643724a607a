//! Tells two devices with the same identity from one that has to connect again and again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How far back displacements count.
const WINDOW: Duration = Duration::from_secs(300);

/// Displacements of a standing link within the window that make one suspicious. One alone is what a device
/// does whose old link has died unnoticed.
const SUSPICIOUS: usize = 3;

/// How often a link of one device was replaced while it still stood.
#[derive(Default)]
pub(super) struct Displaced {
    at: VecDeque<Instant>,
    alarmed_at: Option<Instant>,
}

impl Displaced {
    /// A standing link was replaced.
    pub(super) fn happened(&mut self, now: Instant) {
        self.forget(now);
        if self.at.len() == SUSPICIOUS {
            self.at.pop_front();
        }
        self.at.push_back(now);
    }

    /// Whether the next one to connect may be another device. If the present one is alive, it is.
    pub(super) fn is_suspicious(&mut self, now: Instant) -> bool {
        self.forget(now);
        self.at.len() >= SUSPICIOUS
    }

    /// Whether the alarm is to be raised: at most once in a window.
    pub(super) fn alarm(&mut self, now: Instant) -> bool {
        let due = self.alarmed_at.is_none_or(|at| at + WINDOW <= now);
        if due {
            self.alarmed_at = Some(now);
        }
        due
    }

    fn forget(&mut self, now: Instant) {
        while self.at.front().is_some_and(|at| *at + WINDOW <= now) {
            self.at.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_displacement_within_five_minutes_is_suspicious() {
        let mut displaced = Displaced::default();
        let start = Instant::now();
        displaced.happened(start);
        displaced.happened(start + Duration::from_secs(200));
        assert!(!displaced.is_suspicious(start + Duration::from_secs(200)));
        displaced.happened(start + Duration::from_secs(299));
        assert!(displaced.is_suspicious(start + Duration::from_secs(299)));
        assert!(!displaced.is_suspicious(start + Duration::from_secs(300)));
    }

    #[test]
    fn the_alarm_is_raised_once_in_a_window() {
        let mut displaced = Displaced::default();
        let start = Instant::now();
        assert!(displaced.alarm(start));
        assert!(!displaced.alarm(start + Duration::from_secs(299)));
        assert!(displaced.alarm(start + Duration::from_secs(300)));
    }
}
