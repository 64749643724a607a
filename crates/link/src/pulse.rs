//! Is the other end still there?

use std::time::Duration;

use crate::limits::DEAD_AFTER;

/// Asks after a silence, gives up after a long one. Every message of the peer counts as a sign of
/// life.
#[derive(Debug)]
pub(crate) struct Pulse {
    heard_at: Duration,
    ask_after: Duration,
    asked: bool,
}

/// What is due.
#[derive(Debug, PartialEq)]
pub(crate) enum Due {
    Nothing,
    Ping,
    GiveUp,
}

impl Pulse {
    pub(crate) fn new(ask_after: Duration, now: Duration) -> Self {
        Pulse {
            heard_at: now,
            ask_after,
            asked: false,
        }
    }

    pub(crate) fn heard(&mut self, now: Duration) {
        self.heard_at = now;
        self.asked = false;
    }

    /// When [`Pulse::due`] will say something else than nothing.
    pub(crate) fn deadline(&self) -> Duration {
        let wait = if self.asked {
            DEAD_AFTER
        } else {
            self.ask_after
        };
        self.heard_at + wait
    }

    pub(crate) fn due(&mut self, now: Duration) -> Due {
        if now >= self.heard_at + DEAD_AFTER {
            Due::GiveUp
        } else if !self.asked && now >= self.heard_at + self.ask_after {
            self.asked = true;
            Due::Ping
        } else {
            Due::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_once_and_gives_up_within_a_minute() {
        let at = Duration::from_secs;
        let mut pulse = Pulse::new(at(20), at(100));
        assert_eq!(pulse.due(at(119)), Due::Nothing);
        assert_eq!(pulse.deadline(), at(120));
        assert_eq!(pulse.due(at(120)), Due::Ping);
        assert_eq!(pulse.due(at(121)), Due::Nothing);
        assert_eq!(pulse.deadline(), at(160));
        pulse.heard(at(122));
        assert_eq!(pulse.due(at(141)), Due::Nothing);
        assert_eq!(pulse.due(at(142)), Due::Ping);
        assert_eq!(pulse.due(at(182)), Due::GiveUp);
    }
}
