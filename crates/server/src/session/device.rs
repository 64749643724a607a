//! All sessions of one device, and its link.

use std::time::Instant;

use longwire_protocol::control::{self, Control};
use longwire_protocol::shell::{FromDevice, FromUser, text, typ};
use longwire_protocol::{Message, NotUnderstood, Value, prop, proto};

use super::control as no_shell;
use super::effect::{CloseReason, Effect};
use super::input::{EndReason, Input, LinkKind, Owner, ViewerId, ViewerKind};
use super::link::{Due, Link};
use super::owed::Owed;
use super::pace::{EXCESS_BYTES_MAX, Pace};
use super::terminal::{Session, Surroundings};
use super::viewer::Viewer;

/// All sessions of one device.
#[derive(Default)]
pub struct DeviceSessions {
    link: Link,
    sessions: Vec<Session>,
    owed: Owed,
    /// The device is not let in any more: it is not waited for with stops it is owed.
    removed: bool,
    pace: Pace,
    /// Whose typed input is sent next, so that a paste in one session does not hold up the others.
    turn: usize,
}

impl DeviceSessions {
    /// Takes note of what happened at `now`, and says what is to be done about it. [`Self::settle`] is to
    /// be called after one or several of these.
    pub fn handle(&mut self, now: Instant, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::LinkUp { kind } => self.link_up(now, kind, effects),
            Input::LinkDown => self.link_down(now, effects),
            Input::FromDevice(message) => self.device_says(now, message, effects),
            Input::LinkWritten { messages, bytes } => self.link.wrote(messages, bytes),
            Input::Attach {
                viewer,
                sid,
                owner,
                kind,
            } => self.attach(now, viewer, sid, owner, kind),
            Input::FromViewer {
                viewer,
                message,
                cost,
            } => self.viewer_says(now, viewer, message, cost, effects),
            Input::ViewerWritten {
                viewer,
                messages,
                output,
            } => self.with_viewer(now, viewer, effects, |session, around| {
                session.viewer.wrote(messages, output);
                if output > 0 {
                    session.progressed(around.now);
                }
            }),
            Input::ViewerGone(viewer) => self.viewer_gone(now, viewer, effects),
            Input::EndViewer(viewer, why) => {
                self.with_viewer(now, viewer, effects, |session, around| {
                    session.end(around, why);
                });
            }
            Input::Recorded { sid, ok } => self.with(
                now,
                effects,
                |session| session.sid == sid,
                |session, around| session.recorded(around, ok),
            ),
            Input::End(why) => self.end(now, why, effects),
            Input::Tick => self.tick(now, effects),
        }
    }

    /// Sends what there is room for, both ways.
    pub fn settle(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        for session in &mut self.sessions {
            session.flush(effects);
        }
        let overrun = self.sessions.iter().filter(|s| s.viewer.overrun());
        let mut cut: Vec<_> = overrun.map(|s| s.viewer.id).collect();
        let behind = || self.sessions.iter().filter_map(|s| Some((s.excess()?, s)));
        if behind().map(|(excess, _)| excess).sum::<usize>() > EXCESS_BYTES_MAX {
            let fullest = behind().max_by_key(|(excess, _)| *excess);
            cut.extend(fullest.map(|(_, session)| session.viewer.id));
        }
        let cut = cut.into_iter().map(|id| (id, CloseReason::TooSlow));
        self.cut(now, cut.collect(), effects);
        let behind = self.sessions.iter().any(|s| s.excess().is_some());
        self.pace.set(behind, now);
        self.send_input(effects);
        for session in &mut self.sessions {
            session.refund(effects);
        }
    }

    /// Whether the device may say more. If not, its link is to be read no further until it may.
    #[must_use]
    pub fn hears_device(&self, now: Instant) -> bool {
        self.pace.allows(now)
    }

    /// When an [`Input::Tick`] is due, or [`Self::hears_device`] may change by itself.
    #[must_use]
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        let sessions = self
            .sessions
            .iter()
            .flat_map(|session| session.deadlines(self.link.is_up()));
        let sip = self.pace.next(now);
        self.link
            .deadline()
            .into_iter()
            .chain(sip)
            .chain(sessions)
            .min()
    }

    /// Whether there is nothing to remember.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.link.is_gone() && self.sessions.is_empty() && self.owed.is_empty()
    }

    /// How many operators' ends there are.
    #[must_use]
    pub fn viewers(&self) -> usize {
        self.sessions.len()
    }

    fn link_up(&mut self, now: Instant, kind: LinkKind, effects: &mut Vec<Effect>) {
        self.link.up(kind, now);
        self.removed = false;
        let before = effects.len();
        for (sid, user_id) in self.owed.iter() {
            let mut stop = FromUser::Stop {
                error: Some(text::USER_DISCONNECTED.to_owned()),
            }
            .to_message(sid);
            if let Some(user_id) = user_id {
                stop.props.set(prop::USER_ID, user_id.to_string());
            }
            effects.push(Effect::ToDevice(stop));
        }
        self.count(before, effects);
        self.with(
            now,
            effects,
            |_| true,
            |session, around| session.link_up(around),
        );
    }

    fn link_down(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        self.link.down(now);
        self.with(
            now,
            effects,
            |_| true,
            |session, around| session.link_down(around),
        );
    }

    fn attach(
        &mut self,
        now: Instant,
        viewer: ViewerId,
        sid: String,
        owner: Owner,
        kind: ViewerKind,
    ) {
        let viewer = Viewer::new(viewer, kind, now);
        self.sessions.push(Session::new(sid, owner, viewer));
    }

    fn viewer_says(
        &mut self,
        now: Instant,
        viewer: ViewerId,
        message: Message,
        cost: u32,
        effects: &mut Vec<Effect>,
    ) {
        self.with_viewer(now, viewer, effects, |session, around| {
            session.viewer.charge(cost);
            let answer = if message.proto != proto::SHELL {
                no_shell::answer(&message)
            } else {
                match FromUser::try_from(&message) {
                    Ok(said) => {
                        if message.props.get(prop::NOTICES) == Some(&Value::Bool(false)) {
                            session.viewer.quieten();
                        }
                        session.user_says(around, said);
                        None
                    }
                    Err(NotUnderstood::Type(unknown)) => Some(
                        FromDevice::Failed {
                            text: text::unknown_message(message.proto, &unknown),
                            typ: unknown,
                        }
                        .to_message(""),
                    ),
                    // A size of 0, say. No peer expects an answer to these.
                    Err(
                        NotUnderstood::Protocol(_)
                        | NotUnderstood::Field(_)
                        | NotUnderstood::Body(_),
                    ) => None,
                }
            };
            if let Some(mut answer) = answer {
                answer.sid.clone_from(&session.sid);
                session.viewer.say(answer, around.effects);
            }
        });
    }

    fn viewer_gone(&mut self, now: Instant, viewer: ViewerId, effects: &mut Vec<Effect>) {
        self.with_viewer(now, viewer, effects, Session::user_gone);
        self.sessions.retain(|session| session.viewer.id != viewer);
    }

    fn device_says(&mut self, now: Instant, message: Message, effects: &mut Vec<Effect>) {
        self.pace.spend(message.body.len(), now);
        self.link.heard(now);
        if message.proto == proto::CONTROL && message.typ == control::typ::PING {
            let before = effects.len();
            effects.push(Effect::ToDevice(Control::Pong.to_message(&message.sid)));
            return self.count(before, effects);
        }
        let Some(owner) = self
            .sessions
            .iter()
            .find(|session| session.sid == message.sid)
            .map(|session| session.owner.user_id())
        else {
            return self.unknown_session_says(&message, effects);
        };
        let crowded = self.sessions.iter().any(|session| {
            session.sid != message.sid && session.owner.user_id() == owner && session.is_in_use()
        });
        self.with(
            now,
            effects,
            |session| session.sid == message.sid,
            |session, around| match message.proto {
                proto::SHELL => {
                    if let Ok(said) = FromDevice::try_from(&message) {
                        session.device_says(around, said, crowded);
                    }
                }
                proto::CONTROL => {
                    if let Ok(Control::Error(error)) = Control::try_from(&message) {
                        session.device_fails(around, &error.err);
                    }
                }
                _ => {}
            },
        );
    }

    /// What a device says about sessions that are not there is of no interest, with two exceptions: the
    /// end of a shell that nobody wants any more, and the sign of life of one (it may be left over from
    /// before this server started), which is ended so that it does not hold a slot.
    fn unknown_session_says(&mut self, message: &Message, effects: &mut Vec<Effect>) {
        if message.proto != proto::SHELL {
            return;
        }
        match message.typ.as_str() {
            typ::STOP => self.owed.remove(&message.sid),
            typ::PING if !message.sid.is_empty() && !self.owed.contains(&message.sid) => {
                self.owed.add(&message.sid, None);
                let stop = FromUser::Stop {
                    error: Some(text::USER_DISCONNECTED.to_owned()),
                };
                let before = effects.len();
                effects.push(Effect::ToDevice(stop.to_message(&message.sid)));
                self.count(before, effects);
            }
            _ => {}
        }
    }

    fn end(&mut self, now: Instant, why: EndReason, effects: &mut Vec<Effect>) {
        self.with(
            now,
            effects,
            |_| true,
            |session, around| session.end(around, why),
        );
        if self.link.is_up() {
            effects.push(Effect::CloseLink(why));
        }
        self.removed |= why == EndReason::DeviceRemoved;
        self.forget_if_removed();
    }

    fn forget_if_removed(&mut self) {
        if self.removed && self.link.is_gone() {
            self.owed.clear();
        }
    }

    fn tick(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        self.tick_link(now, effects);
        let mut done = Vec::new();
        self.with(
            now,
            effects,
            |_| true,
            |session, around| {
                if let Some(reason) = session.tick(around) {
                    done.push((session.viewer.id, reason));
                }
            },
        );
        self.cut(now, done, effects);
    }

    fn tick_link(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        match self.link.due(now) {
            Some(Due::Question) => {
                let before = effects.len();
                effects.push(Effect::ToDevice(Link::question()));
                self.count(before, effects);
            }
            Some(Due::Cut) => effects.push(Effect::CutLink),
            Some(Due::GiveUp) => {
                self.forget_if_removed();
                let why = EndReason::DeviceGone;
                self.with(
                    now,
                    effects,
                    |_| true,
                    |session, around| session.end(around, why),
                );
            }
            None => {}
        }
    }

    /// Does without these viewers.
    fn cut(
        &mut self,
        now: Instant,
        viewers: Vec<(ViewerId, CloseReason)>,
        effects: &mut Vec<Effect>,
    ) {
        for (viewer, reason) in viewers {
            effects.push(Effect::CutViewer(viewer, reason));
            self.viewer_gone(now, viewer, effects);
        }
    }

    /// Lets the sessions take turns until the link has no room or none has anything to say.
    fn send_input(&mut self, effects: &mut Vec<Effect>) {
        let mut idle = 0;
        while idle < self.sessions.len() && self.link.has_room() {
            self.turn = (self.turn + 1) % self.sessions.len();
            let next = self
                .sessions
                .get_mut(self.turn)
                .and_then(Session::next_for_device);
            if let Some(message) = next {
                idle = 0;
                let before = effects.len();
                effects.push(Effect::ToDevice(message));
                self.count(before, effects);
            } else {
                idle += 1;
            }
        }
    }

    fn with_viewer(
        &mut self,
        now: Instant,
        viewer: ViewerId,
        effects: &mut Vec<Effect>,
        then: impl FnMut(&mut Session, &mut Surroundings<'_>),
    ) {
        self.with(now, effects, |session| session.viewer.id == viewer, then);
    }

    fn with(
        &mut self,
        now: Instant,
        effects: &mut Vec<Effect>,
        which: impl Fn(&Session) -> bool,
        mut then: impl FnMut(&mut Session, &mut Surroundings<'_>),
    ) {
        let before = effects.len();
        let link_up = self.link.is_up();
        for session in self.sessions.iter_mut().filter(|session| which(session)) {
            let mut around = Surroundings {
                now,
                link_up,
                owed: &mut self.owed,
                effects,
            };
            then(session, &mut around);
        }
        self.count(before, effects);
    }

    /// Counts the messages to the device that have been added since.
    fn count(&mut self, before: usize, effects: &[Effect]) {
        self.link.sent(effects.iter().skip(before));
    }
}
