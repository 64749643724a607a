//! What the one in control types, on its way to the device.

use std::time::Instant;

use super::device::DeviceSessions;
use super::live::{Home, Phase};
use super::viewer::End;
use crate::session::ViewerId;

/// Typed input that waits for a plain device, per session.
const BACKLOG_BYTES_MAX: usize = 64 * 1024;

impl DeviceSessions {
    /// Passes on what was typed, as far as there is room for it.
    pub(super) fn pump_input(&mut self, now: Instant) {
        let since = self.since(now);
        for session in self.sessions.values_mut() {
            let Some(id) = session.in_control else {
                continue;
            };
            if session.phase != Phase::Running || !session.is_live() {
                continue;
            }
            let Some(viewer) = self.viewers.get_mut(&id) else {
                continue;
            };
            let (sid, epoch) = (session.sid.as_str(), session.epoch);
            match (&mut session.home, &mut viewer.end) {
                (Home::Longwire, End::Longwire(longwire)) => {
                    let position = self.end.input_position(sid);
                    if position.is_none_or(|position| position.epoch != epoch) {
                        continue;
                    }
                    let room = self.end.input_room(sid);
                    if let Some((offset, bytes)) = longwire.end.take_input(sid, room) {
                        // Refused when it ended, or control changed hands: then it is of no use.
                        let _ = self.end.relay_input(sid, epoch, offset, &bytes, since);
                    }
                }
                (Home::Longwire, End::Plain(plain)) => {
                    while let Some(piece) = plain.typed.input(self.end.input_room(sid)) {
                        if self.end.input(sid, &piece, since).is_err() {
                            // Not yet, or not any more.
                            plain.typed.put_back(piece);
                            break;
                        }
                    }
                }
                (Home::Plain(shell), End::Longwire(longwire)) => {
                    let room = BACKLOG_BYTES_MAX.saturating_sub(shell.backlog.len());
                    if let Some((_, bytes)) = longwire.end.take_input(sid, room) {
                        shell.backlog.push_input(bytes);
                    }
                }
                (Home::Plain(shell), End::Plain(plain)) => {
                    while let Some(piece) = plain
                        .typed
                        .input(BACKLOG_BYTES_MAX.saturating_sub(shell.backlog.len()))
                    {
                        shell.backlog.push_input(piece);
                    }
                }
            }
        }
    }

    /// A viewer has typed an interrupt that the window keeps back.
    pub(super) fn relay_interrupt(&mut self, id: ViewerId, sid: &str, offset: u64, byte: u8) {
        let Some(session) = self.sessions.get(sid) else {
            return;
        };
        if session.in_control == Some(id) && session.is_longwire() {
            let _ = self.end.relay_interrupt(sid, session.epoch, offset, byte);
        }
    }

    /// The device has applied input.
    pub(super) fn applied(&mut self, sid: &str, offset: u64, dropped: u64) {
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        let news = dropped.saturating_sub(session.dropped);
        session.dropped = session.dropped.max(dropped);
        if let Some(id) = session.in_control
            && let Some(viewer) = self.viewers.get_mut(&id)
        {
            viewer.is_ready = true;
            if let Some(longwire) = viewer.longwire() {
                let _ = longwire.end.applied(sid, offset, dropped);
            }
        }
        if news > 0 {
            let words = format!("{news} bytes of input were thrown away by the interrupt");
            self.bytes_notice(sid, "interrupted", news, &words);
        }
    }
}
