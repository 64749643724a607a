//! How a shell comes to its end, and what its operators learn about it.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Instant;

use longwire_protocol::shell::{Ended, Stop};
use nix::sys::signal::Signal;
use tokio::process::Child;
use tokio::time::timeout_at;

use super::expiry::Expired;
use super::processes;
use super::stopping::{Next, Step, Stopping};

/// Why a shell is stopped from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StopOrder {
    /// A `stop` message asked for it; it is answered as such.
    Requested,
    /// The agent itself or the server has to; the text says why.
    Because(String),
}

/// Why a shell no longer runs.
#[derive(Debug)]
pub(super) enum Ending {
    /// Its process has ended by itself.
    Exited(io::Result<ExitStatus>),
    /// It has to be stopped.
    Stop(Cause),
    /// The agent is ending.
    Closed,
}

/// Why a shell is stopped.
#[derive(Debug)]
pub(super) enum Cause {
    Ordered(StopOrder),
    Expired(Expired),
    Unanswered,
}

impl Cause {
    /// What is said when the shell has been stopped for it.
    pub(super) fn message(&self) -> Stop {
        let (error, reason, text) = match self {
            Self::Ordered(StopOrder::Requested) => (false, Ended::Stopped, ""),
            Self::Ordered(StopOrder::Because(why)) => (true, Ended::Stopped, why.as_str()),
            Self::Expired(Expired::Idle) => (true, Ended::Idle, "shell stopped: idle for too long"),
            Self::Expired(Expired::Lifetime) => {
                (true, Ended::Expired, "shell stopped: open for too long")
            }
            Self::Unanswered => (
                true,
                Ended::Stopped,
                "shell stopped: nobody answered its ping",
            ),
        };
        let text = text.to_owned();
        Stop {
            error,
            reason: Some(reason),
            exit_status: None,
            text,
        }
    }
}

/// What the operator learns about a shell that ended by itself. The error status is what real
/// agents send then too.
pub(super) fn exit_message(status: io::Result<ExitStatus>) -> Stop {
    let stop = Stop {
        error: true,
        ..Stop::default()
    };
    match status.map(|status| (status.code(), status.signal())) {
        Ok((Some(code), _)) => Stop {
            reason: Some(Ended::Exited),
            exit_status: Some(code),
            text: format!("shell exited with status {code}"),
            ..stop
        },
        Ok((None, Some(number))) => Stop {
            reason: Some(Ended::Signaled),
            text: match Signal::try_from(number) {
                Ok(signal) => format!("shell killed by {signal}"),
                Err(_) => format!("shell killed by signal {number}"),
            },
            ..stop
        },
        Ok((None, None)) => stop,
        Err(error) => Stop {
            text: format!("cannot wait for the shell: {error}"),
            ..stop
        },
    }
}

/// Takes a whole session down step by step; false if something survives SIGKILL.
///
/// The leader is not reaped before: as long as its zombie is there, no other session can have its
/// number.
pub(super) async fn end_session(leader: i32) -> bool {
    let mut stopping = Stopping::default();
    loop {
        let alive = processes::of_session(leader);
        match stopping.next(Instant::now(), !alive.is_empty()) {
            Next::Gone => return true,
            Next::GivenUp => return false,
            Next::Take(step, until) => {
                let signal = match step {
                    Step::Hangup => Signal::SIGHUP,
                    Step::Terminate => Signal::SIGTERM,
                    Step::Kill => Signal::SIGKILL,
                };
                for process in &alive {
                    process.signal(signal);
                    // A stopped job takes a signal only once it goes on.
                    process.signal(Signal::SIGCONT);
                }
                let all_ended = async {
                    for process in &alive {
                        process.ended().await;
                    }
                };
                // Either way the next look says what is left.
                let _ = timeout_at(until.into(), all_ended).await;
            }
        }
    }
}

/// Takes note of the end of a shell's process.
pub(super) async fn reap(child: &mut Child) {
    if let Err(error) = child.wait().await {
        log::warn!("cannot wait for a shell: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_is_told_with_its_status() {
        let stop = exit_message(Ok(ExitStatus::from_raw(3 << 8)));
        assert_eq!(
            (stop.reason, stop.exit_status),
            (Some(Ended::Exited), Some(3))
        );
        assert_eq!(stop.text, "shell exited with status 3");
        let stop = exit_message(Ok(ExitStatus::from_raw(9)));
        assert_eq!(
            (stop.reason, stop.exit_status),
            (Some(Ended::Signaled), None)
        );
        assert_eq!(stop.text, "shell killed by SIGKILL");
        assert!(stop.error);
    }

    #[test]
    fn the_answer_to_a_stop_is_no_error() {
        let stop = Cause::Ordered(StopOrder::Requested).message();
        assert_eq!((stop.error, stop.reason), (false, Some(Ended::Stopped)));
        assert!(stop.text.is_empty());
    }
}
