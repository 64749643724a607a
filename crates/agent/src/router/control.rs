//! The router's own sessions: handshake, pings, and an end for those that fall silent. Pure: the
//! time is an argument.
//!
//! Every message that is not for a shell opens a session under its id, as with real agents; a
//! handshake is not required. Shells have no part in this.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use longwire_protocol::control::{Control, Error, text};
use longwire_protocol::{Message, NotUnderstood, mender_client, proto};

/// Silence after which a session is pinged.
const PING_AFTER: Duration = Duration::from_secs(48);
/// Silence after which it is dropped.
const DROP_AFTER: Duration = Duration::from_secs(60);
/// Sessions there may be at a time; a real server has a few.
const MOST_SESSIONS: usize = 128;
/// The only version of the protocol.
const VERSION: i64 = 1;

/// What a message leads to.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Nothing to say.
    Silence,
    /// An answer.
    Answer(Message),
    /// An order to the device's Mender client; the answer follows when it has been carried out.
    RunMenderClient(Message),
}

/// The sessions and when they were last heard of.
#[derive(Debug)]
pub(crate) struct ControlSessions {
    /// Protocols that are enabled, as the handshake lists them.
    protocols: Vec<u16>,
    sessions: HashMap<String, Silence>,
}

#[derive(Debug)]
struct Silence {
    since: Instant,
    pinged: bool,
}

impl Silence {
    fn due(&self) -> Instant {
        self.since + if self.pinged { DROP_AFTER } else { PING_AFTER }
    }
}

impl ControlSessions {
    /// Starts without sessions, for a device with the given protocols enabled.
    pub(crate) fn new(protocols: Vec<u16>) -> Self {
        Self {
            protocols,
            sessions: HashMap::new(),
        }
    }

    /// Takes a message of any protocol but the shell's.
    pub(crate) fn message(&mut self, now: Instant, message: Message) -> Verdict {
        if !self.sessions.contains_key(&message.sid) && self.sessions.len() >= MOST_SESSIONS {
            return answer_error(&message, "too many sessions", true);
        }
        self.sessions.insert(
            message.sid.clone(),
            Silence {
                since: now,
                pinged: false,
            },
        );
        if message.proto != proto::CONTROL && !self.protocols.contains(&message.proto) {
            return answer_error(&message, text::no_handler(message.proto), false);
        }
        match message.proto {
            proto::CONTROL => self.control(&message),
            proto::MENDER_CLIENT => mender_order(message),
            other => answer_error(&message, text::no_handler(other), false),
        }
    }

    /// The next moment at which [`Self::tick`] has something to send.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.sessions.values().map(Silence::due).min()
    }

    /// Pings silent sessions and drops those that stayed silent.
    pub(crate) fn tick(&mut self, now: Instant) -> Vec<Message> {
        let mut messages = Vec::new();
        self.sessions.retain(|sid, silence| {
            if silence.due() > now {
                return true;
            }
            if silence.pinged {
                let timeout = Error {
                    err: text::SESSION_TIMEOUT.to_owned(),
                    close: true,
                    ..Error::default()
                };
                messages.push(Control::Error(timeout).to_message(sid));
                return false;
            }
            silence.pinged = true;
            messages.push(Control::Ping.to_message(sid));
            true
        });
        messages
    }

    fn control(&mut self, message: &Message) -> Verdict {
        let control = match Control::try_from(message) {
            Ok(control) => control,
            Err(NotUnderstood::Type(typ)) => {
                return answer_error(message, text::not_understood(&typ), false);
            }
            Err(error) if message.typ == longwire_protocol::control::typ::OPEN => {
                self.sessions.remove(&message.sid);
                return answer_error(message, text::bad_handshake(&error.to_string()), true);
            }
            // An `accept` or `error` that cannot be read asks for nothing.
            Err(_) => return Verdict::Silence,
        };
        match control {
            Control::Open { versions } if versions.contains(&VERSION) => {
                let protocols = self.protocols.clone();
                let accept = Control::Accept {
                    version: VERSION,
                    protocols,
                };
                Verdict::Answer(accept.to_message(&message.sid))
            }
            Control::Open { .. } => {
                self.sessions.remove(&message.sid);
                answer_error(message, text::VERSION_REJECTED, true)
            }
            Control::Ping => Verdict::Answer(Control::Pong.to_message(&message.sid)),
            Control::Pong => Verdict::Silence,
            Control::Close | Control::Error(Error { close: true, .. }) => {
                self.sessions.remove(&message.sid);
                Verdict::Silence
            }
            Control::Error(_) => Verdict::Silence,
            Control::Accept { .. } => {
                answer_error(message, text::not_understood(&message.typ), false)
            }
        }
    }
}

fn mender_order(message: Message) -> Verdict {
    use mender_client::typ::{CHECK_UPDATE, SEND_INVENTORY};
    if [CHECK_UPDATE, SEND_INVENTORY].contains(&message.typ.as_str()) {
        Verdict::RunMenderClient(message)
    } else {
        let text = mender_client::text::UNKNOWN_TYPE;
        Verdict::Answer(super::mender::answer(&message, Err(text.to_owned())))
    }
}

fn answer_error(offender: &Message, text: impl Into<String>, close: bool) -> Verdict {
    let error = Control::Error(Error::about(offender, text, close));
    Verdict::Answer(error.to_message(&offender.sid))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn sessions() -> ControlSessions {
        ControlSessions::new(vec![proto::SHELL, proto::MENDER_CLIENT])
    }

    fn from_server(proto: u16, typ: &str, sid: &str) -> Message {
        Message {
            proto,
            typ: typ.into(),
            sid: sid.into(),
            ..Message::default()
        }
    }

    fn error_of(verdict: Verdict) -> Error {
        let Verdict::Answer(message) = verdict else {
            panic!("no answer: {verdict:?}")
        };
        let Control::Error(error) = Control::try_from(&message).unwrap() else {
            panic!("no error: {message:?}");
        };
        error
    }

    #[test]
    fn item_51_a_silent_session_is_pinged_after_48_and_dropped_after_60_seconds() {
        let start = Instant::now();
        let mut sessions = sessions();
        sessions.message(start, Control::Ping.to_message("s"));
        assert_eq!(sessions.due(), Some(start + 48 * SECOND));
        assert!(sessions.tick(start + 47 * SECOND).is_empty());
        assert_eq!(
            sessions.tick(start + 48 * SECOND),
            [Control::Ping.to_message("s")]
        );
        assert_eq!(sessions.due(), Some(start + 60 * SECOND));
        assert!(sessions.tick(start + 59 * SECOND).is_empty());
        let messages = sessions.tick(start + 60 * SECOND);
        let Control::Error(error) = Control::try_from(&messages[0]).unwrap() else {
            panic!("no error: {messages:?}");
        };
        assert_eq!((error.err.as_str(), error.close), ("session timeout", true));
        assert_eq!((messages.len(), sessions.due()), (1, None));
    }

    #[test]
    fn item_51_any_message_keeps_a_session() {
        let start = Instant::now();
        let mut sessions = sessions();
        sessions.message(start, Control::Ping.to_message("s"));
        assert_eq!(sessions.tick(start + 48 * SECOND).len(), 1);
        sessions.message(start + 59 * SECOND, Control::Pong.to_message("s"));
        assert!(sessions.tick(start + 60 * SECOND).is_empty());
        assert_eq!(sessions.due(), Some(start + 107 * SECOND));
    }

    #[test]
    fn a_handshake_lists_what_is_enabled() {
        let open = Control::Open {
            versions: vec![2, 1],
        }
        .to_message("s");
        let Verdict::Answer(answer) = sessions().message(Instant::now(), open) else {
            panic!("no answer");
        };
        let accept = Control::Accept {
            version: 1,
            protocols: vec![1, 4],
        };
        assert_eq!(answer, accept.to_message("s"));
    }

    #[test]
    fn item_46_a_handshake_for_another_version_is_rejected() {
        let mut sessions = sessions();
        let open = Control::Open { versions: vec![2] }.to_message("s2");
        let error = error_of(sessions.message(Instant::now(), open));
        assert_eq!(
            error,
            Error {
                err: "handshake rejected: require version 1".into(),
                close: true,
                msgproto: Some(0xFFFF),
                msgtype: Some("open".into()),
                ..Error::default()
            }
        );
        assert_eq!(sessions.due(), None);
    }

    #[test]
    fn item_46_disabled_and_unknown_protocols_have_no_handler() {
        let mut sessions = sessions();
        for (proto, text) in [
            (
                proto::FILE_TRANSFER,
                "no handler registered for protocol: 0x0002",
            ),
            (
                proto::PORT_FORWARD,
                "no handler registered for protocol: 0x0003",
            ),
            (0x1ABC, "no handler registered for protocol: 0x1ABC"),
        ] {
            let mut message = from_server(proto, "stat", "s");
            message.props.set("msgid", "m-1");
            let error = error_of(sessions.message(Instant::now(), message));
            assert_eq!((error.err.as_str(), error.close), (text, false));
            assert_eq!(error.msgproto, Some(proto));
            assert_eq!(error.msgtype.as_deref(), Some("stat"));
            assert_eq!(error.msgid.as_deref(), Some("m-1"));
        }
    }

    #[test]
    fn item_46_unknown_control_messages_are_named() {
        let message = from_server(proto::CONTROL, "dance", "s");
        let error = error_of(sessions().message(Instant::now(), message));
        assert_eq!(
            error.err,
            "session: control type message not understood: 'dance'"
        );
        let mut broken = from_server(proto::CONTROL, "open", "s");
        broken.body = bytes::Bytes::from_static(b"\xc1");
        let error = error_of(sessions().message(Instant::now(), broken));
        assert!(
            error
                .err
                .starts_with("failed to decode handshake request: "),
            "{error:?}"
        );
    }

    #[test]
    fn a_close_is_not_answered() {
        let mut sessions = sessions();
        let now = Instant::now();
        sessions.message(now, Control::Ping.to_message("s"));
        assert_eq!(
            sessions.message(now, Control::Close.to_message("s")),
            Verdict::Silence
        );
        assert_eq!(sessions.due(), None);
    }

    #[test]
    fn orders_for_the_mender_client_are_told_from_others() {
        let mut sessions = sessions();
        let order = from_server(proto::MENDER_CLIENT, "check-update", "");
        assert_eq!(
            sessions.message(Instant::now(), order.clone()),
            Verdict::RunMenderClient(order)
        );
        let unknown = from_server(proto::MENDER_CLIENT, "reboot", "");
        let Verdict::Answer(answer) = sessions.message(Instant::now(), unknown) else {
            panic!("no answer");
        };
        assert_eq!(
            (answer.typ.as_str(), answer.props.get_int("status")),
            ("reboot", Some(2))
        );
        assert_eq!(&answer.body[..], b"unknown message type");
    }

    #[test]
    fn sessions_are_bounded() {
        let mut sessions = sessions();
        let now = Instant::now();
        for n in 0..MOST_SESSIONS {
            sessions.message(now, Control::Ping.to_message(&n.to_string()));
        }
        let error = error_of(sessions.message(now, Control::Ping.to_message("more")));
        assert!(error.close);
        let known = sessions.message(now, Control::Ping.to_message("0"));
        assert_eq!(known, Verdict::Answer(Control::Pong.to_message("0")));
    }
}
