//! What an operator typed that has not been sent on yet.

use std::collections::VecDeque;

use bytes::Bytes;
use longwire_protocol::limits::INPUT_BODY_MAX;
use longwire_protocol::shell::{FromUser, Winsize};

/// Input and sizes in the order they came. Whoever fills it looks at its length before.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    waiting: VecDeque<Waiting>,
    /// Bytes of input.
    len: usize,
}

#[derive(Debug)]
enum Waiting {
    Input(Bytes),
    Resize(Winsize),
}

impl Backlog {
    /// Adds what was typed or pasted.
    pub(super) fn push_input(&mut self, input: Bytes) {
        if !input.is_empty() {
            self.len += input.len();
            self.waiting.push_back(Waiting::Input(input));
        }
    }

    /// Adds a size. Of several with no input between them only the last is of use.
    pub(super) fn push_resize(&mut self, size: Winsize) {
        if let Some(Waiting::Resize(waiting)) = self.waiting.back_mut() {
            *waiting = size;
        } else {
            self.waiting.push_back(Waiting::Resize(size));
        }
    }

    /// Bytes of input, and a little for everything that is none.
    pub(super) fn len(&self) -> usize {
        self.len + 16 * self.waiting.len()
    }

    /// Forgets what has not been sent.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.len = 0;
    }

    /// Takes up to `max` bytes of input; sizes before them are of no more use.
    pub(super) fn input(&mut self, max: usize) -> Option<Bytes> {
        while let Some(Waiting::Resize(_)) = self.waiting.front() {
            self.waiting.pop_front();
        }
        let Waiting::Input(rest) = self.waiting.front_mut()? else {
            return None;
        };
        if max == 0 {
            return None;
        }
        let piece = rest.split_to(max.min(rest.len()));
        if rest.is_empty() {
            self.waiting.pop_front();
        }
        self.len -= piece.len();
        Some(piece)
    }

    /// What was taken could not be used yet.
    pub(super) fn put_back(&mut self, piece: Bytes) {
        self.len += piece.len();
        self.waiting.push_front(Waiting::Input(piece));
    }

    /// The next message for the device: no agent takes more than a part of a large paste at once.
    pub(super) fn next(&mut self) -> Option<FromUser> {
        match self.waiting.front_mut()? {
            Waiting::Input(rest) if rest.len() > INPUT_BODY_MAX => {
                self.len -= INPUT_BODY_MAX;
                Some(FromUser::Input(rest.split_to(INPUT_BODY_MAX)))
            }
            Waiting::Input(_) | Waiting::Resize(_) => match self.waiting.pop_front()? {
                Waiting::Input(rest) => {
                    self.len -= rest.len();
                    Some(FromUser::Input(rest))
                }
                Waiting::Resize(size) => Some(FromUser::Resize(size)),
            },
        }
    }
}
