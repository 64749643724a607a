//! One link, from the first message to the last: reads, writes, keeps the heartbeat, and says why
//! it ended.
//!
//! This is the plain protocol's link. A link that resumes by offset will stand beside it, chosen in
//! the handshake.

use std::future::pending;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use longwire_protocol::limits::{OUR_READ_LIMIT, SEND_LIMIT};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message as Frame, Utf8Bytes};
use tokio_util::sync::CancellationToken;

use super::heartbeat::{Beat, LinkHeartbeat};
use super::outbox::{Answers, LinkState, LinkSwitch, Queues};
use crate::identity::{Authorization, Credentials, Identity};
use crate::router::Router;

/// Payload of the client's pings, as real agents send it.
const PING_PAYLOAD: &[u8] = b"60";
/// How long a link that ends on purpose may take to send what is queued.
const LAST_WRITES: Duration = Duration::from_millis(500);
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
    /// Nothing was heard for 60 seconds.
    Silent,
    /// There are other credentials: connect with those at once.
    NewCredentials,
    /// The device is not authorised any more; its shells have been stopped.
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
    router.sessions().new_link();
    switch.set(LinkState::Plain);
    let end = {
        let mut reader = Reader {
            router,
            answers,
            identity,
            shutdown,
            credentials,
        };
        let mut writing = Box::pin(write(&mut sink, queues, &finish));
        let end = tokio::select! {
            end = reader.run(&mut stream) => end,
            error = &mut writing => broken(&error),
        };
        // Before the last writes: they end when no shell adds to them.
        switch.set(LinkState::Down);
        if matches!(
            end,
            LinkEnd::NewCredentials | LinkEnd::Denied | LinkEnd::Shutdown
        ) {
            finish.cancel();
            let _ = timeout(LAST_WRITES, writing).await;
        }
        end
    };
    if close(&mut sink, &end).await
        && let Ok(mut socket) = stream.reunite(sink)
    {
        let _ = timeout(LAST_WRITES, discard(socket.get_mut())).await;
    }
    end
}

/// Reads, and everything that is decided while reading.
struct Reader<'a> {
    router: &'a mut Router,
    answers: &'a Answers,
    identity: &'a mut Identity,
    shutdown: &'a CancellationToken,
    credentials: &'a Credentials,
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
        let mut heartbeat = LinkHeartbeat::new(Instant::now());
        let mut farewell: Option<Farewell> = None;
        loop {
            let router_due = self.router.due();
            let farewell_due = farewell.as_ref().map(|farewell| farewell.until);
            let due = [Some(heartbeat.due()), router_due, farewell_due];
            let due = due.into_iter().flatten().min().unwrap_or_else(Instant::now);
            tokio::select! {
                frame = stream.next() => {
                    if heartbeat.heard(Instant::now()) {
                        self.answers.ping(PING_PAYLOAD);
                    }
                    if let ControlFlow::Break(end) = self.frame(frame).await {
                        return end;
                    }
                }
                changed = self.identity.authorization.changed(), if farewell.is_none() => {
                    match self.authorization(changed.is_ok()) {
                        Some(LinkEnd::NewCredentials) => return LinkEnd::NewCredentials,
                        Some(end) => {
                            farewell = Some(self.stop_shells("the device is not authorised", end));
                        }
                        None => {}
                    }
                }
                () = self.shutdown.cancelled(), if farewell.is_none() => {
                    farewell = Some(self.stop_shells("the agent is ending", LinkEnd::Shutdown));
                }
                end = shells_told(self.router, farewell.as_ref()) => return end,
                () = sleep_until(due.into()) => {
                    let now = Instant::now();
                    if let Some(farewell) = farewell.take_if(|farewell| farewell.until <= now) {
                        return farewell.end;
                    }
                    match heartbeat.check(now) {
                        Some(Beat::Ping) => self.answers.ping(PING_PAYLOAD),
                        Some(Beat::Dead) => return LinkEnd::Silent,
                        None => {}
                    }
                    self.router.tick(now).await;
                }
            }
        }
    }

    async fn frame(&mut self, frame: Option<Result<Frame, Error>>) -> ControlFlow<LinkEnd> {
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
        match timeout(ANSWER_PATIENCE, self.router.receive(bytes)).await {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => {
                let reason = "the server sends without reading".to_owned();
                ControlFlow::Break(LinkEnd::Lost(reason))
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

    /// Has every shell stopped while the link can still tell of it.
    fn stop_shells(&mut self, why: &str, end: LinkEnd) -> Farewell {
        self.router
            .sessions()
            .stop_all(&format!("shell stopped: {why}"));
        Farewell {
            until: Instant::now() + LAST_SHELLS,
            end,
        }
    }
}

/// Waits until every shell has ended and said so, if that is what the link is waiting for.
async fn shells_told(router: &mut Router, farewell: Option<&Farewell>) -> LinkEnd {
    match farewell {
        Some(farewell) => {
            router.sessions().all_told().await;
            farewell.end.clone()
        }
        None => pending().await,
    }
}

/// Writes what is queued until the socket breaks, or `finish` is asked for and the queues are
/// empty. What has waited together is written together.
async fn write<S>(
    sink: &mut SplitSink<WebSocketStream<S>, Frame>,
    queues: &mut Queues,
    finish: &CancellationToken,
) -> Error
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let mut next = tokio::select! {
            biased;
            next = queues.next() => Some(next),
            () = finish.cancelled() => return Error::ConnectionClosed,
        };
        let mut size = 0;
        while let Some(outgoing) = next {
            let frame = outgoing.into_frame();
            size += frame.len();
            if let Err(error) = sink.feed(frame).await {
                return error;
            }
            next = if size < SEND_LIMIT {
                queues.try_next()
            } else {
                None
            };
        }
        if let Err(error) = sink.flush().await {
            return error;
        }
    }
}

/// Says goodbye as the end deserves. Returns whether a close frame was sent that the peer has to
/// answer; a peer that does not listen is not waited for.
async fn close<S>(sink: &mut SplitSink<WebSocketStream<S>, Frame>, end: &LinkEnd) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (code, reason) = match end {
        LinkEnd::Lost(_) | LinkEnd::Silent => return false,
        LinkEnd::Closed(..) => {
            // The answer to a close frame is queued already.
            let _ = timeout(LAST_WRITES, sink.flush()).await;
            return false;
        }
        LinkEnd::TooLarge(size) => {
            let reason =
                format!("message too large: {size} bytes, at most {OUR_READ_LIMIT} are taken");
            (CloseCode::Size, Utf8Bytes::from(reason))
        }
        LinkEnd::NewCredentials => (CloseCode::Normal, Utf8Bytes::from_static("new credentials")),
        LinkEnd::Denied => (
            CloseCode::Normal,
            Utf8Bytes::from_static("not authorised any more"),
        ),
        LinkEnd::Shutdown => (CloseCode::Away, Utf8Bytes::from_static("agent is ending")),
    };
    let frame = Frame::Close(Some(CloseFrame { code, reason }));
    matches!(timeout(LAST_WRITES, sink.send(frame)).await, Ok(Ok(())))
}

/// Reads until the peer has closed and keeps nothing. A socket that is dropped with something
/// unread in it takes back what was sent last, the close frame and its reason included.
async fn discard(stream: &mut (impl AsyncRead + Unpin)) {
    let mut buffer = [0; 4096];
    while let Ok(1..) = stream.read(&mut buffer).await {}
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
