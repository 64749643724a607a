//! Whole segments become smaller, when there is time for it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::ops::RangeInclusive;
use std::sync::{Condvar, Mutex, PoisonError};

use super::RecordingError;
use super::files::{self, Folder};
use super::format::MAGIC_COMPRESSED;
use super::segment::SegmentReader;

/// How much effort is made. Beyond this level more time gains little.
const LEVEL: i32 = 3;

/// How far this work stands behind everything else the machine does.
const NICENESS: i32 = 10;

#[derive(Default)]
struct Work {
    /// For each recording, the first and the last segment to be compressed.
    segments: BTreeMap<Folder, RangeInclusive<u32>>,
    removed: Vec<Folder>,
    ending: bool,
}

/// What is to be done to whole segments. One entry for a recording, however many segments wait.
#[derive(Default)]
pub(super) struct Compression {
    work: Mutex<Work>,
    more: Condvar,
}

enum Job {
    Compress(Folder, u32),
    Remove(Folder),
}

impl Compression {
    fn change(&self, change: impl FnOnce(&mut Work)) {
        change(&mut self.work.lock().unwrap_or_else(PoisonError::into_inner));
        self.more.notify_one();
    }

    /// These segments are whole.
    pub(super) fn add(&self, folder: &Folder, segments: RangeInclusive<u32>) {
        if segments.is_empty() {
            return;
        }
        self.change(|work| {
            work.segments
                .entry(folder.clone())
                .and_modify(|waiting| {
                    let first = *waiting.start().min(segments.start());
                    *waiting = first..=*waiting.end().max(segments.end());
                })
                .or_insert(segments);
        });
    }

    /// This recording is not wanted any more.
    pub(super) fn remove(&self, folder: Folder) {
        self.change(|work| {
            work.segments.remove(&folder);
            work.removed.push(folder);
        });
    }

    /// Nothing more is begun. What is left is found again at the next start.
    pub(super) fn end(&self) {
        self.change(|work| work.ending = true);
    }

    fn next(&self) -> Option<Job> {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(folder) = work.removed.pop() {
                return Some(Job::Remove(folder));
            }
            if work.ending {
                return None;
            }
            if let Some((folder, segments)) = work.segments.pop_first() {
                let (first, last) = segments.into_inner();
                if first < last {
                    work.segments.insert(folder.clone(), first + 1..=last);
                }
                return Some(Job::Compress(folder, first));
            }
            work = self.more.wait(work).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Does all of it, until the end.
    pub(super) fn run(&self) {
        // It works as well without.
        let _ = rustix::process::nice(NICENESS);
        while let Some(job) = self.next() {
            let done = match &job {
                Job::Compress(folder, number) => compress(folder, *number),
                Job::Remove(folder) => folder.remove().map_err(RecordingError::Io),
            };
            if let Err(error) = done {
                // What is not compressed stays as it is, and readable.
                tracing::warn!(%error, "a recording's segment could not be compressed or removed");
            }
        }
    }
}

/// Puts the compressed form of a segment in its place.
pub(super) fn compress(folder: &Folder, number: u32) -> Result<(), RecordingError> {
    let plain = folder.segment(number);
    let Some((mut reader, header)) = SegmentReader::open(folder, number, false)? else {
        return Ok(());
    };
    if !reader.is_plain() {
        return Ok(());
    }
    let unfinished = folder.unfinished(number);
    let file = write(
        &mut reader,
        &header.encode()?,
        files::create(&unfinished, true)?,
    )?;
    if reader.partial() > 0 {
        fs::remove_file(unfinished)?;
        return Err(reader.damaged(super::format::FormatError::Length));
    }
    // The other form goes; so this one has to be there whatever happens next.
    file.sync_data()?;
    fs::rename(unfinished, folder.compressed(number))?;
    fs::remove_file(plain)?;
    Ok(())
}

fn write(
    reader: &mut SegmentReader,
    header: &[u8],
    mut file: File,
) -> Result<File, RecordingError> {
    file.write_all(&MAGIC_COMPRESSED)?;
    file.write_all(header)?;
    let mut encoder = zstd::Encoder::new(BufWriter::new(file), LEVEL)?;
    encoder.include_checksum(true)?;
    while let Some(frame) = reader.next()? {
        let (head, payload) = frame.without_check();
        encoder.write_all(&head)?;
        encoder.write_all(payload)?;
    }
    let file = encoder.finish()?.into_inner().map_err(io::Error::from)?;
    Ok(file)
}
