//! What is written is read back, as message and as type.
#![allow(clippy::expect_used, reason = "a test")]

use std::fmt::Debug;

use bytes::Bytes;
use longwire_protocol::control::{self, Control};
use longwire_protocol::file_transfer::{self, FileInfo, PutFile, Timestamp};
use longwire_protocol::shell::{Ended, FromDevice, FromUser, Stop, Winsize};
use longwire_protocol::{Message, NotUnderstood, Props, Receiver, Value, decode, encode};
use longwire_protocol::{port_forward, proto, shell};
use proptest::prelude::*;

const RECEIVERS: [Receiver; 3] = [Receiver::Device, Receiver::Server, Receiver::User];

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<u64>().prop_map(Value::from),
        any::<i32>().prop_map(|number| Value::Float(number.into())),
        ".{0,40}".prop_map(Value::Str),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| Value::Bin(bytes.into())),
        (any::<i8>(), prop::collection::vec(any::<u8>(), 0..20)).prop_map(|(kind, data)| {
            // Type 0 means nil and is read so.
            Value::Ext(if kind == 0 { 1 } else { kind }, data.into())
        }),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::Array),
            prop::collection::vec((inner.clone(), inner), 0..6).prop_map(Value::Map),
        ]
    })
}

prop_compose! {
    fn messages()(
        proto in any::<u16>(),
        typ in "[a-z_]{0,40}",
        sid in ".{0,40}",
        props in prop::collection::vec(("[a-z_]{0,40}", values()), 0..8),
        // Around every width of a length, without a strategy for each of 70 000 bytes.
        (len, byte) in (prop_oneof![4 => 0_usize..300, 1 => 65_000_usize..70_000], any::<u8>()),
    ) -> Message {
        let mut map = Props::new();
        for (name, value) in props {
            map.set(&name, value);
        }
        Message { proto, typ, sid, props: map, body: vec![byte; len].into() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_message_is_read_back_whoever_it_was_written_for(message in messages()) {
        for receiver in RECEIVERS {
            prop_assert_eq!(&decode(encode(&message, receiver)).expect("our own"), &message);
        }
    }

    #[test]
    fn integers_keep_their_value_at_every_width(number in any::<i64>(), shift in 0_u32..64) {
        let number = number >> shift;
        for name in ["offset", "status", "timeout", "terminal_width"] {
            for receiver in RECEIVERS {
                let message =
                    Message { props: Props::new().with(name, number), ..Message::default() };
                let read = decode(encode(&message, receiver)).expect("our own");
                prop_assert_eq!(read.props.get_int(name), Some(number));
            }
        }
    }

    #[test]
    fn timestamps_are_read_back(seconds in any::<i64>(), nanoseconds in 0_u32..1_000_000_000) {
        for seconds in [seconds, seconds & 0x3_ffff_ffff, seconds & 0xffff_ffff] {
            for nanoseconds in [nanoseconds, 0] {
                let put = PutFile {
                    path: "/x".into(),
                    modtime: Some(Timestamp { seconds, nanoseconds }),
                    ..PutFile::default()
                };
                prop_assert_eq!(PutFile::from_body(&put.to_body()).expect("our own"), put);
            }
        }
    }
}

/// Through every receiver's form and back.
fn there_and_back<T>(typed: &T, to_message: impl Fn(&T) -> Message)
where
    T: for<'a> TryFrom<&'a Message, Error = NotUnderstood> + PartialEq + Debug,
{
    for receiver in RECEIVERS {
        let message = decode(encode(&to_message(typed), receiver)).expect("our own");
        assert_eq!(message.sid, "S");
        assert_eq!(&T::try_from(&message).expect("our own"), typed);
    }
}

#[test]
fn shell_messages_of_users_are_read_back() {
    let size = Winsize::new(40, 300).expect("a size");
    for said in [
        FromUser::New { size: None },
        FromUser::New { size: Some(size) },
        FromUser::Input(Bytes::from_static(b"\xff\x00ls\r")),
        FromUser::Resize(size),
        FromUser::Stop { error: None },
        FromUser::Stop {
            error: Some(shell::text::USER_DISCONNECTED.into()),
        },
        FromUser::Pong,
        FromUser::Ack { offset: 1 << 40 },
    ] {
        there_and_back(&said, |said| said.to_message("S"));
    }
}

#[test]
fn shell_messages_of_devices_are_read_back() {
    let mut all = vec![
        FromDevice::Started,
        FromDevice::Refused(shell::text::TOO_MANY_SHELLS.into()),
        FromDevice::Output(Bytes::from_static(b"\x1b[0m\xe2\x82")),
        FromDevice::InputFailed(shell::text::SESSION_NOT_FOUND.into()),
        FromDevice::Ping {
            timeout_s: Some(shell::PING_TIMEOUT_S),
        },
        FromDevice::Ping { timeout_s: None },
        FromDevice::Failed {
            typ: "resize".into(),
            text: "no".into(),
        },
        FromDevice::Delay { ms: u16::MAX },
        FromDevice::Resize(Winsize::new(1, u16::MAX).expect("a size")),
        FromDevice::Stop(Stop::default()),
    ];
    for reason in Ended::ALL {
        for exit_status in [None, Some(0), Some(255), Some(-1)] {
            all.push(FromDevice::Stop(Stop {
                error: true,
                reason: Some(reason),
                exit_status,
                text: "for people".into(),
            }));
        }
    }
    for said in all {
        there_and_back(&said, |said| said.to_message("S"));
    }
}

#[test]
fn control_messages_are_read_back() {
    for said in [
        Control::Open {
            versions: vec![1, 2],
        },
        Control::Accept {
            version: 1,
            protocols: vec![4, 1, 2, 3],
        },
        Control::Close,
        Control::Error(control::Error::default()),
        Control::Error(control::Error {
            err: "no".into(),
            close: true,
            code: Some(404),
            msgproto: Some(proto::CONTROL),
            msgtype: Some("open".into()),
            msgid: Some("7".into()),
        }),
        Control::Ping,
        Control::Pong,
    ] {
        there_and_back(&said, |said| said.to_message("S"));
    }
}

#[test]
fn bodies_of_files_and_forwards_are_read_back() {
    let path = file_transfer::Path {
        path: "/etc/motd".into(),
    };
    assert_eq!(file_transfer::Path::from_body(&path.to_body()), Ok(path));
    let info = FileInfo {
        path: "/tmp".into(),
        size: 4096,
        uid: 0,
        gid: 1000,
        mode: 0x8010_01ff,
        modtime: Timestamp {
            seconds: 1_700_000_000,
            nanoseconds: 1,
        },
    };
    assert_eq!(FileInfo::from_body(&info.to_body()), Ok(info));
    let put = PutFile {
        path: "/tmp/x".into(),
        src_path: Some("x".into()),
        size: Some(1),
        uid: Some(1),
        gid: Some(2),
        mode: Some(0o755),
        modtime: None,
    };
    assert_eq!(PutFile::from_body(&put.to_body()), Ok(put));
    let error = file_transfer::Error {
        err: "no".into(),
        msgtype: Some("stat".into()),
        msgid: None,
    };
    assert_eq!(file_transfer::Error::from_body(&error.to_body()), Ok(error));
    let new = port_forward::New {
        remote_host: "127.0.0.1".into(),
        remote_port: 22,
        protocol: "tcp".into(),
    };
    assert_eq!(port_forward::New::from_body(&new.to_body()), Ok(new));
}
