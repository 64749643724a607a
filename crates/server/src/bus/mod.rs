//! How an operator's websocket reaches the process that holds the device's link.
//!
//! There may be several server processes, and the two websockets of a terminal may end in different ones.
//! Everything that crosses between them is in this module's types, as plain data. Nothing outside of it
//! knows that other processes exist.

mod live;
mod memory;

use std::sync::Arc;

use async_trait::async_trait;
use longwire_protocol::Message;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::ids::DeviceId;
use crate::session::{CloseReason, EndReason, Owner, ViewerId, ViewerKind};

pub use live::{LiveSession, Present, SessionChange, SessionState};
pub use memory::InProcess;

/// The way from an operator's websocket to a device.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Whether the device has a link to any process.
    async fn is_connected(&self, device: DeviceId) -> bool;

    /// Opens a session on the device, without a shell as yet.
    ///
    /// # Errors
    /// When the device is not there, or takes no more sessions.
    async fn open(&self, device: DeviceId, viewer: NewViewer) -> Result<Terminal, OpenError>;

    /// All sessions there are, newest first.
    async fn sessions(&self) -> Vec<Arc<LiveSession>>;

    /// Hears of every session that begins, changes or ends from now on.
    fn session_changes(&self) -> broadcast::Receiver<SessionChange>;
}

/// Why no session can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The device has no link.
    #[error("device disconnected")]
    Disconnected,
    /// The device has as many sessions as the server allows.
    #[error("the device has too many open sessions")]
    TooMany,
}

/// An operator's end that wants a session.
#[derive(Clone, Debug)]
pub struct NewViewer {
    /// Whose it is.
    pub owner: Owner,
    /// What it can do.
    pub kind: ViewerKind,
}

/// The operator's side of an open session. Whoever holds it ends it with [`ToSession::Gone`].
#[derive(Debug)]
pub struct Terminal {
    /// Names this end.
    pub viewer: ViewerId,
    /// To the session. Never blocks for long: the session does not wait for anybody.
    pub to_session: mpsc::Sender<(ViewerId, ToSession)>,
    /// From the session. It ends when the session does.
    pub from_session: mpsc::Receiver<FromSession>,
    /// Overtakes everything else: the end is to be closed now.
    pub cut: oneshot::Receiver<CloseReason>,
}

/// From an operator's end to its session.
#[derive(Clone, Debug)]
pub enum ToSession {
    /// The operator's end said something and paid for it.
    Said {
        /// What it said.
        message: Message,
        /// Credits, see [`FromSession::Credit`].
        cost: u32,
    },
    /// Messages have been written to the socket.
    Written {
        /// How many.
        messages: usize,
        /// Bytes of output among them.
        output: usize,
    },
    /// The operator's end is lost, or has left.
    Gone,
    /// The operator may not go on.
    End(EndReason),
}

/// From a session to the operator's end.
#[derive(Clone, Debug)]
pub enum FromSession {
    /// To be sent.
    Message(Message),
    /// Credits given back. An end begins with [`CREDITS`] and says nothing it cannot pay for, so that
    /// what waits for a device that does not read is bounded.
    Credit(u32),
    /// To be closed after what came before.
    Close(CloseReason),
}

/// Credits an operator's end has at first.
pub const CREDITS: u32 = 16;

/// What a message of `bytes` costs: at most everything, so that any message can be paid for.
#[must_use]
pub fn cost(bytes: usize) -> u32 {
    let parts = bytes / (64 * 1024) + 1;
    u32::try_from(parts).map_or(CREDITS, |parts| parts.min(CREDITS))
}
