//! Writes a recording while a terminal runs.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Header, gob};

/// An open recording. What has been recorded is in the file at once, so that a crash costs
/// nothing but the end mark.
pub(crate) struct Recorder {
    file: GzEncoder<File>,
}

impl Recorder {
    /// Starts a recording in a new file that only its owner may read: output shows secrets. An
    /// existing file is an error.
    pub(crate) fn create(path: &Path, device: &str) -> io::Result<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let header = Header::new(device, now.as_secs().cast_signed());
        let mut file = GzEncoder::new(file, Compression::default());
        file.write_all(&header.to_bytes())?;
        file.write_all(gob::DEFINITION)?;
        file.flush()?;
        Ok(Recorder { file })
    }

    /// Adds output.
    pub(crate) fn record(&mut self, output: &[u8]) -> io::Result<()> {
        self.file.write_all(&gob::output(output))?;
        self.file.flush()
    }

    /// Ends the recording properly.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.file.finish().map(drop)
    }
}
