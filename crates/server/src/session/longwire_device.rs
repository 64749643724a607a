//! What a device that speaks longwire.v1 says.

use std::time::{Duration, Instant};

use longwire_link::ToUserEnd;
use longwire_protocol::shell::{Ended, Stop};

use super::change::SessionChange;
use super::device::{DeviceSessions, wake};
use super::live::Phase;
use super::out::Awaited;
use crate::session::Entry;

/// How long a session is kept that the device does not have, if the device may be another one with the
/// same identity.
const LOST_AFTER: Duration = Duration::from_secs(60);

/// Said of a shell that the device has lost.
const SHELL_LOST: &str = "the device no longer has this shell";

impl DeviceSessions {
    /// Takes the events of the device's stream.
    pub(super) fn attend_device(&mut self, now: Instant) {
        while let Some(event) = self.end.event() {
            match event {
                ToUserEnd::Started { sid } => self.started(now, &sid),
                ToUserEnd::Refused { sid, why } => self.refused(now, &sid, &why),
                ToUserEnd::Resumed { sid } => self.found(&sid),
                ToUserEnd::Gap { sid, from, to } => self.gap(now, &sid, from, Some(to)),
                ToUserEnd::Output {
                    sid,
                    time_ms,
                    bytes,
                    ..
                } => self.output(now, &sid, bytes, time_ms),
                ToUserEnd::Resized {
                    sid, time_ms, size, ..
                } => self.resized(&sid, size, time_ms),
                ToUserEnd::Applied {
                    sid,
                    offset,
                    dropped,
                } => self.applied(&sid, offset, dropped),
                ToUserEnd::Epoch {
                    sid, epoch, offset, ..
                } => self.epoch_at_device(now, &sid, epoch, offset),
                ToUserEnd::InputHeld { sid, bytes } => self.input_held(&sid, bytes),
                ToUserEnd::Ended { sid, stop, .. } => self.ended(now, &sid, stop),
                ToUserEnd::Lost { sid } => self.lost(now, &sid),
                ToUserEnd::Stranger { sid } => self.stranger(&sid),
                ToUserEnd::Other(message) => self.device_says_beside(&message),
                ToUserEnd::Hello(_) | ToUserEnd::Screen { .. } | ToUserEnd::PeerError(_) => {}
            }
        }
    }

    /// A session that seemed lost is there.
    fn found(&mut self, sid: &str) {
        if let Some(session) = self.sessions.get_mut(sid) {
            if session.phase == Phase::Starting {
                // Its start was not known to the run of the server before.
                session.phase = Phase::Running;
            }
            if session.lost_at.take().is_some() {
                self.tell_of_device(|session| session.sid == sid);
            }
        }
    }

    /// Output that will never come.
    pub(super) fn gap(&mut self, now: Instant, sid: &str, from: u64, to: Option<u64>) {
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        if let Some(to) = to {
            session.tail.jump(to);
            session.written.keyframe = session.written.keyframe.max(to);
        }
        let entry = Entry::Gap {
            offset: from,
            time_ms: session.time_ms(now),
            to,
        };
        self.out.append(session, entry);
        wake(&mut self.viewers, session);
        let lost = SessionChange::OutputLost { from, to };
        self.out.commit(sid, None, lost, Awaited::Nothing);
        self.gap_notice(sid, from, to);
    }

    fn input_held(&mut self, sid: &str, bytes: usize) {
        if let Some(session) = self.sessions.get_mut(sid) {
            session.held = Some(bytes);
            self.remind_of_held(sid);
        }
    }

    /// Asks whoever is in control whether input that waits is still meant.
    pub(super) fn remind_of_held(&mut self, sid: &str) {
        if let Some(bytes) = self.sessions.get(sid).and_then(|session| session.held) {
            let words = "what was typed before the device went away waits: is it still meant?";
            self.bytes_notice(sid, "held", bytes as u64, words);
        }
    }

    /// The device does not have a session. That is final, unless another program with the device's identity
    /// seems to have come in its place; then the device may come back.
    fn lost(&mut self, now: Instant, sid: &str) {
        let is_displacing = self.is_displacing;
        let Some(session) = self.sessions.get_mut(sid) else {
            return self.end.leave(sid);
        };
        if is_displacing && session.stop.is_none() {
            session.lost_at.get_or_insert(now + LOST_AFTER);
            self.tell_of_device(|session| session.sid == sid);
            return;
        }
        self.take_for_lost(now, sid);
    }

    /// Nobody has the session's shell any more.
    pub(super) fn take_for_lost(&mut self, now: Instant, sid: &str) {
        self.end.leave(sid);
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        session.lost_at = None;
        let was_wanted = session.stop.is_none();
        let from = session.tail.end();
        if was_wanted && session.phase == Phase::Running {
            self.gap(now, sid, from, None);
        }
        self.ended(
            now,
            sid,
            Stop {
                error: true,
                reason: Some(Ended::DeviceGone),
                exit_status: None,
                text: SHELL_LOST.to_owned(),
            },
        );
    }

    /// The device had a session that is not known here. It was told to end it.
    fn stranger(&mut self, sid: &str) {
        // One that has just ended is none.
        if !self.sessions.contains_key(sid) {
            let what = SessionChange::Stranger;
            self.out.commit(sid, None, what, Awaited::Nothing);
        }
    }

    /// Words of the device that are not of the stream: notices are passed on.
    fn device_says_beside(&mut self, message: &longwire_protocol::Message) {
        use super::notice::{typ, word};
        use longwire_protocol::{Props, proto};
        if message.proto != proto::SHELL || message.typ != typ::NOTICE {
            return;
        }
        let Some(kind) = message.props.get_str(word::KIND) else {
            return;
        };
        if !matches!(kind, "idle" | "expiry" | "idle_over") {
            return;
        }
        let mut props = Props::new();
        if let Some(ends_at) = message.props.get_int("ends_at") {
            props.set("ends_at", ends_at);
        }
        let words = super::ending::words(&String::from_utf8_lossy(&message.body));
        let (sid, kind) = (message.sid.clone(), kind.to_owned());
        self.notice(&sid, &kind, &props, &words, |_| true);
    }
}
