//! What a user end tells its owner.

use bytes::Bytes;
use longwire_protocol::Message;
use longwire_protocol::shell::{Stop, Winsize};

use crate::wire::Hello;

/// What has happened, for the owner of a user end.
#[derive(Clone, PartialEq, Debug)]
pub enum ToUserEnd {
    /// The peer has introduced itself: the link is up.
    Hello(Hello),
    /// The shell runs; said once in the life of a session.
    Started {
        /// The session.
        sid: String,
    },
    /// It could not be started; the session is gone.
    Refused {
        /// The session.
        sid: String,
        /// Why, in the peer's words.
        why: String,
    },
    /// The session goes on after a new connection.
    Resumed {
        /// The session.
        sid: String,
    },
    /// Output that will never come, because the peer does not have it any more.
    Gap {
        /// The session.
        sid: String,
        /// Offset of the first byte that is lost.
        from: u64,
        /// Offset of the first byte that is not.
        to: u64,
    },
    /// Output: each byte once, in order.
    Output {
        /// The session.
        sid: String,
        /// Offset of the first byte.
        offset: u64,
        /// When it was read, in milliseconds since the shell's start.
        time_ms: u64,
        /// The bytes.
        bytes: Bytes,
    },
    /// From this offset on the terminal has this size. One that is not beyond the output known may
    /// come again.
    Resized {
        /// The session.
        sid: String,
        /// Offset in the output.
        offset: u64,
        /// When, in milliseconds since the shell's start.
        time_ms: u64,
        /// The size.
        size: Winsize,
    },
    /// The whole screen, in place of everything before the offset.
    Screen {
        /// The session.
        sid: String,
        /// Where output continues.
        offset: u64,
        /// The size the screen is drawn for.
        size: Option<Winsize>,
        /// What to feed a fresh terminal with.
        bytes: Bytes,
    },
    /// Input before the offset has been applied.
    Applied {
        /// The session.
        sid: String,
        /// The offset.
        offset: u64,
        /// Input bytes of the session that interrupts have thrown away so far.
        dropped: u64,
    },
    /// An epoch has begun, or its start has become known to this run.
    Epoch {
        /// The session.
        sid: String,
        /// Its number.
        epoch: u64,
        /// Where its input starts.
        offset: u64,
        /// Whether this end's input counts in it.
        control: bool,
        /// Input of the epoch before that did not arrive.
        unarrived: u64,
    },
    /// Input was given too long before the link came back: it waits for
    /// [`super::UserEnd::release_input`], or for a new epoch that discards it.
    InputHeld {
        /// The session.
        sid: String,
        /// How many bytes.
        bytes: usize,
    },
    /// The shell has ended; the owner says [`super::UserEnd::end_recorded`] once it will not forget.
    Ended {
        /// The session.
        sid: String,
        /// Why.
        stop: Stop,
        /// Where the output ends.
        offset: u64,
    },
    /// The peer does not have the session any more: a device was restarted, most likely. What its
    /// output was beyond the last byte known is not known. The owner says
    /// [`super::UserEnd::leave`] once it takes that for final; until then a peer that has the session
    /// after all goes on with it on a later link.
    Lost {
        /// The session.
        sid: String,
    },
    /// The device holds a session that is not known here, or whose end was recorded before the
    /// device could hear so; it is told to end and to forget it.
    Stranger {
        /// The session's id.
        sid: String,
    },
    /// The peer gives the link up, and says why.
    PeerError(String),
    /// A message that is not of this stream.
    Other(Message),
}
