//! What is to be done about what happened.

use longwire_protocol::Message;
use longwire_protocol::shell::Winsize;

use super::change::Change;
use super::input::EndReason;
use crate::access::SessionAct;
use crate::ids::UserId;
use crate::session::{Entry, Owner, ViewerId};
use crate::time::Timestamp;

/// Something to be carried out, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Write to the database; answered by [`super::Input::CommitDone`].
    Commit(Change),
    /// Begin the journal of a session, before anything is appended to it.
    OpenJournal(Opening),
    /// Append to the journal.
    Append {
        /// Grows by one with every entry of the device.
        seq: u64,
        /// The session.
        sid: String,
        /// What is to be recorded.
        entry: Entry,
    },
    /// Nothing more is appended.
    CloseJournal {
        /// The session.
        sid: String,
    },
    /// May this viewer? Answered by [`super::Input::Decided`].
    Ask {
        /// Names the question in the answer.
        ask: u64,
        /// Who wants to.
        viewer: ViewerId,
        /// The session.
        sid: String,
        /// Whose it is.
        owner: UserId,
        /// What they want to do with it.
        act: SessionAct,
    },
    /// Read output from the journal; answered by [`super::Input::ReadBack`].
    ReadBack {
        /// For whom.
        viewer: ViewerId,
        /// The session.
        sid: String,
        /// Offset of the first byte.
        from: u64,
        /// How many bytes at most.
        max: usize,
    },
    /// Close the device's link once [`super::DeviceSessions::to_device`] has nothing more.
    CloseLink(LinkClose),
    /// Close the device's link at once: the device is taken for dead. It is then expected to report itself
    /// lost.
    CutLink,
    /// Close an operator's end at once; what it has not taken yet is of no more use.
    CutViewer(ViewerId, CloseReason),
}

/// Why a device's link is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkClose {
    /// The server does not want it any more.
    End(EndReason),
    /// The device broke the rules of the stream; its last message says which.
    Broken(String),
}

/// The head of a session's journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The session.
    pub sid: String,
    /// Whose it is.
    pub owner: Owner,
    /// When it was opened: 0 on the time line.
    pub started_at: Timestamp,
    /// The size that was asked for.
    pub size: Option<Winsize>,
    /// Whether the device keeps what is not acknowledged.
    pub lossless: bool,
}

/// What goes to an operator's end.
#[derive(Clone, Debug, PartialEq)]
pub enum ToViewer {
    /// To be sent.
    Message(Message),
    /// To be closed; there is nothing more. It is then expected to report itself gone.
    Close(CloseReason),
}

/// Why an operator's end is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The server ended what the end was here for.
    Ended(EndReason),
    /// It asks for more answers than it reads.
    TooSlow,
    /// It broke the rules of the stream; the last message says which.
    Broken,
    /// Nothing was heard of it for too long.
    Silent,
}

impl CloseReason {
    /// The reason for people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Ended(reason) => reason.text(),
            Self::TooSlow => "output was not taken in time",
            Self::Broken => "against the rules of longwire.v1",
            Self::Silent => "nothing was heard for too long",
        }
    }
}
