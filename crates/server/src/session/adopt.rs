//! Sessions of a former run of the server.

use std::time::{Duration, Instant};

use super::change::SessionChange;
use super::device::DeviceSessions;
use super::input::{Adopted, EndReason};
use super::live::{Home, Phase, Session};
use super::longwire_viewer::HOLD_INPUT_AFTER;
use super::opening::user_of;
use super::out::Awaited;
use super::shell::{Shell, State};
use crate::session::screen::Screen;
use crate::session::{Entry, Marker};
use crate::time::Timestamp;

/// How long a session waits for its operator whose only viewer could not come back to it.
const ORPHANS_WAIT: Duration = Duration::from_secs(60);

impl DeviceSessions {
    /// Takes over a session that has not ended.
    pub(super) fn adopt(&mut self, now: Instant, adopted: Adopted) {
        let sid = adopted.sid.as_str();
        if let Some(ended) = adopted.ended {
            let what = SessionChange::Ended(ended);
            return self.out.commit(sid, None, what, Awaited::Nothing);
        }
        if adopted.restored && adopted.started.is_none() {
            // It was being opened when the copy was made; nobody knows what has become of it since.
            let what = SessionChange::Ended(EndReason::DeviceGone.into());
            return self.out.commit(sid, None, what, Awaited::Nothing);
        }
        let age_ms = super::live::millis(adopted.age);
        let opened_at = self.wall(now).millis() - i64::try_from(age_ms).unwrap_or(i64::MAX / 2);
        let mut session = Session::new(
            adopted.sid.clone(),
            adopted.owner,
            Timestamp::from_millis(opened_at),
            adopted.age,
            now,
            adopted.recorded,
            adopted.size,
        );
        session.epoch = adopted.epoch;
        session.controller = adopted.controller;
        session.is_restored = adopted.restored;
        session.plain_only = adopted.plain_only;
        session.shift_ms = adopted.started.map_or(0, super::live::millis);
        session.replay(adopted.replay, adopted.recorded);
        session.quiet_since = Some(now);
        session.written.is_open = true;
        session.detached = Some(now);
        match adopted.detached {
            Some(since) => session.detached = now.checked_sub(since).or(Some(now)),
            None if adopted.plain_only => session.orphan_until = Some(now + ORPHANS_WAIT),
            None => {
                let what = SessionChange::Detached { last: true };
                self.out.commit(sid, None, what, Awaited::Nothing);
            }
        }
        session.phase = if adopted.started.is_some() {
            Phase::Running
        } else {
            Phase::Starting
        };
        if adopted.lossless {
            let more = user_of(&session.owner);
            let (epoch, size) = (session.epoch, session.asked_size);
            // Nobody adopts the same session twice.
            let _ = if adopted.started.is_some() {
                let have = Some(adopted.recorded);
                self.end.resume(sid, have, epoch, size, more)
            } else {
                self.end.open(sid, epoch, size, more)
            };
            let _ = self.end.hold_input_after(sid, Some(HOLD_INPUT_AFTER));
        } else {
            let state = if adopted.started.is_some() {
                State::Running
            } else {
                // It may have been.
                State::Starting {
                    asked_at: Some(now),
                    retried: false,
                    asked_again: true,
                }
            };
            let epoch = session.epoch;
            session.home = Home::Plain(Shell {
                state,
                epoch,
                ..Shell::default()
            });
            session.is_restored = false;
            self.plain.expect(now);
        }
        self.out.mark(&mut session, now, Marker::Restarted);
        let to_stop = adopted.to_stop;
        if let Some(ending) = to_stop {
            session.stop_error = Some(ending.text.clone());
            session.stop = Some(ending);
        }
        let is_to_stop = session.stop.is_some();
        self.sessions.insert(adopted.sid.clone(), session);
        if is_to_stop {
            self.stop_stored(now, &adopted.sid);
        }
    }
}

impl Session {
    /// Makes screen and tail from what was recorded.
    fn replay(&mut self, entries: Vec<Entry>, recorded: u64) {
        let Some(first) = entries.first() else {
            return;
        };
        self.tail = super::tail::Tail::at(first.offset());
        for entry in entries {
            match entry {
                Entry::Output { bytes, time_ms, .. } => {
                    self.tail
                        .push(&bytes, time_ms.saturating_sub(self.shift_ms));
                    self.screen.feed(&bytes);
                }
                Entry::Resized { size, time_ms, .. } => {
                    self.size = Some(size);
                    self.screen.resize(size);
                    let time_ms = time_ms.saturating_sub(self.shift_ms);
                    self.tail.resized(size, time_ms);
                }
                Entry::Keyframe {
                    size,
                    screen,
                    time_ms,
                    offset,
                } => {
                    if offset == self.tail.end() {
                        self.screen = Screen::new(size);
                        self.screen.feed(&screen);
                        self.size = Some(size);
                        let time_ms = time_ms.saturating_sub(self.shift_ms);
                        self.tail.resized(size, time_ms);
                        self.written.keyframe = offset;
                    }
                }
                Entry::Gap { to: Some(to), .. } => self.tail.jump(to),
                Entry::Gap { to: None, .. } | Entry::Marker { .. } | Entry::End { .. } => {}
            }
        }
        // What a terminal would have answered then was answered then, or is not wanted any more.
        let _ = self.screen.replies();
        if self.tail.end() != recorded {
            self.tail.jump(recorded);
        }
    }
}
