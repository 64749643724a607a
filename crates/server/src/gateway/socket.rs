//! A websocket cut in two: what comes, with a deadline on silence, and what goes, with one on each write.

use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message as Frame, WebSocket, WebSocketUpgrade, close_code};
use axum::http::StatusCode;
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use longwire_protocol::limits::SERVER_READ_LIMIT;
use longwire_protocol::{Message, Receiver, decode, encode};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite;

use super::close;
use super::pulse::Pulse;
use crate::bus::Closing;
use crate::error::ApiError;

/// How long a peer may be silent while it is listened to. Its pongs count.
const SILENCE_MAX: Duration = Duration::from_secs(70);

/// How long a peer may take nothing of what is sent to it.
const WRITE_MAX: Duration = Duration::from_secs(60);

/// How long a peer may take to answer a close.
const GOODBYE_MAX: Duration = Duration::from_secs(3);

/// Buffers are per connection, and most connections are idle.
const READ_BUFFER: usize = 16 * 1024;
const WRITE_BUFFER: usize = 64 * 1024;

/// How a websocket ends.
#[derive(Debug)]
pub(super) enum Ending {
    /// The peer has left or is lost.
    Gone,
    /// It is closed from this side.
    Close(Closing),
}

/// The subprotocol of our own peers, chosen before any other.
const OWN_PROTOCOL: &str = "longwire.v1";

/// The subprotocol of real peers: chosen when offered, and what no subprotocol means.
const PLAIN_PROTOCOL: &str = "protomsg/msgpack";

/// A handshake with the subprotocol chosen and the limits that all websockets of the server have.
///
/// # Errors
/// 400 when it is no websocket handshake.
pub(super) fn negotiated(
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<WebSocketUpgrade, ApiError> {
    let upgrade = upgrade
        .map_err(|rejection| ApiError::new(StatusCode::BAD_REQUEST, rejection.body_text()))?;
    Ok(upgrade
        .max_message_size(SERVER_READ_LIMIT)
        .max_frame_size(SERVER_READ_LIMIT)
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .protocols([OWN_PROTOCOL, PLAIN_PROTOCOL]))
}

/// Whether both ends speak `longwire.v1` on it.
pub(super) fn is_longwire(upgrade: &WebSocketUpgrade) -> bool {
    upgrade
        .selected_protocol()
        .is_some_and(|chosen| chosen == OWN_PROTOCOL)
}

/// Cuts a websocket in two.
pub(super) fn split(socket: WebSocket, receiver: Receiver) -> (Incoming, Outgoing) {
    let (sink, stream) = socket.split();
    let incoming = Incoming {
        stream,
        broken: false,
    };
    (incoming, Outgoing { sink, receiver })
}

/// What comes from the peer.
pub(super) struct Incoming {
    stream: SplitStream<WebSocket>,
    /// Nothing more can be read, although the peer may still be sending.
    broken: bool,
}

impl Incoming {
    /// The next message and its size on the wire. Silence counts only while this runs.
    pub(super) async fn next(&mut self, pulse: &Pulse) -> Result<(Message, usize), Ending> {
        loop {
            let Ok(frame) = timeout(SILENCE_MAX, self.stream.next()).await else {
                let reason = "no sign of life for 70 seconds";
                return Err(Ending::Close(close::with(close_code::AWAY, reason)));
            };
            let bytes = match frame {
                None => return Err(Ending::Gone),
                Some(Err(error)) => return Err(self.failed(error)),
                Some(Ok(Frame::Binary(bytes))) => bytes,
                Some(Ok(Frame::Text(text))) => Bytes::from(text),
                Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => {
                    pulse.heard();
                    continue;
                }
                Some(Ok(Frame::Close(_))) => {
                    // The answer goes out as the stream is read to its end.
                    self.drain().await;
                    return Err(Ending::Gone);
                }
            };
            pulse.heard();
            let size = bytes.len();
            return match decode(bytes) {
                Ok(message) => Ok((message, size)),
                Err(error) => Err(Ending::Close(close::with(
                    close_code::INVALID,
                    error.to_string(),
                ))),
            };
        }
    }

    fn failed(&mut self, error: axum::Error) -> Ending {
        use tungstenite::Error;
        use tungstenite::error::ProtocolError::ResetWithoutClosingHandshake;
        self.broken = true;
        let Ok(error) = error.into_inner().downcast::<Error>() else {
            return Ending::Gone;
        };
        let (code, reason) = match *error {
            Error::Capacity(error) => (close_code::SIZE, error.to_string()),
            Error::Utf8(error) => (close_code::INVALID, error),
            Error::Protocol(ResetWithoutClosingHandshake) => return Ending::Gone,
            Error::Protocol(error) => (close_code::PROTOCOL, error.to_string()),
            Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Io(_)
            | Error::Tls(_)
            | Error::WriteBufferFull(_)
            | Error::AttackAttempt
            | Error::Url(_)
            | Error::Http(_)
            | Error::HttpFormat(_) => return Ending::Gone,
        };
        Ending::Close(close::with(code, reason))
    }

    /// Reads until the peer has left, for a short while.
    async fn drain(&mut self) {
        let end = async { while let Some(Ok(_)) = self.stream.next().await {} };
        // Who does not leave is left.
        let _ = timeout(GOODBYE_MAX, end).await;
    }
}

/// What goes to the peer.
pub(super) struct Outgoing {
    sink: SplitSink<WebSocket, Frame>,
    receiver: Receiver,
}

impl Outgoing {
    /// Puts a message in the buffer, and part of the buffer on the wire if it is full.
    pub(super) async fn feed(&mut self, message: &Message) -> Result<(), Ending> {
        let bytes = encode(message, self.receiver);
        in_time(self.sink.feed(Frame::Binary(bytes))).await
    }

    /// Puts everything on the wire.
    pub(super) async fn flush(&mut self) -> Result<(), Ending> {
        in_time(self.sink.flush()).await
    }

    /// Puts a ping in the buffer. Its text is that of other servers of this protocol.
    pub(super) async fn feed_ping(&mut self) -> Result<(), Ending> {
        in_time(self.sink.feed(Frame::Ping(Bytes::from_static(b"60")))).await
    }

    /// Sends a ping.
    pub(super) async fn ping(&mut self) -> Result<(), Ending> {
        self.feed_ping().await?;
        self.flush().await
    }
}

async fn in_time(write: impl Future<Output = Result<(), axum::Error>>) -> Result<(), Ending> {
    match timeout(WRITE_MAX, write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Ending::Gone),
    }
}

/// Ends a websocket.
pub(super) async fn finish(ending: Ending, mut incoming: Incoming, mut outgoing: Outgoing) {
    let Ending::Close(closing) = ending else {
        return;
    };
    let close = outgoing
        .sink
        .send(Frame::Close(Some(close::frame(closing))));
    if !matches!(timeout(GOODBYE_MAX, close).await, Ok(Ok(()))) {
        return;
    }
    if incoming.broken {
        // The peer may be in the middle of a message that is not read any more. If the connection went
        // away now, the system would answer what is still to come with a reset, and that would overtake
        // the reason.
        tokio::time::sleep(GOODBYE_MAX).await;
    } else {
        incoming.drain().await;
    }
}
