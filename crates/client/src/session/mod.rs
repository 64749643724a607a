//! A terminal session that outlives its connections: `longwire.v1` from the operator's side.
//!
//! [`Client::session`] gives two halves: [`Session`] says things, [`Events`] tells them. Behind them one
//! task keeps the stream, makes a new connection whenever one is lost, and tells about it. What comes
//! is safe to let go once [`Session::shown`] has been said of it. A server that does not speak
//! `longwire.v1` gives a plain [`terminal`](crate::terminal) instead.

mod backoff;
mod channel;
mod clock;
mod driver;
mod event;
mod heard;
#[cfg(test)]
#[allow(clippy::wildcard_enum_match_arm, reason = "a test")]
mod tests;
mod words;

use bytes::Bytes;
use longwire_protocol::shell::Winsize;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

pub use self::event::{Closed, Event, Position, Refusal, Role, Start, Who, Wish};
pub use self::words::{DeviceLink, Notice, NoticeKind, Present};

use self::channel::Channel;
use self::driver::Driver;
use crate::terminal::{self, Gone, Terminal};
use crate::websocket::Chosen;
use crate::{Client, Error};

/// How much input may wait for the task that passes it on, in pieces.
const INPUT: usize = 16;

/// How many orders may.
const ORDERS: usize = 16;

/// What a server has for us.
#[derive(Debug)]
pub enum Opened {
    /// A session that outlives its connections.
    Longwire(Session, Events),
    /// A terminal that does not; nothing has been asked for on it yet.
    Plain(Terminal, terminal::Events),
}

/// The half that says things. When the last clone is dropped, the session is left as it is.
#[derive(Clone, Debug)]
pub struct Session {
    sid: String,
    input: mpsc::Sender<Bytes>,
    orders: mpsc::Sender<Order>,
    size: watch::Sender<Option<Winsize>>,
    shown: watch::Sender<Position>,
}

/// The half that tells things. When it is dropped, the connection is cut.
#[derive(Debug)]
pub struct Events {
    events: mpsc::Receiver<Event>,
    _tasks: JoinSet<()>,
}

/// One order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    Stop,
    TakeControl,
    ReleaseInput,
    DropInput,
}

impl Session {
    /// The session's id. Before [`Event::Started`] no server need know it.
    pub fn id(&self) -> &str {
        &self.sid
    }

    /// Types this; waits while there is no room.
    pub async fn input(&self, bytes: Bytes) -> Result<(), Gone> {
        self.input.send(bytes).await.map_err(|_| Gone)
    }

    /// The terminal here has another size. Of several only the last counts.
    pub fn resize(&self, size: Winsize) -> Result<(), Gone> {
        self.size.send(Some(size)).map_err(|_| Gone)
    }

    /// Everything before has been shown, or written to wherever it goes.
    pub fn shown(&self, upto: Position) -> Result<(), Gone> {
        self.shown.send(upto).map_err(|_| Gone)
    }

    /// Ends the shell; [`Event::Ended`] tells when it has.
    pub async fn stop(&self) -> Result<(), Gone> {
        self.order(Order::Stop).await
    }

    /// Asks for control; [`Event::Control`] tells when we have it.
    pub async fn take_control(&self) -> Result<(), Gone> {
        self.order(Order::TakeControl).await
    }

    /// What [`Event::InputHeld`] spoke of is still meant.
    pub async fn release_input(&self) -> Result<(), Gone> {
        self.order(Order::ReleaseInput).await
    }

    /// It is not.
    pub async fn drop_input(&self) -> Result<(), Gone> {
        self.order(Order::DropInput).await
    }

    async fn order(&self, order: Order) -> Result<(), Gone> {
        self.orders.send(order).await.map_err(|_| Gone)
    }
}

impl Events {
    /// The next event; `None` after the last.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

impl Client {
    /// Opens a session on a device, or attaches to one.
    ///
    /// # Errors
    /// When the first connection cannot be made; later ones are tried again. A device that is not
    /// there or not for us gives [`Error::Status`] 404.
    pub async fn session(&self, device: &str, wish: &Wish) -> Result<Opened, Error> {
        match self.websocket(device).await? {
            Chosen::Plain(socket) => {
                let (terminal, events) = terminal::over(socket);
                Ok(Opened::Plain(terminal, events))
            }
            Chosen::Longwire(socket) => {
                let client = self.clone();
                let device = device.to_owned();
                let dial = move || {
                    let (client, device) = (client.clone(), device.clone());
                    async move {
                        match client.websocket(&device).await {
                            Ok(Chosen::Longwire(socket)) => Ok(socket),
                            Ok(Chosen::Plain(_)) => Err(Closed::Plain),
                            Err(error) => Err(Closed::Turned(error)),
                        }
                    }
                };
                let (session, events) = over(socket, dial, wish)
                    .map_err(|error| Error::Unexpected(error.to_string()))?;
                Ok(Opened::Longwire(session, events))
            }
        }
    }
}

/// The two halves of a session over an open websocket, with a way to get another.
fn over<S, F, D>(
    socket: tokio_tungstenite::WebSocketStream<S>,
    dial: F,
    wish: &Wish,
) -> Result<(Session, Events), longwire_link::SessionError>
where
    S: crate::connect::Stream + 'static,
    F: FnMut() -> D + Send + 'static,
    D: Future<Output = Result<tokio_tungstenite::WebSocketStream<S>, Closed>> + Send + 'static,
{
    let instance = Uuid::new_v4().to_string();
    let channel = Channel::new(wish, &instance, &Uuid::new_v4().to_string())?;
    let (input, typed) = mpsc::channel(INPUT);
    let (orders, ordered) = mpsc::channel(ORDERS);
    let (size, sizes) = watch::channel(None);
    let (shown, seen) = watch::channel(Position::default());
    let (happened, events) = mpsc::channel(1);
    let session = Session {
        sid: channel.sid().to_owned(),
        input,
        orders,
        size,
        shown,
    };
    let wishes = driver::Wishes::new(typed, ordered, sizes, seen, happened);
    let mut tasks = JoinSet::new();
    tasks.spawn(Driver::new(channel, wishes, dial).run(socket));
    Ok((
        session,
        Events {
            events,
            _tasks: tasks,
        },
    ))
}
