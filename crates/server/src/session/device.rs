//! All sessions of one device: what happens to them, and what they have to say.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use longwire_link::{Generation, Hello, UserEnd, limits};
use longwire_protocol::Message;

use super::effect::{CloseReason, Effect, LinkClose, ToViewer};
use super::ending::stop_of;
use super::input::{EndReason, Input, LinkKind};
use super::link::Link;
use super::live::{Phase, Session};
use super::out::{Awaited, Out};
use super::owed::Owed;
use super::pace::Pace;
use super::settings::Settings;
use super::tail::TAIL_BYTES_MAX;
use super::viewer::{End, Viewer};
use crate::session::{Entry, Marker, ViewerId};
use crate::time::Timestamp;

/// Live sessions of one device; an agent has no more than 16 shells by default, and some may be ending.
pub(super) const SESSIONS_MAX: usize = 64;

/// All sessions of one device.
pub struct DeviceSessions {
    /// This moment as the wall shows it, and the same by the clock that never steps.
    wall: (Timestamp, Instant),
    pub(super) instance: String,
    pub(super) detach_grace: Duration,
    pub(super) new_sid: Box<dyn FnMut() -> String + Send>,
    /// The device's link if it is plain, and what goes over it beside input.
    pub(super) plain: Link,
    pub(super) to_plain: VecDeque<Message>,
    /// Whose typed input is sent next, so that a paste in one session does not hold up the others.
    pub(super) turn: usize,
    pub(super) owed: Owed,
    pub(super) pace: Pace,
    /// The device's link if it is longwire, and its sessions whether it is or not.
    pub(super) end: UserEnd,
    pub(super) generation: Option<Generation>,
    /// The last word on a link that is given up.
    pub(super) farewell: Option<Message>,
    /// The present link took the place of one that stood.
    pub(super) is_displacing: bool,
    /// Since when the device is there, or away.
    pub(super) link_since: Timestamp,
    pub(super) sessions: BTreeMap<String, Session>,
    pub(super) viewers: BTreeMap<ViewerId, Viewer>,
    pub(super) out: Out,
    /// The device is not let in any more: it is not waited for with stops it is owed.
    pub(super) is_removed: bool,
    pub(super) is_ending: bool,
}

impl DeviceSessions {
    /// No sessions yet, and no link.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let hello = Hello::new(&settings.instance, limits::OUTPUT_WINDOW);
        Self {
            wall: (settings.wall, settings.now),
            instance: settings.instance,
            detach_grace: settings.detach_grace,
            new_sid: settings.new_sid,
            plain: Link::default(),
            to_plain: VecDeque::new(),
            turn: 0,
            owed: Owed::default(),
            pace: Pace::default(),
            end: UserEnd::new(hello),
            generation: None,
            farewell: None,
            is_displacing: false,
            link_since: settings.wall,
            sessions: BTreeMap::new(),
            viewers: BTreeMap::new(),
            out: Out::default(),
            is_removed: false,
            is_ending: false,
        }
    }

    /// Takes note of what happened at `now`, and says what is to be done about it.
    pub fn handle(&mut self, now: Instant, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Adopt(adopted) => self.adopt(now, *adopted),
            Input::LinkUp { kind } => self.link_up(now, kind),
            Input::LinkDown => self.link_down(now),
            Input::FromDevice(message) => self.device_says(now, message),
            Input::Attach {
                viewer,
                person,
                kind,
            } => self.viewer_comes(now, viewer, person, kind),
            Input::FromViewer { viewer, message } => self.viewer_says(now, viewer, message),
            Input::ViewerGone(viewer) => self.viewer_gone(now, viewer),
            Input::EndViewer(viewer, why) => self.end_viewer(now, viewer, why),
            Input::LoseControl { viewer, sid } => self.lose_control(now, viewer, &sid),
            Input::LoseSight { viewer, sid } => self.lose_sight(now, viewer, &sid),
            Input::Decided { ask, allowed } => self.decided(now, ask, allowed),
            Input::CommitDone { change, ok } => self.commit_done(now, change, ok),
            Input::Committed { seq, trouble } => self.committed(now, seq, &trouble),
            Input::ReadBack {
                viewer,
                sid,
                from,
                found,
            } => self.read_back(now, viewer, &sid, from, found),
            Input::EndSession { sid, by, why } => {
                self.stop_session(now, &sid, by.as_ref(), why.into(), false);
            }
            Input::EndOwned { owner, why } => self.end_owned(now, owner, why),
            Input::End(why) => self.end_all(now, why),
            Input::Tick => self.tick(now),
        }
        self.settle(now);
        effects.append(&mut self.out.effects);
    }

    /// The next message for the device. Asked for whenever its link can take one, and not before.
    pub fn to_device(&mut self, now: Instant) -> Option<Message> {
        if let Some(farewell) = self.farewell.take() {
            return Some(farewell);
        }
        if self.plain.is_up() {
            return self.next_for_plain_device(now);
        }
        self.generation?;
        self.end.transmit(self.since(now))
    }

    /// Whether there may be something for the device.
    #[must_use]
    pub fn has_for_device(&self) -> bool {
        self.farewell.is_some() || self.plain.is_up() || self.generation.is_some()
    }

    /// What is next for an operator's end. Asked for whenever the end can take something, and not before.
    pub fn to_viewer(
        &mut self,
        now: Instant,
        viewer: ViewerId,
        effects: &mut Vec<Effect>,
    ) -> Option<ToViewer> {
        let next = match &self.viewers.get(&viewer)?.end {
            End::Plain(_) => self.next_for_plain(now, viewer),
            End::Longwire(_) => self.next_for_longwire(now, viewer),
        };
        if let Some(viewer) = self.viewers.get_mut(&viewer)
            && next.is_none()
        {
            viewer.is_ready = false;
        }
        effects.append(&mut self.out.effects);
        next
    }

    /// Whether there may be something for an operator's end.
    #[must_use]
    pub fn has_for(&self, viewer: ViewerId) -> bool {
        self.viewers
            .get(&viewer)
            .is_some_and(|viewer| viewer.is_ready)
    }

    /// Whether the device may say more. If not, its link is to be read no further until it may.
    #[must_use]
    pub fn hears_device(&self, now: Instant) -> bool {
        !self.plain.is_up() || self.pace.allows(now)
    }

    /// Whether an operator's end may say more.
    #[must_use]
    pub fn hears_viewer(&self, viewer: ViewerId) -> bool {
        self.viewers
            .get(&viewer)
            .is_none_or(|viewer| match &viewer.end {
                End::Plain(plain) => plain.may_type(),
                End::Longwire(_) => true,
            })
    }

    /// Whether there is nothing to remember.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.is_linked()
            && self.plain.is_gone()
            && self.sessions.values().all(Session::is_settled)
            && self.viewers.is_empty()
            && self.owed.is_empty()
    }

    /// How many operators' ends there are.
    #[must_use]
    pub fn viewers(&self) -> usize {
        self.viewers.len()
    }

    /// Grows when [`Self::views`] may say something else.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.out.seen
    }

    /// Bytes of memory held for output, input and screens. (Messages that a link takes at once are not
    /// counted.)
    #[must_use]
    pub fn memory(&self) -> usize {
        let sessions = self
            .sessions
            .values()
            .map(|session| session.tail.memory() + session.screen.memory());
        let viewers = self.viewers.values().map(|viewer| match &viewer.end {
            End::Plain(plain) => plain.memory(),
            End::Longwire(longwire) => longwire.end.memory(),
        });
        self.end.memory() + sessions.sum::<usize>() + viewers.sum::<usize>()
    }

    /// The moment on the wall's clock.
    pub(super) fn wall(&self, now: Instant) -> Timestamp {
        let (wall, then) = self.wall;
        let passed = super::live::millis(now.saturating_duration_since(then));
        Timestamp::from_millis(wall.millis() + i64::try_from(passed).unwrap_or(i64::MAX / 2))
    }

    /// The moment on the streams' clock.
    pub(super) fn since(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.wall.1)
    }

    /// A moment on the streams' clock, on ours.
    pub(super) fn instant(&self, since: Duration) -> Option<Instant> {
        self.wall.1.checked_add(since)
    }

    pub(super) fn is_linked(&self) -> bool {
        self.plain.is_up() || self.generation.is_some()
    }

    /// Whether the device of this session is there.
    pub(super) fn is_home(&self, session: &Session) -> bool {
        if session.is_longwire() {
            self.generation.is_some() && session.lost_at.is_none()
        } else {
            self.plain.is_up()
        }
    }

    fn link_up(&mut self, now: Instant, kind: LinkKind) {
        self.is_displacing = self.is_linked();
        self.farewell = None;
        self.is_removed = false;
        self.to_plain.clear();
        self.link_since = self.wall(now);
        self.out.seen += 1;
        match kind {
            LinkKind::Plain => {
                self.unlink_longwire();
                self.plain.up(now);
            }
            LinkKind::Longwire => {
                self.plain.down(now);
                self.generation = Some(self.end.connected(self.since(now)));
            }
        }
        for session in self.sessions.values_mut().filter(|s| !s.is_over()) {
            let lossless = session.is_longwire();
            if lossless == (kind == LinkKind::Longwire) {
                let marker = Marker::LinkBack { lossless };
                self.out.mark(session, now, marker);
            }
        }
        if kind == LinkKind::Plain {
            self.plain_link_up(now);
        }
        self.tell_of_device(|_| true);
    }

    fn link_down(&mut self, now: Instant) {
        if !self.is_linked() {
            return;
        }
        self.unlink_longwire();
        self.plain.down(now);
        self.to_plain.clear();
        self.link_since = self.wall(now);
        self.out.seen += 1;
        for session in self.sessions.values_mut().filter(|s| !s.is_over()) {
            self.out.mark(session, now, Marker::LinkLost);
        }
        self.device_is_away(now);
        self.tell_of_device(|_| true);
    }

    pub(super) fn unlink_longwire(&mut self) {
        if let Some(generation) = self.generation.take() {
            self.end.disconnected(generation);
        }
    }

    fn device_says(&mut self, now: Instant, message: Message) {
        if self.plain.is_up() {
            return self.plain_device_says(now, message);
        }
        let Some(generation) = self.generation else {
            return;
        };
        let received = self.end.receive(generation, message, self.since(now));
        self.attend_device(now);
        if let Err(error) = received {
            self.give_up_link(now, &error);
        }
    }

    /// The stream on the device's link is over; the link is closed.
    pub(super) fn give_up_link(&mut self, now: Instant, error: &longwire_link::LinkError) {
        self.link_down(now);
        self.farewell = Some(error.to_message());
        let broken = LinkClose::Broken(error.to_string());
        self.out.effects.push(Effect::CloseLink(broken));
    }

    /// Output has come from the device.
    pub(super) fn output(&mut self, now: Instant, sid: &str, bytes: Bytes, time_ms: u64) {
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        let offset = session.tail.end();
        session.tail.push(&bytes, time_ms);
        session.screen.feed(&bytes);
        let replies = session.screen.replies();
        session.collect_replies(replies, now);
        let time_ms = time_ms.saturating_add(session.shift_ms);
        self.out.append(
            session,
            Entry::Output {
                offset,
                time_ms,
                bytes,
            },
        );
        self.out.keyframe(session, time_ms);
        wake(&mut self.viewers, session);
    }

    /// The terminal has this size from here on.
    pub(super) fn resized(
        &mut self,
        sid: &str,
        size: longwire_protocol::shell::Winsize,
        time_ms: u64,
    ) {
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        if session.size == Some(size) {
            return;
        }
        session.size = Some(size);
        session.tail.resized(size, time_ms);
        session.screen.resize(size);
        let entry = Entry::Resized {
            offset: session.tail.end(),
            time_ms: time_ms.saturating_add(session.shift_ms),
            size,
        };
        self.out.append(session, entry);
        self.out.seen += 1;
        wake(&mut self.viewers, session);
    }

    fn commit_done(&mut self, now: Instant, change: u64, ok: bool) {
        let Some((sid, awaited)) = self.out.committed(change) else {
            return;
        };
        match awaited {
            Awaited::Opened => self.opened(now, &sid, ok),
            Awaited::Epoch(epoch) => self.epoch_stored(now, &sid, epoch, ok),
            Awaited::Stop => self.stop_stored(now, &sid),
            Awaited::Ended => self.end_stored(&sid, ok),
            Awaited::Nothing => {}
        }
    }

    /// The server ends everything about this device, or itself.
    fn end_all(&mut self, now: Instant, why: EndReason) {
        let is_linked = self.is_linked();
        if why == EndReason::ServerEnding {
            self.is_ending = true;
        } else {
            let sids: Vec<_> = self.sessions.keys().cloned().collect();
            for sid in sids {
                self.end_at_once(now, &sid, why);
            }
            self.is_removed = true;
        }
        for viewer in self.viewers.values_mut() {
            if why == EndReason::ServerEnding
                && let Some(plain) = viewer.plain()
            {
                plain.dismiss(stop_of(&why.into()));
            }
            viewer.close(CloseReason::Ended(why));
        }
        if is_linked {
            let close = LinkClose::End(why);
            self.out.effects.push(Effect::CloseLink(close));
        }
        self.forget_if_removed();
    }

    pub(super) fn forget_if_removed(&mut self) {
        if self.is_removed && self.plain.is_gone() {
            self.owed.clear();
        }
    }

    /// What follows from whatever has happened.
    fn settle(&mut self, now: Instant) {
        self.pump_input(now);
        self.forget_sessions(now);
        if self.plain.is_up() {
            let behind = self.sessions.values().filter(|s| !s.is_longwire());
            let waiting: u64 = behind
                .map(|s| s.tail.end().saturating_sub(s.written.recorded))
                .sum();
            self.pace.set(waiting > TAIL_BYTES_MAX as u64, now);
        } else {
            self.pace.set(false, now);
        }
    }

    /// A session that has its place and none of whose words is awaited any more.
    pub(super) fn running(&mut self, sid: &str) -> Option<&mut Session> {
        self.sessions
            .get_mut(sid)
            .filter(|session| session.phase == Phase::Running)
    }
}

/// Whoever looks at the session may have something to see.
pub(super) fn wake(viewers: &mut BTreeMap<ViewerId, Viewer>, session: &Session) {
    for present in &session.viewers {
        if let Some(viewer) = viewers.get_mut(&present.viewer) {
            viewer.is_ready = true;
        }
    }
}
