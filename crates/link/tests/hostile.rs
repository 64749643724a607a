//! A peer that breaks the rules loses its link, hears why, and harms nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

mod pair;

use bytes::Bytes;
use longwire_link::wire::{Hello, OnLink, State, ToShell, ToUser};
use longwire_link::{LinkError, ShellConfig, ShellEnd, UserEnd, limits};
use longwire_protocol::control::Control;
use longwire_protocol::shell::{Stop, Winsize};
use longwire_protocol::{Message, Props, Value, proto};
use pair::{Pair, SID};

fn hello() -> Message {
    OnLink::Hello(Hello::default()).to_message()
}

fn with(mut message: Message, name: &str, value: impl Into<Value>) -> Message {
    message.props.set(name, value);
    message
}

fn bytes(count: usize) -> Bytes {
    Bytes::from(vec![b'x'; count])
}

/// A shell that runs, with three bytes of input applied and five of output acknowledged.
fn running() -> Pair {
    let mut pair = Pair::running(&[SID, "other"]);
    pair.shell.output(SID, b"hello", 1).unwrap();
    pair.user.input(SID, b"abc", pair.now).unwrap();
    pair.exchange();
    pair.shell.wrote(SID, 3).unwrap();
    pair.user.recorded(SID, 5).unwrap();
    pair.exchange();
    pair
}

/// After the error, the link is gone, the sessions are not, and the next link works.
fn recovers(pair: &mut Pair) {
    assert!(!pair.shell.is_linked() || !pair.user.is_linked());
    pair.reconnect();
    pair.events();
    for sid in [SID, "other"] {
        pair.shell.output(sid, b"still here", 2).unwrap();
        pair.user.input(sid, b"me too", pair.now).unwrap();
    }
    pair.exchange();
    for sid in [SID, "other"] {
        assert!(pair.shell.input(sid).ends_with(b"me too"));
    }
    assert_eq!(pair.user.output_position(SID).unwrap().0, 15);
}

#[test]
fn shell_end_refuses_what_a_user_end_must_not_say() {
    let input = |offset, epoch, count| {
        ToShell::Input {
            offset,
            epoch,
            bytes: bytes(count),
        }
        .to_message(SID)
    };
    let sid = || SID.to_owned();
    let ack = |offset| ToShell::Ack { offset, end: false }.to_message(SID);
    let resume = ToShell::Resume {
        have: Some(0),
        epoch: 1,
        size: None,
        more: Props::new(),
    };
    let cases: Vec<(Message, LinkError)> = vec![
        (hello(), LinkError::SecondHello),
        (
            input(4, 1, 1),
            LinkError::Hole {
                sid: sid(),
                expected: 3,
                offset: 4,
            },
        ),
        (
            input(3, 2, 1),
            LinkError::Epoch {
                sid: sid(),
                epoch: 2,
            },
        ),
        (
            ToShell::Skip {
                offset: 9,
                epoch: 2,
            }
            .to_message(SID),
            LinkError::Epoch {
                sid: sid(),
                epoch: 2,
            },
        ),
        (
            input(3, 1, limits::MAX_BODY + 1),
            LinkError::TooMuch("input"),
        ),
        (
            ToShell::Interrupt {
                offset: 4 + limits::MAX_INTERRUPT_AHEAD,
                epoch: 1,
                byte: 3,
            }
            .to_message(SID),
            LinkError::OverWindow(sid()),
        ),
        (ack(6), LinkError::NeverSent(sid())),
        (
            ToShell::Ack {
                offset: 0,
                end: false,
            }
            .to_message(""),
            LinkError::Malformed {
                typ: "ack".to_owned(),
                field: "sid",
            },
        ),
        (
            resume.to_message(SID),
            LinkError::Unexpected {
                sid: sid(),
                typ: "resume",
            },
        ),
        (
            with(ack(0), "offset", -1_i64),
            LinkError::Malformed {
                typ: "ack".to_owned(),
                field: "offset",
            },
        ),
        (
            with(ack(0), "offset", limits::MAX_OFFSET + 1),
            LinkError::Malformed {
                typ: "ack".to_owned(),
                field: "offset",
            },
        ),
        (
            with(ack(0), "end", "yes"),
            LinkError::Malformed {
                typ: "ack".to_owned(),
                field: "end",
            },
        ),
        (
            OnLink::Received { bytes: 1 << 30 }.to_message(),
            LinkError::NeverSent("received".to_owned()),
        ),
    ];
    for (message, error) in cases {
        let mut pair = running();
        let shown = format!("{message:?}");
        assert_eq!(pair.shell_gets(message), Err(error), "{shown}");
        recovers(&mut pair);
    }
}

#[test]
fn user_end_refuses_what_a_shell_end_must_not_say() {
    let sid = || SID.to_owned();
    let output = |offset, count| {
        ToUser::Output {
            offset,
            time_ms: 0,
            bytes: bytes(count),
        }
        .to_message(SID)
    };
    let state = |output| {
        ToUser::State(State {
            output,
            input: 3,
            epoch: 1,
            control: true,
            dropped: 0,
        })
        .to_message(SID)
    };
    let hole = |offset| LinkError::Hole {
        sid: sid(),
        expected: 5,
        offset,
    };
    let cases: Vec<(Message, LinkError)> = vec![
        (hello(), LinkError::SecondHello),
        (output(6, 1), hole(6)),
        (
            output(5, limits::MAX_BODY + 1),
            LinkError::TooMuch("output"),
        ),
        (
            ToUser::Resized {
                offset: 7,
                time_ms: 0,
                size: Winsize::new(1, 1).unwrap(),
            }
            .to_message(SID),
            hole(7),
        ),
        (
            ToUser::Ended {
                stop: Stop::default(),
                offset: 8,
            }
            .to_message(SID),
            hole(8),
        ),
        (
            ToUser::Screen {
                offset: 5,
                size: None,
                bytes: bytes(1),
            }
            .to_message(SID),
            LinkError::Unexpected {
                sid: sid(),
                typ: "screen",
            },
        ),
        (
            state(4),
            LinkError::Malformed {
                typ: "state".to_owned(),
                field: "offset",
            },
        ),
        (
            ToUser::Refused("no".to_owned()).to_message(SID),
            LinkError::Unexpected {
                sid: sid(),
                typ: "new",
            },
        ),
    ];
    for (message, error) in cases {
        let mut pair = running();
        let shown = format!("{message:?}");
        assert_eq!(pair.user_gets(message), Err(error), "{shown}");
        recovers(&mut pair);
    }
}

#[test]
fn windows_are_enforced_at_both_ends() {
    let mut pair = running();
    let mut offset = 3;
    let result = loop {
        let input = ToShell::Input {
            offset,
            epoch: 1,
            bytes: bytes(16 * 1024),
        };
        if let Err(error) = pair.shell_gets(input.to_message(SID)) {
            break error;
        }
        offset += 16 * 1024;
        assert!(offset < 1 << 20);
    };
    assert_eq!(result, LinkError::OverWindow(SID.to_owned()));
    assert!(offset <= 3 + limits::INPUT_WINDOW);

    let mut pair = running();
    let mut offset = 5;
    let result = loop {
        let output = ToUser::Output {
            offset,
            time_ms: 0,
            bytes: bytes(32 * 1024),
        };
        if let Err(error) = pair.user_gets(output.to_message(SID)) {
            break error;
        }
        offset += 32 * 1024;
        assert!(offset < 1 << 24);
    };
    assert_eq!(result, LinkError::OverWindow(SID.to_owned()));
    recovers_from_flood(&mut pair, offset);
}

/// The device has never sent what the hostile one claimed: the server has more than there is, and
/// the stream goes on after it.
fn recovers_from_flood(pair: &mut Pair, offset: u64) {
    pair.reconnect();
    pair.shell.output(SID, b"on", 3).unwrap();
    pair.user.recorded(SID, offset).unwrap();
    pair.exchange();
    assert_eq!(pair.user.output_position(SID).unwrap().0, offset + 2);
}

#[test]
fn nothing_comes_before_hello_and_no_hello_is_believed_blindly() {
    fn first(message: Message) -> LinkError {
        let mut shell = ShellEnd::new(ShellConfig::new("device-1"));
        let now = std::time::Duration::ZERO;
        let generation = shell.connected(now);
        let error = shell.receive(generation, message, now).unwrap_err();
        assert!(shell.transmit(now).is_none(), "the link is gone");
        error
    }
    let list = |count: usize, length: usize| {
        let words = (0..count).map(|i| Value::from(format!("{i:0length$}")));
        Value::Array(words.collect())
    };
    assert_eq!(
        first(OnLink::Ping.to_message()),
        LinkError::NoHello("ping".to_owned())
    );
    assert_eq!(
        first(ToShell::Epoch(1).to_message(SID)),
        LinkError::NoHello("epoch".to_owned())
    );
    assert_eq!(
        first(with(hello(), "version", 0_i64)),
        LinkError::Version(0)
    );
    for (name, value) in [
        ("features", list(limits::MAX_FEATURES + 1, 1)),
        ("features", list(1, limits::MAX_WORD + 1)),
        ("sessions", list(limits::MAX_LISTED + 1, 1)),
        ("sessions", list(1, limits::MAX_SID + 1)),
        ("instance", Value::from("x".repeat(limits::MAX_WORD + 1))),
    ] {
        assert!(matches!(
            first(with(hello(), name, value)),
            LinkError::TooMuch(_)
        ));
    }
    assert!(matches!(
        first(with(hello(), "window", 0_i64)),
        LinkError::Malformed { .. }
    ));

    let mut server = UserEnd::new(Hello::default());
    let generation = server.connected(std::time::Duration::ZERO);
    let error = server
        .receive(generation, hello(), std::time::Duration::ZERO)
        .unwrap_err();
    assert!(
        matches!(
            error,
            LinkError::Malformed {
                field: "sessions",
                ..
            }
        ),
        "a device says which sessions it has"
    );
}

#[test]
fn what_is_newer_than_we_are_is_not_looked_at() {
    let mut pair = Pair::connected();
    let mut shell = ShellEnd::new(ShellConfig::new("device-1"));
    let generation = shell.connected(pair.now);
    let newer = with(
        with(hello(), "version", 7_i64),
        "colour",
        Value::Array(vec![Value::Nil]),
    );
    shell.receive(generation, newer, pair.now).unwrap();
    assert_eq!(shell.peer().unwrap().version, 7);

    pair.events();
    let mut unknown = ToShell::Epoch(1).to_message(SID);
    "telepathy".clone_into(&mut unknown.typ);
    pair.shell_gets(unknown.clone()).unwrap();
    pair.user_gets(unknown.clone()).unwrap();
    let file = Message {
        proto: proto::FILE_TRANSFER,
        typ: "stat".to_owned(),
        ..Message::default()
    };
    pair.shell_gets(file).unwrap();
    let (at_shell, at_user) = pair.events();
    assert_eq!((at_shell.len(), at_user.len()), (2, 1));
    assert!(
        format!("{at_shell:?} {at_user:?}").contains("Other"),
        "they are for the owner"
    );
}

#[test]
fn the_last_message_says_why() {
    let error = LinkError::OverWindow(SID.to_owned());
    let message = error.to_message();
    let Control::Error(said) = Control::try_from(&message).unwrap() else {
        panic!("{message:?}");
    };
    assert!(said.close);
    assert_eq!(said.err, error.to_string());

    let mut pair = Pair::connected();
    pair.events();
    pair.shell_gets(message).unwrap();
    let events = pair.shell_events();
    assert!(format!("{events:?}").contains("more than the window allows"));
}

#[test]
fn a_flood_of_requests_stays_bounded() {
    let mut pair = Pair::connected();
    pair.events();
    for i in 0..10_000 {
        let sid = format!("s{i}");
        let new = ToShell::New {
            epoch: 1,
            size: None,
            more: Props::new(),
        };
        pair.shell_gets(new.to_message(&sid)).unwrap();
        pair.shell_gets(ToShell::Epoch(1).to_message(&format!("absent{i}")))
            .unwrap();
        pair.shell_gets(OnLink::Ping.to_message()).unwrap();
    }
    assert!(pair.shell.sessions().count() < 200);
    assert_eq!(pair.shell_events().len(), limits::MAX_SESSIONS);
    let answers = std::iter::from_fn(|| pair.user_bound()).count();
    assert!(answers < 300, "{answers} answers wait");
}
