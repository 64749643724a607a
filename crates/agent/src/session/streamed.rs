//! A shell on the stream that outlives its links: its output is kept until it is safe, its input
//! comes in order and once, whatever becomes of the connection.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use longwire_protocol::shell::{Stop, Winsize};
use tokio::sync::{Notify, watch};

use super::wire::{Notice, Order};
use crate::clock::{millis, since_boot};
use crate::connection::outbox::{Closed, LinkState};
use crate::pty::Pty;
use crate::shared_end::SharedEnd;

/// One session of the shared end, and the state of its terminal.
#[derive(Debug)]
pub(super) struct StreamedWire {
    sid: String,
    end: SharedEnd,
    /// Told whenever input has come.
    input: Arc<Notify>,
    link: watch::Receiver<LinkState>,
    started_at: Duration,
    size: Winsize,
    /// Whether the terminal took no more input when last tried.
    is_full: bool,
    /// Whether there may be output.
    is_open: bool,
    /// An interrupt that was asked for out of turn, by its offset.
    urged: Option<(u64, u8)>,
    /// What operators have to know, also those who come later.
    warnings: Vec<Notice>,
}

impl StreamedWire {
    /// The wire of a session whose shell has just been started in a terminal of this size.
    pub(super) fn new(
        sid: &str,
        end: SharedEnd,
        input: Arc<Notify>,
        link: watch::Receiver<LinkState>,
        size: Winsize,
    ) -> Self {
        Self {
            sid: sid.to_owned(),
            end,
            input,
            link,
            started_at: since_boot(),
            size,
            is_full: false,
            is_open: true,
            urged: None,
            warnings: Vec::new(),
        }
    }

    pub(super) async fn turn(&mut self, pty: &Pty) -> Result<bool, Closed> {
        tokio::select! {
            () = self.input.notified() => Ok(self.type_in(pty)),
            writable = pty.writable(), if self.is_full => {
                writable.map_err(|_| Closed)?;
                Ok(self.type_in(pty))
            }
            readable = readable(pty, &self.end, &self.sid), if self.is_open => {
                readable?;
                let (count, is_open) = self.end.read(&self.sid, pty, self.time_ms());
                self.is_open = is_open;
                Ok(count > 0)
            }
            changed = self.link.changed(), if !self.warnings.is_empty() => {
                changed.map_err(|_| Closed)?;
                if *self.link.borrow_and_update() == LinkState::Longwire {
                    self.warnings.iter().for_each(|notice| self.say(*notice));
                }
                Ok(false)
            }
        }
    }

    pub(super) fn obey(&mut self, order: Order, pty: &Pty) -> bool {
        match order {
            Order::Resize(size) => self.resize(size, pty),
            Order::Interrupt(offset, byte) => {
                self.urged = Some((offset, byte));
                // Only a terminal that takes nothing is interrupted out of turn.
                return self.type_in(pty);
            }
            Order::NewEpoch => self.urged = None,
            Order::Input(_) | Order::Pong => {}
        }
        false
    }

    fn resize(&mut self, size: Winsize, pty: &Pty) {
        // Said again on every link.
        if size == self.size {
            return;
        }
        match pty.resize(size) {
            Ok(()) => {
                self.size = size;
                self.end.resized(&self.sid, size, self.time_ms());
            }
            Err(error) => log::debug!("session {}: resize: {error}", self.sid),
        }
    }

    /// Writes what waits, as far as the terminal takes it. Returns whether it took something.
    fn type_in(&mut self, pty: &Pty) -> bool {
        let mut has_moved = false;
        loop {
            let (written, is_full) = self.end.write(&self.sid, |bytes| pty.write_now(bytes));
            has_moved |= written > 0;
            self.is_full = is_full;
            if !is_full || !self.interrupt(pty) {
                return has_moved;
            }
        }
    }

    /// The terminal takes nothing: an interrupt character that waits is carried out as the signal
    /// that it stands for. Returns whether there was one.
    fn interrupt(&mut self, pty: &Pty) -> bool {
        let keys = pty.signal_keys();
        let signal = |byte| keys.iter().find(|(key, _)| *key == byte);
        let wanted: Vec<u8> = keys.iter().map(|(key, _)| *key).collect();
        let waiting = self.end.find_input(&self.sid, &wanted);
        let urged = self.urged.filter(|(_, byte)| signal(*byte).is_some());
        let Some((offset, byte)) = urged.max(waiting) else {
            return false;
        };
        if self.urged.is_some_and(|(urged, _)| urged <= offset) {
            self.urged = None;
        }
        let Some((_, signal)) = signal(byte) else {
            return false;
        };
        let Some(dropped) = self.end.interrupted(&self.sid, offset) else {
            return false;
        };
        log::debug!("session {}: {signal} instead of {dropped} bytes", self.sid);
        if let Err(error) = pty.interrupt(*signal) {
            log::warn!("session {}: {signal}: {error}", self.sid);
        }
        true
    }

    /// Tells operators something, and those who come later if it still holds then.
    pub(super) fn tell(&mut self, notice: Notice) {
        match notice {
            Notice::Ending(..) => {
                // What became of the link before is of no interest.
                self.link.mark_unchanged();
                self.warnings.push(notice);
            }
            Notice::IdleOver => self.warnings.retain(|warning| !warning.is_idle()),
        }
        self.say(notice);
    }

    fn say(&self, notice: Notice) {
        let message = notice.to_message(&self.sid, Instant::now(), SystemTime::now());
        self.end.say(message);
    }

    pub(super) fn last_words(&mut self, pty: &Pty) {
        self.end.read_last(&self.sid, pty, self.time_ms());
    }

    pub(super) fn say_last(&mut self, stop: Stop) -> Stop {
        self.end.ended(&self.sid, stop.clone());
        stop
    }

    fn time_ms(&self) -> u64 {
        millis(self.started_at, since_boot())
    }
}

/// Waits until there is output and room for it; cancel safe.
async fn readable(pty: &Pty, end: &SharedEnd, sid: &str) -> Result<(), Closed> {
    pty.readable().await.map_err(|_| Closed)?;
    end.room(sid).await;
    Ok(())
}
