//! What the owner of a shell end says about its sessions.

use bytes::Bytes;
use longwire_protocol::shell::{Stop, Winsize};

use super::input::Input;
use super::output::Output;
use super::session::{Phase, Session};
use super::{Attachment, ShellEnd, ToShellEnd};
use crate::error::SessionError;
use crate::limits::{ENDED_KEPT, ENDED_WITH_OUTPUT, MAX_SCREEN, RING_FLOOR};

impl ShellEnd {
    fn running(&mut self, sid: &str) -> Result<&mut Session, SessionError> {
        let session = self.sessions.get_mut(sid).ok_or(SessionError::Unknown)?;
        if session.phase == Phase::Running {
            Ok(session)
        } else {
            Err(SessionError::NotRunning)
        }
    }

    /// The shell of a session that was to be opened runs.
    ///
    /// # Errors
    /// When the session is unknown or not opening.
    pub fn started(&mut self, sid: &str) -> Result<(), SessionError> {
        self.opened(sid, Phase::Running)
    }

    /// It could not be started, in words for people.
    ///
    /// # Errors
    /// When the session is unknown or not opening.
    pub fn refused(&mut self, sid: &str, why: &str) -> Result<(), SessionError> {
        self.opened(sid, Phase::Refused(why.to_owned()))
    }

    fn opened(&mut self, sid: &str, phase: Phase) -> Result<(), SessionError> {
        let session = self.sessions.get_mut(sid).ok_or(SessionError::Unknown)?;
        if session.phase != Phase::Opening {
            return Err(SessionError::NotRunning);
        }
        let forget = phase != Phase::Running && (session.unwanted || !session.on_link.wanted);
        session.phase = phase;
        if forget {
            // Nobody listens: who wants the session asks again.
            self.sessions.remove(sid);
        }
        Ok(())
    }

    /// On a viewer's link: the session that was asked for goes on here.
    ///
    /// # Errors
    /// [`SessionError::Exists`] if it does already.
    pub fn attach(&mut self, sid: &str, at: Attachment) -> Result<(), SessionError> {
        if self.sessions.contains_key(sid) {
            return Err(SessionError::Exists);
        }
        let mut session = Session::opening(at.epoch, self.config.input_window);
        session.phase = Phase::Running;
        session.control = at.control;
        session.input = Input::at(at.input, at.dropped, self.config.input_window);
        session.output = Output::at(at.output);
        session.want(at.output);
        self.sessions.insert(sid.to_owned(), session);
        self.say_awaited(sid);
        Ok(())
    }

    /// Events for what a viewer said while its owner made up its mind.
    fn say_awaited(&mut self, sid: &str) {
        let Some(awaited) = self.awaited.remove(sid) else {
            return;
        };
        if let Some(size) = awaited.size {
            let sid = sid.to_owned();
            self.events.push_back(ToShellEnd::Resize { sid, size });
        }
        if awaited.wants_control {
            let sid = sid.to_owned();
            self.events.push_back(ToShellEnd::ControlWanted { sid });
        }
        if let Some(error) = awaited.stop {
            let sid = sid.to_owned();
            self.events.push_back(ToShellEnd::Stop { sid, error });
        }
    }

    /// On a viewer's link: there is no such session, or none for this viewer.
    pub fn unknown(&mut self, sid: &str) {
        self.awaited.remove(sid);
        self.remove(sid);
        self.say_unknown(sid.to_owned());
    }

    /// How many bytes of output the session can take now.
    pub fn room(&self, sid: &str) -> usize {
        let Some(session) = self.sessions.get(sid) else {
            return 0;
        };
        let len = session.output.len();
        let beyond_floor = |session: &Session| session.output.len().saturating_sub(RING_FLOOR);
        let used: usize = self.sessions.values().map(beyond_floor).sum();
        let reserved = (self.config.max_sessions + ENDED_WITH_OUTPUT) * RING_FLOOR;
        let pool = self.config.rings.saturating_sub(reserved);
        let left = RING_FLOOR.saturating_sub(len) + pool.saturating_sub(used);
        self.config.ring.saturating_sub(len).min(left)
    }

    /// Output of the shell, read at `time_ms` since its start.
    ///
    /// # Errors
    /// [`SessionError::NoRoom`] if it is more than [`ShellEnd::room`] says; nothing is taken.
    pub fn output(&mut self, sid: &str, bytes: &[u8], time_ms: u64) -> Result<(), SessionError> {
        let room = self.room(sid);
        let session = self.running(sid)?;
        if bytes.len() > room {
            return Err(SessionError::NoRoom);
        }
        session.output.push(bytes, time_ms);
        Ok(())
    }

    /// The terminal has had this size since the last output.
    ///
    /// # Errors
    /// When the session is unknown or not running.
    pub fn resized(&mut self, sid: &str, size: Winsize, time_ms: u64) -> Result<(), SessionError> {
        self.running(sid)?.resized(size, time_ms);
        Ok(())
    }

    /// On a viewer's link: in place of everything before `offset` that was not sent, the viewer gets
    /// the screen as it was there.
    ///
    /// # Errors
    /// When the session is unknown or the screen larger than [`MAX_SCREEN`].
    pub fn show(
        &mut self,
        sid: &str,
        offset: u64,
        size: Option<Winsize>,
        screen: Bytes,
    ) -> Result<(), SessionError> {
        if screen.len() > MAX_SCREEN {
            return Err(SessionError::TooLarge);
        }
        let session = self.running(sid)?;
        session.output.show(offset, size, screen);
        if let Some(have) = &mut session.on_link.have {
            *have = offset;
        }
        Ok(())
    }

    /// Input that is to be written next, as far as it lies in one piece; empty when there is none.
    pub fn input(&self, sid: &str) -> &[u8] {
        self.sessions
            .get(sid)
            .map_or(&[], |session| session.input.front())
    }

    /// The shell took the first `count` bytes of [`ShellEnd::input`]. Nothing else may be told this end
    /// between the two: a new epoch would leave other bytes there.
    ///
    /// # Errors
    /// When the session is unknown.
    pub fn wrote(&mut self, sid: &str, count: usize) -> Result<(), SessionError> {
        let session = self.sessions.get_mut(sid).ok_or(SessionError::Unknown)?;
        session.input.wrote(count);
        session.on_link.ack = true;
        Ok(())
    }

    /// Takes up to `max` bytes of input to pass them on, with the offset of the first. They are
    /// acknowledged by [`ShellEnd::applied`], not by this.
    pub fn take_input(&mut self, sid: &str, max: usize) -> Option<(u64, Bytes)> {
        self.sessions.get_mut(sid)?.input.take(max)
    }

    /// Input up to `offset` has been applied by whoever it was passed on to; `dropped` bytes of the
    /// whole session's input were thrown away by interrupts.
    ///
    /// # Errors
    /// When the session is unknown.
    pub fn applied(&mut self, sid: &str, offset: u64, dropped: u64) -> Result<(), SessionError> {
        let session = self.sessions.get_mut(sid).ok_or(SessionError::Unknown)?;
        if session.input.set_applied(offset, dropped) {
            session.on_link.ack = true;
        }
        Ok(())
    }

    /// Where the last of the `wanted` characters stands in the input that waits to be written: an
    /// interrupt that need not wait, if the shell takes nothing.
    pub fn find_input(&self, sid: &str, wanted: &[u8]) -> Option<u64> {
        self.sessions.get(sid)?.input.rfind(wanted)
    }

    /// The interrupt character at this input offset was carried out as a signal: what waits before
    /// it is thrown away, and the character itself is done. Returns how many bytes were lost; the
    /// peer is told.
    ///
    /// # Errors
    /// [`SessionError::OutOfOrder`] if the shell has taken it already.
    pub fn interrupted(&mut self, sid: &str, offset: u64) -> Result<u64, SessionError> {
        let session = self.running(sid)?;
        if offset < session.input.applied() {
            return Err(SessionError::OutOfOrder);
        }
        session.on_link.ack = true;
        Ok(session.input.interrupt(offset))
    }

    /// On a viewer's link: from `offset` on, input counts if it is of this epoch, and the viewer's
    /// own counts if `control` says so.
    ///
    /// # Errors
    /// When the session is unknown or the epoch older than the present one.
    pub fn set_control(
        &mut self,
        sid: &str,
        epoch: u64,
        offset: u64,
        control: bool,
    ) -> Result<(), SessionError> {
        let window = self.config.input_window;
        let session = self.sessions.get_mut(sid).ok_or(SessionError::Unknown)?;
        if epoch < session.epoch {
            return Err(SessionError::OutOfOrder);
        }
        session.epoch = epoch;
        session.control = control;
        session.input = Input::at(offset, session.input.dropped(), window);
        session.on_link.epoch = true;
        session.on_link.ack = false;
        Ok(())
    }

    /// The shell has ended. Its session is kept until the peer has the rest of the output and the
    /// end, without counting as a shell. Of more than [`ENDED_WITH_OUTPUT`] the oldest lose their
    /// output, which leaves a gap, and of more than [`ENDED_KEPT`] they are forgotten.
    ///
    /// # Errors
    /// When the session is unknown or not running.
    pub fn ended(&mut self, sid: &str, stop: Stop) -> Result<(), SessionError> {
        let session = self.running(sid)?;
        session.phase = Phase::Ended(stop);
        if session.unwanted {
            self.remove(sid);
            return Ok(());
        }
        self.ended.push_back(sid.to_owned());
        if let Some(index) = self.ended.len().checked_sub(ENDED_WITH_OUTPUT + 1)
            && let Some(session) = self.ended.get(index).cloned()
        {
            self.forget_output(&session);
        }
        if self.ended.len() > ENDED_KEPT
            && let Some(oldest) = self.ended.pop_front()
        {
            self.sessions.remove(&oldest);
            self.say_unknown(oldest.clone());
            self.events.push_back(ToShellEnd::Forgotten { sid: oldest });
        }
        Ok(())
    }

    /// The output of an ended session is given up. If the peer was waiting for it on this link, it
    /// is asked to look again.
    fn forget_output(&mut self, sid: &str) {
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        session.output.forget();
        if session.on_link.stated {
            session.on_link.have = Some(session.output.end());
        }
    }

    /// A session's output: up to where the peer has it safe, and up to where there is any.
    pub fn output_position(&self, sid: &str) -> Option<(u64, u64)> {
        let output = &self.sessions.get(sid)?.output;
        Some((output.acknowledged(), output.end()))
    }

    /// The sessions there are, whatever their state.
    pub fn sessions(&self) -> impl Iterator<Item = &str> {
        self.sessions.keys().map(String::as_str)
    }

    /// Bytes of memory held for input and output of all sessions.
    pub fn memory(&self) -> usize {
        self.sessions.values().map(Session::memory).sum()
    }
}
