//! One session: what is known of it, whoever looks at it and wherever its shell is.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use longwire_protocol::shell::{Stop, Winsize};

use super::change::{Controller, Ending};
use super::shell::Shell;
use super::tail::Tail;
use crate::session::screen::Screen;
use crate::session::{Owner, ViewerId};
use crate::time::Timestamp;

/// The size of a terminal of which none is known.
const DEFAULT_SIZE: (u16, u16) = (24, 80);

/// Epochs whose beginnings are remembered.
const EPOCHS_MAX: usize = 16;

/// Entries of the journal that are told apart while they are not durable; beyond, neighbours are merged.
const UNDER_WAY_MAX: usize = 1024;

/// Where a session's shell is.
#[derive(Debug)]
pub(super) enum Home {
    /// At the other end of a longwire.v1 stream.
    Longwire,
    /// At an agent that keeps nothing.
    Plain(Shell),
}

/// How far a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is being written down that it was asked for.
    Opening,
    /// The device is to start a shell.
    Starting,
    /// The shell runs.
    Running,
    /// It has ended.
    Ended,
}

/// A change of control that is being written down.
#[derive(Clone, Debug)]
pub(super) struct Changing {
    pub(super) epoch: u64,
    pub(super) target: Target,
}

/// Who is to be in control.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Target {
    /// The end; `None` if it is away, or nobody is to be.
    pub(super) viewer: Option<ViewerId>,
    /// `None`: the screen itself, which answers what programs ask terminals.
    pub(super) controller: Option<Controller>,
    /// Whoever wanted it.
    pub(super) by: Option<Owner>,
}

/// A session that is over.
#[derive(Debug)]
pub(super) struct Over {
    pub(super) stop: Stop,
    /// The entry that says so, until it is durable.
    pub(super) entry: Option<u64>,
    /// Whether the database has it.
    pub(super) is_stored: bool,
    /// When it is forgotten.
    pub(super) forget_at: Instant,
}

/// One who looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Present {
    pub(super) viewer: ViewerId,
    pub(super) since: Timestamp,
}

/// What of a session's journal is under way.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) is_open: bool,
    /// Numbers of entries, and where output stood after them.
    under_way: VecDeque<(u64, u64)>,
    /// Output before this is durable.
    pub(super) recorded: u64,
    /// Where the last keyframe stands.
    pub(super) keyframe: u64,
    /// The number of the last entry.
    pub(super) last: u64,
    /// It cannot be written at present.
    pub(super) is_paused: bool,
    /// It never will be.
    pub(super) is_given_up: bool,
}

impl Written {
    pub(super) fn append(&mut self, seq: u64, position: u64) {
        self.last = seq;
        if self.under_way.len() == UNDER_WAY_MAX {
            self.under_way.pop_back();
        }
        self.under_way.push_back((seq, position));
    }

    /// Entries up to `seq` are durable. True if that is news of output.
    pub(super) fn committed(&mut self, seq: u64) -> bool {
        let before = self.recorded;
        while let Some((next, position)) = self.under_way.front()
            && *next <= seq
        {
            self.recorded = *position;
            self.under_way.pop_front();
        }
        self.recorded != before
    }
}

/// What plain ends know of the device's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Away {
    /// It is there.
    No,
    /// It is away, and they are told at this moment.
    Untold(Instant),
    /// They know that it is away.
    Told,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) sid: String,
    pub(super) owner: Owner,
    pub(super) opened_at: Timestamp,
    /// The time line began so long before that moment.
    line: (Duration, Instant),
    /// The shell's own clock began so long after the time line.
    pub(super) shift_ms: u64,
    pub(super) phase: Phase,
    pub(super) home: Home,
    /// The size the terminal is to have.
    pub(super) asked_size: Option<Winsize>,
    /// The newest epoch that is written down.
    pub(super) epoch: u64,
    pub(super) controller: Option<Controller>,
    /// The end in control, if it is here.
    pub(super) in_control: Option<ViewerId>,
    pub(super) changing: Option<Changing>,
    /// Who is next, once it can be.
    pub(super) next: Option<Target>,
    /// Where the input of epochs begins.
    epoch_starts: BTreeMap<u64, u64>,
    /// Another run of the server may have given out epochs that are not known here.
    pub(super) is_restored: bool,
    pub(super) tail: Tail,
    pub(super) screen: Screen,
    /// The size the terminal is known to have.
    pub(super) size: Option<Winsize>,
    pub(super) written: Written,
    pub(super) viewers: Vec<Present>,
    /// Since when nobody looks.
    pub(super) detached: Option<Instant>,
    /// No viewer so far could come back.
    pub(super) plain_only: bool,
    /// A plain end had it when the server ended: it goes to the operator's next, or ends then.
    pub(super) orphan_until: Option<Instant>,
    /// It is to end.
    pub(super) stop: Option<Ending>,
    /// What the device is told then, unless it is the user's wish.
    pub(super) stop_error: Option<String>,
    /// That is written down, and the device has been or will be told.
    pub(super) stop_is_stored: bool,
    pub(super) over: Option<Over>,
    /// The device says that it does not have it; it is believed from then on.
    pub(super) lost_at: Option<Instant>,
    /// Input waits for a person to say that it is still meant: so many bytes.
    pub(super) held: Option<usize>,
    /// Input that interrupts threw away.
    pub(super) dropped: u64,
    pub(super) away: Away,
    /// What the screen wants to answer, and since when nobody was there to do it.
    pub(super) replies: Vec<u8>,
    pub(super) replies_at: Option<Instant>,
    /// Whoever is in control is a program and no person at a terminal.
    pub(super) is_scripted: bool,
    /// Since when nobody has been in control.
    pub(super) quiet_since: Option<Instant>,
}

impl Session {
    pub(super) fn new(
        sid: String,
        owner: Owner,
        opened_at: Timestamp,
        age: Duration,
        now: Instant,
        offset: u64,
        size: Option<Winsize>,
    ) -> Self {
        Self {
            sid,
            owner,
            opened_at,
            line: (age, now),
            shift_ms: 0,
            phase: Phase::Opening,
            home: Home::Longwire,
            asked_size: size,
            epoch: 1,
            controller: None,
            in_control: None,
            changing: None,
            next: None,
            epoch_starts: BTreeMap::from([(1, 0)]),
            is_restored: false,
            tail: Tail::at(offset),
            screen: Screen::new(size_or_default(size)),
            size: None,
            written: Written {
                recorded: offset,
                keyframe: offset,
                ..Written::default()
            },
            viewers: Vec::new(),
            detached: None,
            plain_only: false,
            orphan_until: None,
            stop: None,
            stop_error: None,
            stop_is_stored: false,
            over: None,
            lost_at: None,
            held: None,
            dropped: 0,
            away: Away::No,
            replies: Vec::new(),
            replies_at: None,
            is_scripted: false,
            quiet_since: None,
        }
    }

    /// Milliseconds on the recording's time line.
    pub(super) fn time_ms(&self, now: Instant) -> u64 {
        let (age, then) = self.line;
        millis(age + now.saturating_duration_since(then))
    }

    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Whether it is over, and nobody has still to be told or to write it down.
    pub(super) fn is_settled(&self) -> bool {
        self.viewers.is_empty()
            && self
                .over
                .as_ref()
                .is_some_and(|over| over.is_stored && over.entry.is_none())
    }

    /// Whether it can be attached to, and control of it change hands.
    pub(super) fn is_live(&self) -> bool {
        !self.is_over() && self.stop.is_none()
    }

    pub(super) fn is_longwire(&self) -> bool {
        matches!(self.home, Home::Longwire)
    }

    pub(super) fn shell(&mut self) -> Option<&mut Shell> {
        match &mut self.home {
            Home::Plain(shell) => Some(shell),
            Home::Longwire => None,
        }
    }

    pub(super) fn epoch_begins(&mut self, epoch: u64, offset: u64) {
        self.epoch_starts.entry(epoch).or_insert(offset);
        while self.epoch_starts.len() > EPOCHS_MAX {
            self.epoch_starts.pop_first();
        }
    }

    /// Where the input of an epoch that is over ended, if that is known.
    pub(super) fn epoch_end(&self, epoch: u64) -> Option<u64> {
        self.epoch_starts
            .range(epoch + 1..)
            .next()
            .map(|(_, offset)| *offset)
    }

    /// Whether this viewer is the controller come back.
    pub(super) fn is_controlled_by(&self, user: &Owner, instance: &str) -> bool {
        self.controller.as_ref().is_some_and(|controller| {
            controller.user_id == user.user_id()
                && controller.instance == instance
                && !instance.is_empty()
        })
    }
}

fn size_or_default(size: Option<Winsize>) -> Winsize {
    let (rows, cols) = DEFAULT_SIZE;
    size.unwrap_or(Winsize { rows, cols })
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
