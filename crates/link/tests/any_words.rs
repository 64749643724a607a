//! Whatever a peer says, in whatever order: no end panics, grows without bound, or forgets how to
//! work. Seeded, so that a failure can be seen again: `LINK_WORDS_SEED=5`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

mod rng;

use std::time::Duration;

use bytes::Bytes;
use longwire_link::wire::{Hello, OnLink, State, ToShell, ToUser};
use longwire_link::{Attachment, ShellConfig, ShellEnd, UserEnd, limits};
use longwire_protocol::shell::{Stop, Winsize};
use longwire_protocol::{Message, Props, Value};
use rng::Rng;

const SIDS: [&str; 4] = ["a", "b", "c", ""];

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn number(rng: &mut Rng) -> u64 {
    match rng.below(8) {
        0 => limits::MAX_OFFSET - rng.below(3),
        1 => rng.below(1 << 20),
        _ => rng.below(12),
    }
}

fn bytes(rng: &mut Rng) -> Bytes {
    let count = if rng.once_in(30) { 40_000 } else { 10 };
    Bytes::from(vec![3; rng.below(count) as usize])
}

fn size(rng: &mut Rng) -> Winsize {
    Winsize::new(1 + rng.below(99) as u16, 1 + rng.below(99) as u16).unwrap()
}

fn about_the_link(rng: &mut Rng) -> Message {
    let mut hello = Hello::new("any", 1 + number(rng));
    hello.sessions = rng.once_in(2).then(|| ["a".to_owned()].into());
    match rng.below(5) {
        0 => OnLink::Hello(hello),
        1 => OnLink::Received { bytes: number(rng) },
        2 => OnLink::Ping,
        3 => OnLink::Pong,
        _ => OnLink::Error(longwire_protocol::control::Error::default()),
    }
    .to_message()
}

fn to_shell(rng: &mut Rng) -> ToShell {
    let (offset, epoch) = (number(rng), 1 + number(rng) % 4);
    match rng.below(10) {
        0 => ToShell::New {
            epoch,
            size: Some(size(rng)),
            more: Props::new(),
        },
        1 | 2 => ToShell::Resume {
            have: rng.once_in(2).then_some(offset),
            epoch,
            size: None,
            more: Props::new(),
        },
        3 | 4 => ToShell::Input {
            offset,
            epoch,
            bytes: bytes(rng),
        },
        5 => ToShell::Interrupt {
            offset,
            epoch,
            byte: 3,
        },
        6 => ToShell::Epoch(epoch),
        7 => ToShell::Skip { offset, epoch },
        8 => ToShell::Ack {
            offset,
            end: rng.once_in(2),
        },
        _ => ToShell::Stop {
            error: None,
            forget: rng.once_in(2),
        },
    }
}

fn to_user(rng: &mut Rng) -> ToUser {
    let (offset, epoch, control) = (number(rng), number(rng) % 5, rng.once_in(2));
    match rng.below(10) {
        0 => ToUser::Started,
        1 => ToUser::Refused("no".to_owned()),
        2 | 3 => ToUser::State(State {
            output: offset,
            input: number(rng),
            epoch,
            control,
            dropped: number(rng),
        }),
        4 => ToUser::Output {
            offset,
            time_ms: 0,
            bytes: bytes(rng),
        },
        5 => ToUser::Resized {
            offset,
            time_ms: 0,
            size: size(rng),
        },
        6 => ToUser::Screen {
            offset,
            size: None,
            bytes: bytes(rng),
        },
        7 => ToUser::Ack {
            offset,
            dropped: number(rng),
        },
        8 => ToUser::Epoch {
            epoch,
            offset,
            control,
        },
        _ => {
            if rng.once_in(2) {
                ToUser::Unknown
            } else {
                ToUser::Ended {
                    stop: Stop::default(),
                    offset,
                }
            }
        }
    }
}

/// Now and then a field is not what it should be.
fn spoiled(mut message: Message, rng: &mut Rng) -> Message {
    let first = message.props.iter().next().map(|(name, _)| name.to_owned());
    if let Some(name) = first
        && rng.once_in(40)
    {
        let value = match rng.below(4) {
            0 => Value::Nil,
            1 => Value::Int(-1),
            2 => Value::Float(0.5),
            _ => Value::UInt(u64::MAX),
        };
        message.props.set(&name, value);
    }
    message
}

/// What an owner may do at any time, right or wrong.
fn owner_of_shell(end: &mut ShellEnd, sid: &str, rng: &mut Rng) {
    let offset = number(rng);
    match rng.below(12) {
        0 => drop(end.started(sid)),
        1 => drop(end.refused(sid, "no")),
        2 => drop(end.output(sid, &bytes(rng), offset)),
        3 => drop(end.resized(sid, size(rng), offset)),
        4 => {
            let count = end.input(sid).len();
            let _ = end.wrote(sid, count);
        }
        5 => drop(end.interrupted(sid, offset)),
        6 => drop(end.ended(sid, Stop::default())),
        7 => drop(end.take_input(sid, 100)),
        8 => drop(end.applied(sid, offset, offset)),
        9 => drop(end.set_control(sid, 1 + offset % 5, offset, true)),
        10 => drop(end.show(sid, offset, None, bytes(rng))),
        _ => {
            let at = Attachment {
                output: offset,
                input: offset,
                dropped: 0,
                epoch: 1,
                control: true,
            };
            let _ = end.attach(sid, at);
        }
    }
}

fn owner_of_user(end: &mut UserEnd, sid: &str, rng: &mut Rng, now: Duration) {
    let offset = number(rng);
    match rng.below(12) {
        0 => drop(end.open(sid, 1, None, Props::new())),
        1 => drop(end.resume(sid, Some(offset), 1, None, Props::new())),
        2 => drop(end.recorded(sid, offset)),
        3 => drop(end.end_recorded(sid)),
        4 => drop(end.input(sid, &bytes(rng), now)),
        5 => drop(end.relay_input(sid, 1, offset, &bytes(rng), now)),
        6 => drop(end.relay_interrupt(sid, 1, offset, 3)),
        7 => drop(end.begin_epoch(sid, offset % 7)),
        8 => drop(end.stop(sid, None)),
        9 => drop(end.forget(sid)),
        10 => drop(end.want_control(sid)),
        _ => end.leave(sid),
    }
}

fn seeds() -> std::ops::Range<u64> {
    match setting("LINK_WORDS_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("LINK_WORDS_RUNS").unwrap_or(60),
    }
}

#[test]
fn a_shell_end_takes_anything() {
    for seed in seeds() {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let mut config = ShellConfig::new("any");
        if rng.once_in(2) {
            config = ShellConfig::for_viewer("any");
        }
        let mut end = ShellEnd::new(config);
        let mut now = Duration::ZERO;
        let mut generation = end.connected(now);
        for _ in 0..500 {
            now += Duration::from_millis(rng.below(500));
            if !end.is_linked() {
                generation = end.connected(now);
                let hello = OnLink::Hello(Hello::default()).to_message();
                end.receive(generation, hello, now).unwrap();
            }
            let sid = SIDS[rng.below(4) as usize];
            let message = if rng.once_in(6) {
                about_the_link(&mut rng)
            } else {
                to_shell(&mut rng).to_message(sid)
            };
            let _ = end.receive(generation, spoiled(message, &mut rng), now);
            owner_of_shell(&mut end, sid, &mut rng);
            for _ in 0..rng.below(10) {
                end.transmit(now);
            }
            while end.event().is_some() {}
            assert!(end.memory() <= limits::RINGS);
        }
    }
}

#[test]
fn a_user_end_takes_anything() {
    for seed in seeds() {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let hello = Hello::new("any", 1024 * 1024);
        let (mut end, sessions) = if rng.once_in(2) {
            (UserEnd::for_viewer(hello), None)
        } else {
            (UserEnd::new(hello), Some(["a".to_owned()].into()))
        };
        let mut now = Duration::ZERO;
        let mut generation = end.connected(now);
        for _ in 0..500 {
            now += Duration::from_millis(rng.below(500));
            if !end.is_linked() {
                generation = end.connected(now);
                let mut hello = Hello::default();
                hello.sessions.clone_from(&sessions);
                let hello = OnLink::Hello(hello).to_message();
                end.receive(generation, hello, now).unwrap();
            }
            let sid = SIDS[rng.below(4) as usize];
            let message = if rng.once_in(6) {
                about_the_link(&mut rng)
            } else {
                to_user(&mut rng).to_message(sid)
            };
            let _ = end.receive(generation, spoiled(message, &mut rng), now);
            owner_of_user(&mut end, sid, &mut rng, now);
            for _ in 0..rng.below(10) {
                end.transmit(now);
            }
            while end.event().is_some() {}
            assert!(end.memory() <= SIDS.len() * 2 * limits::INPUT_KEPT);
        }
    }
}
