//! Live terminal sessions: the rules between an operator's end and a device.
//!
//! [`DeviceSessions`] holds all sessions of one device as a state machine: it is fed [`Input`]s with the
//! time they happen at, and answers with [`Effect`]s that somebody else carries out. It knows no
//! websocket, no database and no other process, and keeps no clock, so that every run can be repeated
//! from its inputs.
//!
//! A session begins with an operator's websocket, which gives it its id, and ends with it. Within it a
//! shell is started by `new` and ends by `stop`, from either side. What each side may see of the other,
//! and when, is decided here and nowhere else: devices and user ends of many makes stay unharmed by each
//! other because no message is ever passed through, each is understood and said anew.

mod backlog;
mod control;
mod device;
mod effect;
mod entry;
mod input;
mod link;
pub mod next;
mod owed;
mod pace;
pub mod screen;
mod tail;
mod terminal;
mod viewer;

#[cfg(test)]
mod tests;

pub use device::DeviceSessions;
pub use effect::{CloseReason, Effect, Happened, Record};
pub use entry::{Entry, Marker};
pub use input::{EndReason, Input, LinkKind, Owner, ViewerId, ViewerKind};
pub use link::AWAY_MAX;
pub use viewer::QUEUE_MESSAGES_MAX;
