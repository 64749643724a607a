//! Another size.

use longwire_protocol::shell::Winsize;

use super::grid::Grid;
use super::{Screen, bounded};

/// What changes where the cursor is, of one of the two screens.
struct Moved {
    from: usize,
    to: usize,
}

impl Screen {
    /// Gives the screen another size, as xterm.js does: lines of the primary screen and of scrollback are
    /// wrapped anew, except for the one the cursor is in, which shells write again by themselves; what
    /// has no room leaves at the top, or below the cursor if there is something; and comes back.
    pub fn resize(&mut self, size: Winsize) {
        let (rows, cols) = bounded(size);
        if (rows, cols) == (self.rows, self.cols) {
            return;
        }
        for column in self.cols..cols {
            self.tabs.set(column, column % 8 == 0);
        }
        // Of the screen that is not shown the cursor is where it was saved.
        let shown = self.cursor.line;
        let line = match (&self.alternate, &self.saved) {
            (None, _) => shown,
            (Some(_), Some(saved)) => saved.cursor.line.min(self.rows - 1),
            (Some(_), None) => 0,
        };
        let primary = Moved {
            from: line,
            to: self.wrap_anew(line, (rows, cols)),
        };
        let other = self.alternate.as_mut().map(|grid| {
            let gone = grid.resize(rows, cols, shown);
            Moved {
                from: shown,
                to: shown.saturating_sub(gone).min(rows - 1),
            }
        });
        let saved = [
            (&mut self.saved, Some(&primary)),
            (&mut self.saved_alternate, other.as_ref()),
        ];
        for (saved, moved) in saved {
            if let (Some(saved), Some(moved)) = (saved, moved) {
                let cursor = &mut saved.cursor;
                cursor.line = (cursor.line + moved.to)
                    .saturating_sub(moved.from)
                    .min(rows - 1);
                if cols != self.cols {
                    cursor.column = cursor.column.min(cols - 1);
                }
            }
        }
        self.cursor.line = other.unwrap_or(primary).to;
        if cols != self.cols {
            self.cursor.column = self.cursor.column.min(cols - 1);
        }
        self.rows = rows;
        self.cols = cols;
        self.margins = (0, rows - 1);
        self.repeatable = false;
    }

    /// Wraps the primary screen and scrollback for a new size. Where the cursor's line is then.
    fn wrap_anew(&mut self, line: usize, (rows, cols): (usize, usize)) -> usize {
        let grid = &mut self.primary;
        let begins = (0..line)
            .rev()
            .take_while(|before| grid.row(*before).is_some_and(|row| row.wraps))
            .last()
            .unwrap_or(line);
        if cols != self.cols {
            if begins == 0 {
                self.history.close(&self.tables);
            }
            grid.unlink(begins);
            for row in grid.rows_mut().iter_mut().skip(begins) {
                row.narrow(cols);
                row.wraps = false;
            }
        }
        let below = self.rows - line - 1;
        let surplus = self.rows.saturating_sub(rows).min(below);
        let below = match below {
            0 => 0,
            below => below - surplus + rows.saturating_sub(self.rows),
        };
        grid.rows_mut()
            .resize_with(line + 1 + below, Default::default);
        if surplus > 0
            && let Some(last) = grid.rows_mut().back_mut()
        {
            last.wraps = false;
        }
        let mut said = Vec::new();
        self.write_lines(&mut said);
        let mut other = Screen::new(Winsize { rows: 1, cols: 2 });
        (other.rows, other.cols) = (rows, cols);
        other.margins = (0, rows - 1);
        other.primary = Grid::new(rows);
        std::mem::swap(&mut other.tables, &mut self.tables);
        // It does not know what of them is in use on the alternate screen.
        other.tables.set_frozen(true);
        other.feed(&said);
        other.tables.set_frozen(false);
        self.tables = other.tables;
        self.primary = other.primary;
        self.history = other.history;
        other.cursor.line.saturating_sub(below)
    }
}

impl Grid {
    /// Cuts the lines to a new width, and takes lines away or adds blank ones: see [`Grid::set_rows`].
    fn resize(&mut self, rows: usize, cols: usize, cursor_line: usize) -> usize {
        for row in self.rows_mut() {
            row.narrow(cols);
            row.wraps = false;
        }
        self.set_rows(rows, cursor_line)
    }
}
