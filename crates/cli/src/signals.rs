//! Signals, each as what it asks for.

use std::io;

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What a signal asks for.
pub(crate) enum Signal {
    /// Look at the terminal's size again.
    Resized,
    /// Take the terminal again, after a stop.
    Continued,
    /// End; with the signal's name.
    End(&'static str),
}

/// The signals that matter; from here on they no longer end the program by themselves.
pub(crate) struct Signals {
    resized: Stream,
    continued: Stream,
    interrupted: Stream,
    terminated: Stream,
    quit: Stream,
    hung_up: Stream,
}

impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Signals {
            resized: signal(SignalKind::window_change())?,
            // Tokio has no name for it: SIGCONT.
            continued: signal(SignalKind::from_raw(18))?,
            interrupted: signal(SignalKind::interrupt())?,
            terminated: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            hung_up: signal(SignalKind::hangup())?,
        })
    }

    /// The next signal.
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            Some(()) = self.resized.recv() => Signal::Resized,
            Some(()) = self.continued.recv() => Signal::Continued,
            Some(()) = self.interrupted.recv() => Signal::End("SIGINT"),
            Some(()) = self.terminated.recv() => Signal::End("SIGTERM"),
            Some(()) = self.quit.recv() => Signal::End("SIGQUIT"),
            Some(()) = self.hung_up.recv() => Signal::End("SIGHUP"),
            // Streams of signals do not end.
            else => std::future::pending().await,
        }
    }

    /// The name of the next signal that asks for the end.
    pub(crate) async fn end(&mut self) -> &'static str {
        loop {
            if let Signal::End(name) = self.next().await {
                return name;
            }
        }
    }
}
