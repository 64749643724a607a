//! A terminal on a device, over one websocket.
//!
//! [`Client::session`](crate::Client::session) gives two halves where a server knows no sessions. What
//! goes into [`Terminal`] is cut to what every agent takes and carries the session id as soon as the server has given one; what comes out of
//! [`Events`] is what the device says. Pings of server and device are answered here. A link that is
//! lost is an event at once; one that has gone silent is found out by asking.

mod link;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use longwire_protocol::limits::split_input;
use longwire_protocol::shell::{FromDevice, FromUser, Winsize};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::connect::Stream;

/// How many messages may wait in either direction.
const QUEUE: usize = 64;

/// What happens on a terminal.
#[derive(Debug)]
pub enum Event {
    /// The device, or the server in its place, says something.
    Device(FromDevice),
    /// Nothing has come from the server for this long, though it was asked for a sign of life.
    Silent(Duration),
    /// After [`Event::Silent`]: something came.
    HeardAgain,
    /// The link is gone. No event follows.
    Lost(Lost),
}

/// How a link was lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lost {
    /// The server closed it.
    Closed {
        /// Websocket close code; 1005 if none was given.
        code: u16,
        /// The server's words; may be empty.
        reason: String,
    },
    /// The connection broke; the words are the system's.
    Broken(String),
    /// Nothing has come from the server for too long.
    Silent(Duration),
    /// The server sent what is no message.
    Unreadable(String),
}

impl Lost {
    /// The server closed the connection, with or without saying why.
    pub(crate) fn closed(close: Option<CloseFrame>) -> Self {
        match close {
            Some(close) => Lost::Closed {
                code: close.code.into(),
                reason: close.reason.as_str().to_owned(),
            },
            None => Lost::Closed {
                code: 1005,
                reason: String::new(),
            },
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lost::Closed { code, reason } if reason.is_empty() => {
                write!(f, "the server closed the connection ({code})")
            }
            Lost::Closed { code, reason } => {
                write!(f, "the server closed the connection: {reason} ({code})")
            }
            Lost::Broken(words) => write!(f, "connection to the server lost: {words}"),
            Lost::Silent(silence) => {
                write!(f, "no answer from the server for {} s", silence.as_secs())
            }
            Lost::Unreadable(words) => write!(f, "the server sent what is no message: {words}"),
        }
    }
}

/// The link is gone; [`Events`] says why.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the terminal's link is gone")]
pub struct Gone;

/// The half that goes to the device. When the last clone is dropped, the websocket is closed.
#[derive(Clone, Debug)]
pub struct Terminal {
    commands: mpsc::Sender<Command>,
    size: watch::Sender<Option<Winsize>>,
}

/// The half that comes from the device. When it is dropped, the link is cut.
#[derive(Debug)]
pub struct Events {
    events: mpsc::Receiver<Event>,
    _tasks: JoinSet<()>,
}

/// What the writing half of the link takes its orders from.
struct Wishes {
    said: mpsc::Receiver<Command>,
    sizes: watch::Receiver<Option<Winsize>>,
}

/// One order to the writing half of the link.
#[derive(Debug)]
enum Command {
    Say(FromUser),
    /// Start a shell for a script: nothing but the device's own output may come.
    StartQuiet(Option<Winsize>),
    AnswerControlPing {
        sid: String,
    },
    AskForLife,
}

impl Terminal {
    /// Starts the shell. The answer is [`FromDevice::Started`] or [`FromDevice::Refused`].
    pub async fn start(&self, size: Option<Winsize>) -> Result<(), Gone> {
        self.say(FromUser::New { size }).await
    }

    /// Starts the shell for a script: our server then puts no words of its own, such as that the
    /// device is away, into the output. Other servers never do.
    pub async fn start_quiet(&self, size: Option<Winsize>) -> Result<(), Gone> {
        self.order(Command::StartQuiet(size)).await
    }

    /// Sends what was typed or pasted; waits while the link is busy.
    pub async fn input(&self, bytes: Bytes) -> Result<(), Gone> {
        for part in split_input(bytes) {
            self.say(FromUser::Input(part)).await?;
        }
        Ok(())
    }

    /// Says that the terminal has another size, once the shell has been asked for. A size is a
    /// state: it never waits behind input, and of several only the last counts.
    pub fn resize(&self, size: Winsize) -> Result<(), Gone> {
        self.size.send(Some(size)).map_err(|_| Gone)
    }

    /// Asks for the shell's end. Real agents take up to four seconds to answer, with up to two
    /// [`FromDevice::Stop`] or none.
    pub async fn stop(&self) -> Result<(), Gone> {
        self.say(FromUser::Stop { error: None }).await
    }

    /// Sends any message.
    pub async fn say(&self, said: FromUser) -> Result<(), Gone> {
        self.order(Command::Say(said)).await
    }

    async fn order(&self, command: Command) -> Result<(), Gone> {
        self.commands.send(command).await.map_err(|_| Gone)
    }
}

impl Events {
    /// The next event; `None` after [`Event::Lost`].
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

/// The two halves of a terminal over an open websocket.
pub(crate) fn over<S: Stream + 'static>(websocket: WebSocketStream<S>) -> (Terminal, Events) {
    let (commands, said) = mpsc::channel(QUEUE);
    let (size, sizes) = watch::channel(None);
    let (happened, events) = mpsc::channel(QUEUE);
    let mut tasks = JoinSet::new();
    let wishes = Wishes { said, sizes };
    link::spawn(
        websocket,
        wishes,
        commands.downgrade(),
        happened,
        &mut tasks,
    );
    (
        Terminal { commands, size },
        Events {
            events,
            _tasks: tasks,
        },
    )
}
