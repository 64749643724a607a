//! Bad input costs whoever sends it the connection, with a reason, and nobody else anything.

use bytes::Bytes;
use longwire_protocol::shell::{FromDevice, FromUser};

use crate::lab::{Lab, Terminal};
use crate::peer::{Event, Peer};

/// What no peer may send: name, bytes, words of the reason it is told.
const MALFORMED: &[(&str, &[u8], &str)] = &[
    ("nothing", b"", "truncated"),
    (
        "truncated",
        b"\x82\xa3hdr\x84\xa5proto\xcd\x00",
        "truncated",
    ),
    ("no map", b"\x01", "not a map"),
    (
        "a reserved byte",
        b"\x81\xa3hdr\x81\xa5props\x81\xa1x\xc1",
        "invalid",
    ),
    (
        "a number for a body",
        b"\x82\xa3hdr\x81\xa5proto\x01\xa4body\x05",
        "body",
    ),
];

async fn still_works(terminal: &mut Terminal) {
    let typed = FromUser::Input(Bytes::from_static(b"x"));
    terminal.user.say(&typed, "").await;
    assert_eq!(terminal.device.told().await, typed);
    let output = FromDevice::Output(Bytes::from_static(b"y"));
    terminal.device.say(&output, &terminal.sid).await;
    assert_eq!(terminal.user.hear().await, output);
}

async fn assert_closed(peer: &mut Peer, code: u16, words: &str) {
    match peer.end().await {
        Event::Closed(given, reason) => {
            assert_eq!(given, code, "{reason}");
            assert!(reason.contains(words), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn item_08_a_malformed_message_of_a_device_closes_only_that_device() {
    let lab = Lab::start().await;
    let mut other = lab.terminal().await;
    for (name, bytes, words) in MALFORMED {
        let mut terminal = lab.terminal().await;
        terminal.device.send_bytes(*bytes).await;
        assert_closed(&mut terminal.device, 1007, words).await;
        still_works(&mut other).await;
        // Its operators are kept until it is known whether it comes back.
        terminal.user.send_ping(name.as_bytes()).await;
        assert!(matches!(terminal.user.event().await, Event::Pong(_)));
    }
}

#[tokio::test]
async fn a_malformed_message_of_a_user_closes_only_that_user() {
    let lab = Lab::start().await;
    let mut other = lab.terminal().await;
    for (_, bytes, words) in MALFORMED {
        let mut terminal = lab.terminal().await;
        terminal.user.send_bytes(*bytes).await;
        assert_closed(&mut terminal.user, 1007, words).await;
        assert_eq!(
            terminal.device.told().await,
            FromUser::Stop {
                error: Some("user disconnected".to_owned())
            }
        );
        still_works(&mut other).await;
    }
}

#[tokio::test]
async fn a_message_of_100_mb_is_refused_before_it_is_read() {
    let lab = Lab::start().await;
    let mut other = lab.terminal().await;
    let mut one = lab.terminal().await;
    one.user.announce(100_000_000).await;
    assert_closed(&mut one.user, 1009, "too long").await;
    let mut two = lab.terminal().await;
    two.device.announce(100_000_000).await;
    assert_closed(&mut two.device, 1009, "too long").await;
    still_works(&mut other).await;
}

#[tokio::test]
async fn a_message_that_never_ends_is_refused_in_time() {
    let lab = Lab::start().await;
    let mut other = lab.terminal().await;
    let mut one = lab.terminal().await;
    one.user.endless_fragments(1024 * 1024).await;
    assert_eq!(
        one.device.told().await,
        FromUser::Stop {
            error: Some("user disconnected".to_owned())
        }
    );
    still_works(&mut other).await;
}

#[tokio::test]
async fn bytes_in_a_text_frame_count_as_bytes_and_text_that_is_none_closes() {
    use longwire_protocol::{Receiver, encode};
    let lab = Lab::start().await;
    let mut terminal = lab.terminal().await;
    // Valid UTF-8 can hardly be a message; whatever it is, it is judged as bytes.
    let bytes = encode(&FromUser::Pong.to_message(""), Receiver::Server);
    assert!(std::str::from_utf8(&bytes).is_err());
    terminal.user.send_text("\u{1}").await;
    assert_closed(&mut terminal.user, 1007, "not a map").await;
}
