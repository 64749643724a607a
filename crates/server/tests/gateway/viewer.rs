//! A program of an operator's that speaks `longwire.v1`.

use std::net::SocketAddr;

use longwire_link::{Generation, Hello, ToUserEnd, UserEnd, limits};
use longwire_protocol::shell::{Stop, Winsize};
use longwire_protocol::{Message, Props};

use crate::lab::terminal_path;
use crate::wire::{Come, Time, Wire};

pub struct Viewer {
    pub end: UserEnd,
    time: Time,
    path: String,
    token: String,
    link: Option<(Wire, Generation)>,
    pub seen: Seen,
}

/// What it has been told.
#[derive(Default, Debug)]
pub struct Seen {
    pub started: bool,
    pub refused: Option<String>,
    /// Output, from `from` on.
    pub output: Vec<u8>,
    pub from: u64,
    pub gaps: Vec<(u64, u64)>,
    pub screens: Vec<u64>,
    pub epoch: u64,
    pub unarrived: u64,
    pub applied: u64,
    pub ended: Option<Stop>,
    pub lost: bool,
    /// Messages beside the stream.
    pub others: Vec<Message>,
    /// How the last link was closed.
    pub closed: Option<Option<(u16, String)>>,
}

impl Seen {
    pub fn end(&self) -> u64 {
        self.from + self.output.len() as u64
    }

    /// The newest message of a type.
    pub fn last(&self, typ: &str) -> Option<&Message> {
        self.others.iter().rev().find(|message| message.typ == typ)
    }
}

impl Viewer {
    pub fn new(instance: &str, device: impl std::fmt::Display, token: &str) -> Self {
        Self {
            end: UserEnd::for_viewer(Hello::new(instance, limits::OUTPUT_WINDOW)),
            time: Time::new(),
            path: terminal_path(device),
            token: token.to_owned(),
            link: None,
            seen: Seen::default(),
        }
    }

    pub async fn connect(&mut self, server: SocketAddr) {
        let wire = Wire::dial(server, &self.path, &self.token).await.unwrap();
        self.seen.closed = None;
        let generation = self.end.connected(self.time.now());
        self.link = Some((wire, generation));
    }

    /// Its link is gone without a word.
    pub fn cut(&mut self) {
        if let Some((_, generation)) = self.link.take() {
            self.end.disconnected(generation);
        }
    }

    /// Asks for a shell.
    pub fn open(&mut self, sid: &str) {
        self.end.open(sid, 1, Winsize::new(24, 80), all()).unwrap();
    }

    /// Only looks.
    pub fn watch(&mut self, sid: &str) {
        let more = Props::new().with("watch", true);
        self.end.resume(sid, None, 0, None, more).unwrap();
    }

    pub fn type_in(&mut self, sid: &str, bytes: &[u8]) {
        self.end.input(sid, bytes, self.time.now()).unwrap();
    }

    /// Goes on until what it types counts.
    pub async fn until_in_control(&mut self, sid: &str) {
        let taken = tokio::time::timeout(std::time::Duration::from_secs(20), async {
            while !self.is_in_control(sid) {
                self.step().await;
            }
        })
        .await;
        assert!(taken.is_ok(), "not in control: {:?}", Brief(&self.seen));
    }

    pub fn is_in_control(&mut self, sid: &str) -> bool {
        self.end.input(sid, b"", self.time.now()).is_ok()
    }

    /// Goes on until it has seen what is wanted.
    pub async fn until(&mut self, what: &str, wanted: impl Fn(&Seen) -> bool) {
        let reached = tokio::time::timeout(std::time::Duration::from_secs(40), async {
            while !wanted(&self.seen) {
                self.step().await;
            }
        })
        .await;
        assert!(reached.is_ok(), "not {what}: {:?}", Brief(&self.seen));
    }

    /// Sends what there is to send and takes in one message.
    pub async fn step(&mut self) {
        self.send().await;
        let Some((wire, generation)) = &mut self.link else {
            return std::future::pending().await;
        };
        let generation = *generation;
        let deadline = self.end.deadline().unwrap();
        let wait = deadline.saturating_sub(self.time.now());
        tokio::select! {
            come = wire.next() => match come {
                Come::Message(message) => {
                    self.end.receive(generation, message, self.time.now()).unwrap();
                }
                Come::Over(closed) => {
                    self.seen.closed = Some(closed);
                    self.cut();
                }
            },
            () = tokio::time::sleep(wait) => self.end.tick(self.time.now()).unwrap(),
        }
        self.events();
        self.send().await;
    }

    pub async fn send(&mut self) {
        while let Some((wire, _)) = &mut self.link
            && let Some(message) = self.end.transmit(self.time.now())
        {
            if !wire.send(&message).await {
                self.seen.closed = Some(None);
                self.cut();
            }
        }
    }

    fn events(&mut self) {
        let seen = &mut self.seen;
        while let Some(event) = self.end.event() {
            match event {
                ToUserEnd::Started { .. } => seen.started = true,
                ToUserEnd::Refused { why, .. } => seen.refused = Some(why),
                ToUserEnd::Output {
                    sid, offset, bytes, ..
                } => {
                    assert_eq!(offset, seen.end(), "output is not contiguous");
                    seen.output.extend_from_slice(&bytes);
                    self.end
                        .recorded(&sid, offset + bytes.len() as u64)
                        .unwrap();
                }
                ToUserEnd::Gap { from, to, .. } => {
                    seen.gaps.push((from, to));
                    seen.from = to;
                    seen.output.clear();
                }
                ToUserEnd::Screen { offset, .. } => {
                    seen.screens.push(offset);
                    seen.from = offset;
                    seen.output.clear();
                }
                ToUserEnd::Epoch {
                    epoch, unarrived, ..
                } => {
                    seen.epoch = epoch;
                    seen.unarrived += unarrived;
                }
                ToUserEnd::Applied { offset, .. } => seen.applied = offset,
                ToUserEnd::Ended { stop, sid, .. } => {
                    seen.ended = Some(stop);
                    self.end.end_recorded(&sid).unwrap();
                }
                ToUserEnd::Lost { .. } => seen.lost = true,
                ToUserEnd::Other(message) => seen.others.push(message),
                ToUserEnd::PeerError(error) => panic!("{error}"),
                ToUserEnd::InputHeld { .. } | ToUserEnd::Stranger { .. } => panic!("{event:?}"),
                ToUserEnd::Hello(_) | ToUserEnd::Resumed { .. } | ToUserEnd::Resized { .. } => {}
            }
        }
    }
}

/// A script's wish: no byte is skipped.
fn all() -> Props {
    Props::new().with("all_output", true)
}

/// Without the output.
struct Brief<'a>(&'a Seen);

impl std::fmt::Debug for Brief<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Seen {
            output: _,
            others,
            from,
            ..
        } = self.0;
        let types: Vec<_> = others.iter().map(|message| &message.typ).collect();
        write!(
            f,
            "from {from} to {}, {:?} {:?} {:?} lost {} epoch {} screens {:?} beside: {types:?}",
            self.0.end(),
            self.0.refused,
            self.0.ended,
            self.0.closed,
            self.0.lost,
            self.0.epoch,
            self.0.screens,
        )
    }
}
