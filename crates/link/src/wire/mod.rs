//! The messages of the stream as types, and their form on the wire.
//!
//! Everything is a [`Message`] of the protocol crate: the shell types that plain peers know with a
//! few more properties, and some types of our own. A type that is not known reads as `None` and is
//! for whoever holds the link; a property that is not known is not looked at.

mod on_link;
mod to_shell;
mod to_user;

pub use on_link::{Hello, OnLink};
pub use to_shell::ToShell;
pub use to_user::{State, ToUser};

use longwire_protocol::{Message, Props, proto};

use crate::error::LinkError;
use crate::limits::MAX_OFFSET;

/// Types beside those of [`longwire_protocol::shell::typ`] and [`longwire_protocol::control::typ`].
pub mod typ {
    /// Both ends, first of all: who speaks.
    pub const HELLO: &str = "hello";
    /// To the shell end: how much of the link's output has come in.
    pub const RECEIVED: &str = "received";
    /// To the shell end: go on with a session on this link.
    pub const RESUME: &str = "resume";
    /// To the user end: where a session stands.
    pub const STATE: &str = "state";
    /// To the shell end: an interrupt character was typed that the window keeps back.
    pub const INTERRUPT: &str = "interrupt";
    /// Who is in control has changed.
    pub const EPOCH: &str = "epoch";
    /// To the shell end: input before an offset will never come.
    pub const SKIP: &str = "skip";
    /// To the user end: the whole screen in place of the bytes before an offset.
    pub const SCREEN: &str = "screen";
    /// To the user end: there is no such session.
    pub const UNKNOWN: &str = "unknown";
}

/// Properties beside those of [`longwire_protocol::prop`].
pub mod prop {
    /// Integer: the version of the stream.
    pub const VERSION: &str = "version";
    /// List of text: what the sender can do beyond the version.
    pub const FEATURES: &str = "features";
    /// Text: which run of which program this is; another one after each restart.
    pub const INSTANCE: &str = "instance";
    /// Integer, bytes: what the sender takes in per session beyond what it has acknowledged.
    pub const WINDOW: &str = "window";
    /// List of text: the sessions a device holds.
    pub const SESSIONS: &str = "sessions";
    /// Integer, counted bytes since the link began.
    pub const BYTES: &str = "bytes";
    /// Integer, from 1 up: whose input counts.
    pub const EPOCH: &str = "epoch";
    /// Integer: the input offset up to which input has been applied.
    pub const INPUT: &str = "input";
    /// Integer: input bytes thrown away in this session so far because of interrupts.
    pub const DROPPED: &str = "dropped";
    /// Truth value, absent for true: whether the receiver's input counts in this epoch.
    pub const CONTROL: &str = "control";
    /// Integer: milliseconds since the shell's start.
    pub const TIME_MS: &str = "time_ms";
    /// Truth value: the end of the session is recorded as well.
    pub const END: &str = "end";
    /// Truth value: and forget the session, nobody wants its rest.
    pub const FORGET: &str = "forget";
}

/// A message of the shell protocol without body.
fn shell(typ: &str, sid: &str, props: Props) -> Message {
    Message {
        proto: proto::SHELL,
        typ: typ.to_owned(),
        sid: sid.to_owned(),
        props,
        ..Message::default()
    }
}

/// Reads the fields of one message and says which one is wrong.
struct Fields<'a> {
    message: &'a Message,
}

impl<'a> Fields<'a> {
    fn of(message: &'a Message) -> Self {
        Fields { message }
    }

    fn wrong(&self, field: &'static str) -> LinkError {
        LinkError::malformed(&self.message.typ, field)
    }

    /// A count or offset that may be left out.
    fn optional(&self, name: &'static str) -> Result<Option<u64>, LinkError> {
        let Some(value) = self.message.props.get(name) else {
            return Ok(None);
        };
        value
            .as_int()
            .and_then(|value| u64::try_from(value).ok())
            .filter(|value| *value <= MAX_OFFSET)
            .map(Some)
            .ok_or_else(|| self.wrong(name))
    }

    fn number(&self, name: &'static str) -> Result<u64, LinkError> {
        self.optional(name)?.ok_or_else(|| self.wrong(name))
    }

    fn is(&self, name: &'static str, absent: bool) -> Result<bool, LinkError> {
        let Some(value) = self.message.props.get(name) else {
            return Ok(absent);
        };
        value.as_bool().ok_or_else(|| self.wrong(name))
    }
}
