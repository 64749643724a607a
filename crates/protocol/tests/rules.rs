//! The rules that peers hold each other to. Numbers are those of the conformance list.
#![allow(clippy::expect_used, reason = "a test")]

use bytes::Bytes;
use longwire_protocol::control::{self, Control};
use longwire_protocol::limits::{
    AGENT_READ_LIMIT, INPUT_BODY_MAX, OUR_READ_LIMIT, OUTPUT_READ, SEND_LIMIT, SERVER_READ_LIMIT,
    split_input,
};
use longwire_protocol::shell::{FromDevice, FromUser, Stop, Winsize, text};
use longwire_protocol::{
    Message, NotUnderstood, Props, Receiver, Value, decode, encode, file_transfer, mender_client,
    port_forward, prop, proto,
};

const UUID: &str = "11111111-1111-4111-8111-111111111111";

fn find(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

fn with(name: &str, value: impl Into<Value>) -> Message {
    Message {
        proto: proto::SHELL,
        typ: "new".into(),
        sid: UUID.into(),
        props: Props::new().with(name, value),
        body: Bytes::new(),
    }
}

#[test]
fn item_05_a_message_to_a_device_is_small_and_its_body_is_bytes() {
    let paste = Bytes::from(vec![b'x'; 100 * 1024]);
    let mut whole = Vec::new();
    for part in split_input(paste.clone()) {
        whole.extend_from_slice(&part);
        let mut message = FromUser::Input(part).to_message(UUID);
        message.props.set(prop::USER_ID, UUID);
        let packed = encode(&message, Receiver::Device);
        assert!(packed.len() <= AGENT_READ_LIMIT, "{} bytes", packed.len());
        assert!(find(&packed, b"\xa4body\xc5"), "the body is bin");
        let read = decode(packed).expect("our own");
        assert_eq!(read.sid, UUID);
        assert_eq!(read.props.get_str(prop::USER_ID), Some(UUID));
    }
    assert_eq!(whole, paste);
    assert_eq!(split_input(Bytes::new()).count(), 0);
    let sizes: Vec<_> = split_input(paste.slice(..INPUT_BODY_MAX + 1))
        .map(|p| p.len())
        .collect();
    assert_eq!(sizes, [INPUT_BODY_MAX, 1]);

    // A map as a body, as old web pages send it, reaches no device.
    let stop = decode(Bytes::from_static(
        b"\x82\xa3hdr\x83\xa5proto\x01\xa3typ\xa4stop\xa5props\x80\xa4body\x80",
    ))
    .expect("an old web page's stop");
    assert!(!find(&encode(&stop, Receiver::Device), b"body"));
}

#[test]
fn item_07_offsets_are_sent_as_int64_and_read_in_any_width() {
    for receiver in [Receiver::Device, Receiver::Server, Receiver::User] {
        for offset in [0_i64, 1, 255, 4096, 1 << 33] {
            let packed = encode(&with(prop::OFFSET, offset), receiver);
            let expected = [b"\xa6offset\xd3".as_slice(), &offset.to_be_bytes()].concat();
            assert!(find(&packed, &expected), "{offset} to {receiver:?}");
        }
    }
    for wire in [
        b"\x07".as_slice(),
        b"\xcc\x07",
        b"\xcd\x00\x07",
        b"\xce\x00\x00\x00\x07",
        b"\xcf\x00\x00\x00\x00\x00\x00\x00\x07",
        b"\xd0\x07",
        b"\xd1\x00\x07",
        b"\xd2\x00\x00\x00\x07",
        b"\xd3\x00\x00\x00\x00\x00\x00\x00\x07",
    ] {
        let bytes = [
            b"\x81\xa3hdr\x82\xa5proto\x02\xa5props\x81\xa6offset".as_slice(),
            wire,
        ]
        .concat();
        let message = decode(Bytes::from(bytes)).expect("a message");
        assert_eq!(message.props.get_int(prop::OFFSET), Some(7));
    }
}

#[test]
fn item_09_status_and_timeout_go_to_users_as_int64_and_delays_never_do() {
    let refused = FromDevice::Refused(text::TOO_MANY_SESSIONS.into()).to_message(UUID);
    let ping = FromDevice::Ping {
        timeout_s: Some(65),
    }
    .to_message(UUID);
    let to_user = encode(&refused, Receiver::User);
    assert!(find(
        &to_user,
        b"\xa6status\xd3\x00\x00\x00\x00\x00\x00\x00\x02"
    ));
    let to_user = encode(&ping, Receiver::User);
    assert!(find(
        &to_user,
        b"\xa7timeout\xd3\x00\x00\x00\x00\x00\x00\x00\x41"
    ));
    assert!(find(
        &to_user,
        b"\xa6status\xd3\x00\x00\x00\x00\x00\x00\x00\x03"
    ));

    for (delay, wire) in [
        (Value::from(1500), b"\xabdelay_value\xcd\x05\xdc".as_slice()),
        (Value::from(0), b"\xabdelay_value\xcd\x00\x00"),
        (Value::from(1_i64 << 40), b"\xabdelay_value\xcd\xff\xff"),
        (Value::from(u64::MAX), b"\xabdelay_value\xcd\xff\xff"),
        (Value::from(-1), b"\xabdelay_value\xcd\x00\x00"),
    ] {
        for receiver in [Receiver::Device, Receiver::Server, Receiver::User] {
            assert!(find(
                &encode(&with(prop::DELAY_VALUE, delay.clone()), receiver),
                wire
            ));
        }
    }
}

#[test]
fn item_42_what_goes_to_a_server_has_the_form_a_real_agent_gives_it() {
    let mut message = FromDevice::Output(Bytes::from_static(b"hi")).to_message("S");
    message.props.set(prop::OFFSET, 3);
    assert_eq!(
        encode(&message, Receiver::Server),
        b"\x82\xa3hdr\x84\xa5proto\xcd\x00\x01\xa3typ\xa5shell\xa3sid\xa1S\
          \xa5props\x82\xa6status\x01\xa6offset\xd3\x00\x00\x00\x00\x00\x00\x00\x03\
          \xa4body\xc4\x02hi"
            .as_slice()
    );
    let ping = FromDevice::Ping {
        timeout_s: Some(65),
    }
    .to_message("S");
    assert!(find(
        &encode(&ping, Receiver::Server),
        b"\xa7timeout\x41\xa6status\x03"
    ));
}

#[test]
fn item_46_the_words_of_real_agents() {
    assert_eq!(text::TOO_MANY_SESSIONS, "user has too many open sessions");
    assert_eq!(text::TOO_MANY_SHELLS, "too many shells spawned");
    assert_eq!(
        text::ALREADY_RUNNING,
        "failed to start shell: shell is already running"
    );
    assert_eq!(
        text::start_failed("fork: no"),
        "failed to start shell: fork: no"
    );
    assert_eq!(text::SESSION_NOT_FOUND, "session not found");
    assert_eq!(
        text::stop_session_not_found("S"),
        "routeMessage: StopShellMessage: session not found for id S"
    );
    assert_eq!(
        text::STOP_WITHOUT_SESSION,
        "StopShellMessage: sessionId not given and userId empty"
    );
    assert_eq!(
        text::could_not_terminate("no"),
        "could not terminate shell: no"
    );
    assert_eq!(
        text::command_failed("S", "no"),
        "routeMessage: shell command execution error, session_id=S: no"
    );
    assert_eq!(
        text::unknown_message(1, "ping"),
        "unknown message protocol and type: 1/ping"
    );
    assert_eq!(text::USER_DISCONNECTED, "user disconnected");
    assert_eq!(text::BYTE_LIMIT_EXCEEDED, "session byte limit exceeded");
    assert_eq!(text::READ_ERROR, "read /dev/ptmx: input/output error");
    assert_eq!(
        control::text::no_handler(10),
        "no handler registered for protocol: 0x000A"
    );
    assert_eq!(
        control::text::not_understood("x"),
        "session: control type message not understood: 'x'"
    );
    assert_eq!(control::text::SESSION_TIMEOUT, "session timeout");
    assert_eq!(control::text::INTERNAL_ERROR, "internal error");
    assert_eq!(
        control::text::VERSION_REJECTED,
        "handshake rejected: require version 1"
    );
    assert_eq!(
        control::text::bad_handshake("no"),
        "failed to decode handshake request: no"
    );
    assert_eq!(
        file_transfer::text::IN_PROGRESS,
        "another file transfer is in progress"
    );
    assert_eq!(
        file_transfer::text::NOT_IN_PROGRESS,
        "no file transfer in progress"
    );
    assert_eq!(
        file_transfer::text::NO_PATH,
        "invalid request parameters: path: cannot be blank."
    );
    assert_eq!(
        file_transfer::text::not_supported("x"),
        "session: filetransfer message type 'x' not supported"
    );
    assert_eq!(
        port_forward::text::INCOMPLETE,
        "invalid port-forward message: missing connection_id, remote_port or protocol"
    );
    assert_eq!(port_forward::text::UNKNOWN_CONNECTION, "unknown connection");
    assert_eq!(port_forward::text::UNKNOWN_TYPE, "unknown message type");
    assert_eq!(
        port_forward::text::unknown_protocol("sctp"),
        "unknown protocol: sctp"
    );
    assert_eq!(mender_client::text::UNKNOWN_TYPE, "unknown message type");
}

#[test]
fn item_46_the_body_of_a_control_error_is_exact() {
    let mut offender = Message {
        proto: 9,
        typ: "x".into(),
        ..Message::default()
    };
    offender.props.set(prop::MSGID, "7");
    let error = control::Error::about(&offender, control::text::no_handler(9), false);
    let expected = b"\x85\xa3err\xd9\x2ano handler registered for protocol: 0x0009\
        \xa5close\xc2\xa8msgproto\xcd\x00\x09\xa7msgtype\xa1x\xa5msgid\xa17";
    assert_eq!(
        Control::Error(error).to_message("S").body,
        expected.as_slice()
    );

    offender.props.set(prop::MSGID, 7);
    assert_eq!(
        control::Error::about(&offender, "", true).msgid,
        None,
        "only text is copied"
    );
}

#[test]
fn item_55_a_full_read_of_output_fits_into_what_any_server_takes_from_us() {
    let mut message = FromDevice::Output(Bytes::from(vec![0; OUTPUT_READ])).to_message(UUID);
    message.props.set(prop::OFFSET, i64::MAX);
    let packed = encode(&message, Receiver::Server).len();
    assert!(packed <= SEND_LIMIT, "{packed} bytes");
    assert_eq!(OUR_READ_LIMIT, 1 << 20);
    assert_eq!(SEND_LIMIT, 64 * 1024);
    assert_eq!(SERVER_READ_LIMIT, 8_388_608);
}

#[test]
fn item_59_status_and_timeout_are_read_in_any_width() {
    for (status, timeout) in [
        (b"\x02".as_slice(), b"\x41".as_slice()),
        (b"\xcc\x02", b"\xcc\x41"),
        (b"\xcd\x00\x02", b"\xcd\x00\x41"),
        (b"\xd0\x02", b"\xd0\x41"),
        (b"\xd1\x00\x02", b"\xd2\x00\x00\x00\x41"),
        (
            b"\xd3\x00\x00\x00\x00\x00\x00\x00\x02",
            b"\xcf\x00\x00\x00\x00\x00\x00\x00\x41",
        ),
    ] {
        let head = b"\x82\xa3hdr\x83\xa5proto\x01\xa3typ\xa3new\xa5props\x81\xa6status";
        let refused = [head.as_slice(), status, b"\xa4body\xa2no"].concat();
        let message = decode(Bytes::from(refused)).expect("a message");
        assert_eq!(
            FromDevice::try_from(&message),
            Ok(FromDevice::Refused("no".into()))
        );

        let head = b"\x81\xa3hdr\x83\xa5proto\x01\xa3typ\xa4ping\xa5props\x81\xa7timeout";
        let message = decode(Bytes::from([head, timeout].concat())).expect("a message");
        assert_eq!(
            FromDevice::try_from(&message),
            Ok(FromDevice::Ping {
                timeout_s: Some(65)
            })
        );
    }
}

#[test]
fn a_size_counts_only_whole() {
    let size = |rows: Value, cols: Value| {
        let props = Props::new()
            .with(prop::TERMINAL_HEIGHT, rows)
            .with(prop::TERMINAL_WIDTH, cols);
        Winsize::from_props(&props)
    };
    assert_eq!(
        size(24.into(), 80.into()),
        Some(Winsize { rows: 24, cols: 80 })
    );
    assert_eq!(size(24.into(), 0.into()), None);
    assert_eq!(size((-1).into(), 80.into()), None);
    assert_eq!(size(24.into(), 65_536.into()), None);
    assert_eq!(size(24.into(), Value::Float(80.0)), None);
    assert_eq!(size("24".into(), 80.into()), None);
    assert_eq!(
        Winsize::from_props(&Props::new().with(prop::TERMINAL_WIDTH, 80)),
        None
    );
    let resize = Message {
        typ: "resize".into(),
        ..with("x", 1)
    };
    assert_eq!(
        FromUser::try_from(&resize),
        Err(NotUnderstood::Field("terminal size"))
    );
}

#[test]
fn unknown_words_of_newer_peers_are_no_error() {
    let mut stop = FromDevice::Stop(Stop::default()).to_message("S");
    stop.props.set(prop::REASON, "rebooted");
    stop.props.set(prop::EXIT_STATUS, i64::MAX);
    assert_eq!(
        FromDevice::try_from(&stop),
        Ok(FromDevice::Stop(Stop::default()))
    );

    let refused = Message {
        typ: "later".into(),
        ..with(prop::STATUS, 2)
    };
    assert_eq!(
        FromDevice::try_from(&refused),
        Ok(FromDevice::Failed {
            typ: "later".into(),
            text: String::new()
        })
    );
    let unknown = Message {
        typ: "later".into(),
        ..Message::default()
    };
    assert_eq!(
        FromUser::try_from(&unknown),
        Err(NotUnderstood::Protocol(0))
    );
    let unknown = Message {
        proto: proto::SHELL,
        ..unknown
    };
    assert_eq!(
        FromUser::try_from(&unknown),
        Err(NotUnderstood::Type("later".into()))
    );
}

#[test]
fn nothing_typed_or_shown_is_in_a_debug_text() {
    let typed = FromUser::Input(Bytes::from_static(b"hunter2"));
    let shown = FromDevice::Output(Bytes::from_static(b"hunter2"));
    for text in [
        format!("{typed:?}"),
        format!("{shown:?}"),
        format!("{:?}", typed.to_message("S")),
        format!("{:?}", shown.to_message("S")),
    ] {
        assert!(
            !text.contains("hunter2") && text.contains("7 bytes"),
            "{text}"
        );
    }
}

#[test]
fn properties_keep_their_order_and_their_bound() {
    let mut props = Props::new().with("b", 1).with("a", 2).with("b", 3);
    let names: Vec<_> = props.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["b", "a"]);
    assert_eq!(props.remove("b"), Some(Value::Int(3)));
    assert_eq!(props.len(), 1);
    for number in 0..5000 {
        props.set(&number.to_string(), number);
    }
    assert_eq!(props.len(), longwire_protocol::limits::MAX_VALUES);
}
