//! How a shell is brought to its end: hang up, then terminate, then kill. Pure: the time is an
//! argument, and the caller says what still lives.

use std::time::{Duration, Instant};

/// A step of stopping; each is given to every process of the shell's session that still lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// SIGHUP: what a lost terminal means to a program, so editors save and shells leave.
    Hangup,
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
}

impl Step {
    /// How long a step may take before the next one. Together they stay under the 3 seconds in
    /// which a device that lost its authorisation has to have ended its shells.
    fn patience(self) -> Duration {
        match self {
            Self::Hangup => Duration::from_millis(1000),
            Self::Terminate => Duration::from_millis(500),
            Self::Kill => Duration::from_millis(500),
        }
    }

    fn next(self) -> Option<Self> {
        match self {
            Self::Hangup => Some(Self::Terminate),
            Self::Terminate => Some(Self::Kill),
            Self::Kill => None,
        }
    }
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Take this step, then wait until everything has ended, or for the given moment.
    Take(Step, Instant),
    /// Nothing is left of the session.
    Gone,
    /// What is left cannot be killed (it is in the kernel, or not ours to signal).
    GivenUp,
}

/// A shell on its way out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stopping {
    taken: Option<(Step, Instant)>,
}

impl Stopping {
    /// Says what comes next. `alive` is whether a process of the session still lives. Asked again
    /// before the last step's time is over, it repeats that step for what has appeared since.
    pub(crate) fn next(&mut self, now: Instant, alive: bool) -> Next {
        if !alive {
            return Next::Gone;
        }
        let step = match self.taken {
            None => Step::Hangup,
            Some((step, until)) if now < until => return Next::Take(step, until),
            Some((step, _)) => match step.next() {
                Some(next) => next,
                None => return Next::GivenUp,
            },
        };
        let until = now + step.patience();
        self.taken = Some((step, until));
        Next::Take(step, until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_that_hears_the_hangup_is_gone_at_once() {
        let now = Instant::now();
        let mut stopping = Stopping::default();
        assert!(matches!(
            stopping.next(now, true),
            Next::Take(Step::Hangup, _)
        ));
        assert_eq!(stopping.next(now, false), Next::Gone);
    }

    #[test]
    fn item_49_the_most_stubborn_shell_is_given_up_within_three_seconds() {
        let start = Instant::now();
        let mut now = start;
        let mut stopping = Stopping::default();
        let mut steps = Vec::new();
        loop {
            match stopping.next(now, true) {
                Next::Take(step, until) => {
                    steps.push(step);
                    assert!(until > now);
                    now = until;
                }
                Next::Gone => panic!("it lives"),
                Next::GivenUp => break,
            }
        }
        assert_eq!(steps, [Step::Hangup, Step::Terminate, Step::Kill]);
        assert!(
            now - start < Duration::from_millis(2500),
            "{:?}",
            now - start
        );
    }

    #[test]
    fn a_process_that_appears_during_a_step_gets_it_too() {
        let start = Instant::now();
        let mut stopping = Stopping::default();
        let Next::Take(Step::Hangup, until) = stopping.next(start, true) else {
            panic!("the first step is a hang-up");
        };
        let again = stopping.next(start + Duration::from_millis(10), true);
        assert_eq!(again, Next::Take(Step::Hangup, until));
    }
}
