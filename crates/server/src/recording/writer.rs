//! The one thread that writes what is recorded: it takes all that waits, writes it session by session,
//! makes it last through a power cut if that is wanted, and then says that it is durable.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use longwire_protocol::shell::Winsize;

use super::compress::Compression;
use super::files::Folder;
use super::header::{Opening, Position};
use super::journal::{self, DeviceShare, Job, Queue, Trouble, TroubleKind};
use super::log::{Frames, Log, Start};
use super::recover::Recovered;
use crate::session::Entry;

/// How often what could not be written is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// Files that stay open for sessions that write nothing at the moment.
const OPEN_FILES_MAX: usize = 512;

/// What the writer is told at its start.
pub(super) struct Settings {
    pub(super) folder: PathBuf,
    pub(super) power_loss: bool,
    /// How long is tried to write before it is given up.
    pub(super) give_up_after: Duration,
}

/// One session's entries that are not durable yet.
struct Session {
    device: Arc<DeviceShare>,
    log: Log,
    pending: VecDeque<(u64, Entry)>,
    /// Since when writing fails.
    failing: Option<Instant>,
    given_up: bool,
}

impl Session {
    /// The number of the first entry that waits; 0 if none does.
    fn first(&self) -> u64 {
        self.pending.front().map_or(0, |(seq, _)| *seq)
    }

    /// Takes what waits off the account, unwritten.
    fn discard(&mut self) {
        let cost = self
            .pending
            .drain(..)
            .map(|(_, entry)| journal::cost(&entry))
            .sum();
        self.device.written(cost);
    }
}

pub(super) struct Writer {
    settings: Settings,
    queue: Arc<Queue>,
    compression: Arc<Compression>,
    sessions: HashMap<Box<str>, Session>,
    frames: Frames,
    /// Devices with entries in this group, and the highest number of each.
    touched: Vec<(Arc<DeviceShare>, u64)>,
    /// Sessions with entries in this group.
    active: Vec<Box<str>>,
}

impl Writer {
    pub(super) fn new(
        settings: Settings,
        queue: Arc<Queue>,
        compression: Arc<Compression>,
    ) -> Self {
        Self {
            settings,
            queue,
            compression,
            sessions: HashMap::new(),
            frames: Frames::default(),
            touched: Vec::new(),
            active: Vec::new(),
        }
    }

    /// Writes until the end has come and nothing waits any more.
    pub(super) fn run(mut self) {
        let mut jobs = Vec::new();
        let mut retry_at: Option<Instant> = None;
        loop {
            let timeout = retry_at.map(|at| at.saturating_duration_since(Instant::now()));
            let ended = self.queue.take(&mut jobs, timeout);
            if ended && jobs.is_empty() {
                return;
            }
            let now = Instant::now();
            for job in jobs.drain(..) {
                self.take(job, now);
            }
            if retry_at.is_some_and(|at| at <= now) {
                retry_at = None;
                let failing = |session: &Session| session.failing.is_some();
                let again = self.sessions.iter().filter(|(_, session)| failing(session));
                self.active.extend(again.map(|(sid, _)| sid.clone()));
            }
            self.write(now);
            if retry_at.is_none()
                && self
                    .sessions
                    .values()
                    .any(|session| session.failing.is_some())
            {
                retry_at = Some(now + RETRY_EVERY);
            }
        }
    }

    fn take(&mut self, job: Job, now: Instant) {
        match job {
            Job::Append {
                device,
                seq,
                sid,
                entry,
            } => self.add(device, seq, sid, entry),
            // What comes before these is written before them.
            Job::Open(device, opening, size) => {
                self.write(now);
                self.open(device, *opening, size, now);
            }
            Job::Resume(device, recovered) => {
                self.write(now);
                self.resume(device, &recovered, now);
            }
            Job::Close(sid) => {
                self.write(now);
                self.close(&sid);
            }
            Job::Remove(sid, started_at) => {
                self.close(&sid);
                if let Some(folder) = Folder::of(&self.settings.folder, &sid, started_at) {
                    self.compression.remove(folder);
                }
            }
        }
    }

    fn add(&mut self, device: Arc<DeviceShare>, seq: u64, sid: Box<str>, entry: Entry) {
        match self
            .touched
            .iter_mut()
            .find(|(known, _)| Arc::ptr_eq(known, &device))
        {
            Some((_, highest)) => *highest = seq.max(*highest),
            None => self.touched.push((Arc::clone(&device), seq)),
        }
        match self.sessions.get_mut(&sid) {
            Some(session) if !session.given_up => {
                // A session that fails waits for its turn to be tried again.
                if session.pending.is_empty() && session.failing.is_none() {
                    self.active.push(sid);
                }
                session.pending.push_back((seq, entry));
            }
            Some(_) => device.written(journal::cost(&entry)),
            None => {
                device.written(journal::cost(&entry));
                refuse(&device, &sid, seq);
            }
        }
    }

    fn open(
        &mut self,
        device: Arc<DeviceShare>,
        opening: Opening,
        size: Option<Winsize>,
        now: Instant,
    ) {
        let sid = Box::from(opening.sid.as_str());
        let Some(folder) = Folder::of(&self.settings.folder, &sid, opening.started_at) else {
            refuse(&device, &sid, 0);
            return;
        };
        let position = Position {
            size,
            ..Position::default()
        };
        let start = Start {
            opening,
            newest: 0,
            previous: None,
            position,
        };
        self.insert(sid, device, folder, start, now);
    }

    fn resume(&mut self, device: Arc<DeviceShare>, recovered: &Recovered, now: Instant) {
        let opening = &recovered.opening;
        let sid = Box::from(opening.sid.as_str());
        if let Some(session) = self.sessions.get_mut(&sid) {
            // This run has it open already, for an earlier owner.
            session.device = device;
            return;
        }
        let Some(folder) = Folder::of(&self.settings.folder, &sid, opening.started_at) else {
            refuse(&device, &sid, 0);
            return;
        };
        self.compression
            .add(&folder, recovered.plain_from..=recovered.start.newest);
        self.insert(sid, device, folder, recovered.start.clone(), now);
    }

    /// Makes a session known, and sees whether it can be written.
    fn insert(
        &mut self,
        sid: Box<str>,
        device: Arc<DeviceShare>,
        folder: Folder,
        start: Start,
        now: Instant,
    ) {
        forgive(&device, &sid);
        let log = Log::new(folder, start, self.settings.power_loss, now);
        let session = Session {
            device,
            log,
            pending: VecDeque::new(),
            failing: None,
            given_up: false,
        };
        if let Some(mut before) = self.sessions.insert(sid.clone(), session) {
            before.discard();
        }
        self.active.push(sid);
        self.write(now);
    }

    fn close(&mut self, sid: &str) {
        let Some(mut session) = self.sessions.remove(sid) else {
            return;
        };
        session.discard();
        forgive(&session.device, sid);
        let newest = session.log.newest();
        if newest > 0 {
            self.compression.add(session.log.folder(), newest..=newest);
        }
    }

    /// Writes what is collected, and says so.
    fn write(&mut self, now: Instant) {
        for sid in std::mem::take(&mut self.active) {
            let Some(session) = self.sessions.get_mut(&sid) else {
                continue;
            };
            let first = session.first();
            let mut give_up_after = self.settings.give_up_after;
            let written = write(session, &mut self.frames, &self.compression, now);
            let result = written
                .map_err(|error| (session.first(), error))
                .and_then(|()| {
                    if !self.settings.power_loss {
                        return Ok(());
                    }
                    // What could not be made to last is not here any more to be written again.
                    give_up_after = Duration::ZERO;
                    session.log.sync().map_err(|error| (first, error))
                });
            match result {
                Ok(()) => {
                    if session.failing.take().is_some() {
                        forgive(&session.device, &sid);
                        tracing::info!(%sid, "the recording goes on");
                    }
                }
                Err((from, error)) => fail(session, &sid, from, &error, now, give_up_after),
            }
        }
        for (device, highest) in self.touched.drain(..) {
            device.progress().send_if_modified(|progress| {
                let news = progress.committed < highest;
                progress.committed = progress.committed.max(highest);
                news
            });
        }
        self.close_files();
    }

    fn close_files(&mut self) {
        if self.sessions.len() <= OPEN_FILES_MAX {
            return;
        }
        let mut open: Vec<(Instant, &mut Log)> = self
            .sessions
            .values_mut()
            .filter(|session| session.log.is_open())
            .map(|session| (session.log.used, &mut session.log))
            .collect();
        if open.len() > OPEN_FILES_MAX {
            open.sort_unstable_by_key(|(used, _)| *used);
            for (_, log) in open.iter_mut().take(OPEN_FILES_MAX / 2) {
                log.rest();
            }
        }
    }
}

fn write(
    session: &mut Session,
    frames: &mut Frames,
    compression: &Compression,
    now: Instant,
) -> io::Result<()> {
    session.log.used = now;
    session.log.begin()?;
    let entries = session.pending.iter().map(|(_, entry)| entry);
    let (done, result) = session.log.append(entries, frames, |folder, whole| {
        compression.add(folder, whole..=whole);
    });
    let written = session.pending.drain(..done);
    let cost = written.map(|(_, entry)| journal::cost(&entry)).sum();
    session.device.written(cost);
    result
}

fn fail(
    session: &mut Session,
    sid: &str,
    from: u64,
    error: &io::Error,
    now: Instant,
    give_up_after: Duration,
) {
    let first = session.failing.is_none();
    let since = *session.failing.get_or_insert(now);
    // What can never be written is not tried again.
    let given_up = error.kind() == io::ErrorKind::InvalidInput
        || now.saturating_duration_since(since) >= give_up_after;
    if first || given_up {
        tracing::error!(%error, %sid, given_up, "a session cannot be recorded");
    }
    if given_up {
        session.given_up = true;
        session.failing = None;
        session.discard();
        session.log.rest();
    }
    let trouble = Trouble {
        from,
        kind: TroubleKind::of(error),
        given_up,
    };
    session.device.progress().send_if_modified(|progress| {
        let news = progress.trouble.get(sid) != Some(&trouble);
        if news {
            progress.trouble.insert(sid.to_owned(), trouble);
        }
        news
    });
}

/// There is nothing to record this in.
fn refuse(device: &DeviceShare, sid: &str, seq: u64) {
    device.progress().send_if_modified(|progress| {
        let news = !progress.trouble.contains_key(sid);
        progress.trouble.entry(sid.to_owned()).or_insert(Trouble {
            from: seq,
            kind: TroubleKind::Unknown,
            given_up: true,
        });
        news
    });
}

/// A session is in trouble no longer.
fn forgive(device: &DeviceShare, sid: &str) {
    device
        .progress()
        .send_if_modified(|progress| progress.trouble.remove(sid).is_some());
}
