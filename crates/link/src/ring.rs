//! Bytes in order, in blocks that are taken on demand and given back as they empty.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// All blocks but the last are full, so that a position is found by division.
pub(crate) const BLOCK: usize = 16 * 1024;

#[derive(Default, Debug)]
pub(crate) struct Ring {
    blocks: VecDeque<Vec<u8>>,
    /// Bytes at the front of the first block that are gone already.
    gone: usize,
    len: usize,
}

impl Ring {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Memory taken for bytes, used or not.
    pub(crate) fn memory(&self) -> usize {
        self.blocks.iter().map(Vec::capacity).sum()
    }

    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        self.len += bytes.len();
        while !bytes.is_empty() {
            let space = self.blocks.back().map_or(0, |block| BLOCK - block.len());
            let (now, later) = bytes.split_at(space.min(bytes.len()));
            if let Some(block) = self.blocks.back_mut() {
                // A block grows with its content but never beyond its size.
                if block.capacity() - block.len() < now.len() {
                    let wanted = (block.len() + now.len()).next_power_of_two().min(BLOCK);
                    block.reserve_exact(wanted - block.len());
                }
                block.extend_from_slice(now);
            }
            bytes = later;
            if !bytes.is_empty() {
                self.blocks.push_back(Vec::new());
            }
        }
    }

    /// Lets the first `count` bytes go.
    pub(crate) fn discard(&mut self, count: usize) {
        let count = count.min(self.len);
        self.len -= count;
        if self.len == 0 {
            self.clear();
            return;
        }
        self.gone += count;
        while self.gone >= BLOCK {
            self.blocks.pop_front();
            self.gone -= BLOCK;
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Ring::default();
    }

    /// The bytes at the front that lie in one piece.
    pub(crate) fn front(&self) -> &[u8] {
        self.blocks
            .front()
            .and_then(|block| block.get(self.gone..))
            .unwrap_or_default()
    }

    /// A copy of up to `max` bytes from position `at` on.
    pub(crate) fn copy(&self, at: usize, max: usize) -> Bytes {
        let count = max.min(self.len.saturating_sub(at));
        let mut out = BytesMut::with_capacity(count);
        let mut position = self.gone + at;
        while out.len() < count {
            let Some(block) = self.blocks.get(position / BLOCK) else {
                break;
            };
            let rest = block.get(position % BLOCK..).unwrap_or_default();
            let taken = rest.get(..count - out.len()).unwrap_or(rest);
            if taken.is_empty() {
                break;
            }
            out.extend_from_slice(taken);
            position += taken.len();
        }
        out.freeze()
    }

    /// The position of the last byte that is one of `wanted`.
    pub(crate) fn rfind(&self, wanted: &[u8]) -> Option<usize> {
        let mut end = self.gone + self.len;
        for (index, block) in self.blocks.iter().enumerate().rev() {
            let first = if index == 0 { self.gone } else { 0 };
            let bytes = block.get(first..).unwrap_or_default();
            if let Some(at) = bytes.iter().rposition(|byte| wanted.contains(byte)) {
                return Some(end - bytes.len() + at - self.gone);
            }
            end -= bytes.len();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_bytes_in_order_over_many_blocks() {
        let mut ring = Ring::default();
        let bytes: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
        let (mut pushed, mut gone) = (0, 0);
        for size in (1..).map(|i| (i * 7919) % 5000) {
            let end = (pushed + size).min(bytes.len());
            ring.push(&bytes[pushed..end]);
            pushed = end;
            let count = ring.len() / 3;
            assert_eq!(ring.copy(0, count), bytes[gone..gone + count]);
            assert_eq!(ring.copy(count, 777), {
                let from = gone + count;
                bytes[from..(from + 777).min(pushed)].to_vec()
            });
            assert!(bytes[gone..].starts_with(ring.front()));
            ring.discard(count);
            gone += count;
            if pushed == bytes.len() {
                break;
            }
        }
        assert_eq!(ring.copy(0, usize::MAX), bytes[gone..]);
    }

    #[test]
    fn gives_memory_back() {
        let mut ring = Ring::default();
        ring.push(b"$ ");
        assert!(ring.memory() <= 64, "a prompt takes {}", ring.memory());
        ring.push(&[0; 10 * BLOCK]);
        assert!(ring.memory() <= 11 * BLOCK);
        ring.discard(9 * BLOCK);
        assert!(ring.memory() <= 3 * BLOCK);
        ring.discard(BLOCK + 2);
        assert_eq!((ring.len(), ring.memory()), (0, 0));
    }

    #[test]
    fn finds_the_last_of_some_bytes() {
        let mut ring = Ring::default();
        assert_eq!(ring.rfind(&[3]), None);
        ring.push(&[0; BLOCK]);
        ring.push(b"ab\x03cd");
        ring.discard(100);
        assert_eq!(ring.rfind(&[3]), Some(BLOCK - 100 + 2));
        ring.discard(BLOCK);
        assert_eq!(ring.rfind(&[3]), None);
    }
}
