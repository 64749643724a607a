//! The link's heartbeat: a websocket ping now and then, and the verdict that nobody is there. Pure:
//! the time is an argument.

use std::time::{Duration, Instant};

/// Time between two pings. Real servers give up after 60 seconds without one.
const PING_INTERVAL: Duration = Duration::from_secs(50);
/// A ping that is due within this goes out when the agent is awake anyway, for a message that has
/// come: servers ping every 30 seconds, and a device's battery pays for each wake-up.
const EARLY: Duration = Duration::from_secs(25);
/// Silence after which the link is dead. The answer to a ping has to come within the difference.
const DEAD_AFTER: Duration = Duration::from_secs(60);

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Send a ping.
    Ping,
    /// The other side is gone.
    Dead,
}

/// The heartbeat of one link.
#[derive(Debug, Clone)]
pub(crate) struct LinkHeartbeat {
    ping_at: Instant,
    heard_at: Instant,
}

impl LinkHeartbeat {
    /// Starts with a link that has just come up.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            ping_at: now + PING_INTERVAL,
            heard_at: now,
        }
    }

    /// Notes a sign of life: anything that was received. Returns whether to send a ping now.
    #[must_use]
    pub(crate) fn heard(&mut self, now: Instant) -> bool {
        self.heard_at = now;
        let ping = self.ping_at <= now + EARLY;
        if ping {
            self.ping_at = now + PING_INTERVAL;
        }
        ping
    }

    /// The next moment at which [`Self::check`] may ask for something.
    pub(crate) fn due(&self) -> Instant {
        self.ping_at.min(self.heard_at + DEAD_AFTER)
    }

    /// Says what is due now.
    pub(crate) fn check(&mut self, now: Instant) -> Option<Beat> {
        if now >= self.heard_at + DEAD_AFTER {
            return Some(Beat::Dead);
        }
        if now < self.ping_at {
            return None;
        }
        self.ping_at = now + PING_INTERVAL;
        Some(Beat::Ping)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn item_45_pings_within_54_seconds_whatever_the_server_sends() {
        for heard_every in [1, 7, 30, 49, 55] {
            let start = Instant::now();
            let mut beat = LinkHeartbeat::new(start);
            let mut last_ping = start;
            for second in 0..1000 {
                let now = start + second * SECOND;
                let heard = second % heard_every == 0;
                if (heard && beat.heard(now)) || beat.check(now) == Some(Beat::Ping) {
                    assert!(now - last_ping <= 54 * SECOND, "{heard_every}");
                    last_ping = now;
                }
            }
            assert!(start + 1000 * SECOND - last_ping <= 54 * SECOND);
        }
    }

    #[test]
    fn beside_a_server_that_pings_the_agent_wakes_for_no_timer_of_its_own() {
        let start = Instant::now();
        let mut beat = LinkHeartbeat::new(start);
        for ping in 1..100 {
            let now = start + ping * 30 * SECOND;
            assert!(beat.due() > now);
            assert!(beat.heard(now));
            assert!(
                !beat.heard(now + SECOND),
                "the pong asks for no further ping"
            );
        }
    }

    #[test]
    fn item_45_pongs_alone_keep_the_link() {
        let start = Instant::now();
        let mut beat = LinkHeartbeat::new(start);
        let mut now = start;
        for _ in 0..100 {
            now = beat.due();
            assert_eq!(beat.check(now), Some(Beat::Ping));
            now += 9 * SECOND;
            assert!(!beat.heard(now));
        }
        assert!(now > start + 5000 * SECOND);
    }

    #[test]
    fn a_silent_server_is_given_up_after_60_seconds() {
        let start = Instant::now();
        let mut beat = LinkHeartbeat::new(start);
        assert_eq!(beat.check(beat.due()), Some(Beat::Ping));
        assert_eq!(beat.due(), start + 60 * SECOND);
        assert_eq!(beat.check(start + 60 * SECOND), Some(Beat::Dead));
    }
}
