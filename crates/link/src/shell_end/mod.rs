//! The end where the shell is: an agent, or a server towards one viewer.

mod config;
mod input;
mod output;
mod owner;
mod peer;
mod session;

pub use config::{Attachment, Leg, ShellConfig, ToShellEnd};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use longwire_protocol::Message;
use longwire_protocol::shell::Winsize;

use crate::error::{LinkError, SessionError};
use crate::limits::{MAX_WAITING, SHELL_END_PING_AFTER};
use crate::link::{Generation, Link};
use crate::turns::Turns;
use crate::wire::{Hello, ToUser};
use session::{OnLink, Phase, Session};

/// A message takes up no more than this part of what may be under way.
const SHARES: u64 = 8;

/// But no message is made smaller than this because the link is nearly full.
const SMALLEST: u64 = 4096;

/// What a viewer has said about a session before it was known whether it may have it.
#[derive(Debug, Default)]
struct Awaited {
    size: Option<Winsize>,
    wants_control: bool,
    stop: Option<Option<String>>,
}

/// The shell end of a link and the sessions that live across its connections.
#[derive(Debug)]
pub struct ShellEnd {
    config: ShellConfig,
    sessions: BTreeMap<String, Session>,
    /// Ended sessions, oldest first.
    ended: VecDeque<String>,
    link: Option<Link>,
    connections: u64,
    control_turns: Turns,
    output_turns: Turns,
    /// Asked for on this link, and not here.
    unknown: BTreeSet<String>,
    /// Asked for on this link, and the owner has not said yet whether they are here.
    awaited: BTreeMap<String, Awaited>,
    events: VecDeque<ToShellEnd>,
}

impl ShellEnd {
    /// A shell end without sessions or link.
    pub fn new(config: ShellConfig) -> Self {
        ShellEnd {
            config,
            sessions: BTreeMap::new(),
            ended: VecDeque::new(),
            link: None,
            connections: 0,
            control_turns: Turns::default(),
            output_turns: Turns::default(),
            unknown: BTreeSet::new(),
            awaited: BTreeMap::new(),
            events: VecDeque::new(),
        }
    }

    /// A connection has been made; it takes the place of any older one.
    pub fn connected(&mut self, now: Duration) -> Generation {
        self.connections += 1;
        let generation = Generation(self.connections);
        let mut hello = Hello::new(&self.config.instance, self.config.input_window);
        hello.features.clone_from(&self.config.features);
        if self.config.leg == Leg::Device {
            hello.sessions = Some(self.sessions.keys().cloned().collect());
        }
        self.link = Some(Link::new(generation, hello, SHELL_END_PING_AFTER, now));
        self.unknown.clear();
        self.awaited.clear();
        for session in self.sessions.values_mut() {
            session.on_link = OnLink::default();
        }
        generation
    }

    /// A connection is gone. An older one than the present says nothing.
    pub fn disconnected(&mut self, generation: Generation) {
        if self.is_present(generation) {
            self.link = None;
        }
    }

    /// Whether there is a connection and the peer has introduced itself.
    pub fn is_linked(&self) -> bool {
        self.peer().is_some()
    }

    /// The peer's introduction on the present connection.
    pub fn peer(&self) -> Option<&Hello> {
        self.link.as_ref()?.peer.as_ref()
    }

    fn is_present(&self, generation: Generation) -> bool {
        self.link
            .as_ref()
            .is_some_and(|link| link.generation == generation)
    }

    /// A message has come. What an older connection delivers is dropped.
    ///
    /// # Errors
    /// When the peer broke the rules: the link is given up, and its owner closes the connection
    /// after sending [`LinkError::to_message`]. Sessions are as they were.
    pub fn receive(
        &mut self,
        generation: Generation,
        message: Message,
        now: Duration,
    ) -> Result<(), LinkError> {
        if !self.is_present(generation) {
            return Ok(());
        }
        let result = self.take_in(message, now);
        if result.is_err() {
            self.link = None;
        }
        result
    }

    /// When [`ShellEnd::tick`] is due at the latest.
    pub fn deadline(&self) -> Option<Duration> {
        self.link.as_ref().map(Link::deadline)
    }

    /// Time has passed.
    ///
    /// # Errors
    /// [`LinkError::Silent`] when the peer is gone; the link is given up.
    pub fn tick(&mut self, now: Duration) -> Result<(), LinkError> {
        let result = self.link.as_mut().map_or(Ok(()), |link| link.tick(now));
        if result.is_err() {
            self.link = None;
        }
        result
    }

    /// What has happened, oldest first; taken until there is no more after each call that may
    /// cause events.
    pub fn event(&mut self) -> Option<ToShellEnd> {
        self.events.pop_front()
    }

    /// The next message to send, most urgent first; asked for whenever the connection can take one,
    /// and not before, so that what is urgent is not queued behind output.
    pub fn transmit(&mut self, now: Duration) -> Option<Message> {
        let link = self.link.as_mut()?;
        if let Some(message) = link.transmit() {
            return Some(message);
        }
        let window = link.peer.as_ref()?.window;
        if let Some(sid) = self.unknown.pop_first() {
            return Some(ToUser::Unknown.to_message(&sid));
        }
        let control = self
            .control_turns
            .take(&mut self.sessions, |sid, session| session.control(sid));
        if let Some(message) = control {
            self.forget_refused(&message);
            return Some(message);
        }
        // While little may be under way, one message does not take it all.
        let one = (link.flight.allowed() / SHARES).max(SMALLEST);
        let room = link.flight.room().min(one);
        let message = self.output_turns.take(&mut self.sessions, |sid, session| {
            session.next_output(sid, room, window)
        })?;
        let cost = ToUser::cost(&message);
        if cost > 0 {
            link.flight.sent(cost, now);
        }
        Some(message)
    }

    /// Sends a message beside the stream: of another protocol, or of a type this crate does not
    /// know. It passes all output. Lost with the link.
    ///
    /// # Errors
    /// [`SessionError::NoRoom`] without a link or behind [`MAX_WAITING`] others.
    pub fn send(&mut self, message: Message) -> Result<(), SessionError> {
        let link = self.link.as_mut().ok_or(SessionError::NoRoom)?;
        if link.waiting.len() >= MAX_WAITING {
            return Err(SessionError::NoRoom);
        }
        link.waiting.push_back(message);
        Ok(())
    }

    /// A refusal that was said is forgotten.
    fn forget_refused(&mut self, said: &Message) {
        let refused = self
            .sessions
            .get(&said.sid)
            .is_some_and(|session| matches!(session.phase, Phase::Refused(_)));
        if refused {
            self.sessions.remove(&said.sid);
        }
    }
}
