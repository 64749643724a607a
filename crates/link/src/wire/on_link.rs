//! Messages about the link itself. Their session id is empty.

use std::collections::BTreeSet;

use longwire_protocol::control::{self, Control};
use longwire_protocol::{Message, Props, Value, proto};

use super::{Fields, prop, typ};
use crate::error::LinkError;
use crate::limits::{
    INPUT_WINDOW, MAX_FEATURES, MAX_LISTED, MAX_SID, MAX_WINDOW, MAX_WORD, OUTPUT_WINDOW, VERSION,
};

/// How an end introduces itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The highest version it speaks; it speaks all lower ones too.
    pub version: i64,
    /// What it can do beyond the version.
    pub features: BTreeSet<String>,
    /// Which run of which program it is.
    pub instance: String,
    /// What it takes in per session beyond what it has acknowledged.
    pub window: u64,
    /// The sessions it holds; only a device says so.
    pub sessions: Option<BTreeSet<String>>,
}

/// A message about the link.
#[derive(Clone, PartialEq, Debug)]
pub enum OnLink {
    /// The first message each way.
    Hello(Hello),
    /// Counted bytes of output that have come in since the link began.
    Received {
        /// See [`crate::limits::MESSAGE_COST`].
        bytes: u64,
    },
    /// Are you there?
    Ping,
    /// Yes.
    Pong,
    /// Something went wrong at the peer.
    Error(control::Error),
}

impl Hello {
    /// An introduction in our version.
    pub fn new(instance: &str, window: u64) -> Self {
        Hello {
            version: VERSION,
            features: BTreeSet::new(),
            instance: instance.to_owned(),
            window,
            sessions: None,
        }
    }

    fn props(&self) -> Props {
        let words =
            |words: &BTreeSet<String>| words.iter().map(|word| word.as_str().into()).collect();
        let mut props = Props::new()
            .with(prop::VERSION, self.version)
            .with(prop::FEATURES, Value::Array(words(&self.features)))
            .with(prop::INSTANCE, self.instance.as_str())
            .with(prop::WINDOW, self.window);
        if let Some(sessions) = &self.sessions {
            props = props.with(prop::SESSIONS, Value::Array(words(sessions)));
        }
        props
    }

    fn read(message: &Message) -> Result<Self, LinkError> {
        let fields = Fields::of(message);
        let version = message
            .props
            .get_int(prop::VERSION)
            .ok_or_else(|| fields.wrong(prop::VERSION))?;
        if version < VERSION {
            return Err(LinkError::Version(version));
        }
        let instance = message.props.get_str(prop::INSTANCE).unwrap_or_default();
        if instance.len() > MAX_WORD {
            return Err(LinkError::TooMuch(prop::INSTANCE));
        }
        let sessions = words(message, prop::SESSIONS, MAX_LISTED, MAX_SID)?;
        let window = fields.optional(prop::WINDOW)?.unwrap_or(INPUT_WINDOW);
        if window == 0 {
            return Err(fields.wrong(prop::WINDOW));
        }
        Ok(Hello {
            version,
            features: words(message, prop::FEATURES, MAX_FEATURES, MAX_WORD)?.unwrap_or_default(),
            instance: instance.to_owned(),
            window: window.min(MAX_WINDOW),
            sessions,
        })
    }
}

impl Default for Hello {
    fn default() -> Self {
        Hello::new("", OUTPUT_WINDOW)
    }
}

/// Texts in a list; what is no text is of a newer peer and not looked at.
fn words(
    message: &Message,
    name: &'static str,
    most: usize,
    longest: usize,
) -> Result<Option<BTreeSet<String>>, LinkError> {
    let Some(value) = message.props.get(name) else {
        return Ok(None);
    };
    let values = value
        .as_array()
        .ok_or_else(|| LinkError::malformed(&message.typ, name))?;
    if values.len() > most {
        return Err(LinkError::TooMuch(name));
    }
    let words: BTreeSet<String> = values
        .iter()
        .filter_map(|value| value.as_str().map(str::to_owned))
        .collect();
    if words.iter().any(|word| word.len() > longest) {
        return Err(LinkError::TooMuch(name));
    }
    Ok(Some(words))
}

impl OnLink {
    /// The message.
    pub fn to_message(&self) -> Message {
        let (typ, props) = match self {
            OnLink::Hello(hello) => (typ::HELLO, hello.props()),
            OnLink::Received { bytes } => (typ::RECEIVED, Props::new().with(prop::BYTES, *bytes)),
            OnLink::Ping => return Control::Ping.to_message(""),
            OnLink::Pong => return Control::Pong.to_message(""),
            OnLink::Error(error) => return Control::Error(error.clone()).to_message(""),
        };
        Message {
            proto: proto::CONTROL,
            typ: typ.to_owned(),
            props,
            ..Message::default()
        }
    }

    /// Reads a message about the link; `None` if it is about something else or of unknown type.
    ///
    /// # Errors
    /// When the type is known but its fields break the rules.
    pub fn read(message: &Message) -> Result<Option<Self>, LinkError> {
        if message.proto != proto::CONTROL || !message.sid.is_empty() {
            return Ok(None);
        }
        Ok(match message.typ.as_str() {
            typ::HELLO => Some(OnLink::Hello(Hello::read(message)?)),
            typ::RECEIVED => Some(OnLink::Received {
                bytes: Fields::of(message).number(prop::BYTES)?,
            }),
            control::typ::PING => Some(OnLink::Ping),
            control::typ::PONG => Some(OnLink::Pong),
            control::typ::ERROR => {
                let control = Control::try_from(message)
                    .map_err(|error| LinkError::not_understood(&message.typ, error))?;
                if let Control::Error(error) = control {
                    Some(OnLink::Error(error))
                } else {
                    None
                }
            }
            _ => None,
        })
    }
}
