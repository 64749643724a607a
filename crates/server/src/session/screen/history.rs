//! The lines that have left the screen at its top.

use std::collections::VecDeque;

use super::cell::{Cell, Row};
use super::style::Style;
use super::tables::Tables;

/// Whole lines (however many rows of the screen each took) as the bytes that show them again. So they
/// have no width, take no more memory than their text and colours, and a snapshot is made by copying.
///
/// A line's bytes depend on what it shows and on nothing else: they begin in the plain style, change it
/// only where it changes, and end in it.
#[derive(Debug)]
pub(super) struct History {
    bytes: VecDeque<u8>,
    /// Bytes at the beginning that belong to no line any more.
    dropped: usize,
    /// The lengths of the lines in bytes.
    lines: VecDeque<usize>,
    /// The last line goes on in the first row of the screen.
    open: Option<Open>,
    /// Memory for making a row's bytes.
    scratch: Vec<u8>,
}

/// How far the last line has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Open {
    /// The style its bytes end in.
    style: Style,
    /// The style of the empty last column, not in its bytes yet: it may be there only because a wide
    /// character had to go to the next row.
    held: Option<Style>,
}

/// Lines kept.
const LINES_MAX: usize = 2000;
/// Bytes kept of all lines together.
const BYTES_MAX: usize = 512 * 1024;
/// Bytes of lines that are gone before the rest is moved.
const DROPPED_MAX: usize = 4096;
/// A line that is longer is continued as another.
const LINE_MAX: usize = 16 * 1024;

impl History {
    pub(super) fn new() -> Self {
        History {
            bytes: VecDeque::new(),
            dropped: 0,
            lines: VecDeque::new(),
            open: None,
            scratch: Vec::new(),
        }
    }

    /// Takes a row that leaves the screen.
    pub(super) fn push(&mut self, row: &Row, cols: usize, tables: &Tables) {
        let was_open = self.open.is_some();
        if !was_open && !row.wraps && row.is_plain() {
            let mut encoded = std::mem::take(&mut self.scratch);
            encoded.clear();
            let text = row.cells().iter().take(row.used());
            encoded.extend(text.map(|cell| cell.low_byte()));
            self.append(0, &encoded);
            self.scratch = encoded;
            return;
        }
        let before = if was_open {
            self.lines.pop_back().unwrap_or(0)
        } else {
            0
        };
        let mut open = self.open.take().unwrap_or_default();
        let mut encoded = std::mem::take(&mut self.scratch);
        encoded.clear();
        open.release_held(row.at(0), tables, &mut encoded);
        let mut used = if row.wraps { cols } else { row.used() };
        let last = row.at(cols - 1);
        if row.wraps && last.is_empty() {
            open.held = Some(tables.style(last.style));
            used = cols - 1;
        }
        let stored = row.cells();
        let (stored, _) = stored.split_at(used.min(stored.len()));
        for alike in stored.chunk_by(|one, next| one.style == next.style) {
            let style = alike.first().map_or(0, |cell| cell.style);
            open.change_style(tables.style(style), tables, &mut encoded);
            tables.write_texts(alike, &mut encoded);
        }
        if used > stored.len() {
            open.change_style(Style::default(), tables, &mut encoded);
            encoded.resize(encoded.len() + used - stored.len(), b' ');
        }
        let length = before + encoded.len();
        self.append(before, &encoded);
        self.scratch = encoded;
        let plain = open == Open::default();
        if row.wraps || was_open || !plain {
            self.open = Some(open);
        }
        if !row.wraps || length >= LINE_MAX {
            self.close(tables);
        }
    }

    /// The last line does not go on in the first row of the screen.
    pub(super) fn close(&mut self, tables: &Tables) {
        let Some(mut open) = self.open.take() else {
            return;
        };
        let mut end = Vec::new();
        if open.held.is_some_and(|held| held != Style::default()) {
            open.release_held(Cell::BLANK, tables, &mut end);
        }
        open.change_style(Style::default(), tables, &mut end);
        let mut length = self.lines.pop_back().unwrap_or(0);
        if end.is_empty() {
            // Blanks that nobody sees, from rows that were full once.
            while length > 0 && self.bytes.back() == Some(&b' ') {
                self.bytes.pop_back();
                length -= 1;
            }
        }
        self.append(length, &end);
    }

    fn append(&mut self, before: usize, encoded: &[u8]) {
        while !self.lines.is_empty()
            && (self.lines.len() >= LINES_MAX || self.bytes.len() + encoded.len() > BYTES_MAX)
        {
            self.dropped += self.lines.pop_front().unwrap_or(0);
            if self.dropped >= DROPPED_MAX || self.bytes.len() + encoded.len() > BYTES_MAX {
                self.bytes.drain(..self.dropped.min(self.bytes.len()));
                self.dropped = 0;
            }
        }
        let needed = self.bytes.len() + encoded.len();
        if needed > self.bytes.capacity() {
            let capacity = (self.bytes.capacity() * 2).clamp(needed, BYTES_MAX.max(needed));
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend(encoded);
        self.lines.push_back(before + encoded.len());
    }

    /// Whether the last line goes on in the first row of the screen.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The styles that the next row's bytes may have to be written against.
    pub(super) fn open_styles(&self) -> impl Iterator<Item = Style> + use<> {
        let open = self.open;
        open.into_iter()
            .flat_map(|open| [Some(open.style), open.held])
            .flatten()
    }

    /// Appends what of the open line is not in its bytes yet, before `next`; the style it ends in.
    pub(super) fn write_held(&self, next: Cell, tables: &Tables, out: &mut Vec<u8>) -> Style {
        let mut open = self.open.unwrap_or_default();
        open.release_held(next, tables, out);
        open.style
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = History::new();
    }

    /// The lines, the oldest first.
    pub(super) fn lines(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        let mut from = self.dropped;
        self.lines.iter().map(move |length| {
            let line = self.bytes.range(from..from + length).copied().collect();
            from += length;
            line
        })
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity() + self.lines.capacity() * size_of::<usize>() + self.scratch.capacity()
    }
}

impl Open {
    /// The next cell is known: was the empty column before it only there for its sake?
    fn release_held(&mut self, next: Cell, tables: &Tables, out: &mut Vec<u8>) {
        let Some(held) = self.held.take() else {
            return;
        };
        if !next.is_pushed() {
            self.change_style(held, tables, out);
            out.push(b' ');
        }
    }

    fn change_style(&mut self, to: Style, tables: &Tables, out: &mut Vec<u8>) {
        tables.write_change(&self.style, &to, out);
        self.style = to;
    }
}
