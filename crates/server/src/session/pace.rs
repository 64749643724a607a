//! How a device's link is read while a viewer is behind.
//!
//! Reading stops, so that the program on the device waits and no output is lost. But it must not stop for
//! long: a real agent's socket is of no more use once a single write has taken it 4 s, and no other
//! session of the device has deserved that. The systems' buffers in between wake a writer only when about
//! a third of them is free. So the link is sipped from, at a pace that keeps any real agent writing.

use std::time::{Duration, Instant};

/// How often the link is read a little further.
const EVERY: Duration = Duration::from_secs(2);

/// How much of it: a third of the largest buffer a system gives a socket by itself (4 MiB), and some more.
const SIP_BYTES: usize = 2 * 1024 * 1024;

/// Nothing while no viewer is behind, else when the present sip began and what is left of it.
#[derive(Default)]
pub(super) struct Pace(Option<(Instant, usize)>);

impl Pace {
    /// Takes note of whether a viewer is behind.
    pub(super) fn set(&mut self, behind: bool, now: Instant) {
        match (behind, self.0) {
            (true, None) => self.0 = Some((now, 0)),
            (false, Some(_)) => self.0 = None,
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// Whether the link may be read now.
    pub(super) fn allows(&self, now: Instant) -> bool {
        self.0
            .is_none_or(|(began, left)| left > 0 || began + EVERY <= now)
    }

    /// Takes note of what was read.
    pub(super) fn spend(&mut self, bytes: usize, now: Instant) {
        if let Some((began, left)) = &mut self.0 {
            if *began + EVERY <= now {
                (*began, *left) = (now, SIP_BYTES);
            }
            *left = left.saturating_sub(bytes);
        }
    }

    /// When [`Self::allows`] changes by itself.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        let (began, _) = self.0?;
        (!self.allows(now)).then(|| began + EVERY)
    }
}
