//! The least that a device can be connected to: no users, no record, nothing but links.
//!
//! An [`Endpoint`] accepts every device and speaks to it as plain servers do, or `longwire.v1`, and
//! then acknowledges at once what comes. It serves to see what an agent does by itself.

mod http;
mod longwire;
mod plain;

use std::net::Ipv4Addr;

use anyhow::{Context, Result, anyhow};
use longwire_protocol::shell::Winsize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Bytes;

use crate::line::{Line, WAITING};
use crate::until::DEADLINE;

/// What an endpoint says to devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// Mender's protocol; what is offered beside it is not taken.
    Plain,
    /// `longwire.v1`.
    Longwire,
}

/// A server for devices and nobody else, on loopback.
#[derive(Debug)]
pub struct Endpoint {
    /// Where it listens, as `http://127.0.0.1:PORT`.
    pub url: String,
    links: mpsc::Receiver<Result<Device>>,
    listener: AbortHandle,
}

/// One connected device. Its link ends when this is dropped.
#[derive(Debug)]
pub struct Device {
    wishes: mpsc::Sender<Wish>,
    typed: mpsc::Sender<(String, Bytes)>,
    tasks: JoinSet<Result<()>>,
}

/// A websocket from a device.
type Socket = WebSocketStream<TcpStream>;

/// What a link is asked for.
#[derive(Debug)]
enum Wish {
    /// A shell.
    Open(Open),
    /// Its end.
    Stop { sid: String },
}

#[derive(Debug)]
struct Open {
    sid: String,
    size: Winsize,
    shown: mpsc::Sender<Bytes>,
    started: oneshot::Sender<Result<()>>,
}

/// The ends of a link that its owner does not hold.
struct Ends {
    wishes: mpsc::Receiver<Wish>,
    typed: mpsc::Receiver<(String, Bytes)>,
}

impl Endpoint {
    /// Listens for devices.
    ///
    /// # Errors
    /// When there is no port to be had.
    pub async fn start(speaks: Speaks) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (sender, links) = mpsc::channel(WAITING);
        let task = tokio::spawn(async move {
            let mut requests = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                while requests.try_join_next().is_some() {}
                let sender = sender.clone();
                requests.spawn(async move {
                    let device = match http::answer(stream, speaks).await {
                        Ok(None) => return,
                        Ok(Some(socket)) => Ok(Device::over(socket, speaks)),
                        Err(error) => Err(error),
                    };
                    // Nobody may ask any more.
                    let _ = sender.send(device).await;
                });
            }
        });
        Ok(Self {
            url,
            links,
            listener: task.abort_handle(),
        })
    }

    /// The next device that connects.
    ///
    /// # Errors
    /// When none does by the deadline, or it cannot speak as it is to.
    pub async fn device(&mut self) -> Result<Device> {
        let device = timeout(DEADLINE, self.links.recv()).await;
        device
            .context("no device connects")?
            .context("the endpoint is gone")?
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Device {
    fn over(socket: Socket, speaks: Speaks) -> Self {
        let (wishes, wished) = mpsc::channel(WAITING);
        let (typed, typing) = mpsc::channel(WAITING);
        let ends = Ends {
            wishes: wished,
            typed: typing,
        };
        let mut tasks = JoinSet::new();
        match speaks {
            Speaks::Plain => tasks.spawn(plain::run(socket, ends)),
            Speaks::Longwire => tasks.spawn(longwire::run(socket, ends)),
        };
        Self {
            wishes,
            typed,
            tasks,
        }
    }

    /// Has it start a shell.
    ///
    /// # Errors
    /// When it refuses, with its words, or the link ends.
    pub async fn open(&self, sid: &str, size: Winsize) -> Result<Line> {
        let (shown, output) = mpsc::channel(WAITING);
        let (started, answer) = oneshot::channel();
        let open = Open {
            sid: sid.to_owned(),
            size,
            shown,
            started,
        };
        let gone = || anyhow!("the device's link is gone");
        let sent = self.wishes.send(Wish::Open(open)).await;
        sent.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())??;

        let (input, mut typed) = mpsc::channel(WAITING);
        let (link, sid) = (self.typed.clone(), sid.to_owned());
        let wishes = self.wishes.clone();
        // It outlives the line by the word that ends the shell.
        tokio::spawn(async move {
            while let Some(bytes) = typed.recv().await {
                if link.send((sid.clone(), bytes)).await.is_err() {
                    return;
                }
            }
            let _ = wishes.send(Wish::Stop { sid }).await;
        });
        Ok(Line {
            input,
            output,
            tasks: JoinSet::new(),
        })
    }

    /// Waits until the link has ended, and why.
    ///
    /// # Errors
    /// The reason, unless it was closed.
    pub async fn ended(&mut self) -> Result<()> {
        match self.tasks.join_next().await {
            Some(ended) => ended?,
            None => Ok(()),
        }
    }
}
