//! Holds off whoever guesses: counts attempts per key in windows of fixed length, with bounded memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Attempts per key and window.
pub struct Limiter<K> {
    window: Duration,
    attempts_max: u32,
    keys_max: usize,
    counts: Mutex<HashMap<K, Count>>,
}

#[derive(Clone, Copy)]
struct Count {
    since: Instant,
    attempts: u32,
}

/// Too many attempts; the next is looked at after this long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldOff(pub Duration);

impl<K: Eq + Hash + Clone> Limiter<K> {
    /// At most `attempts_max` in `window` for each of at most `keys_max` keys; the key whose window is
    /// oldest makes room.
    #[must_use]
    pub fn new(window: Duration, attempts_max: u32, keys_max: usize) -> Self {
        Self {
            window,
            attempts_max,
            keys_max,
            counts: Mutex::new(HashMap::new()),
        }
    }

    /// Counts an attempt, before it is looked at, so that many at once are counted too.
    ///
    /// # Errors
    /// [`HeldOff`] when there were too many; the attempt is not counted then.
    pub fn attempt(&self, key: &K, now: Instant) -> Result<(), HeldOff> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let window = self.window;
        if let Some(count) = counts.get_mut(key)
            && now.duration_since(count.since) < window
        {
            if count.attempts >= self.attempts_max {
                return Err(HeldOff(
                    window.saturating_sub(now.duration_since(count.since)),
                ));
            }
            count.attempts += 1;
            return Ok(());
        }
        if counts.len() >= self.keys_max {
            counts.retain(|_, count| now.duration_since(count.since) < window);
        }
        if counts.len() >= self.keys_max
            && let Some(oldest) = counts
                .iter()
                .min_by_key(|(_, count)| count.since)
                .map(|(key, _)| key.clone())
        {
            counts.remove(&oldest);
        }
        counts.insert(
            key.clone(),
            Count {
                since: now,
                attempts: 1,
            },
        );
        Ok(())
    }

    /// Takes one attempt back.
    pub fn take_back(&self, key: &K) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(key) {
            count.attempts = count.attempts.saturating_sub(1);
        }
    }

    /// Forgets the attempts of a key that turned out to be right.
    pub fn forgive(&self, key: &K) {
        self.counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }
}

/// The network a peer is counted under: an IPv4 address, or the /64 of an IPv6 one, since whoever has one
/// address of it has them all.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let prefix = address.to_bits() & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from_bits(prefix))
        }
    }
}

/// How sign-ins are limited. An account is not locked for everybody when a stranger guesses: the narrow
/// limit is on account and network together.
pub struct LoginLimiter {
    by_account_and_network: Limiter<(String, IpAddr)>,
    by_network: Limiter<IpAddr>,
}

const LOGIN_WINDOW: Duration = Duration::from_secs(300);

impl Default for LoginLimiter {
    fn default() -> Self {
        Self {
            by_account_and_network: Limiter::new(LOGIN_WINDOW, 10, 10_000),
            by_network: Limiter::new(LOGIN_WINDOW, 100, 10_000),
        }
    }
}

impl LoginLimiter {
    /// Counts a sign-in that is about to be tried.
    ///
    /// # Errors
    /// [`HeldOff`] when there were too many that failed.
    pub fn attempt(&self, email: &str, address: IpAddr, now: Instant) -> Result<(), HeldOff> {
        let network = network(address);
        self.by_network.attempt(&network, now)?;
        self.by_account_and_network
            .attempt(&(email.to_lowercase(), network), now)
    }

    /// After a sign-in that succeeded: it was no guess, and the account's failures are forgotten.
    pub fn succeeded(&self, email: &str, address: IpAddr) {
        let network = network(address);
        self.by_network.take_back(&network);
        self.by_account_and_network
            .forgive(&(email.to_lowercase(), network));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(10);

    #[test]
    fn a_key_is_held_off_until_its_window_ends() {
        let limiter = Limiter::new(WINDOW, 2, 10);
        let start = Instant::now();
        assert_eq!(limiter.attempt(&"a", start), Ok(()));
        assert_eq!(limiter.attempt(&"a", start), Ok(()));
        let later = start + Duration::from_secs(4);
        assert_eq!(
            limiter.attempt(&"a", later),
            Err(HeldOff(Duration::from_secs(6)))
        );
        assert_eq!(limiter.attempt(&"b", later), Ok(()));
        assert_eq!(limiter.attempt(&"a", start + WINDOW), Ok(()));
    }

    #[test]
    fn success_is_forgiven_and_memory_is_bounded() {
        let limiter = Limiter::new(WINDOW, 1, 3);
        let start = Instant::now();
        assert_eq!(limiter.attempt(&0, start), Ok(()));
        limiter.forgive(&0);
        for key in 0..100 {
            let now = start + Duration::from_millis(key);
            assert_eq!(limiter.attempt(&key, now), Ok(()));
        }
        assert_eq!(limiter.counts.lock().unwrap().len(), 3);
        assert!(
            limiter
                .attempt(&99, start + Duration::from_secs(1))
                .is_err()
        );
    }

    #[test]
    fn signing_in_rightly_uses_nothing_up() {
        let logins = LoginLimiter::default();
        let (address, now) = ("192.0.2.1".parse().unwrap(), Instant::now());
        for _ in 0..1000 {
            assert_eq!(logins.attempt("a@b", address, now), Ok(()));
            logins.succeeded("A@b", address);
        }
        // Whoever tries one account after another is held off all the same.
        let held_off = (0..200)
            .filter(|number| logins.attempt(&number.to_string(), address, now).is_err())
            .count();
        assert_eq!(held_off, 100);
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_together() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
