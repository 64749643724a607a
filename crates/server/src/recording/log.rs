//! One session's recording as it is written.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Write as _};
use std::ops::Range;
use std::time::Instant;

use bytes::Bytes;

use super::files::{self, Folder};
use super::format::{self, HASH, MAGIC};
use super::header::{Header, Opening, Position};
use super::segment::Hash;
use crate::session::Entry;

/// A segment without a keyframe ends at this size, so that none grows without bound.
const SEGMENT_MAX: u64 = 4 * 1024 * 1024;

/// Pieces given to the system at a time; it takes no more.
const PIECES: usize = 1024;

/// Bytes that are copied rather than given to the system as a piece of their own.
const COPIED: usize = 512;

/// The segment that is being written.
struct Segment {
    number: u32,
    /// Closed while nothing is written, to keep few files open.
    file: Option<File>,
    /// Bytes in it that count.
    length: u64,
    /// Bytes of its beginning, before the first entry.
    begin: u64,
    /// Whether its beginning promises a keyframe.
    keyframe: bool,
    /// Whether there may be more in it than counts.
    torn: bool,
    hash: Hash,
}

impl Segment {
    /// Whether a segment ends before an entry, with so many bytes still on their way into it.
    fn is_whole(&self, keyframe: bool, pending: u64) -> bool {
        let length = self.length + pending;
        let empty = length == self.begin;
        if keyframe {
            !(empty && self.keyframe)
        } else {
            length >= SEGMENT_MAX
        }
    }
}

/// Where the next segment begins.
#[derive(Clone, Debug)]
pub(super) struct Start {
    /// What is recorded.
    pub(super) opening: Opening,
    /// The newest segment there is; 0 for none.
    pub(super) newest: u32,
    /// Its hash.
    pub(super) previous: Option<[u8; HASH]>,
    /// Where it ends.
    pub(super) position: Position,
}

/// A recording that is appended to.
pub(super) struct Log {
    folder: Folder,
    start: Start,
    segment: Option<Segment>,
    /// The segment that was begun last, whether that succeeded or not.
    tried: u32,
    /// Whether everything has to last through a power cut.
    power_loss: bool,
    /// When it was last written to.
    pub(super) used: Instant,
}

/// A part of what is written: a range of the buffer, or bytes of their own.
enum Piece {
    Buffered(Range<usize>),
    Own(Bytes),
}

/// Frames on their way into the file.
#[derive(Default)]
pub(super) struct Frames {
    buffer: Vec<u8>,
    pieces: Vec<Piece>,
    /// Bytes in all.
    length: u64,
}

impl Frames {
    fn clear(&mut self) {
        self.buffer.clear();
        self.pieces.clear();
        self.length = 0;
    }

    fn push(&mut self, entry: &Entry) -> io::Result<()> {
        let start = self.buffer.len();
        let rest = match format::encode(entry, &mut self.buffer) {
            Ok(rest) => rest,
            Err(error) => {
                self.buffer.truncate(start);
                return Err(io::Error::new(io::ErrorKind::InvalidInput, error));
            }
        };
        let own = rest.filter(|rest| {
            let copied = rest.len() <= COPIED;
            if copied {
                self.buffer.extend_from_slice(rest);
            }
            !copied
        });
        let end = self.buffer.len();
        match self.pieces.last_mut() {
            Some(Piece::Buffered(range)) if range.end == start => range.end = end,
            _ => self.pieces.push(Piece::Buffered(start..end)),
        }
        self.length += (end - start) as u64;
        if let Some(own) = own {
            self.length += own.len() as u64;
            self.pieces.push(Piece::Own(own));
        }
        Ok(())
    }

    fn slices(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(|piece| match piece {
            Piece::Buffered(range) => self.buffer.get(range.clone()).unwrap_or_default(),
            Piece::Own(bytes) => bytes,
        })
    }

    fn write(&self, file: &mut File) -> io::Result<()> {
        let slices: Vec<&[u8]> = self.slices().collect();
        for chunk in slices.chunks(PIECES) {
            let mut pieces: Vec<IoSlice<'_>> =
                chunk.iter().map(|bytes| IoSlice::new(bytes)).collect();
            let mut left = pieces.as_mut_slice();
            // Empty pieces are passed over.
            IoSlice::advance_slices(&mut left, 0);
            while !left.is_empty() {
                match file.write_vectored(left) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => IoSlice::advance_slices(&mut left, count),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

impl Log {
    /// A recording that goes on, or begins, at `start`. Nothing is written yet.
    pub(super) fn new(folder: Folder, start: Start, power_loss: bool, now: Instant) -> Self {
        Self {
            folder,
            start,
            segment: None,
            tried: 0,
            power_loss,
            used: now,
        }
    }

    /// Its folder.
    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Whether its file is open.
    pub(super) fn is_open(&self) -> bool {
        self.segment
            .as_ref()
            .is_some_and(|segment| segment.file.is_some())
    }

    /// Closes the file until there is more to write.
    pub(super) fn rest(&mut self) {
        if let Some(segment) = &mut self.segment {
            segment.file = None;
        }
    }

    /// Makes sure that there is a segment to write to.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        if self.segment.is_none() {
            self.begin_segment(false)?;
        }
        Ok(())
    }

    /// Appends as many of these entries as it can, in order, and says how many. `closed` hears of segments
    /// that are whole now.
    pub(super) fn append<'e>(
        &mut self,
        entries: impl Iterator<Item = &'e Entry>,
        frames: &mut Frames,
        mut closed: impl FnMut(&Folder, u32),
    ) -> (usize, io::Result<()>) {
        let mut done = 0;
        let mut pending = 0;
        let mut position = self.start.position;
        frames.clear();
        for entry in entries {
            let keyframe = matches!(entry, Entry::Keyframe { .. });
            let whole = self
                .segment
                .as_ref()
                .is_none_or(|segment| segment.is_whole(keyframe, frames.length));
            if whole {
                if let Err(error) = self.flush(frames, position) {
                    return (done, Err(error));
                }
                done += std::mem::take(&mut pending);
                let whole = self.segment.as_ref().map(|segment| segment.number);
                if let Err(error) = self.begin_segment(keyframe) {
                    return (done, Err(error));
                }
                if let Some(number) = whole {
                    closed(&self.folder, number);
                }
            }
            if let Err(error) = frames.push(entry) {
                let flushed = self.flush(frames, position);
                return (done + pending, flushed.and(Err(error)));
            }
            pending += 1;
            position.pass(entry);
        }
        match self.flush(frames, position) {
            Ok(()) => (done + pending, Ok(())),
            Err(error) => (done, Err(error)),
        }
    }

    /// Writes what is collected; then that is where the recording stands.
    fn flush(&mut self, frames: &mut Frames, position: Position) -> io::Result<()> {
        let written = self.write(frames);
        frames.clear();
        written?;
        self.start.position = position;
        Ok(())
    }

    fn write(&mut self, frames: &Frames) -> io::Result<()> {
        let Some(segment) = self.segment.as_mut().filter(|_| !frames.pieces.is_empty()) else {
            return Ok(());
        };
        let path = self.folder.segment(segment.number);
        let file = match &mut segment.file {
            Some(file) => file,
            closed => closed.insert(OpenOptions::new().append(true).open(path)?),
        };
        if segment.torn {
            if let Err(error) = file.set_len(segment.length) {
                segment.file = None;
                return Err(error);
            }
            segment.torn = false;
        }
        match frames.write(file) {
            Ok(()) => {
                for bytes in frames.slices() {
                    segment.hash.update(bytes);
                }
                segment.length += frames.length;
                Ok(())
            }
            Err(error) => {
                segment.torn = file.set_len(segment.length).is_err();
                // The next try is made on a file that is opened anew.
                segment.file = None;
                Err(error)
            }
        }
    }

    /// Begins the next segment; the one before is whole with that.
    fn begin_segment(&mut self, keyframe: bool) -> io::Result<()> {
        let (newest, previous) = match &self.segment {
            Some(segment) => (segment.number, Some(segment.hash.clone().finish())),
            None => (self.start.newest, self.start.previous),
        };
        let number = newest.checked_add(1).ok_or(io::ErrorKind::FileTooLarge)?;
        let position = self.start.position;
        let header = Header::new(&self.start.opening, number, previous, position, keyframe);
        let mut begin = MAGIC.to_vec();
        begin.extend(header.encode().map_err(io::Error::other)?);
        self.folder.create()?;
        let path = self.folder.segment(number);
        // One that is there already is another's, unless an earlier try left it.
        let mut file = files::create(&path, self.tried == number)?;
        self.tried = number;
        // A header that is not whole is written anew by the next try, or removed at the next start.
        file.write_all(&begin)?;
        if self.power_loss {
            self.sync()?;
            self.folder.sync()?;
        }
        let mut hash = Hash::new();
        hash.update(&begin);
        self.segment = Some(Segment {
            number,
            file: Some(file),
            length: begin.len() as u64,
            begin: begin.len() as u64,
            keyframe,
            torn: false,
            hash,
        });
        self.start.newest = number;
        Ok(())
    }

    /// Makes what is written in the newest segment last through a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        let Some(file) = self
            .segment
            .as_ref()
            .and_then(|segment| segment.file.as_ref())
        else {
            return Ok(());
        };
        file.sync_data()
    }

    /// The newest segment's number, which is whole if nothing more is written; 0 if there is none.
    pub(super) fn newest(&self) -> u32 {
        self.start.newest
    }
}
