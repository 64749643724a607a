//! Tab stops.

use super::COLS;
use super::style::push_number;

/// Bits of one word.
const WORD: usize = u64::BITS as usize;
/// Words for all columns.
const WORDS: usize = COLS.end().div_ceil(WORD);
/// Every eighth column.
const EVERY_EIGHTH: u64 = 0x0101_0101_0101_0101;

/// In which columns, of all that a screen may ever have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tabs {
    words: [u64; WORDS],
}

impl Default for Tabs {
    fn default() -> Self {
        Tabs {
            words: [EVERY_EIGHTH; WORDS],
        }
    }
}

impl Tabs {
    fn has(&self, column: usize) -> bool {
        self.words
            .get(column / WORD)
            .is_some_and(|word| word >> (column % WORD) & 1 == 1)
    }

    /// Sets or takes away one.
    pub(super) fn set(&mut self, column: usize, on: bool) {
        if let Some(word) = self.words.get_mut(column / WORD) {
            let bit = 1 << (column % WORD);
            *word = if on { *word | bit } else { *word & !bit };
        }
    }

    /// Takes away all.
    pub(super) fn clear(&mut self) {
        self.words = [0; WORDS];
    }

    /// The next stop behind a column, or the last column.
    pub(super) fn next(&self, column: usize, cols: usize) -> usize {
        (column + 1..cols)
            .find(|column| self.has(*column))
            .unwrap_or(cols - 1)
    }

    /// The last stop before a column, or the first column.
    pub(super) fn previous(&self, column: usize) -> usize {
        (0..column)
            .rev()
            .find(|column| self.has(*column))
            .unwrap_or(0)
    }

    /// Appends what brings a terminal of `cols` columns with every eighth set to these. Moves the
    /// cursor. Stops in columns that such a terminal does not have are not carried.
    pub(super) fn write_to(&self, cols: usize, out: &mut Vec<u8>) {
        if (0..cols).all(|column| self.has(column) == (column % 8 == 0)) {
            return;
        }
        out.extend_from_slice(b"\x1b[3g");
        for column in (0..cols).filter(|column| self.has(*column)) {
            out.extend_from_slice(b"\x1b[");
            push_number(out, u32::try_from(column + 1).unwrap_or(1));
            out.extend_from_slice(b"G\x1bH");
        }
    }
}
