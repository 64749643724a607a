//! What runs a channel: sockets, timers, and those who say and hear things.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use longwire_link::LinkError;
use longwire_protocol::shell::Winsize;
use longwire_protocol::{Receiver, decode, encode};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::{self, Message as Frame};

use super::Order;
use super::backoff::Backoff;
use super::channel::Channel;
use super::clock::Clock;
use super::event::{Closed, Event, Position};
use crate::Error;
use crate::connect::Stream;
use crate::terminal::Lost;

/// How long the server is given to take what was typed last, when somebody leaves.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long a connection that is not wanted any more is given to end.
const GOODBYE: Duration = Duration::from_secs(1);

/// A connection that lasted so long is taken for a good one: the next attempt need not wait long.
const LASTED: Duration = Duration::from_secs(10);

/// Those who say things and hear about them.
pub(super) struct Wishes {
    /// `None` when nobody can say anything any more.
    input: Option<mpsc::Receiver<Bytes>>,
    orders: Option<mpsc::Receiver<Order>>,
    sizes: watch::Receiver<Option<Winsize>>,
    shown: watch::Receiver<Position>,
    events: mpsc::Sender<Event>,
    leaving: bool,
}

/// One thing that was said.
enum Said {
    Input(Bytes),
    Order(Order),
    Size,
    Shown,
    /// There is room to tell the next event.
    Room,
    /// Nobody is there any more who could say anything.
    Left,
    /// Nobody listens.
    Deaf,
}

impl Wishes {
    pub(super) fn new(
        input: mpsc::Receiver<Bytes>,
        orders: mpsc::Receiver<Order>,
        sizes: watch::Receiver<Option<Winsize>>,
        shown: watch::Receiver<Position>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Wishes {
            input: Some(input),
            orders: Some(orders),
            sizes,
            shown,
            events,
            leaving: false,
        }
    }

    /// The next thing. Nothing is lost when this is dropped before it is done.
    async fn next(&mut self, takes_input: bool, has_event: bool) -> Said {
        loop {
            let input = self.input.as_mut().filter(|_| takes_input);
            tokio::select! {
                biased;
                order = recv(self.orders.as_mut()) => match order {
                    Some(order) => return Said::Order(order),
                    None => self.orders = None,
                },
                Ok(()) = self.sizes.changed() => return Said::Size,
                Ok(()) = self.shown.changed() => return Said::Shown,
                bytes = recv(input) => match bytes {
                    Some(bytes) => return Said::Input(bytes),
                    None => self.input = None,
                },
                room = self.events.reserve(), if has_event => {
                    return if room.is_ok() { Said::Room } else { Said::Deaf };
                }
                () = self.events.closed(), if !has_event => return Said::Deaf,
            }
            if self.orders.is_none() && self.input.is_none() && !self.leaving {
                self.leaving = true;
                return Said::Left;
            }
        }
    }
}

/// The next from a channel that is there; the end of one is an answer only once.
async fn recv<T>(from: Option<&mut mpsc::Receiver<T>>) -> Option<T> {
    match from {
        Some(from) => from.recv().await,
        None => std::future::pending().await,
    }
}

/// How a connection ended.
enum End {
    /// There is nothing more to do.
    Over,
    Lost(Lost),
}

/// Why nothing more is to be done.
struct Done;

/// Runs a channel to its end.
pub(super) struct Driver<F> {
    channel: Channel,
    wishes: Wishes,
    dial: F,
    clock: Clock,
    backoff: Backoff,
    /// Somebody has left: what they typed is given until then.
    leave_at: Option<Instant>,
}

impl<F> Driver<F> {
    pub(super) fn new(channel: Channel, wishes: Wishes, dial: F) -> Self {
        Driver {
            channel,
            wishes,
            dial,
            clock: Clock::start(),
            backoff: Backoff::default(),
            leave_at: None,
        }
    }

    pub(super) async fn run<S, D>(mut self, socket: WebSocketStream<S>)
    where
        S: Stream + 'static,
        F: FnMut() -> D,
        D: Future<Output = Result<WebSocketStream<S>, Closed>> + Send + 'static,
    {
        let mut socket = Some(socket);
        while let Some(open) = socket.take() {
            let lost = match self.linked(open).await {
                End::Over => break,
                End::Lost(lost) => lost,
            };
            self.channel.disconnected();
            socket = self.redial(lost).await;
        }
        self.last_events().await;
    }

    /// Tells what is left to tell.
    async fn last_events(&mut self) {
        while let Some(event) = self.channel.event() {
            if self.wishes.events.send(event).await.is_err() {
                return;
            }
        }
    }

    /// Carries out what was said.
    fn said(&mut self, said: Said) -> Result<(), Done> {
        let now = self.clock.now();
        match said {
            Said::Input(bytes) => self.channel.input(bytes, now),
            Said::Order(Order::Stop) => self.channel.stop(),
            Said::Order(Order::TakeControl) => self.channel.take_control(),
            Said::Order(Order::ReleaseInput) => self.channel.release_input(),
            Said::Order(Order::DropInput) => self.channel.drop_input(),
            Said::Size => {
                let size = *self.wishes.sizes.borrow_and_update();
                if let Some(size) = size {
                    self.channel.resize(size);
                }
            }
            Said::Shown => {
                let upto = *self.wishes.shown.borrow_and_update();
                self.channel.shown(upto);
            }
            Said::Room => {
                if let Some(event) = self.channel.event() {
                    // There was room just now, and nobody else takes it.
                    let _ = self.wishes.events.try_send(event);
                }
            }
            Said::Left => self.leave_at = Some(Instant::now() + LAST_WORDS),
            Said::Deaf => return Err(Done),
        }
        Ok(())
    }

    /// Whether somebody has left and all they said is done, or never will be.
    fn has_left(&self) -> bool {
        self.leave_at
            .is_some_and(|at| self.channel.is_idle() || Instant::now() >= at)
    }

    /// One connection, from its start to its end.
    async fn linked<S: Stream + 'static>(&mut self, socket: WebSocketStream<S>) -> End {
        let (sink, mut stream) = socket.split();
        let (frames, to_write) = mpsc::channel(1);
        let (failed, mut failure) = oneshot::channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(write(sink, to_write, failed));
        self.channel.connected(self.clock.now());
        let since = Instant::now();
        let mut may_transmit = true;
        let mut is_writing = true;
        let end = loop {
            let deadline = self.channel.deadline().map(|time| self.clock.at(time));
            let leave_at = self.leave_at;
            let (takes_input, has_event) = (self.channel.takes_input(), self.channel.has_event());
            tokio::select! {
                frame = stream.next() => match read(frame) {
                    Ok(Some(bytes)) => {
                        let message = match decode(bytes) {
                            Ok(message) => message,
                            Err(error) => break End::Lost(Lost::Unreadable(error.to_string())),
                        };
                        if let Err(error) = self.channel.receive(message, self.clock.now()) {
                            let last = encode(&error.to_message(), Receiver::Server);
                            let _ = frames.try_send(Frame::Binary(last));
                            break End::Lost(given_up(&error));
                        }
                    }
                    Ok(None) => {}
                    Err(lost) => break End::Lost(lost),
                },
                Ok(words) = &mut failure, if is_writing => {
                    is_writing = false;
                    break End::Lost(Lost::Broken(words));
                }
                room = frames.reserve(), if may_transmit && is_writing => match (room, self.channel.transmit(self.clock.now())) {
                    (Ok(room), Some(message)) => {
                        room.send(Frame::Binary(encode(&message, Receiver::Server)));
                        continue;
                    }
                    (_, None) if self.channel.is_over() || self.has_left() => break End::Over,
                    (Ok(_), None) => {
                        may_transmit = false;
                        continue;
                    }
                    (Err(_), _) => is_writing = false,
                },
                said = self.wishes.next(takes_input, has_event) => {
                    if self.said(said).is_err() {
                        break End::Over;
                    }
                }
                () = at(deadline) => {}
                () = at(leave_at) => break End::Over,
            }
            may_transmit = true;
            if let Err(error) = self.channel.tick(self.clock.now()) {
                break End::Lost(given_up(&error));
            }
        };
        if since.elapsed() >= LASTED {
            self.backoff.reset();
        }
        drop(frames);
        // The writer says good-bye; where the connection is gone, that fails at once or never.
        let over = matches!(end, End::Over);
        let goodbye = async {
            while tasks.join_next().await.is_some() {}
            while over && matches!(stream.next().await, Some(Ok(_))) {}
        };
        if is_writing {
            let _ = timeout(GOODBYE, goodbye).await;
        }
        end
    }

    /// Makes another connection, however long that takes; `None` when none is wanted.
    async fn redial<S, D>(&mut self, lost: Lost) -> Option<WebSocketStream<S>>
    where
        F: FnMut() -> D,
        D: Future<Output = Result<WebSocketStream<S>, Closed>> + Send + 'static,
    {
        let mut why = lost.to_string();
        let mut attempt = 0;
        loop {
            attempt += 1;
            let delay = self.backoff.next_delay();
            self.channel.tell(Event::Reconnecting {
                why,
                attempt,
                delay,
            });
            self.meanwhile(Box::pin(sleep_until(Instant::now() + delay)))
                .await?;
            let dialled = (self.dial)();
            why = match self.meanwhile(Box::pin(dialled)).await? {
                Ok(socket) => return Some(socket),
                Err(Closed::Turned(error)) if may_pass(&error) => error.to_string(),
                Err(closed) => {
                    self.channel.tell(Event::Closed(closed));
                    return None;
                }
            };
        }
    }

    /// Waits for something and carries out what is said in the meantime; `None` when there is nothing
    /// to wait for any more.
    async fn meanwhile<T>(
        &mut self,
        mut wanted: Pin<Box<dyn Future<Output = T> + Send>>,
    ) -> Option<T> {
        loop {
            if self.channel.is_over() || self.has_left() {
                return None;
            }
            let leave_at = self.leave_at;
            let (takes_input, has_event) = (self.channel.takes_input(), self.channel.has_event());
            tokio::select! {
                result = &mut wanted => return Some(result),
                said = self.wishes.next(takes_input, has_event) => self.said(said).ok()?,
                () = at(leave_at) => {}
            }
        }
    }
}

fn given_up(error: &LinkError) -> Lost {
    if *error == LinkError::Silent {
        Lost::Broken("no answer from the server".to_owned())
    } else {
        Lost::Unreadable(error.to_string())
    }
}

/// Whether another attempt may get another answer.
fn may_pass(error: &Error) -> bool {
    match error {
        Error::Status { status, .. } => !matches!(status, 400..=407 | 410),
        Error::Unreachable { .. }
        | Error::Timeout(_)
        | Error::Lost(_)
        | Error::Tls { .. }
        | Error::Unexpected(_) => true,
        Error::BadServerUrl { .. } | Error::PlainHttp(_) => false,
    }
}

async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => std::future::pending().await,
    }
}

async fn write<S: Stream>(
    mut sink: SplitSink<WebSocketStream<S>, Frame>,
    mut frames: mpsc::Receiver<Frame>,
    failed: oneshot::Sender<String>,
) {
    while let Some(frame) = frames.recv().await {
        if let Err(error) = sink.send(frame).await {
            let _ = failed.send(error.to_string());
            return;
        }
    }
    // The server may be gone already.
    let _ = sink.send(Frame::Close(None)).await;
}

/// The bytes of a message, or nothing that matters, or the end.
fn read(frame: Option<Result<Frame, tungstenite::Error>>) -> Result<Option<Bytes>, Lost> {
    match frame {
        Some(Ok(Frame::Binary(bytes))) => Ok(Some(bytes)),
        Some(Ok(Frame::Text(text))) => Ok(Some(text.into())),
        // Pings are answered by the library, on the next read at the latest.
        Some(Ok(Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_))) => Ok(None),
        Some(Ok(Frame::Close(close))) => Err(Lost::closed(close)),
        Some(Err(tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) => {
            Err(Lost::Broken("the server went away without a word".into()))
        }
        Some(Err(error)) => Err(Lost::Broken(error.to_string())),
        None => Err(Lost::Broken("end of stream".into())),
    }
}
