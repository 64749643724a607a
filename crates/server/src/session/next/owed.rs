//! Shells that may still run on the device although nobody wants them any more.
//!
//! Real agents keep the slot of a shell that ended by itself until they are sent a `stop`, and their
//! shells outlive their link, so a `stop` that was under way when the link broke has to be sent again.

use std::collections::VecDeque;

use crate::ids::UserId;

/// How many are remembered for one device; a real agent has no more than 16 shells.
const REMEMBERED_MAX: usize = 256;

/// Stops whose answer has not been seen.
#[derive(Default)]
pub(super) struct Owed(VecDeque<(String, Option<UserId>)>);

impl Owed {
    /// Remembers that the shell of `sid` is to end. The oldest gives way when there are too many.
    pub(super) fn add(&mut self, sid: &str, user_id: Option<UserId>) {
        if self.contains(sid) {
            return;
        }
        if self.0.len() == REMEMBERED_MAX {
            self.0.pop_front();
        }
        self.0.push_back((sid.to_owned(), user_id));
    }

    /// The shell is known to have ended, or is wanted again.
    pub(super) fn remove(&mut self, sid: &str) {
        self.0.retain(|(known, _)| known != sid);
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether the shell of `sid` is to end.
    pub(super) fn contains(&self, sid: &str) -> bool {
        self.0.iter().any(|(known, _)| known == sid)
    }

    /// Whether nothing is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All that are to end, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Option<UserId>)> {
        self.0.iter().map(|(sid, user_id)| (sid.as_str(), *user_id))
    }
}
