//! What the record of a session consists of.

use bytes::Bytes;
use longwire_protocol::shell::{Ended, Winsize};

/// One thing that happened in a session, in the order in which it is recorded.
///
/// `offset` is the place in the session's output, in bytes since its start. `time_ms` is on the
/// recording's own time line: milliseconds since the session was opened, by the device's clock as far as
/// that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Bytes the shell wrote.
    Output {
        /// Offset of the first byte.
        offset: u64,
        /// When.
        time_ms: u64,
        /// The bytes.
        bytes: Bytes,
    },
    /// From this offset on the terminal has this size.
    Resized {
        /// Where.
        offset: u64,
        /// When.
        time_ms: u64,
        /// The size.
        size: Winsize,
    },
    /// The screen as all output before the offset has left it. Whoever reads the record can begin here.
    Keyframe {
        /// Where output goes on.
        offset: u64,
        /// When.
        time_ms: u64,
        /// The size the screen is drawn for.
        size: Winsize,
        /// What to feed a fresh terminal with.
        screen: Bytes,
    },
    /// Output that will never come.
    Gap {
        /// Offset of the first byte that is lost.
        offset: u64,
        /// When that became known.
        time_ms: u64,
        /// Offset of the first byte that is not lost; `None` if nobody knows how much is: what comes next
        /// then has `offset` again.
        to: Option<u64>,
    },
    /// What else is worth knowing.
    Marker {
        /// Output that came before it.
        offset: u64,
        /// When.
        time_ms: u64,
        /// What it is.
        marker: Marker,
    },
    /// The session has ended.
    End {
        /// Where its output ends.
        offset: u64,
        /// When.
        time_ms: u64,
        /// Why, if known.
        reason: Option<Ended>,
        /// What the shell's process returned, if known.
        exit_status: Option<i32>,
        /// For people.
        text: String,
    },
}

impl Entry {
    /// Where in the output it stands.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        match self {
            Self::Output { offset, .. }
            | Self::Resized { offset, .. }
            | Self::Keyframe { offset, .. }
            | Self::Gap { offset, .. }
            | Self::Marker { offset, .. }
            | Self::End { offset, .. } => *offset,
        }
    }

    /// When it happened, in milliseconds on the recording's time line.
    #[must_use]
    pub const fn time_ms(&self) -> u64 {
        match self {
            Self::Output { time_ms, .. }
            | Self::Resized { time_ms, .. }
            | Self::Keyframe { time_ms, .. }
            | Self::Gap { time_ms, .. }
            | Self::Marker { time_ms, .. }
            | Self::End { time_ms, .. } => *time_ms,
        }
    }

    /// Where output goes on after it.
    #[must_use]
    pub fn end(&self) -> u64 {
        match self {
            Self::Output { offset, bytes, .. } => offset.saturating_add(bytes.len() as u64),
            Self::Gap { offset, to, .. } => to.unwrap_or(*offset),
            Self::Resized { offset, .. }
            | Self::Keyframe { offset, .. }
            | Self::Marker { offset, .. }
            | Self::End { offset, .. } => *offset,
        }
    }
}

/// What happened around a session, beside its output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Marker {
    /// Somebody began to look.
    Attached {
        /// Their e-mail address.
        by: String,
        /// Whether they may type.
        control: bool,
    },
    /// Somebody looks no longer.
    Detached {
        /// Their e-mail address.
        by: String,
    },
    /// From here on somebody else types.
    Control {
        /// Their e-mail address.
        by: String,
        /// The epoch that begins.
        epoch: u64,
    },
    /// The device's link is lost.
    LinkLost,
    /// The device is back.
    LinkBack {
        /// Whether its link keeps what was written meanwhile.
        lossless: bool,
    },
    /// The server was restarted.
    Restarted,
}
