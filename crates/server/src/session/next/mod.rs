//! Live terminal sessions: the rules between operators' ends and a device.
//!
//! [`DeviceSessions`] holds all sessions of one device as a state machine: it is fed [`Input`]s with the
//! time they happen at, answers with [`Effect`]s that somebody else carries out, and is asked for what is
//! to be sent whenever there is room for it. It knows no websocket, no database and no other process, and
//! keeps no clock, so that every run can be repeated from its inputs.

mod change;
mod effect;
mod input;
mod settings;
mod view;

pub use change::{Change, Controller, Ending, SessionChange};
pub use effect::{CloseReason, Effect, LinkClose, Opening, ToViewer};
pub use input::{Adopted, EndReason, Input, ReadBack, Trouble};
pub use settings::{DETACH_GRACE, Settings};
pub use view::{SessionState, SessionView, ViewerView};

use std::time::Instant;

use longwire_protocol::Message;

use super::ViewerId;

/// All sessions of one device.
#[derive(Default)]
pub struct DeviceSessions {
    changes: u64,
}

impl DeviceSessions {
    /// No sessions yet, and no link.
    #[must_use]
    pub fn new(_settings: Settings) -> Self {
        Self::default()
    }

    /// Takes note of what happened at `now`, and says what is to be done about it.
    pub fn handle(&mut self, _now: Instant, _input: Input, _effects: &mut Vec<Effect>) {}

    /// The next message for the device. Asked for whenever its link can take one, and not before.
    pub fn to_device(&mut self, _now: Instant) -> Option<Message> {
        None
    }

    /// What is next for an operator's end. Asked for whenever the end can take something, and not before.
    pub fn to_viewer(
        &mut self,
        _now: Instant,
        _viewer: ViewerId,
        _effects: &mut Vec<Effect>,
    ) -> Option<ToViewer> {
        None
    }

    /// Whether there may be something for the device.
    #[must_use]
    pub fn has_for_device(&self) -> bool {
        false
    }

    /// Whether there may be something for an operator's end.
    #[must_use]
    pub fn has_for(&self, _viewer: ViewerId) -> bool {
        false
    }

    /// Whether the device may say more. If not, its link is to be read no further until it may.
    #[must_use]
    pub fn hears_device(&self, _now: Instant) -> bool {
        true
    }

    /// Whether an operator's end may say more.
    #[must_use]
    pub fn hears_viewer(&self, _viewer: ViewerId) -> bool {
        true
    }

    /// When an [`Input::Tick`] is due, or [`Self::hears_device`] may change by itself.
    #[must_use]
    pub fn deadline(&self, _now: Instant) -> Option<Instant> {
        None
    }

    /// Whether there is nothing to remember.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        true
    }

    /// How many operators' ends there are.
    #[must_use]
    pub fn viewers(&self) -> usize {
        0
    }

    /// The sessions as they stand.
    #[must_use]
    pub fn views(&self, _now: Instant) -> Vec<SessionView> {
        Vec::new()
    }

    /// Grows when [`Self::views`] may say something else.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }
}
