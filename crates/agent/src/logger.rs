//! Log lines on stderr, in the form mender-connect's users filter for:
//! `time="2026-01-02T03:04:05Z" level=info msg="Loaded configuration file: x"`.
//!
//! Only this crate's own lines are written. The libraries below log what they read and write at
//! trace level, and that is terminal content and bearer tokens.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use log::{Level, LevelFilter, Log, Metadata, Record};

/// Starts logging everything up to `level`. A second call changes only the level.
pub fn start(level: LevelFilter) {
    // An error means that a logger is already set: it is this one.
    let _ = log::set_logger(&Stderr);
    log::set_max_level(level);
}

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("longwire_agent")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = line(
                SystemTime::now(),
                record.level(),
                &record.args().to_string(),
            );
            // Nobody is left to tell when stderr is gone, and a shell must not end for it.
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}

fn line(now: SystemTime, level: Level, message: &str) -> String {
    let level = match level {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    };
    let mut line = String::with_capacity(message.len() + 64);
    line.push_str("time=\"");
    push_rfc3339(&mut line, now);
    let _ = write!(line, "\" level={level} msg=");
    if message.is_empty() || message.contains(needs_quotes) {
        let _ = write!(line, "{message:?}");
    } else {
        line.push_str(message);
    }
    line.push('\n');
    line
}

/// logrus leaves a value bare only when it consists of these characters.
fn needs_quotes(c: char) -> bool {
    !(c.is_ascii_alphanumeric() || "-._/@^+".contains(c))
}

/// Appends `now` as UTC with second precision; times before 1970 are shown as 1970.
fn push_rfc3339(out: &mut String, now: SystemTime) {
    let seconds = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil_date(days);
    let _ = write!(
        out,
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    );
}

/// The Gregorian date `days` after 1970-01-01. Counts in 400-year cycles of years that begin in
/// March, so that the leap day is the last day of a year.
fn civil_date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64, message: &str) -> String {
        line(
            UNIX_EPOCH + Duration::from_secs(seconds),
            Level::Warn,
            message,
        )
    }

    #[test]
    fn a_line_looks_like_logrus() {
        assert_eq!(
            at(1_795_593_600, "User field is \"odd\""),
            "time=\"2026-11-25T08:00:00Z\" level=warning msg=\"User field is \\\"odd\\\"\"\n"
        );
        assert!(at(0, "ready").ends_with("level=warning msg=ready\n"));
    }

    #[test]
    fn a_message_cannot_start_a_second_line() {
        assert_eq!(at(0, "a\nlevel=error\u{1b}[2J").lines().count(), 1);
        assert!(!at(0, "\u{1b}[2J").contains('\u{1b}'));
    }

    #[test]
    fn dates_hold_at_the_edges() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(civil_date(days), date);
        }
    }
}
