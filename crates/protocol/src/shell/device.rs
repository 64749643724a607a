//! What a device says, and what the server says in its place.

use std::fmt;

use bytes::Bytes;

use super::{Winsize, check_protocol, message, status, text, typ};
use crate::message::{Message, NotUnderstood, prop};

/// A message from a device to a user end.
#[derive(Clone, PartialEq)]
pub enum FromDevice {
    /// The shell runs.
    Started,
    /// The shell could not be started, and why.
    Refused(String),
    /// Output, as bytes. Real agents send up to 255 at a time and cut characters in two.
    Output(Bytes),
    /// Input could not be delivered, and why. This is no output: it is not to be shown as such.
    InputFailed(String),
    /// The shell has ended, or a request to end it has been answered.
    Stop(Stop),
    /// Is anyone there?
    Ping {
        /// How long the device waits for the answer, if it says so.
        timeout_s: Option<u32>,
    },
    /// A message of some other type was refused, and why.
    Failed {
        /// The type of the refused message.
        typ: String,
        /// The device's words.
        text: String,
    },
    /// In a played recording: wait.
    Delay {
        /// Milliseconds.
        ms: u16,
    },
    /// In a played recording: the terminal had this size from here on.
    Resize(Winsize),
}

/// The end of a shell.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stop {
    /// Whether the status is *error*, which real agents also send when a shell just exits; a plain
    /// answer to a `stop` is none.
    pub error: bool,
    /// Why the shell ended; only our agent and our server say so.
    pub reason: Option<Ended>,
    /// What the shell's process returned; only with [`Ended::Exited`].
    pub exit_status: Option<i32>,
    /// For people.
    pub text: String,
}

/// Why a session ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ended {
    /// The shell's process returned by itself.
    Exited,
    /// The shell's process was killed by a signal that we did not send.
    Signaled,
    /// Someone asked for it.
    Stopped,
    /// Nothing was typed or shown for too long.
    Idle,
    /// It was open for too long.
    Expired,
    /// The device could not be reached for too long.
    DeviceGone,
    /// A limit was exceeded.
    OverLimit,
    /// It was not allowed, or not allowed any more.
    Refused,
}

impl Ended {
    /// All there are.
    pub const ALL: [Ended; 8] = [
        Ended::Exited,
        Ended::Signaled,
        Ended::Stopped,
        Ended::Idle,
        Ended::Expired,
        Ended::DeviceGone,
        Ended::OverLimit,
        Ended::Refused,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Ended::Exited => "exited",
            Ended::Signaled => "signaled",
            Ended::Stopped => "stopped",
            Ended::Idle => "idle",
            Ended::Expired => "expired",
            Ended::DeviceGone => "device_gone",
            Ended::OverLimit => "over_limit",
            Ended::Refused => "refused",
        }
    }

    /// The reason called `word`; a newer peer may have words we do not know.
    pub fn from_word(word: &str) -> Option<Ended> {
        Ended::ALL.into_iter().find(|ended| ended.as_str() == word)
    }
}

impl FromDevice {
    /// The message, for the session `sid`.
    pub fn to_message(&self, sid: &str) -> Message {
        match self {
            FromDevice::Started => answer(typ::NEW, sid, status::NORMAL, text::STARTED),
            FromDevice::Refused(why) => answer(typ::NEW, sid, status::ERROR, why),
            FromDevice::Output(bytes) => Message {
                body: bytes.clone(),
                ..answer(typ::SHELL, sid, status::NORMAL, "")
            },
            FromDevice::InputFailed(why) => answer(typ::SHELL, sid, status::ERROR, why),
            FromDevice::Stop(stop) => {
                let status = if stop.error {
                    status::ERROR
                } else {
                    status::NORMAL
                };
                let mut message = answer(typ::STOP, sid, status, &stop.text);
                if let Some(reason) = stop.reason {
                    message.props.set(prop::REASON, reason.as_str());
                }
                if let Some(exit_status) = stop.exit_status {
                    message.props.set(prop::EXIT_STATUS, exit_status);
                }
                message
            }
            FromDevice::Ping { timeout_s } => {
                let mut ping = message(typ::PING, sid);
                if let Some(timeout_s) = timeout_s {
                    ping.props.set(prop::TIMEOUT, *timeout_s);
                }
                ping.props.set(prop::STATUS, status::CONTROL);
                ping
            }
            FromDevice::Failed { typ, text } => answer(typ, sid, status::ERROR, text),
            FromDevice::Delay { ms } => {
                let mut delay = message(typ::DELAY, sid);
                delay.props.set(prop::DELAY_VALUE, *ms);
                delay
            }
            FromDevice::Resize(size) => {
                let mut resize = message(typ::RESIZE, sid);
                size.set_in(&mut resize.props);
                resize
            }
        }
    }
}

impl TryFrom<&Message> for FromDevice {
    type Error = NotUnderstood;

    fn try_from(message: &Message) -> Result<Self, NotUnderstood> {
        check_protocol(message)?;
        let props = &message.props;
        let words = || String::from_utf8_lossy(&message.body).into_owned();
        let error = props.get_int(prop::STATUS) == Some(status::ERROR);
        Ok(match message.typ.as_str() {
            typ::NEW if error => FromDevice::Refused(words()),
            typ::NEW => FromDevice::Started,
            typ::SHELL if error => FromDevice::InputFailed(words()),
            typ::SHELL => FromDevice::Output(message.body.clone()),
            typ::STOP => FromDevice::Stop(Stop {
                error,
                reason: props.get_str(prop::REASON).and_then(Ended::from_word),
                exit_status: props
                    .get_int(prop::EXIT_STATUS)
                    .and_then(|status| i32::try_from(status).ok()),
                text: words(),
            }),
            typ::PING if !error => FromDevice::Ping {
                timeout_s: props
                    .get_int(prop::TIMEOUT)
                    .and_then(|seconds| u32::try_from(seconds).ok()),
            },
            typ::DELAY if !error => {
                let ms = props.get_int(prop::DELAY_VALUE);
                FromDevice::Delay {
                    ms: ms
                        .and_then(|ms| u16::try_from(ms).ok())
                        .ok_or(NotUnderstood::Field(prop::DELAY_VALUE))?,
                }
            }
            typ::RESIZE if !error => FromDevice::Resize(
                Winsize::from_props(props).ok_or(NotUnderstood::Field("terminal size"))?,
            ),
            other if error => FromDevice::Failed {
                typ: other.to_owned(),
                text: words(),
            },
            other => return Err(NotUnderstood::Type(other.to_owned())),
        })
    }
}

fn answer(typ: &str, sid: &str, status: i64, text: &str) -> Message {
    let mut answer = message(typ, sid);
    answer.props.set(prop::STATUS, status);
    answer.body = Bytes::copy_from_slice(text.as_bytes());
    answer
}

/// Never shows output.
impl fmt::Debug for FromDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FromDevice::Started => f.write_str("Started"),
            FromDevice::Refused(why) => f.debug_tuple("Refused").field(why).finish(),
            FromDevice::Output(bytes) => write!(f, "Output({} bytes)", bytes.len()),
            FromDevice::InputFailed(why) => f.debug_tuple("InputFailed").field(why).finish(),
            FromDevice::Stop(stop) => stop.fmt(f),
            FromDevice::Ping { timeout_s } => f
                .debug_struct("Ping")
                .field("timeout_s", timeout_s)
                .finish(),
            FromDevice::Failed { typ, text } => f
                .debug_struct("Failed")
                .field("typ", typ)
                .field("text", text)
                .finish(),
            FromDevice::Delay { ms } => f.debug_struct("Delay").field("ms", ms).finish(),
            FromDevice::Resize(size) => f.debug_tuple("Resize").field(size).finish(),
        }
    }
}
