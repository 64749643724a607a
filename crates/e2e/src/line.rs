//! A shell's bytes, whatever carries them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Bytes;

/// What `far_end` says once its terminal is raw. No echo of a command line contains it.
pub const READY: &str = "\u{1}far end\u{2}";

/// Parts that may wait in either direction.
pub const WAITING: usize = 64;

/// Both directions of a shell.
#[derive(Debug)]
pub struct Line {
    /// What is typed.
    pub input: mpsc::Sender<Bytes>,
    /// What is shown; it ends with the session.
    pub output: mpsc::Receiver<Bytes>,
    /// Whatever keeps it going; dropped with it.
    pub tasks: JoinSet<Result<()>>,
}

impl Line {
    /// Types bytes.
    ///
    /// # Errors
    /// When the session is over.
    pub async fn types(&self, bytes: impl Into<Bytes>) -> Result<()> {
        let sent = self.input.send(bytes.into()).await;
        sent.map_err(|_| anyhow!("the session is over"))
    }

    /// The next part of the output.
    ///
    /// # Errors
    /// When the session is over.
    pub async fn shown(&mut self) -> Result<Bytes> {
        self.output.recv().await.context("the session is over")
    }

    /// Reads until `far_end` says that it is there, and returns what came after that.
    ///
    /// # Errors
    /// When the session ends first, or nothing comes for as long as `patience`.
    pub async fn ready(&mut self, patience: Duration) -> Result<Vec<u8>> {
        let mut seen = Vec::new();
        loop {
            let part = timeout(patience, self.shown()).await;
            match part {
                Ok(Ok(part)) => seen.extend_from_slice(&part),
                Ok(Err(error)) => bail!("{error} after “{}”", seen.escape_ascii()),
                Err(_) => bail!("no far end after “{}”", seen.escape_ascii()),
            }
            let ready = READY.as_bytes();
            if let Some(at) = seen.windows(ready.len()).position(|part| part == ready) {
                return Ok(seen.split_off(at + ready.len()));
            }
        }
    }
}

/// The program for far ends, built beside the one that runs.
///
/// # Errors
/// When it is not.
pub fn far_end() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let folder = program
        .ancestors()
        .find(|folder| folder.join("examples").is_dir())
        .map(Path::to_path_buf)
        .context("a target folder")?;
    let far_end = folder.join("examples/far_end");
    ensure!(far_end.is_file(), "{} is not built", far_end.display());
    Ok(far_end)
}
