//! The output of one session at the shell end: bytes, and what happens at an offset among them.

use std::collections::VecDeque;

use bytes::Bytes;
use longwire_protocol::shell::Winsize;

use super::SMALLEST;
use crate::limits::{MAX_SIZES, MESSAGE_COST};
use crate::outbound::{NeverSent, Outbound};
use crate::wire::ToUser;

#[derive(Debug, Default)]
pub(crate) struct Output {
    bytes: Outbound,
    /// Sizes that took effect at or after the start of what is kept, in order.
    sizes: VecDeque<Sized>,
    /// How many of `sizes` were sent on this link.
    sizes_sent: usize,
    /// A screen that stands for everything before the bytes kept, not sent yet.
    screen: Option<(Option<Winsize>, Bytes)>,
    /// Where output had come before a screen that goes back: acknowledgements up to there may still
    /// be under way.
    went_back_from: u64,
}

#[derive(Debug)]
struct Sized {
    offset: u64,
    time_ms: u64,
    size: Winsize,
}

impl Output {
    pub(crate) fn at(offset: u64) -> Self {
        Output {
            bytes: Outbound::at(offset),
            ..Output::default()
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn end(&self) -> u64 {
        self.bytes.end()
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.bytes.acknowledged()
    }

    pub(crate) fn memory(&self) -> usize {
        self.bytes.memory()
            + self.sizes.capacity() * size_of::<Sized>()
            + self.screen.as_ref().map_or(0, |(_, bytes)| bytes.len())
    }

    pub(crate) fn push(&mut self, bytes: &[u8], time_ms: u64) {
        self.bytes.push(bytes, time_ms);
    }

    /// The size takes effect after the last byte pushed. Of several at one offset only the last
    /// counts; when there are too many, the newest gives way.
    pub(crate) fn resized(&mut self, size: Winsize, time_ms: u64) {
        let offset = self.end();
        let replace = self.sizes.len() >= MAX_SIZES
            || self.sizes.back().is_some_and(|last| last.offset == offset);
        if replace {
            self.sizes.pop_back();
            self.sizes_sent = self.sizes_sent.min(self.sizes.len());
        }
        self.sizes.push_back(Sized {
            offset,
            time_ms,
            size,
        });
    }

    /// Drops what is kept: the stream continues at `offset`, and this screen is what the bytes
    /// before it make.
    pub(crate) fn show(&mut self, offset: u64, size: Option<Winsize>, screen: Bytes) {
        self.went_back_from = self.went_back_from.max(self.bytes.sent());
        self.bytes.jump(offset);
        self.sizes.clear();
        self.sizes_sent = 0;
        self.screen = Some((size, screen));
    }

    pub(crate) fn acknowledge(&mut self, offset: u64) -> Result<bool, NeverSent> {
        if offset > self.bytes.sent() && offset <= self.went_back_from {
            return Ok(false);
        }
        let news = self.bytes.acknowledge(offset)?;
        // One size at the start stays until something follows it: an offset alone does not say
        // whether it has arrived.
        while let Some(next) = self.sizes.get(1)
            && next.offset <= offset
        {
            self.sizes.pop_front();
            self.sizes_sent = self.sizes_sent.saturating_sub(1);
        }
        Ok(news)
    }

    /// A new link. Returns where output continues.
    pub(crate) fn resume(&mut self, have: u64) -> u64 {
        let from = self.bytes.resume(have);
        // The last size before the start is said again: it is the state from which to go on.
        let before = self.sizes.partition_point(|sized| sized.offset < from);
        self.sizes_sent = before.saturating_sub(1);
        from
    }

    /// Lets go of the bytes but not of their offsets.
    pub(crate) fn forget(&mut self) {
        self.bytes.forget();
    }

    /// Whether everything was sent on this link.
    pub(crate) fn all_sent(&self) -> bool {
        self.bytes.sent() == self.end()
            && self.sizes_sent == self.sizes.len()
            && self.screen.is_none()
    }

    /// What comes next. `room` are the counted bytes that may be sent on the link, `window` what the
    /// peer takes beyond its last acknowledgement.
    pub(crate) fn next(&mut self, room: u64, window: u64) -> Option<ToUser> {
        if self.screen.is_some() && room > 0 {
            let (size, bytes) = self.screen.take()?;
            return Some(ToUser::Screen {
                offset: self.bytes.start(),
                size,
                bytes,
            });
        }
        if self.screen.is_some() {
            return None;
        }
        let sized = self.sizes.get(self.sizes_sent);
        if let Some(sized) = sized
            && sized.offset <= self.bytes.sent()
        {
            self.sizes_sent += 1;
            return Some(ToUser::Resized {
                offset: sized.offset,
                time_ms: sized.time_ms,
                size: sized.size,
            });
        }
        if room == 0 {
            return None;
        }
        let before = sized.map_or(u64::MAX, |sized| sized.offset);
        let window_end = self.bytes.acknowledged().saturating_add(window);
        // Rather a little too much under way than a trickle of tiny messages.
        let limit = room.saturating_sub(MESSAGE_COST).max(SMALLEST);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let piece = self.bytes.next(limit, before.min(window_end))?;
        Some(ToUser::Output {
            offset: piece.offset,
            time_ms: piece.time_ms,
            bytes: piece.bytes,
        })
    }
}
