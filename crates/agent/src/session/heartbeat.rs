//! The shell's own heartbeat of the plain protocol: a `ping` every 60 seconds, and an end when no
//! `pong` comes. Pure: the time is an argument.
//!
//! While the link is down nobody can answer, so the clock stands still.

use std::time::{Duration, Instant};

/// Time between two pings; a user end of the plain protocol gives up 5 seconds after a missing one.
const INTERVAL: Duration = Duration::from_secs(60);
/// How long a ping may stay unanswered; also what the ping announces.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(65);

/// What [`ShellHeartbeat::check`] asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Send a ping.
    Ping,
    /// Nobody has answered: end the shell.
    Unanswered,
}

/// The heartbeat of one shell.
#[derive(Debug, Clone)]
pub(crate) struct ShellHeartbeat {
    ping_at: Instant,
    /// Until when the oldest unanswered ping has to be answered.
    answer_by: Option<Instant>,
    /// Since when the link has been down.
    down_since: Option<Instant>,
}

impl ShellHeartbeat {
    /// Starts the heartbeat of a shell whose link is up.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            ping_at: now + INTERVAL,
            answer_by: None,
            down_since: None,
        }
    }

    /// Notes a pong; one that nobody asked for, or that comes late, does no harm.
    pub(crate) fn answered(&mut self) {
        self.answer_by = None;
    }

    /// Notes that the link went down: time stops counting.
    pub(crate) fn link_down(&mut self, now: Instant) {
        self.down_since.get_or_insert(now);
    }

    /// Notes that the link is up again: time counts on from where it stopped.
    pub(crate) fn link_up(&mut self, now: Instant) {
        if let Some(since) = self.down_since.take() {
            let away = now.saturating_duration_since(since);
            self.ping_at += away;
            // A ping or its pong may have been lost with the link: ask once more.
            if self.answer_by.take().is_some() {
                self.ping_at = now;
            }
        }
    }

    /// The next moment at which [`Self::check`] asks for something, if the link is up.
    pub(crate) fn due(&self) -> Option<Instant> {
        if self.down_since.is_some() {
            return None;
        }
        Some(
            self.answer_by
                .map_or(self.ping_at, |end| end.min(self.ping_at)),
        )
    }

    /// Says what is due now.
    pub(crate) fn check(&mut self, now: Instant) -> Option<Beat> {
        if self.due()? > now {
            return None;
        }
        if self.answer_by.is_some_and(|end| end <= now) {
            return Some(Beat::Unanswered);
        }
        self.ping_at = now + INTERVAL;
        self.answer_by.get_or_insert(now + TIMEOUT);
        Some(Beat::Ping)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn item_50_pings_every_60_seconds_while_answered() {
        let start = Instant::now();
        let mut beat = ShellHeartbeat::new(start);
        for n in 1..=100 {
            let due = beat.due().unwrap();
            assert_eq!(due, start + n * 60 * SECOND);
            assert_eq!(beat.check(due - SECOND), None);
            assert_eq!(beat.check(due), Some(Beat::Ping));
            beat.answered();
        }
    }

    #[test]
    fn item_50_a_shell_nobody_answers_for_ends_65_seconds_after_the_ping() {
        let start = Instant::now();
        let mut beat = ShellHeartbeat::new(start);
        assert_eq!(beat.check(start + 60 * SECOND), Some(Beat::Ping));
        assert_eq!(beat.check(start + 120 * SECOND), Some(Beat::Ping));
        assert_eq!(beat.due(), Some(start + 125 * SECOND));
        assert_eq!(beat.check(start + 125 * SECOND), Some(Beat::Unanswered));
    }

    #[test]
    fn item_50_the_timer_stands_still_while_the_link_is_down() {
        let start = Instant::now();
        let mut beat = ShellHeartbeat::new(start);
        assert_eq!(beat.check(start + 60 * SECOND), Some(Beat::Ping));
        beat.link_down(start + 70 * SECOND);
        assert_eq!(beat.due(), None);
        assert_eq!(beat.check(start + 4000 * SECOND), None);
        beat.link_up(start + 4000 * SECOND);
        assert_eq!(beat.check(start + 4000 * SECOND), Some(Beat::Ping));
        beat.answered();
        assert_eq!(beat.due(), Some(start + 4060 * SECOND));
    }

    #[test]
    fn item_50_a_late_or_unasked_pong_is_harmless() {
        let start = Instant::now();
        let mut beat = ShellHeartbeat::new(start);
        beat.answered();
        assert_eq!(beat.due(), Some(start + 60 * SECOND));
        assert_eq!(beat.check(start + 60 * SECOND), Some(Beat::Ping));
        assert_eq!(beat.check(start + 120 * SECOND), Some(Beat::Ping));
        beat.answered();
        beat.answered();
        assert_eq!(beat.due(), Some(start + 180 * SECOND));
    }

    #[test]
    fn a_link_that_blinks_does_not_postpone_the_ping() {
        let start = Instant::now();
        let mut beat = ShellHeartbeat::new(start);
        beat.link_down(start + 10 * SECOND);
        beat.link_down(start + 11 * SECOND);
        beat.link_up(start + 12 * SECOND);
        beat.link_up(start + 13 * SECOND);
        assert_eq!(beat.due(), Some(start + 62 * SECOND));
    }
}
