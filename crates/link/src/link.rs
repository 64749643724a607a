//! What both ends do on one connection, whatever the sessions: hello, signs of life, counting.

use std::collections::VecDeque;
use std::time::Duration;

use longwire_protocol::Message;

use crate::error::LinkError;
use crate::flight::Flight;
use crate::limits::REPORT_AFTER;
use crate::pulse::{Due, Pulse};
use crate::wire::{Hello, OnLink};

/// Which connection something belongs to. A newer one has a higher number; what an older one still
/// delivers is dropped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Generation(pub(crate) u64);

/// One connection, from its start to its end.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) generation: Generation,
    /// The peer's introduction; nothing about sessions is said before it has come.
    pub(crate) peer: Option<Hello>,
    /// What this end has still to say about the link.
    hello: Option<Hello>,
    ping: bool,
    pong: bool,
    pulse: Pulse,
    /// At a shell end: the output under way.
    pub(crate) flight: Flight,
    /// At a user end: counted bytes that have come, and those of them that were reported.
    arrived: u64,
    reported: u64,
    /// Messages beside the stream.
    pub(crate) waiting: VecDeque<Message>,
}

/// A message after the link has looked at it.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// It was about the link.
    Done,
    /// The peer has introduced itself.
    Hello(Hello),
    /// The peer says what went wrong.
    Error(String),
    /// It is about something else.
    Other(Message),
}

impl Link {
    pub(crate) fn new(
        generation: Generation,
        hello: Hello,
        ask_after: Duration,
        now: Duration,
    ) -> Self {
        Link {
            generation,
            peer: None,
            hello: Some(hello),
            ping: false,
            pong: false,
            pulse: Pulse::new(ask_after, now),
            flight: Flight::default(),
            arrived: 0,
            reported: 0,
            waiting: VecDeque::new(),
        }
    }

    pub(crate) fn receive(
        &mut self,
        message: Message,
        now: Duration,
    ) -> Result<Incoming, LinkError> {
        self.pulse.heard(now);
        let on_link = OnLink::read(&message)?;
        if let Some(OnLink::Error(error)) = on_link {
            return Ok(Incoming::Error(error.err));
        }
        if let Some(OnLink::Hello(hello)) = on_link {
            if self.peer.is_some() {
                return Err(LinkError::SecondHello);
            }
            self.peer = Some(hello.clone());
            return Ok(Incoming::Hello(hello));
        }
        if self.peer.is_none() {
            return Err(LinkError::NoHello(message.typ));
        }
        match on_link {
            None => return Ok(Incoming::Other(message)),
            Some(OnLink::Received { bytes }) => self
                .flight
                .report(bytes, now)
                .map_err(|_| LinkError::NeverSent("received".to_owned()))?,
            Some(OnLink::Ping) => self.pong = true,
            Some(OnLink::Pong | OnLink::Hello(_) | OnLink::Error(_)) => {}
        }
        Ok(Incoming::Done)
    }

    /// Counts what has come, at a user end.
    pub(crate) fn arrived(&mut self, cost: u64) {
        self.arrived += cost;
    }

    /// The next message about the link, most urgent first.
    pub(crate) fn transmit(&mut self) -> Option<Message> {
        let on_link = if let Some(hello) = self.hello.take() {
            OnLink::Hello(hello)
        } else if std::mem::take(&mut self.pong) {
            OnLink::Pong
        } else if std::mem::take(&mut self.ping) {
            OnLink::Ping
        } else if self.arrived - self.reported >= REPORT_AFTER {
            self.reported = self.arrived;
            OnLink::Received {
                bytes: self.arrived,
            }
        } else {
            return self.peer.as_ref().and(self.waiting.pop_front());
        };
        Some(on_link.to_message())
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.pulse.deadline()
    }

    pub(crate) fn tick(&mut self, now: Duration) -> Result<(), LinkError> {
        match self.pulse.due(now) {
            Due::Nothing => {}
            Due::Ping => self.ping = true,
            Due::GiveUp => return Err(LinkError::Silent),
        }
        Ok(())
    }
}
