//! An operator's end of a terminal, message by message, for what no well-behaved program would do.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "whatever is not expected fails the test"
)]

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use futures_util::{SinkExt, StreamExt};
use longwire_protocol::shell::{FromDevice, FromUser, Winsize};
use longwire_protocol::{Message, Receiver, decode, encode};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Bytes};

use crate::until::DEADLINE;

/// A websocket to one device's terminal.
#[derive(Debug)]
pub struct Viewer {
    socket: WebSocketStream<TcpStream>,
    /// The session's id, once the first message of the device has told it.
    pub sid: String,
    output: Vec<u8>,
    seen: usize,
}

/// What comes next on the socket.
#[derive(Debug)]
pub enum Next {
    /// A message of the session.
    Message(Message),
    /// The server has closed the socket: code and reason.
    Closed(u16, String),
}

impl Viewer {
    /// Connects without starting a shell.
    ///
    /// # Errors
    /// When the server refuses the upgrade.
    pub async fn connect(server: &str, token: &str, device: &str) -> Result<Self> {
        let host = server
            .strip_prefix("http://")
            .context("the lab's server speaks http")?;
        let path = format!("/api/management/v1/deviceconnect/devices/{device}/connect");
        let mut request = format!("ws://{host}{path}").into_client_request()?;
        request
            .headers_mut()
            .insert("Authorization", format!("Bearer {token}").parse()?);
        let stream = TcpStream::connect(host).await?;
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await?;
        Ok(Self {
            socket,
            sid: String::new(),
            output: Vec::new(),
            seen: 0,
        })
    }

    /// Connects and starts a shell.
    ///
    /// # Errors
    /// When the shell is refused, with the device's text.
    pub async fn open(
        server: &str,
        token: &str,
        device: &str,
        size: Option<Winsize>,
    ) -> Result<Self> {
        let mut viewer = Self::connect(server, token, device).await?;
        viewer.send(&FromUser::New { size }).await?;
        loop {
            match viewer.message().await? {
                FromDevice::Started => return Ok(viewer),
                FromDevice::Refused(text) => bail!("refused: {text}"),
                FromDevice::Output(bytes) => viewer.output.extend(bytes),
                other => bail!("{other:?} before the shell has started"),
            }
        }
    }

    /// Sends a message of the shell protocol.
    ///
    /// # Errors
    /// When the socket is closed.
    pub async fn send(&mut self, message: &FromUser) -> Result<()> {
        let message = encode(&message.to_message(&self.sid), Receiver::Server);
        self.send_raw(message).await
    }

    /// Sends bytes as one binary websocket message, whatever they mean.
    ///
    /// # Errors
    /// When the socket is closed.
    pub async fn send_raw(&mut self, message: Bytes) -> Result<()> {
        Ok(self
            .socket
            .send(tungstenite::Message::Binary(message))
            .await?)
    }

    /// Types bytes, in one message whatever their number.
    ///
    /// # Errors
    /// When the socket is closed.
    pub async fn types(&mut self, bytes: impl Into<Bytes>) -> Result<()> {
        self.send(&FromUser::Input(bytes.into())).await
    }

    /// The next message or the end, pings of the websocket answered meanwhile.
    ///
    /// # Errors
    /// When nothing comes by the deadline, or the socket breaks without a close.
    pub async fn next(&mut self) -> Result<Next> {
        loop {
            let next = timeout(DEADLINE, self.socket.next()).await;
            match next
                .map_err(|_| anyhow!("nothing from the server"))?
                .context("an end")??
            {
                tungstenite::Message::Binary(bytes) => {
                    let message = decode(bytes)?;
                    self.sid.clone_from(&message.sid);
                    return Ok(Next::Message(message));
                }
                tungstenite::Message::Close(frame) => {
                    let (code, reason) = frame
                        .map(|frame| (u16::from(frame.code), frame.reason.to_string()))
                        .unwrap_or((1005, String::new()));
                    return Ok(Next::Closed(code, reason));
                }
                tungstenite::Message::Ping(_) | tungstenite::Message::Pong(_) => {}
                other => bail!("unexpected {other:?}"),
            }
        }
    }

    /// The next message of the device, its shell pings answered as a terminal does.
    ///
    /// # Errors
    /// When the socket closes instead, or nothing comes by the deadline.
    pub async fn message(&mut self) -> Result<FromDevice> {
        loop {
            let message = match self.next().await? {
                Next::Message(message) => message,
                Next::Closed(code, reason) => bail!("closed with {code} {reason}"),
            };
            match FromDevice::try_from(&message)? {
                FromDevice::Ping { .. } => self.send(&FromUser::Pong).await?,
                other => return Ok(other),
            }
        }
    }

    /// Waits until `text` appears in the output after everything expected before.
    ///
    /// # Errors
    /// When it does not within the deadline, or the session ends first.
    pub async fn shows(&mut self, text: &str) -> Result<()> {
        let wanted = text.as_bytes();
        let wait = async {
            loop {
                let fresh = self.output.get(self.seen..).unwrap_or_default();
                if let Some(at) = fresh.windows(wanted.len()).position(|part| part == wanted) {
                    self.seen += at + wanted.len();
                    return Ok(());
                }
                match self.message().await? {
                    FromDevice::Output(bytes) => self.output.extend(bytes),
                    other => bail!("{other:?}"),
                }
            }
        };
        let found = timeout(DEADLINE, wait)
            .await
            .unwrap_or_else(|_| Err(anyhow!("in vain")));
        found.with_context(|| {
            format!(
                "waiting for “{text}” after “{}”",
                String::from_utf8_lossy(&self.output)
            )
        })
    }

    /// Everything shown so far.
    #[must_use]
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }

    /// Reads until the device says that the shell has ended, and returns what it said.
    ///
    /// # Errors
    /// When it says nothing of the kind by the deadline.
    pub async fn stopped(&mut self) -> Result<FromDevice> {
        loop {
            match self.message().await? {
                FromDevice::Output(bytes) => self.output.extend(bytes),
                stop @ FromDevice::Stop(_) => return Ok(stop),
                other => bail!("{other:?} instead of an end"),
            }
        }
    }

    /// Reads until the server closes the socket and returns code and reason.
    ///
    /// # Errors
    /// When it does not within a while.
    pub async fn closed(&mut self, within: Duration) -> Result<(u16, String)> {
        let wait = async {
            loop {
                if let Next::Closed(code, reason) = self.next().await? {
                    return Ok((code, reason));
                }
            }
        };
        timeout(within, wait)
            .await
            .map_err(|_| anyhow!("still open after {within:?}"))?
    }

    /// Drops the connection as a lost network would, without a word.
    pub fn vanish(self) {
        drop(self.socket);
    }
}
