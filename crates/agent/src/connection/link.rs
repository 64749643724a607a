//! One link, from the first message to the last: reads, keeps the heartbeat, and says why it ended.
//! What is spoken on it was chosen in the handshake.

use std::future::pending;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use longwire_link::{Generation, LinkError};
use longwire_protocol::decode;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message as Frame};
use tokio_util::sync::CancellationToken;

use super::heartbeat::{Beat, LinkHeartbeat};
use super::outbox::{Answers, LinkState, LinkSwitch, Queues};
use super::upgrade::Spoken;
use super::writing::{LAST_WRITES, close, discard, write, write_stream};
use crate::identity::{Authorization, Credentials, Identity};
use crate::router::Router;

/// Payload of the client's pings, as real agents send it.
const PING_PAYLOAD: &[u8] = b"60";
/// How long shells may take to end when the device is no longer authorised, or the agent ends.
/// With [`LAST_WRITES`] this stays under three seconds.
const LAST_SHELLS: Duration = Duration::from_millis(2300);

/// How long a server may let answers pile up that it has asked for. Ours may stop reading for 15
/// seconds while an operator takes no output.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);

/// Why a link ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LinkEnd {
    /// The server closed it, with this code and reason.
    Closed(u16, String),
    /// The stream broke, or was ended without a close.
    Lost(String),
    /// The server announced a message of so many bytes.
    TooLarge(usize),
    /// The server broke the rules of the stream.
    Broken(LinkError),
    /// Nothing was heard for 60 seconds.
    Silent,
    /// There are other credentials: connect with those at once.
    NewCredentials,
    /// The device is not authorised any more; the shells of plain links have been stopped.
    Denied,
    /// The agent is ending; its shells have been stopped.
    Shutdown,
}

/// What a link works with; all of it outlives the link.
pub(crate) struct Surroundings<'a> {
    /// Where messages go.
    pub(crate) router: &'a mut Router,
    /// Where answers go.
    pub(crate) answers: &'a Answers,
    /// What waits to be sent.
    pub(crate) queues: &'a mut Queues,
    /// Tells shells whether there is a link.
    pub(crate) switch: &'a LinkSwitch,
    /// Whether the device is still authorised.
    pub(crate) identity: &'a mut Identity,
    /// Whether the agent is ending.
    pub(crate) shutdown: &'a CancellationToken,
}

/// Runs a link until it ends, and closes it.
pub(crate) async fn run<S>(
    socket: WebSocketStream<S>,
    spoken: Spoken,
    credentials: &Credentials,
    around: Surroundings<'_>,
) -> LinkEnd
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Surroundings {
        router,
        answers,
        queues,
        switch,
        identity,
        shutdown,
    } = around;
    let (mut sink, mut stream) = socket.split();
    let finish = CancellationToken::new();
    let end = router.stream().clone();
    let pulse = match spoken {
        Spoken::Plain => {
            router.sessions().new_link();
            switch.set(LinkState::Plain);
            Pulse::Plain(LinkHeartbeat::new(Instant::now()))
        }
        Spoken::Longwire => {
            let generation = end.connected();
            switch.set(LinkState::Longwire);
            Pulse::Streamed(generation)
        }
    };
    let generation = pulse.generation();
    let link_end = {
        let mut reader = Reader {
            router,
            answers,
            identity,
            shutdown,
            credentials,
            pulse,
        };
        let mut writing = Box::pin(async {
            match generation {
                None => write(&mut sink, queues, &finish).await,
                Some(_) => write_stream(&mut sink, queues, &end, &finish).await,
            }
        });
        let link_end = tokio::select! {
            link_end = reader.run(&mut stream) => link_end,
            error = &mut writing => broken(&error),
        };
        // Before the last writes: they end when no shell adds to them.
        switch.set(LinkState::Down);
        if matches!(
            link_end,
            LinkEnd::NewCredentials | LinkEnd::Denied | LinkEnd::Shutdown
        ) {
            finish.cancel();
            let _ = timeout(LAST_WRITES, writing).await;
        }
        link_end
    };
    if let Some(generation) = generation {
        end.disconnected(generation);
    }
    if close(&mut sink, &link_end).await
        && let Ok(mut socket) = stream.reunite(sink)
    {
        let _ = timeout(LAST_WRITES, discard(socket.get_mut())).await;
    }
    link_end
}

/// How the two sides know of each other that they are there.
enum Pulse {
    /// By the websocket's pings and by whatever comes.
    Plain(LinkHeartbeat),
    /// By messages; the stream's end sees to it.
    Streamed(Generation),
}

impl Pulse {
    /// Which link of the stream this is.
    fn generation(&self) -> Option<Generation> {
        match self {
            Self::Plain(_) => None,
            Self::Streamed(generation) => Some(*generation),
        }
    }
}

/// Reads, and everything that is decided while reading.
struct Reader<'a> {
    router: &'a mut Router,
    answers: &'a Answers,
    identity: &'a mut Identity,
    shutdown: &'a CancellationToken,
    credentials: &'a Credentials,
    pulse: Pulse,
}

/// Why the device's shells are being stopped while the link still stands.
struct Farewell {
    until: Instant,
    end: LinkEnd,
}

impl Reader<'_> {
    async fn run<S>(&mut self, stream: &mut SplitStream<WebSocketStream<S>>) -> LinkEnd
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut farewell: Option<Farewell> = None;
        loop {
            let due = [
                self.pulse_due(),
                self.router.due(),
                farewell.as_ref().map(|farewell| farewell.until),
            ];
            let due = due.into_iter().flatten().min().unwrap_or_else(Instant::now);
            tokio::select! {
                frame = stream.next() => {
                    if let ControlFlow::Break(end) = self.frame(frame).await {
                        return end;
                    }
                }
                changed = self.identity.authorization.changed(), if farewell.is_none() => {
                    match self.authorization(changed.is_ok()) {
                        Some(LinkEnd::NewCredentials) => return LinkEnd::NewCredentials,
                        Some(end) => {
                            self.stop_shells(&end);
                            let until = Instant::now() + LAST_SHELLS;
                            farewell = Some(Farewell { until, end });
                        }
                        None => {}
                    }
                }
                () = self.shutdown.cancelled(), if farewell.is_none() => {
                    let end = LinkEnd::Shutdown;
                    self.stop_shells(&end);
                    let until = Instant::now() + LAST_SHELLS;
                    farewell = Some(Farewell { until, end });
                }
                end = shells_told(self.router, &self.pulse, farewell.as_ref()) => return end,
                () = sleep_until(due.into()) => {
                    let now = Instant::now();
                    if let Some(farewell) = farewell.take_if(|farewell| farewell.until <= now) {
                        return farewell.end;
                    }
                    if let ControlFlow::Break(end) = self.beat(now) {
                        return end;
                    }
                    self.router.tick(now).await;
                }
            }
        }
    }

    fn pulse_due(&self) -> Option<Instant> {
        match &self.pulse {
            Pulse::Plain(heartbeat) => Some(heartbeat.due()),
            Pulse::Streamed(_) => self.router.stream().due(),
        }
    }

    fn beat(&mut self, now: Instant) -> ControlFlow<LinkEnd> {
        match &mut self.pulse {
            Pulse::Plain(heartbeat) => match heartbeat.check(now) {
                Some(Beat::Ping) => self.answers.ping(PING_PAYLOAD),
                Some(Beat::Dead) => return ControlFlow::Break(LinkEnd::Silent),
                None => {}
            },
            Pulse::Streamed(_) => {
                if self.router.stream().tick().is_err() {
                    return ControlFlow::Break(LinkEnd::Silent);
                }
            }
        }
        ControlFlow::Continue(())
    }

    async fn frame(&mut self, frame: Option<Result<Frame, Error>>) -> ControlFlow<LinkEnd> {
        if let Pulse::Plain(heartbeat) = &mut self.pulse
            && heartbeat.heard(Instant::now())
        {
            self.answers.ping(PING_PAYLOAD);
        }
        let bytes = match frame {
            Some(Ok(Frame::Binary(bytes))) => bytes,
            // Real peers never look at the kind of a frame.
            Some(Ok(Frame::Text(text))) => Bytes::from(text),
            Some(Ok(Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_))) => {
                return ControlFlow::Continue(());
            }
            Some(Ok(Frame::Close(frame))) => return ControlFlow::Break(closed(frame)),
            Some(Err(error)) => return ControlFlow::Break(broken(&error)),
            None => {
                let reason = "the connection was closed".to_owned();
                return ControlFlow::Break(LinkEnd::Lost(reason));
            }
        };
        match timeout(ANSWER_PATIENCE, self.message(bytes)).await {
            Ok(Ok(())) => ControlFlow::Continue(()),
            Ok(Err(error)) => ControlFlow::Break(LinkEnd::Broken(error)),
            Err(_) => {
                let reason = "the server sends without reading".to_owned();
                ControlFlow::Break(LinkEnd::Lost(reason))
            }
        }
    }

    async fn message(&mut self, bytes: Bytes) -> Result<(), LinkError> {
        match self.pulse {
            Pulse::Plain(_) => {
                self.router.receive(bytes).await;
                Ok(())
            }
            Pulse::Streamed(from) => {
                let message = decode(bytes).map_err(|_| LinkError::Malformed {
                    typ: "message".to_owned(),
                    field: "form",
                })?;
                self.router.receive_streamed(from, message).await
            }
        }
    }

    /// Says whether a change of the authorisation ends this link.
    fn authorization(&mut self, source_lives: bool) -> Option<LinkEnd> {
        if !source_lives {
            return Some(LinkEnd::Shutdown);
        }
        match &*self.identity.authorization.borrow_and_update() {
            Authorization::Granted(new) if new == self.credentials => None,
            Authorization::Granted(_) => Some(LinkEnd::NewCredentials),
            Authorization::Denied => Some(LinkEnd::Denied),
            Authorization::Unknown => None,
        }
    }

    /// Has shells stopped while the link can still tell of it.
    fn stop_shells(&mut self, end: &LinkEnd) {
        let sessions = self.router.sessions();
        if *end == LinkEnd::Shutdown {
            sessions.stop_all("the agent is ending");
        } else {
            sessions.stop_plain("the device is not authorised");
        }
    }
}

/// Waits until the shells that are to end have ended and said so, if that is what the link is waiting
/// for.
async fn shells_told(router: &mut Router, pulse: &Pulse, farewell: Option<&Farewell>) -> LinkEnd {
    let Some(farewell) = farewell else {
        return pending().await;
    };
    if farewell.end == LinkEnd::Shutdown {
        router.sessions().all_told().await;
        if let Pulse::Streamed(_) = pulse {
            // Told is not enough: what the server does not have then is gone with this run.
            router.stream().settled().await;
        }
    } else {
        router.sessions().plain_told().await;
    }
    farewell.end.clone()
}

fn closed(frame: Option<CloseFrame>) -> LinkEnd {
    match frame {
        Some(frame) => LinkEnd::Closed(frame.code.into(), frame.reason.to_string()),
        // As the standard reports a close frame without a code.
        None => LinkEnd::Closed(1005, String::new()),
    }
}

fn broken(error: &Error) -> LinkEnd {
    if let Error::Capacity(CapacityError::MessageTooLong { size, .. }) = error {
        return LinkEnd::TooLarge(*size);
    }
    LinkEnd::Lost(error.to_string())
}
