//! One session at the shell end.

use bytes::Bytes;
use longwire_protocol::Message;
use longwire_protocol::shell::{Stop, Winsize};

use super::input::Input;
use super::output::Output;
use crate::error::LinkError;
use crate::inbound::Refusal;
use crate::wire::{State, ToUser};

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) phase: Phase,
    pub(crate) epoch: u64,
    /// Whether the peer's input counts; a device's peer always has control.
    pub(crate) control: bool,
    pub(crate) input: Input,
    pub(crate) output: Output,
    /// The peer does not know the session: it is gone as soon as its shell is, unless the peer asks
    /// for it after all.
    pub(crate) unwanted: bool,
    pub(crate) on_link: OnLink,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Phase {
    /// The shell is to be started.
    Opening,
    Running,
    /// The shell could not be started; told, then forgotten.
    Refused(String),
    /// Kept until the peer has everything.
    Ended(Stop),
}

/// What is still to be said on the present link. A new link starts with nothing said.
#[derive(Debug, Default)]
pub(crate) struct OnLink {
    /// The peer has asked for this session on this link; nothing is sent before.
    pub(crate) wanted: bool,
    /// The peer has to hear whether the shell started.
    pub(crate) answer: bool,
    /// Whether the state was said; output and acknowledgements come after it.
    pub(crate) stated: bool,
    /// What the peer has, if it is going on with the session.
    pub(crate) have: Option<u64>,
    pub(crate) ack: bool,
    pub(crate) epoch: bool,
    end_sent: bool,
}

impl Session {
    pub(crate) fn opening(epoch: u64, input_window: u64) -> Self {
        Session {
            phase: Phase::Opening,
            epoch,
            control: true,
            input: Input::at(0, 0, input_window),
            output: Output::at(0),
            unwanted: false,
            on_link: OnLink::default(),
        }
    }

    pub(crate) fn takes_part(&self) -> bool {
        matches!(self.phase, Phase::Opening | Phase::Running)
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }

    /// The peer wants the session on this link, and has its output up to `have`.
    pub(crate) fn want(&mut self, have: u64) {
        self.on_link.wanted = true;
        self.unwanted = false;
        self.on_link.have = Some(have);
    }

    /// A newer epoch drops what was not applied. Returns how many bytes, or `None` if the epoch is
    /// not newer.
    pub(crate) fn announce(&mut self, epoch: u64) -> Option<u64> {
        if epoch <= self.epoch {
            return None;
        }
        self.epoch = epoch;
        Some(self.input.begin_epoch())
    }

    /// True if there is something to apply.
    pub(crate) fn accept_input(
        &mut self,
        sid: &str,
        epoch: u64,
        offset: u64,
        bytes: Bytes,
    ) -> Result<bool, LinkError> {
        if !self.counts(sid, epoch)? {
            return Ok(false);
        }
        let expected = self.input.position();
        self.input.accept(offset, bytes).map_err(|refusal| {
            if refusal == Refusal::Hole {
                LinkError::Hole {
                    sid: sid.to_owned(),
                    expected,
                    offset,
                }
            } else {
                LinkError::OverWindow(sid.to_owned())
            }
        })
    }

    /// Whether input of this epoch counts. An older one is of somebody who lost control.
    pub(crate) fn counts(&self, sid: &str, epoch: u64) -> Result<bool, LinkError> {
        if epoch > self.epoch {
            return Err(LinkError::Epoch {
                sid: sid.to_owned(),
                epoch,
            });
        }
        Ok(epoch == self.epoch && self.control && self.phase == Phase::Running)
    }

    /// The next message that is not output.
    pub(crate) fn control(&mut self, sid: &str) -> Option<Message> {
        if !self.on_link.wanted || self.phase == Phase::Opening {
            return None;
        }
        let say = if let Phase::Refused(why) = &self.phase {
            ToUser::Refused(why.clone())
        } else if std::mem::take(&mut self.on_link.answer) {
            ToUser::Started
        } else if let Some(have) = self.on_link.have.take() {
            let output = self.output.resume(have);
            self.on_link.stated = true;
            ToUser::State(State {
                output,
                input: self.input.applied(),
                epoch: self.epoch,
                control: self.control,
                dropped: self.input.dropped(),
            })
        } else if std::mem::take(&mut self.on_link.epoch) {
            ToUser::Epoch {
                epoch: self.epoch,
                offset: self.input.applied(),
                control: self.control,
            }
        } else if std::mem::take(&mut self.on_link.ack) {
            ToUser::Ack {
                offset: self.input.applied(),
                dropped: self.input.dropped(),
            }
        } else {
            return None;
        };
        Some(say.to_message(sid))
    }

    /// The next message of the output, its end included.
    pub(crate) fn next_output(&mut self, sid: &str, room: u64, window: u64) -> Option<Message> {
        if !self.on_link.stated {
            return None;
        }
        if let Some(piece) = self.output.next(room, window) {
            return Some(piece.to_message(sid));
        }
        let Phase::Ended(stop) = &self.phase else {
            return None;
        };
        if self.on_link.end_sent || !self.output.all_sent() {
            return None;
        }
        self.on_link.end_sent = true;
        let end = ToUser::Ended {
            stop: stop.clone(),
            offset: self.output.end(),
        };
        Some(end.to_message(sid))
    }

    pub(crate) fn memory(&self) -> usize {
        self.input.memory() + self.output.memory()
    }

    pub(crate) fn resized(&mut self, size: Winsize, time_ms: u64) {
        self.output.resized(size, time_ms);
    }
}
