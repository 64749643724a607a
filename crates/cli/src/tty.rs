//! The local terminal: its size, its modes, and that it gets them back.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, Once, PoisonError};

use longwire_protocol::shell::Winsize;
use rustix::stdio;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// The terminal that was changed and what it was like before, until it has been put back.
static SAVED: Mutex<Option<(OwnedFd, Termios)>> = Mutex::new(None);

/// The terminal in other modes; dropping this puts it back, and so does a panic.
#[must_use = "the terminal is put back when this is dropped"]
pub(crate) struct Changed {
    terminal: OwnedFd,
    modes: Termios,
}

impl Changed {
    /// Every key goes to the device, none is shown here.
    pub(crate) fn raw() -> io::Result<Self> {
        Changed::to(io::stdin().as_fd(), Termios::make_raw)
    }

    /// What is typed is not shown, and interrupts are characters like any other.
    pub(crate) fn secret() -> io::Result<Self> {
        Changed::to(io::stdin().as_fd(), |modes| {
            modes
                .local_modes
                .remove(LocalModes::ECHO | LocalModes::ISIG);
        })
    }

    fn to(terminal: BorrowedFd<'_>, change: impl FnOnce(&mut Termios)) -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            // Put back before the message, so that it can be read.
            std::panic::set_hook(Box::new(move |info| {
                put_back();
                before(info);
            }));
        });
        let before = tcgetattr(terminal)?;
        let mut modes = before.clone();
        change(&mut modes);
        let changed = Changed {
            terminal: terminal.try_clone_to_owned()?,
            modes,
        };
        let saved = (terminal.try_clone_to_owned()?, before);
        *SAVED.lock().unwrap_or_else(PoisonError::into_inner) = Some(saved);
        changed.again()?;
        Ok(changed)
    }

    /// Sets the modes once more, after the program was stopped and someone else had the terminal.
    pub(crate) fn again(&self) -> io::Result<()> {
        Ok(tcsetattr(
            &self.terminal,
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
    if let Some((terminal, before)) = saved {
        // When the terminal is gone there is nothing to put back.
        let _ = tcsetattr(terminal, OptionalActions::Now, &before);
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

#[cfg(test)]
mod tests {
    use rustix::pty::{OpenptFlags, grantpt, openpt, unlockpt};

    use super::*;

    #[test]
    fn item_58_a_panic_puts_the_terminal_back_before_it_speaks() {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let local_modes = || tcgetattr(&terminal).unwrap().local_modes;
        let before = local_modes();

        let changed = Changed::to(terminal.as_fd(), Termios::make_raw).unwrap();
        assert_ne!(local_modes(), before);
        drop(changed);
        assert_eq!(local_modes(), before);

        let changed = Changed::to(terminal.as_fd(), Termios::make_raw).unwrap();
        // Where unwinding does not get to it, only the hook does.
        let lost = std::mem::ManuallyDrop::new(changed);
        let panicked = std::thread::spawn(|| panic!("as it must")).join();
        assert!(panicked.is_err());
        assert_eq!(local_modes(), before);
        assert!(!lost.modes.local_modes.contains(LocalModes::ECHO));
    }
}
