//! The only places where the program writes lines for people.

use std::io::{self, IsTerminal, Write};

use crate::failure::Failure;
use crate::words::plain;

/// A line on standard error.
pub(crate) fn say(line: &str) {
    // When even that is gone there is nobody to tell.
    let _ = writeln!(io::stderr(), "{line}");
}

/// A line of our own in the middle of a terminal's output.
pub(crate) fn notice(line: &str) {
    let line = plain(line);
    let _ = if io::stdin().is_terminal() {
        // The terminal is in raw mode, and the cursor is anywhere.
        write!(io::stderr(), "\r\n[longwire] {line}\r\n")
    } else {
        writeln!(io::stderr(), "[longwire] {line}")
    };
}

/// What went wrong, in the form that mender-cli's users know.
pub(crate) fn say_failure(failure: &Failure) {
    say(&format!("FAILURE: {failure}"));
}

/// The result of a command on standard output.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever reads has seen enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// Whether people read the results.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}
