//! What is to be done about what happened.

use longwire_protocol::Message;
use longwire_protocol::shell::Ended;

use super::input::{EndReason, Owner, ViewerId};

/// Something to be carried out, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send to the device. Each is answered by an [`super::Input::LinkWritten`] once written.
    ToDevice(Message),
    /// Send to an operator's end. Each is answered by an [`super::Input::ViewerWritten`] once written.
    ToViewer(ViewerId, Message),
    /// Give credits for input back to an operator's end.
    Credit(ViewerId, u32),
    /// Close an operator's end after what was sent to it. It is then expected to report itself gone.
    CloseViewer(ViewerId, CloseReason),
    /// Close an operator's end at once; what it has not taken yet is of no more use.
    CutViewer(ViewerId, CloseReason),
    /// Close the device's link after what was sent to it.
    CloseLink(EndReason),
    /// Close the device's link at once: the device is taken for dead. It is then expected to report itself
    /// lost.
    CutLink,
    /// Write to the audit log. [`Happened::Opened`] is answered by an [`super::Input::Recorded`].
    Record(Record),
}

/// Why an operator's end is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The server ended the session.
    Ended(EndReason),
    /// It took no output for too long while more of it was waiting.
    TooSlow,
}

impl CloseReason {
    /// The reason for people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Ended(reason) => reason.text(),
            Self::TooSlow => "output was not taken in time",
        }
    }
}

/// A line for the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The session.
    pub sid: String,
    /// Whose it is.
    pub owner: Owner,
    /// What happened to it.
    pub happened: Happened,
}

/// What happened to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A shell was asked for. The device hears of it when this has been written.
    Opened,
    /// The shell was refused.
    Refused {
        /// The words of who refused it.
        text: String,
    },
    /// The shell has ended.
    Ended {
        /// Why, if known: real agents do not say.
        reason: Option<Ended>,
        /// What the shell's process returned, if known.
        exit_status: Option<i32>,
        /// For people.
        text: String,
    },
}
