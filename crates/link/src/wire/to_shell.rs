//! Messages to the end where the shell is.

use bytes::Bytes;
use longwire_protocol::shell::{self as plain, FromUser, Winsize};
use longwire_protocol::{Message, Props, prop as known, proto};

use super::{Fields, prop, shell, typ};
use crate::error::LinkError;
use crate::limits::MAX_BODY;

/// A message from the user end.
#[derive(Clone, PartialEq, Debug)]
pub enum ToShell {
    /// Start a shell, unless this session has one.
    New {
        /// Whose input counts first.
        epoch: u64,
        /// The size to start with.
        size: Option<Winsize>,
        /// What else is said, `user_id` above all; passed through.
        more: Props,
    },
    /// Go on with a session on this link.
    Resume {
        /// The first byte of output that is missing; `None` if only the screen is wanted.
        have: Option<u64>,
        /// The epoch the sender knows; 0 if none.
        epoch: u64,
        /// The size the terminal has to have.
        size: Option<Winsize>,
        /// What else is said; passed through.
        more: Props,
    },
    /// Input.
    Input {
        /// Offset of its first byte.
        offset: u64,
        /// The epoch it belongs to.
        epoch: u64,
        /// What was typed.
        bytes: Bytes,
    },
    /// The terminal has to have this size.
    Resize(Winsize),
    /// An interrupt character was typed that cannot be sent yet.
    Interrupt {
        /// Its offset in the input.
        offset: u64,
        /// The epoch it belongs to.
        epoch: u64,
        /// The character.
        byte: u8,
    },
    /// From here on input counts only if it is of this epoch.
    Epoch(u64),
    /// Input before this offset will never come.
    Skip {
        /// Where input continues.
        offset: u64,
        /// The epoch it belongs to.
        epoch: u64,
    },
    /// Output before the offset is safe.
    Ack {
        /// The offset.
        offset: u64,
        /// And so is the end of the session.
        end: bool,
    },
    /// End the shell.
    Stop {
        /// Why, if it was not the user's wish.
        error: Option<String>,
        /// Nobody wants what it still says.
        forget: bool,
    },
}

impl ToShell {
    /// The message, for the session `sid`.
    pub fn to_message(&self, sid: &str) -> Message {
        match self {
            ToShell::New { epoch, size, more } => {
                let mut message = FromUser::New { size: *size }.to_message(sid);
                message.props.set(prop::EPOCH, *epoch);
                add(&mut message.props, more);
                message
            }
            ToShell::Resume {
                have,
                epoch,
                size,
                more,
            } => {
                let mut message = FromUser::New { size: *size }.to_message(sid);
                typ::RESUME.clone_into(&mut message.typ);
                if let Some(have) = have {
                    message.props.set(known::OFFSET, *have);
                }
                if *epoch > 0 {
                    message.props.set(prop::EPOCH, *epoch);
                }
                add(&mut message.props, more);
                message
            }
            ToShell::Input {
                offset,
                epoch,
                bytes,
            } => Message {
                body: bytes.clone(),
                ..at(plain::typ::SHELL, sid, *offset, *epoch)
            },
            ToShell::Resize(size) => FromUser::Resize(*size).to_message(sid),
            ToShell::Interrupt {
                offset,
                epoch,
                byte,
            } => Message {
                body: Bytes::copy_from_slice(&[*byte]),
                ..at(typ::INTERRUPT, sid, *offset, *epoch)
            },
            ToShell::Epoch(epoch) => shell(typ::EPOCH, sid, Props::new().with(prop::EPOCH, *epoch)),
            ToShell::Skip { offset, epoch } => at(typ::SKIP, sid, *offset, *epoch),
            ToShell::Ack { offset, end } => {
                let mut message = FromUser::Ack { offset: *offset }.to_message(sid);
                if *end {
                    message.props.set(prop::END, true);
                }
                message
            }
            ToShell::Stop { error, forget } => {
                let mut message = FromUser::Stop {
                    error: error.clone(),
                }
                .to_message(sid);
                if *forget {
                    message.props.set(prop::FORGET, true);
                }
                message
            }
        }
    }

    /// Reads a message from the user end; `None` if its type is unknown or belongs elsewhere.
    ///
    /// # Errors
    /// When the type is known but its fields break the rules.
    pub fn read(message: &Message) -> Result<Option<Self>, LinkError> {
        if message.proto != proto::SHELL {
            return Ok(None);
        }
        let fields = Fields::of(message);
        let epoch = || {
            let epoch = fields.number(prop::EPOCH)?;
            (epoch > 0)
                .then_some(epoch)
                .ok_or_else(|| fields.wrong(prop::EPOCH))
        };
        let size = || Winsize::from_props(&message.props);
        Ok(Some(match message.typ.as_str() {
            plain::typ::NEW => ToShell::New {
                epoch: epoch()?,
                size: size(),
                more: rest(&message.props),
            },
            typ::RESUME => ToShell::Resume {
                have: fields.optional(known::OFFSET)?,
                epoch: fields.optional(prop::EPOCH)?.unwrap_or(0),
                size: size(),
                more: rest(&message.props),
            },
            plain::typ::SHELL if message.body.len() > MAX_BODY => {
                return Err(LinkError::TooMuch("input"));
            }
            plain::typ::SHELL => ToShell::Input {
                offset: fields.number(known::OFFSET)?,
                epoch: epoch()?,
                bytes: message.body.clone(),
            },
            plain::typ::RESIZE => ToShell::Resize(size().ok_or_else(|| fields.wrong("size"))?),
            typ::INTERRUPT => ToShell::Interrupt {
                offset: fields.number(known::OFFSET)?,
                epoch: epoch()?,
                byte: match message.body.as_ref() {
                    [byte] => *byte,
                    _ => return Err(fields.wrong("body")),
                },
            },
            typ::EPOCH => ToShell::Epoch(epoch()?),
            typ::SKIP => ToShell::Skip {
                offset: fields.number(known::OFFSET)?,
                epoch: epoch()?,
            },
            plain::typ::ACK => ToShell::Ack {
                offset: fields.number(known::OFFSET)?,
                end: fields.is(prop::END, false)?,
            },
            plain::typ::STOP => {
                let error = FromUser::try_from(message)
                    .map_err(|error| LinkError::not_understood(&message.typ, error))?;
                ToShell::Stop {
                    error: if let FromUser::Stop { error } = error {
                        error
                    } else {
                        None
                    },
                    forget: fields.is(prop::FORGET, false)?,
                }
            }
            _ => return Ok(None),
        }))
    }
}

fn at(typ: &str, sid: &str, offset: u64, epoch: u64) -> Message {
    let props = Props::new()
        .with(known::OFFSET, offset)
        .with(prop::EPOCH, epoch);
    shell(typ, sid, props)
}

/// Adds what the message does not say already.
fn add(props: &mut Props, more: &Props) {
    for (name, value) in more.iter() {
        if props.get(name).is_none() {
            props.set(name, value.clone());
        }
    }
}

/// What is said beyond the properties of the stream.
fn rest(props: &Props) -> Props {
    let mut rest = props.clone();
    for name in [
        prop::EPOCH,
        known::OFFSET,
        known::TERMINAL_WIDTH,
        known::TERMINAL_HEIGHT,
    ] {
        rest.remove(name);
    }
    rest
}
