//! What programs rely on.

use super::super::{Screen, Winsize};
use super::same::{assert_same, fresh, restored};

fn fed(rows: u16, cols: u16, output: &str) -> Screen {
    let mut screen = fresh(rows, cols);
    screen.feed(output.as_bytes());
    assert_same(&screen, &restored(&screen));
    screen
}

/// The lines of the screen alone, marked where they go on.
fn lines(screen: &Screen) -> Vec<String> {
    let mut bare = fresh(screen.size().rows, screen.size().cols);
    bare.feed(&screen.snapshot());
    bare.feed(b"\x1b[3J");
    let text = bare.text(usize::MAX);
    text.lines().map(str::to_owned).collect()
}

#[test]
fn text_wraps_and_scrolls() {
    let mut screen = fed(2, 4, "abcdefgh");
    assert_eq!(screen.text(9), "abcdefgh\n");
    screen.feed(b"i\r\nj");
    assert_eq!(screen.text(9), "abcdefghi\nj\n");
    assert_eq!(screen.text(1), "j\n");
}

#[test]
fn a_full_line_wraps_only_with_the_next_character() {
    let mut screen = fed(3, 4, "abcd");
    screen.feed(b"\r\nx");
    assert_eq!(lines(&screen), ["abcd", "x"]);
    assert_eq!(lines(&fed(3, 4, "abcd\x1b[Kx")), ["abcdx"]);
    assert_eq!(lines(&fed(3, 4, "\x1b[?7labcdef")), ["abcf"]);
    assert_eq!(lines(&fed(3, 4, "abc漢")), ["abc漢"]);
}

#[test]
fn the_scroll_region_moves_alone() {
    let screen = fed(4, 8, "1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[3;1H\nnew");
    assert_eq!(lines(&screen), ["1", "3", "new", "4"]);
    let screen = fed(4, 8, "1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[2;1H\x1bMnew");
    assert_eq!(lines(&screen), ["1", "new", "2", "4"]);
    let screen = fed(4, 8, "1\r\n2\r\n3\r\n4\x1b[2;1H\x1b[Lnew");
    assert_eq!(lines(&screen), ["1", "new", "2", "3"]);
    let screen = fed(4, 8, "1\r\n2\r\n3\r\n4\x1b[2;1H\x1b[M");
    assert_eq!(lines(&screen), ["1", "3", "4"]);
}

#[test]
fn lines_are_edited() {
    assert_eq!(lines(&fed(1, 8, "abcdef\x1b[3G\x1b[2P")), ["abef"]);
    assert_eq!(lines(&fed(1, 8, "abcdef\x1b[3G\x1b[2@")), ["ab  cdef"]);
    assert_eq!(lines(&fed(1, 8, "abcdef\x1b[3G\x1b[2X")), ["ab  ef"]);
    assert_eq!(lines(&fed(1, 8, "abcdef\x1b[3G\x1b[4hXY")), ["abXYcdef"]);
    assert_eq!(lines(&fed(1, 8, "a漢b\x1b[3GX")), ["a Xb"]);
    assert_eq!(lines(&fed(1, 8, "-\x1b[5b")), ["------"]);
}

#[test]
fn the_alternate_screen_leaves_the_primary_alone() {
    let mut screen = fed(2, 8, "shell\x1b[?1049h\x1b[Hediting");
    assert_eq!(screen.text(9), "editing\n");
    screen.feed(b"\x1b[?1049l$");
    assert_same(&screen, &restored(&screen));
    assert_eq!(screen.text(9), "shell$\n");
}

#[test]
fn line_drawing_is_drawn() {
    assert_eq!(lines(&fed(1, 8, "\x1b(0lqk\x1b(Bq")), ["┌─┐q"]);
    assert_eq!(lines(&fed(1, 8, "\x1b)0\x0ex\x0fx")), ["│x"]);
}

#[test]
fn titles_are_kept_and_given_back() {
    let mut screen = fed(1, 8, "\x1b]0;one\x07\x1b[22;0t\x1b]2;two\x1b\\");
    assert_eq!(screen.title(), "two");
    screen.feed(b"\x1b[23;0t");
    assert_eq!(screen.title(), "one");
}

#[test]
fn questions_are_answered() {
    let mut screen = fresh(24, 80);
    screen
        .feed(b"\x1b[3;7H\x1b[6n\x1b[5n\x1b[c\x1b[>c\x1b[?2004h\x1b[?2004$p\x1b[?1049$p\x1b[?77$p");
    assert_eq!(
        screen.replies(),
        b"\x1b[3;7R\x1b[0n\x1b[?1;2c\x1b[>0;276;0c\x1b[?2004;1$y\x1b[?1049;2$y\x1b[?77;0$y"
    );
    assert_eq!(screen.replies(), b"");
    screen.feed(b"\x1b]11;?\x07\x1b]10;?;?\x07\x1b]4;196;?;7;?\x07\x1b[18t");
    let replies = String::from_utf8(screen.replies()).unwrap();
    assert_eq!(
        replies.split_inclusive(['\\', 't']).collect::<Vec<_>>(),
        [
            "\x1b]11;rgb:0000/0000/0000\x1b\\",
            "\x1b]10;rgb:e5e5/e5e5/e5e5\x1b\\",
            "\x1b]11;rgb:0000/0000/0000\x1b\\",
            "\x1b]4;196;rgb:ffff/0000/0000\x1b\\",
            "\x1b]4;7;rgb:e5e5/e5e5/e5e5\x1b\\",
            "\x1b[8;24;80t",
        ]
    );
}

#[test]
fn a_snapshot_answers_nothing() {
    let mut screen = fed(
        4,
        20,
        "\x1b[?1004h\x1b[?1003h\x1b[?1049h\x1b[6;3Htext\x1b[c",
    );
    screen.replies();
    assert_eq!(restored(&screen).replies(), b"");
}

fn resized(screen: &mut Screen, rows: u16, cols: u16) -> Vec<String> {
    screen.resize(Winsize { rows, cols });
    assert_same(screen, &restored(screen));
    lines(screen)
}

#[test]
fn a_smaller_window_keeps_the_cursor_and_a_larger_one_brings_lines_back() {
    let mut screen = fed(4, 10, "1\r\n2\r\n3\r\n4");
    assert_eq!(resized(&mut screen, 2, 10), ["3", "4"]);
    assert_eq!(screen.text(9), "1\n2\n3\n4\n");
    assert_eq!(resized(&mut screen, 3, 10), ["2", "3", "4"]);
    screen.feed(b"x");
    assert_eq!(lines(&screen), ["2", "3", "4x"]);
    // What is below the cursor goes first.
    screen.feed(b"\x1b[1;2H");
    assert_eq!(resized(&mut screen, 1, 10), ["2"]);
}

#[test]
fn lines_wrap_anew_but_not_the_one_that_is_written_to() {
    let mut screen = fed(4, 10, "abcdefgh漢字\r\nshort\r\n$ prompt");
    assert_eq!(screen.text(9), "abcdefgh漢字\nshort\n$ prompt\n");
    screen.resize(Winsize { rows: 4, cols: 5 });
    assert_same(&screen, &restored(&screen));
    assert_eq!(screen.text(9), "abcdefgh漢字\nshort\n$ pro\n");
    screen.resize(Winsize { rows: 4, cols: 14 });
    assert_eq!(screen.text(9), "abcdefgh漢字\nshort\n$ pro\n");
    screen.feed(b"\r\x1b[J$ prompt");
    assert_eq!(screen.text(1), "$ prompt\n");
    assert_same(&screen, &restored(&screen));
    // The primary screen, too, while the alternate one is shown.
    screen.feed(b"\r\n\x1b[?1049h\x1b[Hediting");
    screen.resize(Winsize { rows: 3, cols: 6 });
    assert_same(&screen, &restored(&screen));
    assert_eq!(screen.text(9), "editin\n");
    screen.feed(b"\x1b[?1049l");
    assert_eq!(screen.text(9), "abcdefgh漢字\nshort\n$ prompt\n");
}
