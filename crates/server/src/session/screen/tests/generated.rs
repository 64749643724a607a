//! Whatever a screen is fed: a snapshot makes a fresh one the same, and the same it stays.

use std::fmt;

use proptest::prelude::*;

use super::same::{assert_same, fresh, restored};

/// Bytes that a failure shows legibly.
#[derive(Clone)]
struct Output(Vec<u8>);

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// Bytes as programs write them, more or less.
fn output() -> impl Strategy<Value = Output> {
    let piece = prop_oneof![
        6 => text(),
        6 => control_sequence(),
        2 => select(CONTROLS),
        3 => mode(),
        3 => graphic_rendition(),
        1 => command(),
        1 => proptest::collection::vec(any::<u8>(), 0..6),
        1 => cut(),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| Output(pieces.concat()))
}

fn select(from: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    proptest::sample::select(from).prop_map(<[u8]>::to_vec)
}

const CONTROLS: &[&[u8]] = &[
    b"\n",
    b"\r",
    b"\r\n",
    b"\r\n",
    b"\r\n",
    b"\x08",
    b"\t",
    b"\x0e",
    b"\x0f",
    b"\x0b",
    b"\x0c",
    b"\x07",
    b"\x1b7",
    b"\x1b8",
    b"\x1bD",
    b"\x1bE",
    b"\x1bM",
    b"\x1bM",
    b"\x1bH",
    b"\x1b=",
    b"\x1b>",
    b"\x1b(0",
    b"\x1b(B",
    b"\x1b)0",
    b"\x1b)A",
    b"\x1b*0",
    b"\x1bn",
    b"\x1bo",
    b"\x1b#8",
    b"\x1bc",
    b"\x1b\\",
    b"\xc2\x9b3C",
    b"\xc2\x85",
    b"\x1b[!p",
    b"\x1b[22;0t",
    b"\x1b[23;0t",
];

fn text() -> impl Strategy<Value = Vec<u8>> {
    let char = prop_oneof![
        10 => proptest::char::range(' ', '~').prop_map(String::from),
        2 => Just(" ".to_owned()),
        2 => proptest::sample::select(&["漢", "字", "한", "😀", "é", "e\u{301}", "漢\u{302}",
            "\u{301}", "─", "☺", "\u{200d}", "\u{fe0f}", "ﷺ", "\u{a0}", "\u{e0100}"][..])
            .prop_map(str::to_owned),
    ];
    proptest::collection::vec(char, 1..14).prop_map(|chars| chars.concat().into_bytes())
}

fn control_sequence() -> impl Strategy<Value = Vec<u8>> {
    let last = proptest::sample::select(&b"@ABCDEFGHIJKLMPSTXZ^`abcdefgnrsuhlHHKKJ"[..]);
    (proptest::collection::vec(0u16..14, 0..3), last).prop_map(|(parameters, last)| {
        let parameters: Vec<_> = parameters.iter().map(u16::to_string).collect();
        format!("\x1b[{}{}", parameters.join(";"), char::from(last)).into_bytes()
    })
}

fn mode() -> impl Strategy<Value = Vec<u8>> {
    let mode = proptest::sample::select(
        &[
            "?1", "?5", "?6", "?7", "?12", "?25", "?47", "?1047", "?1048", "?1049", "?1049", "?66",
            "?9", "?1000", "?1002", "?1003", "?1004", "?1005", "?1006", "?1015", "?1016", "?2004",
            "?2026", "4", "20",
        ][..],
    );
    let other = proptest::sample::select(
        &[
            "\x1b[3 q",
            "\x1b[0 q",
            "\x1b[>4;2m",
            "\x1b[>4m",
            "\x1b[?6n",
            "\x1b[c",
            "\x1b[?7$p",
        ][..],
    );
    prop_oneof![
        5 => (mode, any::<bool>()).prop_map(|(mode, on)| {
            format!("\x1b[{mode}{}", if on { 'h' } else { 'l' })
        }),
        1 => other.prop_map(str::to_owned),
    ]
    .prop_map(String::into_bytes)
}

fn graphic_rendition() -> impl Strategy<Value = Vec<u8>> {
    let parameter = prop_oneof![
        (0u16..110).prop_map(|parameter| parameter.to_string()),
        proptest::sample::select(
            &["41", "0", "", "44", "7", "4:3", "4:0", "38;5;123", "48:5:9"][..]
        )
        .prop_map(str::to_owned),
        (38u8..=38, any::<[u8; 3]>()).prop_map(|(what, [r, g, b])| format!("{what};2;{r};{g};{b}")),
        any::<[u8; 3]>().prop_map(|[r, g, b]| format!("48:2::{r}:{g}:{b}")),
        any::<[u8; 3]>().prop_map(|[r, g, b]| format!("58:2:{r}:{g}:{b}")),
    ];
    proptest::collection::vec(parameter, 0..4)
        .prop_map(|parameters| format!("\x1b[{}m", parameters.join(";")).into_bytes())
}

fn command() -> impl Strategy<Value = Vec<u8>> {
    select(&[
        b"\x1b]0;a title\x07",
        b"\x1b]2;another; one \xc3\xa9\x1b\\",
        b"\x1b]2;\x07",
        b"\x1b]8;;http://example.com/a b\x1b\\",
        b"\x1b]8;id=1;http://example.com\x07",
        b"\x1b]8;;\x1b\\",
        b"\x1b]11;?\x07",
        b"\x1b]52;c;aGVsbG8=\x07",
        b"\x1bP+q544e\x1b\\",
        b"\x1b_Gi=1\x1b\\",
    ])
}

/// What is not finished, or out of order.
fn cut() -> impl Strategy<Value = Vec<u8>> {
    select(&[
        b"\x1b",
        b"\x1b[",
        b"\x1b[3",
        b"\x1b[38;5",
        b"\x1b[?",
        b"\x1b]",
        b"\x1b]2;ti",
        b"\x1b]x",
        b"\x1bP1",
        b"\x1b(",
        b"\xe6\xbc",
        b"\xf0\x9f",
        b"\xc3",
        b"\x1b[1<",
        b"\x1b[ ",
        b"\x1b##",
        b"\x1b[3b",
        b"\x18",
    ])
}

fn size() -> impl Strategy<Value = (u16, u16)> {
    (1u16..7, 2u16..14)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_snapshot_makes_a_fresh_screen_the_same(
        (rows, cols) in size(),
        before in output(),
        after in output(),
    ) {
        let mut screen = fresh(rows, cols);
        screen.feed(&before.0);
        let mut again = restored(&screen);
        assert_same(&screen, &again);
        screen.replies();
        again.replies();
        screen.feed(&after.0);
        again.feed(&after.0);
        assert_same(&screen, &again);
        prop_assert_eq!(screen.replies(), again.replies());
    }

    #[test]
    fn a_snapshot_of_a_resized_screen_does_as_well(
        sizes in proptest::collection::vec((size(), output()), 1..4),
        (last_rows, last_cols) in size(),
        after in output(),
    ) {
        let mut screen = fresh(4, 10);
        for ((rows, cols), output) in sizes {
            screen.feed(&output.0);
            screen.resize(super::super::Winsize { rows, cols });
        }
        let mut again = restored(&screen);
        assert_same(&screen, &again);
        for screen in [&mut screen, &mut again] {
            screen.feed(&after.0);
            screen.resize(super::super::Winsize { rows: last_rows, cols: last_cols });
            screen.feed(&after.0);
        }
        assert_same(&screen, &again);
    }

    #[test]
    fn a_cut_makes_no_difference(
        (rows, cols) in size(),
        output in output(),
        at in any::<prop::sample::Index>(),
    ) {
        let (first, second) = output.0.split_at(at.index(output.0.len() + 1));
        let mut whole = fresh(rows, cols);
        whole.feed(&output.0);
        let mut cut = fresh(rows, cols);
        cut.feed(first);
        cut.feed(second);
        assert_same(&whole, &cut);
    }

    #[test]
    fn any_bytes_do(before in proptest::collection::vec(any::<u8>(), 0..300).prop_map(Output)) {
        let mut screen = fresh(3, 7);
        screen.feed(&before.0);
        assert_same(&screen, &restored(&screen));
    }
}
