//! A plain device's link: whether it stands, and whether the device behind it is alive.

use std::time::{Duration, Instant};

use longwire_protocol::Message;
use longwire_protocol::control::Control;

/// How long such a device may be away before its sessions end. A real agent needs up to 21 s to come back.
pub const AWAY_MAX: Duration = Duration::from_secs(30);

/// How often a device is asked for a sign of life. Pings of websockets do not do: mender-client's proxy
/// answers them itself, and a real agent one of whose writes has failed reads on without ever saying
/// anything again.
const ASK_EVERY: Duration = Duration::from_secs(28);

/// How long a device may say nothing. A real agent that ends sixteen shells is busy for 64 s.
const SILENCE_MAX: Duration = Duration::from_secs(75);

/// The session id of these questions; no session of an operator has it.
const ASK_SID: &str = "heartbeat";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    Up {
        /// When the device said something last.
        heard_at: Instant,
        /// When it is asked next.
        ask_at: Instant,
    },
    Away {
        since: Instant,
    },
    #[default]
    Gone,
}

/// What is due on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The device is to be asked for a sign of life.
    Question,
    /// The device has given none.
    Cut,
    /// The device has not come back.
    GiveUp,
}

/// A device's link.
#[derive(Debug, Default)]
pub(super) struct Link(State);

impl Link {
    /// A new link stands.
    pub(super) fn up(&mut self, now: Instant) {
        self.0 = State::Up {
            heard_at: now,
            ask_at: now + ASK_EVERY,
        };
    }

    /// The link is lost.
    pub(super) fn down(&mut self, now: Instant) {
        if self.is_up() {
            self.0 = State::Away { since: now };
        }
    }

    /// There are sessions of a device that has not come yet.
    pub(super) fn expect(&mut self, now: Instant) {
        if self.is_gone() {
            self.0 = State::Away { since: now };
        }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.0, State::Up { .. })
    }

    /// Whether the device is not expected back.
    pub(super) fn is_gone(&self) -> bool {
        self.0 == State::Gone
    }

    /// The device has said something.
    pub(super) fn heard(&mut self, now: Instant) {
        if let State::Up { heard_at, .. } = &mut self.0 {
            *heard_at = now;
        }
    }

    /// The question for a sign of life.
    pub(super) fn question() -> Message {
        Control::Ping.to_message(ASK_SID)
    }

    /// What is due now; it counts as done.
    pub(super) fn due(&mut self, now: Instant) -> Option<Due> {
        match &mut self.0 {
            State::Up { heard_at, .. } if *heard_at + SILENCE_MAX <= now => {
                self.0 = State::Away { since: now };
                Some(Due::Cut)
            }
            State::Up { ask_at, .. } if *ask_at <= now => {
                *ask_at = now + ASK_EVERY;
                Some(Due::Question)
            }
            State::Away { since } if *since + AWAY_MAX <= now => {
                self.0 = State::Gone;
                Some(Due::GiveUp)
            }
            State::Up { .. } | State::Away { .. } | State::Gone => None,
        }
    }

    /// When something will be due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.0 {
            State::Up { heard_at, ask_at } => Some(ask_at.min(heard_at + SILENCE_MAX)),
            State::Away { since } => Some(since + AWAY_MAX),
            State::Gone => None,
        }
    }
}
