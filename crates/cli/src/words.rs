//! Text for people.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` without anything a terminal would act on. Names and messages come from devices and
/// servers, and a name must not be able to move the cursor.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_unsafe) {
        Cow::Owned(
            text.chars()
                .map(|c| if is_unsafe(c) { '\u{fffd}' } else { c })
                .collect(),
        )
    } else {
        Cow::Borrowed(text)
    }
}

/// Control characters of both sets, and those that turn the direction of text around.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Seconds since 1970 as `Tue Nov 14 22:13:20 UTC 2023`, as Go and `date` write it.
pub(crate) fn utc(seconds: i64) -> String {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let days = seconds.div_euclid(86_400);
    let second = seconds.rem_euclid(86_400);
    let (year, month, day) = civil(days);
    let weekday = usize::try_from(days.rem_euclid(7))
        .ok()
        .and_then(|day| WEEKDAYS.get(day));
    let month = usize::try_from(month - 1)
        .ok()
        .and_then(|month| MONTHS.get(month));
    format!(
        "{} {} {day:2} {:02}:{:02}:{:02} UTC {year}",
        weekday.unwrap_or(&"?"),
        month.unwrap_or(&"?"),
        second / 3600,
        second / 60 % 60,
        second % 60,
    )
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar. Years begin in
/// March here, so that the leap day is a year's last.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(719_468);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Rows of cells in columns that are as wide as they need to be, under `head`.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(|cell| cell.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let mut line = |cells: &[String; N]| {
        let mut one = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            let _ = write!(one, "{cell:width$}  ");
        }
        text.push_str(one.trim_end());
        text.push('\n');
    };
    line(&head.map(str::to_owned));
    for row in rows {
        line(row);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_is_left() {
        assert_eq!(plain("pi-3 grün"), "pi-3 grün");
        assert_eq!(
            plain("a\x1b[2Jb\u{9b}c\r\n\u{202e}d"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}\u{fffd}\u{fffd}d"
        );
    }

    #[test]
    fn times_are_as_date_writes_them() {
        for (seconds, text) in [
            (0, "Thu Jan  1 00:00:00 UTC 1970"),
            (1_700_000_000, "Tue Nov 14 22:13:20 UTC 2023"),
            (951_782_400, "Tue Feb 29 00:00:00 UTC 2000"),
            (4_107_542_399, "Sun Feb 28 23:59:59 UTC 2100"),
            (-1, "Wed Dec 31 23:59:59 UTC 1969"),
        ] {
            assert_eq!(utc(seconds), text);
        }
        let _ = (utc(i64::MAX), utc(i64::MIN));
    }

    #[test]
    fn columns_line_up() {
        let rows = [
            ["grün".to_owned(), "1".to_owned()],
            ["x".to_owned(), "22".to_owned()],
        ];
        assert_eq!(table(["NAME", "N"], &rows), "NAME  N\ngrün  1\nx     22\n");
    }
}
