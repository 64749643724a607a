//! What programs wrote to a terminal of 24 lines and 80 columns, while they were used: vim (two windows,
//! a search, a selection), less (line numbers, a search), htop, bash (colours, tabs, a line being
//! edited past the edge), tmux (three panes). Beside each the screen at its end as another terminal,
//! tmux, shows it.

use super::super::Screen;
use super::same::{assert_same, fresh, restored};

const CORPUS: [(&str, &[u8], &str); 5] = [
    (
        "vim",
        include_bytes!("corpus/vim.raw"),
        include_str!("corpus/vim.txt"),
    ),
    (
        "less",
        include_bytes!("corpus/less.raw"),
        include_str!("corpus/less.txt"),
    ),
    (
        "htop",
        include_bytes!("corpus/htop.raw"),
        include_str!("corpus/htop.txt"),
    ),
    (
        "shell",
        include_bytes!("corpus/shell.raw"),
        include_str!("corpus/shell.txt"),
    ),
    (
        "tmux",
        include_bytes!("corpus/tmux.raw"),
        include_str!("corpus/tmux.txt"),
    ),
];

/// The rows on the screen, each as a line of its own.
fn rows(screen: &Screen) -> Vec<String> {
    let rows = screen.grid().rows();
    let texts = rows.iter().map(|row| {
        let mut bytes = Vec::new();
        screen.tables.write_texts(row.cells(), &mut bytes);
        String::from_utf8(bytes).unwrap().trim_end().to_owned()
    });
    texts.collect()
}

#[test]
fn programs_look_as_in_another_terminal() {
    for (name, output, expected) in CORPUS {
        let mut screen = fresh(24, 80);
        screen.feed(output);
        let expected: Vec<_> = expected.lines().map(str::trim_end).collect();
        assert_eq!(rows(&screen), expected, "{name}");
        assert_eq!(rows(&restored(&screen)), expected, "{name}");
    }
}

#[test]
fn a_snapshot_anywhere_within_a_program_s_output_is_enough() {
    for (_, output, _) in CORPUS {
        let mut screen = fresh(24, 80);
        let mut followers: Vec<Screen> = Vec::new();
        // A prime, so that cuts fall anywhere into sequences.
        for piece in output.chunks(331) {
            screen.feed(piece);
            for follower in &mut followers {
                follower.feed(piece);
                assert_same(&screen, follower);
            }
            let newest = restored(&screen);
            assert_same(&screen, &newest);
            followers.push(newest);
            if followers.len() > 2 {
                followers.remove(0);
            }
        }
    }
}
