//! Rules of sessions whose device or viewers speak longwire.v1, one after another.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "of all that may happen, tests look at one thing"
)]

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use longwire_link::{Generation, Hello, ShellConfig, ShellEnd, ToShellEnd, ToUserEnd, UserEnd};
use longwire_protocol::shell::{Ended, FromDevice, FromUser, Stop, text};
use longwire_protocol::{Message, Props, proto};

use super::super::*;
use super::stage::*;
use crate::ids::UserId;

/// A stage with an agent and pages that speak longwire.v1.
struct Play {
    stage: Stage,
    agent: Option<(ShellEnd, Generation)>,
    pages: BTreeMap<ViewerId, (UserEnd, Generation)>,
    events: Vec<(ViewerId, ToUserEnd)>,
    shell_events: Vec<ToShellEnd>,
    /// The agent starts what it is asked for.
    starts: bool,
}

impl Play {
    fn new() -> Self {
        let mut play = Self {
            stage: Stage::empty(),
            agent: None,
            pages: BTreeMap::new(),
            events: Vec::new(),
            shell_events: Vec::new(),
            starts: true,
        };
        play.stage.takes = false;
        play.agent_comes(ShellEnd::new(ShellConfig::new("agent")));
        play
    }

    fn since(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn agent_comes(&mut self, mut end: ShellEnd) {
        let generation = end.connected(self.since());
        self.agent = Some((end, generation));
        let kind = LinkKind::Longwire;
        self.stage.input(Input::LinkUp { kind });
        self.settle();
    }

    fn agent_goes(&mut self) -> ShellEnd {
        let (mut end, generation) = self.agent.take().unwrap();
        end.disconnected(generation);
        self.stage.input(Input::LinkDown);
        self.settle();
        end
    }

    fn agent(&mut self) -> &mut ShellEnd {
        &mut self.agent.as_mut().unwrap().0
    }

    fn page_comes(&mut self, number: u64, user: UserId, mut end: UserEnd) -> ViewerId {
        let id = self.stage.attach_as(number, user, ViewerKind::Longwire);
        let generation = end.connected(self.since());
        self.pages.insert(id, (end, generation));
        self.settle();
        id
    }

    fn page_goes(&mut self, id: ViewerId) -> UserEnd {
        let (mut end, generation) = self.pages.remove(&id).unwrap();
        end.disconnected(generation);
        self.stage.input(Input::ViewerGone(id));
        self.settle();
        end
    }

    fn page(&mut self, id: ViewerId) -> &mut UserEnd {
        &mut self.pages.get_mut(&id).unwrap().0
    }

    /// A page with a running session.
    fn opens(&mut self, number: u64, user: UserId) -> ViewerId {
        let mut end = page(&format!("page-{number}"));
        end.open(&sid(number), 1, None, Props::new()).unwrap();
        self.page_comes(number, user, end)
    }

    /// Everybody says and hears all there is.
    fn settle(&mut self) {
        let since = self.since();
        for _ in 0..10_000 {
            let mut busy = false;
            self.stage.take(usize::MAX, &mut VecDeque::new());
            let to_device = std::mem::take(&mut self.stage.seen.device);
            let to_viewers = std::mem::take(&mut self.stage.seen.viewers);
            if let Some((end, generation)) = &mut self.agent {
                for message in to_device {
                    busy = true;
                    end.receive(*generation, message, since).unwrap();
                }
                while let Some(event) = end.event() {
                    if let ToShellEnd::Open { sid, .. } = &event
                        && self.starts
                    {
                        end.started(sid).unwrap();
                    }
                    self.shell_events.push(event);
                }
                let said: Vec<_> = std::iter::from_fn(|| end.transmit(since)).collect();
                for message in said {
                    busy = true;
                    self.stage.input(Input::FromDevice(message));
                }
            } else {
                self.stage.seen.device.extend(to_device);
            }
            for (id, message) in to_viewers {
                if let Some((end, generation)) = self.pages.get_mut(&id) {
                    busy = true;
                    end.receive(*generation, message, since).unwrap();
                } else {
                    self.stage.seen.viewers.push((id, message));
                }
            }
            for id in self.pages.keys().copied().collect::<Vec<_>>() {
                let (end, _) = self.pages.get_mut(&id).unwrap();
                while let Some(event) = end.event() {
                    if let ToUserEnd::Output {
                        sid, offset, bytes, ..
                    } = &event
                    {
                        let seen = offset + bytes.len() as u64;
                        end.recorded(sid, seen).unwrap();
                    }
                    self.events.push((id, event));
                }
                let said: Vec<_> = std::iter::from_fn(|| end.transmit(since)).collect();
                for message in said {
                    busy = true;
                    let viewer = id;
                    self.stage.input(Input::FromViewer { viewer, message });
                }
            }
            if !busy {
                return;
            }
        }
        panic!("never calms down");
    }

    fn output(&mut self, number: u64, bytes: &[u8]) {
        for piece in bytes.chunks(30_000) {
            let (mut written, sid) = (0, sid(number));
            while written < piece.len() {
                let room = self.agent().room(&sid).min(piece.len() - written);
                let part = &piece[written..written + room];
                self.agent().output(&sid, part, 1).unwrap();
                written += room;
                self.settle();
            }
        }
    }

    fn typed(&mut self, number: u64) -> Vec<u8> {
        let sid = sid(number);
        let bytes = self.agent().input(&sid).to_vec();
        self.agent().wrote(&sid, bytes.len()).unwrap();
        self.settle();
        bytes
    }

    fn types(&mut self, id: ViewerId, number: u64, bytes: &[u8]) {
        let since = self.since();
        self.page(id).input(&sid(number), bytes, since).unwrap();
        self.settle();
    }

    /// What a page got to see of its output and screens.
    fn shown(&mut self, id: ViewerId) -> Vec<u8> {
        let mut all = Vec::new();
        self.events.retain(|(who, event)| {
            if *who != id {
                return true;
            }
            match event {
                ToUserEnd::Output { bytes, .. } => all.extend_from_slice(bytes),
                ToUserEnd::Screen { bytes, .. } => all.clone_from(&bytes.to_vec()),
                _ => return true,
            }
            false
        });
        all
    }

    fn notices(&self, id: ViewerId) -> Vec<String> {
        let beside = self.events.iter().filter_map(|(who, event)| match event {
            ToUserEnd::Other(message) if *who == id => message.props.get_str("kind"),
            _ => None,
        });
        beside.map(str::to_owned).collect()
    }

    fn has(&self, id: ViewerId, which: impl Fn(&ToUserEnd) -> bool) -> bool {
        self.events
            .iter()
            .any(|(who, event)| *who == id && which(event))
    }
}

fn page(instance: &str) -> UserEnd {
    UserEnd::for_viewer(Hello::new(instance, 1024 * 1024))
}

fn attaching(instance: &str, number: u64, more: Props) -> UserEnd {
    let mut end = page(instance);
    end.resume(&sid(number), None, 0, None, more).unwrap();
    end
}

#[test]
fn a_session_outlives_the_links_of_device_and_page() {
    let mut play = Play::new();
    let user = UserId::new();
    let first = play.opens(1, user);
    play.output(1, b"before ");
    let mut page = play.page_goes(first);
    let mut agent = play.agent_goes();
    agent.output(&sid(1), b"meanwhile ", 2).unwrap();
    play.stage.pass(3600 * SECOND);
    // The page has waited with what was typed.
    page.input(&sid(1), b"typed", Duration::ZERO).unwrap();
    let again = play.page_comes(2, user, page);
    play.agent_comes(agent);
    play.output(1, b"after");
    assert_eq!(play.shown(first), b"before ");
    assert_eq!(play.shown(again), b"meanwhile after");
    assert_eq!(play.typed(1), b"typed");
    assert!(!play.has(again, |event| matches!(event, ToUserEnd::Gap { .. })));
}

#[test]
fn output_is_acknowledged_only_once_it_is_durable() {
    let mut play = Play::new();
    play.opens(1, UserId::new());
    play.stage.records = false;
    play.output(1, b"not yet");
    assert_eq!(play.agent().output_position(&sid(1)), Some((0, 7)));
    let (seq, trouble) = (play.stage.seq, Vec::new());
    play.stage.input(Input::Committed { seq, trouble });
    play.settle();
    assert_eq!(play.agent().output_position(&sid(1)), Some((7, 7)));
}

#[test]
fn an_end_is_kept_by_the_device_until_journal_and_database_have_it() {
    let mut play = Play::new();
    let viewer = play.opens(1, UserId::new());
    play.stage.stores = false;
    let stop = Stop {
        reason: Some(Ended::Exited),
        exit_status: Some(3),
        ..Stop::default()
    };
    play.agent().ended(&sid(1), stop.clone()).unwrap();
    play.settle();
    // Viewers are told at once.
    let is_end =
        |event: &ToUserEnd| matches!(event, ToUserEnd::Ended { stop: it, .. } if *it == stop);
    assert!(play.has(viewer, is_end));
    let forgotten = |play: &Play| {
        let events = play.shell_events.iter();
        events
            .filter(|e| matches!(e, ToShellEnd::Forgotten { .. }))
            .count()
    };
    assert_eq!(forgotten(&play), 0);
    for change in std::mem::take(&mut play.stage.seen.changes) {
        let (change, ok) = (change.id, true);
        play.stage.input(Input::CommitDone { change, ok });
    }
    play.settle();
    assert_eq!(forgotten(&play), 1);
}

#[test]
fn the_controller_types_and_watchers_do_not() {
    let mut play = Play::new();
    let user = UserId::new();
    let controller = play.opens(1, user);
    play.output(1, b"shown to all");
    let watching = attaching("watcher", 1, Props::new().with("watch", true));
    let watcher = play.page_comes(2, UserId::new(), watching);
    // The newcomer has it whole, in one message.
    let screen = String::from_utf8(play.shown(watcher)).unwrap();
    assert!(screen.contains("shown to all"), "{screen:?}");
    let since = play.since();
    assert!(play.page(watcher).input(&sid(1), b"no", since).is_err());
    // A stream that claims control all the same is not believed.
    let forged = Message {
        body: Bytes::from_static(b"forged"),
        ..FromUser::Input(Bytes::new()).to_message(&sid(1))
    };
    let mut forged = forged;
    forged.props.set("offset", 0_u64);
    forged.props.set("epoch", 1_u64);
    play.stage.input(Input::FromViewer {
        viewer: watcher,
        message: forged,
    });
    play.types(controller, 1, b"yes");
    assert_eq!(play.typed(1), b"yes");
}

#[test]
fn control_is_taken_over_after_it_is_written_down() {
    let mut play = Play::new();
    let user = UserId::new();
    let first = play.opens(1, user);
    let second = play.page_comes(2, user, attaching("page-2", 1, Props::new()));
    play.stage.stores = false;
    play.page(second).want_control(&sid(1)).unwrap();
    play.settle();
    play.types(first, 1, b"still mine");
    assert_eq!(play.typed(1), b"still mine");
    let change = play.stage.seen.changes.pop().unwrap();
    assert!(matches!(
        change.what,
        SessionChange::Epoch {
            epoch: 2,
            taken_over: false,
            ..
        }
    ));
    let (change, ok) = (change.id, true);
    play.stage.input(Input::CommitDone { change, ok });
    play.settle();
    play.types(second, 1, b"now mine");
    let since = play.since();
    assert!(play.page(first).input(&sid(1), b"no", since).is_err());
    assert_eq!(play.typed(1), b"now mine");
    assert_eq!(play.notices(first), ["taken_over"]);
    // Whoever lost control does not regain it by coming back.
    let first = play.page_goes(first);
    let first = play.page_comes(3, user, first);
    assert!(play.page(first).input(&sid(1), b"no", since).is_err());
}

#[test]
fn only_the_controllers_size_counts() {
    let mut play = Play::new();
    let user = UserId::new();
    let first = play.opens(1, user);
    let second = play.page_comes(2, user, attaching("page-2", 1, Props::new()));
    play.page(second).resize(&sid(1), size(10, 20)).unwrap();
    play.page(first).resize(&sid(1), size(30, 40)).unwrap();
    play.settle();
    let sizes = |play: &mut Play| {
        let events = std::mem::take(&mut play.shell_events).into_iter();
        let sizes = events.filter_map(|event| match event {
            ToShellEnd::Resize { size, .. } => Some(size),
            _ => None,
        });
        sizes.collect::<Vec<_>>()
    };
    assert_eq!(sizes(&mut play), [size(30, 40)]);
    play.page(second).want_control(&sid(1)).unwrap();
    play.settle();
    assert_eq!(sizes(&mut play), [size(10, 20)]);
}

#[test]
fn an_interactive_viewer_that_is_behind_gets_the_screen_and_a_script_every_byte() {
    let mut play = Play::new();
    let user = UserId::new();
    play.opens(1, user);
    let slow = play.page_comes(
        2,
        user,
        attaching("slow", 1, Props::new().with("watch", true)),
    );
    let all = Props::new().with("watch", true).with("all_output", true);
    let script = play.page_comes(3, user, attaching("script", 1, all));
    play.shown(script);
    // Both are away from their screens while much is said.
    let (slow_end, script_end) = (play.page_goes(slow), play.page_goes(script));
    let flood: Vec<u8> = (0..3_000_000_u32).map(|i| b'a' + (i % 23) as u8).collect();
    play.output(1, &flood);
    let slow = play.page_comes(4, user, slow_end);
    assert!(play.has(slow, |event| matches!(event, ToUserEnd::Screen { .. })));
    let script = play.page_comes(5, user, script_end);
    let mut got = play.shown(script);
    while got.len() < flood.len() {
        let reads = std::mem::take(&mut play.stage.seen.reads);
        assert!(!reads.is_empty(), "stuck at {}", got.len());
        for (viewer, sid, from, max) in reads {
            let rest = flood.get(from as usize..).unwrap();
            let bytes = Bytes::copy_from_slice(&rest[..rest.len().min(max)]);
            let found = ReadBack::Bytes(bytes);
            play.stage.input(Input::ReadBack {
                viewer,
                sid,
                from,
                found,
            });
        }
        play.settle();
        got.extend(play.shown(script));
    }
    assert!(got == flood);
}

#[test]
fn ending_a_session_of_an_absent_device_is_durable_and_said_first_thing_on_its_return() {
    let mut play = Play::new();
    let user = UserId::new();
    let viewer = play.opens(1, user);
    let agent = play.agent_goes();
    play.stage.input(Input::EndSession {
        sid: sid(1),
        by: None,
        why: EndReason::Stopped,
    });
    play.settle();
    let stops = |change: &Change| matches!(change.what, SessionChange::Stop(_));
    assert!(play.stage.seen.changes.iter().any(stops));
    assert!(play.has(viewer, |event| matches!(event, ToUserEnd::Ended { .. })));
    // Nobody gets to it any more.
    let late = play.page_comes(2, user, attaching("late", 1, Props::new()));
    assert!(play.has(late, |event| matches!(event, ToUserEnd::Lost { .. })));
    play.agent_comes(agent);
    let is_stop = |event: &ToShellEnd| matches!(event, ToShellEnd::Stop { .. });
    assert!(play.shell_events.iter().any(is_stop));
}

#[test]
fn nobody_looks_for_a_day() {
    let mut play = Play::new();
    let user = UserId::new();
    let viewer = play.opens(1, user);
    play.page_goes(viewer);
    assert_eq!(
        play.stage.sessions.views(play.stage.now)[0].state,
        SessionState::Detached
    );
    play.stage.input(Input::LinkDown);
    play.stage.pass(DETACH_GRACE - SECOND);
    assert_eq!(
        play.stage.sessions.views(play.stage.now)[0].state,
        SessionState::Detached
    );
    play.stage.pass(2 * SECOND);
    assert_eq!(
        play.stage.sessions.views(play.stage.now)[0].state,
        SessionState::Ending
    );
}

#[test]
fn the_screen_answers_while_nobody_is_there() {
    let mut play = Play::new();
    let user = UserId::new();
    let viewer = play.opens(1, user);
    play.output(1, b"\x1b[c");
    assert!(play.typed(1).is_empty());
    let page = play.page_goes(viewer);
    play.stage.pass(3 * SECOND);
    play.output(1, b"\x1b[c");
    play.stage.pass(SECOND);
    play.settle();
    assert!(play.typed(1).starts_with(b"\x1b[?"));
    // Whoever comes back is in control again.
    let again = play.page_comes(2, user, page);
    play.types(again, 1, b"me");
    assert_eq!(play.typed(1), b"me");
}

#[test]
fn a_plain_viewer_types_on_a_longwire_device_and_its_session_ends_with_it() {
    let mut play = Play::new();
    let viewer = play.stage.attach(1, UserId::new());
    play.stage.user(viewer, FromUser::New { size: None });
    play.settle();
    play.output(1, b"hello");
    play.stage.user(viewer, input(b"typed"));
    play.settle();
    let seen = play.stage.seen();
    let heard = seen.viewer_heard(viewer);
    assert_eq!(heard[0], FromDevice::Started);
    assert_eq!(seen.output(viewer), b"hello");
    assert_eq!(play.typed(1), b"typed");
    play.stage.input(Input::ViewerGone(viewer));
    play.settle();
    let is_stop = |event: &ToShellEnd| matches!(event, ToShellEnd::Stop { error: Some(_), .. });
    assert!(play.shell_events.iter().any(is_stop));
}

#[test]
fn a_page_types_on_a_plain_device_whose_absence_is_a_gap_of_unknown_length() {
    let mut play = Play::new();
    play.agent_goes();
    play.agent = None;
    play.stage.input(Input::LinkUp {
        kind: LinkKind::Plain,
    });
    let viewer = play.opens(1, UserId::new());
    play.stage.device_about(&sid(1), FromDevice::Started);
    play.settle();
    play.types(viewer, 1, b"typed");
    let said = play.stage.seen().device_said();
    assert!(said.contains(&input(b"typed")), "{said:?}");
    // What was sent counts as applied.
    let position = play.page(viewer).input_position(&sid(1)).unwrap();
    assert_eq!(position.applied, 5);
    play.stage.input(Input::LinkDown);
    play.stage.input(Input::LinkUp {
        kind: LinkKind::Plain,
    });
    play.stage
        .device_about(&sid(1), FromDevice::Output(Bytes::from_static(b"back")));
    play.settle();
    assert_eq!(play.shown(viewer), b"back");
    assert_eq!(play.notices(viewer), ["gap"]);
    let is_gap = |(_, entry): &(String, Entry)| matches!(entry, Entry::Gap { to: None, .. });
    assert!(play.stage.seen.entries.iter().any(is_gap));
}

#[test]
fn a_detached_session_that_holds_the_place_is_offered_and_given_to_a_plain_viewer() {
    let mut play = Play::new();
    let user = UserId::new();
    let first = play.opens(1, user);
    play.output(1, b"left here");
    play.page_goes(first);
    play.starts = false;
    let mut end = page("page-2");
    end.open(&sid(2), 1, None, Props::new()).unwrap();
    let second = play.page_comes(2, user, end);
    play.agent()
        .refused(&sid(2), text::TOO_MANY_SESSIONS)
        .unwrap();
    let since = play.since();
    let said: Vec<_> = std::iter::from_fn(|| play.agent().transmit(since)).collect();
    for message in said {
        play.stage.input(Input::FromDevice(message));
    }
    play.stage.take(usize::MAX, &mut VecDeque::new());
    let refusal = play
        .stage
        .seen
        .viewers
        .iter()
        .find(|(to, message)| *to == second && message.typ == "new");
    let detached = refusal.unwrap().1.props.get("detached").unwrap();
    assert_eq!(
        detached.as_array().unwrap()[0].as_str(),
        Some(sid(1).as_str())
    );
    play.settle();
    // A plain end cannot choose.
    let plain = play.stage.attach(1001, user);
    play.stage.user(plain, FromUser::New { size: None });
    play.settle();
    let opened = play
        .shell_events
        .iter()
        .rev()
        .find_map(|event| match event {
            ToShellEnd::Open { sid, .. } => Some(sid.clone()),
            _ => None,
        });
    play.agent()
        .refused(&opened.unwrap(), text::TOO_MANY_SESSIONS)
        .unwrap();
    play.settle();
    let seen = play.stage.seen();
    let heard = seen.viewer_heard(plain);
    assert_eq!(heard[0], FromDevice::Started);
    let output = String::from_utf8(seen.output(plain)).unwrap();
    assert!(
        output.contains("[longwire: this is your session of "),
        "{output:?}"
    );
    assert!(output.contains("left here"), "{output:?}");
    play.stage.user(plain, input(b"hello again"));
    play.settle();
    assert_eq!(play.typed(1), b"hello again");
}

#[test]
fn a_session_that_cannot_be_recorded_ends() {
    let mut play = Play::new();
    let viewer = play.opens(1, UserId::new());
    play.stage.records = false;
    play.output(1, b"lost");
    let trouble = |given_up| {
        vec![Trouble {
            sid: sid(1),
            from: 1,
            given_up,
        }]
    };
    let seq = play.stage.seq;
    play.stage.input(Input::Committed {
        seq,
        trouble: trouble(false),
    });
    play.settle();
    assert_eq!(play.notices(viewer), ["recording"]);
    assert_eq!(play.agent().output_position(&sid(1)), Some((0, 4)));
    play.stage.input(Input::Committed {
        seq,
        trouble: trouble(true),
    });
    play.settle();
    let is_end = |event: &ToUserEnd| matches!(event, ToUserEnd::Ended { stop, .. } if stop.reason == Some(Ended::OverLimit));
    assert!(play.has(viewer, is_end));
}

#[test]
fn an_ended_server_leaves_sessions_to_the_next_run() {
    let mut play = Play::new();
    let user = UserId::new();
    let viewer = play.opens(1, user);
    play.output(1, b"before ");
    play.stage.input(Input::End(EndReason::ServerEnding));
    play.stage.take(usize::MAX, &mut VecDeque::new());
    let seen = play.stage.seen();
    assert!(seen.link_closed);
    let why = CloseReason::Ended(EndReason::ServerEnding);
    assert_eq!(seen.closed, [(viewer, why)]);
    let ended = |change: &Change| {
        matches!(
            change.what,
            SessionChange::Stop(_) | SessionChange::Ended(_)
        )
    };
    assert!(!seen.changes.iter().any(ended));
    assert!(
        seen.device
            .iter()
            .all(|message| message.proto != proto::SHELL)
    );
}

/// A session as the next run of the server finds it.
fn adopted(owner: UserId, plain_only: bool, lossless: bool) -> Adopted {
    let output = Bytes::from_static(b"from before");
    Adopted {
        sid: sid(1),
        owner: crate::session::Owner::for_test(owner),
        epoch: 1,
        controller: None,
        lossless,
        plain_only,
        age: Duration::from_secs(100),
        started: Some(Duration::from_secs(1)),
        detached: None,
        to_stop: None,
        size: None,
        recorded: output.len() as u64,
        ended: None,
        replay: vec![Entry::Output {
            offset: 0,
            time_ms: 5,
            bytes: output,
        }],
        restored: false,
    }
}

#[test]
fn what_a_plain_viewer_had_when_the_server_was_killed_goes_to_its_operators_next_one() {
    let mut stage = Stage::empty();
    let user = UserId::new();
    stage.input(Input::Adopt(Box::new(adopted(user, true, false))));
    stage.input(Input::LinkUp {
        kind: LinkKind::Plain,
    });
    // Not anybody's.
    let other = stage.attach(7, UserId::new());
    stage.user(other, FromUser::New { size: None });
    assert!(stage.seen().viewer_heard(other).is_empty());
    let viewer = stage.attach(8, user);
    stage.user(viewer, FromUser::New { size: None });
    let seen = stage.seen();
    assert_eq!(seen.viewer_heard(viewer)[0], FromDevice::Started);
    assert!(
        String::from_utf8(seen.output(viewer))
            .unwrap()
            .contains("from before")
    );
    stage.user(viewer, input(b"on"));
    assert!(stage.seen().device_said().contains(&input(b"on")));
    stage.pass(70 * SECOND);
    assert_eq!(
        stage.sessions.views(stage.now)[0].state,
        SessionState::Attached
    );
}

#[test]
fn and_ends_after_a_minute_if_there_is_none() {
    let mut stage = Stage::empty();
    stage.input(Input::Adopt(Box::new(adopted(UserId::new(), true, false))));
    stage.input(Input::LinkUp {
        kind: LinkKind::Plain,
    });
    stage.pass(59 * SECOND);
    assert!(
        !stage
            .seen()
            .device_said()
            .iter()
            .any(|said| matches!(said, FromUser::Stop { .. }))
    );
    stage.pass(2 * SECOND);
    assert!(
        stage
            .seen()
            .device_said()
            .iter()
            .any(|said| matches!(said, FromUser::Stop { .. }))
    );
}

#[test]
fn an_adopted_session_shows_what_was_recorded_and_goes_on() {
    let mut play = Play::new();
    let user = UserId::new();
    let agent = play.agent_goes();
    drop(agent);
    play.stage
        .input(Input::Adopt(Box::new(adopted(user, false, true))));
    // The agent has more than was recorded.
    let mut server = UserEnd::new(Hello::new("former", 1024 * 1024));
    let mut agent = ShellEnd::new(ShellConfig::new("agent"));
    server.open(&sid(1), 1, None, Props::new()).unwrap();
    let since = play.since();
    let (at_agent, at_server) = (agent.connected(since), server.connected(since));
    for _ in 0..10 {
        while let Some(message) = server.transmit(since) {
            agent.receive(at_agent, message, since).unwrap();
        }
        while let Some(event) = agent.event() {
            if let ToShellEnd::Open { sid, .. } = event {
                agent.started(&sid).unwrap();
            }
        }
        while let Some(message) = agent.transmit(since) {
            server.receive(at_server, message, since).unwrap();
        }
    }
    agent.output(&sid(1), b"from before and after", 9).unwrap();
    play.agent_comes(agent);
    let page = play.page_comes(2, user, attaching("page", 1, Props::new()));
    let shown = String::from_utf8(play.shown(page)).unwrap();
    assert!(shown.contains("from before and after"), "{shown:?}");
    // Nobody was in control: whoever owns it is.
    play.types(page, 1, b"hello");
    assert_eq!(play.typed(1), b"hello");
}

#[test]
fn who_may_not_use_the_device_any_more_loses_sessions_and_control() {
    let mut play = Play::new();
    let (owner, guest) = (UserId::new(), UserId::new());
    play.opens(1, owner);
    let guest = play.page_comes(2, guest, attaching("guest", 1, Props::new()));
    play.page(guest).want_control(&sid(1)).unwrap();
    play.settle();
    play.types(guest, 1, b"as a guest");
    assert_eq!(play.typed(1), b"as a guest");
    play.stage.input(Input::LoseControl {
        viewer: guest,
        sid: sid(1),
    });
    play.settle();
    let since = play.since();
    assert!(play.page(guest).input(&sid(1), b"no", since).is_err());
    play.stage.input(Input::LoseSight {
        viewer: guest,
        sid: sid(1),
    });
    play.settle();
    assert!(play.has(guest, |event| matches!(event, ToUserEnd::Lost { .. })));
    play.stage.input(Input::EndOwned {
        owner,
        why: EndReason::NotAllowed,
    });
    play.settle();
    let is_stop = |event: &ToShellEnd| matches!(event, ToShellEnd::Stop { error: Some(_), .. });
    assert!(play.shell_events.iter().any(is_stop));
}
