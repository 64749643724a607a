//! How an operator's websocket reaches the process that holds the device's link.
//!
//! There may be several server processes, and the two websockets of a terminal may end in different ones.
//! Everything that crosses between them is in this module's types, as plain data. Nothing outside of it
//! knows that other processes exist.

mod live;
mod memory;

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use longwire_protocol::Message;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::access::Role;
use crate::app::App;
use crate::auth::Principal;
use crate::ids::DeviceId;
use crate::session::{EndReason, Owner, ViewerId, ViewerKind};

pub use live::{LiveSession, SessionChange};
pub use memory::InProcess;

/// The way from an operator's websocket to a device.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Whether the device has a link to any process.
    async fn is_connected(&self, device: DeviceId) -> bool;

    /// Brings an operator's end to the device's sessions. One that speaks `longwire.v1` may come while the
    /// device is away.
    ///
    /// # Errors
    /// When the device is not there, or has as many of them as the server allows.
    async fn open(
        &self,
        app: &App,
        device: DeviceId,
        viewer: NewViewer,
    ) -> Result<Terminal, OpenError>;

    /// Ends a session, on the word of somebody who may; the database knows already.
    async fn end(&self, device: DeviceId, sid: &str, by: Owner);

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

/// An operator's end that has come.
#[derive(Clone, Debug)]
pub struct NewViewer {
    /// Whose it is.
    pub person: Owner,
    /// Who they are, and with which sign-in. What they may do is looked up anew each time.
    pub principal: Principal,
    /// What it can do.
    pub kind: ViewerKind,
}

/// The operator's side of the way to a device's sessions. Whoever holds it ends it with
/// [`ToSession::Gone`].
#[derive(Debug)]
pub struct Terminal {
    /// Names this end.
    pub viewer: ViewerId,
    /// To the session. Never blocks for long: the session does not wait for anybody.
    pub to_session: mpsc::Sender<(ViewerId, ToSession)>,
    /// From the session. It ends when the session does.
    pub from_session: mpsc::Receiver<ToSocket>,
    /// Overtakes everything else: the end is to be closed now.
    pub cut: oneshot::Receiver<Closing>,
}

/// From an operator's end to its session.
#[derive(Clone, Debug)]
pub enum ToSession {
    /// The operator's end said something and paid for it.
    Said {
        /// What it said.
        message: Message,
        /// Credits, see [`ToSocket::Credit`].
        cost: u32,
    },
    /// A message has been written to the socket: there is room for another.
    Written,
    /// The operator's end is lost, or has left.
    Gone,
    /// The operator's roles are these now.
    Rights(Vec<Role>),
    /// The operator may not go on.
    End(EndReason),
}

/// What the task of a websocket is told.
#[derive(Clone, Debug)]
pub enum ToSocket {
    /// To be sent. No more than [`ROOM`] of these wait or are being written, so that what is to be said
    /// next is chosen when it can be said.
    Message(Message),
    /// Credits given back. An operator's end begins with [`CREDITS`] and says nothing it cannot pay for,
    /// so that what waits for a device that does not read is bounded.
    Credit(u32),
    /// To be closed after what came before.
    Close(Closing),
}

/// How a websocket is closed: a code of RFC 6455 or its registry, and words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// The code.
    pub code: u16,
    /// The words; only the first 123 bytes are said.
    pub reason: Cow<'static, str>,
}

/// Messages that a websocket's task has and has not written: one that is being written and the next.
pub const ROOM: usize = 2;

/// Credits an operator's end has at first.
pub const CREDITS: u32 = 16;

/// Credits for a message: one for each begun piece of so many bytes.
const CREDIT_BYTES: usize = 64 * 1024;

/// What a message of `bytes` costs: at most everything there is, so that any message can be paid for.
#[must_use]
pub fn cost(bytes: usize, most: u32) -> u32 {
    let parts = bytes / CREDIT_BYTES + 1;
    u32::try_from(parts).map_or(most, |parts| parts.min(most))
}
