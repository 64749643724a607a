//! How many shells there may be: in total and for each operator.
//!
//! A [`Slot`] is the right to have one shell. It is given back by dropping it, so a start that
//! fails half-way cannot leak one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Why there may be no further shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OverLimit {
    /// This operator has as many as one may have (`Sessions.MaxPerUser`).
    PerUser,
    /// The device has as many as it may have (`Sessions.MaxShells`).
    Total,
}

/// The two limits and what is taken of them.
#[derive(Debug, Clone)]
pub(crate) struct ShellLimits {
    max_per_user: usize,
    max_total: usize,
    taken: Arc<Mutex<Taken>>,
    total: watch::Receiver<usize>,
}

impl ShellLimits {
    /// Allows `max_total` shells, `max_per_user` of them for one operator.
    pub(crate) fn new(max_per_user: usize, max_total: usize) -> Self {
        let (total, follow_total) = watch::channel(0);
        let taken = Taken {
            total,
            by_user: HashMap::new(),
        };
        Self {
            max_per_user,
            max_total,
            taken: Arc::new(Mutex::new(taken)),
            total: follow_total,
        }
    }

    /// Takes a slot for a shell of the given user id (empty when the server named none).
    pub(crate) fn take(&self, user: &str) -> Result<Slot, OverLimit> {
        let mut taken = lock(&self.taken);
        // The operator's own limit first: it is the one they can do something about.
        if taken.by_user.get(user).copied().unwrap_or(0) >= self.max_per_user {
            return Err(OverLimit::PerUser);
        }
        if *self.total.borrow() >= self.max_total {
            return Err(OverLimit::Total);
        }
        taken.total.send_modify(|total| *total += 1);
        *taken.by_user.entry(user.to_owned()).or_default() += 1;
        Ok(Slot {
            user: Some(user.to_owned()),
            taken: Arc::clone(&self.taken),
        })
    }

    /// How many slots are taken, now and from now on.
    pub(crate) fn taken(&self) -> watch::Receiver<usize> {
        self.total.clone()
    }

    /// Waits until no slot is taken; cancel safe.
    pub(crate) async fn none_taken(&self) {
        // Fails only without a sender, and `taken` holds it.
        let _ = self.total.clone().wait_for(|total| *total == 0).await;
    }
}

/// The right to have one shell, until dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    user: Option<String>,
    taken: Arc<Mutex<Taken>>,
}

impl Slot {
    /// Gives the operator's share back early: a shell that is being stopped no longer keeps its
    /// operator from opening the next, but still counts as a process of this device.
    pub(crate) fn release_user(&mut self) {
        if let Some(user) = self.user.take() {
            lock(&self.taken).release_user(&user);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.release_user();
        lock(&self.taken)
            .total
            .send_modify(|total| *total = total.saturating_sub(1));
    }
}

#[derive(Debug)]
struct Taken {
    total: watch::Sender<usize>,
    by_user: HashMap<String, usize>,
}

impl Taken {
    fn release_user(&mut self, user: &str) {
        if let Some(count) = self.by_user.get_mut(user) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_user.remove(user);
            }
        }
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    // The counts are whole after every statement, also of a thread that panicked.
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_47_one_operator_cannot_take_more_than_their_share() {
        let limits = ShellLimits::new(1, 16);
        let slot = limits.take("a").unwrap();
        assert_eq!(limits.take("a").unwrap_err(), OverLimit::PerUser);
        let _other = limits.take("b").unwrap();
        drop(slot);
        limits.take("a").unwrap();
    }

    #[test]
    fn item_47_the_17th_shell_is_refused_whoever_asks() {
        let limits = ShellLimits::new(16, 16);
        let mut slots: Vec<_> = (0..16).map(|_| limits.take("").unwrap()).collect();
        assert_eq!(limits.take("x").unwrap_err(), OverLimit::Total);
        slots.pop();
        limits.take("x").unwrap();
    }

    #[tokio::test]
    async fn the_last_slot_given_back_is_noticed() {
        let limits = ShellLimits::new(2, 2);
        limits.none_taken().await;
        let (one, two) = (limits.take("a").unwrap(), limits.take("a").unwrap());
        let waiting = tokio::spawn({
            let limits = limits.clone();
            async move { limits.none_taken().await }
        });
        drop(one);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(two);
        waiting.await.unwrap();
    }

    #[test]
    fn a_shell_being_stopped_counts_for_the_device_only() {
        let limits = ShellLimits::new(1, 2);
        let mut stopping = limits.take("a").unwrap();
        stopping.release_user();
        stopping.release_user();
        let _next = limits.take("a").unwrap();
        assert_eq!(limits.take("b").unwrap_err(), OverLimit::Total);
        drop(stopping);
        limits.take("b").unwrap();
        assert!(!lock(&limits.taken).by_user.contains_key("b"));
    }
}
