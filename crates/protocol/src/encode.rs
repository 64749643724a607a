//! To the wire: one form for each receiver.

use bytes::Bytes;

use crate::message::{Message, prop};
use crate::value::Value;
use crate::write::Writer;

/// Who will read a message. Some peers insist on the width of some integers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Receiver {
    /// An agent, real or ours.
    Device,
    /// A server, real or ours, reading from a device or a user.
    Server,
    /// A user's end: a command line program or a web page.
    User,
}

/// Writes one message in the form that `receiver` understands.
///
/// `proto` always takes three bytes. `offset` always takes nine, because agents refuse any other;
/// so do `status` and `timeout` towards a [`Receiver::User`], because mender-cli ignores any other
/// and then hangs. `delay_value` is cut to 16 bits, because a browser takes a wider one for a
/// BigInt. Everything else is minimal. Empty fields are left out; the body is always bytes.
pub fn encode(message: &Message, receiver: Receiver) -> Bytes {
    let mut out = Writer::with_capacity(message.body.len() + 160);
    out.map(1 + usize::from(!message.body.is_empty()));
    out.str("hdr");
    header(&mut out, message, receiver);
    if !message.body.is_empty() {
        out.str("body");
        out.bin(&message.body);
    }
    Bytes::from(out.finish())
}

fn header(out: &mut Writer, message: &Message, receiver: Receiver) {
    let fields = [
        !message.typ.is_empty(),
        !message.sid.is_empty(),
        !message.props.is_empty(),
    ];
    out.map(1 + fields.into_iter().filter(|present| *present).count());
    out.str("proto");
    out.u16_fixed(message.proto);
    if !message.typ.is_empty() {
        out.str("typ");
        out.str(&message.typ);
    }
    if !message.sid.is_empty() {
        out.str("sid");
        out.str(&message.sid);
    }
    if !message.props.is_empty() {
        out.str("props");
        out.map(message.props.len());
        for (name, value) in message.props.iter() {
            out.str(name);
            property(out, name, value, receiver);
        }
    }
}

fn property(out: &mut Writer, name: &str, value: &Value, receiver: Receiver) {
    let number = match (name, value) {
        (prop::DELAY_VALUE, Value::UInt(_)) => i64::MAX,
        (_, Value::Int(number)) => *number,
        _ => return out.value(value),
    };
    match (name, receiver) {
        (prop::OFFSET, _) | (prop::STATUS | prop::TIMEOUT, Receiver::User) => {
            out.i64_fixed(number);
        }
        (prop::DELAY_VALUE, _) => {
            out.u16_fixed(number.clamp(0, i64::from(u16::MAX)) as u16);
        }
        _ => out.int(number),
    }
}
