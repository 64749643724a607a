//! The numbers of `longwire.v1`. Sizes in bytes unless the name says otherwise.

use std::time::Duration;

/// The websocket subprotocol by which both ends choose this stream.
pub const SUBPROTOCOL: &str = "longwire.v1";

/// The version said in a hello. A peer with a higher one still speaks this one.
pub const VERSION: i64 = 1;

/// The largest offset: what a JavaScript number holds exactly.
pub const MAX_OFFSET: u64 = (1 << 53) - 1;

/// The largest body of a `shell` message in either direction.
pub const MAX_BODY: usize = longwire_protocol::limits::OUTPUT_READ;

/// The largest screen that is sent in one message; with its header it stays below
/// [`longwire_protocol::limits::OUR_READ_LIMIT`].
pub const MAX_SCREEN: usize = longwire_protocol::limits::OUR_READ_LIMIT - 4096;

/// How long a session id may be.
pub const MAX_SID: usize = 64;

/// How long the name of an instance or of a feature may be.
pub const MAX_WORD: usize = 64;

/// How many features a hello may name.
pub const MAX_FEATURES: usize = 64;

/// How many sessions a hello may name.
pub const MAX_LISTED: usize = 256;

/// What each `shell` and `screen` message towards the user end counts beside its body when the
/// bytes in flight are added up, so that many tiny messages are not free.
pub const MESSAGE_COST: u64 = 64;

/// The user end reports what has arrived at the latest after so many counted bytes. Less than
/// [`MIN_IN_FLIGHT`], so that what is not reported never stops the sender.
pub const REPORT_AFTER: u64 = 16 * 1024;

/// Counted output bytes of one link that may be under way whatever the delivery rate.
pub const MIN_IN_FLIGHT: u64 = 32 * 1024;

/// Counted output bytes of one link that may be under way at most.
pub const MAX_IN_FLIGHT: u64 = 4 * 1024 * 1024;

/// How long output may queue on the way, beside the round trip itself.
pub const QUEUE_TIME: Duration = Duration::from_millis(500);

/// A user end that has heard nothing for so long asks.
pub const USER_END_PING_AFTER: Duration = Duration::from_secs(20);

/// A shell end that has heard nothing for so long asks. Longer than the user end's, so that an idle
/// device is woken by the answer it must give anyway and by no timer of its own.
pub const SHELL_END_PING_AFTER: Duration = Duration::from_secs(28);

/// An end that has heard nothing for so long gives the link up.
pub const DEAD_AFTER: Duration = Duration::from_secs(60);

/// Input that a shell end takes beyond what it has applied, per session.
pub const INPUT_WINDOW: u64 = 64 * 1024;

/// Input that a user end keeps until it is applied, per session. More than a window, so that what a
/// shell does not take is noticed late by whoever pastes.
pub const INPUT_KEPT: usize = 128 * 1024;

/// What a user end takes beyond [`INPUT_KEPT`] if an interrupt character is among it.
pub const INTERRUPT_RESERVE: usize = 1024;

/// Output that a user end takes beyond what it has acknowledged, per session.
pub const OUTPUT_WINDOW: u64 = 1024 * 1024;

/// The largest window that counts; a peer that offers more is taken to offer this.
pub const MAX_WINDOW: u64 = 16 * 1024 * 1024;

/// How far beyond the input applied an interrupt may be said out of turn. What a user end keeps is
/// far less; without a bound one viewer could use up the offsets of a session.
pub const MAX_INTERRUPT_AHEAD: u64 = 16 * 1024 * 1024;

/// Shells of one shell end that are starting or running.
pub const MAX_SESSIONS: usize = 16;

/// Ended sessions whose unacknowledged output is kept.
pub const ENDED_WITH_OUTPUT: usize = 16;

/// Ended sessions whose end is kept until it is acknowledged.
pub const ENDED_KEPT: usize = 64;

/// Unacknowledged output kept for one session.
pub const RING: usize = 512 * 1024;

/// Unacknowledged output kept for all sessions of a shell end.
pub const RINGS: usize = 8 * 1024 * 1024;

/// What every session may keep whatever the others do; it is reserved within [`RINGS`].
pub const RING_FLOOR: usize = 32 * 1024;

/// Time stamps kept for one session's unacknowledged output; beyond, neighbours are merged.
pub const MAX_STAMPS: usize = 1024;

/// Sizes kept for one session's unacknowledged output; beyond, the newest is replaced.
pub const MAX_SIZES: usize = 64;

/// Output that waits to be sent is stamped no finer than this, so that it fills messages.
pub const STAMP_GRAIN_MS: u64 = 16;

/// Messages beside the stream that wait for one link.
pub const MAX_WAITING: usize = 64;
