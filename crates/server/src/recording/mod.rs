//! What happened in every session, on disk, before anybody is told that it is safe.
//!
//! A recording is a folder of append-only segments (docs/recording-format.md). [`Recorder`] has one
//! thread that writes all of them: it takes what waits, writes it, and then says by [`Progress`] what is
//! durable. Durable means that the system has it, so that a killed server loses nothing; with
//! [`RecorderConfig::power_loss`] that the disk has it. Whole segments are compressed by a second thread
//! that stands behind everything else.
//!
//! What is written can be read at once, by [`OutputReader`] and [`Entries`], in memory that does not grow
//! with the recording. Those calls wait for the disk.

mod compress;
mod files;
mod format;
mod header;
mod journal;
mod log;
mod read;
mod recover;
mod run;
mod segment;
mod words;
mod writer;

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use format::FormatError;
pub use header::{Opening, Position};
pub use journal::{DeviceJournal, Progress, Trouble, TroubleKind, WAITING_MAX};
pub use read::{Entries, OutputReader, ReadBack};
pub use recover::Recovered;
pub use run::{RunError, RunStart, begin_run};

use crate::time::Timestamp;
use compress::Compression;
use files::Folder;
use journal::{Job, Queue};
use writer::{Settings, Writer};

/// How much output there should be between two keyframes, in bytes. With each begins a segment.
pub const KEYFRAME_AFTER: u64 = 1024 * 1024;

/// How long is tried to write a session's entries before its recording is given up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(30);

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The disk or the system reports a failure.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The id cannot be that of a recording.
    #[error("not the id of a session")]
    Name,
    /// A segment is not what was written.
    #[error("segment {segment} is damaged at byte {at}: {what}")]
    Damaged {
        /// Which one.
        segment: u32,
        /// Where in it, in bytes before it was compressed; 0 for its header.
        at: u64,
        /// How.
        what: FormatError,
    },
    /// A header cannot be written.
    #[error(transparent)]
    Format(#[from] FormatError),
}

/// Where and how is recorded.
#[derive(Clone, Debug)]
pub struct RecorderConfig {
    /// The folder of all recordings; made when it is not there.
    pub folder: PathBuf,
    /// Whether what is durable survives a power cut, and not only a killed server.
    pub power_loss: bool,
}

struct Threads {
    queue: Arc<Queue>,
    compression: Arc<Compression>,
    running: Mutex<Vec<JoinHandle<()>>>,
}

impl Threads {
    fn end(&self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        self.queue.end();
        let mut running = std::mem::take(&mut *running).into_iter();
        // Whoever reads this wants to know that it failed, and can do nothing about it.
        let written = running.next().map(JoinHandle::join);
        self.compression.end();
        let compressed = running.next().map(JoinHandle::join);
        if matches!(written, Some(Err(_))) || matches!(compressed, Some(Err(_))) {
            tracing::error!("a thread that records has failed");
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.end();
    }
}

/// Records sessions and reads recordings; cheap to clone. What was appended is written before the last
/// clone is gone.
#[derive(Clone)]
pub struct Recorder {
    folder: PathBuf,
    threads: Arc<Threads>,
}

impl Recorder {
    /// Begins to record.
    ///
    /// # Errors
    /// When the folder cannot be made, or the threads cannot be started.
    pub fn open(config: RecorderConfig) -> io::Result<Self> {
        Self::with(config, GIVE_UP_AFTER, true)
    }

    fn with(config: RecorderConfig, give_up_after: Duration, compress: bool) -> io::Result<Self> {
        files::create_folder(&config.folder)?;
        let queue = Arc::new(Queue::default());
        let compression = Arc::new(Compression::default());
        let settings = Settings {
            folder: config.folder.clone(),
            power_loss: config.power_loss,
            give_up_after,
        };
        let writer = Writer::new(settings, Arc::clone(&queue), Arc::clone(&compression));
        let compressor = Arc::clone(&compression);
        let threads = Threads {
            queue,
            compression,
            running: Mutex::default(),
        };
        let start = |name: &str, run: Box<dyn FnOnce() + Send>| {
            let thread = thread::Builder::new().name(name.to_owned()).spawn(run)?;
            let mut running = threads
                .running
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            running.push(thread);
            Ok::<_, io::Error>(())
        };
        start("recorder", Box::new(move || writer.run()))?;
        if compress {
            start("recordings", Box::new(move || compressor.run()))?;
        }
        Ok(Self {
            folder: config.folder,
            threads: Arc::new(threads),
        })
    }

    /// A journal for the sessions of one device.
    #[must_use]
    pub fn device(&self) -> DeviceJournal {
        DeviceJournal::new(Arc::clone(&self.threads.queue))
    }

    fn folder(&self, sid: &str, started_at: Timestamp) -> Result<Folder, RecordingError> {
        Folder::of(&self.folder, sid, started_at).ok_or(RecordingError::Name)
    }

    /// Finds what a killed server left of a recording, and cuts off what is half-written; `None` if
    /// nothing of it is there. Only for recordings that are not open in this run.
    ///
    /// # Errors
    /// When the files cannot be read or repaired.
    pub fn recover(
        &self,
        sid: &str,
        started_at: Timestamp,
    ) -> Result<Option<Recovered>, RecordingError> {
        recover::recover(&self.folder(sid, started_at)?)
    }

    /// All entries of a recording.
    ///
    /// # Errors
    /// [`RecordingError::Name`].
    pub fn read(&self, sid: &str, started_at: Timestamp) -> Result<Entries, RecordingError> {
        Ok(Entries::new(self.folder(sid, started_at)?))
    }

    /// What it takes to draw the screen as a recovered recording has it: the entries from the newest
    /// keyframe on that has at least `back` bytes of output after it, or from the beginning.
    ///
    /// # Errors
    /// When the files cannot be read.
    pub fn replay(&self, recovered: &Recovered, back: u64) -> Result<Entries, RecordingError> {
        let opening = &recovered.opening;
        let folder = self.folder(&opening.sid, opening.started_at)?;
        Entries::from_keyframe(folder, recovered.position.offset, back)
    }

    /// Reads a recording's output by offset.
    ///
    /// # Errors
    /// [`RecordingError::Name`].
    pub fn output(&self, sid: &str, started_at: Timestamp) -> Result<OutputReader, RecordingError> {
        Ok(OutputReader::new(self.folder(sid, started_at)?))
    }

    /// Removes a recording for good, in the background.
    pub fn remove(&self, sid: &str, started_at: Timestamp) {
        self.threads.queue.push(Job::Remove(sid.into(), started_at));
    }

    /// Writes what waits and ends; waits for that. What is appended later is not recorded.
    pub fn stop(&self) {
        self.threads.end();
    }
}
