//! A state machine with its surroundings, under a clock that stands still until it is told otherwise.

use std::time::{Duration, Instant};

use bytes::Bytes;
use longwire_protocol::Message;
use longwire_protocol::proto;
use longwire_protocol::shell::{FromDevice, FromUser, Stop, Winsize, text};

use super::super::*;
use crate::ids::UserId;
use crate::session::{Entry, Owner, ViewerId};
use crate::time::Timestamp;

pub(super) const SECOND: Duration = Duration::from_secs(1);

pub(super) fn settings(now: Instant, run: &str) -> Settings {
    let mut count = 0_u64;
    // The first run's ids are the numbers of plain viewers, as long as each asks for one shell.
    let run_number = run.trim_start_matches("run-").parse().unwrap_or(0_u64);
    Settings {
        instance: run.to_owned(),
        now,
        wall: Timestamp::from_millis(1_700_000_000_000),
        detach_grace: DETACH_GRACE,
        new_sid: Box::new(move || {
            count += 1;
            sid(run_number * 1_000_000 + count)
        }),
    }
}

pub(super) fn sid(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

pub(super) struct Stage {
    pub(super) now: Instant,
    pub(super) sessions: DeviceSessions,
    /// Changes are written down by themselves.
    pub(super) stores: bool,
    /// And so is the journal.
    pub(super) records: bool,
    /// What is to be sent is taken at once.
    pub(super) takes: bool,
    pub(super) allows: bool,
    pub(super) seen: Seen,
    pub(super) seq: u64,
    /// The session ids that plain viewers learned.
    pub(super) sids: std::collections::BTreeMap<ViewerId, String>,
}

/// What the two sides got to see since it was last asked.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) device: Vec<Message>,
    pub(super) viewers: Vec<(ViewerId, Message)>,
    pub(super) closed: Vec<(ViewerId, CloseReason)>,
    pub(super) cut: Vec<(ViewerId, CloseReason)>,
    pub(super) changes: Vec<Change>,
    pub(super) entries: Vec<(String, Entry)>,
    pub(super) reads: Vec<(ViewerId, String, u64, usize)>,
    pub(super) link_closed: bool,
    pub(super) link_cut: bool,
}

impl Stage {
    /// No device as yet.
    pub(super) fn empty() -> Self {
        let now = Instant::now();
        Self {
            now,
            sessions: DeviceSessions::new(settings(now, "run")),
            stores: true,
            records: true,
            takes: true,
            allows: true,
            seen: Seen::default(),
            seq: 0,
            sids: std::collections::BTreeMap::new(),
        }
    }

    /// A connected plain device without sessions.
    pub(super) fn plain() -> Self {
        let mut stage = Self::empty();
        stage.input(Input::LinkUp {
            kind: LinkKind::Plain,
        });
        stage
    }

    pub(super) fn input(&mut self, input: Input) {
        let mut inputs = std::collections::VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut effects = Vec::new();
            self.sessions.handle(self.now, input, &mut effects);
            self.carry_out(effects, &mut inputs);
            if inputs.is_empty() && self.takes {
                self.take(usize::MAX, &mut inputs);
            }
        }
    }

    /// Takes up to so many messages for each end.
    pub(super) fn take(&mut self, max: usize, inputs: &mut std::collections::VecDeque<Input>) {
        for _ in 0..max {
            let Some(message) = self.sessions.to_device(self.now) else {
                break;
            };
            self.seen.device.push(message);
        }
        for number in 0..2000 {
            let viewer = ViewerId(number);
            let mut effects = Vec::new();
            for _ in 0..max {
                if !self.sessions.has_for(viewer) {
                    break;
                }
                match self.sessions.to_viewer(self.now, viewer, &mut effects) {
                    Some(ToViewer::Message(message)) => {
                        if message.proto == proto::SHELL {
                            self.sids.insert(viewer, message.sid.clone());
                        }
                        self.seen.viewers.push((viewer, message));
                    }
                    Some(ToViewer::Close(why)) => {
                        self.seen.closed.push((viewer, why));
                        inputs.push_back(Input::ViewerGone(viewer));
                        break;
                    }
                    None => break,
                }
            }
            self.carry_out(effects, inputs);
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>, inputs: &mut std::collections::VecDeque<Input>) {
        for effect in effects {
            match effect {
                Effect::Commit(change) => {
                    if self.stores {
                        inputs.push_back(Input::CommitDone {
                            change: change.id,
                            ok: true,
                        });
                    }
                    self.seen.changes.push(change);
                }
                Effect::Append { seq, sid, entry } => {
                    self.seq = seq;
                    self.seen.entries.push((sid, entry));
                    if self.records {
                        inputs.push_back(Input::Committed {
                            seq,
                            trouble: Vec::new(),
                        });
                    }
                }
                Effect::Ask { ask, .. } => inputs.push_back(Input::Decided {
                    ask,
                    allowed: self.allows,
                }),
                Effect::ReadBack {
                    viewer,
                    sid,
                    from,
                    max,
                } => self.seen.reads.push((viewer, sid, from, max)),
                Effect::CloseLink(_) => self.seen.link_closed = true,
                Effect::CutLink => self.seen.link_cut = true,
                Effect::CutViewer(viewer, why) => self.seen.cut.push((viewer, why)),
                Effect::OpenJournal(_) | Effect::CloseJournal { .. } => {}
            }
        }
    }

    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.sessions.deadline(self.now).filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.input(Input::Tick);
            // Whoever waits for what is due must not wait in vain.
            let next = self.sessions.deadline(self.now);
            assert!(next.is_none_or(|next| next > self.now), "still due");
        }
        self.now = end;
    }

    pub(super) fn attach(&mut self, number: u64, owner: UserId) -> ViewerId {
        self.attach_as(number, owner, ViewerKind::Plain)
    }

    pub(super) fn attach_as(&mut self, number: u64, owner: UserId, kind: ViewerKind) -> ViewerId {
        let viewer = ViewerId(number);
        self.input(Input::Attach {
            viewer,
            person: Owner::for_test(owner),
            kind,
        });
        viewer
    }

    /// The session that a viewer asked for last.
    pub(super) fn session_of(&self, viewer: u64) -> String {
        let known = self.sids.get(&ViewerId(viewer));
        known.cloned().unwrap_or_else(|| sid(viewer))
    }

    /// A plain viewer with a running shell; nothing of it is left to be seen.
    pub(super) fn running(&mut self, number: u64, owner: UserId) -> ViewerId {
        let viewer = self.attach(number, owner);
        self.user(viewer, FromUser::New { size: None });
        self.device(number, FromDevice::Started);
        self.seen();
        viewer
    }

    pub(super) fn user(&mut self, viewer: ViewerId, says: FromUser) {
        self.user_message(viewer, says.to_message("someone else's"));
    }

    pub(super) fn user_message(&mut self, viewer: ViewerId, message: Message) {
        self.input(Input::FromViewer { viewer, message });
    }

    /// The device says something about the session of a viewer.
    pub(super) fn device(&mut self, viewer: u64, says: FromDevice) {
        let sid = self.session_of(viewer);
        self.sids.insert(ViewerId(viewer), sid.clone());
        self.device_about(&sid, says);
    }

    pub(super) fn device_about(&mut self, sid: &str, says: FromDevice) {
        self.input(Input::FromDevice(says.to_message(sid)));
    }

    pub(super) fn seen(&mut self) -> Seen {
        std::mem::take(&mut self.seen)
    }
}

impl Seen {
    /// Everything about shells.
    pub(super) fn device_said(&self) -> Vec<FromUser> {
        let shells = self.device.iter().filter(|to| to.proto == proto::SHELL);
        let said = shells.map(FromUser::try_from);
        said.collect::<Result<_, _>>().unwrap()
    }

    pub(super) fn viewer_heard(&self, viewer: ViewerId) -> Vec<FromDevice> {
        let messages = self.viewers.iter().filter(|(to, _)| *to == viewer);
        let heard = messages.map(|(_, message)| FromDevice::try_from(message));
        heard.collect::<Result<_, _>>().unwrap()
    }

    pub(super) fn output(&self, viewer: ViewerId) -> Vec<u8> {
        let messages = self.viewers.iter().filter(|(to, _)| *to == viewer);
        let output = messages.filter_map(|(_, message)| output_of(message));
        output.flatten().collect()
    }

    /// Openings, refusals and ends.
    pub(super) fn records(&self) -> Vec<SessionChange> {
        let changes = self.changes.iter().map(|change| change.what.clone());
        changes
            .filter(|what| {
                matches!(
                    what,
                    SessionChange::Opened { .. }
                        | SessionChange::Refused { .. }
                        | SessionChange::Ended(_)
                )
            })
            .collect()
    }
}

pub(super) fn output_of(message: &Message) -> Option<Bytes> {
    if let Ok(FromDevice::Output(output)) = FromDevice::try_from(message) {
        Some(output)
    } else {
        None
    }
}

pub(super) fn size(rows: u16, cols: u16) -> Winsize {
    Winsize::new(rows, cols).unwrap()
}

pub(super) fn input(bytes: &'static [u8]) -> FromUser {
    FromUser::Input(Bytes::from_static(bytes))
}

pub(super) fn stop(text: &str) -> FromUser {
    FromUser::Stop {
        error: Some(text.to_owned()),
    }
}

pub(super) fn exited() -> FromDevice {
    FromDevice::Stop(Stop {
        error: true,
        reason: None,
        exit_status: None,
        text: text::READ_ERROR.to_owned(),
    })
}

pub(super) fn stopped() -> FromDevice {
    FromDevice::Stop(Stop::default())
}
