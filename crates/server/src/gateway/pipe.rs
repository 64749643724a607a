//! The driver's side of a websocket's task. Nothing here waits.

use longwire_protocol::Message;
use tokio::sync::{mpsc, oneshot};

use crate::bus::{Closing, ROOM, ToSocket};

/// The way to a websocket's task.
pub(super) struct Pipe {
    to_socket: mpsc::Sender<ToSocket>,
    cut: Option<oneshot::Sender<Closing>>,
    /// Messages that the task can be given now.
    room: usize,
}

/// The task's side.
pub(super) struct Mouth {
    pub(super) queue: mpsc::Receiver<ToSocket>,
    pub(super) cut: oneshot::Receiver<Closing>,
}

/// Both sides, for a peer that has so many credits at first.
pub(super) fn new(credits: u32) -> (Pipe, Mouth) {
    // Credits come back no more often than they are spent, and there is one close.
    let (to_socket, queue) = mpsc::channel(ROOM + credits as usize + 1);
    let (cut, to_be_cut) = oneshot::channel();
    let pipe = Pipe {
        to_socket,
        cut: Some(cut),
        room: ROOM,
    };
    let mouth = Mouth {
        queue,
        cut: to_be_cut,
    };
    (pipe, mouth)
}

impl Pipe {
    /// Whether a message can be sent now.
    pub(super) fn has_room(&self) -> bool {
        self.room > 0
    }

    /// Sends a message; only when there is room.
    pub(super) fn send(&mut self, message: Message) {
        self.room = self.room.saturating_sub(1);
        self.put(ToSocket::Message(message));
    }

    /// A message has been written.
    pub(super) fn written(&mut self) {
        self.room = ROOM.min(self.room + 1);
    }

    /// Gives credits back.
    pub(super) fn refund(&self, credits: u32) {
        if credits > 0 {
            self.put(ToSocket::Credit(credits));
        }
    }

    /// Closes the websocket after what was sent before.
    pub(super) fn close(&self, closing: Closing) {
        self.put(ToSocket::Close(closing));
    }

    /// Closes the websocket now.
    pub(super) fn cut(&mut self, closing: Closing) {
        if let Some(cut) = self.cut.take() {
            // If it has ended by itself, all the better.
            let _ = cut.send(closing);
        }
    }

    fn put(&self, what: ToSocket) {
        // It is never full; and a task that has ended needs to know nothing.
        let _ = self.to_socket.try_send(what);
    }
}
