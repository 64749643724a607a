//! How viewers come to sessions, and how they leave them.

use std::time::Instant;

use longwire_link::Attachment as At;
use longwire_protocol::Props;
use longwire_protocol::shell::text;

use super::change::{Controller, SessionChange};
use super::device::DeviceSessions;
use super::live::{Phase, Present, Target};
use super::longwire_viewer::{Attachment, Request};
use super::out::{Asked, Awaited};
use crate::access::SessionAct;
use crate::session::{Marker, Owner, ViewerId};

impl DeviceSessions {
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
    pub(super) fn come(
        &mut self,
        now: Instant,
        id: ViewerId,
        sid: &str,
        claims: bool,
        request: &Request,
    ) {
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
