//! When a shell has lived or idled long enough. Pure: the time is an argument.
//!
//! Idle means neither input nor output. A silent foreground job (a long build, `sudo -i`) puts the
//! idle limit off, but only for so long: a forgotten root shell must end some day.

use std::time::{Duration, Instant};

/// How often a job that puts the idle limit off is looked at again, at most.
const JOB_CHECK: Duration = Duration::from_secs(60);

/// The limits of a shell's life; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ExpiryLimits {
    /// Longest life, whatever happens in it (`Sessions.ExpireAfter`).
    pub(crate) after: Option<Duration>,
    /// Longest time without input and output (`Sessions.ExpireAfterIdle`).
    pub(crate) after_idle: Option<Duration>,
    /// How much longer than that a foreground job may stay silent (`Sessions.ExpireAfterIdleJob`).
    pub(crate) after_idle_job: Duration,
}

/// Which limit a shell has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expired {
    /// It lived for `ExpireAfter`.
    Lifetime,
    /// Nothing was typed or printed for `ExpireAfterIdle`.
    Idle,
}

/// The expiry clock of one shell.
#[derive(Debug, Clone)]
pub(crate) struct Expiry {
    limits: ExpiryLimits,
    started_at: Instant,
    active_at: Instant,
    /// Set while a foreground job puts the idle limit off: when to look again.
    look_again_at: Option<Instant>,
}

impl Expiry {
    /// Starts the clock.
    pub(crate) fn new(limits: ExpiryLimits, now: Instant) -> Self {
        Self {
            limits,
            started_at: now,
            active_at: now,
            look_again_at: None,
        }
    }

    /// Notes input or output.
    pub(crate) fn active(&mut self, now: Instant) {
        self.active_at = now;
        self.look_again_at = None;
    }

    /// The next moment at which [`Self::check`] may find something, if any.
    pub(crate) fn due(&self) -> Option<Instant> {
        let lifetime = self.lifetime_end();
        let idle = self.look_again_at.or_else(|| self.idle_end());
        match (lifetime, idle) {
            (Some(lifetime), Some(idle)) => Some(lifetime.min(idle)),
            (one, other) => one.or(other),
        }
    }

    /// Says whether a limit is reached. `foreground_job` is asked only when the answer matters: it
    /// says whether something other than the shell itself owns the terminal.
    pub(crate) fn check(
        &mut self,
        now: Instant,
        foreground_job: impl FnOnce() -> bool,
    ) -> Option<Expired> {
        if self.lifetime_end().is_some_and(|end| now >= end) {
            return Some(Expired::Lifetime);
        }
        let idle_end = self.idle_end().filter(|end| now >= *end)?;
        let job_end = idle_end.checked_add(self.limits.after_idle_job);
        if job_end.is_some_and(|end| now >= end) || !foreground_job() {
            return Some(Expired::Idle);
        }
        let pause = self.limits.after_idle.unwrap_or_default().max(JOB_CHECK);
        let again = now.checked_add(pause);
        self.look_again_at = match (again, job_end) {
            (Some(again), Some(end)) => Some(again.min(end)),
            (again, end) => again.or(end),
        };
        None
    }

    fn lifetime_end(&self) -> Option<Instant> {
        self.started_at.checked_add(self.limits.after?)
    }

    fn idle_end(&self) -> Option<Instant> {
        self.active_at.checked_add(self.limits.after_idle?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn clock(after: Option<u64>, idle: Option<u64>) -> (Expiry, Instant) {
        let start = Instant::now();
        let limits = ExpiryLimits {
            after: after.map(Duration::from_secs),
            after_idle: idle.map(Duration::from_secs),
            after_idle_job: Duration::from_secs(8 * 3600),
        };
        (Expiry::new(limits, start), start)
    }

    #[test]
    fn without_limits_nothing_is_ever_due() {
        let (mut expiry, start) = clock(None, None);
        assert_eq!(expiry.due(), None);
        assert_eq!(expiry.check(start + 1_000_000 * SECOND, || false), None);
    }

    #[test]
    fn whichever_limit_comes_first_ends_the_shell() {
        let (mut expiry, start) = clock(Some(100), Some(30));
        assert_eq!(expiry.due(), Some(start + 30 * SECOND));
        expiry.active(start + 80 * SECOND);
        assert_eq!(expiry.due(), Some(start + 100 * SECOND));
        assert_eq!(expiry.check(start + 99 * SECOND, || false), None);
        assert_eq!(
            expiry.check(start + 100 * SECOND, || true),
            Some(Expired::Lifetime)
        );
    }

    #[test]
    fn activity_puts_the_idle_limit_off() {
        let (mut expiry, start) = clock(None, Some(30));
        expiry.active(start + 29 * SECOND);
        assert_eq!(expiry.check(start + 30 * SECOND, || false), None);
        assert_eq!(expiry.due(), Some(start + 59 * SECOND));
        assert_eq!(
            expiry.check(start + 59 * SECOND, || false),
            Some(Expired::Idle)
        );
    }

    #[test]
    fn a_silent_job_is_spared_until_its_own_limit() {
        let (mut expiry, start) = clock(None, Some(600));
        let mut looks = 0;
        let (end, at) = loop {
            let now = expiry.due().expect("an idle limit is always due some time");
            match expiry.check(now, || true) {
                Some(expired) => break (expired, now),
                None => looks += 1,
            }
        };
        assert_eq!(end, Expired::Idle);
        assert_eq!(at, start + (600 + 8 * 3600) * SECOND);
        assert!(looks <= 49, "looked {looks} times in eight hours");
    }

    #[test]
    fn a_job_that_ends_silently_is_noticed_at_the_next_look() {
        let (mut expiry, start) = clock(None, Some(10));
        assert_eq!(expiry.check(start + 10 * SECOND, || true), None);
        assert_eq!(expiry.due(), Some(start + 70 * SECOND));
        assert_eq!(
            expiry.check(start + 70 * SECOND, || false),
            Some(Expired::Idle)
        );
    }

    #[test]
    fn limits_beyond_the_clock_are_no_limits() {
        let (mut expiry, start) = clock(Some(u64::MAX), Some(u64::MAX));
        assert_eq!(expiry.due(), None);
        assert_eq!(expiry.check(start + SECOND, || false), None);
    }
}
