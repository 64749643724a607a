//! What a user end says.

use std::fmt;

use bytes::Bytes;

use super::{Winsize, check_protocol, message, status, typ};
use crate::message::{Message, NotUnderstood, prop};

/// A message from a user end to a device.
#[derive(Clone, PartialEq)]
pub enum FromUser {
    /// Start a shell. Web pages give no size and resize at once.
    New {
        /// The size to start with; the device has a default.
        size: Option<Winsize>,
    },
    /// What was typed or pasted, as bytes. Whoever sends to a device splits it first, see
    /// [`crate::limits::split_input`].
    Input(Bytes),
    /// The terminal has another size now. There is never an answer.
    Resize(Winsize),
    /// End the shell.
    Stop {
        /// Why, if it was not the user's wish: sent with error status.
        error: Option<String>,
    },
    /// The answer to a device's ping.
    Pong,
    /// From our web page to our server: all output before this offset has been shown.
    Ack {
        /// Bytes of this viewer's output.
        offset: u64,
    },
}

impl FromUser {
    /// The message, for the session `sid` (empty if not known yet).
    pub fn to_message(&self, sid: &str) -> Message {
        match self {
            FromUser::New { size } => {
                let mut new = message(typ::NEW, sid);
                if let Some(size) = size {
                    size.set_in(&mut new.props);
                }
                new
            }
            FromUser::Input(bytes) => Message {
                body: bytes.clone(),
                ..message(typ::SHELL, sid)
            },
            FromUser::Resize(size) => {
                let mut resize = message(typ::RESIZE, sid);
                size.set_in(&mut resize.props);
                resize
            }
            FromUser::Stop { error } => {
                let mut stop = message(typ::STOP, sid);
                if let Some(error) = error {
                    stop.props.set(prop::STATUS, status::ERROR);
                    stop.body = Bytes::copy_from_slice(error.as_bytes());
                }
                stop
            }
            FromUser::Pong => message(typ::PONG, sid),
            FromUser::Ack { offset } => {
                let mut ack = message(typ::ACK, sid);
                ack.props.set(prop::OFFSET, *offset);
                ack
            }
        }
    }
}

impl TryFrom<&Message> for FromUser {
    type Error = NotUnderstood;

    fn try_from(message: &Message) -> Result<Self, NotUnderstood> {
        check_protocol(message)?;
        Ok(match message.typ.as_str() {
            typ::NEW => FromUser::New {
                size: Winsize::from_props(&message.props),
            },
            typ::SHELL => FromUser::Input(message.body.clone()),
            typ::RESIZE => FromUser::Resize(
                Winsize::from_props(&message.props).ok_or(NotUnderstood::Field("terminal size"))?,
            ),
            typ::STOP => FromUser::Stop {
                error: (message.props.get_int(prop::STATUS) == Some(status::ERROR))
                    .then(|| String::from_utf8_lossy(&message.body).into_owned()),
            },
            typ::PONG => FromUser::Pong,
            typ::ACK => FromUser::Ack {
                offset: message
                    .props
                    .get_int(prop::OFFSET)
                    .and_then(|offset| u64::try_from(offset).ok())
                    .ok_or(NotUnderstood::Field("offset"))?,
            },
            other => return Err(NotUnderstood::Type(other.to_owned())),
        })
    }
}

/// Never shows what was typed.
impl fmt::Debug for FromUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FromUser::New { size } => f.debug_struct("New").field("size", size).finish(),
            FromUser::Input(bytes) => write!(f, "Input({} bytes)", bytes.len()),
            FromUser::Resize(size) => f.debug_tuple("Resize").field(size).finish(),
            FromUser::Stop { error } => f.debug_struct("Stop").field("error", error).finish(),
            FromUser::Pong => f.write_str("Pong"),
            FromUser::Ack { offset } => f.debug_struct("Ack").field("offset", offset).finish(),
        }
    }
}
