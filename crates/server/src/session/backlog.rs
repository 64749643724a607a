//! What an operator typed that the device has not been sent yet.

use std::collections::VecDeque;

use bytes::Bytes;
use longwire_protocol::limits::INPUT_BODY_MAX;
use longwire_protocol::shell::{FromUser, Winsize};

/// Input and sizes in the order they came. Its size is bounded by the credits of the viewer.
#[derive(Default)]
pub(super) struct Backlog(VecDeque<Waiting>);

enum Waiting {
    Input(Bytes),
    Resize(Winsize),
}

impl Backlog {
    /// Adds what was typed or pasted.
    pub(super) fn push_input(&mut self, input: Bytes) {
        if !input.is_empty() {
            self.0.push_back(Waiting::Input(input));
        }
    }

    /// Adds a size. Of several with no input between them only the last is of use.
    pub(super) fn push_resize(&mut self, size: Winsize) {
        if let Some(Waiting::Resize(waiting)) = self.0.back_mut() {
            *waiting = size;
        } else {
            self.0.push_back(Waiting::Resize(size));
        }
    }

    /// Whether everything has been sent.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets what has not been sent.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The next message for the device: no agent takes more than a part of a large paste at once.
    pub(super) fn next(&mut self) -> Option<FromUser> {
        match self.0.front_mut()? {
            Waiting::Input(rest) if rest.len() > INPUT_BODY_MAX => {
                Some(FromUser::Input(rest.split_to(INPUT_BODY_MAX)))
            }
            Waiting::Input(_) | Waiting::Resize(_) => match self.0.pop_front()? {
                Waiting::Input(rest) => Some(FromUser::Input(rest)),
                Waiting::Resize(size) => Some(FromUser::Resize(size)),
            },
        }
    }
}
