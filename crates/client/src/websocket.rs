//! Opening a websocket to a device's terminal.
//!
//! Done here and not by the websocket library, which takes a server that chooses no subprotocol for a
//! broken one: to us it is a server that speaks the plain protocol.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::header::{
    AUTHORIZATION, CONNECTION, HOST, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT,
};
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use longwire_protocol::limits::OUR_READ_LIMIT;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::connect::connect;
use crate::http::{AGENT, public_message};
use crate::{Client, Error};

/// How long the server may take to answer; it asks the device nothing.
const OPEN_TIMEOUT: Duration = Duration::from_secs(20);

/// What we read of a refusal.
const REFUSAL_LIMIT: usize = 64 * 1024;

/// The subprotocol of a session that outlives its connections, and Mender's own.
pub(crate) const LONGWIRE: &str = "longwire.v1";
const PLAIN: &str = "protomsg/msgpack";

/// A websocket over whatever the server is reached by.
pub(crate) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// What the server chose to speak.
pub(crate) enum Chosen {
    Longwire(Socket),
    Plain(Socket),
}

impl Client {
    /// Opens the websocket of a device's terminal.
    pub(crate) async fn websocket(&self, device: &str) -> Result<Chosen, Error> {
        tokio::time::timeout(OPEN_TIMEOUT, self.websocket_untimed(device))
            .await
            .map_err(|_| Error::Timeout(self.server.to_string()))?
    }

    async fn websocket_untimed(&self, device: &str) -> Result<Chosen, Error> {
        let path = Client::terminal_path(device);
        let key = generate_key();
        let mut request = Request::builder()
            .method(Method::GET)
            .uri(self.server.path(&path))
            .header(HOST, self.server.authority())
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, &key)
            .header(SEC_WEBSOCKET_PROTOCOL, format!("{LONGWIRE}, {PLAIN}"))
            .header(USER_AGENT, HeaderValue::from_static(AGENT));
        if let Some(bearer) = &self.bearer {
            request = request.header(AUTHORIZATION, bearer.clone());
        }
        let request = request
            .body(Empty::<Bytes>::new())
            .map_err(|error| Error::Unexpected(error.to_string()))?;

        let lost = |error: hyper::Error| Error::Lost(error.to_string());
        let stream = connect(&self.server, self.tls.as_ref()).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(lost)?;
        let connection = connection.with_upgrades();
        let exchange = async {
            let response = sender.send_request(request).await.map_err(lost)?;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                let chosen = chosen(response.headers(), &key)?;
                let upgraded = hyper::upgrade::on(response).await.map_err(lost)?;
                let config = WebSocketConfig::default()
                    .max_message_size(Some(OUR_READ_LIMIT))
                    .max_frame_size(Some(OUR_READ_LIMIT));
                let io = TokioIo::new(upgraded);
                let socket = Socket::from_raw_socket(io, Role::Client, Some(config)).await;
                return Ok(match chosen {
                    true => Chosen::Longwire(socket),
                    false => Chosen::Plain(socket),
                });
            }
            let status = response.status().as_u16();
            // Words that cannot be read are no words.
            let body = Limited::new(response.into_body(), REFUSAL_LIMIT)
                .collect()
                .await
                .map(http_body_util::Collected::to_bytes)
                .unwrap_or_default();
            Err(Error::Status {
                method: "Get",
                url: format!("{}{path}", self.server),
                status,
                message: public_message(&body),
            })
        };
        tokio::pin!(exchange);
        tokio::pin!(connection);
        tokio::select! {
            biased;
            answered = &mut exchange => answered,
            // The connection has given its stream away, or is done before all has been read.
            _ = &mut connection => exchange.await,
        }
    }
}

/// Whether the server chose `longwire.v1`.
fn chosen(headers: &HeaderMap, key: &str) -> Result<bool, Error> {
    let unexpected = |what: &str| Err(Error::Unexpected(what.to_owned()));
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if !header(&UPGRADE).is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
        || header(&SEC_WEBSOCKET_ACCEPT) != Some(derive_accept_key(key.as_bytes()).as_str())
    {
        return unexpected("no proper answer to a websocket's handshake");
    }
    match header(&SEC_WEBSOCKET_PROTOCOL) {
        Some(LONGWIRE) => Ok(true),
        Some(PLAIN) | None => Ok(false),
        Some(_) => unexpected("a subprotocol that was not offered"),
    }
}
