//! A websocket that speaks `longwire.v1`, and time as the stream's state machines take it.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use longwire_protocol::{Message, Receiver, decode, encode};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::peer::within;

/// A link.
pub struct Wire {
    socket: WebSocketStream<TcpStream>,
}

/// What came.
#[derive(Debug, PartialEq)]
pub enum Come {
    Message(Message),
    /// Code and reason of the close, if there was one.
    Over(Option<(u16, String)>),
}

impl Wire {
    /// None if there is nobody, or if it is refused.
    pub async fn dial(address: SocketAddr, path: &str, token: &str) -> Option<Self> {
        let mut request = format!("ws://{address}{path}")
            .into_client_request()
            .unwrap();
        let bearer = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        request.headers_mut().insert("authorization", bearer);
        let offered = HeaderValue::from_static("longwire.v1, protomsg/msgpack");
        request
            .headers_mut()
            .insert("sec-websocket-protocol", offered);
        let stream = TcpStream::connect(address).await.ok()?;
        stream.set_nodelay(true).unwrap();
        let dialled = within(tokio_tungstenite::client_async(request, stream)).await;
        let (socket, answer) = dialled.ok()?;
        assert_eq!(answer.headers()["sec-websocket-protocol"], "longwire.v1");
        Some(Self { socket })
    }

    /// False if the link is gone.
    pub async fn send(&mut self, message: &Message) -> bool {
        let frame = Frame::Binary(encode(message, Receiver::Server));
        within(self.socket.send(frame)).await.is_ok()
    }

    pub async fn next(&mut self) -> Come {
        loop {
            match self.socket.next().await {
                Some(Ok(Frame::Binary(bytes))) => return Come::Message(decode(bytes).unwrap()),
                Some(Ok(Frame::Close(frame))) => {
                    let closed = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                    // The answer to the close goes out.
                    while let Some(Ok(_)) = self.socket.next().await {}
                    return Come::Over(closed);
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Come::Over(None),
            }
        }
    }
}

/// The clock of a test's end.
pub struct Time(Instant);

impl Time {
    pub fn new() -> Self {
        Self(Instant::now())
    }

    pub fn now(&self) -> Duration {
        self.0.elapsed()
    }
}
