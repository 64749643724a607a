//! A device that speaks the plain protocol: what it says, and what it is sent.

use std::time::Instant;

use bytes::Bytes;
use longwire_protocol::control::{self, Control};
use longwire_protocol::shell::{self, Ended, FromDevice, FromUser, Stop, text};
use longwire_protocol::{Message, prop, proto};

use super::device::DeviceSessions;
use super::effect::Effect;
use super::link::{Due, Link};
use super::shell::{RETRY_AFTER, START_TIMEOUT, State};
use super::viewer::End;
use crate::session::Owner;

/// Messages that wait for a plain device beside input. One that lets them run full asks for more answers
/// than it reads.
const WAITING_MAX: usize = 1024;

/// Answer to `new` from a device that says nothing.
const NO_ANSWER: &str = "the device does not answer";

impl DeviceSessions {
    /// The next message for a plain device: answers and words about shells before what was typed, and of
    /// that each session's in turn.
    pub(super) fn next_for_plain_device(&mut self, now: Instant) -> Option<Message> {
        if let Some(message) = self.to_plain.pop_front() {
            return Some(message);
        }
        let count = self.sessions.len();
        for _ in 0..count {
            self.turn = (self.turn + 1) % count;
            let Some(session) = self.sessions.values_mut().nth(self.turn) else {
                continue;
            };
            let owner = session.owner.clone();
            let sid = session.sid.clone();
            let Some(shell) = session
                .shell()
                .filter(|shell| shell.state == State::Running)
            else {
                continue;
            };
            let Some(next) = shell.backlog.next() else {
                continue;
            };
            if let FromUser::Input(bytes) = &next {
                shell.applied += bytes.len() as u64;
                let applied = shell.applied;
                self.applied(&sid, applied, 0);
                self.pump_input(now);
            }
            return Some(for_device(&sid, &owner, &next));
        }
        None
    }

    fn tell_plain(&mut self, message: Message) {
        if self.to_plain.len() >= WAITING_MAX {
            self.to_plain.clear();
            self.out.effects.push(Effect::CutLink);
        }
        self.to_plain.push_back(message);
    }

    fn tell_shell(&mut self, sid: &str, what: &FromUser) {
        if !self.plain.is_up() {
            return;
        }
        if let Some(session) = self.sessions.get(sid) {
            let message = for_device(sid, &session.owner.clone(), what);
            self.tell_plain(message);
        }
    }

    /// A shell is wanted.
    pub(super) fn ask_plain_device(&mut self, now: Instant, sid: &str) {
        self.ask_plain(now, sid, false, false);
    }

    fn ask_plain(&mut self, now: Instant, sid: &str, retried: bool, asked_again: bool) {
        let is_up = self.plain.is_up();
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        let size = session.asked_size;
        let Some(shell) = session.shell() else {
            return;
        };
        shell.state = State::Starting {
            asked_at: is_up.then_some(now),
            retried,
            asked_again,
        };
        self.tell_shell(sid, &FromUser::New { size });
    }

    /// A shell is to end. Real agents keep its place until they are told.
    pub(super) fn stop_plain(&mut self, now: Instant, sid: &str, error: Option<String>) {
        let Some(session) = self.sessions.get_mut(sid) else {
            return;
        };
        let owner = session.owner.user_id();
        let Some(shell) = session.shell() else {
            return;
        };
        shell.backlog.clear();
        match shell.state {
            State::Starting {
                asked_at: Some(_), ..
            }
            | State::Running => {
                shell.state = State::Stopping;
                self.owed.add(sid, Some(owner));
                self.tell_shell(sid, &FromUser::Stop { error });
            }
            State::None | State::Starting { asked_at: None, .. } | State::Retrying { .. } => {
                shell.state = State::Ended;
                let stop = Stop {
                    reason: Some(Ended::Stopped),
                    ..Stop::default()
                };
                self.ended(now, sid, stop);
            }
            State::Stopping | State::Ended => {}
        }
    }

    /// The device has a new link. Stops that are owed are said first.
    pub(super) fn plain_link_up(&mut self, now: Instant) {
        let owed: Vec<_> = self
            .owed
            .iter()
            .map(|(sid, user)| (sid.to_owned(), user))
            .collect();
        for (sid, user_id) in owed {
            let mut stop = FromUser::Stop {
                error: Some(text::USER_DISCONNECTED.to_owned()),
            }
            .to_message(&sid);
            if let Some(user_id) = user_id {
                stop.props.set(prop::USER_ID, user_id.to_string());
            }
            self.tell_plain(stop);
        }
        self.device_is_back(false);
        for sid in self.plain_sids() {
            let Some(session) = self.sessions.get_mut(&sid) else {
                continue;
            };
            let size = session.asked_size;
            let end = session.tail.end();
            match session.shell().map(|shell| shell.state) {
                Some(State::Starting {
                    asked_at, retried, ..
                }) => self.ask_plain(now, &sid, retried, asked_at.is_some()),
                Some(State::Running) => {
                    // What the device said meanwhile is lost, and nobody knows how much that was.
                    self.gap(now, &sid, end, None);
                    // The size may have been lost with the old link; and a device that has restarted
                    // answers the empty input by saying that there is no such shell.
                    if let Some(size) = size {
                        self.tell_shell(&sid, &FromUser::Resize(size));
                    }
                    self.tell_shell(&sid, &FromUser::Input(Bytes::new()));
                }
                Some(State::None | State::Retrying { .. } | State::Stopping | State::Ended)
                | None => {}
            }
        }
    }

    fn plain_sids(&self) -> Vec<String> {
        let plain = self.sessions.values().filter(|s| !s.is_longwire());
        plain.map(|session| session.sid.clone()).collect()
    }

    pub(super) fn plain_device_says(&mut self, now: Instant, message: Message) {
        self.pace.spend(message.body.len(), now);
        self.plain.heard(now);
        if message.proto == proto::CONTROL && message.typ == control::typ::PING {
            return self.tell_plain(Control::Pong.to_message(&message.sid));
        }
        let is_known = self
            .sessions
            .get(&message.sid)
            .is_some_and(|session| !session.is_longwire());
        if !is_known {
            return self.unknown_session_says(&message);
        }
        match message.proto {
            proto::SHELL => {
                if let Ok(said) = FromDevice::try_from(&message) {
                    self.shell_says(now, &message.sid, said);
                }
            }
            proto::CONTROL => {
                if let Ok(Control::Error(error)) = Control::try_from(&message)
                    && let Some(State::Starting { .. }) = self.shell_state(&message.sid)
                {
                    self.drop_refused(&message.sid, &error.err);
                }
            }
            _ => {}
        }
    }

    fn shell_state(&mut self, sid: &str) -> Option<State> {
        let shell = self.sessions.get_mut(sid)?.shell()?;
        Some(shell.state)
    }

    /// What a device says about sessions that are not there is of no interest, with two exceptions: the
    /// end of a shell that nobody wants any more, and the sign of life of one (it may be left over from
    /// before this server started), which is ended so that it does not hold a slot.
    fn unknown_session_says(&mut self, message: &Message) {
        if message.proto != proto::SHELL {
            return;
        }
        match message.typ.as_str() {
            shell::typ::STOP => self.owed.remove(&message.sid),
            shell::typ::PING if !message.sid.is_empty() && !self.owed.contains(&message.sid) => {
                self.owed.add(&message.sid, None);
                let stop = FromUser::Stop {
                    error: Some(text::USER_DISCONNECTED.to_owned()),
                };
                self.tell_plain(stop.to_message(&message.sid));
            }
            _ => {}
        }
    }

    fn shell_says(&mut self, now: Instant, sid: &str, said: FromDevice) {
        let Some(state) = self.shell_state(sid) else {
            return;
        };
        match said {
            FromDevice::Started => {
                if let State::Starting { .. } = state {
                    self.plain_started(now, sid);
                }
            }
            FromDevice::Refused(why) => self.plain_refuses(now, sid, state, &why),
            // Some comes before the answer to `new`, and some after a stop.
            FromDevice::Output(bytes) => match state {
                State::Starting { .. } | State::Running | State::Stopping => {
                    let time_ms = self.sessions.get(sid).map_or(0, |s| s.time_ms(now));
                    if !bytes.is_empty() {
                        self.output(now, sid, bytes, time_ms);
                    }
                }
                State::None | State::Retrying { .. } | State::Ended => {}
            },
            FromDevice::InputFailed(why) if state == State::Running => {
                if why == text::SESSION_NOT_FOUND {
                    self.owed.remove(sid);
                    self.take_for_lost(now, sid);
                } else {
                    self.pass_on(sid, &FromDevice::InputFailed(why));
                }
            }
            FromDevice::Stop(stop) => self.plain_stops(now, sid, state, stop),
            FromDevice::Ping { .. } => {
                if matches!(state, State::Starting { .. } | State::Running) {
                    self.tell_shell(sid, &FromUser::Pong);
                }
            }
            FromDevice::Failed { typ, text } => {
                // Nobody but the server itself sends pongs.
                if state == State::Running && typ != shell::typ::PONG {
                    self.pass_on(sid, &FromDevice::Failed { typ, text });
                }
            }
            FromDevice::InputFailed(_) | FromDevice::Delay { .. } | FromDevice::Resize(_) => {}
        }
    }

    /// The device's words that are no output reach plain ends in their order.
    fn pass_on(&mut self, sid: &str, what: &FromDevice) {
        let Some(session) = self.sessions.get(sid) else {
            return;
        };
        let end = session.tail.end();
        for present in session.viewers.clone() {
            if let Some(viewer) = self.viewers.get_mut(&present.viewer)
                && let End::Plain(plain) = &mut viewer.end
            {
                viewer.is_ready = true;
                plain.say(sid, end, what.clone());
            }
        }
    }

    fn plain_started(&mut self, now: Instant, sid: &str) {
        if let Some(shell) = self.sessions.get_mut(sid).and_then(|s| s.shell()) {
            shell.state = State::Running;
        }
        self.owed.remove(sid);
        self.started(now, sid);
    }

    fn plain_refuses(&mut self, now: Instant, sid: &str, state: State, why: &str) {
        let State::Starting {
            retried,
            asked_again,
            ..
        } = state
        else {
            return;
        };
        if asked_again && why == text::ALREADY_RUNNING {
            return self.plain_started(now, sid);
        }
        let owner = self.sessions.get(sid).map(|s| s.owner.user_id());
        let crowded = self.sessions.values().any(|other| {
            other.sid != sid
                && Some(other.owner.user_id()) == owner
                && !other.is_longwire()
                && other.is_live()
        });
        if why == text::TOO_MANY_SESSIONS && !retried && !crowded {
            if let Some(shell) = self.sessions.get_mut(sid).and_then(|s| s.shell()) {
                let at = now + RETRY_AFTER;
                shell.state = State::Retrying { at };
            }
            return;
        }
        self.refused(now, sid, why);
    }

    fn plain_stops(&mut self, now: Instant, sid: &str, state: State, stop: Stop) {
        match state {
            // Answers to a stop that was sent before. There may be two of them.
            State::None | State::Starting { .. } | State::Retrying { .. } | State::Ended => {
                self.owed.remove(sid);
            }
            State::Stopping => {
                // An error is no answer: it ended by itself while the stop was under way, and keeps its
                // slot until that arrives. Should it be lost with the link, it is said again.
                if !stop.error {
                    self.owed.remove(sid);
                }
                self.shell_is(sid, State::Ended);
                self.ended(now, sid, stop);
            }
            State::Running => {
                // The slot is free only after a stop from this side.
                let owner = self.sessions.get(sid).map(|s| s.owner.user_id());
                self.owed.add(sid, owner);
                self.tell_shell(sid, &FromUser::Stop { error: None });
                self.shell_is(sid, State::Ended);
                self.ended(now, sid, stop);
            }
        }
    }

    fn shell_is(&mut self, sid: &str, state: State) {
        if let Some(shell) = self.sessions.get_mut(sid).and_then(|s| s.shell()) {
            shell.state = state;
        }
    }

    /// What is due on the link.
    pub(super) fn tick_plain(&mut self, now: Instant) {
        match self.plain.due(now) {
            Some(Due::Question) => self.tell_plain(Link::question()),
            Some(Due::Cut) => {
                self.out.effects.push(Effect::CutLink);
                self.device_is_away(now);
                self.tell_of_device(|_| true);
            }
            Some(Due::GiveUp) => {
                self.forget_if_removed();
                for sid in self.plain_sids() {
                    self.end_at_once(now, &sid, super::EndReason::DeviceGone);
                }
            }
            None => {}
        }
        for sid in self.plain_sids() {
            match self.shell_state(&sid) {
                Some(State::Retrying { at }) if at <= now => {
                    self.ask_plain(now, &sid, true, false);
                }
                Some(State::Starting {
                    asked_at: Some(at), ..
                }) if self.plain.is_up() && at + START_TIMEOUT <= now => {
                    self.stop_plain_unanswered(&sid);
                }
                Some(_) | None => {}
            }
        }
    }

    /// The device has not answered a `new`. Should it have started a shell, that is to end.
    fn stop_plain_unanswered(&mut self, sid: &str) {
        let owner = self.sessions.get(sid).map(|s| s.owner.user_id());
        self.owed.add(sid, owner);
        let error = Some(NO_ANSWER.to_owned());
        self.tell_shell(sid, &FromUser::Stop { error });
        self.drop_refused(sid, NO_ANSWER);
    }
}

fn for_device(sid: &str, owner: &Owner, what: &FromUser) -> Message {
    let mut message = what.to_message(sid);
    message
        .props
        .set(prop::USER_ID, owner.user_id().to_string());
    message
}
