//! What goes to one operator's end, and how far it has got.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use longwire_protocol::shell::{FromDevice, PING_TIMEOUT_S};
use longwire_protocol::{Message, prop};

use super::effect::{CloseReason, Effect};
use super::input::{ViewerId, ViewerKind};
use super::tail::Tail;

/// Messages under way to a viewer's socket before more output waits in the tail.
const UNDER_WAY_MAX: usize = 64;

/// The room a viewer's queue needs: output under way, credits, pings and answers to what it asks. One that
/// lets it run full does not read what it asked for.
pub const QUEUE_MESSAGES_MAX: usize = 4 * UNDER_WAY_MAX;

/// Bytes of output under way to a viewer's socket.
const UNWRITTEN_MAX: u64 = 256 * 1024;

/// Bytes that a page may not have shown yet.
const UNACKNOWLEDGED_MAX: u64 = 512 * 1024;

/// Bytes of output in one message.
const OUTPUT_BODY_MAX: usize = 32 * 1024;

/// Things to say that wait behind output.
const EVENTS_MAX: usize = 64;

/// How often an operator's end is told that the server is there. Ends known to us give up after 65 s.
pub(super) const PING_INTERVAL: Duration = Duration::from_secs(30);

enum Event {
    Say(FromDevice),
    Close(CloseReason),
}

/// One operator's end.
pub(super) struct Viewer {
    pub(super) id: ViewerId,
    kind: ViewerKind,
    /// It asked for a shell without notices.
    quiet: bool,
    /// Messages sent that have not been written.
    under_way: usize,
    /// Bytes of output sent, written and acknowledged since the end came.
    sent: u64,
    written: u64,
    acknowledged: u64,
    /// What is to be said after so many bytes of output.
    events: VecDeque<(u64, Event)>,
    /// An event found no room: the end does not read.
    overrun: bool,
    /// Credits to give back once what they were for has been sent on.
    credits: u32,
    next_ping: Instant,
}

impl Viewer {
    pub(super) fn new(id: ViewerId, kind: ViewerKind, now: Instant) -> Self {
        Self {
            id,
            kind,
            quiet: false,
            under_way: 0,
            sent: 0,
            written: 0,
            acknowledged: 0,
            events: VecDeque::new(),
            overrun: false,
            credits: 0,
            next_ping: now + PING_INTERVAL,
        }
    }

    /// The end wants nothing in its output but what the device has said.
    pub(super) fn quieten(&mut self) {
        self.quiet = true;
    }

    /// Whether words of the server may stand in the end's output. Our page has its own place for them.
    pub(super) fn takes_notices(&self) -> bool {
        self.kind == ViewerKind::Plain && !self.quiet
    }

    /// Says something that has no place in the output.
    pub(super) fn say(&mut self, message: Message, effects: &mut Vec<Effect>) {
        self.under_way += 1;
        effects.push(Effect::ToViewer(self.id, message));
    }

    /// Says something once the output that came before it has been sent.
    pub(super) fn say_in_order(&mut self, event: FromDevice, tail: &Tail) {
        self.push(Event::Say(event), tail);
    }

    /// Closes the end once everything before has been sent.
    pub(super) fn close_in_order(&mut self, reason: CloseReason, tail: &Tail) {
        self.push(Event::Close(reason), tail);
    }

    fn push(&mut self, event: Event, tail: &Tail) {
        if self.events.len() == EVENTS_MAX {
            self.overrun = true;
        } else {
            self.events
                .push_back((self.sent + tail.len() as u64, event));
        }
    }

    /// Whether more was to be said than there is room for.
    pub(super) fn overrun(&self) -> bool {
        self.overrun
    }

    /// Sends what there is room for.
    pub(super) fn flush(&mut self, sid: &str, tail: &mut Tail, effects: &mut Vec<Effect>) {
        while self.under_way < UNDER_WAY_MAX {
            let until_event = match self.events.front() {
                Some((at, _)) if *at <= self.sent => {
                    if let Some((_, event)) = self.events.pop_front() {
                        match event {
                            Event::Say(event) => self.say(event.to_message(sid), effects),
                            Event::Close(reason) => {
                                effects.push(Effect::CloseViewer(self.id, reason));
                            }
                        }
                    }
                    continue;
                }
                Some((at, _)) => usize::try_from(at - self.sent).unwrap_or(usize::MAX),
                None => usize::MAX,
            };
            if tail.len() == 0 || !self.takes_output() {
                break;
            }
            let output = tail.take(until_event.min(OUTPUT_BODY_MAX));
            let offset = self.sent;
            self.sent += output.len() as u64;
            let mut message = FromDevice::Output(output).to_message(sid);
            if self.kind == ViewerKind::Acknowledging {
                message.props.set(prop::OFFSET, offset);
            }
            self.say(message, effects);
        }
    }

    fn takes_output(&self) -> bool {
        let shown = match self.kind {
            ViewerKind::Plain => true,
            ViewerKind::Acknowledging => self.sent - self.acknowledged < UNACKNOWLEDGED_MAX,
        };
        shown && self.sent - self.written < UNWRITTEN_MAX
    }

    /// Messages have been written to the socket.
    pub(super) fn wrote(&mut self, messages: usize, output: usize) {
        self.under_way = self.under_way.saturating_sub(messages);
        self.written = self.sent.min(self.written + output as u64);
    }

    /// The page has shown output up to `offset`. True if that is news.
    pub(super) fn acknowledge(&mut self, offset: u64) -> bool {
        let offset = offset.min(self.sent);
        let news = offset > self.acknowledged;
        if news {
            self.acknowledged = offset;
        }
        news
    }

    /// Notes credits that came with a message.
    pub(super) fn charge(&mut self, cost: u32) {
        self.credits = self.credits.saturating_add(cost);
    }

    /// Gives all credits back.
    pub(super) fn refund(&mut self, effects: &mut Vec<Effect>) {
        if self.credits > 0 {
            effects.push(Effect::Credit(self.id, std::mem::take(&mut self.credits)));
        }
    }

    /// When the next ping is due.
    pub(super) fn next_ping(&self) -> Instant {
        self.next_ping
    }

    /// A shell is asked for: what an end expects of the server begins now.
    pub(super) fn put_off_ping(&mut self, now: Instant) {
        self.next_ping = now + PING_INTERVAL;
    }

    /// Sends a ping if one is due. An end that does not take what was sent before is not sent more.
    pub(super) fn ping(&mut self, sid: &str, now: Instant, effects: &mut Vec<Effect>) {
        if now < self.next_ping {
            return;
        }
        self.next_ping = now + PING_INTERVAL;
        if self.under_way < UNDER_WAY_MAX {
            let ping = FromDevice::Ping {
                timeout_s: Some(PING_TIMEOUT_S),
            };
            self.say(ping.to_message(sid), effects);
        }
    }
}
