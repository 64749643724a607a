//! Where output goes: standard output and the recording, on a thread of its own, since either may
//! block for as long as it likes.

use std::io::{self, Write};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::modes::Modes;
use crate::recording::Recorder;
use crate::say::{is_terminal, notice};
use crate::tty;
use crate::words::plain;

/// Said once a piece has been written.
pub(super) type Receipt = Box<dyn FnOnce() + Send>;

/// What can be shown.
pub(super) enum Piece {
    /// Output of the device, and what to do once it is written.
    Output(Bytes, Option<Receipt>),
    /// A line of our own.
    Notice(String),
    /// The same, about something that somebody just did in vain.
    Alarm(String),
}

impl Piece {
    /// Output that nobody waits for.
    pub(super) fn plain(bytes: Bytes) -> Self {
        Piece::Output(bytes, None)
    }
}

/// How many pieces of output may wait.
const QUEUE: usize = 64;

/// Takes output.
pub(super) struct Screen {
    output: mpsc::Sender<Piece>,
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
    pub(super) async fn room(&self) -> Option<mpsc::Permit<'_, Piece>> {
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

fn show(mut pieces: mpsc::Receiver<Piece>, mut recorder: Option<Recorder>) -> Shown {
    let mut modes = Modes::default();
    let mut error = None;
    let mut out = io::stdout().lock();
    // Notices that have to wait for the end of a sequence.
    let mut notices = Vec::new();
    while let Some(piece) = pieces.blocking_recv() {
        let (piece, receipt) = match piece {
            Piece::Output(bytes, receipt) => (bytes, receipt),
            Piece::Notice(line) => {
                notices.push((line, false));
                (Bytes::new(), None)
            }
            Piece::Alarm(line) => {
                notices.push((line, true));
                (Bytes::new(), None)
            }
        };
        if let Some(open) = &mut recorder
            && !piece.is_empty()
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
        if let Some(receipt) = receipt {
            receipt();
        }
        if modes.is_between_sequences() {
            for (line, rings) in notices.drain(..) {
                draw(&line, rings, &modes, &mut out);
            }
        }
    }
    for (line, rings) in notices {
        draw(&line, rings, &modes, &mut out);
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

/// Shows a line of our own: in the last line while a program has the whole screen, otherwise on a line by
/// itself. In a stream that no terminal reads it has no place.
fn draw(line: &str, rings: bool, modes: &Modes, out: &mut impl Write) {
    let (true, true) = (is_terminal(), tty::is_typed()) else {
        notice(line);
        return;
    };
    let line = plain(line);
    let bell = if rings { "\x07" } else { "" };
    let text = match tty::size() {
        Some(size) if modes.has_whole_screen() => {
            let fits: String = line
                .chars()
                .take(usize::from(size.cols).saturating_sub(11))
                .collect();
            format!(
                "\x1b7\x1b[{};1H\x1b[0;2m\x1b[K[longwire] {fits}\x1b[0m\x1b8{bell}",
                size.rows
            )
        }
        _ => format!("\r\n\x1b[2m[longwire] {line}\x1b[22m\r\n{bell}"),
    };
    // Where the terminal is gone, the next output finds that out.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
