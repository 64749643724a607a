//! One place of the grid, and a line of them.

/// What stands in one column, in 8 bytes: a character or the number of a longer cluster, and the number
/// of its style. Both numbers are of the screen's own tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    /// Bits 0–20: a code point, or with `CLUSTER` a number; above them the flags.
    content: u32,
    /// Number of the style; 0 is the plain one.
    pub(super) style: u16,
}

/// Bits of a code point or of a cluster's number.
const VALUE: u32 = 0x1f_ffff;
/// The value is the number of a cluster: a character with combining ones.
const CLUSTER: u32 = 1 << 21;
/// The first half of a character two columns wide.
const WIDE: u32 = 1 << 22;
/// The second half of one.
const TAIL: u32 = 1 << 23;
/// A wide character that stands at the beginning of this line since it did not fit in the last column of
/// the one before, which is empty for its sake.
const PUSHED: u32 = 1 << 24;

/// What a cell shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// One character; a space where nothing was written.
    Char(char),
    /// A character with combining ones: a number in the table of clusters.
    Cluster(u16),
    /// Belongs to the wide character in the column before.
    Tail,
}

impl Cell {
    /// Nothing, in the plain style.
    pub(super) const BLANK: Cell = Cell::blank(0);

    /// Nothing, in a style of which only the background shows.
    pub(super) const fn blank(style: u16) -> Cell {
        Cell {
            content: ' ' as u32,
            style,
        }
    }

    /// A character of one column in ASCII.
    pub(super) const fn ascii(byte: u8, style: u16) -> Cell {
        Cell {
            content: byte as u32,
            style,
        }
    }

    /// A character one or two columns wide.
    pub(super) const fn char(char: char, wide: bool, style: u16) -> Cell {
        let content = char as u32 | if wide { WIDE } else { 0 };
        Cell { content, style }
    }

    /// The same wide character, which did not fit in the line before.
    pub(super) const fn pushed(self) -> Cell {
        Cell {
            content: self.content | PUSHED,
            style: self.style,
        }
    }

    /// The same without having been pushed.
    pub(super) const fn settled(self) -> Cell {
        Cell {
            content: self.content & !PUSHED,
            style: self.style,
        }
    }

    /// Whether it did not fit in the line before.
    pub(super) const fn is_pushed(self) -> bool {
        self.content & PUSHED != 0
    }

    /// Whether it did not fit in the line before, and has this style.
    pub(super) const fn is_pushed_like(self, style: u16) -> bool {
        self.is_pushed() && self.style == style
    }

    /// The second half of a wide character.
    pub(super) const fn tail(style: u16) -> Cell {
        Cell {
            content: TAIL,
            style,
        }
    }

    /// The same place with a cluster instead of its character.
    pub(super) fn with_cluster(self, number: u16) -> Cell {
        Cell {
            content: (self.content & (WIDE | PUSHED)) | CLUSTER | u32::from(number),
            style: self.style,
        }
    }

    /// The same place with nothing in it.
    pub(super) const fn emptied(self) -> Cell {
        Cell::blank(self.style)
    }

    /// What it shows.
    pub(super) fn content(self) -> Content {
        if self.content & TAIL != 0 {
            Content::Tail
        } else if self.content & CLUSTER != 0 {
            Content::Cluster(u16::try_from(self.content & VALUE & 0xffff).unwrap_or(0))
        } else {
            Content::Char(char::from_u32(self.content & VALUE).unwrap_or(' '))
        }
    }

    /// Whether it is the first half of a wide character.
    pub(super) const fn is_wide(self) -> bool {
        self.content & WIDE != 0
    }

    /// Whether nothing is in it, in whatever style.
    pub(super) const fn is_empty(self) -> bool {
        self.content == ' ' as u32
    }

    /// Whether it is the second half of one.
    pub(super) const fn is_tail(self) -> bool {
        self.content & TAIL != 0
    }

    /// Whether it is one character of ASCII.
    pub(super) const fn is_ascii(self) -> bool {
        self.content < 0x80
    }

    /// The lowest byte of what it holds: a character of ASCII itself.
    pub(super) const fn low_byte(self) -> u8 {
        self.content.to_le_bytes()[0]
    }

    /// The byte, if it is one character of ASCII.
    pub(super) fn as_ascii(self) -> Option<u8> {
        u8::try_from(self.content).ok().filter(u8::is_ascii)
    }
}

/// One line of the screen. Columns behind the last stored cell are blank.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    cells: Vec<Cell>,
    /// The line goes on in the next one: it was full, and the next character wrapped.
    pub(super) wraps: bool,
}

impl Row {
    /// The stored cells; fewer than the screen is wide if the rest is blank.
    pub(super) fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The cell in a column.
    pub(super) fn at(&self, column: usize) -> Cell {
        self.cells.get(column).copied().unwrap_or(Cell::BLANK)
    }

    /// How many columns are not blank, counted up to the last that is not.
    pub(super) fn used(&self) -> usize {
        self.cells
            .iter()
            .rposition(|cell| *cell != Cell::BLANK)
            .map_or(0, |last| last + 1)
    }

    /// Whether it is all ASCII in the plain style.
    pub(super) fn is_plain(&self) -> bool {
        self.cells
            .iter()
            .fold(true, |all, cell| all & (cell.style == 0) & cell.is_ascii())
    }

    /// How many columns there are to write: all of a row that goes on in the next, except for the last
    /// one if it is empty only because a wide character had to go to the next row.
    pub(super) fn shown(&self, cols: usize, next: Option<&Row>) -> usize {
        if !self.wraps {
            return self.used();
        }
        let made_way = next.is_some_and(|row| row.at(0).is_pushed());
        if made_way { cols - 1 } else { cols }
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        self.cells.capacity() * size_of::<Cell>()
    }

    /// Becomes a line of blanks, keeping its memory.
    pub(super) fn clear(&mut self, cols: usize, style: u16) {
        self.cells.clear();
        self.wraps = false;
        if style != 0 {
            self.extend_to(cols, cols, style);
        }
    }

    /// Writes characters of ASCII from a column on; they must fit.
    pub(super) fn write_ascii(&mut self, column: usize, text: &[u8], cols: usize, style: u16) {
        let end = column + text.len();
        self.open(column, end, cols);
        let stored = self.cells.len().saturating_sub(column).min(text.len());
        let (over, beyond) = text.split_at(stored);
        for (cell, byte) in self.cells.iter_mut().skip(column).zip(over) {
            *cell = Cell::ascii(*byte, style);
        }
        self.cells
            .extend(beyond.iter().map(|byte| Cell::ascii(*byte, style)));
    }

    /// Writes one cell, whatever stood there.
    pub(super) fn put(&mut self, column: usize, cell: Cell, cols: usize) {
        self.open(column, column + 1, cols);
        match self.cells.get_mut(column) {
            Some(place) => *place = cell,
            None => self.cells.push(cell),
        }
    }

    /// Exchanges a cell for one that is as much half of a character as the one before.
    pub(super) fn replace(&mut self, column: usize, cell: Cell, cols: usize) {
        self.extend_to(column, cols, 0);
        match self.cells.get_mut(column) {
            Some(place) => *place = cell,
            None => self.cells.push(cell),
        }
    }

    /// Blanks columns, both ends cut to whole characters.
    pub(super) fn erase(&mut self, from: usize, to: usize, cols: usize, style: u16) {
        if from >= to {
            return;
        }
        self.cut(from);
        self.cut(to);
        if to >= cols {
            self.wraps = false;
            self.cells.truncate(from);
            if style == 0 {
                return;
            }
        }
        self.extend_to(from, cols, 0);
        for cell in self.cells.iter_mut().take(to).skip(from) {
            *cell = Cell::blank(style);
        }
        if style != 0 {
            self.extend_to(to, cols, style);
        }
    }

    /// Opens a gap of blanks at a column; what is pushed over the edge is lost.
    pub(super) fn insert(&mut self, column: usize, count: usize, cols: usize, style: u16) {
        let count = count.min(cols.saturating_sub(column));
        self.wraps = false;
        if let Some(first) = self.cells.first_mut() {
            *first = first.settled();
        }
        self.cut(column);
        self.cut(cols - count);
        self.cells.truncate(cols - count);
        if self.cells.len() <= column && style == 0 {
            return;
        }
        self.extend_to(column, cols, 0);
        self.reserve(self.cells.len() + count, cols);
        let gap = std::iter::repeat_n(Cell::blank(style), count);
        self.cells.splice(column..column, gap);
    }

    /// Takes columns out; blanks come in at the edge.
    pub(super) fn delete(&mut self, column: usize, count: usize, cols: usize, style: u16) {
        let count = count.min(cols.saturating_sub(column));
        self.wraps = false;
        if let Some(first) = self.cells.first_mut() {
            *first = first.settled();
        }
        self.cut(column);
        self.cut(column + count);
        let stored = self.cells.len();
        if column < stored {
            self.cells.drain(column..stored.min(column + count));
        }
        if style != 0 {
            self.extend_to(cols - count, cols, 0);
            self.extend_to(cols, cols, style);
        }
    }

    /// Cuts the line to a new width.
    pub(super) fn narrow(&mut self, cols: usize) {
        self.cut(cols);
        self.cells.truncate(cols);
        self.cells.shrink_to(cols);
    }

    /// Makes columns free for writing: a wide character that loses one half loses the other.
    fn open(&mut self, from: usize, to: usize, cols: usize) {
        if from < self.cells.len() {
            self.cut(from);
            self.cut(to);
        } else {
            self.extend_to(from, cols, 0);
        }
        self.reserve(to, cols);
    }

    /// Blanks the wide character that spans the line between a column and the one before it.
    fn cut(&mut self, column: usize) {
        let Some(before) = column.checked_sub(1) else {
            return;
        };
        if !self.at(column).is_tail() {
            return;
        }
        for half in [before, column] {
            if let Some(cell) = self.cells.get_mut(half) {
                *cell = cell.emptied();
            }
        }
    }

    fn extend_to(&mut self, len: usize, cols: usize, style: u16) {
        if self.cells.len() < len {
            self.reserve(len, cols);
            self.cells.resize(len, Cell::blank(style));
        }
    }

    /// Grows by doubling, but never past the width of the screen.
    fn reserve(&mut self, len: usize, cols: usize) {
        if len > self.cells.capacity() {
            let capacity = (self.cells.capacity() * 2).clamp(len, cols.max(len));
            self.cells.reserve_exact(capacity - self.cells.len());
        }
    }
}
