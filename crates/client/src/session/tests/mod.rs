//! Sessions against a server in memory, under simulated time, with connections that break.

mod cuts;
mod server;

use std::time::Duration;

use bytes::Bytes;
use longwire_protocol::shell::{Ended, Stop, Winsize};
use longwire_protocol::{Message, Props, Value};
use tokio::time::{Instant, sleep};

use self::server::{Server, beside, turned_away, until};
use super::{Closed, Event, Events, Notice, NoticeKind, Refusal, Role, Session, Start, Who, Wish};

fn person(start: Start) -> Wish {
    Wish {
        start,
        size: Winsize::new(24, 80),
        who: Who::Person,
    }
}

fn attach(server: &Server, as_: Role) -> Wish {
    server.truth().sid = "sid-1".to_owned();
    person(Start::Attach {
        sid: "sid-1".to_owned(),
        as_,
    })
}

async fn open(server: &Server, wish: &Wish) -> (Session, Events) {
    let socket = server.connect().await.unwrap();
    let dialling = server.clone();
    let dial = move || {
        let server = dialling.clone();
        async move { server.connect().await }
    };
    super::over(socket, dial, wish).unwrap()
}

/// A new session of a person, started.
async fn started(server: &Server) -> (Session, Events) {
    let (session, mut events) = open(server, &person(Start::New)).await;
    next(&mut events, |event| matches!(event, Event::Started)).await;
    (session, events)
}

/// The next event of a kind; others are passed by.
async fn next(events: &mut Events, wanted: impl Fn(&Event) -> bool) -> Event {
    loop {
        let event = events.next().await.expect("an event");
        if wanted(&event) {
            return event;
        }
    }
}

async fn output(events: &mut Events) -> (Bytes, bool) {
    match next(events, |event| matches!(event, Event::Output { .. })).await {
        Event::Output { bytes, is_live, .. } => (bytes, is_live),
        other => panic!("{other:?}"),
    }
}

fn device(sid: &str, connected: bool) -> Message {
    let props = Props::new()
        .with("connected", connected)
        .with("since", 1_700_000_000_000_u64)
        .with("lossless", true);
    beside(sid, "device", props)
}

#[tokio::test(start_paused = true)]
async fn the_end_is_told_once_everything_was_shown_and_the_server_knows() {
    let server = Server::new(4096);
    let (session, mut events) = started(&server).await;
    session
        .input(Bytes::from_static(b"exit 3\r"))
        .await
        .unwrap();
    until("input arrives", || !server.truth().applied.is_empty()).await;
    server.change(|truth| {
        truth.output.extend_from_slice(b"bye\r\n");
        truth.stop = Some(Stop {
            reason: Some(Ended::Exited),
            exit_status: Some(3),
            ..Stop::default()
        });
    });
    let Event::Output { bytes, upto, .. } =
        next(&mut events, |event| matches!(event, Event::Output { .. })).await
    else {
        panic!()
    };
    assert_eq!(bytes, "bye\r\n");
    let Event::Ended(stop) = next(&mut events, |event| matches!(event, Event::Ended(_))).await
    else {
        panic!()
    };
    assert_eq!(stop.exit_status, Some(3));
    sleep(Duration::from_secs(1)).await;
    assert!(!server.truth().is_end_known, "nothing was shown yet");
    session.shown(upto).unwrap();
    assert!(events.next().await.is_none());
    assert!(server.truth().is_end_known);
    assert_eq!(server.truth().applied, b"exit 3\r");
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_told_and_made_again() {
    let server = Server::new(4096);
    let (session, mut events) = started(&server).await;
    session.resize(Winsize::new(50, 200).unwrap()).unwrap();
    until("the size is known", || server.truth().sizes.len() == 2).await;
    server.change(|truth| truth.output.extend_from_slice(b"one "));
    assert_eq!(output(&mut events).await.0, "one ");
    server.truth().failures = vec![turned_away(503), turned_away(502)];
    server.cut();
    session
        .input(Bytes::from_static(b"typed meanwhile"))
        .await
        .unwrap();
    for attempt in 1..=3 {
        let event = next(&mut events, |event| {
            matches!(event, Event::Reconnecting { .. })
        })
        .await;
        let Event::Reconnecting {
            attempt: said,
            delay,
            ..
        } = event
        else {
            panic!()
        };
        assert_eq!(said, attempt);
        assert!(delay <= Duration::from_secs(10));
    }
    next(&mut events, |event| matches!(event, Event::Connected)).await;
    server.change(|truth| truth.output.extend_from_slice(b"two"));
    assert_eq!(output(&mut events).await.0, "two");
    until("input arrives", || {
        server.truth().applied == b"typed meanwhile"
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_will_not_have_us_is_not_asked_again() {
    for status in [401, 403, 404] {
        let server = Server::new(4096);
        let (_session, mut events) = started(&server).await;
        server.truth().failures = vec![turned_away(status)];
        server.cut();
        let event = next(&mut events, |event| matches!(event, Event::Closed(_))).await;
        assert!(matches!(event, Event::Closed(Closed::Turned(_))));
        assert!(events.next().await.is_none());
        assert_eq!(server.truth().connections, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn who_attaches_gets_the_screen_and_answers_nothing_old() {
    let server = Server::new(4096);
    let wish = attach(&server, Role::Owner);
    server.change(|truth| {
        truth.output = b"seen long ago".to_vec();
        truth.screen = b"\x1b[2J$ ".to_vec();
        let mut device = device("sid-1", true);
        device.props.set("offset", 20_u64);
        truth.greeting = vec![device];
    });
    let (session, mut events) = open(&server, &wish).await;
    let event = next(&mut events, |event| matches!(event, Event::Screen { .. })).await;
    let Event::Screen { bytes, size, .. } = event else {
        panic!()
    };
    assert_eq!(
        (bytes.as_ref(), size),
        (&b"\x1b[2J$ "[..], Winsize::new(24, 80))
    );
    server.change(|truth| truth.output.extend_from_slice(b"catchuplive"));
    assert_eq!(output(&mut events).await, ("catchup".into(), false));
    assert_eq!(output(&mut events).await, ("live".into(), true));
    // Nobody else was in control: the first word about it says that we are not yet.
    session.take_control().await.unwrap();
    let gained = |event: &Event| matches!(event, Event::Control { ours: true, .. });
    next(&mut events, gained).await;
    session.input(Bytes::from_static(b"ls\r")).await.unwrap();
    until("input arrives", || server.truth().applied == b"ls\r").await;
    assert_eq!(server.truth().more.get("watch"), None);
}

#[tokio::test(start_paused = true)]
async fn a_take_over_is_asked_for_and_a_watcher_types_nothing() {
    let server = Server::new(4096);
    let wish = attach(&server, Role::Controller);
    let (_session, mut events) = open(&server, &wish).await;
    let gained = |event: &Event| matches!(event, Event::Control { ours: true, .. });
    next(&mut events, gained).await;

    let server = Server::new(4096);
    let wish = attach(&server, Role::Watcher);
    let (session, mut events) = open(&server, &wish).await;
    let known = |event: &Event| matches!(event, Event::Control { ours: false, .. });
    next(&mut events, known).await;
    session.input(Bytes::from_static(b"x")).await.unwrap();
    let refused = |event: &Event| matches!(event, Event::Refusal(Refusal::NotInControl));
    next(&mut events, refused).await;
    assert_eq!(server.truth().more.get("watch"), Some(&Value::Bool(true)));
    assert_eq!(server.truth().applied, b"");
}

#[tokio::test(start_paused = true)]
async fn whoever_loses_control_hears_what_did_not_arrive() {
    let server = Server::new(4096);
    server.truth().is_stuck = true;
    let (session, mut events) = started(&server).await;
    session.input(Bytes::from_static(b"12345")).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    server.change(|truth| truth.is_taken = true);
    let lost = |event: &Event| {
        matches!(
            event,
            Event::Control {
                ours: false,
                unarrived: 5
            }
        )
    };
    next(&mut events, lost).await;
    server.cut();
    next(&mut events, |event| matches!(event, Event::Connected)).await;
    session.input(Bytes::from_static(b"6")).await.unwrap();
    next(&mut events, |event| matches!(event, Event::Refusal(_))).await;
}

#[tokio::test(start_paused = true)]
async fn keys_are_refused_while_the_device_is_away_and_scripts_wait() {
    let server = Server::new(4096);
    let (session, mut events) = started(&server).await;
    let sid = session.id().to_owned();
    server.change(|truth| truth.say = vec![device(&sid, false)]);
    next(
        &mut events,
        |event| matches!(event, Event::Device(device) if !device.connected && device.lossless),
    )
    .await;
    session
        .input(Bytes::from_static(b"rm -r x\r"))
        .await
        .unwrap();
    let refused = |event: &Event| matches!(event, Event::Refusal(Refusal::DeviceAway));
    next(&mut events, refused).await;
    server.change(|truth| truth.say = vec![device(&sid, true)]);
    next(
        &mut events,
        |event| matches!(event, Event::Device(device) if device.connected),
    )
    .await;
    session.input(Bytes::from_static(b"ls\r")).await.unwrap();
    until("input arrives", || server.truth().applied == b"ls\r").await;

    let server = Server::new(4096);
    let script = Wish {
        who: Who::Script,
        ..person(Start::New)
    };
    let (session, mut events) = open(&server, &script).await;
    next(&mut events, |event| matches!(event, Event::Started)).await;
    assert_eq!(
        server.truth().more.get("all_output"),
        Some(&Value::Bool(true))
    );
    let sid = session.id().to_owned();
    server.change(|truth| truth.say = vec![device(&sid, false)]);
    next(&mut events, |event| matches!(event, Event::Device(_))).await;
    session
        .input(Bytes::from_static(b"uptime\n"))
        .await
        .unwrap();
    until("input arrives", || server.truth().applied == b"uptime\n").await;
}

#[tokio::test(start_paused = true)]
async fn what_was_typed_long_ago_waits_for_another_word() {
    for is_meant in [true, false] {
        let server = Server::new(4096);
        server.truth().is_mute = true;
        let (session, mut events) = open(&server, &person(Start::New)).await;
        server.change(|truth| truth.is_mute = false);
        next(&mut events, |event| matches!(event, Event::Started)).await;
        server.truth().failures = (0..30).map(|_| turned_away(503)).collect();
        server.cut();
        session
            .input(Bytes::from_static(b"reboot\r"))
            .await
            .unwrap();
        let held = next(&mut events, |event| matches!(event, Event::InputHeld(_))).await;
        assert!(matches!(held, Event::InputHeld(7)));
        sleep(Duration::from_secs(5)).await;
        assert_eq!(server.truth().applied, b"");
        if is_meant {
            session.release_input().await.unwrap();
            until("input arrives", || server.truth().applied == b"reboot\r").await;
        } else {
            session.drop_input().await.unwrap();
            let fresh = |event: &Event| {
                matches!(
                    event,
                    Event::Control {
                        ours: true,
                        unarrived: 7
                    }
                )
            };
            next(&mut events, fresh).await;
            session.input(Bytes::from_static(b"ls\r")).await.unwrap();
            until("input arrives", || server.truth().applied == b"ls\r").await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_server_holds_back_is_released_by_a_word() {
    let server = Server::new(4096);
    let (session, mut events) = started(&server).await;
    let props = Props::new().with("kind", "held").with("bytes", 9_u64);
    let held = beside(session.id(), "notice", props);
    server.change(|truth| truth.say = vec![held]);
    next(&mut events, |event| matches!(event, Event::InputHeld(9))).await;
    session.release_input().await.unwrap();
    until("it is released", || server.truth().released == 1).await;
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_passes_what_was_pasted_before() {
    let server = Server::new(1 << 20);
    server.truth().is_stuck = true;
    let (session, mut events) = started(&server).await;
    for _ in 0..512 {
        session.input(Bytes::from(vec![b'x'; 1024])).await.unwrap();
    }
    sleep(Duration::from_secs(1)).await;
    session.input(Bytes::from_static(b"\x03")).await.unwrap();
    let event = next(&mut events, |event| matches!(event, Event::Interrupted(_))).await;
    let Event::Interrupted(dropped) = event else {
        panic!()
    };
    assert_eq!(
        dropped,
        512 * 1024 - longwire_link::limits::INPUT_KEPT as u64
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_names_the_sessions_in_the_way() {
    let server = Server::new(4096);
    let (session, mut events) = {
        let mut refusal = beside("", "new", Props::new().with("status", 2_u64));
        refusal.body = Bytes::from_static(b"user has too many open sessions");
        let detached = Value::Array(vec!["a".into(), "b".into()]);
        refusal.props.set("detached", detached);
        server.truth().refusal = Some(refusal);
        open(&server, &person(Start::New)).await
    };
    let event = next(&mut events, |event| matches!(event, Event::Refused { .. })).await;
    let Event::Refused { why, detached } = event else {
        panic!()
    };
    assert_eq!(why, "user has too many open sessions");
    assert_eq!(detached, ["a", "b"]);
    drop(session);
    assert!(events.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_session_is_said_to_be_unknown() {
    let server = Server::new(4096);
    let wish = attach(&server, Role::Owner);
    server.truth().sid = "another".to_owned();
    let (_session, mut events) = open(&server, &wish).await;
    next(&mut events, |event| matches!(event, Event::Unknown)).await;
    assert!(events.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_left_for_another_connection_soon_after_typing() {
    let server = Server::new(4096);
    let (session, mut events) = started(&server).await;
    server.change(|truth| truth.is_mute = true);
    let start = Instant::now();
    session.input(Bytes::from_static(b"x")).await.unwrap();
    next(&mut events, |event| {
        matches!(event, Event::Reconnecting { .. })
    })
    .await;
    assert!(
        start.elapsed() <= Duration::from_secs(14),
        "{:?}",
        start.elapsed()
    );
    server.change(|truth| truth.is_mute = false);
    next(&mut events, |event| matches!(event, Event::Connected)).await;
    until("input arrives once", || server.truth().applied == b"x").await;
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_leaves_nothing_unsaid_and_the_shell_running() {
    let server = Server::new(256);
    let (session, mut events) = started(&server).await;
    let paste = Bytes::from(vec![b'p'; 8192]);
    session.input(paste.clone()).await.unwrap();
    drop(session);
    while events.next().await.is_some() {}
    assert_eq!(server.truth().applied, paste);
    assert_eq!(server.truth().stop, None);
}

#[tokio::test(start_paused = true)]
async fn notices_are_told_and_of_many_the_newest() {
    let server = Server::new(1 << 20);
    let (session, mut events) = started(&server).await;
    let sid = session.id().to_owned();
    for number in 0..100_i64 {
        let props = Props::new().with("kind", "idle").with("ends_at", number);
        server.change(|truth| truth.say.push(beside(&sid, "notice", props)));
        sleep(Duration::from_millis(10)).await;
    }
    let mut ends = Vec::new();
    while ends.last() != Some(&Some(99)) {
        if let Some(Event::Notice(Notice {
            kind: NoticeKind::Idle(end),
            ..
        })) = events.next().await
        {
            ends.push(end);
        }
    }
    assert!(ends.len() <= 66, "{}", ends.len());
    assert!(ends.is_sorted());
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_does_not_read_costs_no_more_than_a_window() {
    let server = Server::new(1 << 20);
    let (_session, mut events) = started(&server).await;
    server.change(|truth| truth.output = vec![b'y'; 4 << 20]);
    // The connection stays alive all the same.
    sleep(Duration::from_secs(300)).await;
    assert_eq!(server.truth().connections, 1);
    let mut waiting = 0;
    while let Ok(Some(event)) = tokio::time::timeout(Duration::from_secs(5), events.next()).await {
        if let Event::Output { bytes, .. } = event {
            waiting += bytes.len();
        }
    }
    assert_eq!(waiting, 256 * 1024, "nothing was said to be shown");
}
