//! One session as a client has it, without input or output: the link's stream, and what a client
//! adds to it: a queue for what was typed, rules about when to type, and what is worth telling.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use longwire_link::{Generation, Hello, LinkError, SessionError, UserEnd};
use longwire_protocol::control::Control;
use longwire_protocol::shell::{Winsize, typ};
use longwire_protocol::{Message, Props, proto};

use super::event::{Event, Position, Refusal, Role, Start, Who, Wish};
use super::words;

/// Output that may be on its way, or wait to be shown: what a script's pipe is kept busy by, and what somebody
/// at a slow terminal still sees after Ctrl-C.
const WINDOW: u64 = 1024 * 1024;
const WINDOW_OF_PERSON: u64 = 256 * 1024;

/// Input that may wait here for room in the stream. Behind more than that, even an interrupt waits.
const QUEUE: usize = 1024 * 1024;

/// Input of a person older than this when the link comes back waits for another word.
const HOLD_AFTER: Duration = Duration::from_secs(60);

/// How long after input a person waits for any sign of life before the server is asked for one.
const ASK_AFTER_INPUT: Duration = Duration::from_secs(3);

/// How long it may then be silent before another connection is tried. It costs nothing.
const GIVE_UP_AFTER: Duration = Duration::from_secs(10);

/// Notices and the like that may wait for whoever does not take them; beyond, the oldest go.
const NOTICES: usize = 64;

/// What a script's wishes are called, and a watcher's.
const ALL_OUTPUT: &str = "all_output";
const WATCH: &str = "watch";

/// Characters that mean *stop what you are doing* when typed.
const INTERRUPTS: [u8; 3] = [0x03, 0x1c, 0x1a];

/// Where a channel stands.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) end: UserEnd,
    sid: String,
    who: Who,
    /// Control is wanted and not known to be had.
    pub(super) wants_control: bool,
    /// Whether we are in control, once that is known.
    pub(super) control: Option<bool>,
    generation: Option<Generation>,
    /// Whether the device is known to be away.
    pub(super) is_away: bool,
    /// Output before this is not live.
    pub(super) live_from: u64,
    /// Input that has no place in the stream yet.
    pub(super) queue: VecDeque<Bytes>,
    pub(super) queued: usize,
    /// The server holds input back.
    pub(super) held_there: bool,
    /// What interrupts threw away, as far as it has been told.
    pub(super) dropped: u64,
    pub(super) screens: u64,
    pub(super) shown: Position,
    /// Input went out and nothing has come since then.
    unanswered_since: Option<Duration>,
    asked: bool,
    /// Sessions that a refusal has named.
    pub(super) detached: Vec<String>,
    pub(super) events: VecDeque<Event>,
    pub(super) phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    Running,
    /// The shell has ended, and its output at this offset.
    Ended(u64),
    /// Nothing more is to be said or heard.
    Over,
}

impl Channel {
    /// A channel that `instance` has; a new session gets the id `new_sid`.
    ///
    /// # Errors
    /// When the id is none.
    pub(super) fn new(wish: &Wish, instance: &str, new_sid: &str) -> Result<Self, SessionError> {
        let mut end = UserEnd::for_viewer(Hello::new(
            instance,
            match wish.who {
                Who::Person => WINDOW_OF_PERSON,
                Who::Script => WINDOW,
            },
        ));
        let mut more = Props::new();
        if wish.who == Who::Script {
            more.set(ALL_OUTPUT, true);
        }
        let (sid, role) = match &wish.start {
            Start::New => {
                end.open(new_sid, 1, wish.size, more)?;
                (new_sid, Role::Owner)
            }
            Start::Attach { sid, as_ } => {
                if *as_ == Role::Watcher {
                    more.set(WATCH, true);
                }
                let size = wish.size.filter(|_| *as_ != Role::Watcher);
                end.resume(sid, None, 0, size, more)?;
                (sid.as_str(), *as_)
            }
        };
        if wish.who == Who::Person {
            end.hold_input_after(sid, Some(HOLD_AFTER))?;
        }
        Ok(Channel {
            end,
            sid: sid.to_owned(),
            who: wish.who,
            wants_control: role == Role::Controller,
            control: (wish.start == Start::New).then_some(true),
            generation: None,
            is_away: false,
            live_from: 0,
            queue: VecDeque::new(),
            queued: 0,
            held_there: false,
            dropped: 0,
            screens: 0,
            shown: Position::default(),
            unanswered_since: None,
            asked: false,
            detached: Vec::new(),
            events: VecDeque::new(),
            phase: Phase::Running,
        })
    }

    pub(super) fn sid(&self) -> &str {
        &self.sid
    }

    pub(super) fn connected(&mut self, now: Duration) {
        self.generation = Some(self.end.connected(now));
        self.unanswered_since = None;
        self.asked = false;
        self.held_there = false;
        self.live_from = 0;
    }

    pub(super) fn disconnected(&mut self) {
        if let Some(generation) = self.generation.take() {
            self.end.disconnected(generation);
        }
    }

    /// A message has come.
    ///
    /// # Errors
    /// When the server broke the rules.
    pub(super) fn receive(&mut self, message: Message, now: Duration) -> Result<(), LinkError> {
        self.unanswered_since = None;
        self.asked = false;
        let Some(generation) = self.generation else {
            return Ok(());
        };
        if message.sid == self.sid && message.proto == proto::SHELL && message.typ == typ::NEW {
            self.detached = words::detached(&message);
        }
        let result = self.end.receive(generation, message, now);
        while let Some(event) = self.end.event() {
            self.happened(event);
        }
        self.pump(now);
        result
    }

    /// The next message to send; asked for whenever the connection can take one.
    pub(super) fn transmit(&mut self, now: Duration) -> Option<Message> {
        let message = self.end.transmit(now)?;
        let is_input = message.proto == proto::SHELL && message.typ == typ::SHELL;
        if is_input && self.who == Who::Person && self.unanswered_since.is_none() {
            self.unanswered_since = Some(now);
        }
        Some(message)
    }

    /// When [`Channel::tick`] is due at the latest.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let silence = self.unanswered_since.map(|since| {
            since
                + ASK_AFTER_INPUT
                + if self.asked {
                    GIVE_UP_AFTER
                } else {
                    Duration::ZERO
                }
        });
        self.end.deadline().into_iter().chain(silence).min()
    }

    /// Time has passed.
    ///
    /// # Errors
    /// When the server is silent for too long.
    pub(super) fn tick(&mut self, now: Duration) -> Result<(), LinkError> {
        self.end.tick(now)?;
        if let Some(since) = self.unanswered_since {
            if now >= since + ASK_AFTER_INPUT + GIVE_UP_AFTER {
                return Err(LinkError::Silent);
            }
            if !self.asked && now >= since + ASK_AFTER_INPUT {
                self.asked = true;
                // Behind so much else that is to be said, silence is no sign of anything.
                let _ = self.end.send(Control::Ping.to_message(""));
            }
        }
        Ok(())
    }

    /// Whether more input can be taken.
    pub(super) fn takes_input(&self) -> bool {
        let most = match self.who {
            Who::Person => QUEUE,
            // The stream keeps enough of it.
            Who::Script => 1,
        };
        self.queued < most
    }

    /// This was typed, or comes from a program.
    pub(super) fn input(&mut self, bytes: Bytes, now: Duration) {
        if self.phase != Phase::Running || bytes.is_empty() {
            return;
        }
        if self.who == Who::Person {
            if self.control == Some(false) {
                return self.refuse(Refusal::NotInControl);
            }
            if self.is_away {
                return self.refuse(Refusal::DeviceAway);
            }
            if let [byte] = bytes.as_ref()
                && INTERRUPTS.contains(byte)
                && !self.queue.is_empty()
                && self.end.input(&self.sid, &bytes, now).is_ok()
            {
                // What was pasted before and is not under way is not wanted either.
                self.queue.clear();
                let dropped = std::mem::take(&mut self.queued);
                self.tell(Event::Interrupted(dropped as u64));
                return;
            }
        }
        self.queued += bytes.len();
        self.queue.push_back(bytes);
        self.pump(now);
    }

    fn refuse(&mut self, why: Refusal) {
        if !matches!(self.events.back(), Some(Event::Refusal(last)) if *last == why) {
            self.tell(Event::Refusal(why));
        }
    }

    /// Gives the stream what it has room for.
    fn pump(&mut self, now: Duration) {
        while let Some(front) = self.queue.front_mut() {
            let room = self.end.input_room(&self.sid).min(front.len());
            let part = front.slice(..room);
            if room == 0 || self.end.input(&self.sid, &part, now).is_err() {
                // No room, or no word yet on who is in control.
                return;
            }
            self.queued -= room;
            if room == front.len() {
                self.queue.pop_front();
            } else {
                *front = front.slice(room..);
            }
        }
    }

    /// Whether everything that was typed is known to be applied, or never will be.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty()
            && self
                .end
                .input_position(&self.sid)
                .is_none_or(|input| input.applied == input.end)
    }

    pub(super) fn resize(&mut self, size: Winsize) {
        // A session that is gone needs no size.
        let _ = self.end.resize(&self.sid, size);
    }

    pub(super) fn stop(&mut self) {
        // One that is gone needs no stop.
        let _ = self.end.stop(&self.sid, None);
    }

    pub(super) fn take_control(&mut self) {
        self.wants_control = true;
        // Asked for again when it is known where the session stands.
        let _ = self.end.want_control(&self.sid);
    }

    pub(super) fn release_input(&mut self) {
        // There is nothing to release in a session that is gone.
        let _ = self.end.release_input(&self.sid);
        if std::mem::take(&mut self.held_there) {
            // Lost with the link; the server then asks again.
            let _ = self.end.send(Message {
                proto: proto::SHELL,
                typ: words::RELEASE_INPUT.to_owned(),
                sid: self.sid.clone(),
                ..Message::default()
            });
        }
    }

    /// Throws away what is held: an epoch of our own begins.
    pub(super) fn drop_input(&mut self) {
        self.held_there = false;
        self.queue.clear();
        self.queued = 0;
        self.take_control();
    }

    /// Everything before has been shown.
    pub(super) fn shown(&mut self, upto: Position) {
        self.shown = self.shown.max(upto);
        if self.shown.screens == self.screens {
            // A session that is gone needs no word.
            let _ = self.end.recorded(&self.sid, self.shown.offset);
            if let Phase::Ended(offset) = self.phase
                && self.shown.offset >= offset
                && self.end.end_recorded(&self.sid).is_ok()
            {
                self.phase = Phase::Over;
            }
        }
    }

    /// Whether nothing more is to be said or heard but what [`Channel::transmit`] gives.
    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// What is to be told next.
    pub(super) fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(super) fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    /// Tells something. What is not output is bounded here, output by its window.
    pub(super) fn tell(&mut self, event: Event) {
        let is_output = |event: &Event| {
            matches!(
                event,
                Event::Output { .. } | Event::Screen { .. } | Event::Ended(_)
            )
        };
        if !is_output(&event)
            && self.events.iter().filter(|event| !is_output(event)).count() >= NOTICES
            && let Some(oldest) = self.events.iter().position(|event| !is_output(event))
        {
            self.events.remove(oldest);
        }
        self.events.push_back(event);
    }
}
