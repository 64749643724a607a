//! What happens after a while, under a clock that stands still.

use bytes::Bytes;
use longwire_protocol::control::Control;
use longwire_protocol::shell::{Ended, FromDevice, FromUser};

use crate::clock::Clock;
use crate::lab::{Lab, start_shell};
use crate::peer::Event;

/// What a terminal is told of its device.
const AWAY: &[u8] = b"\r\n[longwire: the device has lost its connection; waiting for it]\r\n";
const BACK: &[u8] = b"\r\n[longwire: the device is connected again]\r\n";

#[tokio::test]
async fn item_02_an_idle_device_is_pinged_within_30_seconds_and_may_answer_late() {
    let lab = Lab::start().await;
    let gadget = lab.gadget().await;
    let mut device = lab.device(&gadget).await;
    device.is_heard().await;
    let clock = Clock::stop();
    clock.pass(30).await;
    // The answers leave when the questions are read here: ten seconds late.
    clock.pass(10).await;
    let (mut websocket, mut words) = (false, false);
    while !(websocket && words) {
        match device.event().await {
            Event::Ping(payload) => {
                assert_eq!(payload, "60");
                websocket = true;
            }
            Event::Message(message) => {
                assert_eq!(Control::try_from(&message), Ok(Control::Ping));
                device.send(&Control::Pong.to_message(&message.sid)).await;
                words = true;
            }
            other => panic!("{other:?}"),
        }
    }
    clock.pass(50).await;
    assert!(lab.app().links.connected_since(gadget.id).is_some());
}

#[tokio::test]
async fn a_device_of_which_only_a_proxy_answers_is_dropped_within_75_seconds() {
    let lab = Lab::start().await;
    let gadget = lab.gadget().await;
    let mut device = lab.device(&gadget).await;
    device.is_heard().await;
    let clock = Clock::stop();
    for _ in 0..3 {
        clock.pass(24).await;
        device.send_ping(b"proxy").await;
    }
    assert!(lab.app().links.connected_since(gadget.id).is_some());
    clock.pass(4).await;
    assert_eq!(
        device.end().await,
        Event::Closed(1001, "no sign of life for 75 seconds".to_owned())
    );
}

#[tokio::test]
async fn item_03_a_silent_device_is_dropped_between_60_and_75_seconds() {
    let lab = Lab::start().await;
    let gadget = lab.gadget().await;
    let mut device = lab.device(&gadget).await;
    device.is_heard().await;
    let clock = Clock::stop();
    clock.pass(60).await;
    assert!(lab.app().links.connected_since(gadget.id).is_some());
    clock.pass(11).await;
    lab.until_connected(gadget.id, false).await;
    assert_eq!(
        device.end().await,
        Event::Closed(1001, "no sign of life for 70 seconds".to_owned())
    );
}

#[tokio::test]
async fn item_11_operators_of_a_device_that_is_gone_get_a_stop_and_then_a_close() {
    let lab = Lab::start().await;
    let (gadget, operator) = (lab.gadget().await, lab.operator().await);
    let mut device = lab.device(&gadget).await;
    let mut user = lab.user(&gadget, &operator).await;
    start_shell(&mut user, &mut device).await;
    device.vanish();
    lab.until_connected(gadget.id, false).await;
    let clock = Clock::stop();
    clock.pass(31).await;
    let mut told = false;
    loop {
        match user.event().await {
            Event::Ping(_) => {}
            Event::Message(message) => match FromDevice::try_from(&message).unwrap() {
                FromDevice::Ping { .. } => {}
                FromDevice::Output(words) => told |= words.starts_with(AWAY),
                FromDevice::Stop(stop) => {
                    assert_eq!(stop.reason, Some(Ended::DeviceGone));
                    break;
                }
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }
    assert!(told, "that the device is away");
    assert_eq!(
        user.end().await,
        Event::Closed(1001, "device disconnected".to_owned())
    );
}

#[tokio::test]
async fn a_device_that_comes_back_after_20_seconds_finds_its_operators() {
    let lab = Lab::start().await;
    let (gadget, operator) = (lab.gadget().await, lab.operator().await);
    let mut device = lab.device(&gadget).await;
    let mut user = lab.user(&gadget, &operator).await;
    let sid = start_shell(&mut user, &mut device).await;
    device.vanish();
    lab.until_connected(gadget.id, false).await;
    let clock = Clock::stop();
    clock.pass(20).await;
    assert_eq!(user.output(AWAY.len()).await, AWAY);
    let mut device = lab.device(&gadget).await;
    assert_eq!(user.output(BACK.len()).await, BACK);
    device
        .say(&FromDevice::Output(Bytes::from_static(b"back")), &sid)
        .await;
    assert_eq!(user.output(4).await, b"back");
    let typed = FromUser::Input(Bytes::from_static(b"x"));
    user.say(&typed, "").await;
    loop {
        let told = device.told().await;
        if told == typed {
            break;
        }
        // The question whether the shell is still there.
        assert_eq!(told, FromUser::Input(Bytes::new()));
    }
}

#[tokio::test]
async fn users_are_pinged_within_65_seconds_both_ways() {
    let lab = Lab::start().await;
    let mut terminal = lab.terminal().await;
    let clock = Clock::stop();
    clock.pass(60).await;
    let (mut websocket, mut shell) = (false, false);
    while !(websocket && shell) {
        match terminal.user.event().await {
            Event::Ping(_) => websocket = true,
            Event::Message(message) => {
                assert!(matches!(
                    FromDevice::try_from(&message),
                    Ok(FromDevice::Ping {
                        timeout_s: Some(65)
                    })
                ));
                shell = true;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_login_that_was_ended_behind_the_server_s_back_is_noticed_within_a_minute() {
    use longwire_server::audit::{Action, Actor, AuditEvent, Object};
    let lab = Lab::start().await;
    let (gadget, operator) = (lab.gadget().await, lab.operator().await);
    let mut device = lab.device(&gadget).await;
    let mut user = lab.user(&gadget, &operator).await;
    start_shell(&mut user, &mut device).await;
    // As `longwire-server user remove` does it.
    let mut change = lab.app().store.change().await.unwrap();
    change.remove_user(operator.id).await.unwrap();
    let event = AuditEvent::new(
        Action::UserRemoved,
        Actor::System,
        Object::User(operator.id),
    );
    change.commit(&event).await.unwrap();
    let clock = Clock::stop();
    clock.pass(31).await;
    assert_eq!(
        user.end().await,
        Event::Closed(1008, "no longer allowed".to_owned())
    );
}
