//! What carries a shell's bytes: a plain link, or the stream that outlives its links.

use std::ops::ControlFlow;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use longwire_protocol::shell::{Stop, Winsize};
use longwire_protocol::{Message, Props, proto};
use tokio::sync::OwnedSemaphorePermit;

use super::ending::Ending;
use super::expiry::Expired;
use super::plain::PlainWire;
use super::streamed::StreamedWire;
use crate::connection::outbox::Closed;
use crate::pty::Pty;

/// What a shell is told.
#[derive(Debug)]
pub(super) enum Order {
    /// On a plain link: type this.
    Input(Input),
    /// On a plain link: a ping was answered.
    Pong,
    /// The window is to have this size.
    Resize(Winsize),
    /// On the stream: this character, at this offset of the input, waits behind what the window
    /// keeps back.
    Interrupt(u64, u8),
    /// On the stream: what was typed before is over.
    NewEpoch,
}

/// Bytes on their way to the pty, and their share of what may wait.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) bytes: Bytes,
    pub(super) _share: OwnedSemaphorePermit,
}

/// What operators are told beside the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
    /// The shell will be ended at this moment.
    Ending(Expired, Instant),
    /// It will not, since it is not idle any more.
    IdleOver,
}

impl Notice {
    /// Whether this is the warning that activity takes back.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self, Self::Ending(Expired::Idle, _))
    }

    /// The message, `now` being both moments.
    pub(super) fn to_message(self, sid: &str, now: Instant, clock: SystemTime) -> Message {
        let (kind, words, ends_at) = match self {
            Self::Ending(Expired::Idle, at) => (
                "idle",
                "nothing was typed or shown for long; the shell will be ended unless something is",
                Some(at),
            ),
            Self::Ending(Expired::Lifetime, at) => (
                "expiry",
                "the shell has been open for as long as is allowed and will be ended",
                Some(at),
            ),
            Self::IdleOver => ("idle_over", "", None),
        };
        let mut props = Props::new().with("kind", kind);
        if let Some(at) = ends_at {
            props.set(
                "ends_at",
                unix_millis(clock, at.saturating_duration_since(now)),
            );
        }
        Message {
            proto: proto::SHELL,
            typ: "notice".to_owned(),
            sid: sid.to_owned(),
            props,
            body: Bytes::from_static(words.as_bytes()),
        }
    }
}

fn unix_millis(clock: SystemTime, later: Duration) -> i64 {
    let since = clock.duration_since(SystemTime::UNIX_EPOCH);
    let millis = since.unwrap_or_default().saturating_add(later).as_millis();
    i64::try_from(millis).unwrap_or(i64::MAX)
}

/// How a shell is connected to its operators.
#[derive(Debug)]
pub(super) enum Wire {
    Plain(PlainWire),
    Streamed(StreamedWire),
}

impl Wire {
    /// Waits for bytes that can move, and moves them. Returns whether anything was typed or shown.
    /// Cancel safe.
    pub(super) async fn turn(&mut self, pty: &Pty) -> Result<bool, Closed> {
        match self {
            Self::Plain(wire) => wire.turn(pty).await,
            Self::Streamed(wire) => wire.turn(pty).await,
        }
    }

    /// Carries an order out. Returns whether anything was typed.
    pub(super) fn obey(&mut self, order: Order, pty: &Pty) -> bool {
        match self {
            Self::Plain(wire) => wire.obey(order, pty),
            Self::Streamed(wire) => wire.obey(order, pty),
        }
    }

    /// When [`Self::tick`] has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        match self {
            Self::Plain(wire) => wire.due(),
            Self::Streamed(_) => None,
        }
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Instant) -> ControlFlow<Ending> {
        match self {
            Self::Plain(wire) => wire.tick(now),
            Self::Streamed(_) => ControlFlow::Continue(()),
        }
    }

    /// Tells operators something beside the output. The plain protocol has no way to.
    pub(super) fn tell(&mut self, notice: Notice) {
        match self {
            Self::Plain(_) => {}
            Self::Streamed(wire) => wire.tell(notice),
        }
    }

    /// The terminal is about to be hung up: takes what it still holds, if there is room.
    pub(super) fn before_hangup(&mut self, pty: &Pty) {
        match self {
            Self::Plain(_) => {}
            Self::Streamed(wire) => wire.last_words(pty),
        }
    }

    /// The shell has ended: sends what its terminal still holds.
    pub(super) async fn last_words(&mut self, pty: &Pty) -> Result<(), Closed> {
        match self {
            Self::Plain(wire) => wire.last_words(pty).await,
            Self::Streamed(wire) => {
                wire.last_words(pty);
                Ok(())
            }
        }
    }

    /// Says that the shell has ended, and returns what was said unless nobody is left to tell.
    pub(super) async fn say_last(&mut self, stop: Stop) -> Option<Stop> {
        match self {
            Self::Plain(wire) => wire.say_last(stop).await,
            Self::Streamed(wire) => Some(wire.say_last(stop)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_says_when_by_the_clock_on_the_wall() {
        let (now, clock) = (
            Instant::now(),
            SystemTime::UNIX_EPOCH + Duration::from_secs(7),
        );
        let at = now + Duration::from_secs(60);
        let message = Notice::Ending(Expired::Idle, at).to_message("s", now, clock);
        assert_eq!(
            (message.typ.as_str(), message.sid.as_str()),
            ("notice", "s")
        );
        assert_eq!(message.props.get_str("kind"), Some("idle"));
        assert_eq!(message.props.get_int("ends_at"), Some(67_000));
        assert!(!message.body.is_empty());
        let message = Notice::Ending(Expired::Lifetime, at).to_message("s", now, clock);
        assert_eq!(message.props.get_str("kind"), Some("expiry"));
        let message = Notice::IdleOver.to_message("s", now, clock);
        assert_eq!(message.props.get_str("kind"), Some("idle_over"));
        assert_eq!(message.props.get_int("ends_at"), None);
    }
}
