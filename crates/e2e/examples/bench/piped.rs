//! A line through a command line program on pipes: ssh, longwire.

use std::process::Stdio;

use anyhow::{Context, Result};
use longwire_e2e::line::{Line, WAITING};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Bytes;

/// Read at a time.
const BLOCK: usize = 64 * 1024;

/// Starts the program; the line ends when the program does.
pub(crate) fn line(mut command: Command) -> Result<Line> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = child.stdin.take().context("a pipe")?;
    let mut stdout = child.stdout.take().context("a pipe")?;
    let (input, mut typed) = mpsc::channel::<Bytes>(WAITING);
    let (shown, output) = mpsc::channel(WAITING);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Some(bytes) = typed.recv().await {
            stdin.write_all(&bytes).await?;
            stdin.flush().await?;
        }
        Ok(())
    });
    tasks.spawn(async move {
        let mut block = vec![0; BLOCK];
        loop {
            let count = stdout.read(&mut block).await?;
            let part = Bytes::copy_from_slice(block.get(..count).unwrap_or_default());
            if count == 0 || shown.send(part).await.is_err() {
                break;
            }
        }
        child.wait().await?;
        Ok(())
    });
    Ok(Line {
        input,
        output,
        tasks,
    })
}
