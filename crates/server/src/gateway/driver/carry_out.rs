//! What the session core wants done, and what it has to send.

use std::time::Instant;

use super::answers::Wish;
use super::seat::Grant;
use super::{Driver, LEAVE_MAX, PUBLISHED_MAX, PUBLISHED_WITHIN};
use crate::bus::LiveSession;
use crate::gateway::close;
use crate::recording;
use crate::session::{Effect, Input, Opening, ReadBack, ToViewer, ViewerId};

/// Sessions remembered so that they can be read back.
const STARTED_MAX: usize = 256;

impl Driver {
    pub(super) fn carry_out(&mut self, now: Instant, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Commit(change) => self.ledger.push(change),
                Effect::OpenJournal(opening) => self.open_journal(opening),
                Effect::Append { seq, sid, entry } => self.journal.append(seq, &sid, entry),
                Effect::CloseJournal { sid } => self.journal.close(&sid),
                Effect::Ask {
                    ask,
                    viewer,
                    sid,
                    owner,
                    act,
                } => self.ask(ask, viewer, Grant { sid, owner, act }),
                Effect::ReadBack {
                    viewer,
                    sid,
                    from,
                    max,
                } => self.read_back(viewer, sid, from, max),
                Effect::CloseLink(why) => {
                    if let Some(link) = &mut self.link {
                        link.leaving = Some((close::link(why), now + LEAVE_MAX));
                    }
                }
                Effect::CutLink => {
                    if let Some(link) = &mut self.link {
                        link.pipe.cut(close::silent());
                    }
                }
                Effect::CutViewer(viewer, reason) => {
                    if let Some(seat) = self.seats.get_mut(&viewer) {
                        seat.pipe.cut(close::viewer(reason));
                    }
                }
            }
        }
    }

    pub(super) fn open_journal(&mut self, opening: Opening) {
        self.started.insert(opening.sid.clone(), opening.started_at);
        let head = recording::Opening {
            sid: opening.sid,
            device_id: self.device,
            owner_id: opening.owner.user_id(),
            owner: opening.owner.email().to_owned(),
            started_at: opening.started_at,
            lossless: opening.lossless,
        };
        self.journal.open(head, opening.size);
    }

    fn ask(&mut self, ask: u64, viewer: ViewerId, wanted: Grant) {
        match self.seats.get(&viewer) {
            Some(seat) => {
                let (app, who) = (&self.app, seat.principal.clone());
                let (owner, act) = (wanted.owner, wanted.act);
                self.answers.ask(app, ask, who, self.device, owner, act);
                self.asked.insert(ask, (viewer, wanted));
            }
            None => self.answers.say(Input::Decided {
                ask,
                allowed: false,
            }),
        }
    }

    /// Remembers what was allowed, to take it back when the right to it is withdrawn.
    pub(super) fn decided(&mut self, ask: u64, allowed: bool) {
        if let Some((viewer, grant)) = self.asked.remove(&ask)
            && allowed
            && let Some(seat) = self.seats.get_mut(&viewer)
        {
            seat.grant(grant);
        }
    }

    fn read_back(&mut self, viewer: ViewerId, sid: String, from: u64, max: usize) {
        match self.started.get(&sid) {
            Some(started_at) => {
                let wish = Wish {
                    viewer,
                    sid,
                    started_at: *started_at,
                    from,
                    max,
                };
                self.answers.read_back(&self.app, wish);
            }
            None => self.answers.say(Input::ReadBack {
                viewer,
                sid,
                from,
                found: ReadBack::Failed,
            }),
        }
    }

    /// Lets the core hear what operators' ends have said and gives every websocket what it has room for,
    /// until there is no more of either.
    pub(super) fn exchange(&mut self, now: Instant) {
        loop {
            let mut is_idle = !self.hear(now);
            self.fill_link(now);
            let mut effects = Vec::new();
            self.fill_seats(now, &mut effects);
            is_idle &= effects.is_empty();
            self.carry_out(now, effects);
            if is_idle {
                return;
            }
        }
    }

    /// Whether anything was heard.
    fn hear(&mut self, now: Instant) -> bool {
        if !self.ledger.has_room() {
            return false;
        }
        let speaking = self.seats.iter().filter(|(_, seat)| seat.has_said());
        let speaking: Vec<_> = speaking.map(|(viewer, _)| *viewer).collect();
        let mut heard = false;
        for viewer in speaking {
            while self.sessions.hears_viewer(viewer)
                && let Some(seat) = self.seats.get_mut(&viewer)
                && let Some(message) = seat.next()
            {
                heard = true;
                self.handle(now, Input::FromViewer { viewer, message });
            }
        }
        heard
    }

    fn fill_link(&mut self, now: Instant) {
        let Some(link) = &mut self.link else {
            return;
        };
        while link.pipe.has_room() && self.sessions.has_for_device() {
            match self.sessions.to_device(now) {
                Some(message) => link.pipe.send(message),
                None => break,
            }
        }
        if let Some((closing, by)) = &link.leaving {
            if link.pipe.has_room() {
                link.pipe.close(closing.clone());
            } else if *by <= now {
                link.pipe.cut(closing.clone());
            }
        }
    }

    fn fill_seats(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        for (viewer, seat) in &mut self.seats {
            while seat.pipe.has_room() && self.sessions.has_for(*viewer) {
                match self.sessions.to_viewer(now, *viewer, effects) {
                    Some(ToViewer::Message(message)) => seat.pipe.send(message),
                    Some(ToViewer::Close(reason)) => {
                        seat.pipe.close(close::viewer(reason));
                        break;
                    }
                    None => break,
                }
            }
        }
    }

    /// When the list of sessions is to be published; none if it is as it was.
    pub(super) fn publish_due(&self, now: Instant) -> Option<Instant> {
        if self.published == Some(self.sessions.changes()) {
            return None;
        }
        let oldest = self.published_at.front();
        let oldest = oldest.filter(|_| self.published_at.len() == PUBLISHED_MAX);
        Some(oldest.map_or(now, |at| *at + PUBLISHED_WITHIN))
    }

    pub(super) fn publish(&mut self, now: Instant) {
        if self.publish_due(now).is_none_or(|due| due > now) {
            return;
        }
        self.published = Some(self.sessions.changes());
        if self.published_at.len() == PUBLISHED_MAX {
            self.published_at.pop_front();
        }
        self.published_at.push_back(now);
        let views = self.sessions.views(now);
        // Sessions that are over may still be read back by those who are behind.
        if self.started.len() > STARTED_MAX {
            self.started
                .retain(|sid, _| views.iter().any(|view| view.sid == *sid));
        }
        let device = self.device;
        let live = views.into_iter().map(|view| LiveSession { device, view });
        self.app.links.publish(device, live.collect());
    }
}
