//! What plain ends are told while their device is away.

use std::time::{Duration, Instant};

use super::device::DeviceSessions;
use super::live::{Away, Phase};
use super::viewer::End;

/// How long a device may be away before plain ends are told. A link that is replaced (a new token, a
/// network that changed) is back sooner, and a line in the middle of a full screen would only be in the
/// way.
const AWAY_NOTICE_AFTER: Duration = Duration::from_secs(2);

/// What they are told then. They see it as a line of its own.
const AWAY_NOTICE: &str = "the device has lost its connection; waiting for it";

/// What they are told who have been told that.
const BACK_NOTICE: &str = "the device is connected again";

impl DeviceSessions {
    /// The device is away: plain ends are told soon.
    pub(super) fn device_is_away(&mut self, now: Instant) {
        for session in self.sessions.values_mut() {
            if session.away == Away::No && !session.is_over() {
                session.away = Away::Untold(now + AWAY_NOTICE_AFTER);
            }
        }
    }

    /// It is back.
    pub(super) fn device_is_back(&mut self, longwire: bool) {
        let away = self
            .sessions
            .values_mut()
            .filter(|session| session.is_longwire() == longwire);
        let told: Vec<_> = away
            .filter_map(|session| {
                let away = std::mem::replace(&mut session.away, Away::No);
                (away == Away::Told).then(|| session.sid.clone())
            })
            .collect();
        for sid in told {
            self.plain_line(&sid, BACK_NOTICE);
        }
    }

    /// It has been away for long enough to say so.
    pub(super) fn tell_away(&mut self, sid: &str) {
        if let Some(session) = self.sessions.get_mut(sid) {
            session.away = Away::Told;
            self.plain_line(sid, AWAY_NOTICE);
        }
    }

    pub(super) fn plain_line(&mut self, sid: &str, words: &str) {
        let Some(session) = self.sessions.get(sid).filter(|s| s.phase == Phase::Running) else {
            return;
        };
        let end = session.tail.end();
        for present in session.viewers.clone() {
            if let Some(viewer) = self.viewers.get_mut(&present.viewer)
                && let End::Plain(plain) = &mut viewer.end
            {
                viewer.is_ready = true;
                plain.notice(sid, end, words);
            }
        }
    }
}
