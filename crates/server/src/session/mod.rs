//! Live terminal sessions: the rules between operators' ends and a device.
//!
//! [`DeviceSessions`] holds all sessions of one device as a state machine: it is fed [`Input`]s with the
//! time they happen at, answers with [`Effect`]s that somebody else carries out, and is asked for what is
//! to be sent whenever there is room for it. It knows no websocket, no database and no other process, and
//! keeps no clock, so that every run can be repeated from its inputs.
//!
//! A session lives on its own: neither the device's link nor any viewer's is needed for that. Towards the
//! device it is one of the sessions of a [`longwire_link::UserEnd`], or a shell of an agent that speaks the
//! plain protocol; towards each viewer one of those of a [`longwire_link::ShellEnd`], or all that a plain
//! end sees. What each side may see of the other, and when, is decided here and nowhere else: devices and
//! viewers of many makes stay unharmed by each other because no message is ever passed through, each is
//! understood and said anew.

mod absence;
mod adopt;
mod attach;
mod backlog;
mod change;
mod device;
mod effect;
mod ending;
mod entry;
mod epoch;
mod input;
mod journal;
mod link;
mod live;
mod longwire_device;
mod longwire_viewer;
mod no_shell;
mod notice;
mod opening;
mod out;
mod owed;
mod pace;
mod person;
mod plain_device;
mod plain_user;
mod plain_viewer;
mod refusal;
mod replies;
pub mod screen;
mod settings;
mod shell;
mod tail;
mod time;
mod typing;
mod view;
mod viewer;
mod wishes;

pub use change::{Change, Controller, Ending, SessionChange};
pub use device::DeviceSessions;
pub use effect::{CloseReason, Effect, LinkClose, Opening, ToViewer};
pub use entry::{Entry, Marker};
pub use input::{Adopted, EndReason, Input, LinkKind, ReadBack, Trouble, ViewerKind};
pub use link::AWAY_MAX;
pub use person::{Owner, ViewerId};
pub use settings::{DETACH_GRACE, Settings};
pub use tail::TAIL_BYTES_MAX;
pub use view::{SessionState, SessionView, ViewerView};

#[cfg(test)]
mod tests;
