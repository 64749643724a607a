//! One HTTP request on a connection of its own. The agent sends a handful a day.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{self, HeaderValue};
use hyper::rt::ReadBufCursor;
use hyper::{Method, Request, StatusCode};
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use crate::dial::{DialError, Stream, dial};
use crate::server_url::ServerUrl;

/// Time for the whole exchange.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Answers to a device are a token or a short error.
const MAX_BODY: usize = 64 * 1024;

/// What to send.
#[derive(Debug)]
pub struct Outgoing {
    /// `POST`, `PUT`, …
    pub method: Method,
    /// Path on the server, with a leading slash.
    pub path: &'static str,
    /// Further headers; secret values marked as sensitive.
    pub headers: Vec<(&'static str, HeaderValue)>,
    /// JSON text.
    pub body: Vec<u8>,
}

/// What came back.
#[derive(Debug, PartialEq)]
pub struct Answer {
    /// Status code.
    pub status: StatusCode,
    /// Seconds from a `Retry-After` header.
    pub retry_after: Option<Duration>,
    /// At most 64 KiB.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The connection broke or what came is not HTTP.
    #[error("request failed: {0}")]
    Exchange(#[from] hyper::Error),
    /// The request's parts make no valid request.
    #[error("cannot build the request: {0}")]
    Request(#[from] hyper::http::Error),
    /// The answer is too long or broke off.
    #[error("cannot read the answer: {0}")]
    Body(String),
    /// Nothing within a minute.
    #[error("no answer within a minute")]
    Timeout,
}

/// Sends a request and reads the answer, whatever its status.
///
/// # Errors
/// [`HttpError`] when there is no complete answer.
pub async fn send(
    server: &ServerUrl,
    tls: &Arc<ClientConfig>,
    outgoing: Outgoing,
) -> Result<Answer, HttpError> {
    timeout(TIMEOUT, exchange(server, tls, outgoing))
        .await
        .map_err(|_| HttpError::Timeout)?
}

async fn exchange(
    server: &ServerUrl,
    tls: &Arc<ClientConfig>,
    outgoing: Outgoing,
) -> Result<Answer, HttpError> {
    let mut request = Request::builder()
        .method(outgoing.method)
        .uri(outgoing.path)
        .header(header::HOST, server.authority())
        .header(
            header::USER_AGENT,
            concat!("longwire-agent/", env!("CARGO_PKG_VERSION")),
        )
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close");
    for (name, value) in outgoing.headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(Bytes::from(outgoing.body)))?;

    let stream = HyperStream(dial(server, tls).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(seconds);
        let body = Limited::new(response.into_body(), MAX_BODY)
            .collect()
            .await
            .map_err(|error| HttpError::Body(error.to_string()))?;
        Ok(Answer {
            status,
            retry_after,
            body: body.to_bytes().into(),
        })
    };
    // The connection does the reading and writing; how it ends shows in the answer.
    let drive = async {
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        answer = answer => answer,
        () = drive => Err(HttpError::Timeout),
    }
}

/// `Retry-After` as seconds; its form as a date is for clients with a clock.
fn seconds(value: &HeaderValue) -> Option<Duration> {
    value
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_secs)
}

/// hyper's IO traits on a tokio stream. The bytes take a detour over a small buffer, which spares
/// an `unsafe` and costs nothing that counts at a handful of requests a day.
pub(crate) struct HyperStream(pub(crate) Stream);

impl hyper::rt::Read for HyperStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut out: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [0; 2048];
        let room = out.remaining().min(bytes.len());
        let mut buffer = ReadBuf::new(bytes.get_mut(..room).unwrap_or_default());
        ready!(Pin::new(&mut self.get_mut().0).poll_read(cx, &mut buffer))?;
        out.put_slice(buffer.filled());
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for HyperStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }
}
