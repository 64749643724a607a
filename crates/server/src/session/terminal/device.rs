//! What the device says and does.

use std::time::Instant;

use bytes::Bytes;
use longwire_protocol::shell::{self, Ended, FromDevice, FromUser, Stop, text};

use super::super::effect::Happened;
use super::super::tail::TAIL_BYTES_MAX;
use super::{
    AWAY_NOTICE, AWAY_NOTICE_AFTER, Away, BACK_NOTICE, RETRY_AFTER, SHELL_LOST, Session, Shell,
    Surroundings, words,
};

impl Session {
    /// `crowded`: the same operator uses another shell on this device.
    pub(in crate::session) fn device_says(
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
    pub(in crate::session) fn device_fails(&mut self, around: &mut Surroundings<'_>, why: &str) {
        if let Shell::Starting { .. } = self.shell {
            self.refused(around, why);
        }
    }

    pub(super) fn refused(&mut self, around: &mut Surroundings<'_>, why: &str) {
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
                // An error is no answer: it ended by itself while the stop was under way, and keeps its
                // slot until that arrives. Should it be lost with the link, it is said again.
                if !stop.error {
                    around.owed.remove(&self.sid);
                }
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

    /// The device has lost its link.
    pub(in crate::session) fn link_down(&mut self, around: &mut Surroundings<'_>) {
        if self.away == Away::No {
            self.away = Away::Untold(around.now + AWAY_NOTICE_AFTER);
        }
    }

    /// The device has been away for long enough to say so.
    pub(super) fn tell_away(&mut self) {
        self.away = Away::Told;
        self.notice(AWAY_NOTICE);
    }

    /// Tells the operator something that the device did not say. Our page draws it from the device's
    /// presence. Other ends have no message for it: there it is a line of output, unless they asked for a
    /// shell without, as scripts do, which would take it for the device's.
    fn notice(&mut self, notice: &str) {
        if self.shell == Shell::Running && self.viewer.takes_notices() {
            self.tail
                .push(format!("\r\n[longwire: {notice}]\r\n").as_bytes());
        }
    }

    /// The device has a new link. Stops that are owed have been sent over it.
    pub(in crate::session) fn link_up(&mut self, around: &mut Surroundings<'_>) {
        if std::mem::replace(&mut self.away, Away::No) == Away::Told {
            self.notice(BACK_NOTICE);
        }
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
}
