//! The lines of one screen.

use std::collections::VecDeque;

use super::cell::Row;

/// As many lines as the screen has. Of a scroll region, both ends belong to it.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    rows: VecDeque<Row>,
}

impl Grid {
    /// Blank lines.
    pub(super) fn new(rows: usize) -> Self {
        Grid {
            rows: std::iter::repeat_with(Row::default).take(rows).collect(),
        }
    }

    /// All lines.
    pub(super) fn rows(&self) -> &VecDeque<Row> {
        &self.rows
    }

    /// All lines, to be changed.
    pub(super) fn rows_mut(&mut self) -> &mut VecDeque<Row> {
        &mut self.rows
    }

    /// Takes lines away or adds blank ones. Those below the cursor's go first, then those at the top. How
    /// many of these there were.
    pub(super) fn set_rows(&mut self, rows: usize, cursor_line: usize) -> usize {
        let below = self.rows.len().saturating_sub(cursor_line + 1);
        let surplus = self.rows.len().saturating_sub(rows);
        self.rows.truncate(self.rows.len() - surplus.min(below));
        let gone = self.rows.len().saturating_sub(rows);
        self.rows.drain(..gone);
        self.rows.resize_with(rows, Row::default);
        self.rows.shrink_to(rows);
        gone
    }

    /// A line.
    pub(super) fn row(&self, line: usize) -> Option<&Row> {
        self.rows.get(line)
    }

    /// A line, to be changed.
    pub(super) fn row_mut(&mut self, line: usize) -> Option<&mut Row> {
        self.rows.get_mut(line)
    }

    /// The line before does not go on in this one any more.
    pub(super) fn unlink(&mut self, line: usize) {
        if let Some(row) = line
            .checked_sub(1)
            .and_then(|before| self.rows.get_mut(before))
        {
            row.wraps = false;
        }
    }

    /// Moves the lines of a region up by one; a blank one comes in at its end. The line that leaves is
    /// shown to `leaving` first. `wrapping`: the region's last line goes on in the one that comes in.
    pub(super) fn scroll_up_one(
        &mut self,
        (top, bottom): (usize, usize),
        (cols, style): (usize, u16),
        wrapping: bool,
        leaving: impl FnOnce(&Row),
    ) {
        if let Some(last) = self.rows.get_mut(bottom) {
            last.wraps = wrapping;
        }
        let whole = top == 0 && bottom + 1 == self.rows.len();
        let gone = if whole {
            self.rows.pop_front()
        } else {
            self.unlink(top);
            self.rows.remove(top)
        };
        if let Some(mut row) = gone {
            leaving(&row);
            row.clear(cols, style);
            if whole {
                self.rows.push_back(row);
            } else {
                self.rows.insert(bottom, row);
            }
        }
    }

    /// Moves the lines of a region up; those that leave are lost.
    pub(super) fn scroll_up(
        &mut self,
        region: (usize, usize),
        count: usize,
        (cols, style): (usize, u16),
    ) {
        for _ in 0..count.min(region.1 + 1 - region.0) {
            self.scroll_up_one(region, (cols, style), false, |_| {});
        }
    }

    /// Moves the lines of a region down; blank ones come in at its top.
    pub(super) fn scroll_down(
        &mut self,
        (top, bottom): (usize, usize),
        count: usize,
        (cols, style): (usize, u16),
    ) {
        for _ in 0..count.min(bottom + 1 - top) {
            self.unlink(top);
            if let Some(mut row) = self.rows.remove(bottom) {
                row.clear(cols, style);
                self.rows.insert(top, row);
            }
            if let Some(last) = self.rows.get_mut(bottom) {
                last.wraps = false;
            }
        }
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        self.rows.capacity() * size_of::<Row>() + self.rows.iter().map(Row::memory).sum::<usize>()
    }
}
