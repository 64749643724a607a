//! How sessions come to be, and how viewers come to them and leave them.

use std::time::{Duration, Instant};

use longwire_link::Attachment as At;
use longwire_protocol::Props;
use longwire_protocol::shell::text;
use uuid::Uuid;

use super::change::{Controller, SessionChange};
use super::device::{DeviceSessions, SESSIONS_MAX};
use super::live::{Home, Phase, Present, Session, Target};
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

    pub(super) fn refuse(&mut self, id: ViewerId, sid: &str, why: &str) {
        if let Some(viewer) = self.viewers.get_mut(&id) {
            viewer.is_ready = true;
            if let Some(longwire) = viewer.longwire() {
                longwire.attachments.remove(sid);
                let _ = longwire.end.refused(sid, why);
            }
        }
    }

    /// A viewer wants to go on with a session.
    pub(super) fn ask_to_attach(&mut self, id: ViewerId, sid: &str, mut request: Request) {
        let Some(viewer) = self.viewers.get(&id) else {
            return;
        };
        let Some(session) = self.sessions.get(sid) else {
            return self.say_unknown(id, sid);
        };
        // Whoever was in control goes on being it, if they still may.
        request.claims = session.epoch == request.epoch
            && session.is_controlled_by(&viewer.person, viewer.instance());
        let act = if request.claims {
            SessionAct::Control
        } else {
            SessionAct::Watch
        };
        let owner = session.owner.clone();
        if !self.out.ask(id, (sid, &owner), act, Asked::Attach(request)) {
            self.say_unknown(id, sid);
        }
    }

    pub(super) fn decided(&mut self, now: Instant, ask: u64, allowed: bool) {
        let Some((id, sid, asked)) = self.out.decided(ask) else {
            return;
        };
        let Some(viewer) = self.viewers.get_mut(&id) else {
            return;
        };
        viewer.is_ready = true;
        match asked {
            Asked::Open(request) if allowed => self.open(now, id, &sid, &request),
            Asked::Open(_) => self.refuse(id, &sid, super::EndReason::NotAllowed.text()),
            Asked::Attach(request) if allowed => self.attach(now, id, &sid, &request),
            Asked::Attach(mut request) if request.claims => {
                request.claims = false;
                let owner = self.sessions.get(&sid).map(|s| s.owner.clone());
                let is_asked = owner.is_some_and(|owner| {
                    let asked = Asked::Attach(request);
                    self.out.ask(id, (&sid, &owner), SessionAct::Watch, asked)
                });
                if !is_asked {
                    self.say_unknown(id, &sid);
                }
            }
            Asked::Attach(_) => self.say_unknown(id, &sid),
            Asked::Control { by } if allowed => self.give_control(now, id, &sid, by),
            Asked::Control { .. } => {
                let words = "you may not take control of this session";
                self.notice(&sid, "refused", &Props::new(), words, |to| to == id);
            }
            Asked::Stop if allowed => {
                let by = self.viewers.get(&id).map(|viewer| viewer.person.clone());
                let why = super::EndReason::Stopped;
                self.stop_session(now, &sid, by.as_ref(), why.into(), true);
            }
            Asked::Stop => {
                let words = "you may not end this session";
                self.notice(&sid, "refused", &Props::new(), words, |to| to == id);
            }
        }
    }

    fn open(&mut self, now: Instant, id: ViewerId, sid: &str, request: &Request) {
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
    fn reopen(&mut self, now: Instant, id: ViewerId, sid: &str, request: &Request) {
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

    /// A viewer goes on with a session, or sees it for the first time.
    fn attach(&mut self, now: Instant, id: ViewerId, sid: &str, request: &Request) {
        let Some(session) = self.sessions.get(sid) else {
            return self.say_unknown(id, sid);
        };
        let is_full = self
            .viewers
            .get(&id)
            .is_none_or(|viewer| match &viewer.end {
                super::viewer::End::Longwire(longwire) => longwire.is_full(),
                super::viewer::End::Plain(_) => true,
            });
        let is_opening = matches!(session.phase, Phase::Opening | Phase::Starting);
        if is_full || is_opening || (session.stop.is_some() && !session.is_over()) {
            return self.say_unknown(id, sid);
        }
        let received = session.tail.end();
        let position = self.input_position(sid);
        let known = position.filter(|position| position.epoch == session.epoch);
        let ours = request.claims && session.epoch == request.epoch && session.is_live();
        let over = session.epoch_end(request.epoch);
        // Whoever lost control hears it once it is known where the input ended.
        let (epoch, input, control) = match (known, over) {
            (Some(known), _) if ours || request.epoch == 0 || request.epoch == session.epoch => {
                (session.epoch, known.applied, ours)
            }
            (_, Some(end)) if session.epoch > request.epoch => (session.epoch, end, false),
            _ => (request.epoch.max(1), 0, false),
        };
        let from = request
            .have
            .filter(|have| *have <= received || !session.is_over())
            .filter(|have| request.is_script || *have >= session.tail.start());
        let at = At {
            output: from.unwrap_or(received),
            input,
            dropped: known.map_or(0, |known| known.dropped),
            epoch,
            control,
        };
        let size = session.tail.size_at(at.output);
        let Some(longwire) = self.longwire_viewer(id) else {
            return;
        };
        if longwire.end.attach(sid, at).is_err() {
            return;
        }
        let mut attachment = Attachment::new(request, at.output);
        attachment.has_control = control;
        attachment.live_from = Some(received);
        longwire.attachments.insert(sid.to_owned(), attachment);
        if from.is_some() {
            if let Some((size, time_ms)) = size {
                let _ = longwire.end.resized(sid, size, time_ms);
            }
        } else if let Some(session) = self.sessions.get(sid)
            && let Some(longwire) = self.viewers.get_mut(&id).and_then(|v| v.longwire())
            && let Some(attachment) = longwire.attachments.get_mut(sid)
        {
            attachment.show(&mut longwire.end, session);
        }
        self.come(now, id, sid, ours, request);
    }

    /// A viewer is there from now on.
    fn come(&mut self, now: Instant, id: ViewerId, sid: &str, claims: bool, request: &Request) {
        let since = self.wall(now);
        let Some(person) = self.viewers.get(&id).map(|viewer| viewer.person.clone()) else {
            return;
        };
        let instance = self
            .viewers
            .get(&id)
            .map_or("", |v| v.instance())
            .to_owned();
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        let claims = claims && session.is_controlled_by(&person, &instance);
        if claims && session.is_live() {
            // The link it had before may seem to stand still.
            session.in_control = Some(id);
        }
        self.is_there(now, id, sid, since, false);
        if claims {
            self.controller_size(now, sid);
            self.remind_of_held(sid);
        }
        let Some(session) = self.sessions.get(sid) else {
            return;
        };
        // Nobody types, and somebody may: a fresh viewer of the owner's, or the one for whom the screen
        // itself stood in.
        let is_fresh = request.epoch == 0 || session.controller.is_none();
        let is_owner = session.owner.user_id() == person.user_id();
        if session.in_control.is_none() && is_fresh && is_owner && !request.watch {
            self.give_control(now, id, sid, person);
        }
    }

    /// Takes note of somebody who looks.
    pub(super) fn is_there(
        &mut self,
        now: Instant,
        id: ViewerId,
        sid: &str,
        since: crate::time::Timestamp,
        plain: bool,
    ) {
        let Some(person) = self.viewers.get(&id).map(|viewer| viewer.person.clone()) else {
            return;
        };
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        session.viewers.retain(|present| present.viewer != id);
        session.viewers.push(Present { viewer: id, since });
        session.detached = None;
        session.orphan_until = None;
        session.plain_only &= plain;
        if !session.is_over() {
            let marker = Marker::Attached {
                by: person.email().to_owned(),
                control: session.in_control == Some(id),
            };
            self.out.mark(session, now, marker);
            let attached = SessionChange::Attached { plain };
            self.out
                .commit(sid, Some(&person), attached, Awaited::Nothing);
        }
        self.tell_of_presence(sid);
    }

    /// A viewer looks no longer.
    pub(super) fn detach(&mut self, now: Instant, id: ViewerId, sid: &str) {
        let Some(viewer) = self.viewers.get(&id) else {
            return;
        };
        let person = viewer.person.clone();
        let is_plain = matches!(viewer.end, super::viewer::End::Plain(_));
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        let before = session.viewers.len();
        session.viewers.retain(|present| present.viewer != id);
        if session.viewers.len() == before {
            return;
        }
        let had_control = session.in_control == Some(id);
        if had_control {
            session.in_control = None;
            session.quiet_since = Some(now);
        }
        if session
            .next
            .as_ref()
            .is_some_and(|next| next.viewer == Some(id))
        {
            session.next = None;
        }
        let last = session.viewers.is_empty();
        if !session.is_over() {
            let by = person.email().to_owned();
            self.out.mark(session, now, Marker::Detached { by });
            if last {
                session.detached = Some(now);
            }
            if session.phase != Phase::Opening {
                let detached = SessionChange::Detached { last };
                self.out
                    .commit(sid, Some(&person), detached, Awaited::Nothing);
            }
        }
        self.tell_of_presence(sid);
        if is_plain && (had_control || last) {
            let ending = super::Ending {
                reason: Some(longwire_protocol::shell::Ended::Stopped),
                exit_status: None,
                text: text::USER_DISCONNECTED.to_owned(),
            };
            self.stop_session(now, sid, Some(&person), ending, false);
        }
    }

    /// The device refuses a shell.
    pub(super) fn refused(&mut self, now: Instant, sid: &str, why: &str) {
        let Some(session) = self.sessions.get(sid) else {
            return;
        };
        let owner = session.owner.user_id();
        let (present, plain) = (session.viewers.clone(), self.plain.is_up());
        if why != text::TOO_MANY_SESSIONS {
            return self.drop_refused(sid, why);
        }
        let mut theirs: Vec<_> = self
            .sessions
            .values()
            .filter(|other| {
                other.sid != sid
                    && other.owner.user_id() == owner
                    && other.phase == Phase::Running
                    && other.is_live()
                    && other.is_longwire() != plain
            })
            .collect();
        theirs.sort_by_key(|session| std::cmp::Reverse(session.opened_at));
        let detached: Vec<_> = theirs
            .iter()
            .filter(|session| session.viewers.is_empty())
            .map(|session| session.sid.clone())
            .collect();
        let Some(newest) = detached.first().cloned() else {
            let why = match theirs.first() {
                Some(holder) => format!(
                    "{why}: one is in use by {} since {}",
                    holder.owner.email(),
                    holder.opened_at
                ),
                None => why.to_owned(),
            };
            return self.drop_refused(sid, &why);
        };
        for present in &present {
            if let Some(longwire) = self.longwire_viewer(present.viewer) {
                longwire.held_by.insert(sid.to_owned(), detached.clone());
            }
        }
        let plain_end = present.iter().find(|present| {
            self.viewers
                .get_mut(&present.viewer)
                .is_some_and(|viewer| viewer.plain().is_some())
        });
        if let Some(plain_end) = plain_end.copied() {
            self.store_refused(sid, why);
            if let Some(session) = self.sessions.get_mut(sid) {
                session.viewers.clear();
            }
            self.forget_refused(sid);
            return self.give_to_plain(now, plain_end.viewer, sid, &newest);
        }
        self.drop_refused(sid, why);
    }

    fn store_refused(&mut self, sid: &str, why: &str) {
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        let owner = session.owner.clone();
        self.out.close_journal(session);
        let refused = SessionChange::Refused {
            text: super::ending::words(why),
        };
        self.out
            .commit(sid, Some(&owner), refused, Awaited::Nothing);
    }

    fn forget_refused(&mut self, sid: &str) {
        if let Some(session) = self.sessions.remove(sid)
            && session.is_longwire()
        {
            self.end.leave(sid);
        }
    }

    /// There is no shell: whoever waits for it is told, and the session is gone.
    pub(super) fn drop_refused(&mut self, sid: &str, why: &str) {
        self.store_refused(sid, why);
        let Some(session) = self.sessions.get(sid) else {
            return;
        };
        for present in session.viewers.clone() {
            let Some(viewer) = self.viewers.get_mut(&present.viewer) else {
                continue;
            };
            viewer.is_ready = true;
            if let Some(plain) = viewer.plain() {
                plain.refused(sid, why);
            } else {
                self.refuse(present.viewer, sid, why);
            }
        }
        self.forget_refused(sid);
    }

    /// A plain end gets a session of its operator's that nobody looks at, in place of a new one.
    pub(super) fn give_to_plain(&mut self, now: Instant, id: ViewerId, old: &str, sid: &str) {
        let since = self.wall(now);
        let Some(session) = self.sessions.get(sid) else {
            return;
        };
        let (screen, end) = (session.screen.snapshot(), session.tail.end());
        let opened_at = session.opened_at;
        let Some(viewer) = self.viewers.get_mut(&id) else {
            return;
        };
        viewer.is_ready = true;
        let person = viewer.person.clone();
        if let Some(plain) = viewer.plain() {
            plain.takes(old, sid, end);
            plain.started(sid);
            let words = format!("this is your session of {opened_at}, which nobody was using");
            plain.line(sid, end, &words);
            plain.screen(sid, end, screen);
        }
        self.is_there(now, id, sid, since, true);
        self.give_control(now, id, sid, person);
    }

    /// Somebody is to be in control, and may.
    pub(super) fn give_control(&mut self, now: Instant, id: ViewerId, sid: &str, by: Owner) {
        let Some(viewer) = self.viewers.get(&id) else {
            return;
        };
        let controller = Controller {
            user_id: viewer.person.user_id(),
            email: viewer.person.email().to_owned(),
            instance: viewer.instance().to_owned(),
        };
        let is_there = self
            .sessions
            .get(sid)
            .is_some_and(|session| session.viewers.iter().any(|p| p.viewer == id));
        if is_there {
            let target = Target {
                viewer: Some(id),
                controller: Some(controller),
                by: Some(by),
            };
            self.change_control(now, sid, target);
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
