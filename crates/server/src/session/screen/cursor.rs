//! Where the next character goes, and how it will look.

use super::charset::Charsets;
use super::style::Style;

/// A place on the screen, from 0. A column equal to the width: the line is full, and the next character
/// goes to the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Cursor {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// How the next character will look.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pen {
    pub(super) style: Style,
    /// The style's number, if it has been asked for.
    pub(super) number: Option<u16>,
    pub(super) charsets: Charsets,
}

/// What "save cursor" saves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Saved {
    pub(super) cursor: Cursor,
    pub(super) pen: Pen,
    pub(super) origin: bool,
}

impl PartialEq for Pen {
    /// Numbers are only a shorter way to say the same.
    fn eq(&self, other: &Self) -> bool {
        (self.style, self.charsets) == (other.style, other.charsets)
    }
}
