//! The newest output of a session, for viewers who take it in their own time.

use std::collections::VecDeque;

use longwire_protocol::shell::Winsize;

/// Output that is kept for viewers. One who is further behind gets the screen, or what the journal has.
pub const TAIL_BYTES_MAX: usize = 1024 * 1024;

/// Stamps and sizes that are kept; beyond, the oldest give way.
const MARKS_MAX: usize = 1024;

/// Output is stamped no finer than this.
const GRAIN_MS: u64 = 16;

/// The last [`TAIL_BYTES_MAX`] bytes of a session's output, and which size held where.
#[derive(Debug, Default)]
pub(super) struct Tail {
    bytes: VecDeque<u8>,
    /// Offset of the first byte kept.
    start: u64,
    /// From which offset on output was read when, oldest first; the first says it for the start.
    stamps: VecDeque<(u64, u64)>,
    /// From which offset on the terminal had which size, oldest first; the first says it for the start.
    sizes: VecDeque<(u64, u64, Winsize)>,
}

/// A size, and from which offset on.
pub(super) type Sized = (u64, Winsize);

/// What comes next for somebody who has everything before an offset.
#[derive(Debug, PartialEq)]
pub(super) enum Next<'a> {
    /// Output, read at this time.
    Output { bytes: &'a [u8], time_ms: u64 },
    /// Another size, at this time.
    Size { size: Sized, time_ms: u64 },
    /// There is no more.
    End,
    /// That is not kept any more, or never will be.
    Missing,
}

impl Tail {
    /// A tail whose output begins at an offset.
    pub(super) fn at(offset: u64) -> Self {
        Self {
            start: offset,
            ..Self::default()
        }
    }

    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// Where output goes on.
    pub(super) fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    pub(super) fn push(&mut self, bytes: &[u8], time_ms: u64) {
        let end = self.end();
        let known = self.stamps.back().map(|(_, at)| *at);
        if known.is_none_or(|at| at + GRAIN_MS <= time_ms) {
            if self.stamps.len() == MARKS_MAX {
                self.stamps.pop_front();
            }
            self.stamps.push_back((end, time_ms));
        }
        let kept = bytes.len().min(TAIL_BYTES_MAX);
        let surplus = (self.bytes.len() + bytes.len()).saturating_sub(TAIL_BYTES_MAX);
        self.bytes.drain(..surplus.min(self.bytes.len()));
        let skipped = bytes.len() - kept;
        self.bytes.extend(bytes.get(skipped..).unwrap_or_default());
        self.start = end + bytes.len() as u64 - self.bytes.len() as u64;
        self.trim();
    }

    /// The terminal has had this size since the last byte.
    pub(super) fn resized(&mut self, size: Winsize, time_ms: u64) {
        let end = self.end();
        if self.sizes.back().is_some_and(|(at, ..)| *at == end) || self.sizes.len() == MARKS_MAX {
            self.sizes.pop_back();
        }
        self.sizes.push_back((end, time_ms, size));
    }

    /// Output goes on at another offset: what comes before is gone.
    pub(super) fn jump(&mut self, offset: u64) {
        self.bytes.clear();
        self.start = offset;
        self.stamps.clear();
        self.trim();
    }

    fn trim(&mut self) {
        let start = self.start;
        while self.stamps.get(1).is_some_and(|(at, _)| *at <= start) {
            self.stamps.pop_front();
        }
        while self.sizes.get(1).is_some_and(|(at, ..)| *at <= start) {
            self.sizes.pop_front();
        }
    }

    /// The size that output at `offset` was written for.
    pub(super) fn size_at(&self, offset: u64) -> Option<(Winsize, u64)> {
        let before = self.sizes.partition_point(|(at, ..)| *at <= offset);
        let index = before.saturating_sub(1);
        self.sizes.get(index).map(|(_, time, size)| (*size, *time))
    }

    /// What follows `offset`; `sized` is the last size that the one who asks knows of.
    pub(super) fn next(&self, offset: u64, sized: Option<Sized>, max: usize) -> Next<'_> {
        if offset < self.start || offset > self.end() {
            return Next::Missing;
        }
        let unknown = |(at, _, size): &&(u64, u64, Winsize)| {
            sized.is_none_or(|(known, last)| *at > known || (*at == known && *size != last))
        };
        let size = self.sizes.iter().find(unknown);
        if let Some((at, time_ms, size)) = size
            && *at <= offset
        {
            return Next::Size {
                size: (*at, *size),
                time_ms: *time_ms,
            };
        }
        let next_stamp = self.stamps.partition_point(|(at, _)| *at <= offset);
        let until_stamp = self.stamps.get(next_stamp).map(|(at, _)| *at);
        let until = size
            .map(|(at, ..)| *at)
            .into_iter()
            .chain(until_stamp)
            .fold(self.end(), u64::min);
        let count = usize::try_from(until - offset).unwrap_or(usize::MAX);
        let bytes = self.read(offset, count.min(max)).unwrap_or_default();
        if bytes.is_empty() {
            return Next::End;
        }
        let time_ms = self
            .stamps
            .get(next_stamp.saturating_sub(1))
            .map_or(0, |(_, at)| *at);
        Next::Output { bytes, time_ms }
    }

    /// Up to `max` bytes from `offset` on, as far as they lie in one piece; `None` if they are not kept.
    pub(super) fn read(&self, offset: u64, max: usize) -> Option<&[u8]> {
        let from = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        if from > self.bytes.len() {
            return None;
        }
        let (front, back) = self.bytes.as_slices();
        let piece = match front.get(from..) {
            Some(piece) if !piece.is_empty() => piece,
            Some(_) | None => back.get(from - front.len()..).unwrap_or_default(),
        };
        Some(piece.get(..max).unwrap_or(piece))
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity()
            + self.stamps.capacity() * size_of::<(u64, u64)>()
            + self.sizes.capacity() * size_of::<(u64, u64, Winsize)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tail: &Tail, mut offset: u64, max: usize) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        let mut sized = None;
        loop {
            match tail.next(offset, sized, max) {
                Next::Output { bytes, .. } => {
                    assert!(!bytes.is_empty() && bytes.len() <= max);
                    offset += bytes.len() as u64;
                    all.extend_from_slice(bytes);
                }
                Next::Size { size, .. } => sized = Some(size),
                Next::End => return Some(all),
                Next::Missing => return None,
            }
        }
    }

    #[test]
    fn keeps_the_newest_and_says_what_is_missing() {
        let mut tail = Tail::at(7);
        let output: Vec<u8> = (0..3_000_000_u32).map(|i| (i / 251) as u8).collect();
        for (at, part) in output.chunks(10_001).enumerate() {
            tail.push(part, at as u64 * 5);
        }
        assert_eq!(tail.end(), 7 + output.len() as u64);
        assert_eq!(tail.start(), tail.end() - TAIL_BYTES_MAX as u64);
        let kept = output.get(output.len() - TAIL_BYTES_MAX..).unwrap();
        assert_eq!(read(&tail, tail.start(), 4096).as_deref(), Some(kept));
        assert_eq!(read(&tail, tail.start() - 1, 4096), None);
        assert!(tail.memory() < 3 * TAIL_BYTES_MAX);
    }

    #[test]
    fn sizes_come_where_they_took_effect() {
        let size = |rows| Winsize::new(rows, 80).unwrap();
        let mut tail = Tail::at(0);
        tail.resized(size(24), 0);
        tail.push(b"one", 1);
        tail.resized(size(25), 2);
        tail.resized(size(26), 2);
        tail.push(b"two", 50);
        let told = |offset, sized| tail.next(offset, sized, 100);
        let (first, last) = ((0, size(24)), (3, size(26)));
        let (time_ms, size_at) = (0, first);
        assert_eq!(
            told(0, None),
            Next::Size {
                size: size_at,
                time_ms
            }
        );
        let (time_ms, bytes) = (1, &b"one"[..]);
        assert_eq!(told(0, Some(first)), Next::Output { bytes, time_ms });
        let (time_ms, size_at) = (2, last);
        assert_eq!(
            told(3, Some(first)),
            Next::Size {
                size: size_at,
                time_ms
            }
        );
        assert_eq!(
            told(3, Some((3, size(25)))),
            Next::Size {
                size: size_at,
                time_ms
            }
        );
        let (time_ms, bytes) = (50, &b"two"[..]);
        assert_eq!(told(3, Some(last)), Next::Output { bytes, time_ms });
        assert_eq!(told(6, Some(last)), Next::End);
        assert_eq!(tail.size_at(2), Some((size(24), 0)));
        assert_eq!(tail.size_at(3), Some((size(26), 2)));
    }
}
