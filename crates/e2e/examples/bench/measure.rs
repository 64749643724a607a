//! What is measured of each way.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use longwire_e2e::line::Line;
use tokio::time::{Instant, sleep, timeout};

use crate::ways::Way;

/// Keys typed to see how long an echo takes.
const KEYS: usize = 300;
/// Keys typed beside a flood.
const KEYS_UNDER_FLOOD: usize = 150;
/// Between two keys: faster than anybody types, slow enough not to be a flood.
const BETWEEN_KEYS: Duration = Duration::from_millis(2);
/// A flood has filled whatever it fills by then.
const FLOOD_SETTLES: Duration = Duration::from_millis(300);
/// An echo that takes longer is counted as one that took so long.
const NO_ECHO: Duration = Duration::from_secs(10);
/// So long after the last byte a session has ended.
const ENDS: Duration = Duration::from_secs(10);

/// What was measured, in all rounds.
#[derive(Debug, Default)]
pub(crate) struct Measures {
    /// Bytes a second.
    pub(crate) throughput: Vec<f64>,
    /// Processor seconds per GiB, of agent or sshd.
    pub(crate) device_cpu: Vec<f64>,
    /// The same of the server.
    pub(crate) server_cpu: Vec<f64>,
    /// Time from a key to its echo.
    pub(crate) echo: Vec<Duration>,
    /// The same while another session prints as fast as it can.
    pub(crate) echo_under_flood: Vec<Duration>,
}

/// Measures everything once.
pub(crate) async fn once(way: &Way, into: &mut Measures) -> Result<()> {
    throughput(way, into).await?;
    let mut line = way.open(&["echo"]).await?;
    echo(&mut line, KEYS, &mut into.echo).await?;

    let mut flood = way.open(&["flood", "0"]).await?;
    flood.types("g").await?;
    let flooder = flood.input.clone();
    let flooded = tokio::spawn(async move {
        let mut seen = 0;
        while let Ok(part) = flood.shown().await {
            seen += part.len();
        }
        seen
    });
    sleep(FLOOD_SETTLES).await;
    let echoes = echo(&mut line, KEYS_UNDER_FLOOD, &mut into.echo_under_flood).await;
    // The flood ends with the next byte, the echo with this one.
    flooder.send("q".into()).await?;
    line.types("\x04").await?;
    ended(line).await?;
    let Ok(seen) = timeout(ENDS, flooded).await else {
        bail!("the flood does not end");
    };
    if seen? == 0 {
        bail!("there was no flood");
    }
    echoes
}

async fn throughput(way: &Way, into: &mut Measures) -> Result<()> {
    let size = way.flood();
    let mut line = way.open(&["flood", &size.to_string()]).await?;
    let (device, server) = (way.device_end().await?, way.server());
    let before = (device.used()?, server.used()?);
    let start = Instant::now();
    line.types("g").await?;
    let mut seen = 0;
    while seen < size {
        seen += line.shown().await?.len() as u64;
    }
    let took = start.elapsed();
    let gib = size as f64 / f64::from(1 << 30);
    into.throughput.push(size as f64 / took.as_secs_f64());
    into.device_cpu
        .push((device.used()? - before.0).as_secs_f64() / gib);
    into.server_cpu
        .push((server.used()? - before.1).as_secs_f64() / gib);
    line.types("q").await?;
    ended(line).await
}

/// Types keys one after the other and waits for each.
async fn echo(line: &mut Line, keys: usize, into: &mut Vec<Duration>) -> Result<()> {
    for key in 0..keys {
        sleep(BETWEEN_KEYS).await;
        let key = b'a' + (key % 26) as u8;
        let start = Instant::now();
        line.types(vec![key]).await?;
        let answer = timeout(NO_ECHO, line.shown()).await;
        into.push(start.elapsed());
        let Ok(answer) = answer else {
            bail!("no echo within {NO_ECHO:?}");
        };
        ensure!(*answer? == [key], "something else than an echo");
    }
    Ok(())
}

/// Waits until a session is over, whatever it still says.
async fn ended(mut line: Line) -> Result<()> {
    let over = timeout(ENDS, async { while line.shown().await.is_ok() {} });
    if over.await.is_err() {
        bail!("a session does not end");
    }
    Ok(())
}
