//! From a server's address to an open websocket, and what is spoken on it.
//!
//! The handshake is made here and not by the websocket library: that one takes the answer of a server
//! that knows no subprotocol for an error.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http;
use hyper::{Request, Response, StatusCode};
use longwire_link::limits::SUBPROTOCOL;
use longwire_protocol::limits::OUR_READ_LIMIT;
use rustls::ClientConfig;
use socket2::SockRef;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::redial::named_seconds;
use crate::dial::{DialError, Stream, dial};
use crate::http::HyperStream;
use crate::identity::Credentials;

/// Where devices connect; it replaces whatever path the server's address has.
const PATH: &str = "/api/devices/v1/deviceconnect/connect";
/// Time for the server (and a proxy in between) to answer the upgrade.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(30);
/// What the socket reads at a time; messages are mostly small.
const READ_BUFFER: usize = 16 * 1024;
/// Bytes the kernel takes beyond what is on its way.
const MOST_UNSENT: u32 = 64 * 1024;
/// How much of a refusal's body is shown in the log.
const SHOWN_BODY: usize = 200;
/// How long that may take to come.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);
/// The plain protocol under the name that Mender's own server knows it by.
const PLAIN: &str = "protomsg/msgpack";

/// An open websocket to a server.
pub(crate) type Socket = WebSocketStream<Stream>;

/// Why there is no websocket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpgradeError {
    /// There is no way to the server, or it is not the right one.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The request cannot be written down.
    #[error("cannot ask for a websocket: {0}")]
    Request(#[from] http::Error),
    /// The server answered, but not with a websocket.
    #[error("the server answered {status} {text}")]
    Answered {
        /// The HTTP status.
        status: u16,
        /// The start of the answer's body.
        text: String,
        /// `Retry-After`, if given in seconds.
        retry_after: Option<Duration>,
    },
    /// What came is no HTTP, or the stream broke.
    #[error("the upgrade failed: {0}")]
    Exchange(#[from] hyper::Error),
    /// The server says that it upgrades, but not to a websocket, or not to what was asked for.
    #[error("the upgrade failed: {0} is missing or wrong in the answer")]
    Answer(HeaderName),
    /// The server took the connection and said nothing.
    #[error("the server did not answer in time")]
    Timeout,
}

/// What is spoken on a websocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// The protocol of every Mender server.
    Plain,
    /// The stream that goes on after a lost link.
    Longwire,
}

/// Dials and upgrades.
///
/// Subprotocols are offered, and a server may know none. No extension is: mender-client's proxy
/// copies the headers to a dial of its own, which fails with extensions.
pub(crate) async fn connect(
    credentials: &Credentials,
    tls: &Arc<ClientConfig>,
) -> Result<(Socket, Spoken), UpgradeError> {
    let key = generate_key();
    let request = request(credentials, &key)?;
    let stream = dial(&credentials.server, tls).await?;
    keep_unsent_short(&stream);
    match timeout(UPGRADE_TIMEOUT, upgrade(stream, request, &key)).await {
        Ok(result) => result,
        Err(_) => Err(UpgradeError::Timeout),
    }
}

async fn upgrade(
    stream: Stream,
    request: Request<Empty<Bytes>>,
    key: &str,
) -> Result<(Socket, Spoken), UpgradeError> {
    let (mut sender, connection) = http1::Builder::new()
        // There are servers that know these headers in one spelling only.
        .title_case_headers(true)
        .handshake(HyperStream(stream))
        .await?;
    let asked = async {
        let response = sender.send_request(request).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refusal(response).await);
        }
        chosen(response.headers(), key)
    };
    // The connection does the reading and writing, and ends with the upgrade.
    let (spoken, parts) =
        tokio::try_join!(asked, async { Ok(connection.without_shutdown().await?) })?;
    let socket = WebSocketStream::from_partially_read(
        parts.io.0,
        parts.read_buf.to_vec(),
        Role::Client,
        Some(socket_config(spoken)),
    );
    Ok((socket.await, spoken))
}

fn request(credentials: &Credentials, key: &str) -> Result<Request<Empty<Bytes>>, http::Error> {
    let mut bearer = HeaderValue::try_from(format!("Bearer {}", credentials.token.expose()))?;
    bearer.set_sensitive(true);
    Request::get(PATH)
        .header(header::HOST, credentials.server.authority())
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, key)
        .header(
            header::SEC_WEBSOCKET_PROTOCOL,
            format!("{SUBPROTOCOL}, {PLAIN}"),
        )
        .header(
            header::USER_AGENT,
            concat!("longwire-agent/", env!("CARGO_PKG_VERSION")),
        )
        .header(header::AUTHORIZATION, bearer)
        .body(Empty::new())
}

/// Checks the answer to an upgrade, as RFC 6455 says, and returns what the server has chosen.
fn chosen(headers: &HeaderMap, key: &str) -> Result<Spoken, UpgradeError> {
    let value = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let check = |name: HeaderName, holds: &dyn Fn(&str) -> bool| match value(name.clone()) {
        Some(value) if holds(value) => Ok(()),
        _ => Err(UpgradeError::Answer(name)),
    };
    check(header::UPGRADE, &|value| {
        value.eq_ignore_ascii_case("websocket")
    })?;
    check(header::CONNECTION, &|value| {
        let mut words = value.split(',').map(str::trim);
        words.any(|word| word.eq_ignore_ascii_case("upgrade"))
    })?;
    let accept = derive_accept_key(key.as_bytes());
    check(header::SEC_WEBSOCKET_ACCEPT, &|value| value == accept)?;
    if headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS) {
        return Err(UpgradeError::Answer(header::SEC_WEBSOCKET_EXTENSIONS));
    }
    match headers.get(header::SEC_WEBSOCKET_PROTOCOL) {
        Some(chosen) if chosen == SUBPROTOCOL => Ok(Spoken::Longwire),
        None => Ok(Spoken::Plain),
        Some(chosen) if chosen == PLAIN => Ok(Spoken::Plain),
        Some(_) => Err(UpgradeError::Answer(header::SEC_WEBSOCKET_PROTOCOL)),
    }
}

/// Keeps the kernel from taking megabytes that the network cannot carry yet: a keystroke's echo
/// would wait behind them.
fn keep_unsent_short(stream: &Stream) {
    let tcp = match stream {
        Stream::Plain(tcp) => tcp,
        Stream::Tls(tls) => tls.get_ref().0,
    };
    if let Err(error) = SockRef::from(tcp).set_tcp_notsent_lowat(MOST_UNSENT) {
        log::debug!("cannot shorten the send buffer: {error}");
    }
}

/// The limit holds for a frame's announced length, so nothing larger is ever allocated.
fn socket_config(spoken: Spoken) -> WebSocketConfig {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(OUR_READ_LIMIT))
        .max_frame_size(Some(OUR_READ_LIMIT));
    match spoken {
        // What has waited together is written together.
        Spoken::Plain => config,
        // No message is taken from the stream before the one before it is with the kernel.
        Spoken::Longwire => config.write_buffer_size(0),
    }
}

/// The server answered with something else than an upgrade.
async fn refusal(response: Response<Incoming>) -> UpgradeError {
    let (head, mut body) = response.into_parts();
    let mut shown = Vec::new();
    // What does not come soon is not worth waiting for.
    let _ = timeout(BODY_TIMEOUT, async {
        while shown.len() < SHOWN_BODY
            && let Some(Ok(frame)) = body.frame().await
        {
            let data = frame.into_data().unwrap_or_default();
            shown.extend_from_slice(data.get(..SHOWN_BODY).unwrap_or(&data));
        }
    })
    .await;
    answered(head.status.as_u16(), &head.headers, &shown)
}

fn answered(status: u16, headers: &HeaderMap, body: &[u8]) -> UpgradeError {
    let text = String::from_utf8_lossy(body.get(..SHOWN_BODY).unwrap_or(body));
    UpgradeError::Answered {
        status,
        text: text.trim().to_owned(),
        retry_after: headers
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            // The other form, a date, starts with a day's name.
            .filter(|value| value.starts_with(|c: char| c.is_ascii_digit()))
            .and_then(named_seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Token;
    use crate::server_url::{PlainHttp, ServerUrl};

    #[test]
    fn item_41_the_path_is_replaced_and_no_extension_offered() {
        let server = ServerUrl::parse("http://127.0.0.1:4711/any/path", PlainHttp::ToThisMachine);
        let credentials = Credentials {
            token: Token::new("t0k3n").unwrap(),
            server: server.unwrap(),
        };
        let request = request(&credentials, "key").unwrap();
        assert_eq!(request.uri(), "/api/devices/v1/deviceconnect/connect");
        assert_eq!(request.headers()["authorization"], "Bearer t0k3n");
        assert_eq!(request.headers()["host"], "127.0.0.1:4711");
        assert_eq!(
            request.headers()["sec-websocket-protocol"],
            "longwire.v1, protomsg/msgpack"
        );
        assert!(!request.headers().contains_key("sec-websocket-extensions"));
        assert!(!format!("{request:?}").contains("t0k3n"));
    }

    /// The answer to the example key of RFC 6455, with one header set or (empty) left out.
    fn answer(name: &'static str, value: &'static str) -> Result<Spoken, UpgradeError> {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("upgrade", "WebSocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            (name, value),
        ] {
            if value.is_empty() {
                headers.remove(name);
            } else {
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
        chosen(&headers, "dGhlIHNhbXBsZSBub25jZQ==")
    }

    #[test]
    fn a_server_chooses_one_of_two_protocols_or_knows_of_none() {
        let protocol = |value| answer("sec-websocket-protocol", value);
        assert_eq!(protocol("longwire.v1").unwrap(), Spoken::Longwire);
        assert_eq!(protocol("protomsg/msgpack").unwrap(), Spoken::Plain);
        assert_eq!(protocol("").unwrap(), Spoken::Plain);
        for (name, value) in [
            ("sec-websocket-protocol", "something else"),
            ("sec-websocket-extensions", "permessage-deflate"),
            ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOO="),
            ("sec-websocket-accept", ""),
            ("upgrade", "h2c"),
            ("connection", "close"),
        ] {
            let Err(UpgradeError::Answer(wrong)) = answer(name, value) else {
                panic!("{name}: {value} is taken");
            };
            assert_eq!(wrong, name);
        }
    }

    #[test]
    fn item_43_a_refusal_may_name_a_time() {
        let refused = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", HeaderValue::from_static(value));
            answered(503, &headers, b"too many websocket connections\n")
        };
        let UpgradeError::Answered {
            status,
            text,
            retry_after,
        } = refused("30")
        else {
            panic!("the server answered");
        };
        assert_eq!(
            (status, text.as_str()),
            (503, "too many websocket connections")
        );
        assert_eq!(retry_after, Some(Duration::from_secs(30)));
        let dated = refused("Wed, 21 Oct 2026 07:28:00 GMT");
        assert!(matches!(
            dated,
            UpgradeError::Answered {
                retry_after: None,
                ..
            }
        ));
    }
}
