//! What the stream promises, one promise a test.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

mod pair;

use std::time::Duration;

use bytes::Bytes;
use longwire_link::wire::ToUser;
use longwire_link::{
    Attachment, Hello, LinkError, SessionError, ShellConfig, ShellEnd, ToShellEnd, ToUserEnd,
    UserEnd, limits,
};
use longwire_protocol::shell::{Ended, Stop, Winsize, text};
use longwire_protocol::{Message, Props};
use pair::{Pair, SID};

fn exited() -> Stop {
    Stop {
        reason: Some(Ended::Exited),
        exit_status: Some(0),
        ..Stop::default()
    }
}

fn output_of(message: &Message) -> Option<Bytes> {
    (message.typ == "shell").then(|| message.body.clone())
}

#[test]
fn opening_again_opens_nothing_twice() {
    let mut pair = Pair::connected();
    pair.user.open(SID, 1, None, Props::new()).unwrap();
    pair.exchange();
    pair.reconnect();
    pair.shell.started(SID).unwrap();
    pair.reconnect();
    let (at_shell, at_user) = pair.events();
    let opened = |event: &&ToShellEnd| matches!(event, ToShellEnd::Open { .. });
    let started = |event: &&ToUserEnd| matches!(event, ToUserEnd::Started { .. });
    assert_eq!(at_shell.iter().filter(opened).count(), 1);
    assert_eq!(at_user.iter().filter(started).count(), 1);
}

#[test]
fn a_refusal_is_told_and_forgotten() {
    let mut pair = Pair::connected();
    pair.user.open(SID, 1, None, Props::new()).unwrap();
    pair.exchange();
    pair.shell.refused(SID, "no such user").unwrap();
    pair.exchange();
    assert!(pair.user_events().contains(&ToUserEnd::Refused {
        sid: SID.to_owned(),
        why: "no such user".to_owned(),
    }));
    assert_eq!(
        pair.shell.sessions().count() + pair.user.sessions().count(),
        0
    );

    let many: Vec<String> = (0..=limits::MAX_SESSIONS).map(|i| i.to_string()).collect();
    for sid in &many {
        pair.user.open(sid, 1, None, Props::new()).unwrap();
    }
    pair.exchange();
    let refused: Vec<_> = pair
        .user_events()
        .into_iter()
        .filter(
            |event| matches!(event, ToUserEnd::Refused { why, .. } if why == text::TOO_MANY_SHELLS),
        )
        .collect();
    assert_eq!(refused.len(), 1);
}

#[test]
fn sessions_take_turns_and_control_passes_output() {
    let mut pair = Pair::running(&["flood-1", "flood-2", "quiet"]);
    for sid in ["flood-1", "flood-2"] {
        let room = pair.shell.room(sid);
        pair.shell.output(sid, &vec![b'y'; room], 0).unwrap();
    }
    assert_eq!(pair.user_bound().unwrap().sid, "flood-1");
    pair.shell.output("quiet", b"echo", 0).unwrap();
    assert_eq!(pair.user_bound().unwrap().sid, "flood-2");
    pair.user.input("quiet", b"x", pair.now).unwrap();
    while let Some(message) = pair.shell_bound() {
        pair.shell_gets(message).unwrap();
    }
    pair.shell.wrote("quiet", 1).unwrap();
    let ack = pair.user_bound().unwrap();
    assert_eq!((ack.typ.as_str(), ack.sid.as_str()), ("ack", "quiet"));
}

#[test]
fn a_quiet_session_waits_for_no_more_than_one_message_of_each_other() {
    let mut pair = Pair::running(&["flood-1", "flood-2", "quiet"]);
    let mut turns = Vec::new();
    for _ in 0..30 {
        for sid in ["flood-1", "flood-2"] {
            let room = pair.shell.room(sid);
            pair.shell.output(sid, &vec![b'y'; room], 0).unwrap();
        }
        pair.shell.output("quiet", b"echo", 0).unwrap();
        loop {
            let message = pair.user_bound().unwrap();
            let sid = message.sid.clone();
            pair.user_gets(message).unwrap();
            turns.push(sid.clone());
            while let Some(message) = pair.shell_bound() {
                pair.shell_gets(message).unwrap();
            }
            for sid in ["flood-1", "flood-2"] {
                let (position, _) = pair.user.output_position(sid).unwrap();
                pair.user.recorded(sid, position).unwrap();
            }
            pair.user_events();
            if sid == "quiet" {
                break;
            }
        }
    }
    let waits = turns.split(|sid| sid == "quiet").map(<[String]>::len);
    assert!(waits.max().unwrap() <= 2, "{turns:?}");
}

#[test]
fn little_is_under_way_until_the_rate_is_known_and_a_withheld_record_stops_one_session_only() {
    let mut pair = Pair::running(&["paced", "other"]);
    let room = pair.shell.room("paced");
    pair.shell.output("paced", &vec![b'y'; room], 0).unwrap();
    let under_way: Vec<Message> = std::iter::from_fn(|| pair.user_bound()).collect();
    let bytes: usize = under_way.iter().map(|message| message.body.len()).sum();
    assert!(bytes as u64 <= limits::MIN_IN_FLIGHT + 4096, "{bytes}");

    // All of it arrives, but nothing is recorded: the session may go on to its window, and the other
    // is served all the time.
    for message in under_way {
        pair.user_gets(message).unwrap();
    }
    for round in 0..100 {
        let room = pair.shell.room("paced");
        pair.shell.output("paced", &vec![b'y'; room], 0).unwrap();
        pair.exchange();
        pair.shell.output("other", b"x", round).unwrap();
        pair.exchange();
        assert_eq!(pair.user.output_position("other").unwrap().0, round + 1);
    }
    assert_eq!(pair.shell.room("paced"), 0, "the program waits");
    assert_eq!(
        pair.user.output_position("paced").unwrap(),
        (limits::RING as u64, 0)
    );
    pair.user.recorded("paced", limits::RING as u64).unwrap();
    pair.exchange();
    assert_eq!(pair.shell.room("paced"), limits::RING);
}

#[test]
fn all_rings_together_stay_within_their_bound_and_are_given_back() {
    let sids: Vec<String> = (0..limits::MAX_SESSIONS).map(|i| i.to_string()).collect();
    let mut config = ShellConfig::new("device-1");
    config.ring = 4 * 1024 * 1024;
    let mut pair = Pair::of(ShellEnd::new(config), UserEnd::new(Hello::default()));
    for sid in &sids {
        pair.user.open(sid, 1, None, Props::new()).unwrap();
        pair.exchange();
        pair.shell.started(sid).unwrap();
    }
    pair.exchange();
    pair.shell.disconnected(pair.at_shell);
    for sid in &sids {
        let room = pair.shell.room(sid);
        assert!(room >= limits::RING_FLOOR, "everybody can say something");
        pair.shell.output(sid, &vec![b'y'; room], 0).unwrap();
        assert_eq!(pair.shell.output(sid, b"y", 0), Err(SessionError::NoRoom));
    }
    let held = pair.shell.memory();
    assert!(held > limits::RINGS / 2 && held <= limits::RINGS, "{held}");
    pair.reconnect();
    for _ in 0..10_000 {
        for sid in &sids {
            let (position, _) = pair.user.output_position(sid).unwrap();
            pair.user.recorded(sid, position).unwrap();
        }
        pair.exchange();
        pair.events();
    }
    assert_eq!(pair.shell.memory(), 0);
}

#[test]
fn what_ends_is_kept_until_it_is_recorded() {
    let mut pair = Pair::running(&[SID]);
    pair.shell.disconnected(pair.at_shell);
    pair.shell.output(SID, b"last words", 3).unwrap();
    pair.shell.ended(SID, exited()).unwrap();
    pair.reconnect();
    let ended = ToUserEnd::Ended {
        sid: SID.to_owned(),
        stop: exited(),
        offset: 10,
    };
    assert!(pair.user_events().contains(&ended));
    pair.reconnect();
    assert!(!pair.user_events().contains(&ended), "it is known");
    assert_eq!(pair.shell.sessions().count(), 1, "but not recorded");
    pair.user.end_recorded(SID).unwrap();
    pair.exchange();
    assert_eq!(pair.shell.sessions().count(), 0);
}

#[test]
fn of_too_many_ends_the_oldest_lose_output_first_and_are_forgotten_last() {
    let mut pair = Pair::connected();
    let sids: Vec<String> = (0..=limits::ENDED_KEPT)
        .map(|i| format!("{i:03}"))
        .collect();
    for sid in &sids {
        pair.user.open(sid, 1, None, Props::new()).unwrap();
        pair.exchange();
        pair.shell.started(sid).unwrap();
        pair.exchange();
        pair.shell.disconnected(pair.at_shell);
        pair.shell.output(sid, b"0123456789", 0).unwrap();
        pair.shell.ended(sid, exited()).unwrap();
        // The server is told only in the end.
        pair.at_shell = pair.shell.connected(pair.now);
        pair.at_user = pair.user.connected(pair.now);
        let (hello, listed) = (pair.shell_bound().unwrap(), pair.user_bound().unwrap());
        pair.shell_gets(hello).unwrap();
        if pair.shell.sessions().count() < limits::ENDED_KEPT {
            pair.user_gets(listed).unwrap();
            pair.user.disconnected(pair.at_user);
        }
        pair.at_user = pair.user.connected(pair.now);
        pair.at_shell = pair.shell.connected(pair.now);
        while let Some(message) = pair.user_bound() {
            pair.user_gets(message).unwrap();
        }
        while let Some(message) = pair.shell_bound() {
            if message.typ == "new" || message.typ == "hello" {
                pair.shell_gets(message).unwrap();
            }
        }
    }
    pair.reconnect();
    let events = pair.user_events();
    let gaps = |sid: &String| {
        let gap = ToUserEnd::Gap {
            sid: sid.clone(),
            from: 0,
            to: 10,
        };
        events.contains(&gap)
    };
    let lost = |sid: &String| events.contains(&ToUserEnd::Lost { sid: sid.clone() });
    assert!(lost(&sids[0]));
    let kept = sids.len() - limits::ENDED_WITH_OUTPUT;
    assert!(sids[1..kept].iter().all(|sid| gaps(sid) && !lost(sid)));
    assert!(sids[kept..].iter().all(|sid| !gaps(sid) && !lost(sid)));
}

#[test]
fn an_interrupt_passes_what_the_window_keeps_back() {
    let mut pair = Pair::running(&[SID]);
    // The pty takes ten bytes and no more; input fills every place it can wait in.
    pair.user.input(SID, &[b'x'; 10], pair.now).unwrap();
    pair.exchange();
    pair.shell.wrote(SID, 10).unwrap();
    pair.exchange();
    let room = pair.user.input_room(SID);
    assert!(room as u64 > limits::INPUT_WINDOW);
    pair.user.input(SID, &vec![b'x'; room], pair.now).unwrap();
    assert_eq!(
        pair.user.input(SID, b"y", pair.now),
        Err(SessionError::NoRoom)
    );
    pair.user.input(SID, b"\x03", pair.now).unwrap();
    pair.exchange();
    let told = pair.shell_events().into_iter().find_map(|event| {
        if let ToShellEnd::Interrupt {
            offset, byte: 3, ..
        } = event
        {
            Some(offset)
        } else {
            None
        }
    });
    let offset = 10 + room as u64;
    assert_eq!(told, Some(offset));
    assert_eq!(
        pair.shell.find_input(SID, b"\x03"),
        None,
        "it has not come itself"
    );
    assert_eq!(pair.shell.interrupted(SID, offset), Ok(room as u64));
    assert!(pair.shell.input(SID).is_empty());
    pair.exchange();
    assert!(pair.user_events().contains(&ToUserEnd::Applied {
        sid: SID.to_owned(),
        offset: offset + 1,
        dropped: room as u64,
    }));
    pair.user.input(SID, b"ls\r", pair.now).unwrap();
    pair.exchange();
    assert_eq!(pair.shell.input(SID), b"ls\r");
}

#[test]
fn an_interrupt_the_shell_wants_as_a_byte_comes_in_its_turn() {
    let mut pair = Pair::running(&[SID]);
    let room = pair.user.input_room(SID);
    pair.user.input(SID, &vec![b'x'; room], pair.now).unwrap();
    pair.user.input(SID, b"\x03", pair.now).unwrap();
    pair.exchange();
    let mut got = Vec::new();
    while !pair.shell.input(SID).is_empty() {
        got.extend_from_slice(pair.shell.input(SID));
        let count = pair.shell.input(SID).len();
        pair.shell.wrote(SID, count).unwrap();
        pair.exchange();
    }
    assert_eq!(got.len(), room + 1);
    assert_eq!(got.last(), Some(&3));
}

#[test]
fn a_new_epoch_drops_what_was_not_applied_and_says_how_much() {
    let mut pair = Pair::running(&[SID]);
    pair.user.input(SID, b"rm -rf old", pair.now).unwrap();
    pair.exchange();
    pair.shell.wrote(SID, 3).unwrap();
    pair.user.input(SID, b" more", pair.now).unwrap();
    pair.user.begin_epoch(SID, 2).unwrap();
    assert_eq!(
        pair.user.input(SID, b"x", pair.now),
        Err(SessionError::NotInControl),
        "until the device has answered"
    );
    pair.exchange();
    let (at_shell, at_user) = pair.events();
    assert!(at_shell.contains(&ToShellEnd::Epoch {
        sid: SID.to_owned(),
        epoch: 2,
        dropped: 7,
    }));
    assert!(at_user.contains(&ToUserEnd::Epoch {
        sid: SID.to_owned(),
        epoch: 2,
        offset: 3,
        control: true,
        unarrived: 12,
    }));
    pair.user.input(SID, b"ls\r", pair.now).unwrap();
    pair.exchange();
    assert_eq!(pair.shell.input(SID), b"ls\r");
    assert_eq!(pair.user.begin_epoch(SID, 2), Err(SessionError::OutOfOrder));
}

#[test]
fn input_typed_long_ago_waits_for_a_word() {
    let mut pair = Pair::running(&[SID]);
    let minute = Duration::from_secs(60);
    pair.user.hold_input_after(SID, Some(minute)).unwrap();
    pair.shell.disconnected(pair.at_shell);
    pair.user.disconnected(pair.at_user);
    pair.user.input(SID, b"reboot\r", pair.now).unwrap();
    pair.now += minute + minute;
    pair.reconnect();
    assert!(pair.user_events().contains(&ToUserEnd::InputHeld {
        sid: SID.to_owned(),
        bytes: 7,
    }));
    assert!(pair.shell.input(SID).is_empty());
    pair.user.release_input(SID).unwrap();
    pair.exchange();
    assert_eq!(pair.shell.input(SID), b"reboot\r");
}

#[test]
fn a_dead_link_is_noticed_within_a_minute_and_an_idle_one_stays() {
    let mut pair = Pair::connected();
    let mut messages = 0;
    let start = pair.now;
    while pair.now < start + Duration::from_secs(600) {
        pair.now = pair.user.deadline().min(pair.shell.deadline()).unwrap();
        pair.user.tick(pair.now).unwrap();
        pair.shell.tick(pair.now).unwrap();
        while let Some(message) = pair.shell_bound() {
            messages += 1;
            pair.shell_gets(message).unwrap();
        }
        pair.exchange();
    }
    assert!(messages <= 31, "{messages} in ten minutes");
    let silent_since = pair.now;
    let error = loop {
        pair.now = pair.shell.deadline().unwrap();
        if let Err(error) = pair.shell.tick(pair.now) {
            break error;
        }
        while pair.user_bound().is_some() {}
    };
    assert_eq!(error, LinkError::Silent);
    assert!(pair.now - silent_since <= Duration::from_secs(60));
    assert!(!pair.shell.is_linked());
}

#[test]
fn a_session_the_server_does_not_know_is_ended_never_adopted() {
    let mut pair = Pair::running(&[SID]);
    pair.user = UserEnd::new(Hello::new("server-2", 1024 * 1024));
    pair.reconnect();
    let (at_shell, at_user) = pair.events();
    assert!(at_user.contains(&ToUserEnd::Stranger {
        sid: SID.to_owned()
    }));
    assert!(
        at_shell
            .iter()
            .any(|event| matches!(event, ToShellEnd::Stop { error: Some(_), .. }))
    );
    pair.shell.output(SID, b"not for you", 0).unwrap();
    pair.exchange();
    pair.shell.ended(SID, exited()).unwrap();
    assert_eq!(pair.shell.sessions().count(), 0);
    assert!(pair.user_events().is_empty());
}

#[test]
fn a_device_that_was_restarted_loses_its_sessions_and_nobody_waits() {
    let mut pair = Pair::running(&[SID]);
    pair.shell = ShellEnd::new(ShellConfig::new("device-2"));
    pair.reconnect();
    assert!(pair.user_events().contains(&ToUserEnd::Lost {
        sid: SID.to_owned()
    }));
}

#[test]
fn a_device_that_comes_back_after_an_impostor_goes_on() {
    let mut pair = Pair::running(&[SID]);
    pair.shell.output(SID, b"before ", 0).unwrap();
    pair.exchange();
    let impostor = ShellEnd::new(ShellConfig::new("impostor"));
    let device = std::mem::replace(&mut pair.shell, impostor);
    pair.reconnect();
    assert!(pair.user_events().contains(&ToUserEnd::Lost {
        sid: SID.to_owned()
    }));
    pair.shell = device;
    pair.shell.output(SID, b"after", 0).unwrap();
    pair.reconnect();
    assert_eq!(pair.user.output_position(SID).unwrap().0, 12);
    pair.user.leave(SID);
    pair.reconnect();
    assert!(pair.user_events().contains(&ToUserEnd::Stranger {
        sid: SID.to_owned()
    }));
}

#[test]
fn what_was_stopped_while_the_device_was_away_is_said_first() {
    let mut pair = Pair::running(&[SID, "other"]);
    pair.shell.disconnected(pair.at_shell);
    pair.user.disconnected(pair.at_user);
    let why = Some("the right was withdrawn".to_owned());
    pair.user.stop(SID, why.clone()).unwrap();
    pair.user.forget("other").unwrap();
    pair.reconnect();
    let stops: Vec<_> = pair
        .shell_events()
        .into_iter()
        .filter_map(|event| {
            if let ToShellEnd::Stop { sid, error } = event {
                Some((sid, error))
            } else {
                None
            }
        })
        .collect();
    assert_eq!(stops.len(), 2);
    assert!(stops.contains(&(SID.to_owned(), why)));
    pair.reconnect();
    let again = pair.shell_events();
    assert!(
        again
            .iter()
            .any(|event| matches!(event, ToShellEnd::Stop { sid, .. } if sid == SID))
    );
    pair.shell.ended(SID, exited()).unwrap();
    pair.shell.ended("other", exited()).unwrap();
    pair.exchange();
    let ended = |event: &ToUserEnd| matches!(event, ToUserEnd::Ended { .. });
    assert_eq!(
        pair.user_events()
            .iter()
            .filter(|event| ended(event))
            .count(),
        1
    );
}

#[test]
fn an_acknowledgement_proves_to_a_forgetful_shell_end_what_it_has_applied() {
    let mut pair = Pair::running(&[SID]);
    pair.user.input(SID, b"abcdef", pair.now).unwrap();
    pair.exchange();
    pair.shell.wrote(SID, 4).unwrap();
    pair.exchange();
    // A run of the device that goes on with the shell and remembers less.
    pair.shell = ShellEnd::new(ShellConfig::for_viewer("device-1"));
    pair.reconnect_with(|shell| {
        let at = Attachment {
            output: 0,
            input: 1,
            dropped: 0,
            epoch: 1,
            control: true,
        };
        shell.attach(SID, at).unwrap();
    });
    assert!(pair.shell_events().contains(&ToShellEnd::InputSkipped {
        sid: SID.to_owned(),
        from: 1,
        to: 4,
    }));
    assert_eq!(pair.shell.input(SID), b"ef");
}

#[test]
fn messages_beside_the_stream_pass_output_and_are_bounded() {
    let mut pair = Pair::running(&[SID]);
    pair.shell.output(SID, b"output", 0).unwrap();
    let notice = Message {
        proto: 1,
        typ: "notice".to_owned(),
        sid: SID.to_owned(),
        ..Message::default()
    };
    for _ in 0..limits::MAX_WAITING {
        pair.shell.send(notice.clone()).unwrap();
    }
    assert_eq!(pair.shell.send(notice.clone()), Err(SessionError::NoRoom));
    assert_eq!(pair.user_bound().unwrap().typ, "notice");
    pair.user_gets(notice.clone()).unwrap();
    assert!(pair.user_events().contains(&ToUserEnd::Other(notice)));
}

#[test]
fn a_server_from_an_older_backup_gets_a_gap_and_the_session_goes_on() {
    let mut pair = Pair::running(&[SID]);
    pair.shell.output(SID, b"0123456789", 0).unwrap();
    pair.user.input(SID, b"abc", pair.now).unwrap();
    pair.exchange();
    pair.shell.wrote(SID, 3).unwrap();
    pair.user.recorded(SID, 8).unwrap();
    pair.user.begin_epoch(SID, 5).unwrap();
    pair.exchange();
    pair.user = UserEnd::new(Hello::new("server-2", 1024 * 1024));
    pair.user
        .resume(SID, Some(4), 1, None, Props::new())
        .unwrap();
    pair.reconnect();
    let events = pair.user_events();
    assert!(events.contains(&ToUserEnd::Gap {
        sid: SID.to_owned(),
        from: 4,
        to: 8,
    }));
    assert!(events.contains(&ToUserEnd::Output {
        sid: SID.to_owned(),
        offset: 8,
        time_ms: 0,
        bytes: Bytes::from_static(b"89"),
    }));
    assert!(
        events.contains(&ToUserEnd::Epoch {
            sid: SID.to_owned(),
            epoch: 5,
            offset: 3,
            control: true,
            unarrived: 0,
        }),
        "the device's epoch and applied offset are the truth"
    );
}

#[test]
fn sizes_take_effect_where_they_did_and_the_last_is_said_again() {
    let mut pair = Pair::running(&[SID]);
    let size = |cols| Winsize::new(24, cols).unwrap();
    pair.user.resize(SID, size(100)).unwrap();
    pair.user.resize(SID, size(120)).unwrap();
    pair.exchange();
    let asked: Vec<_> = pair
        .shell_events()
        .into_iter()
        .filter(|event| matches!(event, ToShellEnd::Resize { .. }))
        .collect();
    assert_eq!(asked.len(), 1, "only the latest counts");
    pair.shell.output(SID, b"before", 1).unwrap();
    pair.shell.resized(SID, size(120), 2).unwrap();
    pair.shell.output(SID, b"after", 3).unwrap();
    pair.exchange();
    let resized = ToUserEnd::Resized {
        sid: SID.to_owned(),
        offset: 6,
        time_ms: 2,
        size: size(120),
    };
    let events = pair.user_events();
    let at = events.iter().position(|event| *event == resized).unwrap();
    assert!(matches!(&events[at - 1], ToUserEnd::Output { bytes, .. } if bytes == "before"));
    assert!(matches!(&events[at + 1], ToUserEnd::Output { bytes, .. } if bytes == "after"));
    pair.user.recorded(SID, 11).unwrap();
    pair.exchange();
    pair.user = UserEnd::new(Hello::new("server-2", 1024 * 1024));
    pair.user
        .resume(SID, Some(11), 1, None, Props::new())
        .unwrap();
    pair.reconnect();
    assert!(pair.user_events().contains(&resized));
}

#[test]
fn what_an_old_connection_delivers_is_dropped() {
    let mut pair = Pair::running(&[SID]);
    pair.shell.output(SID, b"once", 0).unwrap();
    let late = pair.user_bound().unwrap();
    let old = pair.at_user;
    pair.reconnect();
    pair.user.receive(old, late, pair.now).unwrap();
    assert_eq!(pair.user.output_position(SID).unwrap().0, 4);
    pair.user.disconnected(old);
    assert!(pair.user.is_linked());
}

/// A server's end towards one viewer, and that viewer, attached to a session at output offset 100.
fn viewing(control: bool, epoch: u64) -> Pair {
    let shell = ShellEnd::new(ShellConfig::for_viewer("server-1"));
    let mut pair = Pair::of(shell, UserEnd::for_viewer(Hello::new("page-1", 512 * 1024)));
    pair.user.resume(SID, None, 0, None, Props::new()).unwrap();
    pair.exchange();
    attach(&mut pair, 100, epoch, control);
    pair.shell
        .show(
            SID,
            100,
            Winsize::new(24, 80),
            Bytes::from_static(b"\x1b[2J$ "),
        )
        .unwrap();
    pair.exchange();
    pair
}

fn attach(pair: &mut Pair, output: u64, epoch: u64, control: bool) {
    let at = Attachment {
        output,
        input: 40,
        dropped: 0,
        epoch,
        control,
    };
    pair.shell.attach(SID, at).unwrap();
}

#[test]
fn what_a_viewer_says_before_it_is_known_whether_it_may_is_said_afterwards() {
    let shell = ShellEnd::new(ShellConfig::for_viewer("server-1"));
    let mut pair = Pair::of(shell, UserEnd::for_viewer(Hello::new("page-1", 512 * 1024)));
    pair.user.resume(SID, None, 0, None, Props::new()).unwrap();
    pair.exchange();
    pair.shell_events();
    let size = Winsize::new(30, 90).unwrap();
    pair.user
        .resize(SID, Winsize::new(24, 80).unwrap())
        .unwrap();
    pair.exchange();
    pair.user.resize(SID, size).unwrap();
    pair.exchange();
    assert!(pair.shell_events().is_empty());
    pair.shell
        .attach(
            SID,
            Attachment {
                output: 0,
                input: 0,
                dropped: 0,
                epoch: 1,
                control: false,
            },
        )
        .unwrap();
    let sid = SID.to_owned();
    assert_eq!(pair.shell_events(), [ToShellEnd::Resize { sid, size }]);
    pair.exchange();
    let told = pair.user_events();
    assert!(
        !told
            .iter()
            .any(|event| matches!(event, ToUserEnd::Lost { .. })),
        "{told:?}"
    );
}

#[test]
fn a_newcomer_gets_the_screen_and_then_every_byte() {
    let mut pair = viewing(false, 3);
    pair.shell.output(SID, b"live", 5).unwrap();
    pair.exchange();
    let events = pair.user_events();
    let screen = events
        .iter()
        .position(|event| matches!(event, ToUserEnd::Screen { offset: 100, .. }));
    let live = events
        .iter()
        .position(|event| matches!(event, ToUserEnd::Output { offset: 100, .. }));
    assert!(screen.unwrap() < live.unwrap());
    assert!(
        !events
            .iter()
            .any(|event| matches!(event, ToUserEnd::Gap { .. }))
    );
    assert_eq!(
        pair.user.input(SID, b"x", pair.now),
        Err(SessionError::NotInControl)
    );
}

#[test]
fn whoever_lost_control_meanwhile_hears_what_did_not_arrive_and_stays_a_watcher() {
    let mut pair = viewing(true, 3);
    pair.user.input(SID, b"hello", pair.now).unwrap();
    pair.exchange();
    pair.shell.take_input(SID, 100).unwrap();
    pair.shell.applied(SID, 42, 0).unwrap();
    pair.exchange();
    // The link is lost; somebody else takes over at offset 43; the viewer comes back.
    pair.shell = ShellEnd::new(ShellConfig::for_viewer("server-1"));
    pair.reconnect();
    let asked = pair.shell_events();
    assert!(
        asked.iter().any(|event| matches!(
            event,
            ToShellEnd::Attach {
                have: Some(100),
                epoch: 3,
                ..
            }
        )),
        "{asked:?}"
    );
    let at = Attachment {
        output: 100,
        input: 43,
        dropped: 0,
        epoch: 4,
        control: false,
    };
    pair.shell.attach(SID, at).unwrap();
    pair.user_events();
    pair.exchange();
    assert!(pair.user_events().contains(&ToUserEnd::Epoch {
        sid: SID.to_owned(),
        epoch: 4,
        offset: 43,
        control: false,
        unarrived: 2,
    }));
    assert_eq!(
        pair.user.input(SID, b"x", pair.now),
        Err(SessionError::NotInControl)
    );
}

#[test]
fn a_viewer_cannot_give_itself_control() {
    let mut pair = viewing(false, 3);
    pair.user.want_control(SID).unwrap();
    pair.exchange();
    let events = pair.shell_events();
    assert!(events.contains(&ToShellEnd::ControlWanted {
        sid: SID.to_owned()
    }));
    let forged = longwire_link::wire::ToShell::Input {
        offset: 40,
        epoch: 3,
        bytes: Bytes::from_static(b"x"),
    };
    pair.shell_gets(forged.to_message(SID)).unwrap();
    assert_eq!(pair.shell.take_input(SID, 10), None);
    pair.shell.set_control(SID, 4, 40, true).unwrap();
    pair.exchange();
    pair.user.input(SID, b"mine", pair.now).unwrap();
    pair.exchange();
    assert_eq!(
        pair.shell.take_input(SID, 10),
        Some((40, Bytes::from_static(b"mine")))
    );
}

#[test]
fn small_output_goes_at_once_and_large_output_fills_messages() {
    let mut pair = Pair::running(&[SID]);
    pair.shell.output(SID, b"a", 0).unwrap();
    assert_eq!(output_of(&pair.user_bound().unwrap()).unwrap(), "a");
    for i in 0..50 {
        pair.shell.output(SID, &[b'y'; 100], i).unwrap();
    }
    let first = output_of(&pair.user_bound().unwrap()).unwrap();
    assert_eq!(first.len(), 1600, "16 ms of what waited");
    pair.reconnect();
    let mut largest = 0;
    for _ in 0..200 {
        pair.now += Duration::from_millis(1);
        let room = pair.shell.room(SID);
        pair.shell.output(SID, &vec![b'y'; room], 100).unwrap();
        while let Some(message) = pair.user_bound() {
            largest = largest.max(message.body.len());
            pair.user_gets(message).unwrap();
        }
        let (position, _) = pair.user.output_position(SID).unwrap();
        pair.user.recorded(SID, position).unwrap();
        pair.exchange();
    }
    assert_eq!(largest, limits::MAX_BODY);
    assert_eq!(ToUser::cost(&Message::default()), 0);
}
