//! A device's link: whether it stands, whether the device behind it is alive, and how much is under way.

use std::time::{Duration, Instant};

use longwire_protocol::Message;
use longwire_protocol::control::Control;

use super::effect::Effect;
use super::input::LinkKind;

/// How long a device may be away before its sessions end. A real agent needs up to 21 s to come back.
pub const AWAY_MAX: Duration = Duration::from_secs(30);

/// How often a device is asked for a sign of life. Pings of websockets do not do: mender-client's proxy
/// answers them itself, and a real agent one of whose writes has failed reads on without ever saying
/// anything again.
const ASK_EVERY: Duration = Duration::from_secs(28);

/// How long a device may say nothing. A real agent that ends sixteen shells is busy for 64 s.
const SILENCE_MAX: Duration = Duration::from_secs(75);

/// The session id of these questions; no session of an operator has it.
const ASK_SID: &str = "heartbeat";

/// Messages and bytes under way to the device's socket before more input waits.
const UNDER_WAY_MESSAGES_MAX: usize = 64;
const UNDER_WAY_BYTES_MAX: usize = 128 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up {
        #[allow(dead_code, reason = "there is one kind as yet")]
        kind: LinkKind,
        /// When the device said something last.
        heard_at: Instant,
        /// When it is asked next.
        ask_at: Instant,
    },
    Away {
        since: Instant,
    },
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
pub(super) struct Link {
    state: State,
    /// Messages and bytes sent that have not been written.
    messages: usize,
    bytes: usize,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            state: State::Gone,
            messages: 0,
            bytes: 0,
        }
    }
}

impl Link {
    /// A new link stands.
    pub(super) fn up(&mut self, kind: LinkKind, now: Instant) {
        *self = Self {
            state: State::Up {
                kind,
                heard_at: now,
                ask_at: now + ASK_EVERY,
            },
            ..Self::default()
        };
    }

    /// The link is lost.
    pub(super) fn down(&mut self, now: Instant) {
        if self.is_up() {
            self.state = State::Away { since: now };
        }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.state, State::Up { .. })
    }

    /// Whether the device is not expected back.
    pub(super) fn is_gone(&self) -> bool {
        self.state == State::Gone
    }

    /// The device has said something.
    pub(super) fn heard(&mut self, now: Instant) {
        if let State::Up { heard_at, .. } = &mut self.state {
            *heard_at = now;
        }
    }

    /// The question for a sign of life.
    pub(super) fn question() -> Message {
        Control::Ping.to_message(ASK_SID)
    }

    /// What is due now; it counts as done.
    pub(super) fn due(&mut self, now: Instant) -> Option<Due> {
        match &mut self.state {
            State::Up { heard_at, .. } if *heard_at + SILENCE_MAX <= now => {
                self.state = State::Away { since: now };
                Some(Due::Cut)
            }
            State::Up { ask_at, .. } if *ask_at <= now => {
                *ask_at = now + ASK_EVERY;
                Some(Due::Question)
            }
            State::Away { since } if *since + AWAY_MAX <= now => {
                self.state = State::Gone;
                Some(Due::GiveUp)
            }
            State::Up { .. } | State::Away { .. } | State::Gone => None,
        }
    }

    /// When something will be due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Up {
                heard_at, ask_at, ..
            } => Some(ask_at.min(heard_at + SILENCE_MAX)),
            State::Away { since } => Some(since + AWAY_MAX),
            State::Gone => None,
        }
    }

    /// Whether more input may be sent.
    pub(super) fn has_room(&self) -> bool {
        self.is_up() && self.messages < UNDER_WAY_MESSAGES_MAX && self.bytes < UNDER_WAY_BYTES_MAX
    }

    /// Counts the messages to the device among these.
    pub(super) fn sent<'e>(&mut self, effects: impl IntoIterator<Item = &'e Effect>) {
        for effect in effects {
            if let Effect::ToDevice(message) = effect {
                self.messages += 1;
                self.bytes += message.body.len();
            }
        }
    }

    /// Messages have been written to the socket.
    pub(super) fn wrote(&mut self, messages: usize, bytes: usize) {
        self.messages = self.messages.saturating_sub(messages);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}
