//! When a shell has lived or idled long enough. Pure: the time is an argument.
//!
//! Idle means neither input nor output. A silent foreground job (a long build, `sudo -i`) puts the
//! idle limit off, but only for so long: a forgotten root shell must end some day.

use std::time::{Duration, Instant};

/// How often a job that puts the idle limit off is looked at again, at most.
const JOB_CHECK: Duration = Duration::from_secs(60);

/// How long before its end a shell's operators are warned; of a short time, half.
const LEAD: Duration = Duration::from_secs(60);

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

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// The shell is going to be ended at this moment.
    Warning(Expired, Instant),
    /// It is not: a job has begun meanwhile.
    Withdrawn,
    /// It is to be ended now.
    End(Expired),
}

/// The expiry clock of one shell.
#[derive(Debug, Clone)]
pub(crate) struct Expiry {
    limits: ExpiryLimits,
    started_at: Instant,
    active_at: Instant,
    /// Set while a foreground job puts the idle limit off: when to look again.
    look_again_at: Option<Instant>,
    /// Set once the end of an idle shell was announced.
    idle_ends_at: Option<Instant>,
    /// Whether the end of its life was announced.
    is_lifetime_announced: bool,
}

impl Expiry {
    /// Starts the clock.
    pub(crate) fn new(limits: ExpiryLimits, now: Instant) -> Self {
        Self {
            limits,
            started_at: now,
            active_at: now,
            look_again_at: None,
            idle_ends_at: None,
            is_lifetime_announced: false,
        }
    }

    /// Notes input or output. Returns whether an announced end is off thereby.
    pub(crate) fn active(&mut self, now: Instant) -> bool {
        self.active_at = now;
        self.look_again_at = None;
        self.idle_ends_at.take().is_some()
    }

    /// The next moment at which [`Self::check`] may find something, if any.
    pub(crate) fn due(&self) -> Option<Instant> {
        let lifetime = if self.is_lifetime_announced {
            self.lifetime_end()
        } else {
            self.lifetime_warning()
        };
        let idle = self
            .idle_ends_at
            .or(self.look_again_at)
            .or_else(|| self.idle_warning());
        match (lifetime, idle) {
            (Some(lifetime), Some(idle)) => Some(lifetime.min(idle)),
            (one, other) => one.or(other),
        }
    }

    /// Says what is due. `foreground_job` is asked only when the answer matters: it says whether
    /// something other than the shell itself owns the terminal.
    pub(crate) fn check(
        &mut self,
        now: Instant,
        foreground_job: impl FnOnce() -> bool,
    ) -> Option<Due> {
        if self.lifetime_end().is_some_and(|end| now >= end) {
            return Some(Due::End(Expired::Lifetime));
        }
        if !self.is_lifetime_announced
            && let Some(end) = self.lifetime_end()
            && self.lifetime_warning().is_some_and(|at| now >= at)
        {
            self.is_lifetime_announced = true;
            return Some(Due::Warning(Expired::Lifetime, end));
        }
        if let Some(end) = self.idle_ends_at {
            if now < end {
                return None;
            }
            if !self.put_off(now, foreground_job) {
                return Some(Due::End(Expired::Idle));
            }
            self.idle_ends_at = None;
            return Some(Due::Withdrawn);
        }
        let due = self.look_again_at.or_else(|| self.idle_warning())?;
        if now < due || self.put_off(now, foreground_job) {
            return None;
        }
        let end = now.checked_add(lead(self.limits.after_idle?))?;
        let end = end.max(self.idle_end()?);
        self.idle_ends_at = Some(end);
        Some(Due::Warning(Expired::Idle, end))
    }

    /// Whether a foreground job puts the end of an idle shell off.
    fn put_off(&mut self, now: Instant, foreground_job: impl FnOnce() -> bool) -> bool {
        // The last moment at which a job is spared, so that there is time for the warning.
        let last = self
            .idle_warning()
            .and_then(|at| at.checked_add(self.limits.after_idle_job));
        if last.is_some_and(|last| now >= last) || !foreground_job() {
            return false;
        }
        let pause = self.limits.after_idle.unwrap_or_default().max(JOB_CHECK);
        let again = now.checked_add(pause);
        self.look_again_at = match (again, last) {
            (Some(again), Some(last)) => Some(again.min(last)),
            (again, last) => again.or(last),
        };
        true
    }

    fn lifetime_end(&self) -> Option<Instant> {
        self.started_at.checked_add(self.limits.after?)
    }

    fn lifetime_warning(&self) -> Option<Instant> {
        self.lifetime_end()?.checked_sub(lead(self.limits.after?))
    }

    fn idle_end(&self) -> Option<Instant> {
        self.active_at.checked_add(self.limits.after_idle?)
    }

    fn idle_warning(&self) -> Option<Instant> {
        self.idle_end()?.checked_sub(lead(self.limits.after_idle?))
    }
}

/// How long before the end of such a time it is announced.
fn lead(time: Duration) -> Duration {
    LEAD.min(time / 2)
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

    /// Lets the time pass from one due moment to the next, and says what was due when.
    fn course(expiry: &mut Expiry, start: Instant, job: impl Fn(u64) -> bool) -> Vec<(u64, Due)> {
        let mut course = Vec::new();
        loop {
            let now = expiry.due().expect("something is due until the end");
            let seconds = (now - start).as_secs();
            if let Some(due) = expiry.check(now, || job(seconds)) {
                course.push((seconds, due));
                if matches!(due, Due::End(_)) {
                    return course;
                }
            }
        }
    }

    #[test]
    fn whichever_limit_comes_first_ends_the_shell_a_minute_after_a_warning() {
        let (mut expiry, start) = clock(Some(3600), Some(600));
        let end = start + 600 * SECOND;
        let idle = [
            (540, Due::Warning(Expired::Idle, end)),
            (600, Due::End(Expired::Idle)),
        ];
        assert_eq!(course(&mut expiry, start, |_| false), idle);

        let (mut expiry, start) = clock(Some(3600), Some(600));
        assert!(!expiry.active(start + 3535 * SECOND));
        let end = start + 3600 * SECOND;
        let lifetime = [
            (3540, Due::Warning(Expired::Lifetime, end)),
            (3600, Due::End(Expired::Lifetime)),
        ];
        assert_eq!(course(&mut expiry, start, |_| true), lifetime);
    }

    #[test]
    fn a_short_limit_is_announced_half_way() {
        let (mut expiry, start) = clock(None, Some(30));
        let end = start + 30 * SECOND;
        let idle = [
            (15, Due::Warning(Expired::Idle, end)),
            (30, Due::End(Expired::Idle)),
        ];
        assert_eq!(course(&mut expiry, start, |_| false), idle);
    }

    #[test]
    fn activity_puts_the_idle_limit_off_and_its_warning_away() {
        let (mut expiry, start) = clock(Some(10_000), Some(600));
        assert!(!expiry.active(start + 100 * SECOND));
        assert_eq!(expiry.check(start + 600 * SECOND, || false), None);
        let warned = expiry.check(start + 640 * SECOND, || false);
        let end = start + 700 * SECOND;
        assert_eq!(warned, Some(Due::Warning(Expired::Idle, end)));
        assert!(expiry.active(start + 699 * SECOND), "the warning is over");
        assert!(!expiry.active(start + 699 * SECOND));
        assert_eq!(expiry.check(end, || false), None);
        assert_eq!(expiry.due(), Some(start + 1239 * SECOND));
    }

    #[test]
    fn a_silent_job_is_spared_until_its_own_limit() {
        let (mut expiry, start) = clock(None, Some(600));
        let looks = std::cell::Cell::new(0);
        let job = |_| {
            looks.set(looks.get() + 1);
            true
        };
        let last = 600 + 8 * 3600;
        let end = start + Duration::from_secs(last);
        let expected = [
            (last - 60, Due::Warning(Expired::Idle, end)),
            (last, Due::End(Expired::Idle)),
        ];
        assert_eq!(course(&mut expiry, start, job), expected);
        assert!(looks.get() <= 50, "looked {} times", looks.get());
    }

    #[test]
    fn a_job_that_ends_silently_is_noticed_at_the_next_look_and_warned_of() {
        let (mut expiry, start) = clock(None, Some(10));
        let end = start + 70 * SECOND;
        let expected = [
            (65, Due::Warning(Expired::Idle, end)),
            (70, Due::End(Expired::Idle)),
        ];
        assert_eq!(course(&mut expiry, start, |at| at < 10), expected);
    }

    #[test]
    fn a_job_that_begins_after_the_warning_withdraws_it() {
        let (mut expiry, start) = clock(None, Some(600));
        let expected = [
            (540, Due::Warning(Expired::Idle, start + 600 * SECOND)),
            (600, Due::Withdrawn),
            (1200, Due::Warning(Expired::Idle, start + 1260 * SECOND)),
            (1260, Due::End(Expired::Idle)),
        ];
        assert_eq!(course(&mut expiry, start, |at| at == 600), expected);
    }

    #[test]
    fn limits_beyond_the_clock_are_no_limits() {
        let (mut expiry, start) = clock(Some(u64::MAX), Some(u64::MAX));
        assert_eq!(expiry.due(), None);
        assert_eq!(expiry.check(start + SECOND, || false), None);
    }
}
