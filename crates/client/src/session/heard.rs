//! What a channel makes of what it hears.

use bytes::Bytes;
use longwire_link::ToUserEnd;

use super::channel::{Channel, Phase};
use super::event::{Event, Position};
use super::words::{NoticeKind, Word};

impl Channel {
    fn position(&self, offset: u64) -> Position {
        Position {
            screens: self.screens,
            offset,
        }
    }

    pub(super) fn happened(&mut self, event: ToUserEnd) {
        match event {
            ToUserEnd::Hello(_) => self.tell(Event::Connected),
            ToUserEnd::Started { .. } => self.tell(Event::Started),
            ToUserEnd::Refused { why, .. } => {
                self.phase = Phase::Over;
                let detached = std::mem::take(&mut self.detached);
                self.tell(Event::Refused { why, detached });
            }
            ToUserEnd::Resumed { sid } => {
                if self.wants_control && self.control.is_some() {
                    let _ = self.end.want_control(&sid);
                }
            }
            ToUserEnd::Output { offset, bytes, .. } => self.output(offset, bytes),
            ToUserEnd::Screen {
                offset,
                size,
                bytes,
                ..
            } => {
                // Nobody needs to see what was before.
                self.events
                    .retain(|event| !matches!(event, Event::Output { .. } | Event::Screen { .. }));
                self.screens += 1;
                let upto = self.position(offset);
                self.tell(Event::Screen { bytes, size, upto });
            }
            ToUserEnd::Resized { size, .. } => self.tell(Event::Resized(size)),
            ToUserEnd::Applied { dropped, .. } => {
                let news = dropped.saturating_sub(self.dropped);
                self.dropped = dropped.max(self.dropped);
                if news > 0 && self.control == Some(true) {
                    self.tell(Event::Interrupted(news));
                }
            }
            ToUserEnd::Epoch {
                sid,
                control,
                unarrived,
                ..
            } => self.epoch(&sid, control, unarrived),
            ToUserEnd::InputHeld { bytes, .. } => self.tell(Event::InputHeld(bytes)),
            ToUserEnd::Ended { stop, offset, .. } => {
                self.phase = Phase::Ended(offset);
                self.tell(Event::Ended(stop));
                self.shown(self.shown);
            }
            ToUserEnd::Lost { sid } => {
                self.phase = Phase::Over;
                self.end.leave(&sid);
                self.tell(Event::Unknown);
            }
            ToUserEnd::Other(message) => {
                if message.sid == self.sid()
                    && let Some(word) = Word::read(&message)
                {
                    self.word(word);
                }
            }
            // With the first comes the end of the link; on a viewer's leg there are none of the others.
            ToUserEnd::PeerError(_) | ToUserEnd::Gap { .. } | ToUserEnd::Stranger { .. } => {}
        }
    }

    fn output(&mut self, offset: u64, mut bytes: Bytes) {
        let end = offset + bytes.len() as u64;
        if offset < self.live_from && self.live_from < end {
            let old = usize::try_from(self.live_from - offset).unwrap_or(usize::MAX);
            let old = bytes.split_to(old.min(bytes.len()));
            let upto = self.position(self.live_from);
            self.tell(Event::Output {
                bytes: old,
                is_live: false,
                upto,
            });
        }
        let upto = self.position(end);
        let is_live = end > self.live_from;
        self.tell(Event::Output {
            bytes,
            is_live,
            upto,
        });
    }

    fn epoch(&mut self, sid: &str, control: bool, unarrived: u64) {
        let had = self.control.replace(control);
        if control {
            self.wants_control = false;
        } else {
            let lost = unarrived + self.queued as u64;
            self.queue.clear();
            self.queued = 0;
            if had != Some(false) || lost > 0 {
                self.tell(Event::Control {
                    ours: false,
                    unarrived: lost,
                });
            }
            if self.wants_control {
                let _ = self.end.want_control(sid);
            }
            return;
        }
        if had != Some(true) || unarrived > 0 {
            self.tell(Event::Control {
                ours: true,
                unarrived,
            });
        }
    }

    fn word(&mut self, word: Word) {
        match word {
            Word::Presence(present) => {
                self.events
                    .retain(|event| !matches!(event, Event::Presence(_)));
                self.tell(Event::Presence(present));
            }
            Word::Device(device, live_from) => {
                self.is_away = !device.connected;
                if let Some(offset) = live_from {
                    self.live_from = offset;
                }
                self.tell(Event::Device(device));
            }
            Word::Notice(notice) => match notice.kind {
                NoticeKind::InputHeld(bytes) => {
                    self.held_there = true;
                    self.tell(Event::InputHeld(bytes));
                }
                // The stream says so itself, with the figure.
                NoticeKind::Interrupted => {}
                NoticeKind::Refused => {
                    self.wants_control = false;
                    self.tell(Event::Notice(notice));
                }
                NoticeKind::Idle(_)
                | NoticeKind::Expiry(_)
                | NoticeKind::IdleOver
                | NoticeKind::Gap(..)
                | NoticeKind::TakenOver(_)
                | NoticeKind::Recording
                | NoticeKind::Other => self.tell(Event::Notice(notice)),
            },
        }
    }
}
