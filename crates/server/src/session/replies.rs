//! Answers that a terminal gives by itself, while nobody is there to give them.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::device::DeviceSessions;
use super::live::{Phase, Session, Target};

/// Answers that are kept.
const REPLIES_MAX: usize = 4096;

/// How long whoever is in control may be away before the screen answers in their place. Their link may
/// only have blinked, and answering costs them the epoch.
const AFTER: Duration = Duration::from_secs(2);

impl Session {
    /// Takes note of what the screen would answer.
    pub(super) fn collect_replies(&mut self, replies: Vec<u8>, now: Instant) {
        if replies.is_empty()
            || self.in_control.is_some()
            || self.is_scripted
            || !self.is_live()
            || self.replies.len() + replies.len() > REPLIES_MAX
        {
            return;
        }
        self.replies.extend(replies);
        let since = self.quiet_since.unwrap_or(now);
        self.replies_at.get_or_insert((since + AFTER).max(now));
    }
}

impl DeviceSessions {
    /// Answers in the place of a terminal, if there is none and it is time to.
    pub(super) fn answer_for_nobody(&mut self, now: Instant, sid: &str) {
        let position = self.input_position(sid);
        let since = self.since(now);
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        if session.in_control.is_some() || session.replies.is_empty() {
            session.replies.clear();
            session.replies_at = None;
            return;
        }
        if session.phase != Phase::Running
            || !session.is_live()
            || session.replies_at.is_some_and(|at| at > now)
        {
            return;
        }
        if !session.is_longwire() {
            let replies = std::mem::take(&mut session.replies);
            if let Some(shell) = session.shell() {
                shell.backlog.push_input(Bytes::from(replies));
            }
            session.replies_at = None;
            return;
        }
        if session.changing.is_some() || session.next.is_some() {
            return;
        }
        let is_ours = session.controller.is_none()
            && position.is_some_and(|position| position.epoch == session.epoch);
        session.replies_at = None;
        if is_ours {
            let replies = std::mem::take(&mut session.replies);
            // Refused when there is no room: then nobody reads.
            let _ = self.end.input(sid, &replies, since);
        } else if position.is_some() {
            let nobody = Target {
                viewer: None,
                controller: None,
                by: None,
            };
            let replies = session.replies.clone();
            self.change_control(now, sid, nobody);
            // They are said once the epoch has begun.
            if let Some(session) = self.sessions.get_mut(sid) {
                session.replies = replies;
            }
        }
    }
}
