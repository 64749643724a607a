//! Characters onto the screen.

use unicode_width::UnicodeWidthChar;

use super::Screen;
use super::cell::{Cell, Content};
use super::charset::Charset;

impl Screen {
    /// Prints characters of ASCII.
    pub(super) fn print_ascii(&mut self, text: &[u8]) {
        let charset = self.pen.charsets.current();
        if self.modes.insert() || charset != Charset::Ascii {
            for byte in text {
                self.print_one(charset.map(*byte), 1);
            }
            return;
        }
        let style = self.pen_number();
        let cols = self.cols;
        let mut rest = text;
        while !rest.is_empty() {
            self.make_room(1);
            let column = self.cursor.column;
            let (now, later) = rest.split_at(rest.len().min(cols - column));
            rest = later;
            let line = self.cursor.line;
            if let Some(row) = self.grid_mut().row_mut(line) {
                row.write_ascii(column, now, cols, style);
                if row.wraps && column + now.len() == cols {
                    self.settle(line + 1);
                }
            }
            self.cursor.column += now.len();
        }
        self.repeatable = true;
    }

    /// Prints any other character.
    pub(super) fn print(&mut self, char: char) {
        match width(char) {
            0 => self.combine(char),
            width => self.print_one(char, width),
        }
    }

    /// Prints the character before the cursor again.
    pub(super) fn repeat(&mut self, count: usize) {
        if !self.repeatable {
            return;
        }
        let Some((_, cell)) = self.before_cursor() else {
            return;
        };
        let width = if cell.is_wide() { 2 } else { 1 };
        let count = count.min(self.rows * self.cols);
        match cell.content() {
            Content::Char(char) => (0..count).for_each(|_| self.print_one(char, width)),
            Content::Cluster(number) => {
                let text = self.tables.cluster(number).to_owned();
                let mut chars = text.chars();
                let first = chars.next().unwrap_or(' ');
                for _ in 0..count {
                    self.print_one(first, width);
                    chars.clone().for_each(|mark| self.combine(mark));
                }
            }
            Content::Tail => {}
        }
        self.repeatable = false;
    }

    /// Prints a character of one or two columns as it is.
    fn print_one(&mut self, char: char, width: usize) {
        let Some(pushed) = self.make_room(width) else {
            self.repeatable = false;
            return;
        };
        let style = self.pen_number();
        let (cols, insert) = (self.cols, self.modes.insert());
        let (line, column) = (self.cursor.line, self.cursor.column);
        let mut repeatable = true;
        if let Some(row) = self.grid_mut().row_mut(line) {
            if insert {
                row.insert(column, width, cols, 0);
            }
            let cell = Cell::char(char, width == 2, style);
            // One that replaces such a one in place is one, too.
            let pushed = pushed || !insert && width == 2 && row.at(column).is_pushed_like(style);
            row.put(column, if pushed { cell.pushed() } else { cell }, cols);
            repeatable = !(insert && pushed);
            if width == 2 {
                // Whatever stood in the second column loses its other half first.
                row.put(column + 1, Cell::blank(style), cols);
                row.replace(column + 1, Cell::tail(style), cols);
            }
            if row.wraps && column + width == cols {
                self.settle(line + 1);
            }
        }
        self.cursor.column += width;
        self.repeatable = repeatable;
    }

    /// Brings the cursor to where a character of this width fits: whether that is the next line although
    /// this one was not full. Without automatic wrapping it is the end of the line, and `None` if it does
    /// not fit even there.
    fn make_room(&mut self, width: usize) -> Option<bool> {
        let (column, cols) = (self.cursor.column, self.cols);
        if column + width <= cols {
            return Some(false);
        }
        if !self.modes.autowrap() {
            self.cursor.column = cols - 1;
            return (width == 1).then_some(false);
        }
        let pushed = column < cols;
        if pushed {
            let style = self.pen_number();
            let line = self.cursor.line;
            if let Some(row) = self.grid_mut().row_mut(line) {
                row.put(column, Cell::blank(style), cols);
            }
        }
        self.cursor.column = 0;
        self.next_line(true);
        Some(pushed)
    }

    /// The last column of the line before was written to: unless nothing changed by it, it is not empty
    /// for a wide character's sake any more.
    fn settle(&mut self, line: usize) {
        let cols = self.cols;
        let last = line
            .checked_sub(1)
            .map(|before| self.cell(before, cols - 1));
        if let Some(row) = self.grid_mut().row_mut(line) {
            let first = row.at(0);
            let same = last.is_some_and(|last| last.is_empty() && last.style == first.style);
            if first.is_pushed() && !same {
                row.replace(0, first.settled(), cols);
            }
        }
    }

    /// One line down; at the end of the scroll region its lines move up. `wrapping`: the text goes on
    /// there.
    pub(super) fn next_line(&mut self, wrapping: bool) {
        let line = self.cursor.line;
        if line != self.margins.1 {
            if line + 1 < self.rows {
                self.cursor.line += 1;
                // As in xterm.js a line feed says that the text does not go on.
                if let Some(row) = self.grid_mut().row_mut(line) {
                    row.wraps = wrapping;
                }
            }
            return;
        }
        let erased = self.erased();
        let (margins, cols) = (self.margins, self.cols);
        if let Some(grid) = &mut self.alternate {
            grid.scroll_up_one(margins, erased, wrapping, |_| {});
        } else {
            let (history, tables) = (&mut self.history, &self.tables);
            self.primary
                .scroll_up_one(margins, erased, wrapping, |row| {
                    if margins.0 == 0 {
                        history.push(row, cols, tables);
                    }
                });
        }
    }

    /// Adds a combining character to the one before the cursor.
    fn combine(&mut self, mark: char) {
        let Some((column, cell)) = self.before_cursor() else {
            return;
        };
        let mut text = String::new();
        match cell.content() {
            Content::Char(char) => text.push(char),
            Content::Cluster(number) => text.push_str(self.tables.cluster(number)),
            Content::Tail => return,
        }
        text.push(mark);
        let mut number = self.tables.add_cluster(text.clone());
        if number.is_none() {
            self.collect();
            number = self.tables.add_cluster(text);
        }
        let (line, cols) = (self.cursor.line, self.cols);
        if let Some(number) = number
            && let Some(row) = self.grid_mut().row_mut(line)
        {
            row.replace(column, cell.with_cluster(number), cols);
        }
    }

    /// Where the character left of the cursor begins, and its cell.
    pub(super) fn before_cursor(&self) -> Option<(usize, Cell)> {
        let line = self.cursor.line;
        let column = self.cursor.column.checked_sub(1)?;
        let cell = self.cell(line, column);
        if cell.is_tail() {
            let column = column.checked_sub(1)?;
            return Some((column, self.cell(line, column)));
        }
        Some((column, cell))
    }

    /// The number of the pen's style.
    fn pen_number(&mut self) -> u16 {
        if let Some(number) = self.pen.number {
            return number;
        }
        let number = self.style_number(self.pen.style);
        self.pen.number = Some(number);
        number
    }
}

/// Columns of a character that is not a control character.
pub(super) fn width(char: char) -> usize {
    char.width().unwrap_or(0).min(2)
}
