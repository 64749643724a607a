//! Control sequences: what programs draw with.

use super::Screen;
use super::sequence::Csi;

impl Screen {
    /// Does what a control sequence says; nothing if it is unknown.
    pub(super) fn control_sequence(&mut self, csi: &Csi) {
        match (csi.mark, csi.intermediate) {
            (0, 0) => self.plain_sequence(csi),
            (b'?', 0) => match csi.last {
                b'J' => self.erase_in_display(csi.value(0)),
                b'K' => self.erase_in_line(csi.value(0)),
                b'h' => self.set_modes(csi, true),
                b'l' => self.set_modes(csi, false),
                b'n' => self.report_status(true, csi.value(0)),
                _ => {}
            },
            (b'>', 0) => match csi.last {
                b'c' => self.report_attributes(true),
                b'm' if csi.value(0) == 4 => {
                    self.modes.other_keys = u8::try_from(csi.value(1).min(3)).unwrap_or(0);
                }
                _ => {}
            },
            (0, b' ') if csi.last == b'q' => {
                if let Ok(shape @ 0..=6) = u8::try_from(csi.value(0)) {
                    self.modes.cursor_shape = shape;
                }
            }
            (0, b'!') if csi.last == b'p' => self.soft_reset(),
            (0 | b'?', b'$') if csi.last == b'p' => {
                self.report_mode(csi.mark == b'?', csi.value(0));
            }
            _ => {}
        }
    }

    fn plain_sequence(&mut self, csi: &Csi) {
        let count = csi.count(0);
        match csi.last {
            b'@' | b'P' | b'X' => self.edit_line(csi.last, count),
            b'A' | b'F' => {
                let line = self.upwards(count);
                self.move_to(line, if csi.last == b'F' { 0 } else { self.column() });
            }
            b'B' | b'e' | b'E' => {
                let line = self.downwards(count);
                self.move_to(line, if csi.last == b'E' { 0 } else { self.column() });
            }
            b'C' | b'a' => self.move_to(self.cursor.line, self.column() + count),
            b'D' => self.move_to(self.cursor.line, self.column().saturating_sub(count)),
            b'G' | b'`' => self.move_to(self.cursor.line, count - 1),
            b'H' | b'f' => self.place(count - 1, csi.count(1) - 1),
            b'd' => self.place(count - 1, self.column()),
            b'I' => self.tab(count),
            b'Z' => {
                let column = (0..count.min(self.cols))
                    .fold(self.cursor.column, |column, _| self.tabs.previous(column));
                self.cursor.column = column;
            }
            b'J' => self.erase_in_display(csi.value(0)),
            b'K' => self.erase_in_line(csi.value(0)),
            b'L' | b'M' => self.edit_lines(csi.last == b'L', count),
            b'S' => self.scroll_up(self.margins, count),
            b'T' | b'^' if csi.parameters().len() == 1 => self.scroll_down(self.margins, count),
            b'b' => self.repeat(count),
            b'c' => self.report_attributes(false),
            b'g' => match csi.value(0) {
                0 => self.tabs.set(self.column(), false),
                3 => self.tabs.clear(),
                _ => {}
            },
            b'h' => self.set_modes(csi, true),
            b'l' => self.set_modes(csi, false),
            b'm' => {
                self.pen.style.apply(csi);
                self.pen.number = None;
            }
            b'n' => self.report_status(false, csi.value(0)),
            b'r' => self.set_margins(csi.count(0) - 1, csi.value(1)),
            b's' => self.save_cursor(),
            b'u' => self.restore_cursor(),
            b't' => self.window(csi.value(0), csi.value(1)),
            _ => {}
        }
    }

    /// The line some lines above, not past the scroll region's first if that is not below.
    fn upwards(&self, count: usize) -> usize {
        let (line, top) = (self.cursor.line, self.margins.0);
        let stop = if line >= top { top } else { 0 };
        line.saturating_sub(count).max(stop)
    }

    /// The line some lines below, not past the scroll region's last if that is not above.
    fn downwards(&self, count: usize) -> usize {
        let (line, bottom) = (self.cursor.line, self.margins.1);
        let stop = if line <= bottom {
            bottom
        } else {
            self.rows - 1
        };
        (line + count).min(stop)
    }

    /// Places the cursor as programs count lines: in origin mode within the scroll region.
    fn place(&mut self, line: usize, column: usize) {
        let line = if self.modes.origin() {
            (self.margins.0 + line).min(self.margins.1)
        } else {
            line
        };
        self.move_to(line, column);
    }

    fn set_margins(&mut self, top: usize, bottom: u16) {
        let bottom = match usize::from(bottom) {
            0 => self.rows,
            bottom => bottom.min(self.rows),
        } - 1;
        if top < bottom {
            self.margins = (top, bottom);
            self.place(0, 0);
        }
    }

    /// ICH, DCH, ECH: within the line from the cursor on.
    fn edit_line(&mut self, what: u8, count: usize) {
        let (cols, style) = self.erased();
        let (line, column) = (self.cursor.line, self.column());
        self.cursor.column = column;
        if let Some(row) = self.grid_mut().row_mut(line) {
            match what {
                b'@' => row.insert(column, count, cols, style),
                b'P' => row.delete(column, count, cols, style),
                _ => row.erase(column, cols.min(column + count), cols, style),
            }
        }
    }

    /// IL and DL: lines from the cursor to the end of the scroll region.
    fn edit_lines(&mut self, insert: bool, count: usize) {
        let (top, bottom) = self.margins;
        let line = self.cursor.line;
        if !(top..=bottom).contains(&line) {
            return;
        }
        self.cursor.column = 0;
        if insert {
            self.scroll_down((line, bottom), count);
        } else {
            self.scroll_up((line, bottom), count);
        }
    }

    fn erase_in_line(&mut self, what: u16) {
        let (line, column, cols) = (self.cursor.line, self.cursor.column, self.cols);
        match what {
            0 => self.erase(line, column, cols),
            1 => self.erase(line, 0, cols.min(column + 1)),
            2 => self.erase(line, 0, cols),
            _ => {}
        }
    }

    fn erase_in_display(&mut self, what: u16) {
        let (line, cols) = (self.cursor.line, self.cols);
        let lines = match what {
            0 => line + 1..self.rows,
            1 => 0..line,
            2 => 0..self.rows,
            3 => {
                self.history.clear();
                return;
            }
            _ => return,
        };
        if what < 2 {
            self.erase_in_line(what);
        }
        for line in lines {
            self.erase(line, 0, cols);
        }
    }

    /// Blanks columns of a line. One that is blanked as a whole is nobody's continuation.
    fn erase(&mut self, line: usize, from: usize, to: usize) {
        let (cols, style) = self.erased();
        if from == 0 && to == cols {
            self.unlink(line);
        }
        if let Some(row) = self.grid_mut().row_mut(line) {
            row.erase(from, to, cols, style);
        }
    }

    fn set_modes(&mut self, csi: &Csi, on: bool) {
        let private = csi.mark == b'?';
        for number in csi.parameters() {
            if private {
                self.set_private_mode(*number, on);
            } else {
                self.modes.set(false, *number, on);
            }
        }
    }

    fn set_private_mode(&mut self, number: u16, on: bool) {
        match (number, on) {
            (47 | 1047, true) => self.show_alternate(),
            (47 | 1047, false) => self.show_primary(),
            (1048, true) => self.save_cursor(),
            (1048, false) => self.restore_cursor(),
            (1049, true) => {
                self.save_cursor();
                self.show_alternate();
            }
            (1049, false) => {
                self.show_primary();
                self.restore_cursor();
            }
            (6, _) => {
                self.modes.set_origin(on);
                self.place(0, 0);
            }
            _ => self.modes.set(true, number, on),
        }
    }
}
