//! The websocket beneath a terminal: one task reads, one writes, so that neither direction ever
//! waits for the other.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use longwire_protocol::control::Control;
use longwire_protocol::shell::{FromDevice, FromUser};
use longwire_protocol::{Message, Receiver, decode, encode, prop, proto};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::{self, Message as Frame};

use super::{Command, Event, Lost, Wishes};
use crate::connect::Stream;

/// How long a link may be idle before the server is asked for a sign of life. It is what real peers
/// do, and short enough for the load balancers between.
const ASK_WHEN_IDLE: Duration = Duration::from_secs(54);

/// How long after input the same is asked if nothing has come: someone is waiting for an echo.
const ASK_AFTER_INPUT: Duration = Duration::from_secs(3);

/// How long the server may be silent after being asked before it is said.
const SAY_SILENT: Duration = Duration::from_secs(10);

/// How long it may be silent before the link is given up.
const GIVE_UP: Duration = Duration::from_secs(60);

/// What the two tasks share.
#[derive(Default)]
struct Shared {
    /// The session id, once a message from the server has named it.
    sid: OnceLock<String>,
    /// Input has been written.
    input_written: Notify,
}

/// Starts both tasks.
pub(super) fn spawn<S: Stream + 'static>(
    websocket: WebSocketStream<S>,
    wishes: Wishes,
    commands: mpsc::WeakSender<Command>,
    events: mpsc::Sender<Event>,
    tasks: &mut JoinSet<()>,
) {
    let (sink, stream) = websocket.split();
    let shared = Arc::new(Shared::default());
    let (write_failed, write_error) = oneshot::channel();
    tasks.spawn(write(sink, wishes, shared.clone(), write_failed));
    tasks.spawn(async move {
        let lost = Reading {
            stream,
            shared,
            commands,
            events: events.clone(),
        }
        .run(write_error)
        .await;
        if let Some(lost) = lost {
            // Nobody listens any more: nobody needs to know.
            let _ = events.send(Event::Lost(lost)).await;
        }
    });
}

async fn write<S: Stream>(
    mut sink: SplitSink<WebSocketStream<S>, Frame>,
    mut wishes: Wishes,
    shared: Arc<Shared>,
    failed: oneshot::Sender<String>,
) {
    let mut asked_for_shell = false;
    while let Some(command) = wishes.next(asked_for_shell).await {
        let (mut is_new, mut is_input) = (false, false);
        let frame = match command {
            Command::Say(said) => {
                is_new = matches!(said, FromUser::New { .. });
                is_input = matches!(said, FromUser::Input(_));
                let sid = shared.sid.get().map_or("", String::as_str);
                binary(&said.to_message(sid))
            }
            Command::StartQuiet(size) => {
                is_new = true;
                let mut new = FromUser::New { size }.to_message("");
                new.props.set(prop::NOTICES, false);
                binary(&new)
            }
            Command::AnswerControlPing { sid } => binary(&Control::Pong.to_message(&sid)),
            Command::AskForLife => Frame::Ping(Bytes::from_static(b"60")),
        };
        if let Err(error) = sink.send(frame).await {
            let _ = failed.send(error.to_string());
            return;
        }
        asked_for_shell |= is_new;
        if is_input {
            shared.input_written.notify_one();
        }
    }
    // The server may be gone already.
    let _ = sink.send(Frame::Close(None)).await;
}

impl Wishes {
    /// The next order; `None` when nobody can give any more. Sizes count from the moment a shell
    /// has been asked for.
    async fn next(&mut self, asked_for_shell: bool) -> Option<Command> {
        loop {
            tokio::select! {
                command = self.said.recv() => return command,
                Ok(()) = self.sizes.changed(), if asked_for_shell => {
                    if let Some(size) = *self.sizes.borrow_and_update() {
                        return Some(Command::Say(FromUser::Resize(size)));
                    }
                }
            }
        }
    }
}

fn binary(message: &Message) -> Frame {
    Frame::Binary(encode(message, Receiver::Server))
}

struct Reading<S> {
    stream: SplitStream<WebSocketStream<S>>,
    shared: Arc<Shared>,
    commands: mpsc::WeakSender<Command>,
    events: mpsc::Sender<Event>,
}

/// When the server was last heard, and what has been done about its silence.
struct Silence {
    /// When to ask for a sign of life.
    ask_at: Instant,
    /// When it was asked, if it has not answered since.
    asked_at: Option<Instant>,
    said: bool,
}

impl Silence {
    fn broken() -> Self {
        Silence {
            ask_at: Instant::now() + ASK_WHEN_IDLE,
            asked_at: None,
            said: false,
        }
    }

    fn next_step(&self) -> Instant {
        match self.asked_at {
            None => self.ask_at,
            Some(asked_at) if self.said => asked_at + GIVE_UP,
            Some(asked_at) => asked_at + SAY_SILENT,
        }
    }
}

impl<S: Stream> Reading<S> {
    /// Reads until the link is lost; `None` when nobody wants its events any more.
    async fn run(mut self, mut write_error: oneshot::Receiver<String>) -> Option<Lost> {
        let shared = self.shared.clone();
        let mut silence = Silence::broken();
        let mut writing = true;
        loop {
            // Whoever does not take events is not read for: the server then waits.
            if self.events.capacity() == 0 {
                self.events.reserve().await.ok()?;
                silence = Silence::broken();
            }
            tokio::select! {
                frame = self.stream.next() => {
                    if silence.said {
                        self.events.send(Event::HeardAgain).await.ok()?;
                    }
                    silence = Silence::broken();
                    match self.frame(frame) {
                        Ok(Some(event)) => self.events.send(event).await.ok()?,
                        Ok(None) => {}
                        Err(lost) => return Some(lost),
                    }
                }
                error = &mut write_error, if writing => match error {
                    Ok(words) => return Some(Lost::Broken(words)),
                    // The writer has said good-bye; the server's answer ends the stream.
                    Err(_) => writing = false,
                },
                () = shared.input_written.notified() => {
                    silence.ask_at = silence.ask_at.min(Instant::now() + ASK_AFTER_INPUT);
                }
                () = sleep_until(silence.next_step()) => match silence.asked_at {
                    None => {
                        self.tell(Command::AskForLife);
                        silence.asked_at = Some(Instant::now());
                    }
                    Some(_) if silence.said => return Some(Lost::Silent(GIVE_UP)),
                    Some(_) => {
                        silence.said = true;
                        self.events.send(Event::Silent(SAY_SILENT)).await.ok()?;
                    }
                },
            }
        }
    }

    /// Has the writer send something, unless it is so busy that it is no use.
    fn tell(&self, command: Command) {
        if let Some(commands) = self.commands.upgrade() {
            let _ = commands.try_send(command);
        }
    }

    fn frame(
        &self,
        frame: Option<Result<Frame, tungstenite::Error>>,
    ) -> Result<Option<Event>, Lost> {
        match frame {
            Some(Ok(Frame::Binary(bytes))) => self.message(bytes),
            Some(Ok(Frame::Text(text))) => self.message(text.into()),
            // Pings are answered by the library, on the next read at the latest.
            Some(Ok(Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_))) => Ok(None),
            Some(Ok(Frame::Close(close))) => Err(Lost::closed(close)),
            Some(Err(tungstenite::Error::Protocol(
                ProtocolError::ResetWithoutClosingHandshake,
            ))) => Err(Lost::Broken("the server went away without a word".into())),
            Some(Err(error)) => Err(Lost::Broken(error.to_string())),
            None => Err(Lost::Broken("end of stream".into())),
        }
    }

    fn message(&self, bytes: Bytes) -> Result<Option<Event>, Lost> {
        let message = decode(bytes).map_err(|error| Lost::Unreadable(error.to_string()))?;
        if message.proto == proto::CONTROL {
            return Ok(self.control(&message));
        }
        // What a newer peer says and we do not understand is none of our business.
        let Ok(said) = FromDevice::try_from(&message) else {
            return Ok(None);
        };
        if !message.sid.is_empty() {
            let _ = self.shared.sid.set(message.sid);
        }
        if let FromDevice::Ping { .. } = said {
            self.tell(Command::Say(FromUser::Pong));
            return Ok(None);
        }
        Ok(Some(Event::Device(said)))
    }

    fn control(&self, message: &Message) -> Option<Event> {
        let control = Control::try_from(message).ok()?;
        if let Control::Ping = control {
            self.tell(Command::AnswerControlPing {
                sid: message.sid.clone(),
            });
        }
        let Control::Error(error) = control else {
            return None;
        };
        let typ = error.msgtype.unwrap_or_default();
        Some(Event::Device(FromDevice::Failed {
            typ,
            text: error.err,
        }))
    }
}
