//! The sessions of this process, for those who ask.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use crate::bus::{LiveSession, SessionChange};
use crate::ids::DeviceId;

/// Changes that a slow listener may be behind.
const CHANGES_MAX: usize = 1024;

/// What the drivers say about their sessions.
pub(super) struct LiveSessions {
    sessions: Mutex<HashMap<DeviceId, Vec<Arc<LiveSession>>>>,
    changes: broadcast::Sender<SessionChange>,
}

impl Default for LiveSessions {
    fn default() -> Self {
        Self {
            sessions: Mutex::default(),
            changes: broadcast::channel(CHANGES_MAX).0,
        }
    }
}

impl LiveSessions {
    /// Hears of every change from now on.
    pub(super) fn subscribe(&self) -> broadcast::Receiver<SessionChange> {
        self.changes.subscribe()
    }

    /// All of them, newest first.
    pub(super) fn all(&self) -> Vec<Arc<LiveSession>> {
        let mut all: Vec<_> = self.lock().values().flatten().cloned().collect();
        all.sort_by(|one, other| {
            let newest = other.view.started_at.cmp(&one.view.started_at);
            newest.then_with(|| one.view.sid.cmp(&other.view.sid))
        });
        all
    }

    /// These are a device's sessions now. Whoever listens is told what has changed.
    pub(super) fn publish(&self, device: DeviceId, now: Vec<LiveSession>) {
        let mut changes = Vec::new();
        {
            let mut sessions = self.lock();
            let before = sessions.remove(&device).unwrap_or_default();
            let now: Vec<_> = now
                .into_iter()
                .map(|session| {
                    let known = before
                        .iter()
                        .find(|known| known.view.sid == session.view.sid);
                    if let Some(same) = known.filter(|known| ***known == session) {
                        return Arc::clone(same);
                    }
                    let session = Arc::new(session);
                    changes.push((Arc::clone(&session), false));
                    session
                })
                .collect();
            let gone = |known: &&Arc<LiveSession>| {
                !now.iter().any(|session| session.view.sid == known.view.sid)
            };
            changes.extend(
                before
                    .iter()
                    .filter(gone)
                    .map(|known| (Arc::clone(known), true)),
            );
            if !now.is_empty() {
                sessions.insert(device, now);
            }
        }
        for (session, is_over) in changes {
            // Nobody listening is fine.
            let _ = self.changes.send(SessionChange { session, is_over });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DeviceId, Vec<Arc<LiveSession>>>> {
        // Nothing panics while it holds the lock.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::UserId;
    use crate::session::{SessionState, SessionView};
    use crate::time::Timestamp;

    fn session(id: &str, device: DeviceId, started_at: i64) -> LiveSession {
        LiveSession {
            device,
            view: SessionView {
                sid: id.to_owned(),
                owner: UserId::new(),
                owner_email: "operator@example.com".to_owned(),
                state: SessionState::Attached,
                started_at: Timestamp::from_millis(started_at),
                detached_at: None,
                lossless: true,
                size: None,
                title: None,
                epoch: 1,
                viewers: Vec::new(),
            },
        }
    }

    #[test]
    fn listeners_hear_what_has_changed_and_no_more() {
        let live = LiveSessions::default();
        let mut changes = live.subscribe();
        let mut heard = || {
            let changes = std::iter::from_fn(|| changes.try_recv().ok());
            let told = changes.map(|change| (change.session.view.sid.clone(), change.is_over));
            told.collect::<Vec<_>>()
        };
        let (device, other) = (DeviceId::new(), DeviceId::new());
        let (one, two) = (session("1", device, 1), session("2", device, 2));
        live.publish(device, vec![one.clone(), two.clone()]);
        live.publish(other, vec![session("3", other, 3)]);
        assert_eq!(heard().len(), 3);
        let ids: Vec<_> = live
            .all()
            .iter()
            .map(|session| session.view.sid.clone())
            .collect();
        assert_eq!(ids, ["3", "2", "1"]);
        live.publish(device, vec![one.clone(), two.clone()]);
        assert_eq!(heard(), []);
        let mut renamed = two;
        renamed.view.title = Some("vim".to_owned());
        live.publish(device, vec![renamed]);
        assert_eq!(heard(), [("2".to_owned(), false), ("1".to_owned(), true)]);
        live.publish(device, Vec::new());
        assert_eq!(heard(), [("2".to_owned(), true)]);
        assert_eq!(live.all().len(), 1);
    }
}
