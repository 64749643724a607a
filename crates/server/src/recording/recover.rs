//! What a killed server left: half-written ends are cut off, and the rest is what counts.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom};

use super::RecordingError;
use super::files::{self, Folder};
use super::format;
use super::header::{Header, Opening, Position};
use super::log::Start;
use super::segment::SegmentReader;
use crate::session::Entry;

/// A recording that was not closed, as it is found at a start.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// What it is the recording of.
    pub opening: Opening,
    /// Up to where it goes.
    pub position: Position,
    /// Whether its end was still recorded.
    pub ended: bool,
    /// Bytes that were cut off: no more than a frame, unless something else than a killed server was at
    /// work.
    pub cut: u64,
    /// From where on it continues.
    pub(super) start: Start,
    /// The first of its segments that is not compressed.
    pub(super) plain_from: u32,
}

/// What is found of a recording; `None` if there is nothing of use.
pub(super) fn recover(folder: &Folder) -> Result<Option<Recovered>, RecordingError> {
    let mut cut = 0;
    loop {
        let newest = folder.newest()?;
        if newest == 0 {
            return Ok(None);
        }
        match SegmentReader::open(folder, newest, true) {
            Ok(Some((reader, header))) => {
                return scan(folder, reader, &header, cut).map(Some);
            }
            Ok(None) => {}
            Err(RecordingError::Damaged { .. }) => cut += put_aside(folder, newest)?,
            Err(error) => return Err(error),
        }
    }
}

/// Takes a segment away that did not get as far as its header.
fn put_aside(folder: &Folder, number: u32) -> io::Result<u64> {
    let plain = folder.segment(number);
    let path = if plain.try_exists()? {
        plain
    } else {
        folder.compressed(number)
    };
    let length = fs::metadata(&path)?.len();
    fs::rename(path, folder.cut(number))?;
    Ok(length)
}

fn scan(
    folder: &Folder,
    mut reader: SegmentReader,
    header: &Header,
    mut cut: u64,
) -> Result<Recovered, RecordingError> {
    let mut position = header.position();
    let mut ended = false;
    let broken = loop {
        let at = reader.at();
        match reader.next() {
            Ok(None) => break reader.partial() > 0,
            Ok(Some(frame)) => match format::decode(&frame) {
                Ok(None) => {}
                Ok(Some(entry)) => {
                    position.pass(&entry);
                    ended |= matches!(entry, Entry::End { .. });
                }
                Err(what) => {
                    return Err(RecordingError::Damaged {
                        segment: reader.number(),
                        at,
                        what,
                    });
                }
            },
            Err(RecordingError::Damaged { .. }) => break true,
            Err(error) => return Err(error),
        }
    };
    let number = reader.number();
    if broken && reader.is_plain() {
        cut += cut_off(folder, number, reader.at())?;
    }
    let start = Start {
        opening: header.opening.clone(),
        newest: number,
        previous: reader.hash(),
        position,
    };
    let mut plain_from = number.saturating_add(1);
    while plain_from > 1 && folder.segment(plain_from - 1).try_exists()? {
        plain_from -= 1;
    }
    Ok(Recovered {
        opening: header.opening.clone(),
        position,
        ended,
        cut,
        start,
        plain_from,
    })
}

/// Cuts a segment at a place; what was after it is kept beside it, for whoever wants to know.
fn cut_off(folder: &Folder, number: u32, at: u64) -> io::Result<u64> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(folder.segment(number))?;
    file.seek(SeekFrom::Start(at))?;
    let mut aside: File = files::create(&folder.cut(number), true)?;
    let cut = io::copy(&mut file, &mut aside)?;
    file.set_len(at)?;
    Ok(cut)
}
