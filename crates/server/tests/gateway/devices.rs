//! Links of devices: who may have one, and which one counts.

use bytes::Bytes;
use longwire_protocol::shell::FromDevice;
use longwire_protocol::{Message, decode};

use crate::lab::{DEVICE_PATH, Lab, start_shell, terminal_path};
use crate::peer::Event;

#[tokio::test]
async fn item_01_a_device_connects_with_its_token_and_nothing_else_does() {
    let lab = Lab::start().await;
    let (gadget, operator) = (lab.gadget().await, lab.operator().await);
    let device = lab.device(&gadget).await;
    assert_eq!(device.headers.get("sec-websocket-protocol"), None);
    let none = lab.dial(DEVICE_PATH, &[]).await.unwrap_err();
    assert_eq!(none.status, 401);
    let user = lab.dial_device(&operator.token).await.unwrap_err();
    assert_eq!(user.status, 400);
    assert!(user.body.contains("missing or non-device identity"));
    let garbage = lab.dial_device("x.y.z").await.unwrap_err();
    assert_eq!(garbage.status, 401);
    // The reverse: a device's token opens no terminal.
    let reverse = lab.dial_terminal(gadget.id, &gadget.token).await;
    assert_eq!(reverse.unwrap_err().status, 400);
}

#[tokio::test]
async fn the_best_subprotocol_that_is_offered_is_chosen() {
    let lab = Lab::start().await;
    let gadget = lab.gadget().await;
    let bearer = format!("Bearer {}", gadget.token);
    for (offered, chosen) in [
        ("protomsg/msgpack", Some("protomsg/msgpack")),
        ("longwire.v1, protomsg/msgpack", Some("longwire.v1")),
        ("protomsg/msgpack, longwire.v1", Some("longwire.v1")),
    ] {
        let headers = [
            ("authorization", &*bearer),
            ("sec-websocket-protocol", offered),
        ];
        let device = lab.dial(DEVICE_PATH, &headers).await.unwrap();
        let answer = device.headers.get("sec-websocket-protocol");
        assert_eq!(answer.map(|value| value.to_str().unwrap()), chosen);
    }
}

#[tokio::test]
async fn no_websocket_extension_is_accepted() {
    let lab = Lab::start().await;
    let gadget = lab.gadget().await;
    let bearer = format!("Bearer {}", gadget.token);
    let headers = [
        ("authorization", &*bearer),
        ("sec-websocket-extensions", "permessage-deflate"),
    ];
    let device = lab.dial(DEVICE_PATH, &headers).await.unwrap();
    assert_eq!(device.headers.get("sec-websocket-extensions"), None);
}

#[tokio::test]
async fn item_02_item_45_pings_are_answered_with_their_payload() {
    let lab = Lab::start().await;
    let gadget = lab.gadget().await;
    let mut device = lab.device(&gadget).await;
    device.send_ping(b"60").await;
    assert_eq!(device.event().await, Event::Pong(Bytes::from_static(b"60")));
    // Through a flood, too: an agent holds its link dead without.
    for _ in 0..1000 {
        let output = FromDevice::Output(Bytes::from(vec![b'x'; 255]));
        device.say(&output, "nobody's").await;
    }
    device.send_ping(b"again").await;
    assert_eq!(
        device.event().await,
        Event::Pong(Bytes::from_static(b"again"))
    );
}

#[tokio::test]
async fn item_04_item_44_a_second_connection_replaces_the_first_and_keeps_its_shells() {
    let lab = Lab::start().await;
    let (gadget, operator) = (lab.gadget().await, lab.operator().await);
    let mut first = lab.device(&gadget).await;
    let mut user = lab.user(&gadget, &operator).await;
    let sid = start_shell(&mut user, &mut first).await;
    let mut second = lab.device(&gadget).await;
    // The session goes on over the new link; the new device is asked whether it still has the shell.
    assert_eq!(second.message().await.sid, sid);
    first
        .say(&FromDevice::Output(Bytes::from_static(b"old")), &sid)
        .await;
    assert_eq!(
        first.end().await,
        Event::Closed(
            1008,
            "replaced by a newer connection of this device".to_owned()
        )
    );
    second
        .say(&FromDevice::Output(Bytes::from_static(b"new")), &sid)
        .await;
    assert_eq!(user.output(1).await, b"new");
    first.vanish();
    let status = format!("/api/management/v1/deviceconnect/devices/{}", gadget.id);
    let (code, body) = lab.ask("GET", &status, &operator, "").await;
    assert_eq!(code, 200);
    assert!(body.contains(r#""status":"connected""#), "{body}");
}

#[tokio::test]
async fn two_devices_with_one_identity_raise_an_alarm_and_the_second_is_held_off() {
    let lab = Lab::start().await;
    let gadget = lab.gadget().await;
    let mut standing = lab.device(&gadget).await;
    for _ in 0..3 {
        let newer = lab.device(&gadget).await;
        assert!(matches!(standing.end().await, Event::Closed(1008, _)));
        standing = newer;
    }
    // The standing one is asked for a sign of life while the next one waits.
    let alive = async {
        loop {
            standing.event().await;
        }
    };
    let refused = tokio::select! {
        refused = lab.dial_device(&gadget.token) => refused.unwrap_err(),
        () = alive => unreachable!(),
    };
    assert_eq!(refused.status, 503);
    assert_eq!(refused.headers["retry-after"], "60");
    let alarms = lab.audited("DeviceDuplicated", 1).await;
    assert_eq!(alarms[0].object_id, Some(gadget.id.to_string()));
    // Once it has gone, the other may come.
    standing.vanish();
    lab.until_connected(gadget.id, false).await;
    lab.device(&gadget).await;
}

#[tokio::test]
async fn item_08_unknown_sessions_and_types_of_a_device_disturb_nobody() {
    let lab = Lab::start().await;
    let mut one = lab.terminal().await;
    let mut two = lab.terminal().await;
    // Not its own session, but somebody else's; and nobody's.
    for sid in [two.sid.as_str(), "nobody's", ""] {
        one.device
            .say(&FromDevice::Output(Bytes::from_static(b"forged")), sid)
            .await;
        one.device
            .say(&FromDevice::Stop(Default::default()), sid)
            .await;
    }
    for proto in [0, 2, 3, 4, 77, 0xffff] {
        let message = Message {
            proto,
            typ: "dance".to_owned(),
            sid: one.sid.clone(),
            ..Message::default()
        };
        one.device.send(&message).await;
    }
    one.device
        .say(&FromDevice::Output(Bytes::from_static(b"one")), &one.sid)
        .await;
    two.device
        .say(&FromDevice::Output(Bytes::from_static(b"two")), &two.sid)
        .await;
    assert_eq!(one.user.output(1).await, b"one");
    assert_eq!(two.user.output(1).await, b"two");
}

#[tokio::test]
async fn a_terminal_needs_a_connected_device_and_the_right_to_it() {
    use longwire_server::access::Role;
    let lab = Lab::start().await;
    let (gadget, operator) = (lab.gadget().await, lab.operator().await);
    let away = lab.dial_terminal(gadget.id, &operator.token).await;
    let away = away.unwrap_err();
    assert_eq!(away.status, 404);
    assert!(
        away.body
            .contains("failed to connect to device: device disconnected")
    );
    let _device = lab.device(&gadget).await;
    let observer = lab.operator_with(&[Role::Observer]).await;
    let observer = lab.dial_terminal(gadget.id, &observer.token).await;
    assert_eq!(observer.unwrap_err().status, 403);
    let bearer = format!("Bearer {}", operator.token);
    let nonsense = lab
        .dial(&terminal_path("nonsense"), &[("authorization", &bearer)])
        .await;
    assert_eq!(nonsense.unwrap_err().status, 404);
}

#[tokio::test]
async fn item_34_a_cookie_opens_a_terminal_from_our_own_pages_only_and_the_header_wins() {
    let lab = Lab::start().await;
    let (gadget, operator) = (lab.gadget().await, lab.operator().await);
    let _device = lab.device(&gadget).await;
    let path = terminal_path(gadget.id);
    let own = format!("http://{}", lab.server.address());
    for name in ["JWT", "longwire-insecure"] {
        let cookie = format!("{name}={}", operator.token);
        lab.dial(&path, &[("cookie", &cookie), ("origin", &own)])
            .await
            .unwrap();
        let other = [("cookie", &*cookie), ("origin", "http://evil.example")];
        assert_eq!(lab.dial(&path, &other).await.unwrap_err().status, 403);
        let none = [("cookie", &*cookie)];
        assert_eq!(lab.dial(&path, &none).await.unwrap_err().status, 403);
        let wrong = [
            ("cookie", &*cookie),
            ("origin", &*own),
            ("authorization", "Bearer wrong"),
        ];
        assert_eq!(lab.dial(&path, &wrong).await.unwrap_err().status, 401);
    }
}

#[tokio::test]
async fn item_42_whatever_width_a_device_gives_its_numbers_users_get_the_known_ones() {
    let lab = Lab::start().await;
    let mut terminal = lab.terminal().await;
    // `stop` with `proto` as a fixint and `status` as a 64-bit integer.
    let mut stop = b"\x82\xa3hdr\x84\xa5proto\x01\xa3typ\xa4stop\xa3sid\xd9\x24".to_vec();
    stop.extend_from_slice(terminal.sid.as_bytes());
    stop.extend_from_slice(b"\xa5props\x81\xa6status\xd3\0\0\0\0\0\0\0\x02\xa4body\xa3end");
    terminal.device.send_bytes(stop).await;
    let raw = terminal.user.raw().await;
    assert!(raw.starts_with(b"\x82\xa3hdr\x84\xa5proto\xcd\0\x01\xa3typ\xa4stop\xa3sid"));
    assert!(raw.ends_with(b"\xa5props\x81\xa6status\xd3\0\0\0\0\0\0\0\x02\xa4body\xc4\x03end"));
    assert_eq!(decode(raw).unwrap().sid, terminal.sid);
}
