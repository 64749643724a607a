//! From a message to whoever acts on it, and back to the answer.

mod control;
mod mender;
mod stream;

use std::sync::Arc;
use std::time::Instant;

use longwire_protocol::control::{Control, Error};
use longwire_protocol::shell::{FromDevice, FromUser, text};
use longwire_protocol::{Message, NotUnderstood, decode, prop, proto};

use self::control::{ControlSessions, Verdict};
use self::mender::MenderClient;
use crate::config::Config;
use crate::connection::outbox::{Answers, Outbox};
use crate::session::Sessions;
use crate::shared_end::SharedEnd;

/// Takes the messages of every link, one after another; its sessions outlive the links.
#[derive(Debug)]
pub(crate) struct Router {
    config: Arc<Config>,
    sessions: Sessions,
    control: ControlSessions,
    mender: MenderClient,
    answers: Answers,
    end: SharedEnd,
}

impl Router {
    /// Makes a router without sessions.
    pub(crate) fn new(config: Arc<Config>, outbox: Outbox, answers: Answers) -> Self {
        let end = SharedEnd::new(config.max_shells);
        let mut protocols = Vec::new();
        if !config.terminal_disabled {
            protocols.push(proto::SHELL);
        }
        if !config.mender_client_disabled {
            protocols.push(proto::MENDER_CLIENT);
        }
        Self {
            sessions: Sessions::new(Arc::clone(&config), outbox, end.clone()),
            control: ControlSessions::new(protocols),
            mender: MenderClient::new(answers.clone()),
            answers,
            end,
            config,
        }
    }

    /// The shells.
    pub(crate) fn sessions(&mut self) -> &mut Sessions {
        &mut self.sessions
    }

    /// Acts on the bytes of one message of a plain link. Waits only for room for the answer, and
    /// briefly for a shell that is slow to take input.
    pub(crate) async fn receive(&mut self, bytes: bytes::Bytes) {
        match decode(bytes) {
            Ok(message) if message.proto == proto::SHELL => self.shell(&message).await,
            Ok(message) => self.other(message).await,
            Err(error) => {
                log::warn!("the server sent a malformed message: {error}");
                let err = format!("malformed message: {error}");
                let error = Control::Error(Error {
                    err,
                    ..Error::default()
                });
                self.answers.send(error.to_message("")).await;
            }
        }
    }

    /// The next moment at which [`Self::tick`] has something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.control.due()
    }

    /// Pings or drops silent sessions.
    pub(crate) async fn tick(&mut self, now: Instant) {
        for message in self.control.tick(now) {
            self.answers.send(message).await;
        }
    }

    async fn shell(&mut self, message: &Message) {
        let sid = message.sid.as_str();
        let user = message.props.get_str(prop::USER_ID).unwrap_or_default();
        let order = FromUser::try_from(message);
        let answer = match order {
            _ if self.config.terminal_disabled => Some(unknown(message)),
            Ok(FromUser::New { size }) => self.sessions.open(sid, user, size),
            Ok(FromUser::Input(bytes)) => self.sessions.input(sid, bytes).await,
            Ok(FromUser::Resize(size)) => {
                self.sessions.resize(sid, size);
                None
            }
            Ok(FromUser::Stop { .. }) => self.sessions.stop(sid, user),
            Ok(FromUser::Pong) => {
                self.sessions.pong(sid);
                None
            }
            // A resize without a size: there is never an answer to one.
            Err(NotUnderstood::Field(_)) => None,
            Ok(FromUser::Ack { .. })
            | Err(NotUnderstood::Type(_) | NotUnderstood::Protocol(_) | NotUnderstood::Body(_)) => {
                Some(unknown(message))
            }
        };
        if let Some(answer) = answer {
            self.answers.send(answer.to_message(sid)).await;
        }
    }

    async fn other(&mut self, message: Message) {
        let answer = match self.control.message(Instant::now(), message) {
            Verdict::Silence => None,
            Verdict::Answer(answer) => Some(answer),
            Verdict::RunMenderClient(order) => self.mender.run(order),
        };
        if let Some(answer) = answer {
            self.answers.send(answer).await;
        }
    }
}

fn unknown(message: &Message) -> FromDevice {
    FromDevice::Failed {
        typ: message.typ.clone(),
        text: text::unknown_message(message.proto, &message.typ),
    }
}
