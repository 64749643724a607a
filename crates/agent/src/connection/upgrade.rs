//! From a server's address to an open websocket.

use std::sync::Arc;
use std::time::Duration;

use longwire_protocol::limits::OUR_READ_LIMIT;
use rustls::ClientConfig;
use socket2::SockRef;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::http::{self, Request, Response, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::redial::named_seconds;
use crate::dial::{DialError, Stream, dial};
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
    Handshake(#[source] Box<Error>),
    /// The server took the connection and said nothing.
    #[error("the server did not answer in time")]
    Timeout,
}

/// Dials and upgrades.
///
/// No extension and no subprotocol is offered: mender-client's proxy copies the headers to a dial
/// of its own, which fails with them.
pub(crate) async fn connect(
    credentials: &Credentials,
    tls: &Arc<ClientConfig>,
) -> Result<Socket, UpgradeError> {
    let request = request(credentials)?;
    let stream = dial(&credentials.server, tls).await?;
    keep_unsent_short(&stream);
    let upgrade = client_async_with_config(request, stream, Some(socket_config()));
    match timeout(UPGRADE_TIMEOUT, upgrade).await {
        Ok(Ok((socket, _response))) => Ok(socket),
        Ok(Err(Error::Http(response))) => Err(answered(&response)),
        Ok(Err(error)) => Err(UpgradeError::Handshake(Box::new(error))),
        Err(_) => Err(UpgradeError::Timeout),
    }
}

fn request(credentials: &Credentials) -> Result<Request<()>, http::Error> {
    let server = &credentials.server;
    let mut bearer =
        header::HeaderValue::try_from(format!("Bearer {}", credentials.token.expose()))?;
    bearer.set_sensitive(true);
    Request::get(server.websocket(PATH))
        .header(header::HOST, server.authority())
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, generate_key())
        .header(
            header::USER_AGENT,
            concat!("longwire-agent/", env!("CARGO_PKG_VERSION")),
        )
        .header(header::AUTHORIZATION, bearer)
        .body(())
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
fn socket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(OUR_READ_LIMIT))
        .max_frame_size(Some(OUR_READ_LIMIT))
}

fn answered(response: &Response<Option<Vec<u8>>>) -> UpgradeError {
    let body = response.body().as_deref().unwrap_or_default();
    let text = String::from_utf8_lossy(body.get(..SHOWN_BODY).unwrap_or(body));
    let retry_after = response.headers().get(header::RETRY_AFTER);
    UpgradeError::Answered {
        status: response.status().as_u16(),
        text: text.trim().to_owned(),
        retry_after: retry_after
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
    fn item_41_the_path_is_replaced_and_nothing_is_offered() {
        let server = ServerUrl::parse("http://127.0.0.1:4711/any/path", PlainHttp::ToThisMachine);
        let credentials = Credentials {
            token: Token::new("t0k3n").unwrap(),
            server: server.unwrap(),
        };
        let request = request(&credentials).unwrap();
        assert_eq!(
            request.uri(),
            "ws://127.0.0.1:4711/api/devices/v1/deviceconnect/connect"
        );
        assert_eq!(request.headers()["authorization"], "Bearer t0k3n");
        assert_eq!(request.headers()["host"], "127.0.0.1:4711");
        assert!(!request.headers().contains_key("sec-websocket-extensions"));
        assert!(!request.headers().contains_key("sec-websocket-protocol"));
        assert!(!format!("{request:?}").contains("t0k3n"));
    }

    #[test]
    fn item_43_a_refusal_may_name_a_time() {
        let response = |value: &str| {
            let response = Response::builder().status(503).header("Retry-After", value);
            response
                .body(Some(b"too many websocket connections\n".to_vec()))
                .unwrap()
        };
        let UpgradeError::Answered {
            status,
            text,
            retry_after,
        } = answered(&response("30"))
        else {
            panic!("the server answered");
        };
        assert_eq!(
            (status, text.as_str()),
            (503, "too many websocket connections")
        );
        assert_eq!(retry_after, Some(Duration::from_secs(30)));
        let dated = answered(&response("Wed, 21 Oct 2026 07:28:00 GMT"));
        assert!(matches!(
            dated,
            UpgradeError::Answered {
                retry_after: None,
                ..
            }
        ));
    }
}
