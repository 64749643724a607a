//! How much output may be under way on one link.
//!
//! The peer reports how much it has taken in; from that the delivery rate is measured, as the best
//! of the last seconds, and the link is kept filled for the round trip and half a second more. What
//! goes beyond waits in its session's ring, where input and control pass it and where sessions take
//! turns.

use std::collections::VecDeque;
use std::time::Duration;

use crate::limits::{MAX_IN_FLIGHT, MIN_IN_FLIGHT, QUEUE_TIME};

/// The best rate is that of the last one to two such spans.
const SPAN: Duration = Duration::from_secs(5);

/// A round trip that counts is no longer than this.
const MAX_ROUND_TRIP: Duration = Duration::from_secs(2);

/// A mark is set at most every so many bytes, which bounds their number.
const MARK_EVERY: u64 = 4096;

#[derive(Debug, Default)]
pub(crate) struct Flight {
    sent: u64,
    arrived: u64,
    arrived_at: Duration,
    marks: VecDeque<Mark>,
    /// Bytes per second: the best of this span and of the one before.
    best: [u64; 2],
    span_since: Duration,
    round_trip: Option<Duration>,
}

/// Where things stood when a message was sent.
#[derive(Debug)]
struct Mark {
    sent: u64,
    at: Duration,
    arrived: u64,
    arrived_at: Duration,
}

/// The peer reported more than was sent.
#[derive(Debug, PartialEq)]
pub(crate) struct NeverSent;

impl Flight {
    /// How many counted bytes may be sent now.
    pub(crate) fn room(&self) -> u64 {
        self.allowed().saturating_sub(self.sent - self.arrived)
    }

    /// Counted bytes that may be under way at once.
    pub(crate) fn allowed(&self) -> u64 {
        let rate = u128::from(self.best.into_iter().max().unwrap_or(0));
        let time = QUEUE_TIME + self.round_trip.unwrap_or_default();
        let bytes = rate * time.as_micros() / 1_000_000;
        u64::try_from(bytes)
            .unwrap_or(u64::MAX)
            .clamp(MIN_IN_FLIGHT, MAX_IN_FLIGHT)
    }

    pub(crate) fn sent(&mut self, count: u64, now: Duration) {
        if self.sent == self.arrived {
            // Time in which nothing was under way says nothing about the rate.
            self.arrived_at = now;
        }
        self.sent += count;
        let last = self.marks.back().map_or(self.arrived, |mark| mark.sent);
        if self.marks.is_empty() || self.sent - last >= MARK_EVERY {
            self.marks.push_back(Mark {
                sent: self.sent,
                at: now,
                arrived: self.arrived,
                arrived_at: self.arrived_at,
            });
        }
    }

    /// The peer has taken in `total` counted bytes since the link began.
    pub(crate) fn report(&mut self, total: u64, now: Duration) -> Result<(), NeverSent> {
        if total > self.sent {
            return Err(NeverSent);
        }
        if total <= self.arrived {
            return Ok(());
        }
        self.arrived = total;
        self.arrived_at = now;
        let mut newest = None;
        while self.marks.front().is_some_and(|mark| mark.sent <= total) {
            newest = self.marks.pop_front();
        }
        if let Some(mark) = newest {
            self.measure(&mark, now);
        }
        Ok(())
    }

    fn measure(&mut self, mark: &Mark, now: Duration) {
        let round_trip = now.saturating_sub(mark.at).min(MAX_ROUND_TRIP);
        self.round_trip = Some(
            self.round_trip
                .map_or(round_trip, |old| old.min(round_trip)),
        );
        let micros = now
            .saturating_sub(mark.arrived_at)
            .max(Duration::from_millis(1))
            .as_micros();
        let rate = u128::from(self.arrived - mark.arrived) * 1_000_000 / micros;
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        let [this, before] = self.best;
        if now.saturating_sub(self.span_since) > SPAN {
            self.best = [rate, this];
            self.span_since = now;
        } else {
            self.best = [this.max(rate), before];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Floods a link of `rate` bytes/s and `delay` for ten seconds; what may be under way then.
    fn flooded(rate: u64, delay: Duration) -> u64 {
        let mut flight = Flight::default();
        let mut way = VecDeque::new();
        let (mut free_at, mut total) = (Duration::ZERO, 0);
        for ms in 0..10_000 {
            let now = Duration::from_millis(ms);
            while flight.room() > 0 {
                flight.sent(4096, now);
                total += 4096;
                free_at = free_at.max(now) + Duration::from_secs_f64(4096.0 / rate as f64);
                way.push_back((free_at + delay, total));
            }
            while way.front().is_some_and(|(at, _)| *at <= now) {
                let (_, total) = way.pop_front().unwrap();
                flight.report(total, now).unwrap();
            }
        }
        flight.allowed()
    }

    #[test]
    fn keeps_half_a_second_beyond_the_round_trip_under_way() {
        for (rate, delay_ms) in [
            (200_000, 20),
            (1_000_000, 5),
            (1_000_000, 300),
            (400_000, 700),
        ] {
            let allowed = flooded(rate, Duration::from_millis(delay_ms)) as f64;
            let aim = rate as f64 * (0.5 + delay_ms as f64 / 1000.0);
            assert!(
                (0.8..1.4).contains(&(allowed / aim)),
                "{rate} B/s, {delay_ms} ms: {allowed} instead of {aim}"
            );
        }
        assert_eq!(flooded(10_000, Duration::ZERO), MIN_IN_FLIGHT);
        assert_eq!(flooded(100_000_000, Duration::ZERO), MAX_IN_FLIGHT);
    }

    #[test]
    fn marks_stay_few() {
        let mut flight = Flight::default();
        for _ in 0..MAX_IN_FLIGHT / 64 {
            flight.sent(64, Duration::ZERO);
        }
        assert!(flight.marks.len() as u64 <= 1 + MAX_IN_FLIGHT / MARK_EVERY);
        assert_eq!(
            flight.report(MAX_IN_FLIGHT + 1, Duration::ZERO),
            Err(NeverSent)
        );
    }
}
