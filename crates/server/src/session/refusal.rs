//! Shells that there will not be, and what is offered in their place.

use std::time::Instant;

use longwire_protocol::shell::text;

use super::change::SessionChange;
use super::device::DeviceSessions;
use super::live::Phase;
use super::out::Awaited;
use crate::session::ViewerId;

impl DeviceSessions {
    pub(super) fn refuse(&mut self, id: ViewerId, sid: &str, why: &str) {
        if let Some(viewer) = self.viewers.get_mut(&id) {
            viewer.is_ready = true;
            if let Some(longwire) = viewer.longwire() {
                longwire.attachments.remove(sid);
                let _ = longwire.end.refused(sid, why);
            }
        }
    }

    /// The device refuses a shell.
    pub(super) fn refused(&mut self, now: Instant, sid: &str, why: &str) {
        let Some(session) = self.sessions.get(sid) else {
            return;
        };
        let owner = session.owner.user_id();
        let (present, plain) = (session.viewers.clone(), self.plain.is_up());
        if why != text::TOO_MANY_SESSIONS {
            return self.drop_refused(sid, why);
        }
        let mut theirs: Vec<_> = self
            .sessions
            .values()
            .filter(|other| {
                other.sid != sid
                    && other.owner.user_id() == owner
                    && other.phase == Phase::Running
                    && other.is_live()
                    && other.is_longwire() != plain
            })
            .collect();
        theirs.sort_by_key(|session| std::cmp::Reverse(session.opened_at));
        let detached: Vec<_> = theirs
            .iter()
            .filter(|session| session.viewers.is_empty())
            .map(|session| session.sid.clone())
            .collect();
        let Some(newest) = detached.first().cloned() else {
            let why = match theirs.first() {
                Some(holder) => format!(
                    "{why}: one is in use by {} since {}",
                    holder.owner.email(),
                    holder.opened_at
                ),
                None => why.to_owned(),
            };
            return self.drop_refused(sid, &why);
        };
        for present in &present {
            if let Some(longwire) = self.longwire_viewer(present.viewer) {
                longwire.held_by.insert(sid.to_owned(), detached.clone());
            }
        }
        let plain_end = present.iter().find(|present| {
            self.viewers
                .get_mut(&present.viewer)
                .is_some_and(|viewer| viewer.plain().is_some())
        });
        if let Some(plain_end) = plain_end.copied() {
            self.store_refused(sid, why);
            if let Some(session) = self.sessions.get_mut(sid) {
                session.viewers.clear();
            }
            self.forget_refused(sid);
            return self.give_to_plain(now, plain_end.viewer, sid, &newest);
        }
        self.drop_refused(sid, why);
    }

    fn store_refused(&mut self, sid: &str, why: &str) {
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        let owner = session.owner.clone();
        self.out.close_journal(session);
        let refused = SessionChange::Refused {
            text: super::ending::words(why),
        };
        self.out
            .commit(sid, Some(&owner), refused, Awaited::Nothing);
    }

    fn forget_refused(&mut self, sid: &str) {
        if let Some(session) = self.sessions.remove(sid)
            && session.is_longwire()
        {
            self.end.leave(sid);
        }
    }

    /// There is no shell: whoever waits for it is told, and the session is gone.
    pub(super) fn drop_refused(&mut self, sid: &str, why: &str) {
        self.store_refused(sid, why);
        let Some(session) = self.sessions.get(sid) else {
            return;
        };
        for present in session.viewers.clone() {
            let Some(viewer) = self.viewers.get_mut(&present.viewer) else {
                continue;
            };
            viewer.is_ready = true;
            if let Some(plain) = viewer.plain() {
                plain.refused(sid, why);
            } else {
                self.refuse(present.viewer, sid, why);
            }
        }
        self.forget_refused(sid);
    }

    /// A plain end gets a session of its operator's that nobody looks at, in place of a new one.
    pub(super) fn give_to_plain(&mut self, now: Instant, id: ViewerId, old: &str, sid: &str) {
        let since = self.wall(now);
        let Some(session) = self.sessions.get(sid) else {
            return;
        };
        let (screen, end) = (session.screen.snapshot(), session.tail.end());
        let opened_at = session.opened_at;
        let Some(viewer) = self.viewers.get_mut(&id) else {
            return;
        };
        viewer.is_ready = true;
        let person = viewer.person.clone();
        if let Some(plain) = viewer.plain() {
            plain.takes(old, sid, end);
            plain.started(sid);
            let words = format!("this is your session of {opened_at}, which nobody was using");
            plain.line(sid, end, &words);
            plain.screen(sid, end, screen);
        }
        self.is_there(now, id, sid, since, true);
        self.give_control(now, id, sid, person);
    }
}
