//! A shell on plain links: what goes out is lost with the link that carried it, and what the shell
//! says while there is none waits here, as far as there is room.

use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::time::Instant;

use bytes::{Buf, Bytes};
use longwire_protocol::limits::OUTPUT_READ;
use longwire_protocol::shell::{FromDevice, PING_TIMEOUT_S, Stop};
use tokio::sync::watch;

use super::ending::{Cause, Ending};
use super::heartbeat::{Beat, ShellHeartbeat};
use super::wire::{Input, Order};
use crate::connection::outbox::{Closed, LinkState, ShellOutbox};
use crate::pty::{Pty, Read};

/// What is read from the terminal once its shell has ended. The kernel holds less than this, so
/// it is all the shell itself wrote; a background job that goes on writing does not keep the
/// session open.
const LAST_WORDS: usize = 64 * 1024;
/// The terminal is read while the link is down only if so much more may be kept.
const WORTHWHILE: usize = 4096;

/// The way over plain links, and what waits for it.
#[derive(Debug)]
pub(super) struct PlainWire {
    sid: String,
    outbox: ShellOutbox,
    link: watch::Receiver<LinkState>,
    is_up: bool,
    heartbeat: ShellHeartbeat,
    /// Not yet taken by the terminal.
    input: VecDeque<Input>,
    /// A message of the shell's own that goes before any further output.
    notice: Option<FromDevice>,
    /// Read and not sent.
    output: Vec<u8>,
    /// How much of it may wait for a link.
    most_held: usize,
    /// Whether there may be more.
    is_open: bool,
}

impl PlainWire {
    /// The wire of a session whose shell has just been started. Up to `most_held` bytes of its
    /// output wait for a link.
    pub(super) fn new(sid: &str, outbox: ShellOutbox, most_held: usize) -> Self {
        let mut link = outbox.link();
        let is_up = *link.borrow_and_update() == LinkState::Plain;
        Self {
            sid: sid.to_owned(),
            outbox,
            link,
            is_up,
            heartbeat: ShellHeartbeat::new(Instant::now()),
            input: VecDeque::new(),
            notice: Some(FromDevice::Started),
            output: Vec::new(),
            most_held,
            is_open: true,
        }
    }

    pub(super) async fn turn(&mut self, pty: &Pty) -> Result<bool, Closed> {
        let has_own = self.notice.is_some() || !self.output.is_empty();
        let may_hold = self.output.len() + WORTHWHILE <= self.most_held;
        tokio::select! {
            written = write(pty, self.input.front()), if !self.input.is_empty() => {
                self.written(written);
                Ok(false)
            }
            turn = turn(pty, &mut self.outbox, has_own), if self.is_up && (self.is_open || has_own) => {
                turn?;
                self.speak(pty)
            }
            readable = pty.readable(), if !self.is_up && self.is_open && may_hold => {
                readable.map_err(|_| Closed)?;
                Ok(self.read(pty, self.most_held))
            }
            changed = self.link.changed() => {
                changed.map_err(|_| Closed)?;
                let state = *self.link.borrow_and_update();
                self.link_is(state, Instant::now());
                Ok(false)
            }
        }
    }

    fn link_is(&mut self, state: LinkState, now: Instant) {
        self.is_up = state == LinkState::Plain;
        if self.is_up {
            self.heartbeat.link_up(now);
        } else {
            self.heartbeat.link_down(now);
        }
    }

    /// Uses a turn: for a notice if there is one, else for output.
    fn speak(&mut self, pty: &Pty) -> Result<bool, Closed> {
        if let Some(notice) = self.notice.take() {
            self.outbox.send(notice.to_message(&self.sid))?;
            return Ok(false);
        }
        let has_read = self.output.is_empty() && self.read(pty, OUTPUT_READ);
        self.pass_on()?;
        Ok(has_read)
    }

    /// Reads until `most` bytes wait to be sent. Returns whether there was something.
    fn read(&mut self, pty: &Pty, most: usize) -> bool {
        let (count, read) = self.take(most, |space| pty.read(space));
        self.is_open = read != Read::Closed;
        count > 0
    }

    fn take(
        &mut self,
        most: usize,
        read: impl FnOnce(&mut [u8]) -> (usize, Read),
    ) -> (usize, Read) {
        let mut space = vec![0; most.saturating_sub(self.output.len())];
        let (count, read) = read(&mut space);
        space.truncate(count);
        if self.output.is_empty() {
            self.output = space;
        } else {
            self.output.append(&mut space);
        }
        (count, read)
    }

    /// Sends output with the turn already waited for, or gives the turn back if there is none.
    fn pass_on(&mut self) -> Result<(), Closed> {
        if self.output.is_empty() {
            self.outbox.give_up_turn();
            return Ok(());
        }
        let later = self.output.split_off(self.output.len().min(OUTPUT_READ));
        let bytes = Bytes::from(std::mem::replace(&mut self.output, later));
        self.outbox
            .send(FromDevice::Output(bytes).to_message(&self.sid))
    }

    pub(super) fn obey(&mut self, order: Order, pty: &Pty) -> bool {
        match order {
            Order::Input(input) => {
                self.input.push_back(input);
                return true;
            }
            Order::Resize(size) => {
                if let Err(error) = pty.resize(size) {
                    log::debug!("session {}: resize: {error}", self.sid);
                }
            }
            Order::Pong => self.heartbeat.answered(),
            Order::Interrupt(..) | Order::NewEpoch => {}
        }
        false
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.heartbeat.due()
    }

    pub(super) fn tick(&mut self, now: Instant) -> ControlFlow<Ending> {
        match self.heartbeat.check(now) {
            Some(Beat::Ping) => {
                let ping = FromDevice::Ping {
                    timeout_s: Some(PING_TIMEOUT_S),
                };
                self.notice.get_or_insert(ping);
                ControlFlow::Continue(())
            }
            Some(Beat::Unanswered) => ControlFlow::Break(Ending::Stop(Cause::Unanswered)),
            None => ControlFlow::Continue(()),
        }
    }

    pub(super) async fn last_words(&mut self, pty: &Pty) -> Result<(), Closed> {
        if let Some(FromDevice::Started) = self.notice {
            // It ended before its turn to say that it had begun.
            let started = FromDevice::Started.to_message(&self.sid);
            self.outbox.deliver(started).await?;
        }
        self.send_all().await?;
        let mut left = LAST_WORDS;
        while left > 0 {
            self.outbox.room().await?;
            let (count, read) = self.take(left.min(OUTPUT_READ), |space| pty.read_last(space));
            self.pass_on()?;
            left = match read {
                Read::Full => left.saturating_sub(count),
                Read::Drained | Read::Closed => 0,
            };
        }
        Ok(())
    }

    /// Sends what was held while there was no link.
    async fn send_all(&mut self) -> Result<(), Closed> {
        while !self.output.is_empty() {
            self.outbox.room().await?;
            self.pass_on()?;
        }
        Ok(())
    }

    pub(super) async fn say_last(&mut self, stop: Stop) -> Option<Stop> {
        self.send_all().await.ok()?;
        let message = FromDevice::Stop(stop.clone()).to_message(&self.sid);
        self.outbox.deliver(message).await.ok().map(|()| stop)
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
}

/// Waits until there is something to send and it is this shell's turn. In this order: an idle
/// shell must not keep others from their turn.
async fn turn(pty: &Pty, outbox: &mut ShellOutbox, has_own: bool) -> Result<(), Closed> {
    if !has_own {
        pty.readable().await.map_err(|_| Closed)?;
    }
    outbox.room().await
}

async fn write(pty: &Pty, input: Option<&Input>) -> io::Result<usize> {
    match input {
        Some(input) => pty.write(&input.bytes).await,
        None => Ok(0),
    }
}
