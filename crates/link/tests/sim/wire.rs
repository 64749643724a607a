//! One connection: two ways, with what is under way on each.

use std::collections::VecDeque;

use bytes::Bytes;
use longwire_link::Generation;
use longwire_protocol::{Message, Receiver, decode, encode};

/// What the sockets on the way hold: no more is asked for while they are full.
const HOLDS: usize = 64 * 1024;

pub struct Wire {
    pub to_user: Way,
    pub to_shell: Way,
    /// Messages vanish and nobody is told.
    pub is_half_open: bool,
    /// The numbers the two ends know it by.
    pub at_user: Generation,
    pub at_shell: Generation,
}

pub struct Way {
    receiver: Receiver,
    waiting: VecDeque<Bytes>,
    held: usize,
}

impl Wire {
    pub fn new(at_user: Generation, at_shell: Generation, user: Receiver) -> Self {
        let shell = match user {
            Receiver::Server => Receiver::Device,
            Receiver::Device | Receiver::User => Receiver::Server,
        };
        Wire {
            to_user: Way::to(user),
            to_shell: Way::to(shell),
            is_half_open: false,
            at_user,
            at_shell,
        }
    }
}

impl Way {
    fn to(receiver: Receiver) -> Self {
        Way {
            receiver,
            waiting: VecDeque::new(),
            held: 0,
        }
    }

    pub fn takes(&self) -> bool {
        self.held < HOLDS
    }

    pub fn send(&mut self, message: &Message) {
        let bytes = encode(message, self.receiver);
        self.held += bytes.len();
        self.waiting.push_back(bytes);
    }

    pub fn deliver(&mut self) -> Option<Message> {
        let bytes = self.waiting.pop_front()?;
        self.held -= bytes.len();
        Some(decode(bytes).expect("our own message"))
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn lose(&mut self) {
        self.waiting.clear();
        self.held = 0;
    }
}
