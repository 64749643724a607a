//! A device's link in `longwire.v1`, with everything acknowledged at once.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use futures_util::{SinkExt, StreamExt};
use longwire_link::{Hello, ToUserEnd, UserEnd};
use longwire_protocol::{Props, Receiver, decode, encode};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::{self, Bytes};

use super::{Ends, Open, Socket, Wish};

/// The window of our server.
const WINDOW: u64 = 1024 * 1024;

/// Bytes typed that a session may hold; one part of this size is always taken.
const INPUT_PART: usize = 4096;

struct Shell {
    shown: mpsc::Sender<Bytes>,
    started: Option<oneshot::Sender<Result<()>>>,
    /// What could not be typed yet.
    typed: Bytes,
}

struct Link {
    end: UserEnd,
    shells: HashMap<String, Shell>,
    begin: Instant,
}

/// Speaks with one device until either leaves.
pub(super) async fn run(socket: Socket, mut ends: Ends) -> Result<()> {
    let (mut to_device, mut from_device) = socket.split();
    let mut link = Link {
        end: UserEnd::new(Hello::new("endpoint", WINDOW)),
        shells: HashMap::new(),
        begin: Instant::now(),
    };
    let generation = link.end.connected(link.now());
    loop {
        link.happened().await?;
        let mut waits = false;
        while let Some(message) = link.end.transmit(link.now()) {
            let bytes = encode(&message, Receiver::Device);
            to_device.feed(tungstenite::Message::Binary(bytes)).await?;
            waits = true;
        }
        if waits {
            to_device.flush().await?;
        }
        let deadline = link.begin + link.end.deadline().context("the link is up")?;
        let hears_typist = link.shells.values().all(|shell| shell.typed.is_empty());
        tokio::select! {
            biased;
            Some((sid, bytes)) = ends.typed.recv(), if hears_typist => {
                if let Some(shell) = link.shells.get_mut(&sid) {
                    shell.typed = bytes;
                    link.types(&sid)?;
                }
            }
            wish = ends.wishes.recv() => match wish {
                Some(Wish::Open(open)) => link.open(open)?,
                Some(Wish::Stop { sid }) if link.shells.contains_key(&sid) => {
                    link.end.stop(&sid, None)?;
                }
                Some(Wish::Stop { .. }) => {}
                None => return Ok(to_device.close().await?),
            },
            frame = from_device.next() => {
                let frame = frame.context("the device is gone")??;
                if let tungstenite::Message::Binary(bytes) = frame {
                    link.end.receive(generation, decode(bytes)?, link.now())?;
                }
            }
            () = sleep_until(deadline) => link.end.tick(link.now())?,
        }
    }
}

impl Link {
    fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    fn open(&mut self, open: Open) -> Result<()> {
        let props = Props::default().with("user_id", "endpoint");
        self.end.open(&open.sid, 1, Some(open.size), props)?;
        let shell = Shell {
            shown: open.shown,
            started: Some(open.started),
            typed: Bytes::new(),
        };
        self.shells.insert(open.sid, shell);
        Ok(())
    }

    /// Types as much as there is room for.
    fn types(&mut self, sid: &str) -> Result<()> {
        let now = self.now();
        let Some(shell) = self.shells.get_mut(sid) else {
            return Ok(());
        };
        while !shell.typed.is_empty() && self.end.input_room(sid) >= INPUT_PART {
            let part = shell.typed.split_to(shell.typed.len().min(INPUT_PART));
            self.end.input(sid, &part, now)?;
        }
        Ok(())
    }

    async fn happened(&mut self) -> Result<()> {
        while let Some(event) = self.end.event() {
            match event {
                ToUserEnd::Started { sid } => self.tell(&sid, Ok(())),
                ToUserEnd::Refused { sid, why } => {
                    self.tell(&sid, Err(anyhow!("refused: {why}")));
                    self.shells.remove(&sid);
                }
                ToUserEnd::Output {
                    sid, offset, bytes, ..
                } => {
                    self.end.recorded(&sid, offset + bytes.len() as u64)?;
                    if let Some(shell) = self.shells.get(&sid) {
                        // Whoever does not look any more does not.
                        let _ = shell.shown.send(bytes).await;
                    }
                }
                ToUserEnd::Applied { sid, .. } => self.types(&sid)?,
                ToUserEnd::Ended { sid, .. } => {
                    self.end.end_recorded(&sid)?;
                    self.shells.remove(&sid);
                }
                ToUserEnd::PeerError(why) => return Err(anyhow!("the device says: {why}")),
                ToUserEnd::Lost { sid } => return Err(anyhow!("the device has lost {sid}")),
                ToUserEnd::Hello(_)
                | ToUserEnd::Resumed { .. }
                | ToUserEnd::Gap { .. }
                | ToUserEnd::Resized { .. }
                | ToUserEnd::Screen { .. }
                | ToUserEnd::Epoch { .. }
                | ToUserEnd::InputHeld { .. }
                | ToUserEnd::Stranger { .. }
                | ToUserEnd::Other(_) => {}
            }
        }
        Ok(())
    }

    fn tell(&mut self, sid: &str, started: Result<()>) {
        let shell = self.shells.get_mut(sid);
        if let Some(asked) = shell.and_then(|shell| shell.started.take()) {
            // Whoever asked may have left.
            let _ = asked.send(started);
        }
    }
}
