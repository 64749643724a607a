//! What is written is what is read, here and by asciinema.

use std::time::Duration;

use longwire_asciicast::{CastError, Event, Header, Item, LINE_MAX, Reader, Version, What, Writer};
use proptest::prelude::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn read(cast: &[u8], piece: usize) -> Result<Vec<Item>, CastError> {
    let mut reader = Reader::new();
    let mut items = Vec::new();
    for mut piece in cast.chunks(piece) {
        while let Some(item) = reader.next(&mut piece)? {
            items.push(item);
        }
    }
    items.extend(reader.finish()?);
    Ok(items)
}

fn header() -> Header {
    Header {
        timestamp: Some(1_700_000_000),
        title: Some("a \"title\"\n".to_owned()),
        command: Some("/bin/sh".to_owned()),
        term: Some("xterm-256color".to_owned()),
        idle_time_limit_ms: Some(2500),
        env: [("SHELL".to_owned(), "/bin/sh".to_owned())].into(),
        ..Header::new(80, 24)
    }
}

fn written(version: Version) -> Vec<u8> {
    let mut cast = Vec::new();
    let mut writer = Writer::new(version, &header(), &mut cast);
    writer.output(ms(1000), b"$ \x1b[1mgr\xc3", &mut cast);
    writer.input(ms(1200), b"q\x7f\"", &mut cast);
    writer.output(ms(1500), b"\xbcn\\\xff\r\n", &mut cast);
    writer.resize(ms(2000), 100, 30, &mut cast);
    writer.marker(ms(2000), "a place", &mut cast);
    writer.output(ms(1900), b"late \xe6\xbc", &mut cast);
    writer.exit(ms(3000), 130, &mut cast);
    cast
}

#[test]
fn the_lines_of_version_2() {
    assert_eq!(
        String::from_utf8(written(Version::V2)).unwrap(),
        concat!(
            r#"{"version":2,"width":80,"height":24,"timestamp":1700000000,"idle_time_limit":2.5,"#,
            r#""command":"/bin/sh","title":"a \"title\"\n","env":{"SHELL":"/bin/sh","TERM":"xterm-256color"}}"#,
            "\n",
            r#"[1.000000,"o","$ \u001b[1mgr"]"#,
            "\n",
            r#"[1.200000,"i","q\u007f\""]"#,
            "\n",
            r#"[1.500000,"o","ün\\�\r\n"]"#,
            "\n",
            r#"[2.000000,"r","100x30"]"#,
            "\n",
            r#"[2.000000,"m","a place"]"#,
            "\n",
            r#"[2.000000,"o","late "]"#,
            "\n",
            r#"[3.000000,"o","�"]"#,
            "\n",
        )
    );
}

#[test]
fn the_lines_of_version_3() {
    assert_eq!(
        String::from_utf8(written(Version::V3)).unwrap(),
        concat!(
            r#"{"version":3,"term":{"cols":80,"rows":24,"type":"xterm-256color"},"timestamp":1700000000,"#,
            r#""idle_time_limit":2.5,"command":"/bin/sh","title":"a \"title\"\n","env":{"SHELL":"/bin/sh"}}"#,
            "\n",
            r#"[1.000000,"o","$ \u001b[1mgr"]"#,
            "\n",
            r#"[0.200000,"i","q\u007f\""]"#,
            "\n",
            r#"[0.300000,"o","ün\\�\r\n"]"#,
            "\n",
            r#"[0.500000,"r","100x30"]"#,
            "\n",
            r#"[0.000000,"m","a place"]"#,
            "\n",
            r#"[0.000000,"o","late "]"#,
            "\n",
            r#"[1.000000,"o","�"]"#,
            "\n",
            r#"[0.000000,"x","130"]"#,
            "\n",
        )
    );
}

#[test]
fn what_was_written_is_read() {
    let event = |at, what| Item::Event(Event { at: ms(at), what });
    let output = |at, text: &str| event(at, What::Output(text.to_owned()));
    for version in [Version::V2, Version::V3] {
        let mut expected = vec![
            Item::Header(version, header()),
            output(1000, "$ \u{1b}[1mgr"),
            event(1200, What::Input("q\u{7f}\"".to_owned())),
            output(1500, "ün\\\u{fffd}\r\n"),
            event(
                2000,
                What::Resize {
                    cols: 100,
                    rows: 30,
                },
            ),
            event(2000, What::Marker("a place".to_owned())),
            output(2000, "late "),
            output(3000, "\u{fffd}"),
        ];
        if version == Version::V3 {
            expected.push(event(3000, What::Exit { status: 130 }));
        }
        for piece in [1, 7, 4096] {
            assert_eq!(read(&written(version), piece).unwrap(), expected);
        }
    }
}

#[test]
fn casts_of_others_are_read() {
    let cast = "{\"version\": 3, \"term\": {\"cols\": 9, \"rows\": 8, \"theme\": {}}, \"tags\": [1]}\n\
        # a comment\n\n[1, \"o\", \"a\"]\r\n[0.5, \"z\", \"new\"]\n[0.25, \"x\", 1]";
    let items = read(cast.as_bytes(), 5).unwrap();
    let event = |at, what| Item::Event(Event { at: ms(at), what });
    let other = What::Other {
        code: "z".to_owned(),
        data: "new".to_owned(),
    };
    assert_eq!(
        items,
        [
            Item::Header(Version::V3, Header::new(9, 8)),
            event(1000, What::Output("a".to_owned())),
            event(1500, other),
            event(1750, What::Exit { status: 1 }),
        ]
    );
}

#[test]
fn what_is_no_cast_is_said_to_be_none() {
    for (cast, expected) in [
        ("hello\n", "not a cast: expected value at line 1 column 1"),
        ("[]\n", "not a cast: invalid length 0, expected a map"),
        ("{}\n", "not a cast: no version"),
        ("{\"version\":1}\n", "casts of version 1 are not read"),
        ("{\"version\":2,\"width\":80}\n", "not a cast: no size"),
        (
            "{\"version\":3,\"term\":{\"cols\":70000,\"rows\":1}}",
            "not a cast: no size",
        ),
    ] {
        let error = read(cast.as_bytes(), 100).unwrap_err().to_string();
        let same = error == expected || cast == "[]\n" && error.starts_with("not a cast: ");
        assert!(same, "{cast}: {error}");
    }
    for (event, why) in [
        ("[1]", "line 2: not an event"),
        ("[-1,\"o\",\"\"]", "line 2: not a time"),
        ("[1e300,\"o\",\"\"]", "line 2: not a time"),
        ("[1,\"r\",\"80\"]", "line 2: not a size"),
        ("[1,\"r\",\"80x70000\"]", "line 2: not a size"),
        ("[1,\"x\",\"ok\"]", "line 2: not a status"),
        ("[1,\"o\",null]", "line 2: no text"),
        ("[1,\"o\",\"\\ud800\"]", "line 2: not an event"),
    ] {
        let cast = format!("{{\"version\":2,\"width\":80,\"height\":24}}\n{event}\n");
        assert_eq!(
            read(cast.as_bytes(), 100).unwrap_err().to_string(),
            why,
            "{event}"
        );
    }
}

#[test]
fn a_line_without_an_end_is_not_kept_for_ever() {
    let mut reader = Reader::new();
    let piece = [b'x'; 64 * 1024];
    for _ in 0..LINE_MAX / piece.len() {
        assert_eq!(reader.next(&mut piece.as_slice()), Ok(None));
    }
    let error = reader.next(&mut piece.as_slice()).unwrap_err();
    assert_eq!(error, CastError::TooLong(1));
}

#[test]
fn asciinema_shows_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.cast");
    std::fs::write(&file, written(Version::V2)).unwrap();
    // It wants a terminal; this one changes nothing of what it is given.
    let command = format!("stty raw -echo; asciinema cat {}", file.display());
    let mut terminal = std::process::Command::new("script");
    terminal.args(["-qec", &command, "/dev/null"]);
    let shown = terminal
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert!(shown.status.success(), "{shown:?}");
    assert_eq!(
        String::from_utf8(shown.stdout).unwrap(),
        "$ \u{1b}[1mgrün\\\u{fffd}\r\nlate \u{fffd}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// However output is cut into events, the cast says the same text: that of all its bytes.
    #[test]
    fn characters_survive_any_cut(
        pieces in proptest::collection::vec(
            prop_oneof![
                "\\PC{0,4}".prop_map(String::into_bytes),
                proptest::collection::vec(any::<u8>(), 0..5),
            ],
            0..8,
        ),
        cut in 1usize..5,
        v3 in any::<bool>(),
    ) {
        let version = if v3 { Version::V3 } else { Version::V2 };
        let bytes = pieces.concat();
        let mut cast = Vec::new();
        let mut writer = Writer::new(version, &Header::new(80, 24), &mut cast);
        for (index, piece) in (0u64..).zip(bytes.chunks(cut)) {
            writer.output(ms(index * 3), piece, &mut cast);
        }
        writer.finish(&mut cast);
        let mut text = String::new();
        for item in read(&cast, 11).unwrap() {
            if let Item::Event(Event { what: What::Output(more), .. }) = item {
                text.push_str(&more);
            }
        }
        prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let cast = [b"{\"version\":2,\"width\":80,\"height\":24}\n[1,\"o\",".as_slice(), &bytes].concat();
        let _ = read(&cast, 16);
    }
}
