//! A terminal on a device, in the local one.

mod keyboard;
mod modes;
mod notices;
mod outcome;
mod plain;
mod questions;
mod running;
mod screen;
mod session;
mod typist;

use std::io::{self, Write};
use std::time::Duration;

use longwire_protocol::shell::Winsize;
use tokio::sync::mpsc;

pub(crate) use self::plain::run_plain;
pub(crate) use self::session::{Finished, Title, run_session};

use self::screen::Screen;
use crate::failure::Failure;
use crate::say::{is_terminal, say_failure};
use crate::signals::Signals;
use crate::tty;

/// The size when there is no terminal to take it from.
const DEFAULT_SIZE: Winsize = Winsize { rows: 40, cols: 80 };

/// How long a device may take to start a shell. Real agents are deaf for four seconds while they
/// stop another one, and a server tries again after that.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The size to start with.
pub(crate) fn size() -> Winsize {
    tty::size().unwrap_or(DEFAULT_SIZE)
}

/// Waits until everything has been shown, unless someone has had enough of it, and undoes what the
/// device's programs did to the terminal.
async fn finish(screen: Screen, signals: &mut Signals, leave: &mut mpsc::Receiver<()>) {
    let shown = tokio::select! {
        shown = screen.finish() => shown,
        _ = signals.end() => return,
        Some(()) = leave.recv() => return,
    };
    if let Some(error) = shown.error
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        say_failure(&Failure::plain(format!(
            "not everything could be shown: {error}"
        )));
    }
    if is_terminal() && !shown.undo.is_empty() {
        let mut out = io::stdout();
        // Where the terminal is gone there is nothing to undo.
        let _ = out
            .write_all(shown.undo.as_bytes())
            .and_then(|()| out.flush());
    }
}
