//! Protocol 3: TCP connections and UDP datagrams through a device.
//!
//! Each connection is named by the property [`crate::prop::CONNECTION_ID`], chosen by the user end.
//! Exactly one [`typ::FORWARD`] may be unacknowledged per connection and direction, and a surplus
//! [`typ::ACK`] kills a real agent.

use bytes::Bytes;

use crate::decode::body_fields;
use crate::message::NotUnderstood;
use crate::write::Writer;

/// Message types of the port-forward protocol.
pub mod typ {
    /// Connect; connected (without body).
    pub const NEW: &str = "new";
    /// A block of up to [`crate::limits::FORWARD_BLOCK`] bytes.
    pub const FORWARD: &str = "forward";
    /// One block has been passed on.
    pub const ACK: &str = "ack";
    /// The connection is closed.
    pub const STOP: &str = "stop";
    /// Something went wrong; real agents do not say on which connection.
    pub const ERROR: &str = "error";
}

/// The words of real agents.
pub mod text {
    /// A `new` without all it needs.
    pub const INCOMPLETE: &str =
        "invalid port-forward message: missing connection_id, remote_port or protocol";
    /// A message for a connection that is not there.
    pub const UNKNOWN_CONNECTION: &str = "unknown connection";
    /// A message type that is not known.
    pub const UNKNOWN_TYPE: &str = "unknown message type";

    /// A `new` for neither TCP nor UDP.
    pub fn unknown_protocol(protocol: &str) -> String {
        format!("unknown protocol: {protocol}")
    }
}

/// Body of a user end's `new`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct New {
    /// Name or address that the device connects to.
    pub remote_host: String,
    /// Its port.
    pub remote_port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
}

impl New {
    /// The body.
    pub fn to_body(&self) -> Bytes {
        let mut out = Writer::with_capacity(64);
        out.map(3);
        out.str("remote_host");
        out.str(&self.remote_host);
        out.str("remote_port");
        out.u16_fixed(self.remote_port);
        out.str("protocol");
        out.str(&self.protocol);
        Bytes::from(out.finish())
    }

    /// Reads a body.
    pub fn from_body(body: &Bytes) -> Result<Self, NotUnderstood> {
        let fields = body_fields(body)?;
        let text = |name| {
            fields
                .get_str(name)
                .map(str::to_owned)
                .ok_or(NotUnderstood::Field(name))
        };
        Ok(New {
            remote_host: text("remote_host")?,
            remote_port: fields
                .get_int("remote_port")
                .and_then(|port| u16::try_from(port).ok())
                .ok_or(NotUnderstood::Field("remote_port"))?,
            protocol: text("protocol")?,
        })
    }
}
