//! What a shell end is told at its start, and what it tells its owner.

use std::collections::BTreeSet;

use longwire_protocol::shell::Winsize;
use longwire_protocol::{Message, Props};

use crate::limits::{INPUT_WINDOW, MAX_SESSIONS, RING, RINGS};
use crate::wire::Hello;

/// Who is at the other end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leg {
    /// A server: it is told which sessions there are, and gets on with each by itself.
    Device,
    /// A viewer: whether it may have a session, and from where, is decided anew each time.
    Viewer,
}

/// The settings of a shell end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShellConfig {
    /// Which run of which program this is.
    pub instance: String,
    /// What it can do beyond the version.
    pub features: BTreeSet<String>,
    /// Who is at the other end.
    pub leg: Leg,
    /// Unacknowledged output kept for one session, in bytes.
    pub ring: usize,
    /// Unacknowledged output kept for all sessions, in bytes.
    pub rings: usize,
    /// Input taken beyond what is applied, per session, in bytes.
    pub input_window: u64,
    /// Shells that are starting or running at once.
    pub max_sessions: usize,
}

impl ShellConfig {
    /// A device's settings.
    pub fn new(instance: &str) -> Self {
        ShellConfig {
            instance: instance.to_owned(),
            features: BTreeSet::new(),
            leg: Leg::Device,
            ring: RING,
            rings: RINGS,
            input_window: INPUT_WINDOW,
            max_sessions: MAX_SESSIONS,
        }
    }

    /// A server's settings towards one viewer.
    pub fn for_viewer(instance: &str) -> Self {
        ShellConfig {
            leg: Leg::Viewer,
            ..ShellConfig::new(instance)
        }
    }
}

/// How a viewer is attached to a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attachment {
    /// Where its output starts: what it has, or where a screen will be shown for.
    pub output: u64,
    /// Where its input starts: what was applied; for a viewer whose epoch is over, where that ended.
    pub input: u64,
    /// Input bytes of the session that interrupts threw away so far.
    pub dropped: u64,
    /// The epoch that counts.
    pub epoch: u64,
    /// Whether the viewer's input counts in it. False with the viewer's own epoch: not yet.
    pub control: bool,
}

/// What has happened, for the owner of a shell end.
#[derive(Clone, PartialEq, Debug)]
pub enum ToShellEnd {
    /// The peer has introduced itself: the link is up.
    Hello(Hello),
    /// A shell is to be started; the owner says [`super::ShellEnd::started`] or
    /// [`super::ShellEnd::refused`].
    Open {
        /// The session.
        sid: String,
        /// Whose input counts first.
        epoch: u64,
        /// The size to start with.
        size: Option<Winsize>,
        /// What else was said.
        more: Props,
    },
    /// A viewer wants a session; the owner says [`super::ShellEnd::attach`] or
    /// [`super::ShellEnd::unknown`].
    Attach {
        /// The session.
        sid: String,
        /// What the viewer has of its output; `None`: it wants the screen.
        have: Option<u64>,
        /// The epoch the viewer knows.
        epoch: u64,
        /// The viewer's size.
        size: Option<Winsize>,
        /// What else was said.
        more: Props,
    },
    /// There is input.
    Input {
        /// The session.
        sid: String,
    },
    /// An interrupt character waits behind input that the window keeps back. If the shell takes
    /// nothing and would interrupt for it, the owner says [`super::ShellEnd::interrupted`];
    /// otherwise nothing, and it comes in its turn.
    Interrupt {
        /// The session.
        sid: String,
        /// The character.
        byte: u8,
        /// Its offset.
        offset: u64,
    },
    /// The terminal is to have this size.
    Resize {
        /// The session.
        sid: String,
        /// The size.
        size: Winsize,
    },
    /// Somebody else is in control.
    Epoch {
        /// The session.
        sid: String,
        /// The new epoch.
        epoch: u64,
        /// Input that had come and was not applied: it is gone.
        dropped: u64,
    },
    /// A viewer asks for control; the owner answers with [`super::ShellEnd::set_control`], or with
    /// words of its own.
    ControlWanted {
        /// The session.
        sid: String,
    },
    /// The peer holds our acknowledgement for input that this run knows nothing of.
    InputSkipped {
        /// The session.
        sid: String,
        /// Where input stood.
        from: u64,
        /// Where it continues.
        to: u64,
    },
    /// The shell is to be ended.
    Stop {
        /// The session.
        sid: String,
        /// Why, if it is not the user's wish.
        error: Option<String>,
    },
    /// Output before the offset is safe: there may be room again.
    Acknowledged {
        /// The session.
        sid: String,
        /// The offset.
        offset: u64,
    },
    /// An ended session is gone: its peer has everything, or there were too many.
    Forgotten {
        /// The session.
        sid: String,
    },
    /// The peer gives the link up, and says why.
    PeerError(String),
    /// A message that is not of this stream.
    Other(Message),
}
