//! One end of a websocket, message by message.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use longwire_protocol::shell::{FromDevice, FromUser};
use longwire_protocol::{Message, Receiver, decode, encode};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::frame::Frame as RawFrame;
use tokio_tungstenite::tungstenite::{Error, Message as Frame};

/// Waits for something that must happen.
pub async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), what)
        .await
        .expect("nothing happened for 20 seconds")
}

#[derive(Debug)]
pub struct Peer {
    socket: WebSocketStream<TcpStream>,
    /// Of the answer to the handshake.
    pub headers: HeaderMap,
}

#[derive(Debug)]
pub struct Refusal {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

/// What came.
#[derive(Debug, PartialEq)]
pub enum Event {
    Message(Message),
    Ping(Bytes),
    Pong(Bytes),
    /// Close code and reason.
    Closed(u16, String),
    /// The connection went away without a close frame.
    Lost,
}

impl Peer {
    pub async fn dial(
        address: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Refusal> {
        let mut request = format!("ws://{address}{path}")
            .into_client_request()
            .unwrap();
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).unwrap();
            request.headers_mut().insert(*name, value);
        }
        let stream = TcpStream::connect(address).await.unwrap();
        match within(tokio_tungstenite::client_async(request, stream)).await {
            Ok((socket, response)) => Ok(Self {
                socket,
                headers: response.headers().clone(),
            }),
            Err(Error::Http(response)) => Err(Refusal {
                status: response.status().as_u16(),
                headers: response.headers().clone(),
                body: String::from_utf8(response.body().clone().unwrap_or_default()).unwrap(),
            }),
            Err(other) => panic!("{other}"),
        }
    }

    pub async fn send(&mut self, message: &Message) {
        self.send_bytes(encode(message, Receiver::Server)).await;
    }

    pub async fn send_bytes(&mut self, bytes: impl Into<Bytes>) {
        let sent = self.socket.send(Frame::Binary(bytes.into()));
        within(sent).await.unwrap();
    }

    pub async fn send_text(&mut self, text: &str) {
        within(self.socket.send(Frame::text(text))).await.unwrap();
    }

    pub async fn send_ping(&mut self, payload: &'static [u8]) {
        let ping = Frame::Ping(Bytes::from_static(payload));
        within(self.socket.send(ping)).await.unwrap();
    }

    /// Waits until the server listens here; before a clock is stopped.
    pub async fn is_heard(&mut self) {
        self.send_ping(b"heard?").await;
        assert_eq!(
            self.event().await,
            Event::Pong(Bytes::from_static(b"heard?"))
        );
    }

    /// Sends a message, as an operator's end or as a device.
    pub async fn say(&mut self, what: &impl Say, sid: &str) {
        self.send(&what.message(sid)).await;
    }

    /// The head of a frame that announces a message of that many bytes, and the first of them.
    pub async fn announce(&mut self, size: u64) {
        let mut head = vec![0x82, 0xff];
        head.extend_from_slice(&size.to_be_bytes());
        head.extend_from_slice(&[0; 4]);
        head.resize(4096, 0);
        use tokio::io::AsyncWriteExt;
        within(self.socket.get_mut().write_all(&head))
            .await
            .unwrap();
    }

    /// Sends one fragment of a message that never ends, for as long as the server takes it.
    pub async fn endless_fragments(&mut self, size: usize) {
        use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
        let mut code = Data::Binary;
        loop {
            let frame = RawFrame::message(vec![0; size], OpCode::Data(code), false);
            if self.socket.send(Frame::Frame(frame)).await.is_err() {
                return;
            }
            code = Data::Continue;
        }
    }

    pub async fn event(&mut self) -> Event {
        match within(self.socket.next()).await {
            Some(Ok(Frame::Binary(bytes))) => Event::Message(decode(bytes).unwrap()),
            Some(Ok(Frame::Ping(payload))) => {
                // The pong is on its way only now. A peer that is gone is noticed by reading.
                let _ = within(self.socket.flush()).await;
                Event::Ping(payload)
            }
            Some(Ok(Frame::Pong(payload))) => Event::Pong(payload),
            Some(Ok(Frame::Close(frame))) => {
                let frame = frame.expect("a close frame has a code");
                Event::Closed(frame.code.into(), frame.reason.to_string())
            }
            Some(Ok(other)) => panic!("{other:?}"),
            Some(Err(_)) | None => Event::Lost,
        }
    }

    /// The next message.
    pub async fn message(&mut self) -> Message {
        loop {
            match self.event().await {
                Event::Message(message) => return message,
                Event::Ping(_) | Event::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next message, exactly as it crossed the wire.
    pub async fn raw(&mut self) -> Bytes {
        loop {
            match within(self.socket.next()).await {
                Some(Ok(Frame::Binary(bytes))) => return bytes,
                Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next message, as an operator's end understands it.
    pub async fn hear(&mut self) -> FromDevice {
        FromDevice::try_from(&self.message().await).unwrap()
    }

    /// The next message, as a device understands it.
    pub async fn told(&mut self) -> FromUser {
        FromUser::try_from(&self.message().await).unwrap()
    }

    /// Output until it has this size.
    pub async fn output(&mut self, size: usize) -> Vec<u8> {
        let mut output = Vec::new();
        while output.len() < size {
            match self.hear().await {
                FromDevice::Output(bytes) => output.extend(bytes),
                FromDevice::Ping { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        output
    }

    /// How the websocket ends, past whatever else comes.
    pub async fn end(&mut self) -> Event {
        loop {
            match self.event().await {
                Event::Message(_) | Event::Ping(_) | Event::Pong(_) => {}
                end => return end,
            }
        }
    }

    /// Goes away without a word.
    pub fn vanish(self) {
        drop(self);
    }
}

/// What one side or the other says.
pub trait Say {
    fn message(&self, sid: &str) -> Message;
}

impl Say for FromUser {
    fn message(&self, sid: &str) -> Message {
        self.to_message(sid)
    }
}

impl Say for FromDevice {
    fn message(&self, sid: &str) -> Message {
        self.to_message(sid)
    }
}
