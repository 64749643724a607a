//! Where input comes from: standard input, on a thread of its own, since reading blocks.

use std::io::{self, ErrorKind, Read};

use bytes::Bytes;
use tokio::sync::mpsc;

/// How much is read at a time; as mender-cli, so that its rule about Ctrl-] is the same.
const READ: usize = 1024;

/// How many reads may wait for the link. Behind a stuck link Ctrl-] is still noticed until a
/// mebibyte has been typed.
const QUEUE: usize = 1024;

/// Ctrl-].
const LEAVE: u8 = 0x1d;

/// Input as it comes.
pub(super) struct Keyboard {
    /// What is for the device; closed at the end of the input.
    pub(super) input: mpsc::Receiver<Bytes>,
    /// Something is in here when someone wants to leave.
    pub(super) leave: mpsc::Receiver<()>,
}

impl Keyboard {
    /// Starts reading. Ctrl-] counts only where someone types: in a file it is a byte like any
    /// other.
    pub(super) fn start(typed: bool) -> io::Result<Self> {
        let (send_input, input) = mpsc::channel(QUEUE);
        let (send_leave, leave) = mpsc::channel(1);
        std::thread::Builder::new()
            .name("keyboard".into())
            .spawn(move || {
                read(io::stdin().lock(), typed, &send_input, &send_leave);
            })?;
        Ok(Keyboard { input, leave })
    }
}

fn read(mut from: impl Read, typed: bool, input: &mpsc::Sender<Bytes>, leave: &mpsc::Sender<()>) {
    let mut buffer = [0; READ];
    loop {
        let block = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => buffer.get(..len).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            // The terminal is gone; the end of input is all there is to say.
            Err(_) => break,
        };
        if typed && block.first() == Some(&LEAVE) {
            // Full means that it has been said before.
            let _ = leave.try_send(());
        } else if input.blocking_send(Bytes::copy_from_slice(block)).is_err() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one block for each read.
    struct Blocks(Vec<&'static [u8]>);

    impl Read for Blocks {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let block = self.0.remove(0);
            buffer[..block.len()].copy_from_slice(block);
            Ok(block.len())
        }
    }

    fn run(blocks: Vec<&'static [u8]>, typed: bool) -> (Vec<u8>, bool) {
        let (send_input, mut input) = mpsc::channel(QUEUE);
        let (send_leave, mut leave) = mpsc::channel(1);
        read(Blocks(blocks), typed, &send_input, &send_leave);
        drop(send_input);
        let mut whole = Vec::new();
        while let Some(block) = input.blocking_recv() {
            whole.extend_from_slice(&block);
        }
        (whole, leave.try_recv().is_ok())
    }

    #[test]
    fn item_58_ctrl_bracket_leaves_when_it_comes_first() {
        assert_eq!(run(vec![b"ls\r", b"\x1d"], true), (b"ls\r".to_vec(), true));
        assert_eq!(run(vec![b"\x1dx"], true), (Vec::new(), true));
        assert_eq!(run(vec![b"x\x1d"], true), (b"x\x1d".to_vec(), false));
        assert_eq!(
            run(vec![b"\x1dx"], false),
            (b"\x1dx".to_vec(), false),
            "a file"
        );
    }
}
