//! Reading one segment, in either form, frame by frame.

use std::fs::File;
use std::io::{self, BufReader, Read};

use bytes::{Bytes, BytesMut};
use ring::digest::{Context, SHA256};

use super::RecordingError;
use super::files::Folder;
use super::format::{FRAME_HEAD, FormatError, FrameHead, HASH, MAGIC, MAGIC_COMPRESSED, RawFrame};
use super::header::Header;

/// Bytes read from the file at a time.
const READ: usize = 64 * 1024;

enum Form {
    /// As it is written; it may still grow.
    Plain(BufReader<File>),
    /// Compressed, and whole.
    Compressed(Box<zstd::Decoder<'static, BufReader<File>>>),
}

impl Read for Form {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(into),
            Self::Compressed(file) => file.read(into),
        }
    }
}

/// The SHA-256 of a segment as it is written, made up piece by piece.
#[derive(Clone)]
pub(super) struct Hash(Context);

impl Hash {
    /// Of nothing yet.
    pub(super) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Goes on.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash.
    pub(super) fn finish(self) -> [u8; HASH] {
        let digest = self.0.finish();
        // The algorithm's own length, always.
        digest.as_ref().first_chunk().copied().unwrap_or([0; HASH])
    }
}

/// A segment that is being read.
pub(super) struct SegmentReader {
    number: u32,
    form: Form,
    /// The beginning of a frame that has not come whole yet.
    partial: BytesMut,
    /// Where that begins, in the segment as it is written.
    at: u64,
    hash: Option<Hash>,
}

impl SegmentReader {
    /// Opens a segment and reads its header; `None` if there is no such segment. With `hash`, what is read
    /// is hashed as well.
    pub(super) fn open(
        folder: &Folder,
        number: u32,
        hash: bool,
    ) -> Result<Option<(Self, Header)>, RecordingError> {
        let Some((file, compressed)) = Self::find(folder, number)? else {
            return Ok(None);
        };
        let mut file = BufReader::with_capacity(READ, file);
        let damaged = |what| RecordingError::Damaged {
            segment: number,
            at: 0,
            what,
        };
        let mut magic = [0; MAGIC.len()];
        read_all(&mut file, &mut magic, FormatError::Magic).map_err(|error| error.into(number))?;
        let expected = if compressed { MAGIC_COMPRESSED } else { MAGIC };
        if magic != expected {
            return Err(damaged(FormatError::Magic));
        }
        let mut head = [0; FRAME_HEAD];
        read_all(&mut file, &mut head, FormatError::Header).map_err(|error| error.into(number))?;
        let decoded = FrameHead::decode(&head).map_err(damaged)?;
        let mut payload = Vec::new();
        (&mut file)
            .take(decoded.length as u64)
            .read_to_end(&mut payload)
            .map_err(RecordingError::Io)?;
        let mut hash = hash.then(Hash::new);
        if let Some(hash) = &mut hash {
            hash.update(&MAGIC);
            hash.update(&head);
            hash.update(&payload);
        }
        let at = (MAGIC.len() + FRAME_HEAD + payload.len()) as u64;
        let frame = decoded.frame(Bytes::from(payload)).map_err(damaged)?;
        let header = Header::decode(&frame).map_err(damaged)?;
        if header.segment != number {
            return Err(damaged(FormatError::Header));
        }
        let form = if compressed {
            let decoder = zstd::Decoder::with_buffer(file).map_err(RecordingError::Io)?;
            Form::Compressed(Box::new(decoder))
        } else {
            Form::Plain(file)
        };
        let reader = Self {
            number,
            form,
            partial: BytesMut::new(),
            at,
            hash,
        };
        Ok(Some((reader, header)))
    }

    /// The file of a segment, and whether it is compressed. It becomes so by a rename and a removal
    /// after that, so that one of the two names is always there.
    fn find(folder: &Folder, number: u32) -> Result<Option<(File, bool)>, RecordingError> {
        for (path, compressed) in [
            (folder.segment(number), false),
            (folder.compressed(number), true),
        ] {
            match File::open(path) {
                Ok(file) => return Ok(Some((file, compressed))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(RecordingError::Io(error)),
            }
        }
        Ok(None)
    }

    /// Its number.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Whether it can still grow.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.form, Form::Plain(_))
    }

    /// Up to where it has been read, in bytes of the segment as it is written.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Bytes after that which are no whole frame.
    pub(super) fn partial(&self) -> usize {
        self.partial.len()
    }

    /// The hash of what has been read.
    pub(super) fn hash(&self) -> Option<[u8; HASH]> {
        self.hash.clone().map(Hash::finish)
    }

    /// The next frame; `None` at the end or before a frame that has not come whole, which may be there at
    /// the next call if the segment is still written.
    pub(super) fn next(&mut self) -> Result<Option<RawFrame>, RecordingError> {
        if !self.fill(FRAME_HEAD)? {
            return Ok(None);
        }
        let Some(head) = self.partial.first_chunk::<FRAME_HEAD>().copied() else {
            return Ok(None);
        };
        let mut head = FrameHead::decode(&head).map_err(|what| self.damaged(what))?;
        let whole = FRAME_HEAD + head.length;
        if !self.fill(whole)? {
            return Ok(None);
        }
        let mut bytes = self.partial.split_to(whole);
        let payload = bytes.split_off(FRAME_HEAD).freeze();
        if let Form::Compressed(_) = self.form {
            // Checks are left out there; the compressed form has its own.
            head = head.checked(&payload);
        }
        if let Some(hash) = &mut self.hash {
            hash.update(&head.encode());
            hash.update(&payload);
        }
        let frame = head.frame(payload).map_err(|what| self.damaged(what))?;
        self.at += whole as u64;
        Ok(Some(frame))
    }

    /// Reads on until there are so many bytes; says whether there are.
    fn fill(&mut self, needed: usize) -> Result<bool, RecordingError> {
        while self.partial.len() < needed {
            let missing = (needed - self.partial.len()).min(READ);
            let start = self.partial.len();
            self.partial.resize(start + missing, 0);
            let place = self.partial.get_mut(start..).unwrap_or_default();
            let read = self.form.read(place);
            self.partial
                .truncate(start + read.as_ref().map_or(0, |read| (*read).min(missing)));
            match read {
                Ok(0) => return Ok(false),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error().is_some() => {
                    return Err(RecordingError::Io(error));
                }
                Err(_) => return Err(self.damaged(FormatError::Compressed)),
            }
        }
        Ok(true)
    }

    /// That what comes next is not what it should be.
    pub(super) fn damaged(&self, what: FormatError) -> RecordingError {
        RecordingError::Damaged {
            segment: self.number,
            at: self.at,
            what,
        }
    }
}

/// A read that failed, or found less than there has to be.
enum Short {
    Io(io::Error),
    End(FormatError),
}

impl Short {
    fn into(self, segment: u32) -> RecordingError {
        match self {
            Self::Io(error) => RecordingError::Io(error),
            Self::End(what) => RecordingError::Damaged {
                segment,
                at: 0,
                what,
            },
        }
    }
}

fn read_all(file: &mut impl Read, into: &mut [u8], short: FormatError) -> Result<(), Short> {
    file.read_exact(into).map_err(|error| {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            Short::End(short)
        } else {
            Short::Io(error)
        }
    })
}
