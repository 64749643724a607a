//! Asks people for what was not given.

use std::io::{self, BufRead, Write};

use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::signals::Signals;
use crate::tty;

/// Ctrl-C, when the terminal does not make a signal of it.
const INTERRUPT: char = '\u{3}';

/// Asks for a line that may be seen.
pub(super) async fn ask(question: &str) -> Result<String, Failure> {
    answer(question).await
}

/// Asks for a line that is not shown while it is typed; without a terminal it is just read.
pub(super) async fn ask_secret(question: &str) -> Result<String, Failure> {
    if !tty::is_typed() {
        return read_line().await;
    }
    let hidden = tty::Changed::secret()?;
    let line = answer(question).await;
    drop(hidden);
    // Its end was not shown either.
    let _ = writeln!(io::stderr());
    let line = line?;
    if line.contains(INTERRUPT) {
        return Err(Failure::plain("interrupted"));
    }
    Ok(line)
}

async fn answer(question: &str) -> Result<String, Failure> {
    if tty::is_typed() {
        let mut err = io::stderr();
        write!(err, "{question}: ").and_then(|()| err.flush())?;
    }
    read_line().await
}

/// Reading blocks, and a signal must not have to wait for it: the terminal has to be put back.
async fn read_line() -> Result<String, Failure> {
    let mut signals = Signals::new()?;
    let (tell, line) = oneshot::channel();
    std::thread::Builder::new()
        .name("prompt".into())
        .spawn(move || {
            let mut line = String::new();
            let read = io::stdin().lock().read_line(&mut line).map(|_| line);
            // Nobody waits for it any more: the program is leaving.
            let _ = tell.send(read);
        })?;
    tokio::select! {
        line = line => {
            let line = line.unwrap_or_else(|_| Err(io::Error::other("nothing was read")))?;
            if line.is_empty() {
                return Err(Failure::usage("the input ended before the answer"));
            }
            Ok(line.trim_end_matches(['\r', '\n']).to_owned())
        }
        name = signals.end() => Err(Failure::plain(format!("ended by {name}"))),
    }
}
