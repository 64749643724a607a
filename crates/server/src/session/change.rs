//! What has to be written to the database, with its line in the audit log.

use longwire_protocol::shell::{Ended, Winsize};

use crate::ids::UserId;
use crate::session::Owner;
use crate::time::Timestamp;

/// One transaction. Answered by an [`super::Input::CommitDone`], in the order in which they are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Names it in the answer.
    pub id: u64,
    /// The session.
    pub sid: String,
    /// Who caused it; `None`: the device or the server itself.
    pub by: Option<Owner>,
    /// What has changed.
    pub what: SessionChange,
}

/// What has changed about a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionChange {
    /// It is opened, in epoch 1, its owner in control. The device hears of it when this is written.
    Opened {
        /// Whose it is.
        owner: Owner,
        /// Who types.
        controller: Controller,
        /// Its viewer cannot come back to it.
        plain_only: bool,
        /// Whether the device keeps what is not acknowledged.
        lossless: bool,
        /// The size that was asked for.
        size: Option<Winsize>,
        /// When; the journal's time line begins here.
        at: Timestamp,
    },
    /// The device says that the shell runs.
    Started,
    /// There is no shell, and the session is gone.
    Refused {
        /// The words of who refused it.
        text: String,
    },
    /// A new epoch. Nobody hears of it before this is written.
    Epoch {
        /// Its number.
        epoch: u64,
        /// Who types in it.
        controller: Option<Controller>,
        /// Somebody else typed before.
        taken_over: bool,
    },
    /// Somebody looks at it.
    Attached {
        /// They cannot come back to it.
        plain: bool,
    },
    /// Somebody has left.
    Detached {
        /// Nobody is left.
        last: bool,
    },
    /// The size that the terminal is to have.
    Resized(Winsize),
    /// It is to end, whenever the device can be told.
    Stop(Ending),
    /// It has ended.
    Ended(Ending),
    /// Output was lost: from the first offset up to the second, or nobody knows how much.
    OutputLost {
        /// Offset of the first byte that is lost.
        from: u64,
        /// Offset of the first byte that is not.
        to: Option<u64>,
    },
    /// The device had a session that is not known here. It was told to end it.
    Stranger,
    /// It cannot be recorded any more.
    NotRecorded,
}

/// Who types: one run of one program of one person. Another window of theirs is somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// Account.
    pub user_id: UserId,
    /// E-mail address.
    pub email: String,
    /// The instance that the program's hello names; empty for a plain end.
    pub instance: String,
}

/// That a session is to end, or has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Why, if known: real agents do not say.
    pub reason: Option<Ended>,
    /// What the shell's process returned, if known.
    pub exit_status: Option<i32>,
    /// For people.
    pub text: String,
}
