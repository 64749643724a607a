//! What longwire viewers want that is not typed.

use std::time::Instant;

use longwire_link::ToShellEnd;
use longwire_protocol::{Message, proto};

use super::device::DeviceSessions;
use super::longwire_viewer::Request;
use super::no_shell;
use super::notice::{self, word};
use super::out::Asked;
use crate::access::SessionAct;
use crate::session::ViewerId;

impl DeviceSessions {
    /// Takes the events of a viewer's stream.
    pub(super) fn attend_viewer(&mut self, now: Instant, id: ViewerId) {
        while let Some(event) = self.longwire_viewer(id).and_then(|v| v.end.event()) {
            match event {
                ToShellEnd::Hello(hello) => {
                    if let Some(longwire) = self.longwire_viewer(id) {
                        longwire.instance = hello.instance;
                    }
                }
                ToShellEnd::Open {
                    sid, size, more, ..
                } => self.ask_to_open(id, &sid, Request::new(Some(0), 1, size, &more)),
                ToShellEnd::Attach {
                    sid,
                    have,
                    epoch,
                    size,
                    more,
                } => self.ask_to_attach(id, &sid, Request::new(have, epoch, size, &more)),
                ToShellEnd::ControlWanted { sid } => self.ask_for_control(id, &sid),
                ToShellEnd::Interrupt { sid, byte, offset } => {
                    self.relay_interrupt(id, &sid, offset, byte);
                }
                ToShellEnd::Resize { sid, size } => self.viewer_resizes(now, id, &sid, size),
                ToShellEnd::Stop { sid, .. } => self.ask_to_stop(id, &sid),
                ToShellEnd::Forgotten { sid } => {
                    if let Some(longwire) = self.longwire_viewer(id) {
                        longwire.attachments.remove(&sid);
                    }
                    self.detach(now, id, &sid);
                }
                ToShellEnd::Other(message) => self.viewer_says_beside(now, id, &message),
                ToShellEnd::Input { .. }
                | ToShellEnd::Acknowledged { .. }
                | ToShellEnd::Epoch { .. }
                | ToShellEnd::InputSkipped { .. }
                | ToShellEnd::PeerError(_) => {}
            }
        }
    }

    pub(super) fn ask_for_control(&mut self, id: ViewerId, sid: &str) {
        let Some(person) = self.viewers.get(&id).map(|viewer| viewer.person.clone()) else {
            return;
        };
        if let Some(session) = self.sessions.get(sid) {
            let owner = session.owner.clone();
            let asked = Asked::Control { by: person };
            self.out.ask(id, (sid, &owner), SessionAct::Control, asked);
        }
    }

    pub(super) fn ask_to_stop(&mut self, id: ViewerId, sid: &str) {
        if let Some(session) = self.sessions.get(sid) {
            let owner = session.owner.clone();
            self.out
                .ask(id, (sid, &owner), SessionAct::End, Asked::Stop);
        }
    }

    /// Words that are not of the stream.
    pub(super) fn viewer_says_beside(&mut self, now: Instant, id: ViewerId, message: &Message) {
        if message.proto != proto::SHELL {
            if let Some(longwire) = self.longwire_viewer(id)
                && let Some(answer) = no_shell::answer(message)
            {
                // One that does not take its answers does without.
                let _ = longwire.end.send(answer);
            }
            return;
        }
        let sid = &message.sid;
        let is_controller = self
            .sessions
            .get(sid)
            .is_some_and(|session| session.in_control == Some(id));
        if !is_controller {
            return;
        }
        match message.typ.as_str() {
            notice::typ::RELEASE => {
                if let Some(session) = self.sessions.get_mut(sid)
                    && session.held.take().is_some()
                {
                    let _ = self.end.release_input(sid);
                }
            }
            notice::typ::HAND_OVER => {
                let to = message.props.get_int(word::TO);
                let to = to.and_then(|to| u64::try_from(to).ok()).map(ViewerId);
                self.hand_over(now, id, sid, to);
            }
            _ => {}
        }
    }

    pub(super) fn hand_over(
        &mut self,
        _now: Instant,
        id: ViewerId,
        sid: &str,
        to: Option<ViewerId>,
    ) {
        let Some(session) = self.sessions.get(sid) else {
            return;
        };
        let Some(to) = to.filter(|to| session.viewers.iter().any(|p| p.viewer == *to)) else {
            return;
        };
        if let Some(by) = self.viewers.get(&id).map(|viewer| viewer.person.clone()) {
            let owner = session.owner.clone();
            let asked = Asked::Control { by };
            self.out.ask(to, (sid, &owner), SessionAct::Control, asked);
        }
    }
}
