//! What is recorded, and what follows once it is durable.

use std::time::Instant;

use bytes::Bytes;

use super::change::SessionChange;
use super::device::{DeviceSessions, wake};
use super::effect::{Effect, Opening};
use super::input::{EndReason, ReadBack, Trouble};
use super::live::Session;
use super::out::{Awaited, Out};
use super::viewer::End;
use crate::session::{Entry, Marker, ViewerId};

/// Output after which the screen is recorded again, so that whoever reads can begin there.
const KEYFRAME_EVERY: u64 = 1024 * 1024;

/// Output that is read back from the journal at a time.
pub(super) const READ_BACK_MAX: usize = 256 * 1024;

impl Out {
    pub(super) fn open_journal(&mut self, session: &mut Session) {
        session.written.is_open = true;
        self.effects.push(Effect::OpenJournal(Opening {
            sid: session.sid.clone(),
            owner: session.owner.clone(),
            started_at: session.opened_at,
            size: session.asked_size,
            lossless: session.is_longwire(),
        }));
    }

    pub(super) fn close_journal(&mut self, session: &mut Session) {
        if std::mem::take(&mut session.written.is_open) {
            let sid = session.sid.clone();
            self.effects.push(Effect::CloseJournal { sid });
        }
    }

    pub(super) fn mark(&mut self, session: &mut Session, now: Instant, marker: Marker) {
        let entry = Entry::Marker {
            offset: session.tail.end(),
            time_ms: session.time_ms(now),
            marker,
        };
        self.append(session, entry);
    }

    /// Records the screen if it is time to.
    pub(super) fn keyframe(&mut self, session: &mut Session, time_ms: u64) {
        let offset = session.tail.end();
        if offset - session.written.keyframe < KEYFRAME_EVERY || !session.written.is_open {
            return;
        }
        session.written.keyframe = offset;
        let entry = Entry::Keyframe {
            offset,
            time_ms,
            size: session.screen.size(),
            screen: Bytes::from(session.screen.keyframe()),
        };
        self.append(session, entry);
    }
}

impl DeviceSessions {
    /// The journal is durable up to an entry, except for sessions in trouble.
    pub(super) fn committed(&mut self, now: Instant, seq: u64, trouble: &[Trouble]) {
        let mut ended = Vec::new();
        let mut given_up = Vec::new();
        let mut paused = Vec::new();
        for session in self.sessions.values_mut() {
            let trouble = trouble.iter().find(|trouble| trouble.sid == session.sid);
            let until = trouble.map_or(seq, |trouble| seq.min(trouble.from.saturating_sub(1)));
            if session.written.committed(until) {
                let recorded = session.written.recorded;
                if session.is_longwire() {
                    // Unknown once it is given up; then nobody waits for it.
                    let _ = self.end.recorded(&session.sid, recorded);
                }
                wake(&mut self.viewers, session);
                for present in &session.viewers {
                    if let Some(viewer) = self.viewers.get_mut(&present.viewer) {
                        viewer.may_read(&session.sid);
                    }
                }
            }
            if let Some(over) = &mut session.over
                && over.entry.is_some_and(|entry| entry <= until)
            {
                over.entry = None;
                ended.push(session.sid.clone());
            }
            let is_given_up = trouble.is_some_and(|trouble| trouble.given_up);
            if is_given_up && !session.written.is_given_up {
                session.written.is_given_up = true;
                given_up.push(session.sid.clone());
            }
            let is_paused = trouble.is_some() && !is_given_up;
            if is_paused != session.written.is_paused {
                session.written.is_paused = is_paused;
                paused.push((session.sid.clone(), is_paused));
            }
        }
        for (sid, is_paused) in paused {
            self.recording_notice(&sid, is_paused);
        }
        for sid in given_up {
            let what = SessionChange::NotRecorded;
            self.out.commit(&sid, None, what, Awaited::Nothing);
            self.end_at_once(now, &sid, EndReason::NotRecorded);
        }
        for sid in ended {
            self.end_if_safe(&sid);
        }
    }

    /// Asks for output that is not in the tail any more.
    pub(super) fn ask_read_back(&mut self, viewer: ViewerId, sid: &str, from: u64, max: usize) {
        self.out.effects.push(Effect::ReadBack {
            viewer,
            sid: sid.to_owned(),
            from,
            max: max.min(READ_BACK_MAX),
        });
    }

    /// Output from the journal has come.
    pub(super) fn read_back(
        &mut self,
        _now: Instant,
        id: ViewerId,
        sid: &str,
        from: u64,
        found: ReadBack,
    ) {
        let Some(viewer) = self.viewers.get_mut(&id) else {
            return;
        };
        viewer.is_ready = true;
        match &mut viewer.end {
            End::Plain(plain) => plain.read_back(sid, from, found),
            End::Longwire(longwire) => longwire.read_back(sid, from, found),
        }
    }
}
