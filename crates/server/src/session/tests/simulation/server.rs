//! The server: the real core, and what it keeps on disk.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::super::stage::settings;
use super::faults::Counts;
use super::truth::{is_output, output};
use crate::ids::UserId;
use crate::session::{
    Adopted, Change, Controller, DeviceSessions, Effect, Ending, Input, ReadBack, SessionChange,
    ToViewer,
};
use crate::session::{Entry, Owner, ViewerId};

/// What survives a kill.
#[derive(Clone, Default)]
pub struct Disk {
    pub rows: BTreeMap<String, Row>,
}

#[derive(Clone)]
pub struct Row {
    pub epoch: u64,
    pub controller: Option<Controller>,
    pub opened_at: Duration,
    pub started_at: Option<Duration>,
    pub detached_at: Option<Duration>,
    pub to_stop: Option<Ending>,
    pub ended: Option<Ending>,
    pub size: Option<longwire_protocol::shell::Winsize>,
    /// The journal, from its newest keyframe on.
    pub journal: Vec<Entry>,
    pub recorded: u64,
    pub gaps: Vec<(u64, Option<u64>)>,
    pub journal_ended: bool,
    pub is_restored: bool,
}

/// One run of the server.
pub struct Server {
    pub core: DeviceSessions,
    pub disk: Disk,
    pub user: UserId,
    base: Instant,
    changes: VecDeque<Change>,
    entries: VecDeque<(u64, String, Entry)>,
    reads: VecDeque<(ViewerId, String, u64, usize)>,
    pub link_is_closed: bool,
    pub cut: Vec<ViewerId>,
    pub counts: Counts,
}

impl Server {
    pub fn start(disk: Disk, run: u64, base: Instant, now: Duration, user: UserId) -> Self {
        let core = DeviceSessions::new(settings(base + now, &format!("run-{run}")));
        let mut server = Server {
            core,
            disk,
            user,
            base,
            changes: VecDeque::new(),
            entries: VecDeque::new(),
            reads: VecDeque::new(),
            link_is_closed: false,
            cut: Vec::new(),
            counts: Counts::default(),
        };
        for (sid, row) in server.disk.rows.clone() {
            if row.ended.is_some() {
                continue;
            }
            server.counts.add("adopted", 1);
            let ended = row.journal_ended.then(|| Ending {
                reason: None,
                exit_status: None,
                text: String::new(),
            });
            server.handle(
                now,
                Input::Adopt(Box::new(Adopted {
                    sid,
                    owner: Owner::for_test(user),
                    epoch: row.epoch,
                    controller: row.controller,
                    lossless: true,
                    plain_only: false,
                    age: now - row.opened_at,
                    started: row.started_at.map(|at| at - row.opened_at),
                    detached: row.detached_at.map(|at| now - at),
                    to_stop: row.to_stop,
                    size: row.size,
                    recorded: row.recorded,
                    ended,
                    replay: row.journal,
                    restored: row.is_restored,
                })),
            );
        }
        server
    }

    pub fn at(&self, now: Duration) -> Instant {
        self.base + now
    }

    pub fn handle(&mut self, now: Duration, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut effects = Vec::new();
            self.core.handle(self.at(now), input, &mut effects);
            self.carry_out(effects, &mut inputs);
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>, inputs: &mut VecDeque<Input>) {
        for effect in effects {
            match effect {
                Effect::Commit(change) => self.changes.push_back(change),
                Effect::Append { seq, sid, entry } => {
                    if let Entry::Output { offset, bytes, .. } = &entry {
                        assert!(is_output(&sid, *offset, bytes), "{sid}: wrong at {offset}");
                    }
                    self.entries.push_back((seq, sid, entry));
                }
                Effect::Ask { ask, .. } => {
                    inputs.push_back(Input::Decided { ask, allowed: true });
                }
                Effect::ReadBack {
                    viewer,
                    sid,
                    from,
                    max,
                } => self.reads.push_back((viewer, sid, from, max)),
                Effect::CloseLink(why) => {
                    assert!(format!("{why:?}").contains("nothing heard"), "{why:?}");
                    self.counts.add("silences", 1);
                    self.link_is_closed = true;
                }
                Effect::CutViewer(viewer, _) => self.cut.push(viewer),
                Effect::CutLink => panic!("a longwire link is not cut"),
                Effect::OpenJournal(_) | Effect::CloseJournal { .. } => {}
            }
        }
    }

    /// Writes some of what waits to disk, and says so.
    pub fn commit(&mut self, now: Duration, count: u64) {
        for _ in 0..count {
            if let Some(change) = self.changes.pop_front() {
                let (id, ok) = (change.id, self.store(now, change));
                self.handle(now, Input::CommitDone { change: id, ok });
            }
        }
        let mut seq = None;
        for _ in 0..count * 4 {
            if let Some((number, sid, entry)) = self.entries.pop_front() {
                self.append(&sid, entry);
                seq = Some(number);
            }
        }
        if let Some(seq) = seq {
            let trouble = Vec::new();
            self.handle(now, Input::Committed { seq, trouble });
        }
        for (viewer, sid, from, max) in std::mem::take(&mut self.reads) {
            let found = self.read(&sid, from, max);
            self.handle(
                now,
                Input::ReadBack {
                    viewer,
                    sid,
                    from,
                    found,
                },
            );
        }
    }

    fn store(&mut self, now: Duration, change: Change) -> bool {
        if let SessionChange::Opened {
            controller, size, ..
        } = change.what
        {
            let row = Row {
                epoch: 1,
                controller: Some(controller),
                opened_at: now,
                started_at: None,
                detached_at: None,
                to_stop: None,
                ended: None,
                size,
                journal: Vec::new(),
                recorded: 0,
                gaps: Vec::new(),
                journal_ended: false,
                is_restored: false,
            };
            return self.disk.rows.insert(change.sid, row).is_none();
        }
        let Some(row) = self.disk.rows.get_mut(&change.sid) else {
            assert!(matches!(change.what, SessionChange::Stranger));
            self.counts.add("strangers", 1);
            return true;
        };
        match change.what {
            SessionChange::Started => row.started_at = Some(now),
            SessionChange::Epoch {
                epoch, controller, ..
            } => {
                assert!(epoch > row.epoch);
                self.counts.add("epochs", 1);
                row.epoch = epoch;
                row.controller = controller;
                row.is_restored = false;
            }
            SessionChange::Attached { .. } => row.detached_at = None,
            SessionChange::Detached { last: true } => row.detached_at = Some(now),
            SessionChange::Detached { last: false } => {}
            SessionChange::Resized(size) => row.size = Some(size),
            SessionChange::Stop(ending) => row.to_stop = Some(ending),
            SessionChange::Ended(ending) => row.ended = Some(ending),
            SessionChange::OutputLost { from, to } => {
                self.counts.add("gaps", 1);
                row.gaps.push((from, to));
            }
            SessionChange::Refused { text } => {
                row.ended = Some(Ending {
                    reason: None,
                    exit_status: None,
                    text,
                });
            }
            SessionChange::Stranger => self.counts.add("strangers", 1),
            SessionChange::Opened { .. } | SessionChange::NotRecorded => panic!("unexpected"),
        }
        true
    }

    fn append(&mut self, sid: &str, entry: Entry) {
        let row = self
            .disk
            .rows
            .get_mut(sid)
            .expect("recorded before it was opened");
        if !matches!(entry, Entry::Marker { .. }) {
            assert_eq!(entry.offset(), row.recorded, "{sid}: {entry:?}");
        }
        row.recorded = row.recorded.max(entry.end());
        match entry {
            Entry::Keyframe { .. } => row.journal = vec![entry],
            Entry::End { .. } => row.journal_ended = true,
            _ => row.journal.push(entry),
        }
    }

    fn read(&self, sid: &str, from: u64, max: usize) -> ReadBack {
        let row = &self.disk.rows[sid];
        let gaps = row
            .gaps
            .iter()
            .filter_map(|(from, to)| Some((*from, (*to)?)));
        let next = gaps.filter(|(_, to)| from < *to).min();
        let until = match next {
            Some((start, to)) if from >= start => return ReadBack::Gap { to },
            Some((start, _)) => row.recorded.min(start),
            None => row.recorded,
        };
        let count = until.saturating_sub(from).min(max as u64).min(60_000);
        ReadBack::Bytes(Bytes::from_static(output(sid, from, count)))
    }

    pub fn tick(&mut self, now: Duration) {
        let at = self.at(now);
        if self.core.deadline(at).is_some_and(|due| due <= at) {
            self.handle(now, Input::Tick);
            let next = self.core.deadline(at);
            assert!(next.is_none_or(|next| next > at), "still due: spins");
        }
    }

    pub fn next_for(&mut self, now: Duration, viewer: ViewerId) -> Option<ToViewer> {
        let mut effects = Vec::new();
        let next = self.core.to_viewer(self.at(now), viewer, &mut effects);
        let mut inputs = VecDeque::new();
        self.carry_out(effects, &mut inputs);
        assert!(inputs.is_empty());
        next
    }

    pub fn is_idle(&self) -> bool {
        self.changes.is_empty() && self.entries.is_empty() && self.reads.is_empty()
    }
}
