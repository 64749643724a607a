//! How sessions end: wanted by somebody, told by the device, or decided by the server.

use std::time::{Duration, Instant};

use longwire_protocol::shell::{Ended, Stop};

use super::change::{Ending, SessionChange};
use super::device::{DeviceSessions, wake};
use super::input::EndReason;
use super::live::{Over, Phase};
use super::out::Awaited;
use crate::ids::UserId;
use crate::session::{Entry, Owner};

/// How long a session that is over is kept for viewers whose links are away.
const KEPT_FOR: Duration = Duration::from_secs(300);

/// Sessions that are over and are kept.
const KEPT_MAX: usize = 16;

/// Characters of a device's own words that are written down.
const WORDS_MAX: usize = 256;

impl From<EndReason> for Ending {
    fn from(why: EndReason) -> Self {
        Self {
            reason: Some(why.ended()),
            exit_status: None,
            text: why.text().to_owned(),
        }
    }
}

pub(super) fn words(text: &str) -> String {
    text.chars().take(WORDS_MAX).collect()
}

impl DeviceSessions {
    /// Somebody with the right wants a session to end, or the server does. Said to the device once it is
    /// written down, and again until it has ended.
    pub(super) fn stop_session(
        &mut self,
        now: Instant,
        sid: &str,
        by: Option<&Owner>,
        ending: Ending,
        is_wish: bool,
    ) {
        let Some(session) = self.sessions.get_mut(sid).filter(|s| s.is_live()) else {
            return;
        };
        session.stop_error = (!is_wish).then(|| ending.text.clone());
        session.stop = Some(ending.clone());
        session.next = None;
        let was_opening = session.phase == Phase::Opening;
        self.out
            .commit(sid, by, SessionChange::Stop(ending), Awaited::Stop);
        if !was_opening && self.sessions.get(sid).is_some_and(|s| !self.is_home(s)) {
            self.release_viewers(now, sid);
        }
    }

    /// That is written down. If it could not be, the device is told all the same.
    pub(super) fn stop_stored(&mut self, now: Instant, sid: &str) {
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        if session.is_over() || session.phase == Phase::Opening {
            return;
        }
        session.stop_is_stored = true;
        let error = session.stop_error.clone();
        if session.is_longwire() {
            if self.end.stop(sid, error).is_err() {
                // It was never asked for.
                self.end_at_once(now, sid, EndReason::Stopped);
            }
        } else {
            self.stop_plain(now, sid, error);
        }
    }

    /// The device is away: viewers do not wait for it to hear that their session is over.
    pub(super) fn release_viewers(&mut self, now: Instant, sid: &str) {
        let Some(session) = self.sessions.get(sid) else {
            return;
        };
        let Some(ending) = session.stop.clone() else {
            return;
        };
        let stop = stop_of(&ending);
        let end = session.tail.end();
        for present in session.viewers.clone() {
            if let Some(viewer) = self.viewers.get_mut(&present.viewer) {
                viewer.is_ready = true;
                match &mut viewer.end {
                    super::viewer::End::Plain(plain) => plain.ended(sid, end, stop.clone()),
                    super::viewer::End::Longwire(longwire) => longwire.release(sid, &stop),
                }
            }
            self.detach(now, present.viewer, sid);
        }
    }

    /// The device says that the shell has ended, or nobody can say any more that it runs.
    pub(super) fn ended(&mut self, now: Instant, sid: &str, stop: Stop) {
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        if session.is_over() {
            return;
        }
        let wanted = session.stop.clone();
        let mut ending = Ending {
            reason: stop.reason,
            exit_status: stop.exit_status,
            text: words(&stop.text),
        };
        if let Some(wanted) = wanted
            && ending
                .reason
                .is_none_or(|r| r == Ended::Stopped || r == Ended::DeviceGone)
        {
            ending.reason = wanted.reason;
            if ending.text.is_empty() || stop.reason.is_none() {
                ending.text = wanted.text;
            }
        }
        let offset = session.tail.end();
        let entry = Entry::End {
            offset,
            time_ms: session.time_ms(now),
            reason: ending.reason,
            exit_status: ending.exit_status,
            text: ending.text.clone(),
        };
        let was_open = session.written.is_open;
        self.out.append(session, entry);
        let entry = (was_open && !session.written.is_given_up).then_some(session.written.last);
        self.out.close_journal(session);
        session.phase = Phase::Ended;
        session.stop_is_stored = true;
        session.changing = None;
        session.next = None;
        session.over = Some(Over {
            stop: stop.clone(),
            entry,
            is_stored: false,
            forget_at: now + KEPT_FOR,
        });
        if let Some(shell) = session.shell() {
            shell.backlog.clear();
        }
        wake(&mut self.viewers, session);
        for present in session.viewers.clone() {
            if let Some(plain) = self
                .viewers
                .get_mut(&present.viewer)
                .and_then(|viewer| viewer.plain())
            {
                plain.ended(sid, offset, stop.clone());
            }
        }
        // Those who wait for the shell to start are told that it will not.
        self.refuse_waiting(sid, &ending.text);
        self.out
            .commit(sid, None, SessionChange::Ended(ending), Awaited::Ended);
    }

    /// Whoever waits for a shell that will not start is told so.
    fn refuse_waiting(&mut self, sid: &str, why: &str) {
        let Some(session) = self.sessions.get(sid) else {
            return;
        };
        for present in session.viewers.clone() {
            let is_opening = self
                .attachment(present.viewer, sid)
                .is_some_and(|attachment| attachment.is_opening);
            if is_opening {
                self.refuse(present.viewer, sid, why);
            }
        }
    }

    /// The database has the end, or could not take it: the row is then looked at again at the next start.
    pub(super) fn end_stored(&mut self, sid: &str, _ok: bool) {
        if let Some(over) = self.sessions.get_mut(sid).and_then(|s| s.over.as_mut()) {
            over.is_stored = true;
        }
        self.end_if_safe(sid);
    }

    /// Tells the device that its session's end is safe, if it is.
    pub(super) fn end_if_safe(&mut self, sid: &str) {
        let Some(session) = self.sessions.get(sid) else {
            return;
        };
        let is_safe = session
            .over
            .as_ref()
            .is_some_and(|over| over.is_stored && over.entry.is_none());
        if is_safe && session.is_longwire() {
            // It is gone there if the device never had it, or does not have it any more.
            let _ = self.end.end_recorded(sid);
        }
    }

    /// The server ends a session, whatever the device does; what it still says of it is of no interest.
    pub(super) fn end_at_once(&mut self, now: Instant, sid: &str, why: EndReason) {
        let Some(session) = self.sessions.get(sid) else {
            return;
        };
        if session.is_over() {
            return;
        }
        if session.phase == Phase::Opening {
            return self.drop_refused(sid, why.text());
        }
        let viewers = session.viewers.clone();
        if session.is_longwire() {
            let _ = self.end.forget(sid);
        } else {
            self.stop_plain(now, sid, Some(why.text().to_owned()));
        }
        self.ended(
            now,
            sid,
            Stop {
                error: true,
                ..stop_of(&why.into())
            },
        );
        for present in viewers {
            let viewer = self.viewers.get_mut(&present.viewer);
            if let Some(viewer) =
                viewer.filter(|viewer| matches!(viewer.end, super::viewer::End::Plain(_)))
            {
                viewer.leaves(now, why);
            }
        }
    }

    /// A person may not use the device any more.
    pub(super) fn end_owned(&mut self, now: Instant, owner: UserId, why: EndReason) {
        let theirs = self
            .sessions
            .values()
            .filter(|session| session.owner.user_id() == owner);
        let sids: Vec<_> = theirs.map(|session| session.sid.clone()).collect();
        for sid in sids {
            self.stop_session(now, &sid, None, why.into(), false);
        }
    }

    /// Forgets sessions that are over and that nobody looks at, sooner if there are many.
    pub(super) fn forget_sessions(&mut self, now: Instant) {
        let over = self.sessions.values().filter(|s| s.is_over()).count();
        if over == 0 {
            return;
        }
        let mut surplus = over.saturating_sub(KEPT_MAX);
        self.sessions.retain(|_, session| {
            let Some(over) = &session.over else {
                return true;
            };
            let forget_at = over.forget_at;
            if session.is_settled() && (forget_at <= now || surplus > 0) {
                surplus = surplus.saturating_sub(1);
                return false;
            }
            true
        });
    }
}

pub(super) fn stop_of(ending: &Ending) -> Stop {
    Stop {
        error: ending.reason != Some(Ended::Stopped),
        reason: ending.reason,
        exit_status: ending.exit_status,
        text: ending.text.clone(),
    }
}
