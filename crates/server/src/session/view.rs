//! Sessions as they are seen from outside.

use longwire_protocol::shell::Winsize;

use crate::ids::UserId;
use crate::time::Timestamp;

/// A session as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// Its id; no credential.
    pub sid: String,
    /// Whose it is.
    pub owner: UserId,
    /// Their e-mail address.
    pub owner_email: String,
    /// Where it stands.
    pub state: SessionState,
    /// When it was opened.
    pub started_at: Timestamp,
    /// Since when nobody looks, if nobody does.
    pub detached_at: Option<Timestamp>,
    /// Whether the device keeps what is not acknowledged.
    pub lossless: bool,
    /// The terminal's size, if known.
    pub size: Option<Winsize>,
    /// The title a program gave it, if one did.
    pub title: Option<String>,
    /// Counts changes of control.
    pub epoch: u64,
    /// Who looks, in the order they came.
    pub viewers: Vec<ViewerView>,
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// Somebody looks.
    Attached,
    /// Nobody does; the shell runs on.
    Detached,
    /// It is to end, and the device has not said yet that it has.
    Ending,
}

/// One who looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewerView {
    /// E-mail address.
    pub email: String,
    /// Whether their typing counts.
    pub control: bool,
    /// Since when.
    pub since: Timestamp,
}

impl super::DeviceSessions {
    /// The sessions as they stand.
    #[must_use]
    pub fn views(&self, now: std::time::Instant) -> Vec<SessionView> {
        let live = self.sessions.values().filter(|session| !session.is_over());
        live.map(|session| SessionView {
            sid: session.sid.clone(),
            owner: session.owner.user_id(),
            owner_email: session.owner.email().to_owned(),
            state: if session.stop.is_some() {
                SessionState::Ending
            } else if session.viewers.is_empty() {
                SessionState::Detached
            } else {
                SessionState::Attached
            },
            started_at: session.opened_at,
            detached_at: session
                .detached
                .map(|since| self.wall_before(now, now.saturating_duration_since(since))),
            lossless: session.is_longwire(),
            size: session.size,
            title: Some(session.screen.title())
                .filter(|title| !title.is_empty())
                .map(str::to_owned),
            epoch: session.epoch,
            viewers: session
                .viewers
                .iter()
                .filter_map(|present| {
                    let viewer = self.viewers.get(&present.viewer)?;
                    Some(ViewerView {
                        email: viewer.person.email().to_owned(),
                        control: session.in_control == Some(present.viewer),
                        since: present.since,
                    })
                })
                .collect(),
        })
        .collect()
    }

    fn wall_before(&self, now: std::time::Instant, passed: std::time::Duration) -> Timestamp {
        let passed = i64::try_from(super::live::millis(passed)).unwrap_or(i64::MAX / 2);
        Timestamp::from_millis(self.wall(now).millis() - passed)
    }
}
