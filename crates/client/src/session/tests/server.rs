//! A server with one shell, over connections in memory.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use longwire_link::{Attachment, ShellConfig, ShellEnd, ToShellEnd};
use longwire_protocol::shell::{Stop, Winsize};
use longwire_protocol::{Message, Props, Receiver, decode, encode, proto};
use tokio::io::DuplexStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::Role as Side;

use crate::Error;
use crate::session::event::Closed;

/// What outlives connections.
#[derive(Default)]
pub(super) struct Truth {
    pub sid: String,
    pub epoch: u64,
    pub output: Vec<u8>,
    /// What a newcomer sees instead of the output so far.
    pub screen: Vec<u8>,
    pub applied: Vec<u8>,
    pub stop: Option<Stop>,
    pub is_end_known: bool,
    pub sizes: Vec<Winsize>,
    pub more: Props,
    pub connections: usize,
    /// Somebody else is in control.
    pub is_taken: bool,
    /// The shell takes no input.
    pub is_stuck: bool,
    /// Nothing is said any more, though the connection stays.
    pub is_mute: bool,
    /// Refuse the next shell with this.
    pub refusal: Option<Message>,
    /// What a connection is told when the session is attached.
    pub greeting: Vec<Message>,
    /// What to say beside the stream, to whoever is connected.
    pub say: Vec<Message>,
    /// How many frames the present and later connections live, in order; then they live on.
    pub lives: Vec<u64>,
    /// How another connection fails, if it does.
    pub failures: Vec<Closed>,
    pub released: usize,
}

/// The server.
#[derive(Clone)]
pub(super) struct Server {
    truth: Arc<Mutex<Truth>>,
    changed: Arc<Notify>,
    cut: Arc<Notify>,
    room: usize,
}

impl Server {
    /// With connections that hold `room` bytes on their way.
    pub(super) fn new(room: usize) -> Self {
        let truth = Truth {
            epoch: 1,
            ..Truth::default()
        };
        Server {
            truth: Arc::new(Mutex::new(truth)),
            changed: Arc::default(),
            cut: Arc::default(),
            room,
        }
    }

    pub(super) fn truth(&self) -> MutexGuard<'_, Truth> {
        self.truth.lock().unwrap()
    }

    /// Changes something and lets the present connection know.
    pub(super) fn change(&self, change: impl FnOnce(&mut Truth)) {
        change(&mut self.truth());
        self.changed.notify_one();
    }

    /// Cuts the present connection.
    pub(super) fn cut(&self) {
        self.cut.notify_one();
    }

    /// Another connection.
    pub(super) async fn connect(&self) -> Result<WebSocketStream<DuplexStream>, Closed> {
        if let Some(failure) = self.truth().failures.pop() {
            return Err(failure);
        }
        let (ours, theirs) = tokio::io::duplex(self.room);
        let server = self.clone();
        tokio::spawn(async move {
            let socket = WebSocketStream::from_raw_socket(theirs, Side::Server, None).await;
            server.serve(socket).await;
        });
        Ok(WebSocketStream::from_raw_socket(ours, Side::Client, None).await)
    }

    async fn serve(self, mut socket: WebSocketStream<DuplexStream>) {
        let mut life = {
            let mut truth = self.truth();
            truth.connections += 1;
            truth.lives.pop().unwrap_or(u64::MAX)
        };
        let start = Instant::now();
        let now = || start.elapsed();
        let mut end = ShellEnd::new(ShellConfig::for_viewer("server"));
        let generation = end.connected(now());
        let mut fed = None;
        loop {
            while let Some(event) = end.event() {
                self.happened(&mut end, event, &mut fed);
            }
            self.feed(&mut end, &mut fed);
            while let Some(event) = end.event() {
                self.happened(&mut end, event, &mut fed);
            }
            let is_mute = self.truth().is_mute;
            if !is_mute && let Some(message) = end.transmit(now()) {
                if life == 0 {
                    return;
                }
                life -= 1;
                let frame = Frame::Binary(encode(&message, Receiver::User));
                let sent = tokio::select! {
                    sent = socket.send(frame) => sent.is_ok(),
                    // Whoever is cut does not finish what it says.
                    () = self.cut.notified() => false,
                };
                if !sent {
                    return;
                }
                continue;
            }
            tokio::select! {
                frame = socket.next() => match frame {
                    Some(Ok(Frame::Binary(bytes))) => {
                        if life == 0 {
                            return;
                        }
                        life -= 1;
                        let message = decode(bytes).unwrap();
                        end.receive(generation, message, now()).unwrap();
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                },
                () = self.changed.notified() => {}
                () = self.cut.notified() => return,
            }
        }
    }

    fn happened(&self, end: &mut ShellEnd, event: ToShellEnd, fed: &mut Option<u64>) {
        let mut truth = self.truth();
        match event {
            ToShellEnd::Open {
                sid, size, more, ..
            } => {
                if let Some(mut refusal) = truth.refusal.take() {
                    refusal.sid = sid;
                    end.send(refusal).unwrap();
                    return;
                }
                truth.sid.clone_from(&sid);
                truth.more = more;
                truth.sizes.extend(size);
                end.started(&sid).unwrap();
                *fed = Some(0);
                for message in truth.greeting.clone() {
                    end.send(message).unwrap();
                }
            }
            ToShellEnd::Attach {
                sid,
                have,
                epoch,
                more,
                ..
            } => {
                if sid != truth.sid {
                    end.unknown(&sid);
                    return;
                }
                truth.more = more;
                let output = have.unwrap_or(truth.output.len() as u64);
                let at = Attachment {
                    output,
                    input: truth.applied.len() as u64,
                    dropped: 0,
                    epoch: truth.epoch,
                    control: epoch == truth.epoch && !truth.is_taken,
                };
                end.attach(&sid, at).unwrap();
                if have.is_none() {
                    let screen = Bytes::from(truth.screen.clone());
                    end.show(&sid, output, Winsize::new(24, 80), screen)
                        .unwrap();
                }
                *fed = Some(output);
                for message in truth.greeting.clone() {
                    end.send(message).unwrap();
                }
            }
            ToShellEnd::Input { sid } if !truth.is_stuck => {
                while let Some((offset, bytes)) = end.take_input(&sid, usize::MAX) {
                    assert_eq!(offset, truth.applied.len() as u64, "the next byte");
                    truth.applied.extend_from_slice(&bytes);
                }
                end.applied(&sid, truth.applied.len() as u64, 0).unwrap();
            }
            ToShellEnd::ControlWanted { sid } => {
                truth.epoch += 1;
                truth.is_taken = false;
                let offset = truth.applied.len() as u64;
                end.set_control(&sid, truth.epoch, offset, true).unwrap();
            }
            ToShellEnd::Resize { size, .. } => truth.sizes.push(size),
            ToShellEnd::Stop { .. } => truth.stop = Some(Stop::default()),
            ToShellEnd::Forgotten { .. } => truth.is_end_known = true,
            ToShellEnd::Other(message) if message.typ == "release" => truth.released += 1,
            _ => {}
        }
    }

    /// Gives the connection what there is.
    fn feed(&self, end: &mut ShellEnd, fed: &mut Option<u64>) {
        let mut truth = self.truth();
        for message in std::mem::take(&mut truth.say) {
            end.send(message).unwrap();
        }
        let Some(fed) = fed else {
            return;
        };
        let sid = truth.sid.clone();
        if truth.is_taken && truth.epoch == 1 {
            truth.epoch = 2;
            let offset = truth.applied.len() as u64;
            end.set_control(&sid, 2, offset, false).unwrap();
        }
        let rest = &truth.output[usize::try_from(*fed).unwrap()..];
        let part = rest.len().min(end.room(&sid));
        if part > 0 && end.output(&sid, &rest[..part], *fed / 1000).is_ok() {
            *fed += part as u64;
        }
        if *fed == truth.output.len() as u64
            && let Some(stop) = &truth.stop
        {
            // Said once; more often is no success and no harm.
            let _ = end.ended(&sid, stop.clone());
        }
    }
}

/// A message beside the stream of the session `sid`.
pub(super) fn beside(sid: &str, typ: &str, props: Props) -> Message {
    Message {
        proto: proto::SHELL,
        typ: typ.to_owned(),
        sid: sid.to_owned(),
        props,
        ..Message::default()
    }
}

pub(super) fn turned_away(status: u16) -> Closed {
    Closed::Turned(Error::Status {
        method: "Get",
        url: String::new(),
        status,
        message: String::new(),
    })
}

/// Waits until something is so, under simulated time.
pub(super) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..100_000 {
        if is_so() {
            return;
        }
        sleep(Duration::from_millis(1)).await;
    }
    panic!("it never came about that {what}");
}
