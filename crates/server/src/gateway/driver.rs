//! The one task that drives the sessions of a device: hands what happens to the state machine in
//! [`crate::session`] and carries out what it says. It never waits for a peer: every queue it fills is
//! filled without waiting, and who lets a queue run full is done without.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use longwire_protocol::Message;
use tokio::sync::{Notify, mpsc, oneshot};

use super::pipe::Pipe;
use super::{close, recorder};
use crate::app::App;
use crate::bus::{Closing, LiveSession, NewViewer, OpenError, Present, SessionState, ToSession};
use crate::ids::DeviceId;
use crate::session::{
    CloseReason, DeviceSessions, Effect, EndReason, Happened, Input, LinkKind, Record, ViewerId,
};
use crate::time::Timestamp;

/// What is taken from a queue at a time.
const BATCH: usize = 64;

/// Room in the queues towards the driver, and of records to be written.
pub(super) const COMMANDS_MAX: usize = 256;
const RECORDS_MAX: usize = 1024;

/// Messages that wait for a websocket's room. One that lets more of them gather does not read.
const WAITING_MAX: usize = 512;

/// Operators' ends at once on one device; a real agent has no more than 16 shells.
const VIEWERS_MAX: usize = 64;

/// How long a link may take to send what is before its close.
const LEAVE_MAX: Duration = Duration::from_secs(5);

/// What a device said, and what that costs it until it was dealt with.
pub(super) type Said = (Message, u32);

/// The driver's side of a device's websocket.
pub(super) struct LinkEnd {
    /// Numbers grow; a higher one replaces a lower one.
    pub(super) generation: u64,
    pub(super) said: mpsc::Receiver<Said>,
    pub(super) pipe: Pipe,
}

/// What the driver is told.
pub(super) enum Command {
    /// The device has connected.
    LinkUp(LinkEnd),
    /// A websocket of the device has ended.
    LinkDown { generation: u64 },
    /// A message has been written to a websocket of the device.
    LinkWritten { generation: u64 },
    /// An operator's end wants a session.
    Attach {
        viewer: ViewerId,
        sid: String,
        new: NewViewer,
        pipe: Pipe,
        answer: oneshot::Sender<Result<(), OpenError>>,
    },
    /// The opening of a session has been written down, or could not be.
    Recorded { sid: String, ok: bool },
}

/// The driver's queues.
pub(super) struct Queues {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) viewers: mpsc::Receiver<(ViewerId, ToSession)>,
    /// The device is not let in any more.
    pub(super) removed: Arc<Notify>,
}

struct Link {
    generation: u64,
    outbox: Outbox,
    /// It is being closed, and why, and by when it must be.
    leaving: Option<(EndReason, Instant)>,
}

/// An operator's end and its session.
struct Seat {
    outbox: Outbox,
    session: LiveSession,
}

/// What goes to a websocket, in order, as there is room.
struct Outbox {
    pipe: Pipe,
    waiting: VecDeque<Waiting>,
    /// Bytes of the messages that are being written.
    under_way: VecDeque<usize>,
}

enum Waiting {
    Message(Message),
    Close(Closing),
}

impl Outbox {
    fn new(pipe: Pipe) -> Self {
        Self {
            pipe,
            waiting: VecDeque::new(),
            under_way: VecDeque::new(),
        }
    }

    /// False if the other side lets it run full.
    fn push(&mut self, what: Waiting) -> bool {
        let fits = self.waiting.len() < WAITING_MAX;
        if fits {
            self.waiting.push_back(what);
            self.send();
        }
        fits
    }

    fn send(&mut self) {
        while self.pipe.has_room() {
            match self.waiting.pop_front() {
                Some(Waiting::Message(message)) => {
                    self.under_way.push_back(message.body.len());
                    self.pipe.send(message);
                }
                Some(Waiting::Close(closing)) => self.pipe.close(closing),
                None => return,
            }
        }
    }

    /// A message has been written. Returns the bytes of its body.
    fn written(&mut self) -> usize {
        self.pipe.written();
        self.send();
        self.under_way.pop_front().unwrap_or_default()
    }
}

struct Driver {
    device: DeviceId,
    sessions: DeviceSessions,
    link: Option<Link>,
    /// What the present link says. The queue of an older one is gone, and with it whatever it held.
    said: Option<mpsc::Receiver<Said>>,
    viewers: HashMap<ViewerId, Seat>,
    /// What was said of the sessions is not true any more.
    has_changed: bool,
    records: mpsc::Sender<Record>,
    /// What carrying out effects has led to.
    inputs: VecDeque<Input>,
}

/// Runs until there is nothing left to remember about the device, or the server ends.
pub(super) async fn run(
    app: App,
    device: DeviceId,
    mut queues: Queues,
    to_driver: mpsc::Sender<Command>,
) {
    let (records, written) = mpsc::channel(RECORDS_MAX);
    app.tasks
        .spawn(recorder::run(app.clone(), device, written, to_driver));
    let mut driver = Driver {
        device,
        sessions: DeviceSessions::default(),
        link: None,
        said: None,
        viewers: HashMap::new(),
        has_changed: false,
        records,
        inputs: VecDeque::new(),
    };
    let mut ending = false;
    loop {
        driver.turn(&app, &mut queues, &mut ending).await;
        let done = ending && driver.link.is_none() && driver.viewers.is_empty();
        if done || (driver.sessions.is_empty() && app.links.retire(device, &queues.commands)) {
            return;
        }
    }
}

impl Driver {
    /// Waits for something to happen and deals with it.
    async fn turn(&mut self, app: &App, queues: &mut Queues, ending: &mut bool) {
        let now = now();
        let mut commands = Vec::new();
        let mut viewers = Vec::new();
        let mut said = Vec::new();
        let deadline = self.deadline(now).map(tokio::time::Instant::from_std);
        let hears = self.sessions.hears_device(now);
        let device = async {
            match &mut self.said {
                Some(queue) if hears => {
                    if queue.recv_many(&mut said, BATCH).await == 0 {
                        std::future::pending().await
                    }
                }
                Some(_) | None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = app.shutdown.cancelled(), if !*ending => {
                *ending = true;
                self.inputs.push_back(Input::End(EndReason::ServerEnding));
            }
            () = queues.removed.notified() => {
                self.inputs.push_back(Input::End(EndReason::DeviceRemoved));
            }
            _ = queues.commands.recv_many(&mut commands, BATCH) => {}
            _ = queues.viewers.recv_many(&mut viewers, BATCH) => {}
            () = device => {}
            () = until(deadline) => self.inputs.push_back(Input::Tick),
        }
        let now = self::now();
        self.flush_inputs(now);
        for command in commands {
            self.obey(now, command, *ending);
        }
        for (viewer, what) in viewers {
            self.viewer_says(now, viewer, what);
        }
        for (message, cost) in said {
            self.handle(now, Input::FromDevice(message));
            if let Some(link) = &self.link {
                link.outbox.pipe.refund(cost);
            }
        }
        self.settle(now);
        self.publish(app);
    }

    fn deadline(&self, now: Instant) -> Option<Instant> {
        let leave = self.link.as_ref().and_then(|link| link.leaving);
        let leave = leave.map(|(_, by)| by);
        self.sessions.deadline(now).into_iter().chain(leave).min()
    }

    fn obey(&mut self, now: Instant, command: Command, ending: bool) {
        match command {
            Command::LinkUp(end) => self.link_up(now, end, ending),
            Command::LinkDown { generation } => {
                if self.is_present(generation) {
                    self.link = None;
                    self.said = None;
                    self.handle(now, Input::LinkDown);
                }
            }
            Command::LinkWritten { generation } => {
                if let Some(link) = &mut self.link
                    && link.generation == generation
                {
                    let bytes = link.outbox.written();
                    let messages = 1;
                    self.handle(now, Input::LinkWritten { messages, bytes });
                }
            }
            Command::Attach {
                viewer,
                sid,
                new,
                pipe,
                answer,
            } => {
                let opened = self.attach(now, viewer, sid, new, pipe);
                if answer.send(opened).is_err() {
                    // Whoever asked has left meanwhile.
                    self.forget(viewer);
                    self.handle(now, Input::ViewerGone(viewer));
                }
            }
            Command::Recorded { sid, ok } => self.handle(now, Input::Recorded { sid, ok }),
        }
    }

    fn is_present(&self, generation: u64) -> bool {
        let present = self.link.as_ref().map(|link| link.generation);
        present == Some(generation)
    }

    fn link_up(&mut self, now: Instant, end: LinkEnd, ending: bool) {
        let mut outbox = Outbox::new(end.pipe);
        if let Some(link) = &mut self.link {
            if link.generation > end.generation {
                outbox.pipe.cut(close::replaced());
                return;
            }
            link.outbox.pipe.cut(close::replaced());
        }
        self.said = Some(end.said);
        self.link = Some(Link {
            generation: end.generation,
            outbox,
            leaving: None,
        });
        let kind = LinkKind::Plain;
        self.handle(now, Input::LinkUp { kind });
        if ending {
            self.handle(now, Input::End(EndReason::ServerEnding));
        }
    }

    fn attach(
        &mut self,
        now: Instant,
        viewer: ViewerId,
        sid: String,
        new: NewViewer,
        pipe: Pipe,
    ) -> Result<(), OpenError> {
        if self.link.as_ref().is_none_or(|link| link.leaving.is_some()) {
            return Err(OpenError::Disconnected);
        }
        if self.sessions.viewers() >= VIEWERS_MAX {
            return Err(OpenError::TooMany);
        }
        let session = self.session(&sid, &new);
        let outbox = Outbox::new(pipe);
        self.viewers.insert(viewer, Seat { outbox, session });
        self.has_changed = true;
        let attach = Input::Attach {
            viewer,
            sid,
            owner: new.owner,
            kind: new.kind,
        };
        self.handle(now, attach);
        Ok(())
    }

    fn viewer_says(&mut self, now: Instant, viewer: ViewerId, what: ToSession) {
        let input = match what {
            ToSession::Said { message, cost } => Input::FromViewer {
                viewer,
                message,
                cost,
            },
            ToSession::Written => {
                let Some(seat) = self.viewers.get_mut(&viewer) else {
                    return;
                };
                let output = seat.outbox.written();
                let messages = 1;
                Input::ViewerWritten {
                    viewer,
                    messages,
                    output,
                }
            }
            ToSession::End(why) => Input::EndViewer(viewer, why),
            ToSession::Gone => {
                self.forget(viewer);
                Input::ViewerGone(viewer)
            }
        };
        self.handle(now, input);
    }

    fn handle(&mut self, now: Instant, input: Input) {
        let mut effects = Vec::new();
        self.sessions.handle(now, input, &mut effects);
        self.carry_out(now, effects);
    }

    fn settle(&mut self, now: Instant) {
        if let Some(link) = &mut self.link
            && let Some((why, by)) = link.leaving
            && by <= now
        {
            link.outbox.pipe.cut(close::link(why));
        }
        let mut effects = Vec::new();
        self.sessions.settle(now, &mut effects);
        self.carry_out(now, effects);
        self.flush_inputs(now);
    }

    fn flush_inputs(&mut self, now: Instant) {
        while let Some(input) = self.inputs.pop_front() {
            self.handle(now, input);
        }
    }

    fn carry_out(&mut self, now: Instant, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::ToDevice(message) => self.tell_device(Waiting::Message(message)),
                Effect::CloseLink(why) => {
                    self.tell_device(Waiting::Close(close::link(why)));
                    if let Some(link) = &mut self.link {
                        link.leaving = Some((why, now + LEAVE_MAX));
                    }
                }
                Effect::CutLink => self.cut_link(close::silent()),
                Effect::ToViewer(viewer, message) => {
                    self.tell_viewer(viewer, Waiting::Message(message));
                }
                Effect::Credit(viewer, credits) => {
                    if let Some(seat) = self.viewers.get(&viewer) {
                        seat.outbox.pipe.refund(credits);
                    }
                }
                Effect::CloseViewer(viewer, reason) => {
                    self.tell_viewer(viewer, Waiting::Close(close::viewer(reason)));
                }
                Effect::CutViewer(viewer, reason) => self.cut_viewer(viewer, reason),
                Effect::Record(record) => self.record(record),
            }
        }
    }

    fn tell_device(&mut self, what: Waiting) {
        if let Some(link) = &mut self.link
            && !link.outbox.push(what)
        {
            // It asks for more answers than it reads.
            self.cut_link(close::untaken());
        }
    }

    fn cut_link(&mut self, closing: Closing) {
        if let Some(link) = &mut self.link {
            link.outbox.pipe.cut(closing);
        }
    }

    fn tell_viewer(&mut self, viewer: ViewerId, what: Waiting) {
        if let Some(seat) = self.viewers.get_mut(&viewer)
            && !seat.outbox.push(what)
        {
            self.cut_viewer(viewer, CloseReason::TooSlow);
            self.inputs.push_back(Input::ViewerGone(viewer));
        }
    }

    fn cut_viewer(&mut self, viewer: ViewerId, reason: CloseReason) {
        if let Some(mut seat) = self.forget(viewer) {
            seat.outbox.pipe.cut(close::viewer(reason));
        }
    }

    fn forget(&mut self, viewer: ViewerId) -> Option<Seat> {
        self.has_changed = true;
        self.viewers.remove(&viewer)
    }

    fn session(&self, sid: &str, new: &NewViewer) -> LiveSession {
        let now = Timestamp::now();
        LiveSession {
            id: sid.to_owned(),
            device: self.device,
            owner: new.owner.user_id(),
            owner_email: new.owner.email().to_owned(),
            state: SessionState::Attached,
            started_at: now,
            detached_at: None,
            lossless: false,
            size: None,
            title: None,
            epoch: 1,
            viewers: vec![Present {
                email: new.owner.email().to_owned(),
                control: true,
                since: now,
            }],
        }
    }

    fn publish(&mut self, app: &App) {
        if std::mem::take(&mut self.has_changed) {
            let sessions = self.viewers.values().map(|seat| seat.session.clone());
            app.links.publish(self.device, sessions.collect());
        }
    }

    fn record(&mut self, record: Record) {
        let Err(error) = self.records.try_send(record) else {
            return;
        };
        let record = error.into_inner();
        tracing::error!(device = %self.device, sid = record.sid, "a session could not be written down");
        if record.happened == Happened::Opened {
            let sid = record.sid;
            self.inputs.push_back(Input::Recorded { sid, ok: false });
        }
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
