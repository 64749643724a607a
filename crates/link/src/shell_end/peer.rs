//! What a shell end does about the words of its peer.

use std::time::Duration;

use longwire_protocol::shell::{Winsize, text};
use longwire_protocol::{Message, Props};

use super::session::{Phase, Session};
use super::{Awaited, Leg, ShellEnd, ToShellEnd};
use crate::error::LinkError;
use crate::limits::{ENDED_KEPT, MAX_INTERRUPT_AHEAD, MAX_SID, MAX_WAITING};
use crate::link::Incoming;
use crate::wire::ToShell;

impl ShellEnd {
    pub(super) fn take_in(&mut self, message: Message, now: Duration) -> Result<(), LinkError> {
        let Some(link) = self.link.as_mut() else {
            return Ok(());
        };
        let message = match link.receive(message, now)? {
            Incoming::Done => return Ok(()),
            Incoming::Hello(hello) => {
                self.events.push_back(ToShellEnd::Hello(hello));
                return Ok(());
            }
            Incoming::Error(text) => {
                self.events.push_back(ToShellEnd::PeerError(text));
                return Ok(());
            }
            Incoming::Other(message) => message,
        };
        let Some(word) = ToShell::read(&message)? else {
            self.events.push_back(ToShellEnd::Other(message));
            return Ok(());
        };
        if message.sid.is_empty() || message.sid.len() > MAX_SID {
            return Err(LinkError::malformed(&message.typ, "sid"));
        }
        self.word(message.sid, word)
    }

    fn word(&mut self, sid: String, word: ToShell) -> Result<(), LinkError> {
        if let ToShell::New { epoch, size, more } = word {
            self.open(sid, epoch, size, more);
            return Ok(());
        }
        let Some(session) = self.sessions.get_mut(&sid) else {
            self.absent(sid, word);
            return Ok(());
        };
        match word {
            ToShell::New { .. } => {}
            ToShell::Resume {
                have, epoch, size, ..
            } => {
                if session.on_link.wanted {
                    return Err(LinkError::Unexpected { sid, typ: "resume" });
                }
                session.want(have.unwrap_or_else(|| session.output.end()));
                if self.config.leg == Leg::Device
                    && let Some(dropped) = session.announce(epoch)
                {
                    self.events.push_back(ToShellEnd::Epoch {
                        sid: sid.clone(),
                        epoch,
                        dropped,
                    });
                }
                if let Some(size) = size {
                    self.events.push_back(ToShellEnd::Resize { sid, size });
                }
            }
            ToShell::Input {
                offset,
                epoch,
                bytes,
            } => {
                if session.accept_input(&sid, epoch, offset, bytes)? {
                    self.events.push_back(ToShellEnd::Input { sid });
                }
            }
            ToShell::Resize(size) => self.events.push_back(ToShellEnd::Resize { sid, size }),
            ToShell::Interrupt {
                offset,
                epoch,
                byte,
            } => {
                let applied = session.input.applied();
                if offset > applied + MAX_INTERRUPT_AHEAD {
                    return Err(LinkError::OverWindow(sid));
                }
                if session.counts(&sid, epoch)? && offset >= applied {
                    self.events
                        .push_back(ToShellEnd::Interrupt { sid, byte, offset });
                }
            }
            ToShell::Epoch(_) if self.config.leg == Leg::Viewer => {
                self.events.push_back(ToShellEnd::ControlWanted { sid });
            }
            ToShell::Epoch(epoch) => {
                session.on_link.epoch = true;
                if let Some(dropped) = session.announce(epoch) {
                    self.events.push_back(ToShellEnd::Epoch {
                        sid,
                        epoch,
                        dropped,
                    });
                }
            }
            ToShell::Skip { offset, epoch } => {
                if session.counts(&sid, epoch)? {
                    let expected = session.input.position();
                    let from = session.input.skip(offset).map_err(|_| LinkError::Hole {
                        sid: sid.clone(),
                        expected,
                        offset,
                    })?;
                    if let Some(from) = from {
                        self.events.push_back(ToShellEnd::InputSkipped {
                            sid,
                            from,
                            to: offset,
                        });
                    }
                }
            }
            ToShell::Ack { offset, end } => self.acknowledged(sid, offset, end)?,
            ToShell::Stop { error, forget } => {
                session.unwanted |= forget;
                if forget && !session.takes_part() {
                    self.remove(&sid);
                } else if session.takes_part() {
                    self.events.push_back(ToShellEnd::Stop { sid, error });
                }
            }
        }
        Ok(())
    }

    /// `new` may come again for a session that is there: the answer is the same.
    fn open(&mut self, sid: String, epoch: u64, size: Option<Winsize>, more: Props) {
        // On a viewer's link the epochs are the owner's to give, and the first is 1.
        let epoch = match self.config.leg {
            Leg::Device => epoch,
            Leg::Viewer => 1,
        };
        if let Some(session) = self.sessions.get_mut(&sid) {
            if !session.on_link.wanted {
                session.want(0);
                session.on_link.answer = true;
                if let Some(dropped) = session.announce(epoch) {
                    self.events.push_back(ToShellEnd::Epoch {
                        sid,
                        epoch,
                        dropped,
                    });
                }
            }
            return;
        }
        let open = self.sessions.values().filter(|s| s.takes_part()).count();
        let mut session = Session::opening(epoch, self.config.input_window);
        session.want(0);
        session.on_link.answer = true;
        if open >= self.config.max_sessions {
            session.phase = Phase::Refused(text::TOO_MANY_SHELLS.to_owned());
            // Bounded: answered before anything else is, and a peer that does not read is cut off.
            if self.sessions.len() >= self.most_sessions() {
                return;
            }
        } else {
            self.events.push_back(ToShellEnd::Open {
                sid: sid.clone(),
                epoch,
                size,
                more,
            });
        }
        self.sessions.insert(sid, session);
    }

    fn most_sessions(&self) -> usize {
        self.config.max_sessions + ENDED_KEPT + MAX_WAITING
    }

    /// A word about a session that is not here.
    fn absent(&mut self, sid: String, word: ToShell) {
        match word {
            ToShell::Resume {
                have,
                epoch,
                size,
                more,
            } if self.config.leg == Leg::Viewer => {
                if self.awaited.contains_key(&sid) {
                    return;
                }
                if self.awaited.len() >= MAX_WAITING {
                    return self.say_unknown(sid);
                }
                self.awaited.insert(sid.clone(), Awaited::default());
                self.events.push_back(ToShellEnd::Attach {
                    sid,
                    have,
                    epoch,
                    size,
                    more,
                });
            }
            // Whoever said this waits for no answer.
            ToShell::New { .. } | ToShell::Ack { .. } | ToShell::Stop { forget: true, .. } => {}
            ToShell::Resize(size) if self.awaited.contains_key(&sid) => {
                self.awaited.entry(sid).or_default().size = Some(size);
            }
            ToShell::Epoch(_) if self.awaited.contains_key(&sid) => {
                self.awaited.entry(sid).or_default().wants_control = true;
            }
            ToShell::Stop { error, .. } if self.awaited.contains_key(&sid) => {
                self.awaited.entry(sid).or_default().stop = Some(error);
            }
            ToShell::Resume { .. }
            | ToShell::Input { .. }
            | ToShell::Resize(_)
            | ToShell::Interrupt { .. }
            | ToShell::Epoch(_)
            | ToShell::Skip { .. }
            | ToShell::Stop { forget: false, .. } => self.say_unknown(sid),
        }
    }

    pub(super) fn say_unknown(&mut self, sid: String) {
        if self.unknown.len() < MAX_WAITING {
            self.unknown.insert(sid);
        }
    }

    fn acknowledged(&mut self, sid: String, offset: u64, end: bool) -> Result<(), LinkError> {
        let Some(session) = self.sessions.get_mut(&sid) else {
            return Ok(());
        };
        if !session.on_link.stated {
            return Err(LinkError::Unexpected { sid, typ: "ack" });
        }
        let news = session
            .output
            .acknowledge(offset)
            .map_err(|_| LinkError::NeverSent(sid.clone()))?;
        if end && session.has_ended() && offset == session.output.end() {
            self.remove(&sid);
            self.events.push_back(ToShellEnd::Forgotten { sid });
        } else if news {
            self.events
                .push_back(ToShellEnd::Acknowledged { sid, offset });
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, sid: &str) {
        self.sessions.remove(sid);
        self.ended.retain(|ended| ended != sid);
    }
}
