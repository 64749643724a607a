//! Sizes that peers are known to hold, and ours. All in bytes.

use bytes::Bytes;

/// A real agent closes its link when a packed message is larger than this.
pub const AGENT_READ_LIMIT: usize = 8192;

/// The largest input body that surely stays below [`AGENT_READ_LIMIT`] once packed with a session
/// id and a user id.
pub const INPUT_BODY_MAX: usize = 7168;

/// What our agent and our clients take in one message; a larger one closes the link.
pub const OUR_READ_LIMIT: usize = 1024 * 1024;

/// What a server (ours and the real one) takes in one message, and the most
/// [`crate::decode()`] looks at.
pub const SERVER_READ_LIMIT: usize = 8 * 1024 * 1024;

/// What our agent reads from a pty at a time. Packed it stays well below [`SEND_LIMIT`].
pub const OUTPUT_READ: usize = 32 * 1024;

/// The largest packed message that we send to any server.
pub const SEND_LIMIT: usize = 64 * 1024;

/// The body of one file chunk.
pub const FILE_CHUNK: usize = 4096;

/// How far a file's sender may run ahead of the last acknowledgement.
pub const FILE_WINDOW: usize = 20 * FILE_CHUNK;

/// The largest body of one port-forward block.
pub const FORWARD_BLOCK: usize = 4096;

/// How deep values may nest within a message.
pub const MAX_DEPTH: usize = 16;

/// How many values (properties and everything within them) one message may hold.
pub const MAX_VALUES: usize = 1024;

/// How long a message type or session id may be.
pub const MAX_NAME: usize = 1024;

/// Cuts a paste into input bodies that every agent takes, in order and without copying. Empty input
/// gives no parts.
pub fn split_input(input: Bytes) -> impl Iterator<Item = Bytes> {
    let mut rest = input;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let size = rest.len().min(INPUT_BODY_MAX);
        Some(rest.split_to(size))
    })
}
