//! The end where somebody looks and types: a server towards a device, or a client.

mod events;
mod input;
mod owner;
mod peer;
mod session;

pub use events::ToUserEnd;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use longwire_protocol::Message;

use crate::error::{LinkError, SessionError};
use crate::limits::{MAX_WAITING, USER_END_PING_AFTER};
use crate::link::{Generation, Link};
use crate::shell_end::Leg;
use crate::turns::Turns;
use crate::wire::{Hello, ToShell};
use session::Session;

/// Where one session's input stands at the user end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InputPosition {
    /// The epoch whose input this is.
    pub epoch: u64,
    /// Everything before this offset is known to be applied.
    pub applied: u64,
    /// The next byte typed gets this offset.
    pub end: u64,
    /// Input bytes of the session that interrupts have thrown away so far.
    pub dropped: u64,
}

/// The user end of a link and the sessions that live across its connections.
#[derive(Debug)]
pub struct UserEnd {
    leg: Leg,
    hello: Hello,
    sessions: BTreeMap<String, Session>,
    link: Option<Link>,
    connections: u64,
    control_turns: Turns,
    input_turns: Turns,
    /// Sessions without a place here about which one thing is to be said on this link.
    farewells: BTreeMap<String, ToShell>,
    events: VecDeque<ToUserEnd>,
}

impl UserEnd {
    /// A server's end towards one device. `hello` says who it is and how much output it takes in
    /// per session beyond what is recorded.
    pub fn new(hello: Hello) -> Self {
        UserEnd::on(Leg::Device, hello)
    }

    /// A client's end towards a server.
    pub fn for_viewer(hello: Hello) -> Self {
        UserEnd::on(Leg::Viewer, hello)
    }

    fn on(leg: Leg, hello: Hello) -> Self {
        UserEnd {
            leg,
            hello,
            sessions: BTreeMap::new(),
            link: None,
            connections: 0,
            control_turns: Turns::default(),
            input_turns: Turns::default(),
            farewells: BTreeMap::new(),
            events: VecDeque::new(),
        }
    }

    /// A connection has been made; it takes the place of any older one.
    pub fn connected(&mut self, now: Duration) -> Generation {
        self.connections += 1;
        let generation = Generation(self.connections);
        self.unlinked();
        let hello = self.hello.clone();
        self.link = Some(Link::new(generation, hello, USER_END_PING_AFTER, now));
        generation
    }

    /// A connection is gone. An older one than the present says nothing.
    pub fn disconnected(&mut self, generation: Generation) {
        if self.is_present(generation) {
            self.unlinked();
        }
    }

    fn unlinked(&mut self) {
        self.link = None;
        self.farewells.clear();
        for session in self.sessions.values_mut() {
            session.unlinked();
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
            self.unlinked();
        }
        result
    }

    /// When [`UserEnd::tick`] is due at the latest.
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
            self.unlinked();
        }
        result
    }

    /// What has happened, oldest first; taken until there is no more after each call that may
    /// cause events.
    pub fn event(&mut self) -> Option<ToUserEnd> {
        self.events.pop_front()
    }

    /// The next message to send, most urgent first; asked for whenever the connection can take one.
    pub fn transmit(&mut self, _now: Duration) -> Option<Message> {
        let link = self.link.as_mut()?;
        if let Some(message) = link.transmit() {
            return Some(message);
        }
        let window = link.peer.as_ref()?.window;
        if let Some((sid, word)) = self.farewells.pop_first() {
            return Some(word.to_message(&sid));
        }
        self.control_turns
            .take(&mut self.sessions, |sid, session| session.control(sid))
            .or_else(|| {
                self.input_turns.take(&mut self.sessions, |sid, session| {
                    session.next_input(sid, window)
                })
            })
    }

    /// Sends a message beside the stream: of another protocol, or of a type this crate does not
    /// know. Lost with the link.
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
}
