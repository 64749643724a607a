//! Operators' ends, of whatever kind.

use std::time::{Duration, Instant};

use longwire_protocol::Message;

use super::device::DeviceSessions;
use super::effect::{CloseReason, Effect};
use super::ending::stop_of;
use super::input::{EndReason, ViewerKind};
use super::longwire_viewer::LongwireViewer;
use super::plain_viewer::PlainViewer;
use crate::session::{Owner, ViewerId};

/// How long an end may take to leave once it is to.
const LEAVE_MAX: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) enum End {
    Plain(PlainViewer),
    Longwire(Box<LongwireViewer>),
}

/// One operator's end.
#[derive(Debug)]
pub(super) struct Viewer {
    pub(super) person: Owner,
    pub(super) end: End,
    /// There may be something to send.
    pub(super) is_ready: bool,
    /// It is to be closed once everything was sent.
    pub(super) closing: Option<CloseReason>,
    /// Until when it may take that, and why it is closed.
    pub(super) leave_by: Option<(Instant, EndReason)>,
}

impl Viewer {
    pub(super) fn close(&mut self, why: CloseReason) {
        self.closing.get_or_insert(why);
        self.is_ready = true;
    }

    /// It is to be closed once it has been told why, or soon in any case.
    pub(super) fn leaves(&mut self, now: Instant, why: EndReason) {
        self.leave_by.get_or_insert((now + LEAVE_MAX, why));
        if let Some(plain) = self.plain() {
            plain.close_in_order(why);
            self.is_ready = true;
        } else {
            self.close(CloseReason::Ended(why));
        }
    }

    /// More of a session is durable: what could not be read may be there now.
    pub(super) fn may_read(&mut self, sid: &str) {
        if let End::Longwire(longwire) = &mut self.end
            && let Some(attachment) = longwire.attachments.get_mut(sid)
        {
            attachment.is_starved = false;
        }
    }

    pub(super) fn longwire(&mut self) -> Option<&mut LongwireViewer> {
        match &mut self.end {
            End::Longwire(longwire) => Some(longwire),
            End::Plain(_) => None,
        }
    }

    pub(super) fn plain(&mut self) -> Option<&mut PlainViewer> {
        match &mut self.end {
            End::Plain(plain) => Some(plain),
            End::Longwire(_) => None,
        }
    }

    /// The instance that its hello names; empty for a plain end.
    pub(super) fn instance(&self) -> &str {
        match &self.end {
            End::Longwire(longwire) => &longwire.instance,
            End::Plain(_) => "",
        }
    }
}

impl DeviceSessions {
    pub(super) fn viewer_comes(
        &mut self,
        now: Instant,
        id: ViewerId,
        person: Owner,
        kind: ViewerKind,
    ) {
        let end = match kind {
            ViewerKind::Plain => End::Plain(PlainViewer::new((self.new_sid)(), now)),
            ViewerKind::Longwire => {
                let since = self.since(now);
                End::Longwire(Box::new(LongwireViewer::new(&self.instance, since)))
            }
        };
        let viewer = Viewer {
            person,
            end,
            is_ready: true,
            closing: None,
            leave_by: None,
        };
        self.viewers.insert(id, viewer);
    }

    pub(super) fn viewer_says(&mut self, now: Instant, id: ViewerId, message: Message) {
        let since = self.since(now);
        let Some(viewer) = self.viewers.get_mut(&id) else {
            return;
        };
        viewer.is_ready = true;
        match &mut viewer.end {
            End::Plain(_) => self.plain_viewer_says(now, id, &message),
            End::Longwire(longwire) => {
                let generation = longwire.generation;
                let received = longwire.end.receive(generation, message, since);
                self.attend_viewer(now, id);
                if let Err(error) = received {
                    self.give_up_viewer(id, &error);
                }
            }
        }
    }

    /// Somebody broke the rules of the stream, or is silent: the end says so and is closed.
    pub(super) fn give_up_viewer(&mut self, id: ViewerId, error: &longwire_link::LinkError) {
        if let Some(viewer) = self.viewers.get_mut(&id) {
            let why = if *error == longwire_link::LinkError::Silent {
                CloseReason::Silent
            } else {
                CloseReason::Broken
            };
            viewer.close(why);
            if let Some(longwire) = viewer.longwire() {
                longwire.farewell = Some(error.to_message());
            }
        }
    }

    /// The end is lost, or has left.
    pub(super) fn viewer_gone(&mut self, now: Instant, id: ViewerId) {
        for sid in self.attached(id) {
            self.detach(now, id, &sid);
        }
        self.viewers.remove(&id);
        self.out.forget_viewer(id);
        self.out.seen += 1;
    }

    /// The sessions that an end looks at.
    fn attached(&self, id: ViewerId) -> Vec<String> {
        let looks = self
            .sessions
            .values()
            .filter(|session| session.viewers.iter().any(|present| present.viewer == id));
        looks.map(|session| session.sid.clone()).collect()
    }

    /// Does without an end.
    pub(super) fn cut_viewer(&mut self, now: Instant, id: ViewerId, why: CloseReason) {
        self.out.effects.push(Effect::CutViewer(id, why));
        self.viewer_gone(now, id);
    }

    /// Its operator may not be here any more.
    pub(super) fn end_viewer(&mut self, now: Instant, id: ViewerId, why: EndReason) {
        let is_plain = self
            .viewers
            .get(&id)
            .is_some_and(|viewer| matches!(viewer.end, End::Plain(_)));
        for sid in self.attached(id) {
            if is_plain {
                self.stop_session(now, &sid, None, why.into(), false);
                let end = self.sessions.get(&sid).map_or(0, |s| s.tail.end());
                if let Some(plain) = self.viewers.get_mut(&id).and_then(Viewer::plain) {
                    plain.ended(&sid, end, stop_of(&why.into()));
                }
            } else {
                self.detach(now, id, &sid);
                self.say_unknown(id, &sid);
            }
        }
        if let Some(viewer) = self.viewers.get_mut(&id) {
            viewer.leaves(now, why);
        }
    }
}
