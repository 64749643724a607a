//! Viewers that speak the plain protocol: one session at a time, and no way back to it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use longwire_protocol::Message;
use longwire_protocol::shell::{FromDevice, PING_TIMEOUT_S, Stop, Winsize};

use super::backlog::Backlog;
use super::device::DeviceSessions;
use super::effect::{CloseReason, ToViewer};
use super::input::{EndReason, ReadBack};
use super::journal::READ_BACK_MAX;
use crate::session::ViewerId;

/// Bytes of output in one message.
const OUTPUT_BODY_MAX: usize = 32 * 1024;

/// Things to say that wait behind output, and answers that wait to be taken.
const EVENTS_MAX: usize = 64;

/// Typed input that waits to be sent on before the end is heard no further.
const TYPED_BYTES_MAX: usize = 64 * 1024;

/// How often an operator's end is told that the server is there. Ends known to us give up after 65 s.
pub(super) const PING_INTERVAL: Duration = Duration::from_secs(30);

#[derive(Debug)]
enum Event {
    Say(FromDevice),
    Close(CloseReason),
}

/// What is shown of one session.
#[derive(Debug)]
pub(super) struct Stream {
    sid: String,
    /// Output before this was sent.
    fed: u64,
    /// What is to be said once output has come so far.
    events: VecDeque<(u64, Event)>,
    /// Output that comes from the journal.
    read: Bytes,
    is_reading: bool,
    /// The journal cannot be read; the screen has to do.
    is_unreadable: bool,
    /// Nothing follows the events.
    is_over: bool,
}

#[derive(Debug)]
pub(super) struct PlainViewer {
    /// The session it has, or the id of the next one.
    pub(super) sid: String,
    pub(super) has_session: bool,
    pub(super) streams: VecDeque<Stream>,
    answers: VecDeque<Message>,
    pub(super) typed: Backlog,
    pub(super) size: Option<Winsize>,
    /// It asked for a shell without notices.
    pub(super) is_quiet: bool,
    pub(super) next_ping: Instant,
    ping_is_due: bool,
    /// More was to be said than there is room for: the end does not read.
    pub(super) is_overrun: bool,
}

impl PlainViewer {
    pub(super) fn new(sid: String, now: Instant) -> Self {
        Self {
            sid,
            has_session: false,
            streams: VecDeque::new(),
            answers: VecDeque::new(),
            typed: Backlog::default(),
            size: None,
            is_quiet: false,
            next_ping: now + PING_INTERVAL,
            ping_is_due: false,
            is_overrun: false,
        }
    }

    pub(super) fn may_type(&self) -> bool {
        self.typed.len() < TYPED_BYTES_MAX
    }

    pub(super) fn memory(&self) -> usize {
        let read: usize = self.streams.iter().map(|stream| stream.read.len()).sum();
        self.typed.len() + read
    }

    pub(super) fn answer(&mut self, message: Message) {
        if self.answers.len() >= EVENTS_MAX {
            self.is_overrun = true;
        } else {
            self.answers.push_back(message);
        }
    }

    fn event(&mut self, sid: &str, at: u64, event: Event) {
        let Some(stream) = self.streams.iter_mut().find(|s| s.sid == sid) else {
            return;
        };
        if stream.events.len() >= EVENTS_MAX {
            self.is_overrun = true;
        } else {
            stream.events.push_back((at, event));
        }
    }

    /// Says something once output has come so far.
    pub(super) fn say(&mut self, sid: &str, at: u64, what: FromDevice) {
        self.event(sid, at, Event::Say(what));
    }

    pub(super) fn started(&mut self, sid: &str) {
        let at = self.streams.iter().find(|s| s.sid == sid).map(|s| s.fed);
        if let Some(at) = at {
            let event = (at, Event::Say(FromDevice::Started));
            if let Some(stream) = self.streams.iter_mut().find(|s| s.sid == sid) {
                stream.events.push_front(event);
            }
        }
    }

    pub(super) fn refused(&mut self, sid: &str, why: &str) {
        self.over(sid, u64::MAX, FromDevice::Refused(why.to_owned()));
    }

    pub(super) fn ended(&mut self, sid: &str, at: u64, stop: Stop) {
        self.over(sid, at, FromDevice::Stop(stop));
    }

    fn over(&mut self, sid: &str, at: u64, last: FromDevice) {
        let Some(stream) = self.streams.iter_mut().find(|s| s.sid == sid) else {
            return;
        };
        if std::mem::replace(&mut stream.is_over, true) {
            return;
        }
        let at = if at == u64::MAX { stream.fed } else { at };
        stream.events.push_back((at, Event::Say(last)));
        if self.sid == sid {
            self.has_session = false;
            self.typed.clear();
        }
    }

    /// Another session takes the place of the one that was asked for.
    pub(super) fn takes(&mut self, old: &str, sid: &str, at: u64) {
        self.streams.retain(|stream| stream.sid != old);
        sid.clone_into(&mut self.sid);
        self.has_session = true;
        self.streams.push_back(Stream::new(sid, at));
    }

    /// The screen, as output.
    pub(super) fn screen(&mut self, sid: &str, at: u64, screen: Vec<u8>) {
        let mut screen = Bytes::from(screen);
        while !screen.is_empty() {
            let piece = screen.split_to(screen.len().min(OUTPUT_BODY_MAX));
            self.say(sid, at, FromDevice::Output(piece));
        }
    }

    /// A line among the output, for this end alone.
    pub(super) fn line(&mut self, sid: &str, at: u64, words: &str) {
        let line = Bytes::from(format!("\r\n[longwire: {words}]\r\n"));
        self.say(sid, at, FromDevice::Output(line));
    }

    /// Tells the operator something that the device did not say, unless the end asked for a shell
    /// without, as scripts do, which would take it for the device's.
    pub(super) fn notice(&mut self, sid: &str, at: u64, words: &str) {
        if !self.is_quiet {
            self.line(sid, at, words);
        }
    }

    /// The end is closed, and its session goes on without it. Some ends wait for a `stop` for ever.
    pub(super) fn dismiss(&mut self, stop: Stop) {
        if self.has_session {
            let stop = FromDevice::Stop(stop).to_message(&self.sid);
            self.answers.push_back(stop);
        }
    }

    /// Closes the end once everything before was said.
    pub(super) fn close_in_order(&mut self, why: EndReason) {
        let reason = CloseReason::Ended(why);
        match self.streams.back_mut() {
            Some(stream) => {
                let last = stream.events.back().map_or(0, |(at, _)| *at);
                stream.events.push_back((last, Event::Close(reason)));
            }
            None => {
                let mut stream = Stream::new("", 0);
                stream.events.push_back((0, Event::Close(reason)));
                self.streams.push_back(stream);
            }
        }
    }

    pub(super) fn read_back(&mut self, sid: &str, from: u64, found: ReadBack) {
        let Some(stream) = self.streams.iter_mut().find(|s| s.sid == sid) else {
            return;
        };
        if !std::mem::take(&mut stream.is_reading) || stream.fed != from {
            return;
        }
        match found {
            ReadBack::Bytes(bytes) if !bytes.is_empty() => stream.read = bytes,
            ReadBack::Gap { to } => stream.fed = to,
            // What is not in the tail any more is durable, or cannot be had.
            ReadBack::Bytes(_) | ReadBack::Failed => stream.is_unreadable = true,
        }
    }

    pub(super) fn tick(&mut self, now: Instant) -> bool {
        let due = self.has_session && self.next_ping <= now;
        if due {
            self.next_ping = now + PING_INTERVAL;
            self.ping_is_due = true;
        }
        due
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.has_session.then_some(self.next_ping)
    }
}

impl Stream {
    pub(super) fn new(sid: &str, fed: u64) -> Self {
        Self {
            sid: sid.to_owned(),
            fed,
            events: VecDeque::new(),
            read: Bytes::new(),
            is_reading: false,
            is_unreadable: false,
            is_over: false,
        }
    }
}

impl DeviceSessions {
    /// What is next for a plain end.
    pub(super) fn next_for_plain(&mut self, now: Instant, id: ViewerId) -> Option<ToViewer> {
        loop {
            let viewer = self.viewers.get_mut(&id)?;
            let closing = viewer.closing;
            let plain = viewer.plain()?;
            if let Some(mut answer) = plain.answers.pop_front() {
                answer.sid.clone_from(&plain.sid);
                return Some(ToViewer::Message(answer));
            }
            if std::mem::take(&mut plain.ping_is_due) {
                let timeout_s = Some(PING_TIMEOUT_S);
                let ping = FromDevice::Ping { timeout_s }.to_message(&plain.sid);
                return Some(ToViewer::Message(ping));
            }
            let Some(stream) = plain.streams.front_mut() else {
                return closing.map(ToViewer::Close);
            };
            let sid = stream.sid.clone();
            let until = match stream.events.front() {
                Some((at, _)) if *at <= stream.fed => {
                    let (_, event) = stream.events.pop_front()?;
                    return Some(match event {
                        Event::Say(what) => ToViewer::Message(what.to_message(&sid)),
                        Event::Close(reason) => ToViewer::Close(reason),
                    });
                }
                Some((at, _)) => *at,
                None if stream.is_over => {
                    plain.streams.pop_front();
                    self.detach(now, id, &sid);
                    continue;
                }
                None => u64::MAX,
            };
            let room = usize::try_from(until - stream.fed).unwrap_or(usize::MAX);
            let max = room.min(OUTPUT_BODY_MAX);
            if !stream.read.is_empty() {
                let piece = stream.read.split_to(max.min(stream.read.len()));
                stream.fed += piece.len() as u64;
                let output = FromDevice::Output(piece).to_message(&sid);
                return Some(ToViewer::Message(output));
            }
            let Some(session) = self.sessions.get(&sid) else {
                stream.is_over = true;
                stream.fed = until;
                continue;
            };
            if let Some(bytes) = session.tail.read(stream.fed, max) {
                if bytes.is_empty() {
                    return closing.map(ToViewer::Close);
                }
                stream.fed += bytes.len() as u64;
                let output = FromDevice::Output(Bytes::copy_from_slice(bytes)).to_message(&sid);
                return Some(ToViewer::Message(output));
            }
            if stream.is_unreadable {
                stream.fed = session.tail.end();
                stream.is_unreadable = false;
                let (screen, at) = (session.screen.snapshot(), stream.fed);
                plain.screen(&sid, at, screen);
                continue;
            }
            if stream.is_reading {
                return None;
            }
            stream.is_reading = true;
            let from = stream.fed;
            self.ask_read_back(id, &sid, from, room.min(READ_BACK_MAX));
            return None;
        }
    }
}
