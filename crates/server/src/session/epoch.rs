//! Who is in control: epochs, one for each change, written down before anybody hears of them.

use std::time::Instant;

use longwire_link::InputPosition;
use longwire_protocol::Props;
use longwire_protocol::shell::Winsize;

use super::change::SessionChange;
use super::device::DeviceSessions;
use super::live::{Changing, Home, Phase, Target};
use super::notice::word;
use super::out::Awaited;
use crate::session::{Marker, ViewerId};

impl DeviceSessions {
    /// Where a session's input stands at its device, if that is known.
    pub(super) fn input_position(&self, sid: &str) -> Option<InputPosition> {
        match &self.sessions.get(sid)?.home {
            Home::Longwire => self.end.input_position(sid),
            Home::Plain(shell) => Some(InputPosition {
                epoch: shell.epoch,
                applied: shell.applied,
                end: shell.applied,
                dropped: 0,
            }),
        }
    }

    /// Control of a session changes hands as soon as it can.
    pub(super) fn change_control(&mut self, _now: Instant, sid: &str, target: Target) {
        let position = self.input_position(sid);
        let Some(session) = self.running(sid).filter(|session| session.is_live()) else {
            return;
        };
        // What this run does not know of the device's epochs it must not number.
        let Some(position) = position.filter(|_| session.changing.is_none()) else {
            session.next = Some(target);
            return;
        };
        let epoch = session.epoch.max(position.epoch) + 1;
        let before = session.controller.as_ref().map(|c| c.user_id);
        let after = target.controller.as_ref().map(|c| c.user_id);
        let change = SessionChange::Epoch {
            epoch,
            controller: target.controller.clone(),
            taken_over: before.is_some() && before != after,
        };
        let by = target.by.clone();
        session.changing = Some(Changing { epoch, target });
        self.out
            .commit(sid, by.as_ref(), change, Awaited::Epoch(epoch));
    }

    /// The epoch is written down, or could not be.
    pub(super) fn epoch_stored(&mut self, now: Instant, sid: &str, epoch: u64, ok: bool) {
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        let Some(changing) = session.changing.take_if(|changing| changing.epoch == epoch) else {
            return;
        };
        let target = changing.target;
        if !session.is_live() {
            return;
        }
        if !ok {
            let words = "control cannot change hands at present";
            self.notice(sid, "refused", &Props::new(), words, |to| {
                Some(to) == target.viewer
            });
            return;
        }
        let former = session.in_control;
        session.epoch = epoch;
        session.controller.clone_from(&target.controller);
        session.held = None;
        session.is_restored = false;
        if target.viewer.is_some() {
            session.replies.clear();
        }
        session.in_control = target
            .viewer
            .filter(|id| session.viewers.iter().any(|p| p.viewer == *id));
        let marker = Marker::Control {
            by: target
                .controller
                .map_or_else(String::new, |controller| controller.email),
            epoch,
        };
        self.out.mark(session, now, marker);
        let is_longwire = session.is_longwire();
        let in_control = session.in_control;
        let name = target.by.map(|by| by.email().to_owned());
        if let Some(former) = former.filter(|former| Some(*former) != in_control) {
            let name = name.unwrap_or_default();
            let words = format!("{name} is in control now");
            let props = Props::new().with(word::BY, name);
            self.notice(sid, "taken_over", &props, &words, |to| to == former);
            if let Some(plain) = self.viewers.get_mut(&former).and_then(|v| v.plain()) {
                plain.typed.clear();
            }
        }
        if is_longwire {
            if self.end.begin_epoch(sid, epoch).is_err() {
                // The device has said a higher one meanwhile.
                self.change_control_again(now, sid);
            }
            let hold = self.hold_after(sid);
            if let Some(session) = self.sessions.get_mut(sid) {
                session.is_scripted = hold.is_none();
            }
            let _ = self.end.hold_input_after(sid, hold);
        } else {
            let began = self.sessions.get_mut(sid).and_then(|s| s.shell());
            let offset = began.map_or(0, |shell| {
                shell.epoch = epoch;
                shell.backlog.clear();
                shell.applied
            });
            self.epoch_began(now, sid, epoch, offset);
        }
        self.controller_size(now, sid);
        self.tell_of_presence(sid);
    }

    /// The device has begun an epoch, or says for the first time in this run where it stands.
    pub(super) fn epoch_at_device(&mut self, now: Instant, sid: &str, epoch: u64, offset: u64) {
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        if epoch > session.epoch || session.is_restored {
            // There may have been changes of control that are not remembered here.
            return self.change_control_again(now, sid);
        }
        if epoch == session.epoch {
            self.epoch_began(now, sid, epoch, offset);
        }
    }

    /// A new epoch for whoever is next, or in control already.
    fn change_control_again(&mut self, now: Instant, sid: &str) {
        if let Some(session) = self.sessions.get_mut(sid) {
            let same = Target {
                viewer: session.in_control,
                controller: session.controller.clone(),
                by: None,
            };
            let target = session.next.take().unwrap_or(same);
            self.change_control(now, sid, target);
        }
    }

    /// Input of an epoch begins here; nothing of an older one counts any more.
    fn epoch_began(&mut self, now: Instant, sid: &str, epoch: u64, offset: u64) {
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        session.epoch_begins(epoch, offset);
        let next = if session.changing.is_none() {
            session.next.take()
        } else {
            None
        };
        for present in session.viewers.clone() {
            self.show_control_from(present.viewer, sid, epoch, offset);
        }
        self.answer_for_nobody(now, sid);
        if let Some(next) = next {
            self.change_control(now, sid, next);
        }
    }

    /// Tells one viewer whose input counts, if that is settled.
    pub(super) fn show_control(&mut self, id: ViewerId, sid: &str) {
        let Some(session) = self.sessions.get(sid) else {
            return;
        };
        let epoch = session.epoch;
        let is_over = session.is_over();
        let known = self
            .input_position(sid)
            .filter(|position| position.epoch == epoch);
        match known {
            // That is how it began.
            Some(known) if epoch == 1 && known.end == 0 && session.in_control == Some(id) => {}
            Some(known) if !is_over => self.show_control_from(id, sid, epoch, known.applied),
            Some(_) | None => {
                if let Some(longwire) = self.longwire_viewer(id) {
                    // Not yet.
                    let _ = longwire.end.set_control(sid, 1, 0, false);
                }
            }
        }
    }

    fn show_control_from(&mut self, id: ViewerId, sid: &str, epoch: u64, offset: u64) {
        let control = self
            .sessions
            .get(sid)
            .is_some_and(|session| session.in_control == Some(id) && session.is_live());
        let dropped = self.input_position(sid).map_or(0, |known| known.dropped);
        let Some(viewer) = self.viewers.get_mut(&id) else {
            return;
        };
        viewer.is_ready = true;
        let Some(longwire) = viewer.longwire() else {
            return;
        };
        // Refused if the viewer's word about its epoch is beyond ours: it gets no control.
        let is_told = longwire.end.set_control(sid, epoch, offset, control);
        if is_told.is_ok() {
            let _ = longwire.end.applied(sid, offset, dropped);
        }
        if let Some(attachment) = longwire.attachments.get_mut(sid) {
            attachment.has_control = control;
        }
    }

    /// The controller's own size counts from now on.
    pub(super) fn controller_size(&mut self, now: Instant, sid: &str) {
        let Some(id) = self.sessions.get(sid).and_then(|s| s.in_control) else {
            return;
        };
        let size = self
            .viewers
            .get_mut(&id)
            .and_then(|viewer| match &mut viewer.end {
                super::viewer::End::Longwire(longwire) => longwire.attachments.get(sid)?.size,
                super::viewer::End::Plain(plain) => plain.size,
            });
        if let Some(size) = size {
            self.resize(now, sid, size);
        }
    }

    /// A viewer's terminal has another size.
    pub(super) fn viewer_resizes(&mut self, now: Instant, id: ViewerId, sid: &str, size: Winsize) {
        if let Some(attachment) = self.attachment(id, sid) {
            attachment.size = Some(size);
        }
        if self
            .sessions
            .get(sid)
            .is_some_and(|s| s.in_control == Some(id))
        {
            self.resize(now, sid, size);
        }
    }

    /// The terminal is to have this size.
    pub(super) fn resize(&mut self, now: Instant, sid: &str, size: Winsize) {
        let Some(session) = self.sessions.get_mut(sid).filter(|s| s.is_live()) else {
            return;
        };
        if session.asked_size == Some(size) && session.phase != Phase::Opening {
            return;
        }
        session.asked_size = Some(size);
        let is_stored = session.phase != Phase::Opening;
        if session.is_longwire() {
            let _ = self.end.resize(sid, size);
        } else {
            let is_running = session.phase == Phase::Running;
            let time_ms = session.time_ms(now);
            if let Some(shell) = session.shell() {
                shell.backlog.push_resize(size);
            }
            if is_running {
                self.resized(sid, size, time_ms);
            }
        }
        if is_stored {
            let what = SessionChange::Resized(size);
            self.out.commit(sid, None, what, Awaited::Nothing);
        }
    }

    /// An operator may go on looking, but not typing.
    pub(super) fn lose_control(&mut self, now: Instant, id: ViewerId, sid: &str) {
        if self
            .sessions
            .get(sid)
            .is_some_and(|s| s.in_control == Some(id))
        {
            let target = Target {
                viewer: None,
                controller: None,
                by: None,
            };
            // It is over at once, whenever the next epoch begins.
            if let Some(session) = self.sessions.get_mut(sid) {
                session.in_control = None;
                session.controller = None;
            }
            self.change_control(now, sid, target);
            self.tell_of_presence(sid);
        }
    }

    /// An operator may look at a session no longer.
    pub(super) fn lose_sight(&mut self, now: Instant, id: ViewerId, sid: &str) {
        self.lose_control(now, id, sid);
        self.detach(now, id, sid);
        self.say_unknown(id, sid);
    }
}
