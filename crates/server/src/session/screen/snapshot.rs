//! The bytes that make a fresh terminal the same.

use super::cell::{Content, Row};
use super::charset::Charsets;
use super::cursor::{Cursor, Pen};
use super::grid::Grid;
use super::modes::Modes;
use super::style::{Colour, Style, push_number};
use super::{Screen, parser::Parser, parser::Token};

/// Bytes of the longest snapshot. Of a screen that says more, first the oldest scrollback stays out, then
/// colours become fewer, then there are none.
pub(super) const SNAPSHOT_MAX: usize = longwire_link::limits::MAX_SCREEN;

/// How much of the looks is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looks {
    All,
    /// All of it, and nothing that depends on the width.
    AnyWidth,
    Approximated,
    None,
}

impl Screen {
    /// Bytes for a terminal of the same size that make it show the same and behave the same from then
    /// on, down to a character or a sequence of which only the first bytes have come. They begin with
    /// what puts a used terminal into order without touching its scrollback; wiping that is up to the
    /// viewer.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        self.drawn(SNAPSHOT_MAX)
    }

    /// The same without scrollback.
    #[must_use]
    pub fn keyframe(&self) -> Vec<u8> {
        self.drawn(0)
    }

    /// With as much scrollback as fits into `max` bytes together with everything else.
    fn drawn(&self, max: usize) -> Vec<u8> {
        let mut screens = Vec::new();
        for looks in [Looks::All, Looks::Approximated, Looks::None] {
            screens = self.screens(looks);
            if screens.len() + STATE_MAX <= SNAPSHOT_MAX {
                break;
            }
        }
        let mut out = Vec::new();
        write_order(&mut out);
        self.tabs.write_to(self.cols, &mut out);
        out.extend_from_slice(b"\x1b[H");
        let mut state = Vec::new();
        self.write_state(&mut state);
        self.write_history(
            max.saturating_sub(out.len() + screens.len() + state.len()),
            &mut out,
        );
        out.extend_from_slice(&screens);
        out.extend_from_slice(&state);
        out
    }

    /// The primary screen and, if it is shown, the alternate one, each with what was saved there. The
    /// cursor is at the beginning of the first line, or behind the scrollback's open line.
    fn screens(&self, looks: Looks) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_rows(&self.primary, looks, &mut out);
        if let Some(saved) = &self.saved {
            self.write_cursor(&self.primary, saved.cursor, (saved.origin, 0), &mut out);
            self.write_pen(&saved.pen, &mut out);
            // Switching saves, too, if it is done the way every terminal knows.
            out.extend_from_slice(if self.alternate.is_some() {
                b"\x1b[?1049h"
            } else {
                b"\x1b7"
            });
            write_plain(&mut out);
        } else if self.alternate.is_some() {
            out.extend_from_slice(b"\x1b[?1047h");
        }
        if let Some(grid) = &self.alternate {
            self.tabs.write_to(self.cols, &mut out);
            // It comes with the background that was just saved.
            out.extend_from_slice(b"\x1b[H\x1b[2J");
            self.write_rows(grid, looks, &mut out);
            if let Some(saved) = &self.saved_alternate {
                self.write_cursor(grid, saved.cursor, (saved.origin, 0), &mut out);
                self.write_pen(&saved.pen, &mut out);
                out.extend_from_slice(b"\x1b7");
                write_plain(&mut out);
            }
        }
        out
    }

    /// Titles, modes, margins, cursor, pen, and what is unfinished.
    fn write_state(&self, out: &mut Vec<u8>) {
        for title in &self.titles {
            write_title(title, out);
            out.extend_from_slice(b"\x1b[22;2t");
        }
        if !self.title.is_empty() || !self.titles.is_empty() {
            write_title(&self.title, out);
        }
        self.modes.write_to(out);
        if self.margins != (0, self.rows - 1) {
            out.extend_from_slice(b"\x1b[");
            push_position(out, self.margins.0);
            out.push(b';');
            push_position(out, self.margins.1);
            out.push(b'r');
        }
        let origin = (self.modes.origin(), self.margins.0);
        self.write_cursor(self.grid(), self.cursor, origin, out);
        self.write_pen(&self.pen, out);
        self.modes.write_last_to(out);
        if self.repeatable
            && let Some((column, cell)) = self.before_cursor()
        {
            // Printed as the very last thing, so that it can be repeated.
            write_column(column, out);
            if self.modes.insert() {
                out.extend_from_slice(if cell.is_wide() {
                    b"\x1b[2P"
                } else {
                    b"\x1b[P"
                });
            }
            self.tables.write_text(cell, out);
        }
        out.extend_from_slice(&self.parser.pending());
    }

    /// As many of the last lines of scrollback as fit.
    fn write_history(&self, room: usize, out: &mut Vec<u8>) {
        let mut lines = Vec::new();
        let count = self.history.lines().count();
        for (index, mut line) in self.history.lines().enumerate() {
            let ends = index + 1 < count || !self.history.is_open();
            if ends {
                if line.len() > self.cols && line.contains(&0x1b) && self.ends_within_row(&line) {
                    // A row that scrolls in is filled with the background of that moment.
                    line.extend_from_slice(b"\x1b[K");
                }
                line.extend_from_slice(b"\r\n");
            }
            lines.push(line);
        }
        let mut length: usize = lines.iter().map(Vec::len).sum();
        let kept = lines.iter().skip_while(|line| {
            let drop = length > room;
            length -= if drop { line.len() } else { 0 };
            drop
        });
        for line in kept {
            out.extend_from_slice(line);
        }
    }

    /// Whether a line of scrollback, at the present width, ends before the end of a row.
    fn ends_within_row(&self, line: &[u8]) -> bool {
        let mut parser = Parser::default();
        let mut rest = line;
        let mut column = 0;
        while let Some(token) = parser.next(&mut rest) {
            match token {
                Token::Ascii(text) => column = (column + text.len() - 1) % self.cols + 1,
                Token::Char(char) => {
                    let width = super::printing::width(char);
                    column = if column + width > self.cols {
                        width
                    } else {
                        column + width
                    };
                }
                Token::Control(_) | Token::Escape(..) | Token::Csi(_) | Token::Osc(_) => {}
            }
        }
        column < self.cols
    }

    /// Scrollback and the rows of the primary screen for another width: nothing in it tells of this one.
    pub(super) fn write_lines(&self, out: &mut Vec<u8>) {
        let count = self.history.lines().count();
        for (index, line) in self.history.lines().enumerate() {
            out.extend_from_slice(&line);
            if index + 1 < count || !self.history.is_open() {
                out.extend_from_slice(b"\x1b[K\r\n");
            }
        }
        self.write_rows(&self.primary, Looks::AnyWidth, out);
    }

    /// All rows of a screen, from the cursor's place on.
    fn write_rows(&self, grid: &Grid, looks: Looks, out: &mut Vec<u8>) {
        let primary = std::ptr::eq(grid, &self.primary);
        let mut writer = RowWriter {
            screen: self,
            looks,
            style: Style::default(),
        };
        let mut continues = false;
        if primary && self.history.is_open() {
            continues = true;
            let first = grid
                .row(0)
                .map(|row| row.at(0))
                .unwrap_or(super::Cell::BLANK);
            writer.style = self.history.write_held(first, &self.tables, out);
        }
        let rows = grid.rows();
        for (row, next) in rows.iter().zip(rows.iter().skip(1).map(Some).chain([None])) {
            writer.write(row, next, continues, out);
            continues = row.wraps;
            if next.is_some() && !continues {
                writer.change(Style::default(), out);
                if looks == Looks::AnyWidth {
                    out.extend_from_slice(b"\x1b[K");
                }
                out.extend_from_slice(b"\r\n");
            }
        }
        writer.change(Style::default(), out);
    }

    /// Places the cursor; a full line is made so by writing its last character again. `origin`: whether
    /// lines count from the scroll region's first, and which one that is.
    fn write_cursor(
        &self,
        grid: &Grid,
        cursor: Cursor,
        (origin, top): (bool, usize),
        out: &mut Vec<u8>,
    ) {
        if origin {
            out.extend_from_slice(b"\x1b[?6h");
        }
        let row = grid.row(cursor.line);
        let last = row.map_or(super::Cell::BLANK, |row| row.at(self.cols - 1));
        let column = match cursor.column {
            column if column < self.cols => column,
            _ if last.is_tail() => self.cols - 2,
            _ => self.cols - 1,
        };
        out.extend_from_slice(b"\x1b[");
        push_position(out, cursor.line - if origin { top } else { 0 });
        out.push(b';');
        push_position(out, column);
        out.push(b'H');
        if cursor.column >= self.cols {
            let cell = row.map_or(super::Cell::BLANK, |row| row.at(column));
            let style = self.tables.style(cell.style);
            self.tables.write_change(&Style::default(), &style, out);
            self.tables.write_text(cell, out);
            self.tables.write_change(&style, &Style::default(), out);
            // Whatever follows, this was not just printed.
            out.extend_from_slice(b"\x1b[m");
        }
    }

    fn write_pen(&self, pen: &Pen, out: &mut Vec<u8>) {
        self.tables.write_change(&Style::default(), &pen.style, out);
        pen.charsets.write_to(out);
    }
}

/// Writes rows in a style that goes on from one to the next.
struct RowWriter<'a> {
    screen: &'a Screen,
    looks: Looks,
    style: Style,
}

impl RowWriter<'_> {
    fn change(&mut self, to: Style, out: &mut Vec<u8>) {
        let to = match self.looks {
            Looks::All | Looks::AnyWidth => to,
            Looks::Approximated => to.approximated(),
            Looks::None => Style::default(),
        };
        self.screen.tables.write_change(&self.style, &to, out);
        self.style = to;
    }

    /// One row. `continues`: it goes on from the one before, and its first character has to wrap.
    fn write(&mut self, row: &Row, next: Option<&Row>, continues: bool, out: &mut Vec<u8>) {
        let shown = row
            .shown(self.screen.cols, next)
            .max(usize::from(continues));
        let mut number = None;
        for column in 0..shown {
            let cell = row.at(column);
            if cell.is_tail() {
                continue;
            }
            if number != Some(cell.style) {
                number = Some(cell.style);
                self.change(self.screen.tables.style(cell.style), out);
            }
            self.screen.tables.write_text(cell, out);
            let behind = column + if cell.is_wide() { 2 } else { 1 };
            if continues && column == 0 && self.style.background != Colour::Default {
                // The row that scrolled in has this background all over.
                self.change(Style::default(), out);
                number = None;
                if behind < self.screen.cols {
                    out.extend_from_slice(b"\x1b[K");
                }
            }
            if self.looks != Looks::AnyWidth && behind < shown && is_doubtful(cell.content()) {
                write_column(behind, out);
            }
        }
    }
}

/// Room left for titles, modes and the rest besides the screens.
const STATE_MAX: usize = 64 * 1024;

/// Whether terminals do not agree how many columns this takes.
fn is_doubtful(content: Content) -> bool {
    match content {
        Content::Cluster(_) => true,
        Content::Tail => false,
        Content::Char(char) => {
            // Up to here and in the blocks of CJK and Hangul all tables of widths say the same.
            let agreed = matches!(char, '\0'..='\u{2ff}' | '\u{370}'..='\u{482}' | '\u{2500}'..='\u{259f}'
                | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{4e00}'..='\u{9fa5}'
                | '\u{ac00}'..='\u{d7a3}' | char::REPLACEMENT_CHARACTER);
            !agreed
        }
    }
}

/// A used terminal in order: the primary screen, blank, and everything as in a fresh one.
fn write_order(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\x1b\\\x1b[?1049l\x1b[!p");
    Modes::write_reset(out);
    out.extend_from_slice(b"\x1b[r");
    write_plain(out);
    out.extend_from_slice(b"\x1b]8;;\x1b\\\x1b[H\x1b[2J");
}

/// Plain pen, ASCII, and lines counted from the screen's first.
fn write_plain(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\x1b[m\x1b[?6l");
    Charsets::write_reset(out);
}

fn write_title(title: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\x1b]2;");
    out.extend_from_slice(title.as_bytes());
    out.extend_from_slice(b"\x1b\\");
}

fn write_column(column: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\x1b[");
    push_position(out, column);
    out.push(b'G');
}

/// Appends a place counted from 0 as terminals count it.
fn push_position(out: &mut Vec<u8>, place: usize) {
    push_number(out, u32::try_from(place + 1).unwrap_or(1));
}
