//! One session: an operator's end and the shell it asked for.

use std::time::{Duration, Instant};

use bytes::Bytes;
use longwire_protocol::Message;
use longwire_protocol::shell::{Ended, FromDevice, FromUser, Stop, Winsize, text};
use longwire_protocol::{prop, shell};

use super::backlog::Backlog;
use super::effect::{CloseReason, Effect, Happened, Record};
use super::input::{EndReason, Owner};
use super::owed::Owed;
use super::tail::{TAIL_BYTES_MAX, Tail};
use super::viewer::Viewer;

/// How long a device may take to answer `new`. A real agent does nothing else while it ends a shell (4 s)
/// or runs a command for its client.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// When a refused `new` is asked again: a real agent takes 4 s to end the shell before.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How long a viewer may take no output at all while its device link waits for it.
const STALL_MAX: Duration = Duration::from_secs(15);

/// How long a viewer may take to leave once its session is over.
const LEAVE_MAX: Duration = Duration::from_secs(5);

/// Characters of a device's own words that are written down.
const WORDS_MAX: usize = 256;

/// Answer to `new` from a device that says nothing.
const NO_ANSWER: &str = "the device does not answer";

/// Answer to `new` that could not be written to the audit log.
const NOT_RECORDED: &str = "internal error";

/// Said of a shell that the device has lost.
const SHELL_LOST: &str = "the device no longer has this shell";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shell {
    /// None was asked for, or the last one has ended.
    None,
    /// It is being written down that one was asked for.
    Recording,
    /// The device is to start one.
    Starting {
        /// When it was asked; not yet if it is away.
        asked_at: Option<Instant>,
        /// It refused once because another shell had not ended yet.
        retried: bool,
        /// The link broke after it was asked, so that it was asked again.
        asked_again: bool,
    },
    /// It refused and will be asked again.
    Retrying { at: Instant },
    /// It runs.
    Running,
    /// The operator has ended it; the device has not said so yet.
    Stopping,
}

/// What a session needs of its surroundings.
pub(super) struct Surroundings<'a> {
    pub(super) now: Instant,
    /// The device can be sent something.
    pub(super) link_up: bool,
    pub(super) owed: &'a mut Owed,
    pub(super) effects: &'a mut Vec<Effect>,
}

/// One session.
pub(super) struct Session {
    pub(super) sid: String,
    pub(super) owner: Owner,
    pub(super) viewer: Viewer,
    shell: Shell,
    size: Option<Winsize>,
    backlog: Backlog,
    tail: Tail,
    /// Since when the tail has been full and the viewer took nothing.
    stalled_since: Option<Instant>,
    /// The server has ended it, and why and when; the viewer is expected to leave.
    over: Option<(EndReason, Instant)>,
}

impl Session {
    pub(super) fn new(sid: String, owner: Owner, viewer: Viewer) -> Self {
        Self {
            sid,
            owner,
            viewer,
            shell: Shell::None,
            size: None,
            backlog: Backlog::default(),
            tail: Tail::default(),
            stalled_since: None,
            over: None,
        }
    }

    /// Whether a shell is wanted here and the operator is there to use it.
    pub(super) fn is_in_use(&self) -> bool {
        match self.shell {
            Shell::Recording | Shell::Starting { .. } | Shell::Running => true,
            Shell::None | Shell::Retrying { .. } | Shell::Stopping => false,
        }
    }

    // ---- What the operator's end says.

    pub(super) fn user_says(&mut self, around: &mut Surroundings<'_>, said: FromUser) {
        if self.over.is_some() {
            return;
        }
        match said {
            FromUser::New { size } => self.new_shell(around, size),
            FromUser::Input(input) => match self.shell {
                Shell::None => {
                    let failed = FromDevice::InputFailed(text::SESSION_NOT_FOUND.to_owned());
                    self.answer(around, failed);
                }
                Shell::Stopping => {}
                Shell::Recording
                | Shell::Starting { .. }
                | Shell::Retrying { .. }
                | Shell::Running => self.backlog.push_input(input),
            },
            FromUser::Resize(size) => {
                self.size = Some(size);
                match self.shell {
                    Shell::None | Shell::Stopping => {}
                    Shell::Recording
                    | Shell::Starting { .. }
                    | Shell::Retrying { .. }
                    | Shell::Running => self.backlog.push_resize(size),
                }
            }
            FromUser::Stop { error } => self.user_stops(around, error),
            // Devices are answered by the server itself: a late pong hangs some of them.
            FromUser::Pong => {}
            FromUser::Ack { offset } => {
                if self.viewer.acknowledge(offset) {
                    self.progressed(around.now);
                }
            }
        }
    }

    fn new_shell(&mut self, around: &mut Surroundings<'_>, size: Option<Winsize>) {
        match self.shell {
            Shell::None | Shell::Stopping => {
                self.shell = Shell::Recording;
                self.size = size;
                self.backlog.clear();
                self.viewer.put_off_ping(around.now);
                self.record(around, Happened::Opened);
            }
            Shell::Recording | Shell::Starting { .. } | Shell::Retrying { .. } | Shell::Running => {
                let refused = FromDevice::Refused(text::ALREADY_RUNNING.to_owned());
                self.answer(around, refused);
            }
        }
    }

    fn user_stops(&mut self, around: &mut Surroundings<'_>, error: Option<String>) {
        self.backlog.clear();
        match self.shell {
            // There is nothing to stop, or it has been: one stop for each end is enough.
            Shell::None | Shell::Stopping => return,
            Shell::Recording | Shell::Starting { asked_at: None, .. } | Shell::Retrying { .. } => {
                self.shell = Shell::None;
                let stopped = FromDevice::Stop(Stop {
                    reason: Some(Ended::Stopped),
                    ..Stop::default()
                });
                self.viewer.say_in_order(stopped, &self.tail);
            }
            Shell::Starting { .. } | Shell::Running => {
                self.shell = Shell::Stopping;
                self.stop_device(around, error);
            }
        }
        self.record_end(
            around,
            Some(Ended::Stopped),
            None,
            "stopped by the operator",
        );
    }

    /// The operator's end is lost, or has left.
    pub(super) fn user_gone(&mut self, around: &mut Surroundings<'_>) {
        match self.shell {
            Shell::None | Shell::Stopping => return,
            Shell::Recording | Shell::Starting { asked_at: None, .. } | Shell::Retrying { .. } => {}
            Shell::Starting { .. } | Shell::Running => {
                self.stop_device(around, Some(text::USER_DISCONNECTED.to_owned()));
            }
        }
        self.shell = Shell::None;
        self.record_end(around, Some(Ended::Stopped), None, text::USER_DISCONNECTED);
    }

    // ---- What the device says.

    /// `crowded`: the same operator uses another shell on this device.
    pub(super) fn device_says(
        &mut self,
        around: &mut Surroundings<'_>,
        said: FromDevice,
        crowded: bool,
    ) {
        match said {
            FromDevice::Started => {
                if let Shell::Starting { .. } = self.shell {
                    self.started(around);
                }
            }
            FromDevice::Refused(why) => self.device_refuses(around, why, crowded),
            // Some comes before the answer to `new`, and some after a stop.
            FromDevice::Output(output) => match self.shell {
                Shell::Starting { .. } | Shell::Running | Shell::Stopping => {
                    self.output(around.now, &output);
                }
                Shell::None | Shell::Recording | Shell::Retrying { .. } => {}
            },
            FromDevice::InputFailed(why) => {
                if self.shell == Shell::Running {
                    if why == text::SESSION_NOT_FOUND {
                        self.device_lost_shell(around);
                    } else {
                        self.viewer
                            .say_in_order(FromDevice::InputFailed(why), &self.tail);
                    }
                }
            }
            FromDevice::Stop(stop) => self.device_stops(around, stop),
            FromDevice::Ping { .. } => match self.shell {
                Shell::Starting { .. } | Shell::Running => self.tell(around, &FromUser::Pong),
                Shell::None | Shell::Recording | Shell::Retrying { .. } | Shell::Stopping => {}
            },
            FromDevice::Failed { typ, text } => {
                // Nobody but the server itself sends pongs.
                if self.shell == Shell::Running && typ != shell::typ::PONG {
                    self.viewer
                        .say_in_order(FromDevice::Failed { typ, text }, &self.tail);
                }
            }
            FromDevice::Delay { .. } | FromDevice::Resize(_) => {}
        }
    }

    fn started(&mut self, around: &mut Surroundings<'_>) {
        self.shell = Shell::Running;
        around.owed.remove(&self.sid);
        self.viewer.say_in_order(FromDevice::Started, &self.tail);
    }

    fn device_refuses(&mut self, around: &mut Surroundings<'_>, why: String, crowded: bool) {
        let Shell::Starting {
            retried,
            asked_again,
            ..
        } = self.shell
        else {
            return;
        };
        if asked_again && why == text::ALREADY_RUNNING {
            return self.started(around);
        }
        if why == text::TOO_MANY_SESSIONS && !retried && !crowded {
            self.shell = Shell::Retrying {
                at: around.now + RETRY_AFTER,
            };
            return;
        }
        self.refused(around, &why);
    }

    /// The device says that it cannot do what the session needs at all.
    pub(super) fn device_fails(&mut self, around: &mut Surroundings<'_>, why: &str) {
        if let Shell::Starting { .. } = self.shell {
            self.refused(around, why);
        }
    }

    fn refused(&mut self, around: &mut Surroundings<'_>, why: &str) {
        self.shell = Shell::None;
        self.backlog.clear();
        let refused = FromDevice::Refused(why.to_owned());
        self.viewer.say_in_order(refused, &self.tail);
        let text = words(why);
        self.record(around, Happened::Refused { text });
    }

    fn device_stops(&mut self, around: &mut Surroundings<'_>, stop: Stop) {
        match self.shell {
            // Answers to a stop that was sent before. There may be two of them.
            Shell::None | Shell::Recording | Shell::Starting { .. } | Shell::Retrying { .. } => {
                around.owed.remove(&self.sid);
            }
            Shell::Stopping => {
                around.owed.remove(&self.sid);
                self.shell = Shell::None;
                self.viewer.say_in_order(FromDevice::Stop(stop), &self.tail);
            }
            Shell::Running => {
                // The slot is free only after a stop from this side.
                self.shell = Shell::None;
                self.backlog.clear();
                self.stop_device(around, None);
                self.record_end(around, stop.reason, stop.exit_status, &stop.text);
                self.viewer.say_in_order(FromDevice::Stop(stop), &self.tail);
            }
        }
    }

    fn device_lost_shell(&mut self, around: &mut Surroundings<'_>) {
        self.shell = Shell::None;
        self.backlog.clear();
        around.owed.remove(&self.sid);
        let reason = Some(Ended::DeviceGone);
        self.viewer.say_in_order(
            FromDevice::Stop(Stop {
                error: true,
                reason,
                exit_status: None,
                text: SHELL_LOST.to_owned(),
            }),
            &self.tail,
        );
        self.record_end(around, reason, None, SHELL_LOST);
    }

    fn output(&mut self, now: Instant, output: &Bytes) {
        self.tail.push(output);
        if self.tail.len() >= TAIL_BYTES_MAX && self.stalled_since.is_none() {
            self.stalled_since = Some(now);
        }
    }

    /// The device has a new link. Stops that are owed have been sent over it.
    pub(super) fn link_up(&mut self, around: &mut Surroundings<'_>) {
        match self.shell {
            Shell::Starting {
                asked_at, retried, ..
            } => self.ask(around, retried, asked_at.is_some()),
            Shell::Running => {
                // The size may have been lost with the old link; and a device that has restarted
                // answers the empty input by saying that there is no such shell.
                if let Some(size) = self.size {
                    self.tell(around, &FromUser::Resize(size));
                }
                self.tell(around, &FromUser::Input(Bytes::new()));
            }
            Shell::None | Shell::Recording | Shell::Retrying { .. } | Shell::Stopping => {}
        }
    }

    // ---- What the server does by itself.

    /// The opening has been written down, or could not be.
    pub(super) fn recorded(&mut self, around: &mut Surroundings<'_>, ok: bool) {
        if self.shell != Shell::Recording {
            return;
        }
        if ok {
            self.ask(around, false, false);
        } else {
            self.refused(around, NOT_RECORDED);
        }
    }

    fn ask(&mut self, around: &mut Surroundings<'_>, retried: bool, asked_again: bool) {
        self.shell = Shell::Starting {
            asked_at: around.link_up.then_some(around.now),
            retried,
            asked_again,
        };
        if around.link_up {
            self.tell(around, &FromUser::New { size: self.size });
        }
    }

    /// The server ends the session.
    pub(super) fn end(&mut self, around: &mut Surroundings<'_>, why: EndReason) {
        if self.over.is_some() {
            return;
        }
        self.over = Some((why, around.now));
        self.backlog.clear();
        let shell = std::mem::replace(&mut self.shell, Shell::None);
        match shell {
            Shell::None => {}
            Shell::Recording | Shell::Starting { .. } | Shell::Retrying { .. } => {
                let refused = FromDevice::Refused(why.text().to_owned());
                self.viewer.say_in_order(refused, &self.tail);
            }
            Shell::Running | Shell::Stopping => {
                // Some ends hang when their socket is closed without it.
                let stop = FromDevice::Stop(Stop {
                    error: true,
                    reason: Some(why.ended()),
                    exit_status: None,
                    text: why.text().to_owned(),
                });
                self.viewer.say_in_order(stop, &self.tail);
            }
        }
        match shell {
            Shell::Starting {
                asked_at: Some(_), ..
            }
            | Shell::Running => self.stop_device(around, Some(why.text().to_owned())),
            Shell::None
            | Shell::Recording
            | Shell::Starting { asked_at: None, .. }
            | Shell::Retrying { .. }
            | Shell::Stopping => {}
        }
        if !matches!(shell, Shell::None | Shell::Stopping) {
            self.record_end(around, Some(why.ended()), None, why.text());
        }
        self.viewer
            .close_in_order(CloseReason::Ended(why), &self.tail);
    }

    /// Does what is due. The result is why the viewer is to be done without from now on, if it is.
    pub(super) fn tick(&mut self, around: &mut Surroundings<'_>) -> Option<CloseReason> {
        let now = around.now;
        if self.shell != Shell::None {
            self.viewer.ping(&self.sid, now, around.effects);
        }
        match self.shell {
            Shell::Retrying { at } if at <= now => self.ask(around, true, false),
            Shell::Starting {
                asked_at: Some(at), ..
            } if around.link_up && at + START_TIMEOUT <= now => {
                self.stop_device(around, Some(NO_ANSWER.to_owned()));
                self.refused(around, NO_ANSWER);
            }
            Shell::None
            | Shell::Recording
            | Shell::Starting { .. }
            | Shell::Retrying { .. }
            | Shell::Running
            | Shell::Stopping => {}
        }
        if let Some((why, at)) = self.over {
            return (at + LEAVE_MAX <= now).then_some(CloseReason::Ended(why));
        }
        let stalled = self.stalled_since.is_some_and(|at| at + STALL_MAX <= now);
        stalled.then_some(CloseReason::TooSlow)
    }

    /// When [`Session::tick`] has something to do.
    pub(super) fn deadlines(&self, link_up: bool) -> impl Iterator<Item = Instant> {
        let ping = (self.shell != Shell::None).then(|| self.viewer.next_ping());
        let start = match self.shell {
            Shell::Retrying { at } => Some(at),
            Shell::Starting { asked_at, .. } if link_up => asked_at.map(|at| at + START_TIMEOUT),
            Shell::None
            | Shell::Recording
            | Shell::Starting { .. }
            | Shell::Running
            | Shell::Stopping => None,
        };
        let end = match (self.over, self.stalled_since) {
            (Some((_, at)), _) => Some(at + LEAVE_MAX),
            (None, Some(since)) => Some(since + STALL_MAX),
            (None, None) => None,
        };
        ping.into_iter().chain(start).chain(end)
    }

    /// How much output waits beyond what a session may hold for itself; 0 is enough to hold the device.
    pub(super) fn excess(&self) -> Option<usize> {
        if self.over.is_some() {
            return None;
        }
        self.tail.len().checked_sub(TAIL_BYTES_MAX)
    }

    /// The viewer has taken something.
    pub(super) fn progressed(&mut self, now: Instant) {
        if self.stalled_since.is_some() {
            self.stalled_since = Some(now);
        }
    }

    /// Sends the viewer what it has room for.
    pub(super) fn flush(&mut self, effects: &mut Vec<Effect>) {
        self.viewer.flush(&self.sid, &mut self.tail, effects);
        if self.tail.len() < TAIL_BYTES_MAX {
            self.stalled_since = None;
        }
    }

    /// Gives the viewer its credits back once all it typed is on its way.
    pub(super) fn refund(&mut self, effects: &mut Vec<Effect>) {
        if self.backlog.is_empty() {
            self.viewer.refund(effects);
        }
    }

    /// The next part of what was typed, if the shell can take it.
    pub(super) fn next_for_device(&mut self) -> Option<Message> {
        if self.shell != Shell::Running {
            return None;
        }
        let next = self.backlog.next()?;
        Some(self.to_device(&next))
    }

    /// Answers the viewer in the device's place, outside of the output.
    fn answer(&mut self, around: &mut Surroundings<'_>, answer: FromDevice) {
        self.viewer
            .say(answer.to_message(&self.sid), around.effects);
    }

    fn stop_device(&self, around: &mut Surroundings<'_>, error: Option<String>) {
        around.owed.add(&self.sid, Some(self.owner.user_id()));
        if around.link_up {
            self.tell(around, &FromUser::Stop { error });
        }
    }

    fn tell(&self, around: &mut Surroundings<'_>, what: &FromUser) {
        if around.link_up {
            around.effects.push(Effect::ToDevice(self.to_device(what)));
        }
    }

    fn to_device(&self, what: &FromUser) -> Message {
        let mut message = what.to_message(&self.sid);
        message
            .props
            .set(prop::USER_ID, self.owner.user_id().to_string());
        message
    }

    fn record_end(
        &self,
        around: &mut Surroundings<'_>,
        reason: Option<Ended>,
        exit_status: Option<i32>,
        text: &str,
    ) {
        let ended = Happened::Ended {
            reason,
            exit_status,
            text: words(text),
        };
        self.record(around, ended);
    }

    fn record(&self, around: &mut Surroundings<'_>, happened: Happened) {
        around.effects.push(Effect::Record(Record {
            sid: self.sid.clone(),
            owner: self.owner.clone(),
            happened,
        }));
    }
}

fn words(text: &str) -> String {
    text.chars().take(WORDS_MAX).collect()
}
