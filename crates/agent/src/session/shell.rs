//! One running shell: the task that moves bytes between its pty and the link and sees it to its
//! end. What is decided by time alone is decided in `expiry`, `heartbeat` and `stopping`.

use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Instant;

use bytes::{Buf, Bytes};
use longwire_protocol::limits::OUTPUT_READ;
use longwire_protocol::shell::{Ended, FromDevice, PING_TIMEOUT_S, Stop, Winsize, text};
use nix::sys::signal::Signal;
use tokio::process::Child;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{sleep_until, timeout_at};

use super::expiry::{Expired, Expiry, ExpiryLimits};
use super::heartbeat::{Beat, ShellHeartbeat};
use super::processes;
use super::stopping::{Next, Step, Stopping};
use crate::connection::outbox::{Closed, LinkState, ShellOutbox};
use crate::limits::Slot;
use crate::pty::{Pty, Read};

/// What is read from the terminal once its shell has ended. The kernel holds less than this, so
/// it is all the shell itself wrote; a background job that goes on writing does not keep the
/// session open.
const LAST_WORDS: usize = 64 * 1024;

/// What a shell is told.
#[derive(Debug)]
pub(super) enum Order {
    /// Type this.
    Input(Input),
    /// The window has this size now.
    Resize(Winsize),
    /// A ping was answered.
    Pong,
}

/// Bytes on their way to the pty, and their share of what may wait.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) bytes: Bytes,
    pub(super) _share: OwnedSemaphorePermit,
}

/// Why a shell is stopped from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StopOrder {
    /// A `stop` message asked for it; it is answered as such.
    Requested,
    /// The agent itself has to; the text says why.
    Because(String),
}

/// A shell and everything it needs to run its course.
#[derive(Debug)]
pub(super) struct Shell {
    pub(super) sid: String,
    pub(super) pty: Pty,
    pub(super) child: Child,
    pub(super) pid: i32,
    pub(super) slot: Slot,
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) stop: oneshot::Receiver<StopOrder>,
    pub(super) outbox: ShellOutbox,
    pub(super) expiry: ExpiryLimits,
}

impl Shell {
    /// Runs the shell until it has ended and its last message is queued; returns that message, unless
    /// the agent is ending.
    pub(super) async fn run(mut self) -> Option<Stop> {
        let mut life = Life::new(self.expiry, Instant::now());
        let ending = self.live(&mut life).await;
        log::debug!("shell {}: {ending:?}", self.pid);
        match ending {
            Ending::Exited(status) => self.finish(status, life.notice).await,
            Ending::Stop(cause) => self.stop(&cause).await,
            Ending::Closed => None,
        }
    }

    async fn live(&mut self, life: &mut Life) -> Ending {
        let mut link = self.outbox.link();
        loop {
            let due = life.due();
            let step = tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order, life),
                    None => ControlFlow::Break(Ending::Closed),
                },
                order = &mut self.stop => ControlFlow::Break(match order {
                    Ok(order) => Ending::Stop(Cause::Ordered(order)),
                    Err(_) => Ending::Closed,
                }),
                status = self.child.wait() => ControlFlow::Break(Ending::Exited(status)),
                written = write(&self.pty, life.input.front()), if !life.input.is_empty() => {
                    life.written(written);
                    ControlFlow::Continue(())
                }
                turn = turn(&self.pty, &mut self.outbox, life.notice.is_some()),
                    if life.has_output() =>
                {
                    match turn.and_then(|()| self.speak(life)) {
                        Ok(()) => ControlFlow::Continue(()),
                        Err(Closed) => ControlFlow::Break(Ending::Closed),
                    }
                }
                changed = link.changed() => match changed.map(|()| *link.borrow_and_update()) {
                    Ok(state) => life.link(state, Instant::now()),
                    Err(_) => ControlFlow::Break(Ending::Closed),
                },
                () = sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => {
                    let job = || self.pty.foreground_group().is_some_and(|group| group != self.pid);
                    life.tick(Instant::now(), job)
                }
            };
            if let ControlFlow::Break(ending) = step {
                return ending;
            }
        }
    }

    fn obey(&self, order: Order, life: &mut Life) -> ControlFlow<Ending> {
        match order {
            Order::Input(input) => {
                life.expiry.active(Instant::now());
                life.input.push_back(input);
            }
            Order::Resize(size) => {
                if let Err(error) = self.pty.resize(size) {
                    log::debug!("shell {}: resize: {error}", self.pid);
                }
            }
            Order::Pong => life.heartbeat.answered(),
        }
        ControlFlow::Continue(())
    }

    /// Uses a turn: for a notice if there is one, else for what the terminal holds.
    fn speak(&mut self, life: &mut Life) -> Result<(), Closed> {
        if let Some(notice) = life.notice.take() {
            return self.outbox.send(notice.to_message(&self.sid));
        }
        life.output.clear();
        let read = self.pty.read(&mut life.output, OUTPUT_READ);
        life.output_open = matches!(read, Ok(Read::Full | Read::Drained));
        if !life.output.is_empty() {
            life.expiry.active(Instant::now());
        }
        pass_on(&mut self.outbox, &self.sid, &life.output)
    }

    /// The shell's process has ended by itself: sends its last words and says so.
    async fn finish(
        mut self,
        status: io::Result<ExitStatus>,
        notice: Option<FromDevice>,
    ) -> Option<Stop> {
        // From here on the session is over for everybody who asks.
        self.orders.close();
        drop(self.slot);
        if let Some(FromDevice::Started) = notice {
            // It ended before its turn to say that it had begun.
            let started = FromDevice::Started.to_message(&self.sid);
            self.outbox.deliver(started).await.ok()?;
        }
        let mut buffer = Vec::new();
        let mut left = LAST_WORDS;
        while left > 0 {
            self.outbox.room().await.ok()?;
            buffer.clear();
            let read = self.pty.read_last(&mut buffer, left.min(OUTPUT_READ));
            pass_on(&mut self.outbox, &self.sid, &buffer).ok()?;
            left = match read {
                Ok(Read::Full) => left.saturating_sub(buffer.len()),
                Ok(Read::Drained | Read::Closed) | Err(_) => 0,
            };
        }
        say_last(&mut self.outbox, &self.sid, exit_message(status)).await
    }

    /// Ends every process of the shell's session, answers, and reaps the shell.
    async fn stop(mut self, cause: &Cause) -> Option<Stop> {
        self.slot.release_user();
        // Hangs up: the kernel sends SIGHUP and SIGCONT to the shell and its foreground job.
        drop(self.pty);
        let given_up = !end_session(self.pid).await;
        if !given_up {
            reap(&mut self.child).await;
            drop(self.slot);
            self.orders.close();
            return say_last(&mut self.outbox, &self.sid, cause.message()).await;
        }
        log::error!("shell {}: some of its processes cannot be killed", self.pid);
        self.orders.close();
        let failed = Stop {
            error: true,
            text: text::could_not_terminate("its processes do not react to SIGKILL"),
            ..Stop::default()
        };
        let said = say_last(&mut self.outbox, &self.sid, failed).await;
        // The slot stays taken for as long as the shell does.
        reap(&mut self.child).await;
        said
    }
}

/// What a running shell has to keep in mind.
#[derive(Debug)]
struct Life {
    expiry: Expiry,
    heartbeat: ShellHeartbeat,
    /// Not yet taken by the terminal.
    input: VecDeque<Input>,
    /// A message of the shell's own that goes before any further output.
    notice: Option<FromDevice>,
    output: Vec<u8>,
    output_open: bool,
}

impl Life {
    fn new(limits: ExpiryLimits, now: Instant) -> Self {
        Self {
            expiry: Expiry::new(limits, now),
            heartbeat: ShellHeartbeat::new(now),
            input: VecDeque::new(),
            notice: Some(FromDevice::Started),
            output: Vec::new(),
            output_open: true,
        }
    }

    fn has_output(&self) -> bool {
        self.output_open || self.notice.is_some()
    }

    fn due(&self) -> Option<Instant> {
        match (self.expiry.due(), self.heartbeat.due()) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    fn written(&mut self, written: io::Result<usize>) {
        match (self.input.front_mut(), written) {
            (Some(first), Ok(written)) => {
                first.bytes.advance(written.min(first.bytes.len()));
                if first.bytes.is_empty() {
                    self.input.pop_front();
                }
            }
            (None, Ok(_)) => {}
            // The terminal is gone, and soon the shell: nobody will read the rest.
            (_, Err(_)) => self.input.clear(),
        }
    }

    fn link(&mut self, state: LinkState, now: Instant) -> ControlFlow<Ending> {
        match state {
            LinkState::Down => self.heartbeat.link_down(now),
            LinkState::Plain => self.heartbeat.link_up(now),
        }
        ControlFlow::Continue(())
    }

    fn tick(&mut self, now: Instant, job: impl FnOnce() -> bool) -> ControlFlow<Ending> {
        if let Some(expired) = self.expiry.check(now, job) {
            return ControlFlow::Break(Ending::Stop(Cause::Expired(expired)));
        }
        match self.heartbeat.check(now) {
            Some(Beat::Ping) => {
                let ping = FromDevice::Ping {
                    timeout_s: Some(PING_TIMEOUT_S),
                };
                self.notice.get_or_insert(ping);
            }
            Some(Beat::Unanswered) => {
                return ControlFlow::Break(Ending::Stop(Cause::Unanswered));
            }
            None => {}
        }
        ControlFlow::Continue(())
    }
}

/// Why a shell no longer runs.
#[derive(Debug)]
enum Ending {
    /// Its process has ended by itself.
    Exited(io::Result<ExitStatus>),
    /// It has to be stopped.
    Stop(Cause),
    /// The agent is ending.
    Closed,
}

/// Why a shell is stopped.
#[derive(Debug)]
enum Cause {
    Ordered(StopOrder),
    Expired(Expired),
    Unanswered,
}

impl Cause {
    fn message(&self) -> Stop {
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
fn exit_message(status: io::Result<ExitStatus>) -> Stop {
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
async fn end_session(leader: i32) -> bool {
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

async fn reap(child: &mut Child) {
    if let Err(error) = child.wait().await {
        log::warn!("cannot wait for a shell: {error}");
    }
}

/// Waits until there is something to send and it is this shell's turn. In this order: an idle
/// shell must not keep others from their turn.
async fn turn(pty: &Pty, outbox: &mut ShellOutbox, has_notice: bool) -> Result<(), Closed> {
    if !has_notice {
        pty.readable().await.map_err(|_| Closed)?;
    }
    outbox.room().await
}

/// Says that the shell has ended; `None` if nobody is left to tell.
async fn say_last(outbox: &mut ShellOutbox, sid: &str, stop: Stop) -> Option<Stop> {
    let message = FromDevice::Stop(stop.clone()).to_message(sid);
    outbox.deliver(message).await.ok().map(|()| stop)
}

/// Sends output with the turn already waited for, or gives the turn back if there is none.
fn pass_on(outbox: &mut ShellOutbox, sid: &str, output: &[u8]) -> Result<(), Closed> {
    if output.is_empty() {
        outbox.give_up_turn();
        return Ok(());
    }
    outbox.send(FromDevice::Output(Bytes::copy_from_slice(output)).to_message(sid))
}

async fn write(pty: &Pty, input: Option<&Input>) -> io::Result<usize> {
    match input {
        Some(input) => pty.write(&input.bytes).await,
        None => Ok(0),
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
