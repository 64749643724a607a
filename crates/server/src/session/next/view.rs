//! Sessions as they are seen from outside.

use longwire_protocol::shell::Winsize;

use crate::ids::UserId;
use crate::time::Timestamp;

/// A session as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// Its id; no credential.
    pub sid: String,
    /// Whose it is.
    pub owner: UserId,
    /// Their e-mail address.
    pub owner_email: String,
    /// Where it stands.
    pub state: SessionState,
    /// When it was opened.
    pub started_at: Timestamp,
    /// Since when nobody looks, if nobody does.
    pub detached_at: Option<Timestamp>,
    /// Whether the device keeps what is not acknowledged.
    pub lossless: bool,
    /// The terminal's size, if known.
    pub size: Option<Winsize>,
    /// The title a program gave it; empty if none did.
    pub title: String,
    /// Counts changes of control.
    pub epoch: u64,
    /// Who looks, in the order they came.
    pub viewers: Vec<ViewerView>,
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// Somebody looks.
    Attached,
    /// Nobody does; the shell runs on.
    Detached,
    /// It is to end, and the device has not said yet that it has.
    Ending,
}

/// One who looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewerView {
    /// E-mail address.
    pub email: String,
    /// Whether their typing counts.
    pub control: bool,
    /// Since when.
    pub since: Timestamp,
}
