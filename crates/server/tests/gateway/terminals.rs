//! Terminals: what passes between an operator and a device.

use bytes::Bytes;
use longwire_protocol::limits::AGENT_READ_LIMIT;
use longwire_protocol::shell::{FromDevice, FromUser, Stop, Winsize, text};
use longwire_protocol::{control, decode, prop, proto};

use crate::lab::{Lab, start_shell};

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    let bytes = digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16));
    bytes.collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn item_05_item_15_what_web_pages_send_reaches_a_device_in_the_canonical_form() {
    let lab = Lab::start().await;
    let (gadget, operator) = (lab.gadget().await, lab.operator().await);
    let mut device = lab.device(&gadget).await;
    let mut user = lab.user(&gadget, &operator).await;
    // `new` with an empty map of properties.
    let new = "81a368647283a570726f746f01a3747970a36e6577a570726f707380";
    user.send_bytes(hex(new)).await;
    let message = device.message().await;
    let sid = message.sid.clone();
    device.say(&FromDevice::Started, &sid).await;
    // The size, as 8-bit integers.
    let resize = "81a368647284a570726f746f01a3747970a6726573697a65a3736964a153a570726f707382\
                  af7465726d696e616c5f68656967687428ae7465726d696e616c5f7769647468ccc8";
    user.send_bytes(hex(resize)).await;
    // Input as text, with somebody else's session id.
    let typed = "82a368647284a570726f746f01a3747970a57368656c6ca3736964a153a570726f7073d40000\
                 a4626f6479a36c730d";
    user.send_bytes(hex(typed)).await;
    // Maps with 16-bit heads, `undefined` for the session id and the properties.
    let undefined = "de0002a3686472de0004a570726f746f01a3747970a57368656c6ca3736964d40000\
                     a570726f7073d40000a4626f6479a2780d";
    user.send_bytes(hex(undefined)).await;
    let size = Winsize::new(40, 200).unwrap();
    for expected in [
        FromUser::Resize(size),
        FromUser::Input(Bytes::from_static(b"ls\r")),
        FromUser::Input(Bytes::from_static(b"x\r")),
        FromUser::Stop { error: None },
    ] {
        if let FromUser::Stop { .. } = expected {
            // With a map for a body.
            let stop = "82a368647283a570726f746f01a3747970a473746f70a570726f707380a4626f647980";
            user.send_bytes(hex(stop)).await;
        }
        let raw = device.raw().await;
        assert!(raw.len() <= AGENT_READ_LIMIT);
        let message = decode(raw.clone()).unwrap();
        assert_eq!(FromUser::try_from(&message), Ok(expected));
        assert_eq!(message.sid, sid);
        let user_id = message.props.get_str(prop::USER_ID);
        assert_eq!(user_id, Some(operator.id.to_string().as_str()));
        assert!(
            raw.starts_with(b"\x81\xa3hdr\x84\xa5proto\xcd\0\x01")
                || raw.starts_with(b"\x82\xa3hdr\x84\xa5proto\xcd\0\x01")
        );
        if !message.body.is_empty() {
            assert!(raw.windows(6).any(|part| part == b"\xa4body\xc4"));
        }
    }
}

#[tokio::test]
async fn item_06_a_paste_of_100_kib_arrives_complete_in_order_and_in_small_parts() {
    let lab = Lab::start().await;
    let mut terminal = lab.terminal().await;
    let paste: Vec<u8> = (0..100 * 1024_u32).map(|i| (i % 251) as u8).collect();
    let input = FromUser::Input(Bytes::from(paste.clone()));
    terminal.user.say(&input, &terminal.sid).await;
    let mut arrived = Vec::new();
    while arrived.len() < paste.len() {
        let raw = terminal.device.raw().await;
        assert!(raw.len() <= AGENT_READ_LIMIT, "{} bytes", raw.len());
        arrived.extend_from_slice(&decode(raw).unwrap().body);
    }
    assert_eq!(arrived, paste);
}

#[tokio::test]
async fn four_megabytes_flow_both_ways_at_once() {
    const SIZE: usize = 4 * 1024 * 1024;
    let lab = Lab::start().await;
    let mut terminal = lab.terminal().await;
    let bytes: Vec<u8> = (0..SIZE).map(|i| (i / 256 + i) as u8).collect();
    // Neither end reads before it has written everything it may.
    let device = async {
        for part in bytes.chunks(32 * 1024) {
            let output = FromDevice::Output(Bytes::copy_from_slice(part));
            terminal.device.say(&output, &terminal.sid).await;
        }
        let mut arrived = Vec::new();
        while arrived.len() < SIZE {
            arrived.extend_from_slice(&terminal.device.message().await.body);
        }
        arrived
    };
    let user = async {
        let output = terminal.user.output(SIZE).await;
        for part in bytes.chunks(100_000) {
            let input = FromUser::Input(Bytes::copy_from_slice(part));
            terminal.user.say(&input, "").await;
        }
        output
    };
    let (input, output) = tokio::join!(device, user);
    assert!(input == bytes);
    assert!(output == bytes);
}

#[tokio::test]
async fn item_09_a_refusal_reaches_users_with_a_status_they_honour() {
    let lab = Lab::start().await;
    let (gadget, operator) = (lab.gadget().await, lab.operator().await);
    let mut device = lab.device(&gadget).await;
    let mut user = lab.user(&gadget, &operator).await;
    user.say(&FromUser::New { size: None }, "").await;
    let sid = device.message().await.sid;
    let refused = FromDevice::Refused("too many shells spawned".to_owned());
    device.say(&refused, &sid).await;
    let raw = user.raw().await;
    let status = b"\xa6status\xd3\0\0\0\0\0\0\0\x02";
    assert!(raw.windows(status.len()).any(|part| part == status));
    lab.audited("SessionRefused", 1).await;
}

#[tokio::test]
async fn item_10_a_second_terminal_of_the_same_operator_is_told_the_device_s_words() {
    let lab = Lab::start().await;
    let (gadget, operator) = (lab.gadget().await, lab.operator().await);
    let mut device = lab.device(&gadget).await;
    let mut first = lab.user(&gadget, &operator).await;
    start_shell(&mut first, &mut device).await;
    let mut second = lab.user(&gadget, &operator).await;
    second.say(&FromUser::New { size: None }, "").await;
    let sid = device.message().await.sid;
    let refused = FromDevice::Refused(text::TOO_MANY_SESSIONS.to_owned());
    device.say(&refused, &sid).await;
    // And who holds the slot since when.
    let holder = format!(
        "{}: one is in use by {}@example.com since 20",
        text::TOO_MANY_SESSIONS,
        operator.id
    );
    match second.hear().await {
        FromDevice::Refused(words) => assert!(words.starts_with(&holder), "{words}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn item_12_a_lost_operator_ends_the_shell_and_it_is_written_down() {
    let lab = Lab::start().await;
    let mut terminal = lab.terminal().await;
    terminal.user.vanish();
    let raw = terminal.device.raw().await;
    let message = decode(raw).unwrap();
    assert_eq!(
        FromUser::try_from(&message),
        Ok(FromUser::Stop {
            error: Some("user disconnected".to_owned())
        })
    );
    assert_eq!(message.sid, terminal.sid);
    assert_eq!(message.props.get_int(prop::STATUS), Some(2));
    let stopped = FromDevice::Stop(Stop::default());
    terminal.device.say(&stopped, &terminal.sid).await;
    let opened = lab.audited("SessionOpened", 1).await;
    let stopped = lab.audited("SessionStopped", 1).await;
    let ended = lab.audited("SessionEnded", 1).await;
    for event in [&opened[0], &stopped[0]] {
        assert_eq!(event.detail["session_id"], terminal.sid);
        assert_eq!(event.object_type, "device");
        assert_eq!(event.address.as_deref(), Some("127.0.0.1"));
    }
    assert_eq!(ended[0].detail["reason"], "stopped");
}

#[tokio::test]
async fn item_13_a_stop_and_a_closed_connection_are_one_stop() {
    let lab = Lab::start().await;
    let (gadget, operator) = (lab.gadget().await, lab.operator().await);
    let mut device = lab.device(&gadget).await;
    let mut user = lab.user(&gadget, &operator).await;
    start_shell(&mut user, &mut device).await;
    user.say(&FromUser::Stop { error: None }, "").await;
    user.vanish();
    assert!(matches!(device.told().await, FromUser::Stop { .. }));
    // The next that the device hears is about another session.
    let mut next = lab.user(&gadget, &operator).await;
    next.say(&FromUser::New { size: None }, "").await;
    assert_eq!(device.told().await, FromUser::New { size: None });
}

#[tokio::test]
async fn item_14_a_shell_that_ends_by_itself_frees_its_slot() {
    let lab = Lab::start().await;
    let mut terminal = lab.terminal().await;
    let end = FromDevice::Stop(Stop {
        error: true,
        text: text::READ_ERROR.to_owned(),
        ..Stop::default()
    });
    terminal.device.say(&end, &terminal.sid).await;
    assert_eq!(terminal.device.told().await, FromUser::Stop { error: None });
    assert_eq!(terminal.user.hear().await, end);
    // Another shell may be started over the same websocket.
    start_shell(&mut terminal.user, &mut terminal.device).await;
}

#[tokio::test]
async fn item_16_the_size_after_new_arrives() {
    let lab = Lab::start().await;
    let (gadget, operator) = (lab.gadget().await, lab.operator().await);
    let mut device = lab.device(&gadget).await;
    let mut user = lab.user(&gadget, &operator).await;
    let size = FromUser::Resize(Winsize::new(33, 101).unwrap());
    user.say(&FromUser::New { size: None }, "").await;
    user.say(&size, "").await;
    let sid = device.message().await.sid;
    device.say(&FromDevice::Started, &sid).await;
    assert_eq!(device.told().await, size);
}

#[tokio::test]
async fn item_26_transfers_and_unknown_messages_are_refused_in_words() {
    use control::Control;
    let lab = Lab::start().await;
    let mut terminal = lab.terminal().await;
    let open = Control::Open { versions: vec![2] }.to_message("");
    terminal.user.send(&open).await;
    let answer = Control::try_from(&terminal.user.message().await).unwrap();
    assert!(matches!(answer, Control::Error(error) if error.close));
    for number in [
        proto::FILE_TRANSFER,
        proto::PORT_FORWARD,
        proto::MENDER_CLIENT,
    ] {
        let message = longwire_protocol::Message {
            proto: number,
            typ: "new".to_owned(),
            ..Default::default()
        };
        terminal.user.send(&message).await;
        let answer = Control::try_from(&terminal.user.message().await).unwrap();
        let Control::Error(error) = answer else {
            panic!("{answer:?}")
        };
        let words = format!("no handler registered for protocol: 0x{number:04X}");
        assert_eq!(error.err, words);
    }
    // Nothing of it has reached the device, and the terminal goes on.
    let typed = FromUser::Input(Bytes::from_static(b"x"));
    terminal.user.say(&typed, "").await;
    assert_eq!(terminal.device.told().await, typed);
}

#[tokio::test]
async fn item_27_two_operators_of_one_device_see_only_their_own() {
    let lab = Lab::start().await;
    let gadget = lab.gadget().await;
    let (alice, bob) = (lab.operator().await, lab.operator().await);
    let mut device = lab.device(&gadget).await;
    let mut one = lab.user(&gadget, &alice).await;
    let one_sid = start_shell(&mut one, &mut device).await;
    let mut two = lab.user(&gadget, &bob).await;
    let two_sid = start_shell(&mut two, &mut device).await;
    // Whoever names somebody else's session speaks to their own all the same.
    let typed = FromUser::Input(Bytes::from_static(b"mine"));
    two.say(&typed, &one_sid).await;
    let message = device.message().await;
    assert_eq!(message.sid, two_sid);
    let user_id = message.props.get_str(prop::USER_ID);
    assert_eq!(user_id, Some(bob.id.to_string().as_str()));
    for (sid, bytes) in [(&one_sid, "for alice"), (&two_sid, "for bob")] {
        device
            .say(&FromDevice::Output(Bytes::from(bytes)), sid)
            .await;
    }
    assert_eq!(one.output(9).await, b"for alice");
    assert_eq!(two.output(7).await, b"for bob");
}
