//! The envelope of every message.

use std::fmt;

use bytes::Bytes;

use crate::value::Props;

/// One message between a user end, a server and a device.
///
/// What is absent on the wire is empty here: an empty `typ`, `sid`, `props` or `body` and a missing
/// one are the same thing to every peer.
#[derive(Clone, PartialEq, Default)]
pub struct Message {
    /// Protocol number, see [`crate::proto`].
    pub proto: u16,
    /// Message type within the protocol.
    pub typ: String,
    /// Session id: opaque text, given by the server.
    pub sid: String,
    /// Properties.
    pub props: Props,
    /// Payload; its form depends on protocol and type. Terminal data is bytes, never text.
    pub body: Bytes,
}

/// Shows everything but the payload, which may be what someone types or sees.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("proto", &self.proto)
            .field("typ", &self.typ)
            .field("sid", &self.sid)
            .field("props", &self.props)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish()
    }
}

/// Names of the properties that peers know.
pub mod prop {
    /// Integer: 1 normal, 2 error, 3 control.
    pub const STATUS: &str = "status";
    /// Integer, seconds: how long a device waits for the answer to its shell ping.
    pub const TIMEOUT: &str = "timeout";
    /// Integer: columns.
    pub const TERMINAL_WIDTH: &str = "terminal_width";
    /// Integer: rows.
    pub const TERMINAL_HEIGHT: &str = "terminal_height";
    /// Text: the user on whose behalf the server sends a message.
    pub const USER_ID: &str = "user_id";
    /// Integer: bytes before this message's first, in a file or a shell's output.
    pub const OFFSET: &str = "offset";
    /// Integer, milliseconds up to 65535: a pause in a played recording.
    pub const DELAY_VALUE: &str = "delay_value";
    /// Text: names one forwarded connection within a session.
    pub const CONNECTION_ID: &str = "connection_id";
    /// Text: names a message, so that an error can refer to it.
    pub const MSGID: &str = "msgid";
    /// Text, ours: why a shell ended, see [`crate::shell::Ended`].
    pub const REASON: &str = "reason";
    /// Integer, ours: what the shell's process returned.
    pub const EXIT_STATUS: &str = "exit_status";
    /// Bool, ours, in a user's `new`: false where nobody looks at a screen, so that the server puts no
    /// words of its own (the device is away, say) into the output.
    pub const NOTICES: &str = "notices";
}

/// Why a well-formed message means nothing to the protocol that was asked to read it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotUnderstood {
    /// The message belongs to another protocol.
    #[error("message of protocol {0:#06x}")]
    Protocol(u16),
    /// The protocol has no such type, or not in this direction.
    #[error("unknown message type {0:?}")]
    Type(String),
    /// A property or a field of the body is missing or has another form.
    #[error("missing or malformed {0}")]
    Field(&'static str),
    /// The body is not what the type says it is.
    #[error("malformed body: {0}")]
    Body(#[from] crate::DecodeError),
}
