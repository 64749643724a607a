//! What the sessions of a device are told at their start.

use std::time::{Duration, Instant};

use crate::time::Timestamp;

/// How long a session may live with nobody looking at it, unless configured otherwise.
pub const DETACH_GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// The settings of [`super::DeviceSessions`].
pub struct Settings {
    /// Which run of the server this is; said to every peer.
    pub instance: String,
    /// This moment.
    pub now: Instant,
    /// The same by the wall's clock.
    pub wall: Timestamp,
    /// How long a session may live with nobody looking at it.
    pub detach_grace: Duration,
    /// Makes the ids of sessions that plain ends ask for. Never the same twice.
    pub new_sid: Box<dyn FnMut() -> String + Send>,
}
