//! A device's link in Mender's protocol.

use std::collections::HashMap;

use anyhow::{Context, Result, anyhow};
use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use longwire_protocol::control::Control;
use longwire_protocol::limits::split_input;
use longwire_protocol::shell::{FromDevice, FromUser};
use longwire_protocol::{Message, Receiver, decode, encode, proto};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::{self, Bytes};

use super::{Ends, Socket, Wish};

struct Shell {
    shown: mpsc::Sender<Bytes>,
    started: Option<oneshot::Sender<Result<()>>>,
}

/// Speaks with one device until either leaves.
pub(super) async fn run(socket: Socket, mut ends: Ends) -> Result<()> {
    let (mut to_device, mut from_device) = socket.split();
    let mut shells: HashMap<String, Shell> = HashMap::new();
    loop {
        tokio::select! {
            biased;
            Some((sid, bytes)) = ends.typed.recv() => {
                for part in split_input(bytes) {
                    say(&mut to_device, &FromUser::Input(part).to_message(&sid)).await?;
                }
            }
            wish = ends.wishes.recv() => match wish {
                Some(Wish::Open(open)) => {
                    let mut message = FromUser::New { size: Some(open.size) }.to_message(&open.sid);
                    message.props.set("user_id", "endpoint");
                    say(&mut to_device, &message).await?;
                    let shell = Shell { shown: open.shown, started: Some(open.started) };
                    shells.insert(open.sid, shell);
                }
                Some(Wish::Stop { sid }) => {
                    say(&mut to_device, &FromUser::Stop { error: None }.to_message(&sid)).await?;
                }
                None => return Ok(to_device.close().await?),
            },
            frame = from_device.next() => {
                let tungstenite::Message::Binary(bytes) = frame.context("the device is gone")?? else {
                    continue;
                };
                let message = decode(bytes)?;
                if message.proto == proto::CONTROL {
                    if Control::try_from(&message) == Ok(Control::Ping) {
                        say(&mut to_device, &Control::Pong.to_message(&message.sid)).await?;
                    }
                    continue;
                }
                let said = FromDevice::try_from(&message)?;
                if let FromDevice::Ping { .. } = said {
                    say(&mut to_device, &FromUser::Pong.to_message(&message.sid)).await?;
                } else {
                    heard(&mut shells, &message.sid, said).await;
                }
            }
        }
    }
}

/// A shell that nobody looks at any more is read and forgotten.
async fn heard(shells: &mut HashMap<String, Shell>, sid: &str, said: FromDevice) {
    let Some(shell) = shells.get_mut(sid) else {
        return;
    };
    match said {
        FromDevice::Started => tell(shell, Ok(())),
        FromDevice::Output(bytes) => {
            let _ = shell.shown.send(bytes).await;
        }
        FromDevice::Refused(why) => {
            tell(shell, Err(anyhow!("refused: {why}")));
            shells.remove(sid);
        }
        FromDevice::Stop(_) => {
            shells.remove(sid);
        }
        FromDevice::InputFailed(_)
        | FromDevice::Failed { .. }
        | FromDevice::Ping { .. }
        | FromDevice::Delay { .. }
        | FromDevice::Resize(_) => {}
    }
}

fn tell(shell: &mut Shell, started: Result<()>) {
    if let Some(asked) = shell.started.take() {
        // Whoever asked may have left.
        let _ = asked.send(started);
    }
}

async fn say(
    to_device: &mut SplitSink<Socket, tungstenite::Message>,
    message: &Message,
) -> Result<()> {
    let bytes = encode(message, Receiver::Device);
    Ok(to_device.send(tungstenite::Message::Binary(bytes)).await?)
}
