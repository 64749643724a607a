//! What a session's terminal shows: a terminal without a window, fed with the session's output.
//!
//! [`Screen`] follows xterm's rules, and xterm.js's where the two differ and a program could tell. It
//! takes whatever a program writes in any cut, in bounded memory, and gives the bytes that make a fresh
//! terminal the same: text, scrollback, cursor, modes, and what is half said. Crates that do this for a
//! library's user (avt, vt100, alacritty_terminal) each leave out a part of that state that programs
//! rely on: mouse modes, tab stops, character sets, margins, saved cursors, or the unfinished sequence.
//!
//! Left out here: double-size lines, left and right margins, protected cells, images, VT52 mode.

mod cell;
mod charset;
mod commands;
mod control_sequences;
mod controls;
mod cursor;
mod grid;
mod history;
mod modes;
mod parser;
mod printing;
mod replies;
mod resizing;
mod sequence;
mod snapshot;
mod style;
mod table;
mod tables;
mod tabs;
mod text;

#[cfg(test)]
mod tests;

use longwire_protocol::shell::Winsize;

use cell::Cell;
use cursor::{Cursor, Pen, Saved};
use grid::Grid;
use history::History;
use modes::Modes;
use parser::{Parser, Token};
use tables::Tables;
use tabs::Tabs;

/// Columns of the widest screen; fewer than 2 do not hold every character.
const COLS: std::ops::RangeInclusive<usize> = 2..=1000;
/// Lines of the highest screen.
const ROWS: std::ops::RangeInclusive<usize> = 1..=1000;
/// Columns times lines of the largest screen.
const CELLS_MAX: usize = 50_000;
/// Bytes of the longest title; what is longer is cut.
const TITLE_MAX: usize = 512;

/// Everything a session's terminal shows and has been told.
#[derive(Debug)]
pub struct Screen {
    rows: usize,
    cols: usize,
    primary: Grid,
    /// The alternate screen while it is shown.
    alternate: Option<Grid>,
    history: History,
    cursor: Cursor,
    pen: Pen,
    /// What was saved on the primary and on the alternate screen.
    saved: Option<Saved>,
    saved_alternate: Option<Saved>,
    /// First and last line of the scroll region.
    margins: (usize, usize),
    modes: Modes,
    tabs: Tabs,
    /// The last thing was a character: it may be repeated.
    repeatable: bool,
    title: String,
    titles: Vec<String>,
    parser: Parser,
    tables: Tables,
    replies: Vec<u8>,
}

impl Screen {
    /// A fresh terminal. A size that is too large or too small is brought within the bounds.
    pub fn new(size: Winsize) -> Self {
        let (rows, cols) = bounded(size);
        Screen {
            rows,
            cols,
            primary: Grid::new(rows),
            alternate: None,
            history: History::new(),
            cursor: Cursor::default(),
            pen: Pen::default(),
            saved: None,
            saved_alternate: None,
            margins: (0, rows - 1),
            modes: Modes::default(),
            tabs: Tabs::default(),
            repeatable: false,
            title: String::new(),
            titles: Vec::new(),
            parser: Parser::default(),
            tables: Tables::new(),
            replies: Vec::new(),
        }
    }

    /// Takes output of the session's programs, cut anywhere.
    pub fn feed(&mut self, output: &[u8]) {
        let mut rest = output;
        loop {
            let (text, control) = self.parser.plain(&mut rest);
            if !text.is_empty() {
                self.print_ascii(text);
            }
            if let Some(byte) = control {
                self.control(byte);
                self.repeatable = false;
                continue;
            }
            let Some(token) = self.parser.next(&mut rest) else {
                return;
            };
            self.act(token);
        }
    }

    fn act(&mut self, token: Token<'_>) {
        match token {
            Token::Ascii(text) => return self.print_ascii(text),
            Token::Char(char) => return self.print(char),
            Token::Control(byte) => self.control(byte),
            Token::Escape(intermediate, last) => self.escape(intermediate, last),
            Token::Csi(csi) => self.control_sequence(&csi),
            Token::Osc(text) => self.command(&text),
        }
        self.repeatable = false;
    }

    /// The size the screen has: the last one it was given, within the bounds.
    pub fn size(&self) -> Winsize {
        Winsize {
            rows: u16::try_from(self.rows).unwrap_or(u16::MAX),
            cols: u16::try_from(self.cols).unwrap_or(u16::MAX),
        }
    }

    /// The window title; empty if none was set.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Bytes of memory it takes, at most 2 MiB whatever it is fed.
    pub fn memory(&self) -> usize {
        size_of::<Self>()
            + self.primary.memory()
            + self.alternate.as_ref().map_or(0, Grid::memory)
            + self.history.memory()
            + self.tables.memory()
            + self.parser.memory()
            + self.replies.capacity()
            + self.title.capacity()
            + self
                .titles
                .iter()
                .map(|title| size_of::<String>() + title.capacity())
                .sum::<usize>()
    }

    /// The screen that is shown.
    fn grid(&self) -> &Grid {
        self.alternate.as_ref().unwrap_or(&self.primary)
    }

    fn grid_mut(&mut self) -> &mut Grid {
        self.alternate.as_mut().unwrap_or(&mut self.primary)
    }

    /// What a cell looks like once erased: as wide as the screen, in the pen's background.
    fn erased(&mut self) -> (usize, u16) {
        if self.pen.style.background == style::Colour::Default {
            return (self.cols, 0);
        }
        let style = self.pen.style.erased();
        (self.cols, self.style_number(style))
    }

    /// The number of a style. A screen with more styles than there are numbers gets plainer ones.
    fn style_number(&mut self, style: style::Style) -> u16 {
        if let Some(number) = self.tables.add_style(style) {
            return number;
        }
        self.collect();
        self.tables
            .add_style(style)
            .or_else(|| self.tables.add_style(style.approximated()))
            .unwrap_or(0)
    }

    /// Drops from the tables what is not in use any more, if one of them is full.
    fn collect(&mut self) {
        if !self.tables.should_collect() {
            return;
        }
        let grids = std::iter::once(&self.primary).chain(&self.alternate);
        let cells = grids
            .flat_map(Grid::rows)
            .flat_map(|row| row.cells().iter().copied());
        let saved = [&self.saved, &self.saved_alternate];
        let styles = saved
            .into_iter()
            .flatten()
            .map(|saved| saved.pen.style)
            .chain([self.pen.style])
            .chain(self.history.open_styles());
        self.tables.collect(cells, styles);
        self.pen.number = None;
    }

    /// The cell in a place of the screen that is shown.
    fn cell(&self, line: usize, column: usize) -> Cell {
        self.grid()
            .row(line)
            .map_or(Cell::BLANK, |row| row.at(column))
    }
}

/// Rows and columns within the bounds.
fn bounded(size: Winsize) -> (usize, usize) {
    let cols = usize::from(size.cols).clamp(*COLS.start(), *COLS.end());
    let rows = usize::from(size.rows).clamp(*ROWS.start(), *ROWS.end());
    (rows.min(CELLS_MAX / cols), cols)
}
