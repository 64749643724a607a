//! What is known of a session from outside: plain data.

use std::sync::Arc;

use crate::ids::DeviceId;
use crate::session::SessionView;

/// A session as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveSession {
    /// Where its shell runs.
    pub device: DeviceId,
    /// What its owner and everybody else may see of it.
    pub view: SessionView,
}

/// A session has begun, changed or ended.
#[derive(Clone, Debug)]
pub struct SessionChange {
    /// The session as it is now, or as it was last.
    pub session: Arc<LiveSession>,
    /// It is over.
    pub is_over: bool,
}
