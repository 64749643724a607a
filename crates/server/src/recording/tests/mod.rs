mod any_bytes;
mod killed;
mod reading;
mod runs;
mod trouble;

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use longwire_protocol::shell::{Ended, Winsize};
use tempfile::TempDir;

use super::*;
use crate::ids::{DeviceId, UserId};
use crate::session::{Entry, Marker};

const SID: &str = "0b8c3c5e-session";

fn opening(sid: &str) -> Opening {
    Opening {
        sid: sid.to_owned(),
        device_id: DeviceId::new(),
        owner_id: UserId::new(),
        owner: "operator@example.com".to_owned(),
        started_at: Timestamp::from_millis(1_790_000_000_000),
        lossless: true,
    }
}

fn size(rows: u16) -> Winsize {
    Winsize::new(rows, 80).unwrap()
}

fn output(offset: u64, bytes: &[u8]) -> Entry {
    Entry::Output {
        offset,
        time_ms: offset * 2,
        bytes: Bytes::copy_from_slice(bytes),
    }
}

fn keyframe(offset: u64) -> Entry {
    Entry::Keyframe {
        offset,
        time_ms: offset * 2,
        size: size(24),
        screen: Bytes::from(format!("screen at {offset}")),
    }
}

fn marker(offset: u64, marker: Marker) -> Entry {
    Entry::Marker {
        offset,
        time_ms: offset * 2,
        marker,
    }
}

/// One entry of every kind, output being 3 bytes.
fn one_of_each() -> Vec<Entry> {
    let by = "operator@example.com".to_owned();
    vec![
        marker(
            0,
            Marker::Attached {
                by: by.clone(),
                control: true,
            },
        ),
        output(0, b"a\xff\0"),
        Entry::Resized {
            offset: 3,
            time_ms: 7,
            size: size(50),
        },
        marker(3, Marker::LinkLost),
        marker(3, Marker::LinkBack { lossless: false }),
        marker(
            3,
            Marker::Control {
                by: by.clone(),
                epoch: 2,
            },
        ),
        marker(3, Marker::Restarted),
        marker(3, Marker::Detached { by }),
        Entry::Gap {
            offset: 3,
            time_ms: 9,
            to: None,
        },
        keyframe(3),
        output(3, b""),
        Entry::Gap {
            offset: 3,
            time_ms: 9,
            to: Some(10),
        },
        Entry::End {
            offset: 10,
            time_ms: 20,
            reason: Some(Ended::Exited),
            exit_status: Some(-3),
            text: "exit".to_owned(),
        },
    ]
}

/// A recorder that compresses nothing by itself, except in a run that is started so.
struct Lab {
    folder: TempDir,
    recorder: Option<Recorder>,
}

impl Lab {
    fn new() -> Self {
        let mut lab = Self {
            folder: tempfile::tempdir().unwrap(),
            recorder: None,
        };
        lab.start();
        lab
    }

    /// Another run on the same folder; the one before has written everything.
    fn start(&mut self) {
        self.start_as(false, false);
    }

    fn start_as(&mut self, power_loss: bool, compress: bool) {
        self.recorder = None;
        let config = RecorderConfig {
            folder: self.folder.path().join("recordings"),
            power_loss,
        };
        self.recorder = Some(Recorder::with(config, Duration::ZERO, compress).unwrap());
    }

    fn recorder(&self) -> &Recorder {
        self.recorder.as_ref().unwrap()
    }

    /// Records a session and waits until all of it is durable.
    async fn record(&self, opening: &Opening, entries: &[Entry]) -> DeviceJournal {
        let journal = self.recorder().device();
        journal.open(opening.clone(), Some(size(24)));
        append(&journal, &opening.sid, 1, entries).await;
        journal
    }

    fn entries(&self, opening: &Opening) -> Vec<Entry> {
        let read = self.recorder().read(&opening.sid, opening.started_at);
        read.unwrap().collect::<Result<_, _>>().unwrap()
    }

    fn recover(&self, opening: &Opening) -> Option<Recovered> {
        self.recorder()
            .recover(&opening.sid, opening.started_at)
            .unwrap()
    }

    fn path(&self, opening: &Opening) -> PathBuf {
        let day = opening.started_at.to_string();
        let recordings = self.folder.path().join("recordings");
        recordings.join(&day[..10]).join(&opening.sid)
    }
}

/// Appends entries numbered from `first` and waits until they are durable, or in trouble.
async fn append(journal: &DeviceJournal, sid: &str, first: u64, entries: &[Entry]) {
    let mut last = first;
    for (seq, entry) in (first..).zip(entries) {
        journal.append(seq, sid, entry.clone());
        last = seq;
    }
    let mut progress = journal.progress();
    progress
        .wait_for(|progress| progress.committed >= last)
        .await
        .unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Stands in for all that is not output or its size: what is shown.
fn shown(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        if let Entry::Output { bytes: more, .. } = entry {
            bytes.extend_from_slice(more);
        }
    }
    bytes
}
