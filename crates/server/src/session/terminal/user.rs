//! What the operator's end says and does.

use longwire_protocol::shell::{Ended, FromDevice, FromUser, Stop, Winsize, text};

use super::super::effect::Happened;
use super::{Session, Shell, Surroundings};

impl Session {
    pub(in crate::session) fn user_says(&mut self, around: &mut Surroundings<'_>, said: FromUser) {
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
    pub(in crate::session) fn user_gone(&mut self, around: &mut Surroundings<'_>) {
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
}
