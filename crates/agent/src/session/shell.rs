//! One running shell: the task that sees it from its start to its end. How its bytes travel is its
//! wire's business; what is decided by time alone is decided in `expiry` and `stopping`.

use std::io;
use std::ops::ControlFlow;
use std::process::ExitStatus;
use std::time::Instant;

use longwire_protocol::shell::{Stop, text};
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::sleep_until;

use super::ending::{Cause, Ending, StopOrder, end_session, exit_message, reap};
use super::expiry::{Due, Expiry, ExpiryLimits};
use super::wire::{Notice, Order, Wire};
use crate::limits::Slot;
use crate::pty::Pty;

/// A shell and everything it needs to run its course.
#[derive(Debug)]
pub(super) struct Shell {
    pub(super) pty: Pty,
    pub(super) child: Child,
    pub(super) pid: i32,
    pub(super) slot: Slot,
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) stop: oneshot::Receiver<StopOrder>,
    pub(super) wire: Wire,
    pub(super) expiry: ExpiryLimits,
}

impl Shell {
    /// Runs the shell until it has ended and its last message is queued; returns that message, unless
    /// nobody is left to tell.
    pub(super) async fn run(mut self) -> Option<Stop> {
        let ending = self.live().await;
        log::debug!("shell {}: {ending:?}", self.pid);
        match ending {
            Ending::Exited(status) => self.finish(status).await,
            Ending::Stop(cause) => self.stop(&cause).await,
            Ending::Closed => None,
        }
    }

    async fn live(&mut self) -> Ending {
        let mut expiry = Expiry::new(self.expiry, Instant::now());
        loop {
            let due = [expiry.due(), self.wire.due()].into_iter().flatten().min();
            let mut is_active = false;
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => is_active = self.wire.obey(order, &self.pty),
                    None => return Ending::Closed,
                },
                order = &mut self.stop => return match order {
                    Ok(order) => Ending::Stop(Cause::Ordered(order)),
                    Err(_) => Ending::Closed,
                },
                status = self.child.wait() => return Ending::Exited(status),
                moved = self.wire.turn(&self.pty) => match moved {
                    Ok(moved) => is_active = moved,
                    Err(_) => return Ending::Closed,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => {
                    if let ControlFlow::Break(ending) = self.tick(&mut expiry) {
                        return ending;
                    }
                }
            }
            if is_active {
                if expiry.active(Instant::now()) {
                    self.wire.tell(Notice::IdleOver);
                }
                // A flood leaves the others, and the link, their turn.
                yield_now().await;
            }
        }
    }

    fn tick(&mut self, expiry: &mut Expiry) -> ControlFlow<Ending> {
        let now = Instant::now();
        let leader = self.pid;
        let job = || {
            self.pty
                .foreground_group()
                .is_some_and(|group| group != leader)
        };
        match expiry.check(now, job) {
            Some(Due::Warning(expired, ends_at)) => {
                self.wire.tell(Notice::Ending(expired, ends_at));
            }
            Some(Due::Withdrawn) => self.wire.tell(Notice::IdleOver),
            Some(Due::End(expired)) => {
                return ControlFlow::Break(Ending::Stop(Cause::Expired(expired)));
            }
            None => {}
        }
        self.wire.tick(now)
    }

    /// The shell's process has ended by itself: sends its last words and says so.
    async fn finish(mut self, status: io::Result<ExitStatus>) -> Option<Stop> {
        // From here on the session is over for everybody who asks.
        self.orders.close();
        drop(self.slot);
        self.wire.last_words(&self.pty).await.ok()?;
        self.wire.say_last(exit_message(status)).await
    }

    /// Ends every process of the shell's session, answers, and reaps the shell.
    async fn stop(mut self, cause: &Cause) -> Option<Stop> {
        self.slot.release_user();
        self.wire.before_hangup(&self.pty);
        // Hangs up: the kernel sends SIGHUP and SIGCONT to the shell and its foreground job.
        drop(self.pty);
        let given_up = !end_session(self.pid).await;
        if !given_up {
            reap(&mut self.child).await;
            drop(self.slot);
            self.orders.close();
            return self.wire.say_last(cause.message()).await;
        }
        log::error!("shell {}: some of its processes cannot be killed", self.pid);
        self.orders.close();
        let failed = Stop {
            error: true,
            text: text::could_not_terminate("its processes do not react to SIGKILL"),
            ..Stop::default()
        };
        let said = self.wire.say_last(failed).await;
        // The slot stays taken for as long as the shell does.
        reap(&mut self.child).await;
        said
    }
}
