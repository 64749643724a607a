//! One direction of one connection.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::proxy::Weather;

/// Bytes read at a time.
const BLOCK: usize = 16 * 1024;
/// Blocks under way in one direction: together 512 KiB, then the sender has to wait.
const UNDER_WAY: usize = 32;
/// How often a limited connection passes something on; its blocks are as small as that takes.
const TICKS_PER_SECOND: u32 = 20;

/// Where bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the program that has connected to the one that listens.
    ToServer,
    /// Back.
    ToClient,
}

/// Passes bytes on, as the weather has it, until the end of the stream.
///
/// # Errors
/// When either side of the connection breaks.
pub(super) async fn pipe(
    from: impl AsyncRead + Unpin,
    to: impl AsyncWrite + Unpin,
    way: Way,
    weather: &watch::Receiver<Weather>,
    lost: &AtomicBool,
) -> io::Result<()> {
    let (sender, receiver) = mpsc::channel(UNDER_WAY);
    let taking = take(from, sender, weather.clone());
    let giving = give(to, receiver, way, weather.clone(), lost);
    tokio::try_join!(taking, giving)?;
    Ok(())
}

struct Block {
    due: Instant,
    bytes: Vec<u8>,
}

async fn take(
    mut from: impl AsyncRead + Unpin,
    sender: mpsc::Sender<Block>,
    weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    loop {
        let (delay, rate) = {
            let weather = weather.borrow();
            (weather.delay, weather.rate)
        };
        let size = rate.map_or(BLOCK, |rate| {
            ((rate / TICKS_PER_SECOND) as usize).clamp(1, BLOCK)
        });
        let mut bytes = vec![0; size];
        let count = from.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        bytes.truncate(count);
        let due = Instant::now() + delay;
        if sender.send(Block { due, bytes }).await.is_err() {
            return Ok(());
        }
    }
}

/// Once a block was swallowed nothing more is passed on: a stream with a hole in it is one that no
/// network makes.
async fn give(
    mut to: impl AsyncWrite + Unpin,
    mut receiver: mpsc::Receiver<Block>,
    way: Way,
    mut weather: watch::Receiver<Weather>,
    lost: &AtomicBool,
) -> io::Result<()> {
    let mut swallowed = false;
    while let Some(block) = receiver.recv().await {
        sleep_until(block.due).await;
        let rate = match weather.wait_for(|weather| !weather.stalled).await {
            Ok(weather) => {
                swallowed |= weather.swallows(way);
                weather.rate
            }
            // The proxy is gone, and with it this connection.
            Err(_) => return Ok(()),
        };
        if swallowed {
            lost.store(true, Ordering::Relaxed);
            continue;
        }
        to.write_all(&block.bytes).await?;
        if let Some(rate) = rate.filter(|rate| *rate > 0) {
            let share = block.bytes.len() as f64 / f64::from(rate);
            sleep(Duration::from_secs_f64(share)).await;
        }
    }
    swallowed |= weather.borrow().swallows(way);
    if swallowed {
        lost.store(true, Ordering::Relaxed);
        return Ok(());
    }
    to.shutdown().await
}
