//! A program's end of a session that outlives its connections.

use anyhow::{Context, Result, anyhow, bail};
use longwire_client::session::{Event, Opened, Start, Who, Wish};
use longwire_client::{Client, ServerUrl, Trust};
use longwire_protocol::shell::{Stop, Winsize};
use tokio_tungstenite::tungstenite::Bytes;

/// What happens in a session.
#[derive(Debug)]
pub enum Happens {
    /// Output: each byte once, in order.
    Output(Bytes),
    /// The shell has ended after all its output.
    Ended(Stop),
}

/// Both halves of a session.
#[derive(Debug)]
pub struct Seat {
    /// The half that types.
    pub session: longwire_client::session::Session,
    events: longwire_client::session::Events,
    /// How often the connection was lost.
    pub reconnections: usize,
}

impl Seat {
    /// Opens a shell as a script does, which gets every byte.
    ///
    /// # Errors
    /// When there is no session to be had.
    pub async fn open(url: &str, token: &str, device: &str) -> Result<Self> {
        let api = Client::new(ServerUrl::parse(url, false)?, Trust::System)?.with_token(token)?;
        let wish = Wish {
            start: Start::New,
            size: Winsize::new(24, 80),
            who: Who::Script,
        };
        match api.session(device, &wish).await? {
            Opened::Longwire(session, events) => Ok(Self {
                session,
                events,
                reconnections: 0,
            }),
            Opened::Plain(..) => bail!("the server does not speak longwire.v1"),
        }
    }

    /// What happens next.
    ///
    /// # Errors
    /// When the session is over otherwise than by its shell's end, or anything was lost.
    pub async fn next(&mut self) -> Result<Happens> {
        loop {
            match self.events.next().await.context("no more events")? {
                Event::Output { bytes, upto, .. } => {
                    self.session.shown(upto)?;
                    return Ok(Happens::Output(bytes));
                }
                Event::Ended(stop) => return Ok(Happens::Ended(stop)),
                Event::Reconnecting { .. } => self.reconnections += 1,
                Event::Screen { .. } => bail!("a screen came in place of output"),
                Event::Interrupted(bytes) => bail!("{bytes} bytes of input were thrown away"),
                Event::InputHeld(bytes) => bail!("{bytes} bytes of a script's input are held"),
                Event::Control { ours: false, .. } => bail!("somebody else is in control"),
                other @ (Event::Refused { .. }
                | Event::Refusal(_)
                | Event::Unknown
                | Event::Closed(_)) => return Err(anyhow!("{other:?}")),
                Event::Connected
                | Event::Started
                | Event::Control { .. }
                | Event::Resized(_)
                | Event::Device(_)
                | Event::Presence(_)
                | Event::Notice(_) => {}
            }
        }
    }
}
