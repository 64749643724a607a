//! How sessions come to be.

use std::time::{Duration, Instant};

use longwire_protocol::Props;
use longwire_protocol::shell::text;
use uuid::Uuid;

use super::change::{Controller, SessionChange};
use super::device::{DeviceSessions, SESSIONS_MAX};
use super::live::{Home, Phase, Present, Session};
use super::longwire_viewer::{Attachment, HOLD_INPUT_AFTER, Request};
use super::out::{Asked, Awaited};
use super::shell::Shell;
use crate::access::SessionAct;
use crate::session::{Marker, Owner, ViewerId};

/// Answer to `new` while the device is away.
pub(super) const DISCONNECTED: &str = "device disconnected";

/// Answer to `new` for an id that is somebody else's, or none.
const NOT_AN_ID: &str = "this session id cannot be used";

/// Answer to `new` that could not be written down.
const NOT_STORED: &str = "internal error";

impl DeviceSessions {
    /// A viewer wants a shell. If the session is there already, its first answer may have been lost.
    pub(super) fn ask_to_open(&mut self, id: ViewerId, sid: &str, request: Request) {
        let Some(viewer) = self.viewers.get_mut(&id) else {
            return;
        };
        let person = viewer.person.clone();
        let is_uuid = sid.len() == 36 && Uuid::try_parse(sid).is_ok();
        let is_theirs = self
            .sessions
            .get(sid)
            .is_none_or(|session| session.owner.user_id() == person.user_id());
        let refusal = if !is_uuid || !is_theirs {
            NOT_AN_ID
        } else {
            let asked = Asked::Open(request);
            if self.out.ask(id, (sid, &person), SessionAct::Control, asked) {
                return;
            }
            text::TOO_MANY_SHELLS
        };
        self.refuse(id, sid, refusal);
    }

    pub(super) fn open(&mut self, now: Instant, id: ViewerId, sid: &str, request: &Request) {
        if self.sessions.contains_key(sid) {
            return self.reopen(now, id, sid, request);
        }
        let Some(viewer) = self.viewers.get_mut(&id) else {
            return;
        };
        let person = viewer.person.clone();
        let is_full = viewer.longwire().is_none_or(|longwire| longwire.is_full());
        if is_full || self.sessions.len() >= SESSIONS_MAX {
            return self.refuse(id, sid, text::TOO_MANY_SHELLS);
        }
        if !self.is_linked() {
            return self.refuse(id, sid, DISCONNECTED);
        }
        let controller = Controller {
            user_id: person.user_id(),
            email: person.email().to_owned(),
            instance: self
                .viewers
                .get(&id)
                .map_or("", |v| v.instance())
                .to_owned(),
        };
        if let Some(longwire) = self.longwire_viewer(id) {
            let mut attachment = Attachment::new(request, 0);
            attachment.is_opening = true;
            attachment.has_control = true;
            longwire.attachments.insert(sid.to_owned(), attachment);
        }
        self.create(now, id, sid, &person, controller, request.size, false);
    }

    /// Writes down that a session is wanted.
    #[allow(clippy::too_many_arguments, reason = "all that a session begins with")]
    pub(super) fn create(
        &mut self,
        now: Instant,
        id: ViewerId,
        sid: &str,
        owner: &Owner,
        controller: Controller,
        size: Option<longwire_protocol::shell::Winsize>,
        plain: bool,
    ) {
        let at = self.wall(now);
        let mut session = Session::new(
            sid.to_owned(),
            owner.clone(),
            at,
            Duration::ZERO,
            now,
            0,
            size,
        );
        session.controller = Some(controller.clone());
        session.in_control = Some(id);
        session.plain_only = plain;
        session.viewers.push(Present {
            viewer: id,
            since: at,
        });
        if self.plain.is_up() {
            session.home = Home::Plain(Shell::default());
        }
        let opened = SessionChange::Opened {
            owner: owner.clone(),
            controller,
            plain_only: plain,
            lossless: session.is_longwire(),
            size,
            at,
        };
        self.sessions.insert(sid.to_owned(), session);
        self.out.commit(sid, Some(owner), opened, Awaited::Opened);
    }

    /// The session is written down, or could not be.
    pub(super) fn opened(&mut self, now: Instant, sid: &str, ok: bool) {
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        if session.phase != Phase::Opening {
            return;
        }
        if !ok {
            return self.drop_refused(sid, NOT_STORED);
        }
        if session.stop.is_some() || session.viewers.is_empty() {
            session.phase = Phase::Starting;
            self.out.open_journal(session);
            return self.end_at_once(now, sid, super::EndReason::Stopped);
        }
        session.phase = Phase::Starting;
        self.out.open_journal(session);
        let by = session.owner.email().to_owned();
        self.out
            .mark(session, now, Marker::Attached { by, control: true });
        self.ask_for_shell(now, sid);
    }

    /// Asks the device for the shell of a session that is written down.
    pub(super) fn ask_for_shell(&mut self, now: Instant, sid: &str) {
        let hold = self.hold_after(sid);
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        session.is_scripted = hold.is_none();
        if session.is_longwire() {
            let (epoch, size) = (session.epoch, session.asked_size);
            let more = user_of(&session.owner);
            // It exists if it was adopted before its start was known.
            let _ = self.end.open(sid, epoch, size, more);
            let _ = self.end.hold_input_after(sid, hold);
        } else {
            self.ask_plain_device(now, sid);
        }
    }

    /// How old a controller's input may be.
    pub(super) fn hold_after(&self, sid: &str) -> Option<Duration> {
        let controller = self.sessions.get(sid).and_then(|s| s.in_control);
        let is_script = controller
            .and_then(|id| self.viewers.get(&id))
            .is_some_and(|viewer| match &viewer.end {
                super::viewer::End::Longwire(longwire) => longwire
                    .attachments
                    .get(sid)
                    .is_some_and(|attachment| attachment.is_script),
                super::viewer::End::Plain(plain) => plain.is_quiet,
            });
        (!is_script).then_some(HOLD_INPUT_AFTER)
    }

    /// The shell of a session runs.
    pub(super) fn started(&mut self, now: Instant, sid: &str) {
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        if session.phase != Phase::Starting {
            return;
        }
        session.phase = Phase::Running;
        if session.is_longwire() {
            session.shift_ms = session.time_ms(now);
        } else if let Some(size) = session.asked_size {
            // Nobody else says which size it has.
            let time_ms = session.time_ms(now);
            self.resized(sid, size, time_ms);
        }
        self.out
            .commit(sid, None, SessionChange::Started, Awaited::Nothing);
        let Some(session) = self.sessions.get(sid) else {
            return;
        };
        for present in session.viewers.clone() {
            let Some(viewer) = self.viewers.get_mut(&present.viewer) else {
                continue;
            };
            viewer.is_ready = true;
            if let Some(plain) = viewer.plain() {
                plain.started(sid);
            } else {
                self.opened_for(present.viewer, sid);
            }
        }
        self.tell_of_presence(sid);
    }

    /// Answers a viewer's `new`.
    fn opened_for(&mut self, id: ViewerId, sid: &str) {
        let Some(longwire) = self.longwire_viewer(id) else {
            return;
        };
        let Some(attachment) = longwire.attachments.get_mut(sid) else {
            return;
        };
        if std::mem::take(&mut attachment.is_opening) {
            let _ = longwire.end.started(sid);
        }
        self.show_control(id, sid);
    }

    /// A viewer has said `new` for a session that is there.
    pub(super) fn reopen(&mut self, now: Instant, id: ViewerId, sid: &str, request: &Request) {
        let Some(session) = self.sessions.get(sid) else {
            return;
        };
        let is_running = matches!(session.phase, Phase::Running | Phase::Ended);
        let is_full = self.longwire_viewer(id).is_none_or(|l| l.is_full());
        if is_full {
            return self.refuse(id, sid, text::TOO_MANY_SHELLS);
        }
        if let Some(longwire) = self.longwire_viewer(id) {
            let mut attachment = Attachment::new(request, 0);
            attachment.is_opening = true;
            longwire.attachments.insert(sid.to_owned(), attachment);
        }
        self.come(now, id, sid, true, request);
        if is_running {
            // Whose epoch counts is said by what follows.
            self.opened_for(id, sid);
        }
    }
}

/// What the device is told of whoever owns a session.
pub(super) fn user_of(owner: &Owner) -> Props {
    Props::new().with(
        longwire_protocol::prop::USER_ID,
        owner.user_id().to_string(),
    )
}
