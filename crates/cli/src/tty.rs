//! The local terminal: its size, its modes, and that it gets them back.

use std::io::{self, IsTerminal};
use std::sync::{Mutex, Once, PoisonError};

use longwire_protocol::shell::Winsize;
use rustix::stdio;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// What the terminal was like before we changed it, until it has been put back.
static SAVED: Mutex<Option<Termios>> = Mutex::new(None);

/// The terminal in other modes; dropping this puts it back, and so does a panic.
#[must_use = "the terminal is put back when this is dropped"]
pub(crate) struct Changed {
    modes: Termios,
}

impl Changed {
    /// Every key goes to the device, none is shown here.
    pub(crate) fn raw() -> io::Result<Self> {
        Changed::to(|modes| modes.make_raw())
    }

    /// What is typed is not shown, and interrupts are characters like any other.
    pub(crate) fn secret() -> io::Result<Self> {
        Changed::to(|modes| {
            modes
                .local_modes
                .remove(LocalModes::ECHO | LocalModes::ISIG)
        })
    }

    fn to(change: impl FnOnce(&mut Termios)) -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            // Put back before the message, so that it can be read.
            std::panic::set_hook(Box::new(move |info| {
                put_back();
                before(info);
            }));
        });
        let before = tcgetattr(stdio::stdin())?;
        let mut modes = before.clone();
        change(&mut modes);
        *SAVED.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        let changed = Changed { modes };
        changed.again()?;
        Ok(changed)
    }

    /// Sets the modes once more, after the program was stopped and someone else had the terminal.
    pub(crate) fn again(&self) -> io::Result<()> {
        Ok(tcsetattr(
            stdio::stdin(),
            OptionalActions::Now,
            &self.modes,
        )?)
    }
}

impl Drop for Changed {
    fn drop(&mut self) {
        put_back();
    }
}

fn put_back() {
    let saved = SAVED.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(saved) = saved {
        // When the terminal is gone there is nothing to put back.
        let _ = tcsetattr(stdio::stdin(), OptionalActions::Now, &saved);
    }
}

/// Whether someone types.
pub(crate) fn is_typed() -> bool {
    io::stdin().is_terminal()
}

/// The size of the terminal that output goes to, else of the one that input comes from.
pub(crate) fn size() -> Option<Winsize> {
    let size = if io::stdout().is_terminal() {
        tcgetwinsize(stdio::stdout())
    } else {
        tcgetwinsize(stdio::stdin())
    };
    size.ok()
        .and_then(|size| Winsize::new(size.ws_row, size.ws_col))
}
