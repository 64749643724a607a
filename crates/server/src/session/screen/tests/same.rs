//! Whether two screens are the same in everything that can ever be seen of them.

use std::fmt::Debug;

use super::super::cell::Content;
use super::super::cursor::Saved;
use super::super::grid::Grid;
use super::super::style::Style;
use super::super::{Screen, Winsize};

pub(super) fn fresh(rows: u16, cols: u16) -> Screen {
    Screen::new(Winsize { rows, cols })
}

/// A fresh terminal that was fed the snapshot.
pub(super) fn restored(screen: &Screen) -> Screen {
    let mut restored = Screen::new(screen.size());
    restored.feed(&screen.snapshot());
    restored
}

/// Fails with what is not the same.
pub(super) fn assert_same(left: &Screen, right: &Screen) {
    equal("size", &left.size(), &right.size());
    equal(
        "alternate",
        &left.alternate.is_some(),
        &right.alternate.is_some(),
    );
    for line in 0..left.rows {
        let of = |screen: &Screen| shown(screen, &screen.primary, line);
        equal_lines("primary", line, of(left), of(right));
        if let (Some(one), Some(other)) = (&left.alternate, &right.alternate) {
            let (one, other) = (shown(left, one, line), shown(right, other, line));
            equal_lines("alternate", line, one, other);
        }
    }
    let scrollback = |screen: &Screen| {
        let lines: Vec<_> = screen.history.lines().collect();
        let lines = lines.iter().map(|line| line.escape_ascii().to_string());
        (lines.collect::<Vec<_>>(), screen.history.is_open())
    };
    equal("scrollback", &scrollback(left), &scrollback(right));
    equal("cursor", &left.cursor, &right.cursor);
    equal("pen", &pen(left), &pen(right));
    equal("charsets", &left.pen.charsets, &right.pen.charsets);
    equal("saved", &saved(&left.saved), &saved(&right.saved));
    let alternate = |screen: &Screen| saved(&screen.saved_alternate);
    equal(
        "saved on the alternate",
        &alternate(left),
        &alternate(right),
    );
    equal("margins", &left.margins, &right.margins);
    equal("modes", &left.modes, &right.modes);
    let tabs = |screen: &Screen| {
        let stops = |column: &usize| screen.tabs.next(*column, screen.cols + 1);
        (0..screen.cols)
            .map(|column| stops(&column))
            .collect::<Vec<_>>()
    };
    equal("tabs", &tabs(left), &tabs(right));
    equal("repeatable", &left.repeatable, &right.repeatable);
    equal("title", &left.title, &right.title);
    equal("titles", &left.titles, &right.titles);
    equal("parser", &left.parser, &right.parser);
}

fn equal<T: PartialEq + Debug>(what: &str, left: &T, right: &T) {
    assert!(left == right, "{what}:\n  left {left:?}\n right {right:?}");
}

type Line = (Vec<(String, Looks)>, bool);

fn equal_lines(what: &str, line: usize, left: Line, right: Line) {
    for (column, (left, right)) in left.0.iter().zip(&right.0).enumerate() {
        equal(&format!("{what} {line} {column}"), left, right);
    }
    equal(&format!("{what} {line} goes on"), &left.1, &right.1);
}

type Looks = (Style, String);

fn looks(screen: &Screen, style: &Style) -> Looks {
    (style.unlinked(), screen.tables.link(style.link).to_owned())
}

fn pen(screen: &Screen) -> Looks {
    looks(screen, &screen.pen.style)
}

fn saved(saved: &Option<Saved>) -> impl PartialEq + Debug + use<> {
    saved.map(|saved| {
        (
            saved.cursor,
            saved.pen.style,
            saved.pen.charsets,
            saved.origin,
        )
    })
}

/// Characters with their looks, and whether the line goes on.
fn shown(screen: &Screen, grid: &Grid, line: usize) -> Line {
    let row = grid.row(line).unwrap();
    let mut cells = Vec::new();
    for column in 0..screen.cols {
        let cell = row.at(column);
        let text = match cell.content() {
            Content::Char(char) => char.to_string(),
            Content::Cluster(number) => screen.tables.cluster(number).to_owned(),
            Content::Tail => "→".to_owned(),
        };
        cells.push((text, looks(screen, &screen.tables.style(cell.style))));
    }
    (cells, row.wraps)
}
