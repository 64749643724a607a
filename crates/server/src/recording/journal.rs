//! How the owner of a device's sessions hands over what is to be recorded, and hears what is.

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use longwire_protocol::shell::Winsize;
use tokio::sync::watch;

use super::header::Opening;
use super::recover::Recovered;
use crate::session::Entry;
use crate::time::Timestamp;

/// What of one device may wait to be written, in bytes. A device sends at most a window of 1 MiB beyond
/// what is acknowledged, for each of at most 16 sessions; this is twice that.
pub const WAITING_MAX: usize = 32 * 1024 * 1024;

/// What an entry counts beside its bytes.
const ENTRY_COST: usize = 128;

/// What is recorded of a device's sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Every entry up to this number is durable, except of the sessions in trouble.
    pub committed: u64,
    /// The sessions that cannot be recorded at present.
    pub trouble: BTreeMap<String, Trouble>,
}

/// A session that cannot be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Its first entry that is not durable; 0 if it could not even be begun.
    pub from: u64,
    /// Why.
    pub kind: TroubleKind,
    /// Nothing more of it will be written. Until then it is tried again.
    pub given_up: bool,
}

/// Why a session cannot be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TroubleKind {
    /// There is no more room.
    Full,
    /// The disk or the system reports a failure.
    Failed,
    /// More waits than may wait.
    Overrun,
    /// It has no recording: it was never opened, or its id cannot name one.
    Unknown,
}

impl TroubleKind {
    pub(super) fn of(error: &io::Error) -> Self {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        if full.contains(&error.kind()) {
            Self::Full
        } else {
            Self::Failed
        }
    }
}

/// A device's side of the queue, shared with the writer.
pub(super) struct DeviceShare {
    /// Bytes that wait to be written.
    waiting: AtomicUsize,
    /// More than may wait once came for one of its sessions.
    overrun: AtomicBool,
    progress: watch::Sender<Progress>,
}

impl DeviceShare {
    /// So much waits no longer.
    pub(super) fn written(&self, cost: usize) {
        self.waiting.fetch_sub(cost, Ordering::Relaxed);
    }

    pub(super) fn progress(&self) -> &watch::Sender<Progress> {
        &self.progress
    }

    fn has_given_up(&self, sid: &str) -> bool {
        let progress = self.progress.borrow();
        progress
            .trouble
            .get(sid)
            .is_some_and(|trouble| trouble.given_up)
    }

    /// There was no room for this entry of a session, the first one that is left out.
    fn give_up(&self, sid: &str, seq: u64) {
        self.overrun.store(true, Ordering::Relaxed);
        self.progress.send_if_modified(|progress| {
            let known = progress.trouble.get(sid);
            if known.is_some_and(|known| known.given_up) {
                return false;
            }
            let trouble = Trouble {
                from: known.map_or(seq, |known| known.from),
                kind: TroubleKind::Overrun,
                given_up: true,
            };
            progress.trouble.insert(sid.to_owned(), trouble);
            true
        });
    }
}

/// What an entry counts while it waits.
pub(super) fn cost(entry: &Entry) -> usize {
    ENTRY_COST
        + match entry {
            Entry::Output { bytes, .. } => bytes.len(),
            Entry::Keyframe { screen, .. } => screen.len(),
            Entry::Resized { .. }
            | Entry::Gap { .. }
            | Entry::Marker { .. }
            | Entry::End { .. } => 0,
        }
}

/// What the writer is asked to do.
pub(super) enum Job {
    Open(Arc<DeviceShare>, Box<Opening>, Option<Winsize>),
    Resume(Arc<DeviceShare>, Box<Recovered>),
    Append {
        device: Arc<DeviceShare>,
        seq: u64,
        sid: Box<str>,
        entry: Entry,
    },
    Close(Box<str>),
    Remove(Box<str>, Timestamp),
}

#[derive(Default)]
struct Waiting {
    jobs: Vec<Job>,
    asleep: bool,
    ended: bool,
}

/// Jobs on their way to the writer. Bounded because each device's part of it is.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    more: Condvar,
}

impl Queue {
    /// Adds one.
    pub(super) fn push(&self, job: Job) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.jobs.push(job);
        let asleep = mem::take(&mut waiting.asleep);
        drop(waiting);
        if asleep {
            self.more.notify_one();
        }
    }

    /// No more comes.
    pub(super) fn end(&self) {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .ended = true;
        self.more.notify_one();
    }

    /// Everything that waits, put into the empty `jobs`; says whether the end has come. Returns with
    /// nothing after `timeout`.
    pub(super) fn take(&self, jobs: &mut Vec<Job>, timeout: Option<Duration>) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.jobs.is_empty() && !waiting.ended {
            waiting.asleep = true;
            match timeout {
                None => {
                    waiting = self
                        .more
                        .wait(waiting)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                Some(timeout) => {
                    let (guard, result) = self
                        .more
                        .wait_timeout(waiting, timeout)
                        .unwrap_or_else(PoisonError::into_inner);
                    waiting = guard;
                    if result.timed_out() {
                        break;
                    }
                }
            }
        }
        waiting.asleep = false;
        mem::swap(&mut waiting.jobs, jobs);
        waiting.ended
    }
}

/// Records the sessions of one device. Nothing here waits for a disk.
#[derive(Clone)]
pub struct DeviceJournal {
    queue: Arc<Queue>,
    share: Arc<DeviceShare>,
}

impl DeviceJournal {
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        let share = Arc::new(DeviceShare {
            waiting: AtomicUsize::new(0),
            overrun: AtomicBool::new(false),
            progress: watch::Sender::new(Progress::default()),
        });
        Self { queue, share }
    }

    /// What is durable; it changes with each group of entries that has become so.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.share.progress.subscribe()
    }

    /// Begins the recording of a session, with the size its terminal has.
    pub fn open(&self, opening: Opening, size: Option<Winsize>) {
        self.queue
            .push(Job::Open(Arc::clone(&self.share), Box::new(opening), size));
    }

    /// Goes on with a recording that a former run began.
    pub fn resume(&self, recovered: &Recovered) {
        let job = Job::Resume(Arc::clone(&self.share), Box::new(recovered.clone()));
        self.queue.push(job);
    }

    /// Adds an entry to a session's recording. `seq` grows with every entry of the device, whatever its
    /// session. When it is durable, or why it is not, is said by [`Self::progress`].
    pub fn append(&self, seq: u64, sid: &str, entry: Entry) {
        let cost = cost(&entry);
        let waiting = self.share.waiting.fetch_add(cost, Ordering::Relaxed);
        if waiting.saturating_add(cost) > WAITING_MAX {
            self.share.written(cost);
            self.share.give_up(sid, seq);
            return;
        }
        // Nothing may come after what was left out.
        if self.share.overrun.load(Ordering::Relaxed) && self.share.has_given_up(sid) {
            self.share.written(cost);
            return;
        }
        self.queue.push(Job::Append {
            device: Arc::clone(&self.share),
            seq,
            sid: sid.into(),
            entry,
        });
    }

    /// Nothing more is added to a session's recording; it is whole. Its trouble is forgotten.
    pub fn close(&self, sid: &str) {
        self.queue.push(Job::Close(sid.into()));
    }
}
