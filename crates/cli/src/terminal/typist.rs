//! Passes input on to the device and, when it is a file or pipe that has ended, sees to it that the
//! shell ends too.

use std::time::Duration;

use bytes::Bytes;
use longwire_client::session::Session;
use longwire_client::terminal::{Gone, Terminal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// Ctrl-D.
const END_OF_TRANSMISSION: Bytes = Bytes::from_static(b"\x04");

/// How long output must have ceased before the end is said again, at first and at most.
const QUIET: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(4));

/// What input goes to.
pub(super) enum Wire {
    Plain(Terminal),
    Session(Session),
}

impl Wire {
    async fn input(&self, bytes: Bytes) -> Result<(), Gone> {
        match self {
            Wire::Plain(terminal) => terminal.input(bytes).await,
            Wire::Session(session) => session.input(bytes).await,
        }
    }
}

/// Passes on `input` until it ends. What is typed ends with its terminal; for anything else the end
/// is then said as often as needed.
///
/// A terminal has no end of file, only a character that means it to whoever reads at that moment. It
/// is lost when the shell is just starting or a program takes it for itself, so it is said again
/// whenever there has been output since and then a pause: whoever printed something may now be
/// waiting for input that will never come. `shown` is told of all output.
pub(super) async fn run(
    mut input: mpsc::Receiver<Bytes>,
    mut shown: mpsc::Receiver<()>,
    typed: bool,
    terminal: Wire,
) -> Result<(), Gone> {
    let mut last = b'\n';
    while let Some(bytes) = input.recv().await {
        last = bytes.last().copied().unwrap_or(last);
        terminal.input(bytes).await?;
    }
    if typed {
        return Ok(());
    }
    if !matches!(last, b'\n' | b'\r') {
        // In the middle of a line the end would only mean the end of the line.
        terminal.input(Bytes::from_static(b"\n")).await?;
    }
    let (mut quiet, longest) = QUIET;
    loop {
        while shown.try_recv().is_ok() {}
        terminal.input(END_OF_TRANSMISSION).await?;
        if shown.recv().await.is_none() {
            return Ok(());
        }
        let mut until = Instant::now() + quiet;
        loop {
            tokio::select! {
                more = shown.recv() => match more {
                    Some(()) => until = Instant::now() + quiet,
                    None => return Ok(()),
                },
                () = sleep_until(until) => break,
            }
        }
        quiet = (quiet * 2).min(longest);
    }
}
