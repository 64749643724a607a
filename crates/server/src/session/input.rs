//! What happens to the sessions of a device.

use std::time::Duration;

use longwire_protocol::Message;
use longwire_protocol::shell::{Ended, Winsize};

use super::change::{Controller, Ending};
use crate::session::{Entry, Owner, ViewerId};

/// What a viewer's end can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewerKind {
    /// Any Mender client.
    Plain,
    /// It speaks `longwire.v1`.
    Longwire,
}

/// What a device's end can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// Any agent: what was under way when the link broke is lost.
    Plain,
    /// It speaks `longwire.v1`.
    Longwire,
}

/// Why the server ends something by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The device did not come back in time.
    DeviceGone,
    /// The device is not (or no longer) let in.
    DeviceRemoved,
    /// The operator's sign-in has ended, or they lost the right.
    NotAllowed,
    /// Somebody with the right to has ended it.
    Stopped,
    /// Nobody came back to it in time.
    Abandoned,
    /// It cannot be recorded.
    NotRecorded,
    /// This process ends.
    ServerEnding,
}

impl EndReason {
    /// The reason as peers read it.
    #[must_use]
    pub const fn ended(self) -> Ended {
        match self {
            Self::DeviceGone => Ended::DeviceGone,
            Self::DeviceRemoved | Self::NotAllowed => Ended::Refused,
            Self::Stopped | Self::ServerEnding => Ended::Stopped,
            Self::Abandoned => Ended::Idle,
            Self::NotRecorded => Ended::OverLimit,
        }
    }

    /// The reason for people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::DeviceGone => "device disconnected",
            Self::DeviceRemoved => "the device is no longer accepted",
            Self::NotAllowed => "no longer allowed",
            Self::Stopped => "ended by an operator",
            Self::Abandoned => "nobody came back to it",
            Self::NotRecorded => "it cannot be recorded",
            Self::ServerEnding => "the server is shutting down",
        }
    }
}

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Input {
    /// A session of a former run of this server. Said for each that has not ended, before anything else is.
    Adopt(Box<Adopted>),
    /// The device has a new link. It replaces the one before, if that still stood.
    LinkUp {
        /// What the device's end can do.
        kind: LinkKind,
    },
    /// The device's link is lost.
    LinkDown,
    /// The device said something over its present link.
    FromDevice(Message),
    /// An operator's end has come. It says itself what it wants.
    Attach {
        /// Names it from now on.
        viewer: ViewerId,
        /// Whose it is.
        person: Owner,
        /// What the end can do.
        kind: ViewerKind,
    },
    /// An operator's end said something.
    FromViewer {
        /// Which end.
        viewer: ViewerId,
        /// What it said.
        message: Message,
    },
    /// An operator's end is lost, or has left.
    ViewerGone(ViewerId),
    /// An operator may not be here any more. A longwire end leaves its sessions to themselves, a plain
    /// end's session ends.
    EndViewer(ViewerId, EndReason),
    /// An operator may go on looking, but not typing.
    LoseControl {
        /// Which end.
        viewer: ViewerId,
        /// The session.
        sid: String,
    },
    /// An operator may look at a session no longer.
    LoseSight {
        /// Which end.
        viewer: ViewerId,
        /// The session.
        sid: String,
    },
    /// The answer to an [`super::Effect::Ask`].
    Decided {
        /// Its number.
        ask: u64,
        /// Whether they may.
        allowed: bool,
    },
    /// The answer to an [`super::Effect::Commit`].
    CommitDone {
        /// Its number.
        change: u64,
        /// Whether the database has it.
        ok: bool,
    },
    /// How far the journal has come.
    Committed {
        /// Entries up to this number are durable, except those of sessions in trouble.
        seq: u64,
        /// The sessions that are, all of them.
        trouble: Vec<Trouble>,
    },
    /// The answer to an [`super::Effect::ReadBack`].
    ReadBack {
        /// The viewer it was for.
        viewer: ViewerId,
        /// The session.
        sid: String,
        /// What was asked for.
        from: u64,
        /// What there is.
        found: ReadBack,
    },
    /// A session is to end: somebody with the right to says so, or (`None`) the server itself.
    EndSession {
        /// The session.
        sid: String,
        /// Who.
        by: Option<Owner>,
        /// Why.
        why: EndReason,
    },
    /// A person may not use the device any more: their sessions on it end.
    EndOwned {
        /// Whose.
        owner: crate::ids::UserId,
        /// Why.
        why: EndReason,
    },
    /// The server ends everything about this device ([`EndReason::DeviceRemoved`]), or itself
    /// ([`EndReason::ServerEnding`]): then links are closed, and sessions live on.
    End(EndReason),
    /// Time has passed: [`super::DeviceSessions::deadline`].
    Tick,
}

/// A session that cannot be recorded at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The session.
    pub sid: String,
    /// Its first entry that is not durable.
    pub from: u64,
    /// Nothing more of it will be.
    pub given_up: bool,
}

/// What the journal has of a session's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadBack {
    /// The bytes from there on; empty where what is durable ends.
    Bytes(bytes::Bytes),
    /// A gap: output goes on here.
    Gap {
        /// Offset of the first byte after it.
        to: u64,
    },
    /// It cannot be read.
    Failed,
}

/// What is known of a session from a former run.
#[derive(Clone, Debug)]
pub struct Adopted {
    /// Its id.
    pub sid: String,
    /// Whose it is.
    pub owner: Owner,
    /// The newest epoch.
    pub epoch: u64,
    /// Who types in it.
    pub controller: Option<Controller>,
    /// Whether the device keeps what is not acknowledged.
    pub lossless: bool,
    /// No viewer so far could come back to it.
    pub plain_only: bool,
    /// How long ago it was opened.
    pub age: Duration,
    /// How long after that the shell was known to run, if it was.
    pub started: Option<Duration>,
    /// How long nobody has looked at it. `None`: somebody did when the server ended.
    pub detached: Option<Duration>,
    /// That it is to end.
    pub to_stop: Option<Ending>,
    /// The size that was last asked for.
    pub size: Option<Winsize>,
    /// Output that is durable.
    pub recorded: u64,
    /// An end that is durable in the journal and not in the database.
    pub ended: Option<Ending>,
    /// The record from its newest keyframe on, or from so far back that a screen can be made of it.
    pub replay: Vec<Entry>,
    /// The database or the journal was put back from an older copy.
    pub restored: bool,
}
