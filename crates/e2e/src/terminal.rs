//! A person's terminal: a pty with a program on it, typed into and read like a screen.

use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, ttyname};
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::until::{DEADLINE, until};

/// A program on a pty of its own.
#[derive(Debug)]
pub struct Terminal {
    name: String,
    child: Child,
    keyboard: File,
    device: PathBuf,
    screen: Arc<Screen>,
    /// How much of the screen earlier expectations have used up.
    seen: usize,
    /// The terminal's modes before the program started, as `stty -g` prints them.
    pub first_modes: String,
}

#[derive(Debug, Default)]
struct Screen {
    bytes: Mutex<Vec<u8>>,
    grown: Notify,
}

impl Screen {
    fn read(&self) -> Vec<u8> {
        self.bytes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn fill_from(&self, mut master: File) {
        let mut block = [0; 32 * 1024];
        // A pty whose other side is closed reads as an error.
        while let Ok(count @ 1..) = master.read(&mut block) {
            let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
            bytes.extend(block.iter().take(count));
            drop(bytes);
            self.grown.notify_waiters();
        }
    }
}

impl Terminal {
    /// Starts `program` with a controlling terminal of the given size.
    ///
    /// # Errors
    /// When there is no pty to be had or the program cannot be started.
    pub async fn start(
        program: PathBuf,
        arguments: &[&str],
        environment: &[(&str, String)],
        (rows, columns): (u16, u16),
    ) -> Result<Self> {
        let name = program
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let pty = openpty(None, None)?;
        let device = ttyname(&pty.slave)?;
        let slave = File::from(pty.slave);
        // setsid makes the pty the controlling terminal, so that Ctrl-C and SIGWINCH work.
        let mut command = Command::new("setsid");
        command
            .args(["--ctty", "--wait", "--fork"])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .env("TERM", "xterm-256color")
            .stdin(Stdio::from(slave.try_clone()?))
            .stdout(Stdio::from(slave.try_clone()?))
            .stderr(Stdio::from(slave))
            .kill_on_drop(true);
        set_size(&device, rows, columns).await?;
        let first_modes = modes(&device).await?;
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let screen = Arc::new(Screen::default());
        let keyboard = File::from(pty.master);
        let master = keyboard.try_clone()?;
        let filled = Arc::clone(&screen);
        std::thread::spawn(move || filled.fill_from(master));
        Ok(Self {
            name,
            child,
            keyboard,
            device,
            screen,
            seen: 0,
            first_modes,
        })
    }

    /// Types bytes.
    ///
    /// # Errors
    /// When the pty is gone.
    pub fn types(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        Ok(self.keyboard.write_all(bytes.as_ref())?)
    }

    /// Waits until `text` appears after everything expected before.
    ///
    /// # Errors
    /// When it does not by the deadline; the error shows the end of the screen.
    pub async fn shows(&mut self, text: &str) -> Result<()> {
        let end = timeout(DEADLINE, async {
            loop {
                let grown = self.screen.grown.notified();
                let screen = self.screen.read();
                let fresh = screen.get(self.seen..).unwrap_or_default();
                if let Some(at) = find(fresh, text.as_bytes()) {
                    break self.seen + at + text.len();
                }
                grown.await;
            }
        })
        .await;
        match end {
            Ok(seen) => self.seen = seen,
            Err(_) => bail!(
                "{} does not show “{text}”; its screen ends with:\n{}",
                self.name,
                self.tail()
            ),
        }
        Ok(())
    }

    /// Everything shown so far.
    #[must_use]
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.read()).into_owned()
    }

    fn tail(&self) -> String {
        let screen = self.screen();
        let start = screen
            .char_indices()
            .rev()
            .nth(1500)
            .map_or(0, |(at, _)| at);
        screen.get(start..).unwrap_or_default().to_owned()
    }

    /// Changes the size, as dragging a window's corner does.
    ///
    /// # Errors
    /// When stty fails.
    pub async fn resize(&self, rows: u16, columns: u16) -> Result<()> {
        set_size(&self.device, rows, columns).await
    }

    /// The terminal's modes as they are now.
    ///
    /// # Errors
    /// When stty fails.
    pub async fn modes(&self) -> Result<String> {
        modes(&self.device).await
    }

    /// Sends a signal to the program.
    ///
    /// # Errors
    /// When it has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let setsid = self
            .child
            .id()
            .with_context(|| format!("{} has ended", self.name))?;
        let child = crate::process::children(Pid::from_raw(setsid.cast_signed()));
        let program = child
            .first()
            .with_context(|| format!("{} has ended", self.name))?;
        Ok(kill(*program, signal)?)
    }

    /// Waits for the program to end and returns its status.
    ///
    /// # Errors
    /// When it does not by the deadline; the error shows the end of the screen.
    pub async fn ends(&mut self) -> Result<ExitStatus> {
        let Self { name, child, .. } = self;
        let status = until(format!("the end of {name}"), async || Ok(child.try_wait()?)).await;
        status.with_context(|| format!("its screen ends with:\n{}", self.tail()))
    }
}

async fn set_size(device: &PathBuf, rows: u16, columns: u16) -> Result<()> {
    let (rows, columns) = (rows.to_string(), columns.to_string());
    let status = Command::new("stty")
        .arg("-F")
        .arg(device)
        .args(["rows", &rows, "cols", &columns])
        .status()
        .await?;
    if !status.success() {
        bail!("stty cannot set {rows}×{columns} on {}", device.display());
    }
    Ok(())
}

async fn modes(device: &PathBuf) -> Result<String> {
    let output = Command::new("stty")
        .arg("-g")
        .arg("-F")
        .arg(device)
        .output()
        .await?;
    Ok(String::from_utf8(output.stdout)?)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
