//! Protocol 0xFFFF: what stands beneath all others: handshake, errors, signs of life.

use bytes::Bytes;

use crate::decode::body_fields;
use crate::message::{Message, NotUnderstood};
use crate::proto;
use crate::value::{Props, Value};
use crate::write::Writer;

/// Message types of the control protocol.
pub mod typ {
    /// Opens a session; names the versions the sender speaks.
    pub const OPEN: &str = "open";
    /// The answer to [`OPEN`].
    pub const ACCEPT: &str = "accept";
    /// Ends a session. No answer.
    pub const CLOSE: &str = "close";
    /// Something went wrong.
    pub const ERROR: &str = "error";
    /// Is anyone there?
    pub const PING: &str = "ping";
    /// The answer to [`PING`].
    pub const PONG: &str = "pong";
}

/// The words of real agents.
pub mod text {
    /// Answer to an `open` that does not offer version 1.
    pub const VERSION_REJECTED: &str = "handshake rejected: require version 1";

    /// Sent before a silent session is dropped.
    pub const SESSION_TIMEOUT: &str = "session timeout";

    /// Something broke within the agent.
    pub const INTERNAL_ERROR: &str = "internal error";

    /// Answer to a message of a protocol that is unknown or disabled.
    pub fn no_handler(proto: u16) -> String {
        format!("no handler registered for protocol: 0x{proto:04X}")
    }

    /// Answer to a control message of unknown type.
    pub fn not_understood(typ: &str) -> String {
        format!("session: control type message not understood: '{typ}'")
    }

    /// Answer to an `open` whose body cannot be read.
    pub fn bad_handshake(error: &str) -> String {
        format!("failed to decode handshake request: {error}")
    }
}

/// A control message.
#[derive(Clone, PartialEq, Debug)]
pub enum Control {
    /// Opens a session.
    Open {
        /// Protocol versions the sender speaks; only 1 exists.
        versions: Vec<i64>,
    },
    /// The session is open.
    Accept {
        /// The version to be spoken.
        version: i64,
        /// The protocols the device has enabled; real agents send them in any order.
        protocols: Vec<u16>,
    },
    /// Ends the session.
    Close,
    /// Something went wrong.
    Error(Error),
    /// Is anyone there?
    Ping,
    /// Yes.
    Pong,
}

/// Body of a control `error`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Error {
    /// For people.
    pub err: String,
    /// Whether the session ends with it.
    pub close: bool,
    /// 400 to 599 as in HTTP, from 1000 on anything else.
    pub code: Option<i64>,
    /// Protocol of the message that was at fault.
    pub msgproto: Option<u16>,
    /// Type of the message that was at fault.
    pub msgtype: Option<String>,
    /// `props.msgid` of the message that was at fault, if that was text.
    pub msgid: Option<String>,
}

impl Control {
    /// The message, for the session `sid`.
    pub fn to_message(&self, sid: &str) -> Message {
        let (typ, body) = match self {
            Control::Open { versions } => (typ::OPEN, open_body(versions)),
            Control::Accept { version, protocols } => {
                (typ::ACCEPT, accept_body(*version, protocols))
            }
            Control::Close => (typ::CLOSE, Vec::new()),
            Control::Error(error) => (typ::ERROR, error.body()),
            Control::Ping => (typ::PING, Vec::new()),
            Control::Pong => (typ::PONG, Vec::new()),
        };
        Message {
            proto: proto::CONTROL,
            typ: typ.to_owned(),
            sid: sid.to_owned(),
            props: Props::new(),
            body: Bytes::from(body),
        }
    }
}

impl TryFrom<&Message> for Control {
    type Error = NotUnderstood;

    fn try_from(message: &Message) -> Result<Self, NotUnderstood> {
        if message.proto != proto::CONTROL {
            return Err(NotUnderstood::Protocol(message.proto));
        }
        Ok(match message.typ.as_str() {
            typ::OPEN => {
                let fields = body_fields(&message.body)?;
                Control::Open {
                    versions: integers(&fields, "versions")?,
                }
            }
            typ::ACCEPT => {
                let fields = body_fields(&message.body)?;
                Control::Accept {
                    version: fields
                        .get_int("version")
                        .ok_or(NotUnderstood::Field("version"))?,
                    protocols: integers(&fields, "protocols")?
                        .into_iter()
                        .filter_map(|number| u16::try_from(number).ok())
                        .collect(),
                }
            }
            typ::CLOSE => Control::Close,
            typ::ERROR => Control::Error(Error::from_fields(&body_fields(&message.body)?)),
            typ::PING => Control::Ping,
            typ::PONG => Control::Pong,
            other => return Err(NotUnderstood::Type(other.to_owned())),
        })
    }
}

impl Error {
    /// The error that answers `offender`.
    pub fn about(offender: &Message, err: impl Into<String>, close: bool) -> Self {
        let msgid = offender.props.get(crate::prop::MSGID);
        Error {
            err: err.into(),
            close,
            code: None,
            msgproto: Some(offender.proto),
            msgtype: Some(offender.typ.clone()),
            msgid: msgid.and_then(Value::as_str).map(str::to_owned),
        }
    }

    fn body(&self) -> Vec<u8> {
        let optional = [
            self.code.is_some(),
            self.msgproto.is_some(),
            self.msgtype.is_some(),
            self.msgid.is_some(),
        ];
        let mut out = Writer::with_capacity(64 + self.err.len());
        out.map(2 + optional.into_iter().filter(|present| *present).count());
        out.str("err");
        out.str(&self.err);
        out.str("close");
        out.bool(self.close);
        if let Some(code) = self.code {
            out.str("code");
            out.int(code);
        }
        if let Some(msgproto) = self.msgproto {
            out.str("msgproto");
            out.u16_fixed(msgproto);
        }
        if let Some(msgtype) = &self.msgtype {
            out.str("msgtype");
            out.str(msgtype);
        }
        if let Some(msgid) = &self.msgid {
            out.str("msgid");
            out.str(msgid);
        }
        out.finish()
    }

    fn from_fields(fields: &Props) -> Self {
        let text = |name| fields.get_str(name).map(str::to_owned);
        Error {
            err: text("err").unwrap_or_default(),
            close: fields
                .get("close")
                .and_then(Value::as_bool)
                .unwrap_or(false),
            code: fields.get_int("code"),
            msgproto: fields
                .get_int("msgproto")
                .and_then(|number| u16::try_from(number).ok()),
            msgtype: text("msgtype"),
            msgid: text("msgid"),
        }
    }
}

fn open_body(versions: &[i64]) -> Vec<u8> {
    let mut out = Writer::with_capacity(16);
    out.map(1);
    out.str("versions");
    out.array(versions.len());
    for version in versions {
        out.int(*version);
    }
    out.finish()
}

fn accept_body(version: i64, protocols: &[u16]) -> Vec<u8> {
    let mut out = Writer::with_capacity(40);
    out.map(2);
    out.str("version");
    out.int(version);
    out.str("protocols");
    out.array(protocols.len());
    for protocol in protocols {
        out.u16_fixed(*protocol);
    }
    out.finish()
}

fn integers(fields: &Props, name: &'static str) -> Result<Vec<i64>, NotUnderstood> {
    let values = fields
        .get(name)
        .and_then(Value::as_array)
        .ok_or(NotUnderstood::Field(name))?;
    Ok(values.iter().filter_map(Value::as_int).collect())
}
