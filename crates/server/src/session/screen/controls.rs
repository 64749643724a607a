//! Control characters, and escape sequences of two or three bytes.

use super::Screen;
use super::cursor::{Cursor, Pen, Saved};
use super::grid::Grid;
use super::modes::Modes;
use super::tabs::Tabs;

impl Screen {
    /// A control character, 0x00–0x1f.
    pub(super) fn control(&mut self, byte: u8) {
        match byte {
            0x08 => self.move_to(self.cursor.line, self.column().saturating_sub(1)),
            b'\t' => self.tab(1),
            b'\n' | 0x0b | 0x0c => {
                if self.modes.new_line() {
                    self.cursor.column = 0;
                }
                self.next_line(false);
            }
            b'\r' => self.cursor.column = 0,
            0x0e => self.pen.charsets.shift(1),
            0x0f => self.pen.charsets.shift(0),
            _ => {}
        }
    }

    /// An escape sequence: an intermediate byte or 0, and the last byte.
    pub(super) fn escape(&mut self, intermediate: u8, last: u8) {
        match (intermediate, last) {
            (b'('..=b'+', set) => self.pen.charsets.designate(intermediate, set),
            (b'#', b'8') => self.align(),
            (0, b'7') => self.save_cursor(),
            (0, b'8') => self.restore_cursor(),
            (0, b'D') => self.next_line(false),
            (0, b'E') => {
                self.cursor.column = 0;
                self.next_line(false);
            }
            (0, b'H') => self.tabs.set(self.column(), true),
            (0, b'M') => self.reverse_line_feed(),
            (0, b'c') => self.reset(),
            (0, b'n') => self.pen.charsets.shift(2),
            (0, b'o') => self.pen.charsets.shift(3),
            (0, b'=') => self.modes.set_keypad(true),
            (0, b'>') => self.modes.set_keypad(false),
            _ => {}
        }
    }

    /// The cursor's column, the last one when the line is full.
    pub(super) fn column(&self) -> usize {
        self.cursor.column.min(self.cols - 1)
    }

    /// Places the cursor, within the screen.
    pub(super) fn move_to(&mut self, line: usize, column: usize) {
        self.cursor = Cursor {
            line: line.min(self.rows - 1),
            column: column.min(self.cols - 1),
        };
    }

    /// To a tab stop further on.
    pub(super) fn tab(&mut self, count: usize) {
        for _ in 0..count.min(self.cols) {
            if self.cursor.column < self.cols {
                self.cursor.column = self.tabs.next(self.cursor.column, self.cols);
            }
        }
    }

    fn reverse_line_feed(&mut self) {
        if self.cursor.line == self.margins.0 {
            self.scroll_down(self.margins, 1);
        } else {
            self.cursor.line = self.cursor.line.saturating_sub(1);
        }
    }

    /// Lines of a region down, on the screen that is shown.
    pub(super) fn scroll_down(&mut self, region: (usize, usize), count: usize) {
        let erased = self.erased();
        if region.0 == 0 {
            self.unlink(0);
        }
        self.grid_mut().scroll_down(region, count, erased);
    }

    /// Lines of a region up, without keeping those that leave.
    pub(super) fn scroll_up(&mut self, region: (usize, usize), count: usize) {
        let erased = self.erased();
        if region.0 == 0 {
            self.unlink(0);
        }
        self.grid_mut().scroll_up(region, count, erased);
    }

    /// No line goes on in this one any more.
    pub(super) fn unlink(&mut self, line: usize) {
        if line == 0 && self.alternate.is_none() {
            self.history.close(&self.tables);
        }
        self.grid_mut().unlink(line);
    }

    /// DECALN: fills the screen with the letter E.
    fn align(&mut self) {
        let cols = self.cols;
        let full = [b'E'].repeat(cols);
        for line in 0..self.rows {
            self.unlink(line);
            if let Some(row) = self.grid_mut().row_mut(line) {
                row.clear(cols, 0);
                row.write_ascii(0, &full, cols, 0);
            }
        }
        self.margins = (0, self.rows - 1);
        self.move_to(0, 0);
    }

    /// Saves what DECSC saves, for the screen that is shown.
    pub(super) fn save_cursor(&mut self) {
        let mut pen = self.pen;
        // Links are not part of it.
        pen.style.link = 0;
        pen.number = None;
        let saved = Some(Saved {
            cursor: self.cursor,
            pen,
            origin: self.modes.origin(),
        });
        if self.alternate.is_some() {
            self.saved_alternate = saved;
        } else {
            self.saved = saved;
        }
    }

    /// Restores it; the defaults if nothing was saved.
    pub(super) fn restore_cursor(&mut self) {
        let saved = if self.alternate.is_some() {
            self.saved_alternate
        } else {
            self.saved
        };
        let saved = saved.unwrap_or(Saved {
            cursor: Cursor::default(),
            pen: Pen::default(),
            origin: false,
        });
        let link = self.pen.style.link;
        self.pen = saved.pen;
        self.pen.style.link = link;
        self.pen.number = None;
        self.modes.set_origin(saved.origin);
        let (top, bottom) = if saved.origin {
            self.margins
        } else {
            (0, self.rows - 1)
        };
        self.cursor = Cursor {
            line: saved.cursor.line.clamp(top, bottom),
            column: saved.cursor.column.min(self.cols),
        };
    }

    /// Shows the alternate screen, blank.
    pub(super) fn show_alternate(&mut self) {
        if self.alternate.is_some() {
            return;
        }
        let (cols, style) = self.erased();
        let mut grid = Grid::new(self.rows);
        if style != 0 {
            for line in 0..self.rows {
                if let Some(row) = grid.row_mut(line) {
                    row.clear(cols, style);
                }
            }
        }
        self.alternate = Some(grid);
    }

    /// Shows the primary screen. The alternate one is forgotten, what was saved there too.
    pub(super) fn show_primary(&mut self) {
        self.alternate = None;
        self.saved_alternate = None;
    }

    /// DECSTR: modes and pen as in a fresh terminal, the text stays.
    pub(super) fn soft_reset(&mut self) {
        self.modes.soft_reset();
        self.margins = (0, self.rows - 1);
        let link = self.pen.style.link;
        self.pen = Pen::default();
        self.pen.style.link = link;
        if self.alternate.is_some() {
            self.saved_alternate = None;
        } else {
            self.saved = None;
        }
    }

    /// RIS: a fresh terminal.
    fn reset(&mut self) {
        self.alternate = None;
        self.primary = Grid::new(self.rows);
        self.history.clear();
        self.cursor = Cursor::default();
        self.pen = Pen::default();
        self.saved = None;
        self.saved_alternate = None;
        self.margins = (0, self.rows - 1);
        self.modes = Modes::default();
        self.tabs = Tabs::default();
        self.title.clear();
        self.titles.clear();
    }
}
