//! How much it may take, whatever it is fed.

use std::io::Write;

use super::super::snapshot::SNAPSHOT_MAX;
use super::super::{CELLS_MAX, Screen, Winsize};
use super::same::{fresh, restored};

const MEMORY_MAX: usize = 2 * 1024 * 1024;

fn assert_bounded(screen: &Screen) {
    assert!(screen.memory() <= MEMORY_MAX, "{} bytes", screen.memory());
    let snapshot = screen.snapshot();
    assert!(snapshot.len() <= SNAPSHOT_MAX, "{} bytes", snapshot.len());
}

/// The largest screen, both screens full of what `write` says for each cell.
fn filled(mut write: impl FnMut(&mut Vec<u8>, u32)) -> Screen {
    let mut screen = fresh(u16::MAX, u16::MAX);
    let cells = u32::from(screen.size().rows) * u32::from(screen.size().cols);
    assert!(cells as usize > CELLS_MAX * 9 / 10);
    let mut output = Vec::new();
    for round in 0..3 {
        (0..cells).for_each(|index| write(&mut output, index + round * cells));
        if round == 1 {
            output.extend_from_slice(b"\x1b[?1049h");
        }
    }
    screen.feed(&output);
    assert_bounded(&screen);
    screen
}

#[test]
fn a_huge_screen_full_of_colours_is_bounded() {
    let screen = filled(|output, index| {
        let [_, a, b, c] = index.wrapping_mul(2_654_435_761).to_be_bytes();
        write!(
            output,
            "\x1b[38;2;{a};{b};{c};48;2;{c};{a};{b};58:2::{b}:{c}:{a};4:3mx"
        )
        .unwrap();
    });
    assert_eq!(restored(&screen).text(usize::MAX), screen.text(usize::MAX));
}

#[test]
fn a_huge_screen_full_of_combining_characters_is_bounded() {
    let screen = filled(|output, index| {
        let mark = |shift: u32| char::from_u32(0x300 + (index >> shift) % 0x6f).unwrap();
        let marks: String = (0..20).map(mark).collect();
        write!(output, "漢{marks}").unwrap();
    });
    assert_eq!(restored(&screen).text(usize::MAX), screen.text(usize::MAX));
}

#[test]
fn a_huge_screen_full_of_links_is_bounded() {
    let screen = filled(|output, index| {
        write!(
            output,
            "\x1b]8;id={index};http://example.com/{index}/{}\x07l",
            "x".repeat(60)
        )
        .unwrap();
    });
    assert_eq!(restored(&screen).text(usize::MAX), screen.text(usize::MAX));
}

#[test]
fn scrollback_is_bounded_in_lines_and_bytes() {
    let mut screen = fresh(24, 1000);
    let mut output = Vec::new();
    for line in 0..5000u32 {
        writeln!(output, "{line}\r").unwrap();
    }
    screen.feed(&output);
    assert_eq!(screen.text(usize::MAX).lines().count(), 2000 + 23);
    assert_bounded(&screen);
    for line in 0..60u32 {
        output.clear();
        for column in 0..900u32 {
            let colour = (line * 7 + column) % 256;
            write!(output, "\x1b[38;5;{colour};48;2;{colour};0;9m#").unwrap();
        }
        output.extend_from_slice(b"\r\n");
        screen.feed(&output);
    }
    assert_bounded(&screen);
    // One line without an end.
    for _ in 0..300 {
        screen.feed(&[b'y'; 4096]);
    }
    assert_bounded(&screen);
}

#[test]
fn unfinished_and_endless_sequences_are_bounded() {
    for lead in [
        "\x1b[", "\x1b]0;", "\x1b]", "\x1bP", "\x1b_", "\x1b^", "\x1b", "\x1b(", "\x1b[?1;",
    ] {
        for filling in ["1", " ", "é", "\x1b[", ";"] {
            let mut screen = fresh(24, 80);
            screen.feed(lead.as_bytes());
            for _ in 0..1000 {
                screen.feed(filling.repeat(100).as_bytes());
            }
            assert_bounded(&screen);
        }
    }
    let mut screen = fresh(24, 80);
    for _ in 0..10_000 {
        screen.feed(b"\x1b[c\x1b[6n\x1b]0;a title, quite long, but not too long\x07\x1b[22t");
    }
    assert!(screen.replies().len() <= 4096);
    assert_bounded(&screen);
}

#[test]
fn any_size_is_brought_within_the_bounds() {
    let mut screen = fresh(24, 80);
    for (rows, cols) in [
        (u16::MAX, u16::MAX),
        (1, u16::MAX),
        (u16::MAX, 1),
        (1, 1),
        (0, 0),
        (24, 80),
    ] {
        screen.resize(Winsize { rows, cols });
        for _ in 0..60 {
            screen.feed("漢x\x1b[31m".repeat(1000).as_bytes());
        }
        assert_bounded(&screen);
        assert!(usize::from(screen.size().rows) * usize::from(screen.size().cols) <= CELLS_MAX);
    }
    assert_eq!(screen.size(), Winsize { rows: 24, cols: 80 });
}
