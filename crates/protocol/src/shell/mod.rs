//! Protocol 1: a remote shell.
//!
//! A user end sends [`FromUser`], a device (or the server on its behalf) [`FromDevice`]. Every
//! message carries the session id that the server gave; a user end does not know it until the reply
//! to its first message and may leave it empty. Properties that only pass through (`user_id`,
//! `offset`) are set on and read from the [`Message`] itself.

mod device;
pub mod text;
mod user;

pub use device::{Ended, FromDevice, Stop};
pub use user::FromUser;

use crate::message::{Message, NotUnderstood, prop};
use crate::proto;
use crate::value::Props;

/// Message types of the shell protocol.
pub mod typ {
    /// Start a shell; its answer.
    pub const NEW: &str = "new";
    /// Input or output.
    pub const SHELL: &str = "shell";
    /// Set the size.
    pub const RESIZE: &str = "resize";
    /// End a shell; it has ended.
    pub const STOP: &str = "stop";
    /// Device to user: is anyone there?
    pub const PING: &str = "ping";
    /// The answer to [`PING`].
    pub const PONG: &str = "pong";
    /// Server to user, in a played recording: wait.
    pub const DELAY: &str = "delay";
    /// Browser to server, ours: output has been shown up to an offset.
    pub const ACK: &str = "ack";
}

/// The `status` property.
pub mod status {
    /// All is well.
    pub const NORMAL: i64 = 1;
    /// The body says what went wrong.
    pub const ERROR: i64 = 2;
    /// About the session itself, as a ping is.
    pub const CONTROL: i64 = 3;
}

/// How often a device asks whether anyone is there, in seconds.
pub const PING_INTERVAL_S: u64 = 60;

/// How long a device waits for the answer, in seconds; the `timeout` of its pings.
pub const PING_TIMEOUT_S: u32 = 65;

/// The size of a terminal in character cells; neither is ever 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Winsize {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub cols: u16,
}

impl Winsize {
    /// The size, unless one of the two is 0.
    pub fn new(rows: u16, cols: u16) -> Option<Self> {
        (rows > 0 && cols > 0).then_some(Winsize { rows, cols })
    }

    /// The size that a message's properties give: both between 1 and 65535, else neither counts.
    pub fn from_props(props: &Props) -> Option<Self> {
        let size = |name| u16::try_from(props.get_int(name)?).ok();
        Winsize::new(size(prop::TERMINAL_HEIGHT)?, size(prop::TERMINAL_WIDTH)?)
    }

    fn set_in(self, props: &mut Props) {
        props.set(prop::TERMINAL_WIDTH, self.cols);
        props.set(prop::TERMINAL_HEIGHT, self.rows);
    }
}

/// A shell message without body or properties.
fn message(typ: &str, sid: &str) -> Message {
    Message {
        proto: proto::SHELL,
        typ: typ.to_owned(),
        sid: sid.to_owned(),
        ..Message::default()
    }
}

fn check_protocol(message: &Message) -> Result<(), NotUnderstood> {
    if message.proto == proto::SHELL {
        Ok(())
    } else {
        Err(NotUnderstood::Protocol(message.proto))
    }
}
