//! What a user end does about the words of its peer.

use std::time::Duration;

use longwire_protocol::Message;

use super::session::{Intro, Phase};
use super::{ToUserEnd, UserEnd};
use crate::error::LinkError;
use crate::link::Incoming;
use crate::shell_end::Leg;
use crate::wire::{Hello, ToShell, ToUser, prop, typ};

/// Why a device is told to end a session that is not known here.
const NOT_KNOWN: &str = "session is not known to the server";

impl UserEnd {
    pub(super) fn take_in(&mut self, message: Message, now: Duration) -> Result<(), LinkError> {
        let Some(link) = self.link.as_mut() else {
            return Ok(());
        };
        let message = match link.receive(message, now)? {
            Incoming::Done => return Ok(()),
            Incoming::Hello(hello) => return self.introduced(hello),
            Incoming::Error(text) => {
                self.events.push_back(ToUserEnd::PeerError(text));
                return Ok(());
            }
            Incoming::Other(message) => message,
        };
        link.arrived(ToUser::cost(&message));
        let Some(word) = ToUser::read(&message)? else {
            self.events.push_back(ToUserEnd::Other(message));
            return Ok(());
        };
        // About a session that was given up here: what is still under way is not wanted.
        if self.sessions.contains_key(&message.sid) {
            self.word(message.sid, word, now)?;
        }
        Ok(())
    }

    /// The peer has said which sessions it has.
    fn introduced(&mut self, hello: Hello) -> Result<(), LinkError> {
        let held = hello.sessions.clone();
        if held.is_none() && self.leg == Leg::Device {
            return Err(LinkError::malformed(typ::HELLO, prop::SESSIONS));
        }
        self.events.push_back(ToUserEnd::Hello(hello));
        let mut lost = Vec::new();
        for (sid, session) in &mut self.sessions {
            let is_held = held.as_ref().map(|held| held.contains(sid));
            match (session.phase, is_held) {
                (Phase::Opening, Some(false)) if session.is_to_stop() => lost.push(sid.clone()),
                (Phase::Opening, Some(false) | None) => session.ask(Intro::New),
                (Phase::Running, Some(false)) => lost.push(sid.clone()),
                (Phase::Ended, _) => {}
                (_, Some(true) | None) => session.ask(Intro::Resume),
            }
        }
        for sid in lost {
            self.lose(sid);
        }
        for sid in held.into_iter().flatten() {
            if !self.sessions.contains_key(&sid) {
                self.dismiss(sid.clone());
                self.events.push_back(ToUserEnd::Stranger { sid });
            }
        }
        Ok(())
    }

    /// Tells the peer to end a session and to keep nothing of it.
    pub(super) fn dismiss(&mut self, sid: String) {
        let stop = ToShell::Stop {
            error: Some(NOT_KNOWN.to_owned()),
            forget: true,
        };
        self.farewells.insert(sid, stop);
    }

    /// The peer does not have a session. Whether it never will is the owner's to say: another
    /// program may have come in the device's place, and the device come back.
    fn lose(&mut self, sid: String) {
        if let Some(session) = self.sessions.get_mut(&sid) {
            session.unlinked();
        }
        self.events.push_back(ToUserEnd::Lost { sid });
    }

    fn word(&mut self, sid: String, word: ToUser, now: Duration) -> Result<(), LinkError> {
        let Some(session) = self.sessions.get_mut(&sid) else {
            return Ok(());
        };
        let events = &mut self.events;
        let mut tell = |event| events.push_back(event);
        match word {
            // The state says the same, and more.
            ToUser::Started => {}
            ToUser::Refused(why) if session.phase == Phase::Opening => {
                tell(ToUserEnd::Refused {
                    sid: sid.clone(),
                    why,
                });
                self.sessions.remove(&sid);
            }
            ToUser::Refused(_) => return Err(LinkError::Unexpected { sid, typ: "new" }),
            ToUser::State(state) => session.stated(&sid, state, self.leg, now, &mut tell)?,
            ToUser::Output {
                offset,
                time_ms,
                bytes,
            } => {
                let new = session.accept_output(&sid, offset, bytes)?;
                if !new.is_empty() {
                    let offset = session.output.position() - new.len() as u64;
                    tell(ToUserEnd::Output {
                        sid,
                        offset,
                        time_ms,
                        bytes: new,
                    });
                }
            }
            ToUser::Resized {
                offset,
                time_ms,
                size,
            } => {
                if session.accept_size(&sid, offset, size)? {
                    tell(ToUserEnd::Resized {
                        sid,
                        offset,
                        time_ms,
                        size,
                    });
                }
            }
            ToUser::Screen {
                offset,
                size,
                bytes,
            } => {
                session.accept_screen(&sid, offset, self.leg)?;
                tell(ToUserEnd::Screen {
                    sid,
                    offset,
                    size,
                    bytes,
                });
            }
            ToUser::Ack { offset, dropped } => {
                if session.input.is_ready() && session.input.applied(offset, dropped) {
                    tell(ToUserEnd::Applied {
                        sid,
                        offset,
                        dropped: session.input.dropped(),
                    });
                }
            }
            ToUser::Epoch {
                epoch,
                offset,
                control,
            } => {
                session.after_state(&sid, typ::EPOCH)?;
                session.begin(&sid, epoch, offset, control, &mut tell);
            }
            ToUser::Ended { stop, offset } => {
                session.after_state(&sid, "stop")?;
                if offset != session.output.position() {
                    return Err(LinkError::Hole {
                        sid,
                        expected: session.output.position(),
                        offset,
                    });
                }
                if session.phase != Phase::Ended {
                    session.phase = Phase::Ended;
                    tell(ToUserEnd::Ended { sid, stop, offset });
                }
            }
            ToUser::Unknown if session.phase == Phase::Ended => {}
            ToUser::Unknown => self.lose(sid),
        }
        Ok(())
    }
}
