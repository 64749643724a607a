//! What an operator's end says that is about no shell.
//!
//! File transfer and port forwarding do not exist yet. Their messages never reach a device; they are
//! answered as an agent answers that has both switched off.

use longwire_protocol::control::{Control, Error, text};
use longwire_protocol::{Message, NotUnderstood, proto};

/// The one version of the protocol.
const VERSION: i64 = 1;

/// The answer to a message of any protocol but the shell's, if there is one.
pub(super) fn answer(message: &Message) -> Option<Message> {
    if message.proto != proto::CONTROL {
        return Some(refusal(message, text::no_handler(message.proto), false));
    }
    match Control::try_from(message) {
        Ok(Control::Open { versions }) if versions.contains(&VERSION) => Some(
            Control::Accept {
                version: VERSION,
                protocols: vec![proto::SHELL],
            }
            .to_message(&message.sid),
        ),
        Ok(Control::Open { .. }) => Some(refusal(message, text::VERSION_REJECTED.to_owned(), true)),
        Ok(Control::Ping) => Some(Control::Pong.to_message(&message.sid)),
        Ok(Control::Accept { .. } | Control::Close | Control::Error(_) | Control::Pong) => None,
        Err(NotUnderstood::Type(typ)) => Some(refusal(message, text::not_understood(&typ), false)),
        Err(
            error @ (NotUnderstood::Protocol(_) | NotUnderstood::Field(_) | NotUnderstood::Body(_)),
        ) => Some(refusal(
            message,
            text::bad_handshake(&error.to_string()),
            true,
        )),
    }
}

fn refusal(offender: &Message, text: String, close: bool) -> Message {
    Control::Error(Error::about(offender, text, close)).to_message(&offender.sid)
}
