//! The one task that drives the sessions of a device: hands what happens to the state machine in
//! [`crate::session`], carries out what it says, and asks it what to send whenever a websocket can take
//! something. It waits for no peer, no disk and no database.

mod answers;
mod carry_out;
mod ledger;
mod seat;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use longwire_protocol::Message;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::close;
use super::pipe::Pipe;
use crate::app::App;
use crate::bus::{Closing, NewViewer, OpenError, ToSession};
use crate::ids::{DeviceId, UserId};
use crate::recording::{DeviceJournal, Progress, Recovered};
use crate::session::{
    Adopted, DeviceSessions, EndReason, Input, LinkClose, LinkKind, Opening, Owner, Settings,
    Trouble, ViewerId, ViewerKind,
};
use crate::time::Timestamp;
use answers::Answers;
use ledger::Ledger;
use seat::{Grant, Seat};

/// What is taken from a queue at a time.
const BATCH: usize = 64;

/// Room in the queues towards the driver.
pub(super) const COMMANDS_MAX: usize = 256;

/// Operators' ends at once on one device.
const VIEWERS_MAX: usize = 64;

/// How long a link may take to send what is before its close.
const LEAVE_MAX: Duration = Duration::from_secs(5);

/// How often the list of sessions is said anew at most, so many times in so long: a program can give its
/// terminal another title in every line.
const PUBLISHED_MAX: usize = 16;
const PUBLISHED_WITHIN: Duration = Duration::from_secs(2);

/// What a device said, and what that costs it until it was dealt with.
pub(super) type Said = (Message, u32);

/// The driver's side of a device's websocket.
pub(super) struct LinkEnd {
    /// Numbers grow; a higher one replaces a lower one.
    pub(super) generation: u64,
    pub(super) kind: LinkKind,
    pub(super) said: mpsc::Receiver<Said>,
    pub(super) pipe: Pipe,
}

/// What a former run has left of a device.
pub(super) struct Left {
    pub(super) sessions: Vec<Adoptee>,
    /// The device is still let in.
    pub(super) is_let_in: bool,
}

/// A session that a former run has left.
pub(super) struct Adoptee {
    pub(super) opened_at: Timestamp,
    pub(super) adopted: Adopted,
    /// Its recording, if there is one.
    pub(super) recovered: Option<Recovered>,
}

/// What the driver is told.
pub(super) enum Command {
    /// Sessions are left from a former run.
    Adopt {
        left: Left,
        done: oneshot::Sender<()>,
    },
    /// The device has connected.
    LinkUp(LinkEnd),
    /// A websocket of the device has ended.
    LinkDown { generation: u64 },
    /// A message has been written to a websocket of the device.
    LinkWritten { generation: u64 },
    /// An operator's end has come.
    Attach {
        viewer: ViewerId,
        new: NewViewer,
        pipe: Pipe,
        answer: oneshot::Sender<Result<(), OpenError>>,
    },
    /// Somebody with the right to has ended a session.
    EndSession { sid: String, by: Owner },
    /// A person may not open terminals on the device any more.
    EndOwned { owner: UserId },
}

/// The driver's queues.
pub(super) struct Queues {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) viewers: mpsc::Receiver<(ViewerId, ToSession)>,
    /// The device is not let in any more.
    pub(super) removed: Arc<Notify>,
    /// The device has to show another token.
    pub(super) revoked: Arc<Notify>,
}

struct Link {
    generation: u64,
    pipe: Pipe,
    said: mpsc::Receiver<Said>,
    /// It is being closed, how, and by when it must be.
    leaving: Option<(Closing, Instant)>,
}

struct Driver {
    app: App,
    device: DeviceId,
    sessions: DeviceSessions,
    link: Option<Link>,
    seats: BTreeMap<ViewerId, Seat>,
    journal: DeviceJournal,
    progress: watch::Receiver<Progress>,
    ledger: Ledger,
    answers: Answers,
    /// What is being decided, by the number of the question.
    asked: HashMap<u64, (ViewerId, Grant)>,
    /// When the sessions were opened: their recordings are found by it.
    started: HashMap<String, Timestamp>,
    /// The core's count of changes that was published.
    published: Option<u64>,
    /// When it was, the last [`PUBLISHED_MAX`] times.
    published_at: VecDeque<Instant>,
    is_ending: bool,
}

/// Runs until there is nothing left to remember about the device, or the server ends.
pub(super) async fn run(app: App, device: DeviceId, mut queues: Queues) {
    let journal = app.recorder.device();
    let sessions = DeviceSessions::new(Settings {
        instance: app.instance.clone(),
        now: now(),
        wall: Timestamp::now(),
        detach_grace: app.config.detach_grace,
        new_sid: Box::new(|| uuid::Uuid::new_v4().to_string()),
    });
    let mut driver = Driver {
        ledger: Ledger::new(&app, device),
        progress: journal.progress(),
        app,
        device,
        sessions,
        link: None,
        seats: BTreeMap::new(),
        journal,
        answers: Answers::default(),
        asked: HashMap::new(),
        started: HashMap::new(),
        published: None,
        published_at: VecDeque::new(),
        is_ending: false,
    };
    loop {
        driver.turn(&mut queues).await;
        if driver.is_done(&queues) {
            return;
        }
    }
}

impl Driver {
    /// Waits for something to happen and deals with it.
    async fn turn(&mut self, queues: &mut Queues) {
        let now = now();
        let mut commands = Vec::new();
        let mut viewers = Vec::new();
        let mut said = Vec::new();
        let deadline = self.deadline(now).map(tokio::time::Instant::from_std);
        let hears = self.sessions.hears_device(now) && self.ledger.has_room();
        let device = async {
            match &mut self.link {
                Some(link) if hears => {
                    if link.said.recv_many(&mut said, BATCH).await == 0 {
                        std::future::pending().await
                    }
                }
                Some(_) | None => std::future::pending().await,
            }
        };
        let mut inputs = Vec::new();
        let mut is_ending = false;
        let mut is_revoked = false;
        tokio::select! {
            () = self.app.shutdown.cancelled(), if !self.is_ending => {
                is_ending = true;
                inputs.push(Input::End(EndReason::ServerEnding));
            }
            () = queues.removed.notified() => inputs.push(Input::End(EndReason::DeviceRemoved)),
            () = queues.revoked.notified() => is_revoked = true,
            Ok(()) = self.progress.changed() => {
                inputs.push(committed(&self.progress.borrow_and_update()));
            }
            done = self.ledger.next() => inputs.push(done),
            answer = self.answers.next() => inputs.push(answer),
            _ = queues.commands.recv_many(&mut commands, BATCH) => {}
            _ = queues.viewers.recv_many(&mut viewers, BATCH) => {}
            () = device => {}
            () = until(deadline) => inputs.push(Input::Tick),
        }
        let now = self::now();
        self.is_ending |= is_ending;
        if is_revoked && let Some(link) = &mut self.link {
            link.pipe.cut(close::revoked());
        }
        for input in inputs {
            self.handle(now, input);
        }
        for command in commands {
            self.obey(now, command);
        }
        for (viewer, what) in viewers {
            self.viewer_says(now, viewer, what);
        }
        for (message, cost) in said {
            self.handle(now, Input::FromDevice(message));
            if let Some(link) = &self.link {
                link.pipe.refund(cost);
            }
        }
        self.exchange(now);
        self.publish(now);
    }

    fn deadline(&self, now: Instant) -> Option<Instant> {
        let leave = self.link.as_ref().and_then(|link| link.leaving.as_ref());
        let leave = leave.map(|(_, by)| *by);
        let core = self.sessions.deadline(now);
        core.into_iter()
            .chain(leave)
            .chain(self.publish_due(now))
            .min()
    }

    /// Whether there is nothing left to do: the server ends and everything has been said and written down,
    /// or there is nothing to remember of the device.
    fn is_done(&mut self, queues: &Queues) -> bool {
        if self.link.is_some() || !self.seats.is_empty() || !self.ledger.is_empty() {
            return false;
        }
        if self.is_ending {
            return true;
        }
        let is_empty = self.sessions.is_empty() && self.answers.is_empty();
        is_empty && self.app.links.retire(self.device, &queues.commands)
    }

    fn obey(&mut self, now: Instant, command: Command) {
        match command {
            Command::Adopt { left, done } => {
                for session in left.sessions {
                    self.adopt(now, session);
                }
                if !left.is_let_in {
                    self.handle(now, Input::End(EndReason::DeviceRemoved));
                }
                // If nobody waits for it, the server ends.
                let _ = done.send(());
            }
            Command::LinkUp(end) => self.link_up(now, end),
            Command::LinkDown { generation } => {
                if self.is_present(generation) {
                    self.link = None;
                    self.handle(now, Input::LinkDown);
                }
            }
            Command::LinkWritten { generation } => {
                if let Some(link) = &mut self.link
                    && link.generation == generation
                {
                    link.pipe.written();
                }
            }
            Command::Attach {
                viewer,
                new,
                pipe,
                answer,
            } => {
                let attached = self.attach(now, viewer, new, pipe);
                if answer.send(attached).is_err() {
                    // Whoever asked has left meanwhile.
                    self.viewer_gone(now, viewer);
                }
            }
            Command::EndSession { sid, by } => {
                let why = EndReason::Stopped;
                let by = Some(by);
                self.handle(now, Input::EndSession { sid, by, why });
            }
            Command::EndOwned { owner } => {
                let why = EndReason::NotAllowed;
                self.handle(now, Input::EndOwned { owner, why });
            }
        }
    }

    fn adopt(&mut self, now: Instant, session: Adoptee) {
        let Adoptee {
            opened_at,
            adopted,
            recovered,
        } = session;
        match &recovered {
            Some(recovered) => {
                self.started.insert(adopted.sid.clone(), opened_at);
                self.journal.resume(recovered);
            }
            None => self.open_journal(Opening {
                sid: adopted.sid.clone(),
                owner: adopted.owner.clone(),
                started_at: opened_at,
                size: adopted.size,
                lossless: adopted.lossless,
            }),
        }
        self.handle(now, Input::Adopt(Box::new(adopted)));
    }

    fn is_present(&self, generation: u64) -> bool {
        let present = self.link.as_ref().map(|link| link.generation);
        present == Some(generation)
    }

    fn link_up(&mut self, now: Instant, mut end: LinkEnd) {
        if let Some(link) = &mut self.link {
            if link.generation > end.generation {
                end.pipe.cut(close::replaced());
                return;
            }
            link.pipe.cut(close::replaced());
        }
        if self.is_ending {
            end.pipe
                .cut(close::link(LinkClose::End(EndReason::ServerEnding)));
            return;
        }
        // The queue of an older link is gone, and with it whatever it held.
        self.link = Some(Link {
            generation: end.generation,
            pipe: end.pipe,
            said: end.said,
            leaving: None,
        });
        self.handle(now, Input::LinkUp { kind: end.kind });
    }

    fn attach(
        &mut self,
        now: Instant,
        viewer: ViewerId,
        new: NewViewer,
        pipe: Pipe,
    ) -> Result<(), OpenError> {
        let is_away = self.link.as_ref().is_none_or(|link| link.leaving.is_some());
        if self.is_ending || (is_away && new.kind == ViewerKind::Plain) {
            return Err(OpenError::Disconnected);
        }
        if self.seats.len() >= VIEWERS_MAX || !self.ledger.has_room() {
            return Err(OpenError::TooMany);
        }
        let attach = Input::Attach {
            viewer,
            person: new.person,
            kind: new.kind,
        };
        self.seats.insert(viewer, Seat::new(new.principal, pipe));
        self.handle(now, attach);
        Ok(())
    }

    fn viewer_says(&mut self, now: Instant, viewer: ViewerId, what: ToSession) {
        match what {
            ToSession::Gone => self.viewer_gone(now, viewer),
            ToSession::End(why) => self.handle(now, Input::EndViewer(viewer, why)),
            ToSession::Said { message, cost } => {
                if let Some(seat) = self.seats.get_mut(&viewer) {
                    seat.says(message, cost);
                }
            }
            ToSession::Written => {
                if let Some(seat) = self.seats.get_mut(&viewer) {
                    seat.pipe.written();
                }
            }
            ToSession::Rights(roles) => {
                let device = self.device;
                let lost = self.seats.get_mut(&viewer);
                for input in lost.map_or_else(Vec::new, |seat| seat.lose(viewer, device, roles)) {
                    self.handle(now, input);
                }
            }
        }
    }

    fn viewer_gone(&mut self, now: Instant, viewer: ViewerId) {
        if self.seats.remove(&viewer).is_some() {
            self.answers.forget(viewer);
            self.handle(now, Input::ViewerGone(viewer));
        }
    }

    fn handle(&mut self, now: Instant, input: Input) {
        if let Input::Decided { ask, allowed } = &input {
            self.decided(*ask, *allowed);
        }
        let mut effects = Vec::new();
        self.sessions.handle(now, input, &mut effects);
        self.carry_out(now, effects);
    }
}

fn committed(progress: &Progress) -> Input {
    let trouble = progress.trouble.iter().map(|(sid, trouble)| Trouble {
        sid: sid.clone(),
        from: trouble.from,
        given_up: trouble.given_up,
    });
    Input::Committed {
        seq: progress.committed,
        trouble: trouble.collect(),
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
