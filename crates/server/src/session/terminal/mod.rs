//! One session: an operator's end and the shell it asked for.

mod device;
mod time;
mod user;

use std::time::{Duration, Instant};

use longwire_protocol::shell::{Ended, FromDevice, FromUser, Stop, Winsize};
use longwire_protocol::{Message, prop};

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

/// How long a device may be away before operators are told. A link that is replaced (a new token, a
/// network that changed) is back sooner, and a line in the middle of a full screen would only be in the
/// way.
const AWAY_NOTICE_AFTER: Duration = Duration::from_secs(2);

/// What operators are told then. They see it as a line of its own.
const AWAY_NOTICE: &str = "the device has lost its connection; waiting for it";

/// What operators are told who have been told that.
const BACK_NOTICE: &str = "the device is connected again";

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
pub(in crate::session) struct Surroundings<'a> {
    pub(in crate::session) now: Instant,
    /// The device can be sent something.
    pub(in crate::session) link_up: bool,
    pub(in crate::session) owed: &'a mut Owed,
    pub(in crate::session) effects: &'a mut Vec<Effect>,
}

/// One session.
pub(in crate::session) struct Session {
    pub(in crate::session) sid: String,
    pub(in crate::session) owner: Owner,
    pub(in crate::session) viewer: Viewer,
    shell: Shell,
    size: Option<Winsize>,
    backlog: Backlog,
    tail: Tail,
    /// Since when the tail has been full and the viewer took nothing.
    stalled_since: Option<Instant>,
    away: Away,
    /// The server has ended it, and why and when; the viewer is expected to leave.
    over: Option<(EndReason, Instant)>,
}

/// What the operator knows about the device's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Away {
    /// It is there.
    No,
    /// It is away, and they are told at this moment.
    Untold(Instant),
    /// They know that it is away.
    Told,
}

impl Session {
    pub(in crate::session) fn new(sid: String, owner: Owner, viewer: Viewer) -> Self {
        Self {
            sid,
            owner,
            viewer,
            shell: Shell::None,
            size: None,
            backlog: Backlog::default(),
            tail: Tail::default(),
            stalled_since: None,
            away: Away::No,
            over: None,
        }
    }

    /// Whether a shell is wanted here and the operator is there to use it.
    pub(in crate::session) fn is_in_use(&self) -> bool {
        match self.shell {
            Shell::Recording | Shell::Starting { .. } | Shell::Running => true,
            Shell::None | Shell::Retrying { .. } | Shell::Stopping => false,
        }
    }

    /// The opening has been written down, or could not be.
    pub(in crate::session) fn recorded(&mut self, around: &mut Surroundings<'_>, ok: bool) {
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
    pub(in crate::session) fn end(&mut self, around: &mut Surroundings<'_>, why: EndReason) {
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

    /// How much output waits beyond what a session may hold for itself; 0 is enough to hold the device.
    pub(in crate::session) fn excess(&self) -> Option<usize> {
        if self.over.is_some() {
            return None;
        }
        self.tail.len().checked_sub(TAIL_BYTES_MAX)
    }

    /// The viewer has taken something.
    pub(in crate::session) fn progressed(&mut self, now: Instant) {
        if self.stalled_since.is_some() {
            self.stalled_since = Some(now);
        }
    }

    /// Sends the viewer what it has room for.
    pub(in crate::session) fn flush(&mut self, effects: &mut Vec<Effect>) {
        self.viewer.flush(&self.sid, &mut self.tail, effects);
        if self.tail.len() < TAIL_BYTES_MAX {
            self.stalled_since = None;
        }
    }

    /// Gives the viewer its credits back once all it typed is on its way.
    pub(in crate::session) fn refund(&mut self, effects: &mut Vec<Effect>) {
        if self.backlog.is_empty() {
            self.viewer.refund(effects);
        }
    }

    /// The next part of what was typed, if the shell can take it.
    pub(in crate::session) fn next_for_device(&mut self) -> Option<Message> {
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
