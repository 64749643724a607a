//! What the core asks of its surroundings, and what it waits for.

use std::collections::{BTreeMap, VecDeque};

use super::change::{Change, SessionChange};
use super::effect::Effect;
use super::live::Session;
use crate::access::SessionAct;
use crate::session::{Entry, Owner, ViewerId};

/// Questions of one viewer that may be open at once.
const ASKS_MAX: usize = 16;

/// What follows from an answer of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    Opened,
    Epoch(u64),
    Stop,
    Ended,
    Nothing,
}

/// What somebody is waiting to be allowed.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    /// To open a session.
    Open(super::longwire_viewer::Request),
    /// To attach to one.
    Attach(super::longwire_viewer::Request),
    /// To be in control; or, handed over, to let `by` put them in control.
    Control { by: Owner },
    /// To end it.
    Stop,
}

/// The way out.
#[derive(Debug, Default)]
pub(super) struct Out {
    pub(super) effects: Vec<Effect>,
    commits: u64,
    asks: u64,
    seq: u64,
    awaited: VecDeque<(u64, String, Awaited)>,
    asked: BTreeMap<u64, (ViewerId, String, Asked)>,
    /// Grows when something may be seen differently from outside.
    pub(super) seen: u64,
}

impl Out {
    pub(super) fn commit(
        &mut self,
        sid: &str,
        by: Option<&Owner>,
        what: SessionChange,
        awaited: Awaited,
    ) {
        self.commits += 1;
        self.seen += 1;
        self.awaited
            .push_back((self.commits, sid.to_owned(), awaited));
        self.effects.push(Effect::Commit(Change {
            id: self.commits,
            sid: sid.to_owned(),
            by: by.cloned(),
            what,
        }));
    }

    /// What was waited for, and of which session.
    pub(super) fn committed(&mut self, change: u64) -> Option<(String, Awaited)> {
        let at = self
            .awaited
            .iter()
            .position(|(known, ..)| *known == change)?;
        let (_, sid, awaited) = self.awaited.remove(at)?;
        Some((sid, awaited))
    }

    /// False if the viewer asks for too much at once.
    pub(super) fn ask(
        &mut self,
        viewer: ViewerId,
        session: (&str, &Owner),
        act: SessionAct,
        asked: Asked,
    ) -> bool {
        let open = self.asked.values().filter(|(who, ..)| *who == viewer);
        if open.count() >= ASKS_MAX {
            return false;
        }
        let (sid, owner) = session;
        self.asks += 1;
        self.asked
            .insert(self.asks, (viewer, sid.to_owned(), asked));
        self.effects.push(Effect::Ask {
            ask: self.asks,
            viewer,
            sid: sid.to_owned(),
            owner: owner.user_id(),
            act,
        });
        true
    }

    pub(super) fn decided(&mut self, ask: u64) -> Option<(ViewerId, String, Asked)> {
        self.asked.remove(&ask)
    }

    pub(super) fn forget_viewer(&mut self, viewer: ViewerId) {
        self.asked.retain(|_, (who, ..)| *who != viewer);
    }

    /// Appends to the journal of a session that is open.
    pub(super) fn append(&mut self, session: &mut Session, entry: Entry) {
        if !session.written.is_open {
            return;
        }
        self.seq += 1;
        session.written.append(self.seq, entry.end());
        self.effects.push(Effect::Append {
            seq: self.seq,
            sid: session.sid.clone(),
            entry,
        });
    }
}
