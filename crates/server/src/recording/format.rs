//! Entries as bytes: docs/recording-format.md says the same in words.
//!
//! A segment is a magic word and frames. A frame is its payload's length (u32), its kind (u8), a CRC-32 of
//! both and the payload (u32), and the payload; numbers are little-endian. The first frame is the header.

use bytes::Bytes;
use longwire_protocol::shell::{Ended, Winsize};
use serde::{Deserialize, Serialize};

use super::words::{EndWords, Words};
use crate::session::Entry;

/// What a segment as it is written begins with.
pub(super) const MAGIC: [u8; 8] = *b"LWREC\x01\r\n";

/// What a compressed segment begins with.
pub(super) const MAGIC_COMPRESSED: [u8; 8] = *b"LWRCZ\x01\r\n";

/// Bytes of a frame before its payload.
pub(super) const FRAME_HEAD: usize = 9;

/// The longest payload: the largest message there is (8 MiB) and what stands before it.
pub(super) const MAX_PAYLOAD: usize = 8 * 1024 * 1024 + 64;

/// Bytes of a SHA-256.
pub(super) const HASH: usize = 32;

/// Stands for a gap whose length nobody knows.
const UNKNOWN: u64 = u64::MAX;

/// The kinds of frames. A reader passes over those it does not know.
mod kind {
    pub(super) const HEADER: u8 = 0;
    pub(super) const OUTPUT: u8 = 1;
    pub(super) const RESIZED: u8 = 2;
    pub(super) const KEYFRAME: u8 = 3;
    pub(super) const GAP: u8 = 4;
    pub(super) const MARKER: u8 = 5;
    pub(super) const END: u8 = 6;
}

/// Why bytes are no frame, or not the one expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The file begins with something else.
    #[error("not a segment of a recording")]
    Magic,
    /// A header of a later version, or none.
    #[error("the header is not understood")]
    Header,
    /// A frame's length is impossible.
    #[error("a frame of impossible length")]
    Length,
    /// A frame's check is wrong.
    #[error("a frame that was altered")]
    Check,
    /// A frame's content is not what its kind says.
    #[error("a frame that is not understood")]
    Payload,
    /// The compressed form is broken.
    #[error("compressed data that is not understood")]
    Compressed,
}

/// A frame whose length and check are right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RawFrame {
    kind: u8,
    payload: Bytes,
}

impl RawFrame {
    /// A header with this payload.
    pub(super) fn header(payload: Bytes) -> Self {
        Self {
            kind: kind::HEADER,
            payload,
        }
    }

    /// The payload of a header.
    pub(super) fn as_header(&self) -> Option<&[u8]> {
        (self.kind == kind::HEADER).then_some(&*self.payload)
    }

    /// All its bytes.
    pub(super) fn encode(&self) -> Result<Vec<u8>, FormatError> {
        let mut frame = vec![0; FRAME_HEAD];
        frame.extend_from_slice(&self.payload);
        finish(&mut frame, 0, self.kind, &[])?;
        Ok(frame)
    }

    /// Head and payload, with no check.
    pub(super) fn without_check(&self) -> ([u8; FRAME_HEAD], &[u8]) {
        let head = FrameHead {
            length: self.payload.len(),
            kind: self.kind,
            check: 0,
        };
        (head.encode(), &self.payload)
    }
}

/// Makes the bytes from `start` on (a place for the head, then a payload) a frame whose payload goes on
/// with `rest`.
fn finish(frames: &mut [u8], start: usize, kind: u8, rest: &[u8]) -> Result<(), FormatError> {
    let (head, payload) = frames
        .get_mut(start..)
        .and_then(<[u8]>::split_first_chunk_mut::<FRAME_HEAD>)
        .ok_or(FormatError::Length)?;
    let length = payload.len() + rest.len();
    if length > MAX_PAYLOAD {
        return Err(FormatError::Length);
    }
    let mut check = FrameHead::check(length, kind);
    check.update(payload);
    check.update(rest);
    *head = FrameHead {
        length,
        kind,
        check: check.finalize(),
    }
    .encode();
    Ok(())
}

/// Lengths are at most [`MAX_PAYLOAD`].
fn length_bytes(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

/// A frame's length, kind and check.
#[derive(Clone, Copy)]
pub(super) struct FrameHead {
    /// Bytes of the payload.
    pub(super) length: usize,
    kind: u8,
    check: u32,
}

impl FrameHead {
    pub(super) fn decode(head: &[u8; FRAME_HEAD]) -> Result<Self, FormatError> {
        let [a, b, c, d, kind, e, f, g, h] = *head;
        let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if length > MAX_PAYLOAD {
            return Err(FormatError::Length);
        }
        Ok(Self {
            length,
            kind,
            check: u32::from_le_bytes([e, f, g, h]),
        })
    }

    pub(super) fn encode(&self) -> [u8; FRAME_HEAD] {
        let [a, b, c, d] = length_bytes(self.length);
        let [e, f, g, h] = self.check.to_le_bytes();
        [a, b, c, d, self.kind, e, f, g, h]
    }

    /// Begins the check of a frame; its payload comes next.
    fn check(length: usize, kind: u8) -> crc32fast::Hasher {
        let mut check = crc32fast::Hasher::new();
        check.update(&length_bytes(length));
        check.update(&[kind]);
        check
    }

    /// The same with the check that fits this payload.
    pub(super) fn checked(self, payload: &[u8]) -> Self {
        let mut check = Self::check(self.length, self.kind);
        check.update(payload);
        Self {
            check: check.finalize(),
            ..self
        }
    }

    /// The frame, if the payload is the one that was written.
    pub(super) fn frame(self, payload: Bytes) -> Result<RawFrame, FormatError> {
        if payload.len() == self.length && self.checked(&payload).check == self.check {
            Ok(RawFrame {
                kind: self.kind,
                payload,
            })
        } else {
            Err(FormatError::Check)
        }
    }
}

/// Appends an entry's frame, except for what is already there as bytes of its own, which is returned and
/// has to follow.
pub(super) fn encode(entry: &Entry, into: &mut Vec<u8>) -> Result<Option<Bytes>, FormatError> {
    let start = into.len();
    into.extend_from_slice(&[0; FRAME_HEAD]);
    into.extend_from_slice(&entry.offset().to_le_bytes());
    into.extend_from_slice(&entry.time_ms().to_le_bytes());
    let (kind, rest) = match entry {
        Entry::Output { bytes, .. } => (kind::OUTPUT, Some(bytes)),
        Entry::Resized { size, .. } => {
            put_size(into, *size);
            (kind::RESIZED, None)
        }
        Entry::Keyframe { size, screen, .. } => {
            put_size(into, *size);
            (kind::KEYFRAME, Some(screen))
        }
        Entry::Gap { to, .. } => {
            into.extend_from_slice(&to.unwrap_or(UNKNOWN).to_le_bytes());
            (kind::GAP, None)
        }
        Entry::Marker { marker, .. } => {
            put_json(into, &Words::from(marker))?;
            (kind::MARKER, None)
        }
        Entry::End {
            reason,
            exit_status,
            text,
            ..
        } => {
            let words = EndWords {
                reason: reason.map(|reason| reason.as_str().to_owned()),
                exit_status: *exit_status,
                text: text.clone(),
            };
            put_json(into, &words)?;
            (kind::END, None)
        }
    };
    finish(into, start, kind, rest.map_or(&[][..], |bytes| bytes))?;
    Ok(rest.cloned())
}

fn put_size(into: &mut Vec<u8>, size: Winsize) {
    into.extend_from_slice(&size.rows.to_le_bytes());
    into.extend_from_slice(&size.cols.to_le_bytes());
}

fn put_json(into: &mut Vec<u8>, words: &impl Serialize) -> Result<(), FormatError> {
    serde_json::to_writer(into, words).map_err(|_| FormatError::Payload)
}

/// Takes numbers from the front of a payload.
struct Payload(Bytes);

impl Payload {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let taken = *self.0.first_chunk::<N>().ok_or(FormatError::Payload)?;
        bytes::Buf::advance(&mut self.0, N);
        Ok(taken)
    }

    fn u64(&mut self) -> Result<u64, FormatError> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    fn size(&mut self) -> Result<Winsize, FormatError> {
        let (rows, cols) = (self.take()?, self.take()?);
        Winsize::new(u16::from_le_bytes(rows), u16::from_le_bytes(cols)).ok_or(FormatError::Payload)
    }

    fn json<'de, T: Deserialize<'de>>(&'de self) -> Result<T, FormatError> {
        serde_json::from_slice(&self.0).map_err(|_| FormatError::Payload)
    }
}

/// The entry in a frame; `None` for a header and for what a later version added.
pub(super) fn decode(frame: &RawFrame) -> Result<Option<Entry>, FormatError> {
    if !(kind::OUTPUT..=kind::END).contains(&frame.kind) {
        return Ok(None);
    }
    let mut payload = Payload(frame.payload.clone());
    let (offset, time_ms) = (payload.u64()?, payload.u64()?);
    let entry = match frame.kind {
        kind::OUTPUT => Entry::Output {
            offset,
            time_ms,
            bytes: payload.0,
        },
        kind::RESIZED => Entry::Resized {
            offset,
            time_ms,
            size: payload.size()?,
        },
        kind::KEYFRAME => Entry::Keyframe {
            offset,
            time_ms,
            size: payload.size()?,
            screen: payload.0,
        },
        kind::GAP => {
            let to = payload.u64()?;
            Entry::Gap {
                offset,
                time_ms,
                to: (to != UNKNOWN).then_some(to),
            }
        }
        kind::MARKER => {
            // A marker of a later version is whole, and nothing here can be said of it.
            let Ok(words) = payload.json::<Words>() else {
                return Ok(None);
            };
            Entry::Marker {
                offset,
                time_ms,
                marker: words.into(),
            }
        }
        kind::END => {
            let words: EndWords = payload.json()?;
            Entry::End {
                offset,
                time_ms,
                reason: words.reason.as_deref().and_then(Ended::from_word),
                exit_status: words.exit_status,
                text: words.text,
            }
        }
        _ => return Ok(None),
    };
    Ok(Some(entry))
}
