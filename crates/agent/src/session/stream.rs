//! Orders that come over the stream. What is to be said about them, the shared end says.

use std::sync::Arc;

use longwire_protocol::shell::{Winsize, text};
use tokio::sync::Notify;

use super::Sessions;
use super::ending::StopOrder;
use super::handle::InputWay;
use super::streamed::StreamedWire;
use super::wire::{Order, Wire};

impl Sessions {
    /// Starts a shell for a session of the stream, or says there why not.
    pub(crate) fn open_streamed(&mut self, sid: &str, user: &str, size: Option<Winsize>) {
        self.tidy();
        if self.running(sid).is_some() {
            // A plain link has opened one under this id.
            self.end.refused(sid, text::ALREADY_RUNNING);
            return;
        }
        let input = Arc::new(Notify::new());
        let (end, link, wake) = (self.end.clone(), self.outbox.link(), Arc::clone(&input));
        let wire = |size| Wire::Streamed(StreamedWire::new(sid, end, wake, link, size));
        match self.start(sid, user, size, InputWay::Streamed(input), wire) {
            Ok(size) => {
                if let Err(error) = self.end.started(sid, size) {
                    log::error!("a shell has started that nobody asked for: {error}");
                }
            }
            Err(why) => self.end.refused(sid, &why),
        }
    }

    /// Wakes a shell for input that has come.
    pub(crate) fn input_has_come(&self, sid: &str) {
        if let Some(InputWay::Streamed(wake)) = self.running(sid).map(|handle| &handle.input) {
            wake.notify_one();
        }
    }

    /// An interrupt character waits behind what a session's window keeps back.
    pub(crate) fn interrupt(&self, sid: &str, offset: u64, byte: u8) {
        if let Some(handle) = self.running(sid) {
            handle.tell(Order::Interrupt(offset, byte));
        }
    }

    /// Somebody else types from now on.
    pub(crate) fn new_epoch(&self, sid: &str) {
        if let Some(handle) = self.running(sid) {
            handle.tell(Order::NewEpoch);
        }
    }

    /// Stops a session's shell; `why` if it is not its operator's wish. Asking again changes nothing.
    pub(crate) fn stop_streamed(&mut self, sid: &str, why: Option<String>) {
        if let Some(handle) = self.running_mut(sid) {
            handle.stop(why.map_or(StopOrder::Requested, StopOrder::Because));
        }
    }
}
