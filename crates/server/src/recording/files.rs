//! Where a recording's files are: `recordings/2026-11-25/SID/000001.seg`, or `.segz` once compressed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::time::Timestamp;

/// The longest session id that names a folder.
const MAX_SID: usize = 64;

/// The folder of one recording.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// The folder of a session; `None` for an id that cannot name one.
    pub(super) fn of(recordings: &Path, sid: &str, started_at: Timestamp) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if sid.is_empty() || sid.len() > MAX_SID || !sid.bytes().all(allowed) {
            return None;
        }
        let moment = started_at.to_string();
        let (day, _) = moment.split_once('T')?;
        Some(Self(recordings.join(day).join(sid)))
    }

    /// Makes it, for its owner only.
    pub(super) fn create(&self) -> io::Result<()> {
        create_folder(&self.0)
    }

    /// A segment as it is written.
    pub(super) fn segment(&self, number: u32) -> PathBuf {
        self.0.join(format!("{number:06}.seg"))
    }

    /// A segment once it is compressed.
    pub(super) fn compressed(&self, number: u32) -> PathBuf {
        self.0.join(format!("{number:06}.segz"))
    }

    /// A compressed segment that is not whole yet.
    pub(super) fn unfinished(&self, number: u32) -> PathBuf {
        self.0.join(format!("{number:06}.new"))
    }

    /// What was cut off a damaged segment.
    pub(super) fn cut(&self, number: u32) -> PathBuf {
        self.0.join(format!("{number:06}.cut"))
    }

    /// Whether there is such a segment.
    pub(super) fn has(&self, number: u32) -> io::Result<bool> {
        Ok(self.segment(number).try_exists()? || self.compressed(number).try_exists()?)
    }

    /// The number of the newest segment, 0 if there is none. They have no holes; so it is found in a few
    /// questions however many there are.
    pub(super) fn newest(&self) -> io::Result<u32> {
        let mut there = 0;
        let mut missing = 1;
        while self.has(missing)? {
            there = missing;
            missing = missing.saturating_mul(2);
        }
        while missing - there > 1 {
            let between = there + (missing - there) / 2;
            if self.has(between)? {
                there = between;
            } else {
                missing = between;
            }
        }
        Ok(there)
    }

    /// Makes names in it last through a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()?;
        // The folder's own name, and that of its day.
        for above in self.0.ancestors().skip(1).take(2) {
            File::open(above)?.sync_all()?;
        }
        Ok(())
    }

    /// Removes it with all that is in it.
    pub(super) fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Makes a folder, and those above it, for their owner only.
pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A new file for its owner only, to be appended to. One that has its name is emptied if `again`, and an
/// error otherwise.
pub(super) fn create(path: &Path, again: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).mode(0o600);
    if again {
        let file = options.create(true).open(path)?;
        file.set_len(0)?;
        Ok(file)
    } else {
        options.create_new(true).open(path)
    }
}
