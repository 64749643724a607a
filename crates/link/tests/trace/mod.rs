//! Records what one end is told, says and reports, as JSON.

pub mod device;
pub mod viewer;

use bytes::Bytes;
use longwire_protocol::shell::{Stop, Winsize};
use longwire_protocol::{Message, Receiver, decode, encode};
use serde_json::{Value, json};

pub const SID: &str = "4dc3a1b6-53a8-4a5e-9f6f-2d2d2a9f1c11";

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What goes over the wire: its bytes, and the message they are.
pub fn wire(message: &Message, receiver: Receiver) -> (Message, Value) {
    let bytes = encode(message, receiver);
    let text = hex(&bytes);
    (decode(bytes).unwrap(), Value::from(text))
}

/// The steps of one trace.
#[derive(Default)]
pub struct Steps(pub Vec<Value>);

impl Steps {
    pub fn call(&mut self, at_ms: u64, name: &str, arguments: Value) {
        let mut step = json!({ "call": name });
        if at_ms > 0 {
            step["at_ms"] = at_ms.into();
        }
        for (name, value) in arguments.as_object().unwrap() {
            step[name] = value.clone();
        }
        self.0.push(step);
    }

    pub fn push(&mut self, name: &str, value: Value) {
        self.0.push(json!({ name: value }));
    }
}

pub fn event(name: &str, sid: &str, fields: Value) -> Value {
    let mut event = json!({ "event": name });
    if !sid.is_empty() {
        event["sid"] = sid.into();
    }
    for (name, value) in fields.as_object().unwrap() {
        event[name] = value.clone();
    }
    event
}

pub fn size(size: Option<Winsize>) -> Value {
    size.map_or(
        Value::Null,
        |size| json!({ "rows": size.rows, "cols": size.cols }),
    )
}

pub fn bytes(bytes: &Bytes) -> Value {
    Value::from(hex(bytes))
}

pub fn stop(stop: &Stop) -> Value {
    json!({
        "reason": stop.reason.map(longwire_protocol::shell::Ended::as_str),
        "exit_status": stop.exit_status,
        "text": stop.text,
    })
}
