//! Where output goes: standard output and the recording, on a thread of its own, since either may
//! block for as long as it likes.

use std::io::{self, Write};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::modes::Modes;
use crate::recording::Recorder;
use crate::say::notice;

/// How many pieces of output may wait.
const QUEUE: usize = 64;

/// Takes output.
pub(super) struct Screen {
    output: mpsc::Sender<Bytes>,
    done: oneshot::Receiver<Shown>,
}

/// How showing ended.
pub(super) struct Shown {
    /// What to write to have the terminal as it was.
    pub(super) undo: String,
    /// Why not everything could be shown.
    pub(super) error: Option<io::Error>,
}

impl Screen {
    pub(super) fn start(recorder: Option<Recorder>) -> io::Result<Self> {
        let (output, pieces) = mpsc::channel(QUEUE);
        let (tell, done) = oneshot::channel();
        std::thread::Builder::new()
            .name("screen".into())
            .spawn(move || {
                // Nobody waits for the end any more: the program is leaving.
                let _ = tell.send(show(pieces, recorder));
            })?;
        Ok(Screen { output, done })
    }

    /// A place for the next piece; waits until there is one. None when nothing can be shown any
    /// more.
    pub(super) async fn room(&self) -> Option<mpsc::Permit<'_, Bytes>> {
        self.output.reserve().await.ok()
    }

    /// Waits until everything has been shown.
    pub(super) async fn finish(self) -> Shown {
        drop(self.output);
        self.done.await.unwrap_or_else(|_| Shown {
            undo: String::new(),
            error: Some(io::Error::other("output was not written")),
        })
    }
}

fn show(mut pieces: mpsc::Receiver<Bytes>, mut recorder: Option<Recorder>) -> Shown {
    let mut modes = Modes::default();
    let mut error = None;
    let mut out = io::stdout().lock();
    while let Some(piece) = pieces.blocking_recv() {
        if let Some(open) = &mut recorder
            && let Err(error) = open.record(&piece)
        {
            notice(&format!("the recording ends here: {error}"));
            recorder = None;
        }
        modes.feed(&piece);
        if let Err(failed) = out.write_all(&piece).and_then(|()| out.flush()) {
            error = Some(failed);
            break;
        }
    }
    if let Some(open) = recorder
        && let Err(error) = open.finish()
    {
        notice(&format!("the recording has no proper end: {error}"));
    }
    Shown {
        undo: modes.undo(),
        error,
    }
}
