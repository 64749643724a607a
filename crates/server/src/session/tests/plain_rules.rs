//! The rules between plain ends and a plain device, one after another.

use std::time::Duration;

use bytes::Bytes;
use longwire_protocol::shell::{Ended, FromDevice, FromUser, Stop, text};
use longwire_protocol::{Message, Receiver, control, decode, encode, limits, prop, proto};

use super::super::*;
use super::stage::*;
use crate::ids::UserId;
use crate::session::ViewerId;

#[test]
fn item_05_every_message_to_a_device_has_our_sid_and_user_and_fits() {
    let mut stage = Stage::plain();
    let user = UserId::new();
    let viewer = stage.attach(1, user);
    stage.user(
        viewer,
        FromUser::New {
            size: Some(size(40, 80)),
        },
    );
    stage.device(1, FromDevice::Started);
    let mut paste = FromUser::Input(Bytes::from(vec![b'x'; 100_000])).to_message("");
    paste.props.set("user_id", "somebody else");
    paste.props.set("anything", 1);
    stage.user_message(viewer, paste);
    stage.user(viewer, FromUser::Resize(size(1, 2)));
    stage.device(1, FromDevice::Ping { timeout_s: None });
    stage.user(viewer, FromUser::Stop { error: None });
    let seen = stage.seen();
    // What waits is split once more where it does not fit.
    assert_eq!(seen.device.len(), 1 + 15 + 1 + 1 + 1);
    for message in &seen.device {
        assert_eq!(message.sid, sid(1));
        assert_eq!(
            message.props.get_str(prop::USER_ID),
            Some(user.to_string().as_str())
        );
        assert_eq!(message.props.get("anything"), None);
        let packed = encode(message, Receiver::Device);
        assert!(packed.len() <= limits::AGENT_READ_LIMIT);
        assert_eq!(decode(packed).as_ref(), Ok(message));
    }
}

#[test]
fn item_08_what_a_device_says_about_sessions_it_does_not_have_harms_nobody() {
    let mut stage = Stage::plain();
    let viewer = stage.running(1, UserId::new());
    for says in [
        FromDevice::Started,
        FromDevice::Output(Bytes::from_static(b"x")),
        exited(),
        FromDevice::InputFailed("no".to_owned()),
    ] {
        stage.device(77, says);
    }
    let seen = stage.seen();
    assert!(seen.device.is_empty() && seen.viewers.is_empty());
    stage.device(1, FromDevice::Output(Bytes::from_static(b"y")));
    assert_eq!(stage.seen().output(viewer), b"y");
}

#[test]
fn a_shell_left_over_from_before_the_server_started_is_ended_when_it_pings() {
    let mut stage = Stage::plain();
    stage.device(77, FromDevice::Ping { timeout_s: None });
    stage.device(77, FromDevice::Ping { timeout_s: None });
    let seen = stage.seen();
    assert_eq!(seen.device_said(), [stop(text::USER_DISCONNECTED)]);
    assert_eq!(seen.device[0].sid, sid(77));
}

#[test]
fn item_09_status_and_timeout_reach_users_in_nine_bytes() {
    let mut stage = Stage::plain();
    let viewer = stage.attach(1, UserId::new());
    stage.user(viewer, FromUser::New { size: None });
    stage.device(1, FromDevice::Refused("no".to_owned()));
    stage.running(2, UserId::new());
    stage.pass(31 * SECOND);
    let seen = stage.seen();
    let pings = seen.viewer_heard(ViewerId(2));
    assert_eq!(
        pings,
        [FromDevice::Ping {
            timeout_s: Some(65)
        }]
    );
    let ping = encode(&seen.viewers[0].1, Receiver::User);
    let timeout = b"\xa7timeout\xd3\0\0\0\0\0\0\0\x41";
    assert!(ping.windows(timeout.len()).any(|part| part == timeout));
}

#[test]
fn item_10_a_second_terminal_of_an_operator_with_one_attached_is_refused_at_once() {
    let mut stage = Stage::plain();
    let user = UserId::new();
    stage.running(1, user);
    let second = stage.attach(2, user);
    stage.user(second, FromUser::New { size: None });
    stage.device(2, FromDevice::Refused(text::TOO_MANY_SESSIONS.to_owned()));
    let seen = stage.seen();
    let heard = seen.viewer_heard(second);
    let [FromDevice::Refused(why)] = &heard[..] else {
        panic!("{heard:?}")
    };
    assert!(why.starts_with(text::TOO_MANY_SESSIONS), "{why}");
    assert!(why.contains("operator@example.com since "), "{why}");
    assert!(matches!(
        seen.records()[..],
        [SessionChange::Opened { .. }, SessionChange::Refused { .. }]
    ));
}

#[test]
fn a_refusal_because_of_a_shell_that_is_just_ending_is_tried_again_once() {
    let mut stage = Stage::plain();
    let user = UserId::new();
    let first = stage.running(1, user);
    stage.input(Input::ViewerGone(first));
    let second = stage.attach(2, user);
    stage.user(second, FromUser::New { size: None });
    stage.seen();
    stage.device(2, FromDevice::Refused(text::TOO_MANY_SESSIONS.to_owned()));
    stage.pass(5 * SECOND - Duration::from_millis(1));
    assert!(stage.seen().device.is_empty());
    stage.pass(Duration::from_millis(1));
    assert_eq!(stage.seen().device_said(), [FromUser::New { size: None }]);
    stage.device(2, FromDevice::Refused(text::TOO_MANY_SESSIONS.to_owned()));
    assert_eq!(
        stage.seen().viewer_heard(second),
        [FromDevice::Refused(text::TOO_MANY_SESSIONS.to_owned())]
    );
}

#[test]
fn item_11_a_device_that_stays_away_ends_its_sessions_after_30_seconds() {
    let mut stage = Stage::plain();
    let viewer = stage.running(1, UserId::new());
    stage.input(Input::LinkDown);
    stage.pass(AWAY_MAX - Duration::from_millis(1));
    assert!(stage.seen().closed.is_empty());
    stage.pass(Duration::from_millis(1));
    let seen = stage.seen();
    let [FromDevice::Stop(stop)] = &seen.viewer_heard(viewer)[..] else {
        panic!("{seen:?}")
    };
    assert_eq!(stop.reason, Some(Ended::DeviceGone));
    let reason = CloseReason::Ended(EndReason::DeviceGone);
    assert_eq!(seen.closed, [(viewer, reason)]);
}

#[test]
fn who_does_not_take_the_end_is_left_after_five_seconds() {
    let mut stage = Stage::plain();
    let viewer = stage.running(1, UserId::new());
    stage.takes = false;
    stage.input(Input::EndViewer(viewer, EndReason::NotAllowed));
    stage.pass(5 * SECOND);
    let reason = CloseReason::Ended(EndReason::NotAllowed);
    assert_eq!(stage.seen().cut, [(viewer, reason)]);
}

#[test]
fn a_device_that_comes_back_in_time_finds_its_sessions() {
    let mut stage = Stage::plain();
    let viewer = stage.running(1, UserId::new());
    stage.user(viewer, FromUser::Resize(size(50, 100)));
    stage.input(Input::LinkDown);
    stage.seen();
    stage.pass(20 * SECOND);
    stage.user(viewer, input(b"typed meanwhile"));
    assert!(stage.seen().device.is_empty());
    stage.input(Input::LinkUp {
        kind: LinkKind::Plain,
    });
    let said = stage.seen().device_said();
    assert_eq!(
        said,
        [
            FromUser::Resize(size(50, 100)),
            input(b""),
            input(b"typed meanwhile"),
        ]
    );
    stage.device(1, FromDevice::Output(Bytes::from_static(b"back")));
    assert_eq!(stage.seen().output(viewer), b"back");
    stage.pass(60 * SECOND);
    assert!(stage.seen().closed.is_empty());
}

#[test]
fn operators_with_a_screen_are_told_that_the_device_is_away_and_back() {
    let mut stage = Stage::plain();
    let owner = UserId::new();
    let with_screen = stage.running(1, owner);
    let script = stage.attach(2, UserId::new());
    let mut new = FromUser::New {
        size: Some(size(40, 80)),
    }
    .to_message("");
    new.props.set(prop::NOTICES, false);
    stage.user_message(script, new);
    stage.device(2, FromDevice::Started);
    stage.seen();

    stage.input(Input::LinkDown);
    stage.pass(2 * SECOND);
    let seen = stage.seen();
    let told = String::from_utf8(seen.output(with_screen)).unwrap();
    assert!(
        told.contains("[longwire: the device has lost its connection"),
        "{told}"
    );
    assert!(seen.output(script).is_empty());

    stage.input(Input::LinkUp {
        kind: LinkKind::Plain,
    });
    let seen = stage.seen();
    let told = String::from_utf8(seen.output(with_screen)).unwrap();
    assert!(
        told.contains("[longwire: the device is connected again]"),
        "{told}"
    );
    assert!(seen.output(script).is_empty());
}

#[test]
fn a_link_that_is_replaced_at_once_is_not_worth_a_word() {
    let mut stage = Stage::plain();
    let viewer = stage.running(1, UserId::new());
    for _ in 0..3 {
        stage.input(Input::LinkDown);
        stage.pass(SECOND);
        stage.input(Input::LinkUp {
            kind: LinkKind::Plain,
        });
        stage.pass(5 * SECOND);
    }
    assert!(stage.seen().output(viewer).is_empty());
}

#[test]
fn a_device_that_has_restarted_ends_the_shells_it_lost() {
    let mut stage = Stage::plain();
    let viewer = stage.running(1, UserId::new());
    stage.input(Input::LinkDown);
    stage.input(Input::LinkUp {
        kind: LinkKind::Plain,
    });
    stage.seen();
    stage.device(
        1,
        FromDevice::InputFailed(text::SESSION_NOT_FOUND.to_owned()),
    );
    let seen = stage.seen();
    assert!(matches!(
        seen.viewer_heard(viewer)[..],
        [FromDevice::Stop(Stop {
            error: true,
            reason: Some(Ended::DeviceGone),
            ..
        })]
    ));
    assert!(seen.device.is_empty());
}

#[test]
fn a_device_that_says_nothing_is_asked_and_then_taken_for_dead_within_75_seconds() {
    let mut stage = Stage::plain();
    let viewer = stage.running(1, UserId::new());
    // It pings as long as its shell lives, but that a proxy or its system could do as well.
    for _ in 0..10 {
        stage.pass(28 * SECOND);
        let ping = stage.seen().device.pop().unwrap();
        let pong = control::Control::Pong.to_message(&ping.sid);
        assert_eq!(
            control::Control::try_from(&ping),
            Ok(control::Control::Ping)
        );
        stage.input(Input::FromDevice(pong));
    }
    stage.pass(74 * SECOND);
    assert!(!stage.seen().link_cut);
    stage.pass(SECOND);
    assert!(stage.seen().link_cut);
    // When it is back within 30 seconds, it finds its sessions.
    stage.input(Input::LinkDown);
    stage.pass(20 * SECOND);
    stage.input(Input::LinkUp {
        kind: LinkKind::Plain,
    });
    stage.seen();
    stage.device(1, FromDevice::Output(Bytes::from_static(b"back")));
    assert_eq!(stage.seen().output(viewer), b"back");
}

#[test]
fn item_12_a_lost_operator_ends_the_shell() {
    let mut stage = Stage::plain();
    let user = UserId::new();
    let viewer = stage.running(1, user);
    stage.input(Input::ViewerGone(viewer));
    let seen = stage.seen();
    assert_eq!(seen.device_said(), [stop("user disconnected")]);
    assert_eq!(seen.device[0].props.get_int(prop::STATUS), Some(2));
    assert_eq!(
        seen.device[0].props.get_str(prop::USER_ID),
        Some(user.to_string().as_str())
    );
    // Answers, none, one or two, change nothing.
    stage.device(1, exited());
    stage.device(1, stopped());
    assert!(stage.seen().device.is_empty());
}

#[test]
fn item_13_a_stop_and_a_lost_operator_are_one_stop() {
    let mut stage = Stage::plain();
    let viewer = stage.running(1, UserId::new());
    stage.user(viewer, FromUser::Stop { error: None });
    stage.user(viewer, FromUser::Stop { error: None });
    stage.input(Input::ViewerGone(viewer));
    let seen = stage.seen();
    assert_eq!(seen.device_said(), [FromUser::Stop { error: None }]);
    let mut stops = seen.changes.iter().filter(|change| {
        matches!(
            change.what,
            SessionChange::Stop(Ending {
                reason: Some(Ended::Stopped),
                ..
            })
        )
    });
    assert!(stops.next().is_some() && stops.next().is_none());
}

#[test]
fn item_14_a_shell_that_ends_by_itself_is_stopped_once_and_told_once() {
    let mut stage = Stage::plain();
    let viewer = stage.running(1, UserId::new());
    stage.device(1, FromDevice::Output(Bytes::from_static(b"logout")));
    stage.device(1, exited());
    stage.user(viewer, FromUser::Stop { error: None });
    stage.device(1, stopped());
    stage.input(Input::ViewerGone(viewer));
    let seen = stage.seen();
    assert_eq!(seen.device_said(), [FromUser::Stop { error: None }]);
    assert_eq!(
        seen.viewer_heard(viewer),
        [FromDevice::Output(Bytes::from_static(b"logout")), exited()]
    );
}

#[test]
fn the_end_that_our_agent_gives_reaches_user_and_record() {
    let mut stage = Stage::plain();
    let viewer = stage.running(1, UserId::new());
    let end = Stop {
        error: true,
        reason: Some(Ended::Exited),
        exit_status: Some(3),
        text: "shell exited with status 3".to_owned(),
    };
    stage.device(1, FromDevice::Stop(end.clone()));
    let seen = stage.seen();
    assert_eq!(seen.viewer_heard(viewer), [FromDevice::Stop(end.clone())]);
    assert_eq!(
        seen.records(),
        [SessionChange::Ended(Ending {
            reason: end.reason,
            exit_status: end.exit_status,
            text: end.text
        })]
    );
}

#[test]
fn item_16_a_size_that_follows_new_arrives_after_the_shell_has_started() {
    let mut stage = Stage::plain();
    let viewer = stage.attach(1, UserId::new());
    stage.user(viewer, FromUser::New { size: None });
    stage.user(viewer, FromUser::Resize(size(40, 200)));
    assert_eq!(stage.seen().device_said(), [FromUser::New { size: None }]);
    stage.device(1, FromDevice::Started);
    assert_eq!(
        stage.seen().device_said(),
        [FromUser::Resize(size(40, 200))]
    );
}

#[test]
fn item_24_pongs_of_users_never_reach_a_device_and_its_pings_are_answered_at_once() {
    let mut stage = Stage::plain();
    let viewer = stage.running(1, UserId::new());
    stage.user(viewer, FromUser::Pong);
    stage.user(viewer, FromUser::Ack { offset: 7 });
    assert!(stage.seen().device.is_empty());
    stage.device(
        1,
        FromDevice::Ping {
            timeout_s: Some(65),
        },
    );
    let seen = stage.seen();
    assert_eq!(seen.device_said(), [FromUser::Pong]);
    assert!(seen.viewers.is_empty());
}

#[test]
fn item_26_handshakes_are_answered_and_transfers_refused_without_the_device() {
    use control::{Control, Error};
    let mut stage = Stage::plain();
    let viewer = stage.attach(1, UserId::new());
    let ask = |stage: &mut Stage, message| {
        stage.user_message(viewer, message);
        let seen = stage.seen();
        assert!(seen.device.is_empty());
        assert_eq!(seen.viewers[0].1.sid, sid(1));
        Control::try_from(&seen.viewers[0].1).unwrap()
    };
    let open = |versions| Control::Open { versions }.to_message("");
    assert_eq!(
        ask(&mut stage, open(vec![1])),
        Control::Accept {
            version: 1,
            protocols: vec![proto::SHELL]
        }
    );
    let Control::Error(Error { err, close, .. }) = ask(&mut stage, open(vec![2])) else {
        panic!("accepted")
    };
    assert_eq!(err, "handshake rejected: require version 1");
    assert!(close);
    for (number, words) in [
        (2, "no handler registered for protocol: 0x0002"),
        (3, "no handler registered for protocol: 0x0003"),
        (4, "no handler registered for protocol: 0x0004"),
        (99, "no handler registered for protocol: 0x0063"),
    ] {
        let message = Message {
            proto: number,
            typ: "stat".to_owned(),
            ..Message::default()
        };
        let Control::Error(error) = ask(&mut stage, message) else {
            panic!("accepted")
        };
        assert_eq!(error.err, words);
        assert_eq!(error.msgproto, Some(number));
        assert_eq!(error.msgtype.as_deref(), Some("stat"));
    }
}

#[test]
fn an_unknown_shell_message_is_answered_as_agents_do() {
    let mut stage = Stage::plain();
    let viewer = stage.running(1, UserId::new());
    stage.user_message(
        viewer,
        Message {
            proto: proto::SHELL,
            typ: "dance".to_owned(),
            ..Message::default()
        },
    );
    let seen = stage.seen();
    assert!(seen.device.is_empty());
    assert_eq!(
        seen.viewer_heard(viewer),
        [FromDevice::Failed {
            typ: "dance".to_owned(),
            text: "unknown message protocol and type: 1/dance".to_owned()
        }]
    );
}

#[test]
fn item_27_two_sessions_of_one_device_never_see_each_other() {
    let mut stage = Stage::plain();
    let one = stage.running(1, UserId::new());
    let two = stage.running(2, UserId::new());
    stage.device(1, FromDevice::Output(Bytes::from_static(b"one")));
    stage.device(2, FromDevice::Output(Bytes::from_static(b"two")));
    // A user who gives somebody else's session id only ever speaks to their own.
    stage.user_message(one, input(b"typed").to_message(&sid(2)));
    let seen = stage.seen();
    assert_eq!(seen.output(one), b"one");
    assert_eq!(seen.output(two), b"two");
    assert_eq!(seen.device.len(), 1);
    assert_eq!(seen.device[0].sid, sid(1));
}

#[test]
fn the_device_hears_of_a_session_only_once_it_is_written_down() {
    let mut stage = Stage::plain();
    stage.stores = false;
    let viewer = stage.attach(1, UserId::new());
    stage.user(viewer, FromUser::New { size: None });
    stage.user(viewer, input(b"early"));
    let seen = stage.seen();
    assert!(seen.device.is_empty());
    assert!(matches!(seen.records()[..], [SessionChange::Opened { .. }]));
    let change = seen.changes[0].id;
    stage.input(Input::CommitDone { change, ok: true });
    assert_eq!(stage.seen().device_said(), [FromUser::New { size: None }]);
    stage.device(1, FromDevice::Started);
    assert_eq!(stage.seen().device_said(), [input(b"early")]);
}

#[test]
fn a_session_that_cannot_be_written_down_is_refused() {
    let mut stage = Stage::plain();
    stage.stores = false;
    let viewer = stage.attach(1, UserId::new());
    stage.user(viewer, FromUser::New { size: None });
    let change = stage.seen.changes[0].id;
    stage.input(Input::CommitDone { change, ok: false });
    let seen = stage.seen();
    assert!(seen.device.is_empty());
    assert_eq!(
        seen.viewer_heard(viewer),
        [FromDevice::Refused("internal error".to_owned())]
    );
}

#[test]
fn stops_that_may_have_been_lost_are_sent_again_over_the_next_link() {
    let mut stage = Stage::plain();
    let (gone, ended) = (
        stage.running(1, UserId::new()),
        stage.running(2, UserId::new()),
    );
    stage.input(Input::LinkDown);
    stage.input(Input::ViewerGone(gone));
    assert!(stage.seen().device.is_empty());
    stage.input(Input::LinkUp {
        kind: LinkKind::Plain,
    });
    let seen = stage.seen();
    assert_eq!(seen.device[0].sid, sid(1));
    assert_eq!(seen.device_said()[0], stop(text::USER_DISCONNECTED));
    // Answered: forgotten. Not answered: sent again.
    stage.device(1, stopped());
    stage.device(2, exited());
    stage.seen();
    stage.input(Input::LinkUp {
        kind: LinkKind::Plain,
    });
    let seen = stage.seen();
    assert_eq!(seen.device.len(), 1);
    assert_eq!(seen.device[0].sid, sid(2));
    // A shell that is wanted again is not stopped.
    stage.user(ended, FromUser::New { size: None });
    let again = stage.seen().device[0].sid.clone();
    stage.device(2, stopped());
    stage.device_about(&again, FromDevice::Started);
    stage.seen();
    stage.input(Input::LinkUp {
        kind: LinkKind::Plain,
    });
    assert_eq!(stage.seen().device_said(), [input(b"")]);
}

#[test]
fn a_stop_that_crossed_the_shells_own_end_and_was_lost_is_sent_again() {
    let mut stage = Stage::plain();
    let viewer = stage.running(1, UserId::new());
    stage.user(viewer, FromUser::Stop { error: None });
    // No answer: the shell ended by itself, and its slot waits for the stop.
    stage.device(1, exited());
    stage.input(Input::LinkDown);
    stage.seen();
    stage.input(Input::LinkUp {
        kind: LinkKind::Plain,
    });
    assert_eq!(stage.seen().device_said(), [stop(text::USER_DISCONNECTED)]);
}

#[test]
fn a_new_whose_answer_was_lost_with_the_link_is_asked_again() {
    let mut stage = Stage::plain();
    let viewer = stage.attach(1, UserId::new());
    stage.user(viewer, FromUser::New { size: None });
    stage.input(Input::LinkDown);
    stage.input(Input::LinkUp {
        kind: LinkKind::Plain,
    });
    let new = FromUser::New { size: None };
    assert_eq!(stage.seen().device_said(), [new.clone(), new]);
    stage.device(1, FromDevice::Refused(text::ALREADY_RUNNING.to_owned()));
    assert_eq!(stage.seen().viewer_heard(viewer), [FromDevice::Started]);
}

#[test]
fn a_device_that_does_not_answer_new_is_given_up() {
    let mut stage = Stage::plain();
    let viewer = stage.attach(1, UserId::new());
    stage.user(viewer, FromUser::New { size: None });
    stage.seen();
    stage.pass(60 * SECOND);
    let seen = stage.seen();
    assert_eq!(seen.device_said(), [stop("the device does not answer")]);
    let heard = seen.viewer_heard(viewer);
    assert_eq!(
        heard.last(),
        Some(&FromDevice::Refused(
            "the device does not answer".to_owned()
        ))
    );
    // A late answer starts nothing.
    stage.device(1, FromDevice::Started);
    assert!(stage.seen().viewers.is_empty());
}

#[test]
fn an_operator_who_may_not_go_on_loses_shell_and_socket() {
    let mut stage = Stage::plain();
    let viewer = stage.running(1, UserId::new());
    let other = stage.running(2, UserId::new());
    stage.input(Input::EndViewer(viewer, EndReason::NotAllowed));
    stage.user(viewer, input(b"rm -rf /\r"));
    stage.user(viewer, FromUser::New { size: None });
    let seen = stage.seen();
    assert_eq!(seen.device_said(), [stop("no longer allowed")]);
    assert_eq!(
        seen.closed,
        [(viewer, CloseReason::Ended(EndReason::NotAllowed))]
    );
    stage.user(other, input(b"x"));
    assert_eq!(stage.seen().device_said(), [input(b"x")]);
}

#[test]
fn item_31_nothing_is_remembered_of_a_device_that_was_removed() {
    let mut stage = Stage::plain();
    let viewer = stage.running(1, UserId::new());
    stage.input(Input::End(EndReason::DeviceRemoved));
    let seen = stage.seen();
    assert_eq!(
        seen.device_said(),
        [stop("the device is no longer accepted")]
    );
    assert!(seen.link_closed);
    assert_eq!(
        seen.closed,
        [(viewer, CloseReason::Ended(EndReason::DeviceRemoved))]
    );
    // The stop is never answered, and never sent again.
    stage.input(Input::LinkDown);
    stage.input(Input::ViewerGone(viewer));
    assert!(!stage.sessions.is_empty());
    stage.pass(AWAY_MAX);
    assert!(stage.sessions.is_empty());
}
