//! The input of one session at the user end: typed, and not known to be applied.

use std::time::Duration;

use crate::limits::{INPUT_KEPT, INTERRUPT_RESERVE};
use crate::outbound::{Outbound, Piece};

/// Characters that a terminal may turn into signals. Whether it does is the shell end's to say.
const INTERRUPTS: [u8; 3] = [0x03, 0x1c, 0x1a];

#[derive(Debug)]
pub(crate) struct Input {
    stream: Outbound,
    /// The epoch whose input the stream is; 0 when this run does not know yet.
    epoch: u64,
    /// Whether the peer has ever said where the input stands.
    is_known: bool,
    /// Whether this end is in control in that epoch.
    ours: bool,
    /// Whether the peer has said so on this link, and where input goes on.
    ready: bool,
    /// Whether it waits for a person to say that it is still meant.
    held: bool,
    /// The last interrupt character that was typed behind other input.
    interrupt: Option<(u64, u8)>,
    interrupt_sent: bool,
    dropped: u64,
    /// The peer stands before what is kept: it has to be told.
    skip: bool,
}

/// What has come of a word about epochs.
#[derive(Debug, PartialEq)]
pub(crate) enum Begun {
    /// The epoch goes on. Whether input was applied that was not known to be.
    Same { applied: bool },
    /// Another epoch: so many bytes of the old one did not arrive.
    New { unarrived: u64 },
}

impl Input {
    /// Nothing is known of where the input stands.
    pub(crate) fn unknown() -> Self {
        Input {
            stream: Outbound::default(),
            epoch: 0,
            is_known: false,
            ours: false,
            ready: false,
            held: false,
            interrupt: None,
            interrupt_sent: false,
            dropped: 0,
            skip: false,
        }
    }

    /// The input of a session that begins.
    pub(crate) fn first(epoch: u64) -> Self {
        Input {
            epoch,
            ..Input::unknown()
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready
    }

    pub(crate) fn is_known(&self) -> bool {
        self.is_known
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.ours
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn end(&self) -> u64 {
        self.stream.end()
    }

    pub(crate) fn start(&self) -> u64 {
        self.stream.start()
    }

    pub(crate) fn len(&self) -> usize {
        self.stream.len()
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(crate) fn memory(&self) -> usize {
        self.stream.memory()
    }

    pub(crate) fn push(&mut self, bytes: &[u8], now: Duration) {
        self.stream.push(bytes, millis(now));
    }

    /// How many bytes can be kept beside what is.
    pub(crate) fn room(&self) -> usize {
        INPUT_KEPT.saturating_sub(self.len())
    }

    /// How many of these can be: an interrupt need not wait for room.
    pub(crate) fn room_for(&self, bytes: &[u8]) -> usize {
        let reserve = if last_interrupt(bytes).is_some() {
            INTERRUPT_RESERVE
        } else {
            0
        };
        (INPUT_KEPT + reserve).saturating_sub(self.len())
    }

    /// Looks for an interrupt among the `bytes` pushed last. One that is not the only input
    /// waiting is worth a word of its own.
    pub(crate) fn look_for_interrupt(&mut self, bytes: &[u8]) {
        if let Some((at, byte)) = last_interrupt(bytes) {
            let offset = self.end() - (bytes.len() - at) as u64;
            if offset > self.stream.start() {
                self.urge(offset, byte);
            }
        }
    }

    /// There is an interrupt character at this offset.
    pub(crate) fn urge(&mut self, offset: u64, byte: u8) {
        self.interrupt = Some((offset, byte));
        self.interrupt_sent = false;
    }

    /// The link is gone: whatever was said has to be said again.
    pub(crate) fn unlinked(&mut self) {
        self.ready = false;
        self.interrupt_sent = false;
        self.skip = false;
    }

    /// A change of control was asked for: nothing goes out before it is answered.
    pub(crate) fn pause(&mut self) {
        self.ready = false;
    }

    /// The peer says which epoch counts, where its input stands, and whether it is ours.
    pub(crate) fn begin(&mut self, epoch: u64, offset: u64, control: bool) -> Begun {
        self.is_known = true;
        if epoch == self.epoch {
            // Without control it is not over, as long as the epoch is the same: input waits.
            self.ready = control;
            self.ours |= control;
            if !control {
                return Begun::Same { applied: false };
            }
            let applied = offset > self.stream.start();
            self.skip = self.stream.resume(offset) > offset;
            self.stream.advance(offset.max(self.stream.start()));
            self.interrupt_sent = false;
            return Begun::Same { applied };
        }
        let unarrived = self.stream.end().saturating_sub(offset);
        *self = Input {
            stream: Outbound::at(offset),
            epoch,
            is_known: true,
            ours: control,
            ready: control,
            dropped: self.dropped,
            ..Input::unknown()
        };
        Begun::New { unarrived }
    }

    /// So many bytes were thrown away so far.
    pub(crate) fn note_dropped(&mut self, dropped: u64) {
        self.dropped = self.dropped.max(dropped);
    }

    /// Holds what is older than `limit`. True if that is news.
    pub(crate) fn hold_if_older(&mut self, limit: Duration, now: Duration) -> bool {
        let old = self
            .stream
            .oldest_ms()
            .is_some_and(|oldest| millis(now).saturating_sub(oldest) > millis(limit));
        let news = old && !self.held;
        self.held |= old;
        news
    }

    pub(crate) fn release(&mut self) {
        self.held = false;
    }

    /// The shell end has applied everything before `offset`. That may be more than this run has
    /// sent: a former one may have sent it, or an interrupt thrown it away. True if that is news.
    pub(crate) fn applied(&mut self, offset: u64, dropped: u64) -> bool {
        let news = offset > self.stream.start() || dropped > self.dropped;
        self.dropped = self.dropped.max(dropped);
        self.stream.advance(offset.max(self.stream.start()));
        if let Some((at, _)) = self.interrupt
            && at < offset
        {
            self.interrupt = None;
        }
        news
    }

    /// An interrupt that the window keeps back.
    pub(crate) fn next_interrupt(&mut self) -> Option<(u64, u8)> {
        if !self.ready || self.held || self.interrupt_sent {
            return None;
        }
        let (offset, byte) = self.interrupt?;
        if offset < self.stream.sent() {
            // It is on its way among the rest.
            self.interrupt = None;
            return None;
        }
        self.interrupt_sent = true;
        Some((offset, byte))
    }

    /// Where the peer has to go on, if it stands before what is kept.
    pub(crate) fn next_skip(&mut self) -> Option<u64> {
        (self.ready && std::mem::take(&mut self.skip)).then(|| self.stream.start())
    }

    /// What is to be sent next; `window` is what the peer takes beyond what it has applied.
    pub(crate) fn next(&mut self, window: u64) -> Option<Piece> {
        if !self.ready || self.held {
            return None;
        }
        let before = self.stream.start().saturating_add(window);
        self.stream.next(usize::MAX, before)
    }
}

fn last_interrupt(bytes: &[u8]) -> Option<(usize, u8)> {
    let at = bytes.iter().rposition(|byte| INTERRUPTS.contains(byte))?;
    Some((at, *bytes.get(at)?))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
