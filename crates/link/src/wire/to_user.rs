//! Messages from the end where the shell is.

use bytes::Bytes;
use longwire_protocol::shell::{self as plain, FromDevice, Stop, Winsize};
use longwire_protocol::{Message, Props, prop as known, proto};

use super::{Fields, prop, shell, typ};
use crate::error::LinkError;
use crate::limits::{MAX_BODY, MAX_SCREEN};

/// A message from the shell end.
#[derive(Clone, PartialEq, Debug)]
pub enum ToUser {
    /// The shell runs.
    Started,
    /// It does not, and why.
    Refused(String),
    /// Where the session stands; the first word about it on a link.
    State(State),
    /// Output.
    Output {
        /// Offset of its first byte.
        offset: u64,
        /// When it was read, in milliseconds since the shell's start.
        time_ms: u64,
        /// The bytes.
        bytes: Bytes,
    },
    /// From this offset on the terminal has this size.
    Resized {
        /// The offset in the output.
        offset: u64,
        /// When, in milliseconds since the shell's start.
        time_ms: u64,
        /// The size.
        size: Winsize,
    },
    /// The screen as all output before the offset makes it.
    Screen {
        /// Where output continues.
        offset: u64,
        /// The size the screen is drawn for.
        size: Option<Winsize>,
        /// What to feed a fresh terminal with.
        bytes: Bytes,
    },
    /// Input before the offset has been applied.
    Ack {
        /// The offset.
        offset: u64,
        /// Input bytes before it that interrupts threw away, since the session's start.
        dropped: u64,
    },
    /// An epoch has begun.
    Epoch {
        /// Its number.
        epoch: u64,
        /// Where its input starts; nothing of an older epoch counts any more.
        offset: u64,
        /// Whether the receiver's input is the one that counts.
        control: bool,
    },
    /// The shell has ended; nothing comes after.
    Ended {
        /// Why.
        stop: Stop,
        /// Where the output ends.
        offset: u64,
    },
    /// There is no such session.
    Unknown,
}

/// Where a session stands at the shell end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct State {
    /// Where output continues on this link. Beyond what the receiver has: a gap.
    pub output: u64,
    /// Where input continues.
    pub input: u64,
    /// The epoch that counts.
    pub epoch: u64,
    /// Whether the receiver's input is the one that counts.
    pub control: bool,
    /// Input bytes that interrupts threw away, since the session's start.
    pub dropped: u64,
}

impl ToUser {
    /// The message, for the session `sid`.
    pub fn to_message(&self, sid: &str) -> Message {
        match self {
            ToUser::Started => FromDevice::Started.to_message(sid),
            ToUser::Refused(why) => FromDevice::Refused(why.clone()).to_message(sid),
            ToUser::State(state) => {
                let mut props = Props::new()
                    .with(known::OFFSET, state.output)
                    .with(prop::INPUT, state.input)
                    .with(prop::EPOCH, state.epoch);
                uncontrolled(&mut props, state.control);
                dropped(&mut props, state.dropped);
                shell(typ::STATE, sid, props)
            }
            ToUser::Output {
                offset,
                time_ms,
                bytes,
            } => {
                let mut message = FromDevice::Output(bytes.clone()).to_message(sid);
                message.props.set(known::OFFSET, *offset);
                message.props.set(prop::TIME_MS, *time_ms);
                message
            }
            ToUser::Resized {
                offset,
                time_ms,
                size,
            } => {
                let mut message = FromDevice::Resize(*size).to_message(sid);
                message.props.set(known::OFFSET, *offset);
                message.props.set(prop::TIME_MS, *time_ms);
                message
            }
            ToUser::Screen {
                offset,
                size,
                bytes,
            } => {
                let mut props = Props::new().with(known::OFFSET, *offset);
                if let Some(size) = size {
                    props.set(known::TERMINAL_WIDTH, size.cols);
                    props.set(known::TERMINAL_HEIGHT, size.rows);
                }
                Message {
                    body: bytes.clone(),
                    ..shell(typ::SCREEN, sid, props)
                }
            }
            ToUser::Ack { offset, dropped: n } => {
                let mut props = Props::new().with(known::OFFSET, *offset);
                dropped(&mut props, *n);
                shell(plain::typ::ACK, sid, props)
            }
            ToUser::Epoch {
                epoch,
                offset,
                control,
            } => {
                let mut props = Props::new()
                    .with(prop::EPOCH, *epoch)
                    .with(known::OFFSET, *offset);
                uncontrolled(&mut props, *control);
                shell(typ::EPOCH, sid, props)
            }
            ToUser::Ended { stop, offset } => {
                let mut message = FromDevice::Stop(stop.clone()).to_message(sid);
                message.props.set(known::OFFSET, *offset);
                message
            }
            ToUser::Unknown => shell(typ::UNKNOWN, sid, Props::new()),
        }
    }

    /// Reads a message from the shell end; `None` if its type is unknown or belongs elsewhere.
    ///
    /// # Errors
    /// When the type is known but its fields break the rules.
    pub fn read(message: &Message) -> Result<Option<Self>, LinkError> {
        if message.proto != proto::SHELL {
            return Ok(None);
        }
        let fields = Fields::of(message);
        let offset = || fields.number(known::OFFSET);
        let time_ms = || Ok::<_, LinkError>(fields.optional(prop::TIME_MS)?.unwrap_or(0));
        let dropped = || Ok::<_, LinkError>(fields.optional(prop::DROPPED)?.unwrap_or(0));
        let size = || Winsize::from_props(&message.props);
        Ok(Some(match message.typ.as_str() {
            typ::STATE => ToUser::State(State {
                output: offset()?,
                input: fields.number(prop::INPUT)?,
                epoch: fields.number(prop::EPOCH)?,
                control: fields.is(prop::CONTROL, true)?,
                dropped: dropped()?,
            }),
            plain::typ::SHELL if message.body.len() > MAX_BODY => {
                return Err(LinkError::TooMuch("output"));
            }
            plain::typ::SHELL => ToUser::Output {
                offset: offset()?,
                time_ms: time_ms()?,
                bytes: message.body.clone(),
            },
            plain::typ::RESIZE => ToUser::Resized {
                offset: offset()?,
                time_ms: time_ms()?,
                size: size().ok_or_else(|| fields.wrong("size"))?,
            },
            typ::SCREEN if message.body.len() > MAX_SCREEN => {
                return Err(LinkError::TooMuch("screen"));
            }
            typ::SCREEN => ToUser::Screen {
                offset: offset()?,
                size: size(),
                bytes: message.body.clone(),
            },
            plain::typ::ACK => ToUser::Ack {
                offset: offset()?,
                dropped: dropped()?,
            },
            typ::EPOCH => ToUser::Epoch {
                epoch: fields.number(prop::EPOCH)?,
                offset: offset()?,
                control: fields.is(prop::CONTROL, true)?,
            },
            typ::UNKNOWN => ToUser::Unknown,
            plain::typ::NEW | plain::typ::STOP => {
                let word = FromDevice::try_from(message)
                    .map_err(|error| LinkError::not_understood(&message.typ, error))?;
                if let FromDevice::Stop(stop) = word {
                    ToUser::Ended {
                        stop,
                        offset: offset()?,
                    }
                } else if let FromDevice::Refused(why) = word {
                    ToUser::Refused(why)
                } else {
                    ToUser::Started
                }
            }
            _ => return Ok(None),
        }))
    }

    /// What the message counts among the bytes in flight, see
    /// [`crate::limits::MESSAGE_COST`]; 0 for everything but output and screens.
    pub fn cost(message: &Message) -> u64 {
        let counts = message.proto == proto::SHELL
            && (message.typ == plain::typ::SHELL || message.typ == typ::SCREEN);
        if counts {
            message.body.len() as u64 + crate::limits::MESSAGE_COST
        } else {
            0
        }
    }
}

fn uncontrolled(props: &mut Props, control: bool) {
    if !control {
        props.set(prop::CONTROL, false);
    }
}

fn dropped(props: &mut Props, dropped: u64) {
    if dropped > 0 {
        props.set(prop::DROPPED, dropped);
    }
}
