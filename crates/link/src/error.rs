//! What ends a link.

use longwire_protocol::control::{self, Control};
use longwire_protocol::{Message, NotUnderstood};

/// Why a link is given up. Sessions live on; only the connection is of no more use.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LinkError {
    /// The peer's first message is not a hello.
    #[error("{0:?} before hello")]
    NoHello(String),
    /// The peer introduced itself twice.
    #[error("second hello")]
    SecondHello,
    /// The peer does not speak our version.
    #[error("version {0} is not spoken here")]
    Version(i64),
    /// A message lacks a field or gives it another form or an impossible value.
    #[error("{typ}: missing or malformed {field}")]
    Malformed {
        /// The message's type.
        typ: String,
        /// The field's name.
        field: &'static str,
    },
    /// A message or list is larger than the peer may make it.
    #[error("too many or too large: {0}")]
    TooMuch(&'static str),
    /// Bytes are missing before those that came.
    #[error("session {sid}: expected offset {expected}, got {offset}")]
    Hole {
        /// The session.
        sid: String,
        /// The next byte we lack.
        expected: u64,
        /// The first byte that came.
        offset: u64,
    },
    /// More was sent than our window allows.
    #[error("session {0}: more than the window allows")]
    OverWindow(String),
    /// Something was acknowledged or reported that was never sent.
    #[error("{0}: more acknowledged than sent")]
    NeverSent(String),
    /// Input for an epoch that was not announced.
    #[error("session {sid}: epoch {epoch} was not announced")]
    Epoch {
        /// The session.
        sid: String,
        /// The epoch the peer spoke of.
        epoch: u64,
    },
    /// A message that has no place where the session stands.
    #[error("session {sid}: unexpected {typ}")]
    Unexpected {
        /// The session.
        sid: String,
        /// The message's type.
        typ: &'static str,
    },
    /// Nothing came from the peer for too long.
    #[error("nothing heard for {} seconds", crate::limits::DEAD_AFTER.as_secs())]
    Silent,
}

impl LinkError {
    /// The last message before the connection is closed: a control `error` that says why.
    pub fn to_message(&self) -> Message {
        Control::Error(control::Error {
            err: self.to_string(),
            close: true,
            ..control::Error::default()
        })
        .to_message("")
    }

    pub(crate) fn malformed(typ: &str, field: &'static str) -> Self {
        LinkError::Malformed {
            typ: typ.to_owned(),
            field,
        }
    }

    pub(crate) fn not_understood(typ: &str, error: NotUnderstood) -> Self {
        let field = if let NotUnderstood::Field(field) = error {
            field
        } else {
            "body"
        };
        LinkError::malformed(typ, field)
    }
}

/// Why a call about a session did nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SessionError {
    /// There is no such session here.
    #[error("no such session")]
    Unknown,
    /// There is one already.
    #[error("the session exists already")]
    Exists,
    /// The session has ended, or has not started.
    #[error("the session is not running")]
    NotRunning,
    /// More bytes than there is room for; nothing was taken.
    #[error("no room for so much")]
    NoRoom,
    /// This end does not control the session, or not in that epoch.
    #[error("not in control of the session")]
    NotInControl,
    /// The id is empty or longer than [`crate::limits::MAX_SID`], or a screen or message too large.
    #[error("too large")]
    TooLarge,
    /// An offset or epoch that goes back, or leaves bytes out.
    #[error("offset or epoch out of order")]
    OutOfOrder,
}
