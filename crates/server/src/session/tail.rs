//! Output that has come from the device and has not been sent to the viewer yet.

use bytes::{Bytes, BytesMut};

/// What a session holds before its device link is read no further.
pub(super) const TAIL_BYTES_MAX: usize = 256 * 1024;

/// The end of a session's output.
#[derive(Default)]
pub(super) struct Tail(BytesMut);

impl Tail {
    /// Adds what came.
    pub(super) fn push(&mut self, output: &[u8]) {
        self.0.extend_from_slice(output);
    }

    /// How much is waiting.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes up to `max` bytes from the front.
    pub(super) fn take(&mut self, max: usize) -> Bytes {
        let size = self.0.len().min(max);
        let taken = self.0.split_to(size).freeze();
        if self.0.is_empty() {
            // A flood's buffer is not kept for the prompt that follows it.
            self.0 = BytesMut::new();
        }
        taken
    }
}
