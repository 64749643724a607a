//! What plain ends say.

use std::time::Instant;

use longwire_protocol::shell::{Ended, FromDevice, FromUser, Winsize, text};
use longwire_protocol::{Message, NotUnderstood, Value, prop, proto};

use super::change::{Controller, Ending};
use super::device::{DeviceSessions, SESSIONS_MAX};
use super::effect::CloseReason;
use super::no_shell;
use super::opening::DISCONNECTED;
use super::plain_viewer::{PING_INTERVAL, Stream};
use super::viewer::End;
use crate::session::ViewerId;

/// Shells whose last words are still to be said.
const STREAMS_MAX: usize = 4;

impl DeviceSessions {
    pub(super) fn plain_viewer_says(&mut self, now: Instant, id: ViewerId, message: &Message) {
        let answer = if message.proto == proto::SHELL {
            match FromUser::try_from(message) {
                Ok(said) => {
                    let quiet = message.props.get(prop::NOTICES) == Some(&Value::Bool(false));
                    self.plain_user_says(now, id, said, quiet);
                    None
                }
                Err(NotUnderstood::Type(unknown)) => Some(
                    FromDevice::Failed {
                        text: text::unknown_message(message.proto, &unknown),
                        typ: unknown,
                    }
                    .to_message(""),
                ),
                // A size of 0, say. No peer expects an answer to these.
                Err(
                    NotUnderstood::Protocol(_) | NotUnderstood::Field(_) | NotUnderstood::Body(_),
                ) => None,
            }
        } else {
            no_shell::answer(message)
        };
        let Some(plain) = self.viewers.get_mut(&id).and_then(|v| v.plain()) else {
            return;
        };
        if let Some(answer) = answer {
            plain.answer(answer);
        }
        if plain.is_overrun {
            self.cut_viewer(now, id, CloseReason::TooSlow);
        }
    }

    pub(super) fn plain_user_says(
        &mut self,
        now: Instant,
        id: ViewerId,
        said: FromUser,
        quiet: bool,
    ) {
        let Some(viewer) = self
            .viewers
            .get_mut(&id)
            .filter(|v| v.closing.is_none() && v.leave_by.is_none())
        else {
            return;
        };
        let person = viewer.person.clone();
        let End::Plain(plain) = &mut viewer.end else {
            return;
        };
        plain.is_quiet |= quiet;
        let sid = plain.sid.clone();
        match said {
            FromUser::New { size } => {
                plain.size = size;
                self.plain_new(now, id, size);
            }
            FromUser::Input(input) => {
                if plain.has_session {
                    let may = self.sessions.get(&sid).is_some_and(|session| {
                        session.stop.is_none()
                            && (session.in_control == Some(id)
                                || session.changing.is_some()
                                || session.next.is_some())
                    });
                    if may {
                        plain.typed.push_input(input);
                    }
                } else {
                    let failed = FromDevice::InputFailed(text::SESSION_NOT_FOUND.to_owned());
                    plain.answer(failed.to_message(""));
                }
            }
            FromUser::Resize(size) => {
                plain.size = Some(size);
                if plain.has_session
                    && self
                        .sessions
                        .get(&sid)
                        .is_some_and(|s| s.in_control == Some(id))
                {
                    self.resize(now, &sid, size);
                }
            }
            FromUser::Stop { error } => {
                plain.typed.clear();
                if plain.has_session
                    && self
                        .sessions
                        .get(&sid)
                        .is_some_and(|s| s.in_control == Some(id))
                {
                    let ending = Ending {
                        reason: Some(Ended::Stopped),
                        exit_status: None,
                        text: error.unwrap_or_else(|| "stopped by the operator".to_owned()),
                    };
                    self.stop_session(now, &sid, Some(&person), ending, true);
                }
            }
            // Devices are answered by the server itself: a late pong hangs some of them.
            FromUser::Pong | FromUser::Ack { .. } => {}
        }
    }

    pub(super) fn plain_new(&mut self, now: Instant, id: ViewerId, size: Option<Winsize>) {
        let is_linked = self.is_linked();
        let is_crowded = self.sessions.len() >= SESSIONS_MAX;
        let Some(viewer) = self.viewers.get_mut(&id) else {
            return;
        };
        let person = viewer.person.clone();
        let End::Plain(plain) = &mut viewer.end else {
            return;
        };
        let is_stopping = self
            .sessions
            .get(&plain.sid)
            .is_some_and(|session| session.stop.is_some());
        let refusal = if plain.has_session && !is_stopping {
            Some(text::ALREADY_RUNNING)
        } else if !is_linked {
            Some(DISCONNECTED)
        } else if is_crowded || plain.streams.len() >= STREAMS_MAX {
            Some(text::TOO_MANY_SHELLS)
        } else {
            None
        };
        if let Some(why) = refusal {
            let refused = FromDevice::Refused(why.to_owned());
            return plain.answer(refused.to_message(""));
        }
        if self.sessions.contains_key(&plain.sid) || !plain.streams.is_empty() {
            plain.sid = (self.new_sid)();
        }
        plain.has_session = true;
        plain.typed.clear();
        plain.next_ping = now + PING_INTERVAL;
        let sid = plain.sid.clone();
        plain.streams.push_back(Stream::new(&sid, 0));
        // One that a plain end had when the server ended is theirs again.
        let orphan = self
            .sessions
            .values()
            .filter(|session| {
                session.orphan_until.is_some()
                    && session.is_live()
                    && session.owner.user_id() == person.user_id()
            })
            .max_by_key(|session| session.opened_at)
            .map(|session| session.sid.clone());
        if let Some(orphan) = orphan {
            return self.give_to_plain(now, id, &sid, &orphan);
        }
        let controller = Controller {
            user_id: person.user_id(),
            email: person.email().to_owned(),
            instance: String::new(),
        };
        self.create(now, id, &sid, &person, controller, size, true);
    }
}
