//! The sending half of one direction of one session.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::limits::{MAX_BODY, MAX_STAMPS, STAMP_GRAIN_MS};
use crate::ring::Ring;

/// Bytes that are not acknowledged yet, with their offsets and times.
///
/// `start ≤ sent ≤ end`: before `start` everything is acknowledged or lost, up to `sent` it is under
/// way, up to `end` it waits.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    start: u64,
    sent: u64,
    /// What the peer has acknowledged: from there its window counts.
    acknowledged: u64,
    ring: Ring,
    /// From which offset on which time holds, in order of both.
    stamps: VecDeque<(u64, u64)>,
}

/// One piece to send.
#[derive(Debug, PartialEq)]
pub(crate) struct Piece {
    pub(crate) offset: u64,
    pub(crate) time_ms: u64,
    pub(crate) bytes: Bytes,
}

/// What was acknowledged was never sent.
#[derive(Debug, PartialEq)]
pub(crate) struct NeverSent;

impl Outbound {
    /// A stream that continues at `offset` with nothing kept.
    pub(crate) fn at(offset: u64) -> Self {
        Outbound {
            start: offset,
            sent: offset,
            acknowledged: offset,
            ..Outbound::default()
        }
    }

    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    pub(crate) fn end(&self) -> u64 {
        self.start + self.ring.len() as u64
    }

    /// Bytes kept.
    pub(crate) fn len(&self) -> usize {
        self.ring.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    pub(crate) fn memory(&self) -> usize {
        self.ring.memory() + self.stamps.capacity() * size_of::<(u64, u64)>()
    }

    /// The time of the oldest byte kept.
    pub(crate) fn oldest_ms(&self) -> Option<u64> {
        let (_, time_ms) = self.stamps.front()?;
        (!self.is_empty()).then_some(*time_ms)
    }

    pub(crate) fn push(&mut self, bytes: &[u8], time_ms: u64) {
        if bytes.is_empty() {
            return;
        }
        let end = self.end();
        // What is sent at once keeps its exact time; what waits shall fill messages.
        let grain = if self.sent < end { STAMP_GRAIN_MS } else { 1 };
        let same = self
            .stamps
            .back()
            .is_some_and(|(_, last)| time_ms < last.saturating_add(grain));
        if !same || self.is_empty() {
            if self.stamps.len() >= MAX_STAMPS {
                self.thin_out();
            }
            self.stamps.push_back((end, time_ms));
        }
        self.ring.push(bytes);
    }

    /// Gives up every second stamp: the bytes after it count to the one before.
    fn thin_out(&mut self) {
        let mut keep = false;
        self.stamps.retain(|_| {
            keep = !keep;
            keep
        });
    }

    /// The next piece, up to `limit` bytes and never beyond the offset `before`.
    pub(crate) fn next(&mut self, limit: usize, before: u64) -> Option<Piece> {
        let after = self.stamps.partition_point(|(at, _)| *at <= self.sent);
        let next_stamp = self.stamps.get(after).map_or(u64::MAX, |(at, _)| *at);
        let stop = before.min(next_stamp).min(self.end());
        let most = usize::try_from(stop.saturating_sub(self.sent)).unwrap_or(usize::MAX);
        let count = most.min(limit).min(MAX_BODY);
        if count == 0 {
            return None;
        }
        let piece = Piece {
            offset: self.sent,
            time_ms: after
                .checked_sub(1)
                .and_then(|index| self.stamps.get(index))
                .map_or(0, |(_, time_ms)| *time_ms),
            bytes: self.ring.copy((self.sent - self.start) as usize, count),
        };
        self.sent += piece.bytes.len() as u64;
        Some(piece)
    }

    /// Everything before `offset` has arrived for good. An older acknowledgement changes nothing.
    pub(crate) fn acknowledge(&mut self, offset: u64) -> Result<bool, NeverSent> {
        if offset > self.sent {
            return Err(NeverSent);
        }
        let news = offset > self.acknowledged;
        self.acknowledged = self.acknowledged.max(offset);
        self.release(offset.saturating_sub(self.start));
        Ok(news)
    }

    fn release(&mut self, count: u64) {
        self.ring
            .discard(usize::try_from(count).unwrap_or(usize::MAX));
        self.start += count;
        // The stamp that covers the first byte stays.
        while let Some((next, _)) = self.stamps.get(1)
            && *next <= self.start
        {
            self.stamps.pop_front();
        }
        if self.is_empty() {
            self.stamps = VecDeque::new();
        }
    }

    /// A new link, whose other end has everything before `have`: sends again from there, or from
    /// the first byte that is still kept. A peer that has more than there is, is right: it has
    /// seen what this end forgot, and the stream continues after it. Returns where it continues.
    pub(crate) fn resume(&mut self, have: u64) -> u64 {
        if have > self.end() {
            *self = Outbound {
                acknowledged: self.acknowledged,
                ..Outbound::at(have)
            };
        } else {
            self.sent = have.max(self.start);
        }
        self.sent
    }

    /// Everything before `offset` is done with, sent or not.
    pub(crate) fn advance(&mut self, offset: u64) {
        if offset >= self.end() {
            self.jump(offset);
        } else {
            self.sent = self.sent.max(offset);
            self.acknowledged = self.acknowledged.max(offset);
            self.release(offset.saturating_sub(self.start));
        }
    }

    /// Continues at `offset` and keeps nothing.
    pub(crate) fn jump(&mut self, offset: u64) {
        *self = Outbound::at(offset);
    }

    /// Lets go of the bytes but not of their offsets: whoever needs them gets a gap.
    pub(crate) fn forget(&mut self) {
        self.jump(self.end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(out: &mut Outbound) -> Vec<(u64, u64, Vec<u8>)> {
        std::iter::from_fn(|| out.next(usize::MAX, u64::MAX))
            .map(|piece| (piece.offset, piece.time_ms, piece.bytes.to_vec()))
            .collect()
    }

    #[test]
    fn sends_again_from_where_the_other_end_stands() {
        let mut out = Outbound::default();
        out.push(b"one ", 1);
        out.push(b"two ", 40);
        assert_eq!(
            sent(&mut out),
            [(0, 1, b"one ".to_vec()), (4, 40, b"two ".to_vec())]
        );
        assert_eq!(out.acknowledge(2), Ok(true));
        assert_eq!(out.resume(2), 2);
        assert_eq!(
            sent(&mut out),
            [(2, 1, b"e ".to_vec()), (4, 40, b"two ".to_vec())]
        );
        assert_eq!(out.acknowledge(9), Err(NeverSent));
        assert_eq!(out.resume(0), 2, "the first two are gone");
        assert_eq!(out.resume(20), 20, "the other end has seen more");
        assert_eq!((out.start(), out.end()), (20, 20));
    }

    #[test]
    fn exact_times_when_sent_at_once_coarse_ones_when_waiting() {
        let mut out = Outbound::default();
        out.push(b"a", 1);
        assert_eq!(sent(&mut out), [(0, 1, b"a".to_vec())]);
        out.push(b"b", 2);
        assert_eq!(sent(&mut out), [(1, 2, b"b".to_vec())]);
        out.push(b"c", 3);
        out.push(b"d", 17);
        out.push(b"e", 19);
        assert_eq!(
            sent(&mut out),
            [(2, 3, b"cd".to_vec()), (4, 19, b"e".to_vec())]
        );
    }

    #[test]
    fn stamps_stay_bounded() {
        let mut out = Outbound::default();
        for i in 0..100_000 {
            out.push(b"x", i * 1000);
        }
        assert!(out.stamps.len() <= MAX_STAMPS);
        let pieces = sent(&mut out);
        assert_eq!(pieces.iter().map(|(.., b)| b.len()).sum::<usize>(), 100_000);
        assert!(pieces.is_sorted());
    }
}
