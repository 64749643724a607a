//! A program on a pty, and nothing in between.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;

use anyhow::{Context, Result};
use longwire_e2e::line::{Line, WAITING, far_end};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::openpty;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Bytes;

/// Read at a time; a pty gives 4095 bytes at most.
const BLOCK: usize = 32 * 1024;

/// Starts `far_end` with these arguments.
pub(crate) fn line(arguments: &[&str]) -> Result<Line> {
    let pty = openpty(None, None)?;
    let slave = File::from(pty.slave);
    let mut child = Command::new("setsid")
        .args(["--ctty", "--wait", "--fork"])
        .arg(far_end()?)
        .args(arguments)
        .stdin(Stdio::from(slave.try_clone()?))
        .stdout(Stdio::from(slave.try_clone()?))
        .stderr(Stdio::from(slave))
        .kill_on_drop(true)
        .spawn()
        .context("setsid")?;
    let master = File::from(pty.master);
    fcntl(&master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    #[allow(
        deprecated,
        reason = "what takes its place is unsafe, for types whose descriptor changes; a file's does not"
    )]
    let master = AsyncFd::new(master)?;
    let (input, mut typed) = mpsc::channel::<Bytes>(WAITING);
    let (shown, output) = mpsc::channel(WAITING);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut block = vec![0; BLOCK];
        loop {
            tokio::select! {
                biased;
                Some(bytes) = typed.recv() => {
                    let mut rest = bytes;
                    while !rest.is_empty() {
                        let write = |mut file: &File| file.write(&rest);
                        let count = master.async_io(Interest::WRITABLE, write).await?;
                        let _ = rest.split_to(count);
                    }
                }
                count = master.async_io(Interest::READABLE, |mut file| file.read(&mut block)) => {
                    // Reads as an error once the other side is closed.
                    let Ok(count) = count else { break };
                    let part = Bytes::copy_from_slice(block.get(..count).unwrap_or_default());
                    if shown.send(part).await.is_err() {
                        break;
                    }
                }
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
