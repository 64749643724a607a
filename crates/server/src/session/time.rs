//! What happens because time has passed.

use std::time::Instant;

use super::device::DeviceSessions;
use super::effect::CloseReason;
use super::input::EndReason;
use super::live::{Away, Session};
use super::shell::{START_TIMEOUT, State};
use super::viewer::End;

impl DeviceSessions {
    /// When an [`super::Input::Tick`] is due, or [`Self::hears_device`] may change by itself.
    #[must_use]
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        let stream = self.end.deadline().and_then(|at| self.instant(at));
        let stream = self.generation.and(stream);
        let sip = self.plain.is_up().then(|| self.pace.next(now)).flatten();
        let sessions = self
            .sessions
            .values()
            .filter_map(|session| self.session_deadline(session));
        let leaving = self
            .viewers
            .values()
            .filter_map(|viewer| viewer.leave_by.map(|(at, _)| at));
        let viewers = self
            .viewers
            .values()
            .filter_map(|viewer| match &viewer.end {
                End::Plain(plain) => plain.deadline(),
                End::Longwire(longwire) if viewer.closing.is_none() => {
                    longwire.end.deadline().and_then(|at| self.instant(at))
                }
                End::Longwire(_) => None,
            });
        self.plain
            .deadline()
            .into_iter()
            .chain(stream)
            .chain(sip)
            .chain(sessions)
            .chain(viewers)
            .chain(leaving)
            .min()
    }

    fn session_deadline(&self, session: &Session) -> Option<Instant> {
        if let Some(over) = &session.over {
            return session.is_settled().then_some(over.forget_at);
        }
        let away = match session.away {
            Away::Untold(at) => Some(at),
            Away::No | Away::Told => None,
        };
        let shell = match &session.home {
            super::live::Home::Plain(shell) => match shell.state {
                State::Retrying { at } => Some(at),
                State::Starting { asked_at, .. } if self.plain.is_up() => {
                    asked_at.map(|at| at + START_TIMEOUT)
                }
                State::None
                | State::Starting { .. }
                | State::Running
                | State::Stopping
                | State::Ended => None,
            },
            super::live::Home::Longwire => None,
        };
        let grace = session
            .detached
            .filter(|_| session.stop.is_none() && session.orphan_until.is_none())
            .map(|since| since + self.detach_grace);
        let orphan = session.orphan_until.filter(|_| session.stop.is_none());
        [
            away,
            shell,
            grace,
            orphan,
            session.lost_at,
            session.replies_at.filter(|_| session.is_live()),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub(super) fn tick(&mut self, now: Instant) {
        let since = self.since(now);
        if self.generation.is_some()
            && let Err(error) = self.end.tick(since)
        {
            self.give_up_link(now, &error);
        }
        self.tick_plain(now);
        let sids: Vec<_> = self.sessions.keys().cloned().collect();
        for sid in sids {
            self.tick_session(now, &sid);
        }
        let mut silent = Vec::new();
        for (id, viewer) in &mut self.viewers {
            match &mut viewer.end {
                End::Plain(plain) => viewer.is_ready |= plain.tick(now),
                End::Longwire(longwire) => {
                    let is_due = longwire.end.deadline().is_some_and(|at| at <= since);
                    if is_due && viewer.closing.is_none() {
                        viewer.is_ready = true;
                        if let Err(error) = longwire.end.tick(since) {
                            silent.push((*id, error));
                        }
                    }
                }
            }
        }
        let late = self.viewers.iter().filter_map(|(id, viewer)| {
            let (by, why) = viewer.leave_by?;
            (by <= now).then_some((*id, why))
        });
        for (id, why) in late.collect::<Vec<_>>() {
            self.cut_viewer(now, id, CloseReason::Ended(why));
        }
        for (id, error) in silent {
            self.give_up_viewer(id, &error);
        }
    }

    fn tick_session(&mut self, now: Instant, sid: &str) {
        let Some(session) = self.sessions.get_mut(sid).filter(|s| !s.is_over()) else {
            return;
        };
        let is_away = matches!(session.away, Away::Untold(at) if at <= now);
        let is_lost = session.lost_at.is_some_and(|at| at <= now);
        let is_abandoned = session.orphan_until.is_some_and(|at| at <= now)
            || (session.orphan_until.is_none()
                && session
                    .detached
                    .is_some_and(|since| since + self.detach_grace <= now));
        let replies = session.replies_at.is_some_and(|at| at <= now);
        if is_away {
            self.tell_away(sid);
        }
        if replies {
            self.answer_for_nobody(now, sid);
        }
        if is_lost {
            self.take_for_lost(now, sid);
        }
        if is_abandoned {
            self.stop_session(now, sid, None, EndReason::Abandoned.into(), false);
        }
    }
}
