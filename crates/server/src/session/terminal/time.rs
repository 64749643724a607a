//! What happens because time has passed.

use std::time::Instant;

use super::super::effect::CloseReason;
use super::{Away, LEAVE_MAX, NO_ANSWER, STALL_MAX, START_TIMEOUT, Session, Shell, Surroundings};

impl Session {
    /// Does what is due. The result is why the viewer is to be done without from now on, if it is.
    pub(in crate::session) fn tick(
        &mut self,
        around: &mut Surroundings<'_>,
    ) -> Option<CloseReason> {
        let now = around.now;
        if self.shell != Shell::None {
            self.viewer.ping(&self.sid, now, around.effects);
        }
        match self.shell {
            Shell::Retrying { at } if at <= now => self.ask(around, true, false),
            Shell::Starting {
                asked_at: Some(at), ..
            } if around.link_up && at + START_TIMEOUT <= now => {
                self.stop_device(around, Some(NO_ANSWER.to_owned()));
                self.refused(around, NO_ANSWER);
            }
            Shell::None
            | Shell::Recording
            | Shell::Starting { .. }
            | Shell::Retrying { .. }
            | Shell::Running
            | Shell::Stopping => {}
        }
        if let Away::Untold(at) = self.away
            && at <= now
        {
            self.tell_away();
        }
        if let Some((why, at)) = self.over {
            return (at + LEAVE_MAX <= now).then_some(CloseReason::Ended(why));
        }
        let stalled = self.stalled_since.is_some_and(|at| at + STALL_MAX <= now);
        stalled.then_some(CloseReason::TooSlow)
    }

    /// When [`Session::tick`] has something to do.
    pub(in crate::session) fn deadlines(&self, link_up: bool) -> impl Iterator<Item = Instant> {
        let ping = (self.shell != Shell::None).then(|| self.viewer.next_ping());
        let start = match self.shell {
            Shell::Retrying { at } => Some(at),
            Shell::Starting { asked_at, .. } if link_up => asked_at.map(|at| at + START_TIMEOUT),
            Shell::None
            | Shell::Recording
            | Shell::Starting { .. }
            | Shell::Running
            | Shell::Stopping => None,
        };
        let end = match (self.over, self.stalled_since) {
            (Some((_, at)), _) => Some(at + LEAVE_MAX),
            (None, Some(since)) => Some(since + STALL_MAX),
            (None, None) => None,
        };
        let away = match self.away {
            Away::Untold(at) => Some(at),
            Away::No | Away::Told => None,
        };
        ping.into_iter().chain(start).chain(end).chain(away)
    }
}
