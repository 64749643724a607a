//! What is known of a session from outside: plain data.

use std::sync::Arc;

use longwire_protocol::shell::Winsize;

use crate::ids::{DeviceId, UserId};
use crate::time::Timestamp;

/// A session as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveSession {
    /// Its id; no credential.
    pub id: String,
    /// Where its shell runs.
    pub device: DeviceId,
    /// Whose it is.
    pub owner: UserId,
    /// The owner's e-mail address.
    pub owner_email: String,
    /// Whether anybody is there.
    pub state: SessionState,
    /// When it was opened.
    pub started_at: Timestamp,
    /// Since when nobody is there, if nobody is.
    pub detached_at: Option<Timestamp>,
    /// Whether output survives a lost link of the device.
    pub lossless: bool,
    /// The terminal's size, if known.
    pub size: Option<Winsize>,
    /// The title that a program in it has set.
    pub title: Option<String>,
    /// Counts changes of control.
    pub epoch: u64,
    /// Who is there, in the order they came.
    pub viewers: Vec<Present>,
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// Somebody is there.
    Attached,
    /// Nobody is there; the shell runs on.
    Detached,
    /// It is to end, and the device has not said yet that it has.
    Ending,
}

/// One who is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// E-mail address.
    pub email: String,
    /// Whether their typing counts.
    pub control: bool,
    /// Since when they are there.
    pub since: Timestamp,
}

/// A session has begun, changed or ended.
#[derive(Clone, Debug)]
pub struct SessionChange {
    /// The session as it is now, or as it was last.
    pub session: Arc<LiveSession>,
    /// It is over.
    pub is_over: bool,
}
