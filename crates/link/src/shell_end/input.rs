//! The input of one session at the shell end: what has come and is not written to the shell yet.

use bytes::Bytes;

use crate::inbound::{Inbound, Refusal};
use crate::ring::Ring;

#[derive(Debug)]
pub(crate) struct Input {
    /// `confirmed` is what was applied.
    stream: Inbound,
    /// Bytes that have come and were not taken: the last ones before `stream.position()`.
    queue: Ring,
    /// Bytes that interrupts threw away so far.
    dropped: u64,
}

impl Input {
    pub(crate) fn at(offset: u64, dropped: u64, window: u64) -> Self {
        Input {
            stream: Inbound::at(offset, window),
            queue: Ring::default(),
            dropped,
        }
    }

    pub(crate) fn applied(&self) -> u64 {
        self.stream.confirmed()
    }

    pub(crate) fn position(&self) -> u64 {
        self.stream.position()
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(crate) fn memory(&self) -> usize {
        self.queue.memory()
    }

    /// True if there is something new.
    pub(crate) fn accept(&mut self, offset: u64, bytes: Bytes) -> Result<bool, Refusal> {
        let new = self.stream.accept(offset, bytes)?;
        self.queue.push(&new);
        Ok(!new.is_empty())
    }

    /// The next bytes to write, as far as they lie in one piece.
    pub(crate) fn front(&self) -> &[u8] {
        self.queue.front()
    }

    /// The shell took the first `count` of them.
    pub(crate) fn wrote(&mut self, count: usize) {
        let taken = count.min(self.queue.len());
        let first = self.stream.position() - self.queue.len() as u64;
        self.queue.discard(taken);
        self.stream.confirm(first + taken as u64);
    }

    /// Takes bytes to pass on; they are not applied by that.
    pub(crate) fn take(&mut self, max: usize) -> Option<(u64, Bytes)> {
        let offset = self.stream.position() - self.queue.len() as u64;
        let bytes = self.queue.copy(0, max);
        self.queue.discard(bytes.len());
        (!bytes.is_empty()).then_some((offset, bytes))
    }

    /// Whoever applies input says how far it has come. What comes before and was not taken yet is
    /// not needed any more. True if that is news.
    pub(crate) fn set_applied(&mut self, offset: u64, dropped: u64) -> bool {
        let has_lost = dropped > self.dropped;
        self.dropped = self.dropped.max(dropped);
        self.advance(offset) || has_lost
    }

    /// Throws away what comes before `offset`, which takes the interrupt character with it: that
    /// one counts as applied, the others as dropped. Returns how many.
    pub(crate) fn interrupt(&mut self, offset: u64) -> u64 {
        let dropped = offset.saturating_sub(self.applied());
        self.dropped += dropped;
        self.advance(offset + 1);
        dropped
    }

    fn advance(&mut self, offset: u64) -> bool {
        let first = self.stream.position() - self.queue.len() as u64;
        if offset >= self.stream.position() {
            self.queue.clear();
            let news = offset > self.applied();
            self.stream.jump(offset);
            return news;
        }
        let count = usize::try_from(offset.saturating_sub(first)).unwrap_or(usize::MAX);
        self.queue.discard(count);
        self.stream.confirm(offset)
    }

    /// The sender has proof that everything before `offset` was applied: it was acknowledged, by a
    /// run of this end that is forgotten. Returns from where the proof reaches beyond our own
    /// knowledge, `None` if it does not, an error if that contradicts bytes that wait here.
    pub(crate) fn skip(&mut self, offset: u64) -> Result<Option<u64>, Refusal> {
        let from = self.position();
        if offset <= self.applied() {
            return Ok(None);
        }
        if offset <= from || !self.queue.is_empty() {
            return Err(Refusal::Hole);
        }
        self.stream.jump(offset);
        Ok(Some(from))
    }

    /// A new epoch: what was not applied will not be. Returns how many bytes had come.
    pub(crate) fn begin_epoch(&mut self) -> u64 {
        let unwritten = self.position() - self.applied();
        self.queue.clear();
        self.stream.jump(self.applied());
        unwritten
    }

    /// The offset of the last byte waiting that is one of `wanted`.
    pub(crate) fn rfind(&self, wanted: &[u8]) -> Option<u64> {
        let first = self.stream.position() - self.queue.len() as u64;
        Some(first + self.queue.rfind(wanted)? as u64)
    }
}
