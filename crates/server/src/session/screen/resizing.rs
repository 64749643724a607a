//! Another size.

use longwire_protocol::shell::Winsize;

use super::grid::Grid;
use super::{Screen, bounded};

impl Screen {
    /// Gives the screen another size. Lines that no longer fit leave at the top, those below the cursor
    /// first at the bottom.
    pub fn resize(&mut self, size: Winsize) {
        let (rows, cols) = bounded(size);
        if (rows, cols) == (self.rows, self.cols) {
            return;
        }
        let old_cols = self.cols;
        if cols != old_cols {
            self.history.close(&self.tables);
            for grid in std::iter::once(&mut self.primary).chain(&mut self.alternate) {
                grid.set_cols(cols);
            }
            for column in old_cols..cols {
                self.tabs.set(column, column % 8 == 0);
            }
        }
        // Of the screen that is not shown the cursor is where it was saved.
        let shown = self.cursor.line;
        let primary_line = match (&self.alternate, &self.saved) {
            (None, _) => shown,
            (Some(_), Some(saved)) => saved.cursor.line.min(self.rows - 1),
            (Some(_), None) => 0,
        };
        let (history, tables) = (&mut self.history, &self.tables);
        let primary_gone = self
            .primary
            .set_rows(rows, primary_line, |row| history.push(row, cols, tables));
        let gone = match &mut self.alternate {
            None => primary_gone,
            Some(grid) => grid.set_rows(rows, shown, |_| {}),
        };
        self.rows = rows;
        self.cols = cols;
        self.margins = (0, rows - 1);
        self.cursor.line = (shown - gone.min(shown)).min(rows - 1);
        self.cursor.column = self.cursor.column.min(cols - 1);
        for (saved, gone) in [
            (&mut self.saved, primary_gone),
            (&mut self.saved_alternate, gone),
        ] {
            if let Some(saved) = saved {
                let cursor = &mut saved.cursor;
                cursor.line = cursor.line.saturating_sub(gone).min(rows - 1);
                cursor.column = cursor.column.min(cols - 1);
            }
        }
        self.repeatable = false;
    }
}

impl Grid {
    fn set_cols(&mut self, cols: usize) {
        for row in self.rows_mut() {
            row.narrow(cols);
            row.wraps = false;
        }
    }
}
