//! What the owner of a user end says about its sessions.

use std::time::Duration;

use longwire_protocol::Props;
use longwire_protocol::shell::Winsize;

use super::session::{Intro, Phase, Session};
use super::{InputPosition, UserEnd};
use crate::error::SessionError;
use crate::limits::MAX_SID;
use crate::wire::ToShell;

impl UserEnd {
    fn session(&mut self, sid: &str) -> Result<&mut Session, SessionError> {
        self.sessions.get_mut(sid).ok_or(SessionError::Unknown)
    }

    fn add(&mut self, sid: &str, mut session: Session) -> Result<(), SessionError> {
        if sid.is_empty() || sid.len() > MAX_SID {
            return Err(SessionError::TooLarge);
        }
        if self.sessions.contains_key(sid) {
            return Err(SessionError::Exists);
        }
        // Whoever was to be told that it is not known is not told so any more.
        self.farewells.remove(sid);
        if self.is_linked() {
            session.ask(match session.phase {
                Phase::Opening => Intro::New,
                Phase::Running | Phase::Ended => Intro::Resume,
            });
        }
        self.sessions.insert(sid.to_owned(), session);
        Ok(())
    }

    /// Opens a session. It is asked for again until the peer has answered, so that its owner has to
    /// remember it before this. `more` is said with it, `user_id` above all.
    ///
    /// # Errors
    /// [`SessionError::Exists`], or [`SessionError::TooLarge`] for an id that is none.
    pub fn open(
        &mut self,
        sid: &str,
        epoch: u64,
        size: Option<Winsize>,
        more: Props,
    ) -> Result<(), SessionError> {
        let window = self.hello.window;
        self.add(
            sid,
            Session::new(Phase::Opening, epoch, size, more, Some(0), window),
        )
    }

    /// Goes on with a session that is known to have started: after a restart, with what is recorded
    /// of its output; or as a viewer who attaches, with `None` for the screen alone and epoch 0.
    ///
    /// # Errors
    /// As for [`UserEnd::open`].
    pub fn resume(
        &mut self,
        sid: &str,
        have: Option<u64>,
        epoch: u64,
        size: Option<Winsize>,
        more: Props,
    ) -> Result<(), SessionError> {
        let window = self.hello.window;
        self.add(
            sid,
            Session::new(Phase::Running, epoch, size, more, have, window),
        )
    }

    /// Output before `offset` is safe, and the peer may let it go.
    ///
    /// # Errors
    /// [`SessionError::Unknown`].
    pub fn recorded(&mut self, sid: &str, offset: u64) -> Result<(), SessionError> {
        self.session(sid)?.recorded(offset);
        Ok(())
    }

    /// So is the end of the session; it is gone from here.
    ///
    /// # Errors
    /// [`SessionError::NotRunning`] if it has not ended.
    pub fn end_recorded(&mut self, sid: &str) -> Result<(), SessionError> {
        let session = self.session(sid)?;
        if session.phase != Phase::Ended {
            return Err(SessionError::NotRunning);
        }
        let end = ToShell::Ack {
            offset: session.output.position(),
            end: true,
        };
        let stated = session.on_link.stated;
        self.sessions.remove(sid);
        if stated {
            self.farewells.insert(sid.to_owned(), end);
        } else if self.is_linked() {
            // The end became known on an earlier link, and nothing more was asked for on this one.
            self.dismiss(sid.to_owned());
        }
        Ok(())
    }

    /// Ends the shell, with a reason if it is not the user's wish. Said again on each link until the
    /// peer reports the end; the owner has to remember it across a restart.
    ///
    /// # Errors
    /// [`SessionError::Unknown`].
    pub fn stop(&mut self, sid: &str, error: Option<String>) -> Result<(), SessionError> {
        self.session(sid)?.stop(error);
        Ok(())
    }

    /// Gives a session up: the peer is to end it at once and to keep nothing; what it still sends is
    /// not looked at. Without a link it is told on the next, as it is for every session not known
    /// here.
    ///
    /// # Errors
    /// [`SessionError::Unknown`].
    pub fn forget(&mut self, sid: &str) -> Result<(), SessionError> {
        self.sessions.remove(sid).ok_or(SessionError::Unknown)?;
        if self.is_linked() {
            self.dismiss(sid.to_owned());
        }
        Ok(())
    }

    /// Gives a session up without a word: it is lost, or a viewer leaves it to others.
    pub fn leave(&mut self, sid: &str) {
        self.sessions.remove(sid);
    }

    /// The terminal has to have this size. Said again on each link.
    ///
    /// # Errors
    /// [`SessionError::Unknown`].
    pub fn resize(&mut self, sid: &str, size: Winsize) -> Result<(), SessionError> {
        self.session(sid)?.resize(size);
        Ok(())
    }

    /// How many bytes of input the session can take now. An interrupt character can always be typed:
    /// a little more is taken if there is one.
    pub fn input_room(&self, sid: &str) -> usize {
        self.sessions
            .get(sid)
            .map_or(0, |session| session.input.room())
    }

    /// Somebody typed this. It is kept until the shell end has applied it.
    ///
    /// # Errors
    /// [`SessionError::NotInControl`] before the session's state is known or when somebody else is
    /// in control, [`SessionError::NoRoom`] beyond [`UserEnd::input_room`]; nothing is taken.
    pub fn input(&mut self, sid: &str, bytes: &[u8], now: Duration) -> Result<(), SessionError> {
        let session = self.typing(sid)?;
        if bytes.len() > session.input.room_for(bytes) {
            return Err(SessionError::NoRoom);
        }
        session.input.push(bytes, now);
        session.input.look_for_interrupt(bytes);
        Ok(())
    }

    /// Passes on what a viewer typed, at the offset the viewer gave it. What is known already is
    /// skipped.
    ///
    /// # Errors
    /// As for [`UserEnd::input`]; [`SessionError::OutOfOrder`] if bytes before it are missing.
    pub fn relay_input(
        &mut self,
        sid: &str,
        epoch: u64,
        offset: u64,
        bytes: &[u8],
        now: Duration,
    ) -> Result<(), SessionError> {
        let room = self.input_room(sid);
        let session = self.typing(sid)?;
        if session.input.epoch() != epoch {
            return Err(SessionError::NotInControl);
        }
        let end = session.input.end();
        let Some(known) = end.checked_sub(offset) else {
            return Err(SessionError::OutOfOrder);
        };
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        let new = bytes.get(known..).unwrap_or_default();
        if new.len() > room {
            return Err(SessionError::NoRoom);
        }
        session.input.push(new, now);
        Ok(())
    }

    /// Passes on an interrupt that a viewer typed behind other input.
    ///
    /// # Errors
    /// [`SessionError::NotInControl`].
    pub fn relay_interrupt(
        &mut self,
        sid: &str,
        epoch: u64,
        offset: u64,
        byte: u8,
    ) -> Result<(), SessionError> {
        let session = self.typing(sid)?;
        if session.input.epoch() != epoch {
            return Err(SessionError::NotInControl);
        }
        if offset >= session.input.start() {
            session.input.urge(offset, byte);
        }
        Ok(())
    }

    /// A session whose input may grow: ours to control, even while the link is away.
    fn typing(&mut self, sid: &str) -> Result<&mut Session, SessionError> {
        let session = self.session(sid)?;
        if session.phase != Phase::Running {
            return Err(SessionError::NotRunning);
        }
        if session.is_typing() {
            Ok(session)
        } else {
            Err(SessionError::NotInControl)
        }
    }

    /// Where the session's input stands, or `None` if this run has not heard yet. While a new epoch
    /// is not answered, it is still the old one's.
    pub fn input_position(&self, sid: &str) -> Option<InputPosition> {
        let input = &self.sessions.get(sid)?.input;
        input.is_known().then(|| InputPosition {
            epoch: input.epoch(),
            applied: input.start(),
            end: input.end(),
            dropped: input.dropped(),
        })
    }

    /// Towards a device: somebody else is in control from now on; the owner has committed it. The
    /// answer is [`super::ToUserEnd::Epoch`], and input is taken again after it.
    ///
    /// # Errors
    /// [`SessionError::OutOfOrder`] unless the epoch is newer than every known one.
    pub fn begin_epoch(&mut self, sid: &str, epoch: u64) -> Result<(), SessionError> {
        let session = self.session(sid)?;
        if epoch <= session.epoch {
            return Err(SessionError::OutOfOrder);
        }
        session.epoch = epoch;
        session.input.pause();
        session.say_epoch(epoch);
        Ok(())
    }

    /// Towards a server: asks for control of the session.
    ///
    /// # Errors
    /// [`SessionError::Unknown`].
    pub fn want_control(&mut self, sid: &str) -> Result<(), SessionError> {
        let session = self.session(sid)?;
        session.say_epoch(session.epoch + 1);
        Ok(())
    }

    /// Input older than this when a link comes back waits for [`UserEnd::release_input`]; `None` for
    /// input that no person typed.
    ///
    /// # Errors
    /// [`SessionError::Unknown`].
    pub fn hold_input_after(
        &mut self,
        sid: &str,
        limit: Option<Duration>,
    ) -> Result<(), SessionError> {
        self.session(sid)?.hold_after = limit;
        Ok(())
    }

    /// What was held is still meant.
    ///
    /// # Errors
    /// [`SessionError::Unknown`].
    pub fn release_input(&mut self, sid: &str) -> Result<(), SessionError> {
        self.session(sid)?.input.release();
        Ok(())
    }

    /// What is known of a session's output: up to where it has come, and up to where it is safe.
    pub fn output_position(&self, sid: &str) -> Option<(u64, u64)> {
        let output = &self.sessions.get(sid)?.output;
        Some((output.position(), output.confirmed()))
    }

    /// The sessions there are, whatever their state.
    pub fn sessions(&self) -> impl Iterator<Item = &str> {
        self.sessions.keys().map(String::as_str)
    }

    /// Bytes of memory held for input of all sessions. Output is never held.
    pub fn memory(&self) -> usize {
        self.sessions
            .values()
            .map(|session| session.input.memory())
            .sum()
    }
}
