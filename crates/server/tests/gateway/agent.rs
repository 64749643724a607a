//! A device that speaks `longwire.v1`, in a task of its own: its shells write numbered output and take
//! whatever is typed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use longwire_link::{ShellConfig, ShellEnd, ToShellEnd};
use longwire_protocol::shell::{Ended, Stop};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::lab::DEVICE_PATH;
use crate::peer::within;
use crate::wire::{Come, Time, Wire};

/// The byte of every session's output at this offset.
pub fn byte_at(offset: u64) -> u8 {
    let mixed = (offset ^ (offset >> 9)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 56) as u8
}

/// Output from one offset to another.
pub fn output(from: u64, to: u64) -> Vec<u8> {
    (from..to).map(byte_at).collect()
}

/// What a shell is to do.
#[derive(Clone, Default)]
struct Orders {
    /// Where its links lead; nowhere: they are cut.
    server: Option<(SocketAddr, String)>,
    /// How much every shell has written when it waits for more.
    output: u64,
    /// The shells end then.
    ends: bool,
}

/// What has become of its shells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shell {
    pub typed: Vec<u8>,
    pub written: u64,
    pub stopped: bool,
    pub epochs: Vec<u64>,
}

pub struct Agent {
    orders: watch::Sender<Orders>,
    shells: watch::Receiver<BTreeMap<String, Shell>>,
    /// How the last link was closed.
    pub closed: Arc<Mutex<Option<(u16, String)>>>,
    task: JoinHandle<()>,
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Agent {
    pub fn start() -> Self {
        let (orders, ordered) = watch::channel(Orders::default());
        let (tell, shells) = watch::channel(BTreeMap::new());
        let closed = Arc::default();
        let run = Run {
            end: ShellEnd::new(ShellConfig::new("agent-1")),
            time: Time::new(),
            orders: ordered,
            shells: tell,
            closed: Arc::clone(&closed),
        };
        Self {
            orders,
            shells,
            closed,
            task: tokio::spawn(run.run()),
        }
    }

    /// Lets it dial until it is connected, and again whenever it is not.
    pub fn connect(&self, server: SocketAddr, token: &str) {
        let server = Some((server, token.to_owned()));
        self.orders.send_modify(|orders| orders.server = server);
    }

    /// Cuts the link, and makes no other.
    pub fn cut(&self) {
        self.orders.send_modify(|orders| orders.server = None);
    }

    /// Lets every shell write up to here.
    pub fn write_to(&self, offset: u64) {
        self.orders.send_modify(|orders| orders.output = offset);
    }

    /// Lets every shell end after what it writes.
    pub fn end_shells(&self) {
        self.orders.send_modify(|orders| orders.ends = true);
    }

    /// Waits until its shells are as wanted.
    pub async fn until(
        &mut self,
        wanted: impl Fn(&BTreeMap<String, Shell>) -> bool,
    ) -> BTreeMap<String, Shell> {
        let reached = within(self.shells.wait_for(|shells| wanted(shells))).await;
        reached.unwrap().clone()
    }

    pub fn shells(&self) -> BTreeMap<String, Shell> {
        self.shells.borrow().clone()
    }
}

struct Run {
    end: ShellEnd,
    time: Time,
    orders: watch::Receiver<Orders>,
    shells: watch::Sender<BTreeMap<String, Shell>>,
    closed: Arc<Mutex<Option<(u16, String)>>>,
}

impl Run {
    async fn run(mut self) {
        loop {
            let server = self.orders.borrow_and_update().server.clone();
            let link = match &server {
                Some((address, token)) => Wire::dial(*address, DEVICE_PATH, token).await,
                None => None,
            };
            match link {
                Some(link) => self.linked(link, server.as_ref()).await,
                None => {
                    self.work();
                    let changed = self.orders.changed();
                    let again = tokio::time::timeout(Duration::from_millis(50), changed);
                    if let Ok(Err(_)) = again.await {
                        return;
                    }
                }
            }
        }
    }

    async fn linked(&mut self, mut wire: Wire, server: Option<&(SocketAddr, String)>) {
        let generation = self.end.connected(self.time.now());
        loop {
            self.work();
            while let Some(message) = self.end.transmit(self.time.now()) {
                if !wire.send(&message).await {
                    return self.end.disconnected(generation);
                }
                self.work();
            }
            let deadline = self.end.deadline().unwrap();
            let wait = deadline.saturating_sub(self.time.now());
            tokio::select! {
                come = wire.next() => match come {
                    Come::Message(message) => {
                        self.end.receive(generation, message, self.time.now()).unwrap();
                    }
                    Come::Over(closed) => {
                        *self.closed.lock().unwrap() = closed;
                        return self.end.disconnected(generation);
                    }
                },
                changed = self.orders.changed() => {
                    if changed.is_err() || self.orders.borrow().server.as_ref() != server {
                        return self.end.disconnected(generation);
                    }
                }
                () = tokio::time::sleep(wait) => self.end.tick(self.time.now()).unwrap(),
            }
        }
    }

    /// What its shells do.
    fn work(&mut self) {
        let mut shells = self.shells.borrow().clone();
        let before = shells.clone();
        while let Some(event) = self.end.event() {
            match event {
                ToShellEnd::Open { sid, epoch, .. } => {
                    self.end.started(&sid).unwrap();
                    let shell = Shell {
                        epochs: vec![epoch],
                        ..Shell::default()
                    };
                    assert_eq!(shells.insert(sid, shell), None, "a shell was opened twice");
                }
                ToShellEnd::Stop { sid, .. } => {
                    shells.get_mut(&sid).unwrap().stopped = true;
                    let stop = Stop {
                        reason: Some(Ended::Stopped),
                        ..Stop::default()
                    };
                    self.end.ended(&sid, stop).unwrap();
                }
                ToShellEnd::Epoch { sid, epoch, .. } => {
                    shells.get_mut(&sid).unwrap().epochs.push(epoch);
                }
                ToShellEnd::PeerError(error) => panic!("{error}"),
                ToShellEnd::InputSkipped { .. } => panic!("{event:?}"),
                _ => {}
            }
        }
        let (wanted, ends) = {
            let orders = self.orders.borrow();
            (orders.output, orders.ends)
        };
        let ms = u64::try_from(self.time.now().as_millis()).unwrap();
        for (sid, shell) in &mut shells {
            while !self.end.input(sid).is_empty() {
                let input = self.end.input(sid).to_vec();
                self.end.wrote(sid, input.len()).unwrap();
                shell.typed.extend(input);
            }
            if shell.stopped {
                continue;
            }
            let room = (self.end.room(sid) as u64).min(wanted.saturating_sub(shell.written));
            if room > 0 {
                let bytes = Bytes::from(output(shell.written, shell.written + room));
                self.end.output(sid, &bytes, ms).unwrap();
                shell.written += room;
            }
            if ends && shell.written == wanted {
                shell.stopped = true;
                let stop = Stop {
                    reason: Some(Ended::Exited),
                    exit_status: Some(7),
                    ..Stop::default()
                };
                self.end.ended(sid, stop).unwrap();
            }
        }
        if shells != before {
            self.shells.send_replace(shells);
        }
    }
}
