//! What is asked of a session, and what happens in it.

use std::time::Duration;

use bytes::Bytes;
use longwire_protocol::shell::{Stop, Winsize};

use super::words::{DeviceLink, Notice, Present};
use crate::Error;
use crate::terminal::Lost;

/// Who is at this end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    /// Somebody looks and types: what is skipped is made up for by a screen, keys are refused while
    /// the device is away, and what they typed long ago waits for another word.
    Person,
    /// A program reads and writes: it gets every byte, and everything it says is delivered, however
    /// long that takes.
    Script,
}

/// How to begin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Start {
    /// With a new shell.
    New,
    /// With a session that there is, by its id.
    Attach {
        /// The session.
        sid: String,
        /// What is wanted of it.
        as_: Role,
    },
}

/// What is wanted of a session that there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// To look only.
    Watcher,
    /// To go on with it, unless somebody is in control who is there.
    Owner,
    /// To be in control, whoever is now.
    Controller,
}

/// What is wanted of a channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wish {
    /// How to begin.
    pub start: Start,
    /// The size of the terminal here.
    pub size: Option<Winsize>,
    /// Who is at this end.
    pub who: Who,
}

/// A place in what was shown, for [`super::Session::shown`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Position {
    /// How often the stream went on somewhere else, with a screen.
    pub(super) screens: u64,
    pub(super) offset: u64,
}

/// Why keys were not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The device is known to be away.
    DeviceAway,
    /// Somebody else is in control.
    NotInControl,
}

/// What has happened.
#[derive(Debug)]
pub enum Event {
    /// The connection to the server is up; first, and after each [`Event::Reconnecting`].
    Connected,
    /// The connection is lost, and there will be another attempt after the delay.
    Reconnecting {
        /// How it was lost, or why the last attempt failed; for people.
        why: String,
        /// Which attempt is next, from 1.
        attempt: u32,
        /// When.
        delay: Duration,
    },
    /// The shell runs.
    Started,
    /// It could not be started. No event follows.
    Refused {
        /// Why, for people.
        why: String,
        /// Sessions of ours that hold the place.
        detached: Vec<String>,
    },
    /// Who is in control has become known or has changed.
    Control {
        /// Whether we are.
        ours: bool,
        /// How many bytes of our input did not arrive before somebody else was.
        unarrived: u64,
    },
    /// Output: each byte once, in order.
    Output {
        /// The bytes.
        bytes: Bytes,
        /// Whether it is new. What a terminal answers by itself to anything else is not wanted.
        is_live: bool,
        /// To be said by [`super::Session::shown`] once the bytes are.
        upto: Position,
    },
    /// The whole screen, in place of everything shown before.
    Screen {
        /// What to feed a fresh terminal with.
        bytes: Bytes,
        /// The size it is drawn for.
        size: Option<Winsize>,
        /// To be said by [`super::Session::shown`] once it is.
        upto: Position,
    },
    /// From here on the session's terminal has this size.
    Resized(Winsize),
    /// The device has gone or has come back; also said once after each attachment.
    Device(DeviceLink),
    /// Who is attached.
    Presence(Vec<Present>),
    /// Something people should know.
    Notice(Notice),
    /// Keys were refused.
    Refusal(Refusal),
    /// Input waits for [`super::Session::release_input`] or [`super::Session::drop_input`], because it was
    /// typed too long ago: so many bytes.
    InputHeld(usize),
    /// An interrupt threw away so much input that had not been taken yet.
    Interrupted(u64),
    /// The shell has ended. No event follows.
    Ended(Stop),
    /// The server does not have the session, or not for us. No event follows.
    Unknown,
    /// There will be no other attempt. The session may well live on. No event follows.
    Closed(Closed),
}

/// Why a channel gives up.
#[derive(Debug)]
pub enum Closed {
    /// The server answers, and will not have us: the sign-in has ended, the device is gone.
    Turned(Error),
    /// The connection ended in a way that another one would not mend.
    Lost(Lost),
    /// The server that answers now does not speak `longwire.v1`.
    Plain,
}
