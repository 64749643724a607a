//! Holds the crate to the golden messages in `tests/golden`.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test"
)]

use bytes::Bytes;
use longwire_protocol::{Message, Props, Receiver, Value, decode, encode};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    name: String,
    #[allow(dead_code, reason = "for people")]
    source: String,
    direction: String,
    receiver: String,
    hex: String,
    message: Fields,
    canonical: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    proto: u16,
    typ: String,
    sid: String,
    props: serde_json::Map<String, serde_json::Value>,
    body: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rejected {
    name: String,
    hex: String,
    error: String,
}

fn unhex(text: &str) -> Bytes {
    assert!(text.len().is_multiple_of(2), "odd hex: {text}");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex"))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Number(number) => Value::from(number.as_i64().expect("an integer")),
        serde_json::Value::String(text) => Value::from(text.as_str()),
        other => panic!("golden messages have no property like {other}"),
    }
}

fn props_by_name(props: &Props) -> Vec<(&str, &Value)> {
    let mut sorted: Vec<_> = props.iter().collect();
    sorted.sort_by_key(|(name, _)| *name);
    sorted
}

fn hold(file: &str, at_least: usize) {
    let entries: Vec<Golden> = serde_json::from_str(file).expect("golden messages");
    assert!(
        entries.len() >= at_least,
        "only {} golden messages",
        entries.len()
    );
    for golden in entries {
        let name = &golden.name;
        let message = decode(unhex(&golden.hex)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut props = Props::new();
        for (key, json) in &golden.message.props {
            props.set(key, value(json));
        }
        assert_eq!(message.proto, golden.message.proto, "{name}");
        assert_eq!(message.typ, golden.message.typ, "{name}");
        assert_eq!(message.sid, golden.message.sid, "{name}");
        assert_eq!(
            props_by_name(&message.props),
            props_by_name(&props),
            "{name}"
        );
        assert_eq!(hex(&message.body), golden.message.body, "{name}");

        let receiver = match golden.receiver.as_str() {
            "device" => Receiver::Device,
            "server" => Receiver::Server,
            "user" => Receiver::User,
            other => panic!("{name}: receiver {other}"),
        };
        assert!(
            [
                "user-to-server",
                "server-to-user",
                "server-to-device",
                "device-to-server"
            ]
            .contains(&golden.direction.as_str()),
            "{name}: direction {}",
            golden.direction
        );
        let canonical = golden.canonical.as_ref().unwrap_or(&golden.hex);
        let written = encode(&message, receiver);
        assert_eq!(&hex(&written), canonical, "{name}");
        let again: Message = decode(written).expect("what we wrote");
        assert_eq!(again, message, "{name}");
    }
}

#[test]
fn shell_messages_are_read_and_written_as_on_the_wire() {
    hold(include_str!("golden/shell.json"), 25);
}

#[test]
fn other_messages_are_read_and_written_as_on_the_wire() {
    hold(include_str!("golden/others.json"), 10);
}

#[test]
fn item_15_web_messages_in_odd_forms_are_read_and_written_anew() {
    hold(include_str!("golden/tolerated.json"), 10);
}

#[test]
fn what_is_no_message_is_refused_with_its_reason() {
    let entries: Vec<Rejected> =
        serde_json::from_str(include_str!("golden/rejected.json")).expect("golden messages");
    assert!(entries.len() >= 15);
    for rejected in entries {
        let error = decode(unhex(&rejected.hex)).expect_err(&rejected.name);
        assert_eq!(error.to_string(), rejected.error, "{}", rejected.name);
    }
}
