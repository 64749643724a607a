//! Reading a recording back, from any place in it, in constant memory.

use bytes::Bytes;

use super::RecordingError;
use super::files::Folder;
use super::format::{self, FormatError};
use super::header::Header;
use super::segment::SegmentReader;
use crate::session::Entry;

/// Further on than this a place is looked for; up to there it is read to.
const SEEK_BEYOND: u64 = 8 * 1024 * 1024;

/// The entries of a recording, in order.
///
/// Ends where the recording does; of one that is still written, a later call may find more. After an
/// error there is nothing more: what comes after a damaged place cannot be trusted.
pub struct Entries {
    folder: Folder,
    /// The segment that is read; `None` before the first is there.
    reader: Option<SegmentReader>,
    /// The number of the next one.
    next: u32,
    failed: bool,
}

impl Entries {
    pub(super) fn new(folder: Folder) -> Self {
        Self::from_segment(folder, 1)
    }

    fn from_segment(folder: Folder, segment: u32) -> Self {
        Self {
            folder,
            reader: None,
            next: segment,
            failed: false,
        }
    }

    /// The entries from the newest keyframe on that has at least `back` bytes of output before `end`, or
    /// from the beginning.
    pub(super) fn from_keyframe(
        folder: Folder,
        end: u64,
        back: u64,
    ) -> Result<Self, RecordingError> {
        let newest = folder.newest()?;
        for number in (2..=newest).rev() {
            let header = header(&folder, number)?;
            if header
                .is_some_and(|header| header.keyframe && end.saturating_sub(header.offset) >= back)
            {
                return Ok(Self::from_segment(folder, number));
            }
        }
        Ok(Self::new(folder))
    }

    /// The entries from the segment on in which the output at `offset` is.
    pub(super) fn from_offset(folder: Folder, offset: u64) -> Result<Self, RecordingError> {
        let (mut low, mut high) = (1, folder.newest()?);
        // The newest segment that begins before the offset.
        while low < high {
            let between = low + (high - low).div_ceil(2);
            match header(&folder, between)? {
                Some(header) if header.offset <= offset => low = between,
                Some(_) | None => high = between - 1,
            }
        }
        Ok(Self::from_segment(folder, low))
    }

    fn read(&mut self) -> Result<Option<Entry>, RecordingError> {
        // Whether the segment that is read was seen to be whole, because there is a next one.
        let mut whole = false;
        loop {
            let Some(reader) = &mut self.reader else {
                self.reader = self.open_next()?;
                if self.reader.is_none() {
                    return Ok(None);
                }
                whole = false;
                continue;
            };
            if let Some(frame) = reader.next()? {
                let entry = format::decode(&frame).map_err(|what| reader.damaged(what))?;
                if entry.is_some() {
                    return Ok(entry);
                }
            } else if whole {
                if reader.partial() > 0 {
                    return Err(reader.damaged(FormatError::Length));
                }
                self.reader = None;
            } else if self.folder.has(self.next)? {
                // What was written between the two questions still comes.
                whole = true;
            } else {
                return Ok(None);
            }
        }
    }

    fn open_next(&mut self) -> Result<Option<SegmentReader>, RecordingError> {
        match SegmentReader::open(&self.folder, self.next, false) {
            Ok(Some((reader, _))) => {
                self.next = self.next.saturating_add(1);
                Ok(Some(reader))
            }
            Ok(None) => Ok(None),
            // Its header is being written at this moment.
            Err(RecordingError::Damaged { at: 0, .. })
                if !self.folder.has(self.next.saturating_add(1))? =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

impl Iterator for Entries {
    type Item = Result<Entry, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let read = self.read();
        self.failed = read.is_err();
        read.transpose()
    }
}

fn header(folder: &Folder, number: u32) -> Result<Option<Header>, RecordingError> {
    Ok(SegmentReader::open(folder, number, false)?.map(|(_, header)| header))
}

/// Output read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadBack {
    /// The bytes at the offset that was asked for; none if there are no more yet.
    Bytes(Bytes),
    /// There is nothing at that offset, but at this one: what is between was lost.
    Gap {
        /// Where output goes on.
        to: u64,
    },
}

/// Reads output by its offset. Reading on where the last read ended is cheap; so whoever follows a
/// recording has one of its own.
pub struct OutputReader {
    folder: Folder,
    entries: Option<Entries>,
    /// Output that was read from the file but not asked for yet, and its offset.
    left: Bytes,
    at: u64,
}

impl OutputReader {
    pub(super) fn new(folder: Folder) -> Self {
        Self {
            folder,
            entries: None,
            left: Bytes::new(),
            at: 0,
        }
    }

    /// At most `max` bytes from the offset on.
    ///
    /// # Errors
    /// When the files cannot be read, or are damaged there.
    pub fn read(&mut self, from: u64, max: usize) -> Result<ReadBack, RecordingError> {
        let read = self.find(from, max);
        if read.is_err() {
            self.entries = None;
        }
        read
    }

    fn find(&mut self, from: u64, max: usize) -> Result<ReadBack, RecordingError> {
        let read_to = self.at.saturating_add(self.left.len() as u64);
        if self.entries.is_none() || from < self.at || from > read_to.saturating_add(SEEK_BEYOND) {
            self.entries = Some(Entries::from_offset(self.folder.clone(), from)?);
            self.left = Bytes::new();
            self.at = 0;
        }
        loop {
            let end = self.at.saturating_add(self.left.len() as u64);
            if from < self.at && !self.left.is_empty() {
                return Ok(ReadBack::Gap { to: self.at });
            }
            if from < end {
                let skipped = usize::try_from(from.saturating_sub(self.at)).unwrap_or(usize::MAX);
                drop(self.left.split_to(skipped.min(self.left.len())));
                let taken = self.left.split_to(max.min(self.left.len()));
                self.at = from.saturating_add(taken.len() as u64);
                return Ok(ReadBack::Bytes(taken));
            }
            match self.entries.as_mut().and_then(Iterator::next).transpose()? {
                Some(Entry::Output { offset, bytes, .. }) => {
                    self.at = offset;
                    self.left = bytes;
                }
                Some(Entry::Gap {
                    offset,
                    to: Some(to),
                    ..
                }) if (offset..to).contains(&from) => return Ok(ReadBack::Gap { to }),
                Some(_) => {}
                None => return Ok(ReadBack::Bytes(Bytes::new())),
            }
        }
    }
}
