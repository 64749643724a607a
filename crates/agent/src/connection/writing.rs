//! The writing half of a link: what goes out when, and the last things said.

use std::time::Duration;

use futures_util::SinkExt;
use futures_util::stream::SplitSink;
use longwire_protocol::limits::{OUR_READ_LIMIT, SEND_LIMIT};
use longwire_protocol::{Message, Receiver, encode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message as Frame, Utf8Bytes};
use tokio_util::sync::CancellationToken;

use super::link::LinkEnd;
use super::outbox::Queues;
use crate::shared_end::SharedEnd;

/// How long a link that ends on purpose may take to send what is queued.
pub(super) const LAST_WRITES: Duration = Duration::from_millis(500);
/// The longest reason a close frame has room for.
const LONGEST_REASON: usize = 123;

/// On a plain link: writes what is queued until the socket breaks, or `finish` is asked for and the queues are
/// empty. What has waited together is written together.
pub(super) async fn write<S>(
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

/// On the stream: writes what its end gives, and answers beside it, until the socket breaks, or
/// `finish` is asked for and there is no more. Nothing is asked of the end before the socket takes
/// it, so that what is urgent passes all output that waits.
pub(super) async fn write_stream<S>(
    sink: &mut SplitSink<WebSocketStream<S>, Frame>,
    queues: &mut Queues,
    end: &SharedEnd,
    finish: &CancellationToken,
) -> Error
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // The introduction is the first message of a link.
    let mut next = end.transmit().map(to_frame);
    loop {
        let mut size = 0;
        while let Some(frame) = next {
            size += frame.len();
            if let Err(error) = sink.feed(frame).await {
                return error;
            }
            if size >= SEND_LIMIT {
                size = 0;
                // What has come goes before what goes out.
                yield_now().await;
            }
            let answer = queues.try_answer().map(super::outbox::Outgoing::into_frame);
            next = answer.or_else(|| end.transmit().map(to_frame));
        }
        if let Err(error) = sink.flush().await {
            return error;
        }
        next = tokio::select! {
            biased;
            () = end.outgoing() => end.transmit().map(to_frame),
            answer = queues.answer() => Some(answer.into_frame()),
            () = finish.cancelled() => return Error::ConnectionClosed,
        };
    }
}

fn to_frame(message: Message) -> Frame {
    Frame::Binary(encode(&message, Receiver::Server))
}

/// Says goodbye as the end deserves. Returns whether a close frame was sent that the peer has to
/// answer; a peer that does not listen is not waited for.
pub(super) async fn close<S>(sink: &mut SplitSink<WebSocketStream<S>, Frame>, end: &LinkEnd) -> bool
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
        LinkEnd::Broken(error) => {
            let why = to_frame(error.to_message());
            let _ = timeout(LAST_WRITES, sink.send(why)).await;
            let mut reason = error.to_string();
            reason.truncate(reason.floor_char_boundary(LONGEST_REASON));
            (CloseCode::Protocol, Utf8Bytes::from(reason))
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
pub(super) async fn discard(stream: &mut (impl AsyncRead + Unpin)) {
    let mut buffer = [0; 4096];
    while let Ok(1..) = stream.read(&mut buffer).await {}
}
