//! One session at the user end.

use std::time::Duration;

use longwire_protocol::shell::Winsize;
use longwire_protocol::{Message, Props};

use super::events::ToUserEnd;
use super::input::{Begun, Input};
use crate::error::LinkError;
use crate::inbound::{Inbound, Refusal};
use crate::shell_end::Leg;
use crate::wire::{State, ToShell};

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) phase: Phase,
    /// What else is said when the session is asked for.
    more: Props,
    /// The newest epoch this end knows of.
    pub(crate) epoch: u64,
    /// The size the terminal has to have.
    size: Option<Winsize>,
    /// The last size the terminal is known to have had, and from where.
    sized: Option<(u64, Winsize)>,
    pub(crate) output: Inbound,
    /// Whether everything before the position has come, as bytes or as a screen. If not, the screen
    /// is asked for.
    pub(crate) has_output: bool,
    pub(crate) input: Input,
    /// Ask what waited longer than this before it is delivered.
    pub(crate) hold_after: Option<Duration>,
    /// The shell is to be ended; in error, if there is a text.
    stop: Option<Option<String>>,
    pub(crate) on_link: OnLink,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Not known to have started.
    Opening,
    Running,
    /// Its end is known here.
    Ended,
}

/// What is still to be said on the present link.
#[derive(Debug, Default)]
pub(crate) struct OnLink {
    pub(crate) intro: Option<Intro>,
    /// The session was asked for on this link.
    asked: bool,
    /// The peer has said where it stands.
    pub(crate) stated: bool,
    ack: bool,
    size: bool,
    epoch: Option<u64>,
    stop: bool,
}

/// How a session is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Intro {
    New,
    Resume,
}

impl Session {
    pub(crate) fn new(
        phase: Phase,
        epoch: u64,
        size: Option<Winsize>,
        more: Props,
        have: Option<u64>,
        window: u64,
    ) -> Self {
        Session {
            phase,
            more,
            epoch,
            size,
            sized: None,
            output: Inbound::at(have.unwrap_or(0), window),
            has_output: have.is_some(),
            input: match phase {
                Phase::Opening => Input::first(epoch),
                Phase::Running | Phase::Ended => Input::unknown(),
            },
            hold_after: None,
            stop: None,
            on_link: OnLink::default(),
        }
    }

    /// A link has come or gone.
    pub(crate) fn unlinked(&mut self) {
        self.on_link = OnLink::default();
        self.input.unlinked();
    }

    pub(crate) fn ask(&mut self, intro: Intro) {
        self.on_link.intro = Some(intro);
        self.on_link.stop = self.stop.is_some();
    }

    pub(crate) fn resize(&mut self, size: Winsize) {
        self.size = Some(size);
        self.on_link.size = self.on_link.asked;
    }

    pub(crate) fn stop(&mut self, error: Option<String>) {
        self.stop = Some(error);
        self.on_link.stop = true;
    }

    pub(crate) fn is_to_stop(&self) -> bool {
        self.stop.is_some()
    }

    /// Whether this end is in control, as far as it knows, and its input can be given an offset.
    pub(crate) fn is_typing(&self) -> bool {
        self.input.epoch() == self.epoch && self.input.is_ours()
    }

    pub(crate) fn recorded(&mut self, offset: u64) {
        if self.output.confirm(offset) {
            self.on_link.ack = true;
        }
    }

    /// Announces a change of control, or asks for one.
    pub(crate) fn say_epoch(&mut self, epoch: u64) {
        self.on_link.epoch = Some(epoch);
    }

    /// The peer says where the session stands.
    pub(crate) fn stated(
        &mut self,
        sid: &str,
        state: State,
        leg: Leg,
        now: Duration,
        tell: &mut impl FnMut(ToUserEnd),
    ) -> Result<(), LinkError> {
        if !self.on_link.asked {
            return Err(unexpected(sid, crate::wire::typ::STATE));
        }
        let position = self.output.position();
        // A server may have lost what a viewer has seen, and says so with a screen. What a device
        // has sent it cannot take back.
        if leg == Leg::Device && self.has_output && state.output < position {
            return Err(LinkError::malformed(crate::wire::typ::STATE, "offset"));
        }
        let first = !std::mem::replace(&mut self.on_link.stated, true);
        if self.phase == Phase::Opening {
            self.phase = Phase::Running;
            tell(ToUserEnd::Started {
                sid: sid.to_owned(),
            });
        } else if first && self.phase == Phase::Running {
            tell(ToUserEnd::Resumed {
                sid: sid.to_owned(),
            });
        }
        if state.output != position {
            self.output.jump(state.output);
        }
        match leg {
            Leg::Device => {
                if self.has_output && state.output != position {
                    tell(ToUserEnd::Gap {
                        sid: sid.to_owned(),
                        from: position,
                        to: state.output,
                    });
                }
                self.has_output = true;
            }
            // A screen follows; until it has come, nothing can be gone on with.
            Leg::Viewer => self.has_output &= state.output == position,
        }
        // An acknowledgement that was under way when the last link was lost.
        self.on_link.ack |= first && self.has_output && self.output.confirmed() > 0;
        self.input.note_dropped(state.dropped);
        self.begin(sid, state.epoch, state.input, state.control, tell);
        if let Some(limit) = self.hold_after
            && first
            && self.input.hold_if_older(limit, now)
        {
            tell(ToUserEnd::InputHeld {
                sid: sid.to_owned(),
                bytes: self.input.len(),
            });
        }
        Ok(())
    }

    /// The peer says which epoch counts.
    pub(crate) fn begin(
        &mut self,
        sid: &str,
        epoch: u64,
        offset: u64,
        control: bool,
        tell: &mut impl FnMut(ToUserEnd),
    ) {
        if epoch < self.epoch {
            // Said before it heard of the newer one; the answer to that is still to come.
            return;
        }
        self.epoch = epoch;
        match self.input.begin(epoch, offset, control) {
            Begun::Same { applied: false } => {}
            Begun::Same { applied: true } => tell(ToUserEnd::Applied {
                sid: sid.to_owned(),
                offset,
                dropped: self.input.dropped(),
            }),
            Begun::New { unarrived } => tell(ToUserEnd::Epoch {
                sid: sid.to_owned(),
                epoch,
                offset,
                control,
                unarrived,
            }),
        }
    }

    pub(crate) fn accept_output(
        &mut self,
        sid: &str,
        offset: u64,
        bytes: bytes::Bytes,
    ) -> Result<bytes::Bytes, LinkError> {
        self.after_state(sid, longwire_protocol::shell::typ::SHELL)?;
        if !self.has_output {
            return Err(unexpected(sid, longwire_protocol::shell::typ::SHELL));
        }
        let expected = self.output.position();
        self.output.accept(offset, bytes).map_err(|refusal| {
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

    /// True if that is news.
    pub(crate) fn accept_size(
        &mut self,
        sid: &str,
        offset: u64,
        size: Winsize,
    ) -> Result<bool, LinkError> {
        self.after_state(sid, longwire_protocol::shell::typ::RESIZE)?;
        if offset > self.output.position() {
            return Err(LinkError::Hole {
                sid: sid.to_owned(),
                expected: self.output.position(),
                offset,
            });
        }
        Ok(self.sized.replace((offset, size)) != Some((offset, size)))
    }

    /// The screen as all output before the offset makes it.
    pub(crate) fn accept_screen(
        &mut self,
        sid: &str,
        offset: u64,
        leg: Leg,
    ) -> Result<(), LinkError> {
        self.after_state(sid, crate::wire::typ::SCREEN)?;
        if leg == Leg::Device {
            return Err(unexpected(sid, crate::wire::typ::SCREEN));
        }
        self.output.jump(offset);
        self.has_output = true;
        Ok(())
    }

    /// Output and what belongs to it comes after the state, and not after the end.
    pub(crate) fn after_state(&self, sid: &str, typ: &'static str) -> Result<(), LinkError> {
        if self.on_link.stated {
            Ok(())
        } else {
            Err(unexpected(sid, typ))
        }
    }

    /// The next message that is not input.
    pub(crate) fn control(&mut self, sid: &str) -> Option<Message> {
        let say = if let Some(intro) = self.on_link.intro.take() {
            self.on_link.asked = true;
            self.on_link.size = false;
            let (epoch, size, more) = (self.epoch, self.size, self.more.clone());
            match intro {
                Intro::New => ToShell::New { epoch, size, more },
                Intro::Resume => ToShell::Resume {
                    have: self.has_output.then(|| self.output.position()),
                    epoch,
                    size,
                    more,
                },
            }
        } else if !self.on_link.asked {
            return None;
        } else if let Some(error) = self.next_stop() {
            ToShell::Stop {
                error,
                forget: false,
            }
        } else if let Some(epoch) = self.on_link.epoch.take() {
            ToShell::Epoch(epoch)
        } else if let Some(size) = self.next_size() {
            ToShell::Resize(size)
        } else if !self.on_link.stated {
            return None;
        } else if std::mem::take(&mut self.on_link.ack) {
            ToShell::Ack {
                offset: self.output.confirmed(),
                end: false,
            }
        } else if let Some(offset) = self.input.next_skip() {
            ToShell::Skip {
                offset,
                epoch: self.input.epoch(),
            }
        } else if let Some((offset, byte)) = self.input.next_interrupt() {
            ToShell::Interrupt {
                offset,
                epoch: self.input.epoch(),
                byte,
            }
        } else {
            return None;
        };
        Some(say.to_message(sid))
    }

    fn next_stop(&mut self) -> Option<Option<String>> {
        std::mem::take(&mut self.on_link.stop)
            .then(|| self.stop.clone())
            .flatten()
    }

    fn next_size(&mut self) -> Option<Winsize> {
        std::mem::take(&mut self.on_link.size)
            .then_some(self.size)
            .flatten()
    }

    pub(crate) fn next_input(&mut self, sid: &str, window: u64) -> Option<Message> {
        if !self.on_link.stated {
            return None;
        }
        let piece = self.input.next(window)?;
        let input = ToShell::Input {
            offset: piece.offset,
            epoch: self.input.epoch(),
            bytes: piece.bytes,
        };
        Some(input.to_message(sid))
    }
}

fn unexpected(sid: &str, typ: &'static str) -> LinkError {
    LinkError::Unexpected {
        sid: sid.to_owned(),
        typ,
    }
}
