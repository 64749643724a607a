//! Holds both ends to the traces in `tests/golden`, and the specification's examples to the traces.
//!
//! `LINK_GOLDEN=write cargo test -p longwire-link --test golden` writes them anew; a difference is a
//! change of the protocol.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test"
)]

mod trace;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use longwire_link::wire::{ToShell, ToUser};
use longwire_link::{Hello, ShellConfig, UserEnd};
use longwire_protocol::Props;
use longwire_protocol::shell::{Ended, Stop, Winsize};
use serde_json::{Value, json};
use trace::SID;
use trace::device::Device;
use trace::viewer::Viewer;

const MINUTE: Duration = Duration::from_secs(60);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn trace(name: &str, about: &str, steps: Vec<Value>) -> Value {
    json!({ "name": name, "about": about, "steps": steps })
}

/// Compares with the file, or writes it.
fn hold(file: &str, traces: Vec<Value>) {
    let path = folder().join(file);
    let text = format!("{:#}\n", Value::Array(traces.clone()));
    if std::env::var("LINK_GOLDEN").is_ok_and(|value| value == "write") {
        fs::write(&path, &text).unwrap();
    }
    let held: Vec<Value> = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(held.len(), traces.len());
    for (held, now) in held.iter().zip(&traces) {
        let steps = |trace: &Value| trace["steps"].as_array().unwrap().clone();
        for (index, (held, now)) in steps(held).iter().zip(steps(now)).enumerate() {
            assert_eq!(*held, now, "{}: step {index}", held["name"]);
        }
        assert_eq!(held, now);
    }
}

fn size(rows: u16, cols: u16) -> Winsize {
    Winsize::new(rows, cols).unwrap()
}

#[test]
fn a_clients_end_does_as_the_traces_say() {
    let traces = vec![
        client_opens(),
        client_attaches(),
        client_resumes(),
        client_loses_control(),
        client_waits_for_control(),
        client_interrupts(),
        client_falls_behind(),
        client_reports_what_came(),
        client_sees_the_end(),
        client_is_refused(),
        client_finds_nothing(),
        client_keeps_the_link_alive(),
        client_meets_a_newer_server(),
        client_gives_up_a_server_that_leaves_bytes_out(),
    ];
    hold("client.json", traces);
}

#[test]
fn a_devices_end_does_as_the_traces_say() {
    let traces = vec![
        device_runs_a_shell(),
        device_refuses(),
        device_was_away(),
        device_opens_once(),
        device_serves_a_server_from_a_backup(),
        device_begins_an_epoch(),
        device_interrupts(),
        device_keeps_the_end(),
        device_ends_a_stranger(),
        device_keeps_the_link_alive(),
        device_gives_up_a_server_that_leaves_bytes_out(),
    ];
    hold("device.json", traces);
}

fn opened() -> Viewer {
    let mut client = Viewer::new();
    client.open();
    client.connect();
    client.peer.started(SID).unwrap();
    client.exchange();
    client
}

fn client_opens() -> Value {
    let mut client = opened();
    client.peer.resized(SID, size(24, 80), 0).unwrap();
    client.peer.output(SID, b"$ ", 12).unwrap();
    client.exchange();
    client.recorded(2);
    client.input(b"ls\r");
    client.peer.take_input(SID, 100).unwrap();
    client.peer.applied(SID, 3, 0).unwrap();
    client.peer.output(SID, b"ls\r\n", 950).unwrap();
    client.exchange();
    client.recorded(6);
    client.resize(40, 120);
    client.stop();
    trace(
        "opens",
        "a client opens a session, types, resizes and ends it",
        client.steps(),
    )
}

/// A watcher, with the screen at output offset 1000, in epoch 3.
fn watching() -> Viewer {
    let mut client = Viewer::new();
    client.connect();
    client.attach();
    client.admit(1000, 70, 3, false);
    let screen = Bytes::from_static(b"\x1b[2J\x1b[H$ ");
    client
        .peer
        .show(SID, 1000, Some(size(24, 80)), screen)
        .unwrap();
    client.exchange();
    client
}

fn client_attaches() -> Value {
    let mut client = watching();
    client.peer.output(SID, b"live", 61_000).unwrap();
    client.exchange();
    client.input(b"x");
    client.want_control();
    client.peer.set_control(SID, 4, 70, true).unwrap();
    client.exchange();
    client.input(b"x");
    trace(
        "attaches",
        "a client attaches to a session that runs: the screen, then every byte; it watches, asks for \
         control, and gets it",
        client.steps(),
    )
}

fn client_resumes() -> Value {
    let mut client = opened();
    client.peer.output(SID, b"0123456789", 5).unwrap();
    client.exchange();
    client.recorded(4);
    client.input(b"abc");
    client.peer.applied(SID, 1, 0).unwrap();
    client.exchange();
    client.lose("server-1");
    client.input(b"def");
    client.connect();
    client.admit(10, 2, 1, true);
    client.peer.output(SID, b"and on", 9).unwrap();
    client.exchange();
    trace(
        "resumes",
        "the link is lost and comes back: output from the next byte, input from the first that was \
         not applied",
        client.steps(),
    )
}

fn client_loses_control() -> Value {
    let mut client = opened();
    client.input(b"hello");
    client.lose("server-1");
    client.connect();
    client.admit(0, 3, 2, false);
    client.exchange();
    client.input(b"x");
    trace(
        "loses-control",
        "somebody else took control while the client was away: it is told how much of its input did \
         not arrive and watches",
        client.steps(),
    )
}

fn client_waits_for_control() -> Value {
    let mut client = opened();
    client.input(b"hello");
    client.lose("server-2");
    client.connect();
    client.admit(0, 0, 1, false);
    client.exchange();
    client.input(b" you");
    client.peer.set_control(SID, 1, 2, true).unwrap();
    client.exchange();
    trace(
        "waits-for-control",
        "a restarted server does not know yet where the device's input stands: the same epoch without \
         control means wait",
        client.steps(),
    )
}

fn client_interrupts() -> Value {
    let mut server = ShellConfig::for_viewer("server-1");
    server.input_window = 16;
    let mut client = Viewer::towards(server);
    client.open();
    client.connect();
    client.peer.started(SID).unwrap();
    client.exchange();
    client.input(b"xxxxxxxxxxxxxxxxyyyy");
    client.peer.applied(SID, 2, 0).unwrap();
    client.exchange();
    client.input(b"z\x03");
    client.peer.applied(SID, 22, 19).unwrap();
    client.exchange();
    trace(
        "interrupts",
        "an interrupt character that the window keeps back is said out of turn, and takes the input \
         before it with it",
        client.steps(),
    )
}

fn client_falls_behind() -> Value {
    let mut client = watching();
    client.peer.output(SID, b"some", 1).unwrap();
    client.exchange();
    let screen = Bytes::from_static(b"\x1b[2J\x1b[Hmuch later");
    client.peer.show(SID, 900_000, None, screen).unwrap();
    client.peer.output(SID, b"!", 2).unwrap();
    client.exchange();
    client.recorded(900_001);
    trace(
        "falls-behind",
        "in place of bytes a client did not take in time, it gets the screen",
        client.steps(),
    )
}

fn client_reports_what_came() -> Value {
    let mut client = opened();
    client.peer.output(SID, &[b'y'; 18_000], 1).unwrap();
    client.exchange();
    client.recorded(18_000);
    trace(
        "reports-what-came",
        "after 16384 counted bytes of output the client reports the sum, shown or not",
        client.steps(),
    )
}

fn client_sees_the_end() -> Value {
    let mut client = opened();
    client.peer.output(SID, b"bye\r\n", 100).unwrap();
    let stop = Stop {
        reason: Some(Ended::Exited),
        exit_status: Some(3),
        text: "shell exited with status 3".to_owned(),
        ..Stop::default()
    };
    client.peer.ended(SID, stop).unwrap();
    client.exchange();
    client.end_recorded();
    trace("sees-the-end", "the shell exits", client.steps())
}

fn client_is_refused() -> Value {
    let mut client = Viewer::new();
    client.open();
    client.connect();
    client
        .peer
        .refused(SID, "user has too many open sessions")
        .unwrap();
    client.exchange();
    trace("is-refused", "the shell is not started", client.steps())
}

fn client_finds_nothing() -> Value {
    let mut client = Viewer::new();
    client.connect();
    client.attach();
    client.peer.unknown(SID);
    client.exchange();
    trace(
        "finds-nothing",
        "there is no such session, or none for this client",
        client.steps(),
    )
}

fn client_keeps_the_link_alive() -> Value {
    let mut client = Viewer::new();
    client.connect();
    client.wait(MINUTE / 3);
    client.wait(MINUTE / 3);
    client.say_to_nobody();
    client.wait(MINUTE);
    let steps = client.steps();
    trace(
        "keeps-the-link-alive",
        "after 20 silent seconds a ping; after 60, the link is given up",
        steps,
    )
}

fn client_meets_a_newer_server() -> Value {
    let mut client = opened();
    let mut odd = ToUser::Output {
        offset: 0,
        time_ms: 1,
        bytes: Bytes::from_static(b"hi"),
    }
    .to_message(SID);
    odd.props.set("colour", "green");
    client.hear(&odd).unwrap();
    "presence".clone_into(&mut odd.typ);
    client.hear(&odd).unwrap();
    trace(
        "meets-a-newer-server",
        "unknown properties are not looked at, unknown types are for the owner",
        client.steps(),
    )
}

fn client_gives_up_a_server_that_leaves_bytes_out() -> Value {
    let mut client = opened();
    let hole = ToUser::Output {
        offset: 7,
        time_ms: 1,
        bytes: Bytes::from_static(b"hi"),
    };
    client.hear(&hole.to_message(SID)).unwrap_err();
    trace(
        "gives-up-a-server-that-leaves-bytes-out",
        "a broken rule ends the link, with an error that says why",
        client.steps(),
    )
}

fn device_runs_a_shell() -> Value {
    let mut device = Device::running();
    device.resized(24, 80, 0);
    device.output(b"$ ", 12);
    device.server(|server, _| server.recorded(SID, 2).unwrap());
    device.server(|server, now| server.input(SID, b"ls\r", now).unwrap());
    device.wrote(3);
    device.output(b"ls\r\n", 950);
    device.server(|server, _| server.resize(SID, size(40, 120)).unwrap());
    device.resized(40, 120, 1000);
    device.output(b"\x1b[H", 1003);
    device.server(|server, _| server.stop(SID, None).unwrap());
    device.ended(0);
    device.server(|server, _| {
        server.recorded(SID, 9).unwrap();
        server.end_recorded(SID).unwrap();
    });
    trace(
        "runs-a-shell",
        "a session from start to end",
        device.steps(),
    )
}

fn device_refuses() -> Value {
    let mut device = Device::new();
    device.connect();
    device.open();
    device.refused("user has too many open sessions");
    trace("refuses", "a shell that is not started", device.steps())
}

fn device_was_away() -> Value {
    let mut device = Device::running();
    device.output(b"recorded, ", 1);
    device.server(|server, _| server.recorded(SID, 10).unwrap());
    device.output(b"received, ", 2);
    device.server(|server, now| server.input(SID, b"abc", now).unwrap());
    device.wrote(1);
    device.lose();
    device.output(b"kept", 3000);
    device.wrote(2);
    device.server(|server, now| server.input(SID, b"def", now).unwrap());
    device.connect();
    device.server(|server, _| server.recorded(SID, 24).unwrap());
    trace(
        "was-away",
        "the link is lost and comes back: each side says where it stands, the other sends from there",
        device.steps(),
    )
}

fn device_opens_once() -> Value {
    let mut device = Device::new();
    device.connect();
    device.open();
    device.lose();
    device.connect();
    device.started();
    trace(
        "opens-once",
        "the link is lost before the shell has started; the session is listed and gone on with",
        device.steps(),
    )
}

fn device_serves_a_server_from_a_backup() -> Value {
    let mut device = Device::running();
    device.output(b"0123456789", 1);
    device.server(|server, _| server.begin_epoch(SID, 5).unwrap());
    device.server(|server, _| server.recorded(SID, 8).unwrap());
    device.lose();
    let mut server = UserEnd::new(Hello::new("server-2", 1024 * 1024));
    server.resume(SID, Some(4), 2, None, Props::new()).unwrap();
    device.peer = server;
    device.connect();
    device.server(|server, _| server.begin_epoch(SID, 6).unwrap());
    trace(
        "serves-a-server-from-a-backup",
        "the server has forgotten bytes 4 to 8, which were acknowledged and are gone: a gap; and it \
         has forgotten an epoch, of which the device knows",
        device.steps(),
    )
}

fn device_begins_an_epoch() -> Value {
    let mut device = Device::running();
    device.server(|server, now| server.input(SID, b"rm -rf old", now).unwrap());
    device.wrote(3);
    device.server(|server, _| server.begin_epoch(SID, 2).unwrap());
    let late = ToShell::Input {
        offset: 3,
        epoch: 1,
        bytes: Bytes::from_static(b"late"),
    };
    device.hear(&late.to_message(SID)).unwrap();
    device.server(|server, now| server.input(SID, b"ls\r", now).unwrap());
    device.wrote(3);
    trace(
        "begins-an-epoch",
        "another controller: what the old one typed and was not written is dropped, whatever comes \
         late as well",
        device.steps(),
    )
}

fn device_interrupts() -> Value {
    let mut device = Device::running();
    device.server(|server, now| server.input(SID, b"stuck", now).unwrap());
    device.wrote(2);
    let interrupt = ToShell::Interrupt {
        offset: 70_000,
        epoch: 1,
        byte: 3,
    };
    device.hear(&interrupt.to_message(SID)).unwrap();
    device.interrupted(70_000);
    trace(
        "interrupts",
        "the pty takes no more input and an interrupt is said out of turn: what comes before it is \
         thrown away and counted",
        device.steps(),
    )
}

fn device_keeps_the_end() -> Value {
    let mut device = Device::running();
    device.lose();
    device.output(b"last words", 70);
    device.ended(1);
    device.connect();
    device.lose();
    device.connect();
    device.server(|server, _| {
        server.recorded(SID, 10).unwrap();
        server.end_recorded(SID).unwrap();
    });
    trace(
        "keeps-the-end",
        "a shell ends while the device is away: the end is kept until it is recorded",
        device.steps(),
    )
}

fn device_ends_a_stranger() -> Value {
    let mut device = Device::running();
    device.lose();
    device.peer = UserEnd::new(Hello::new("server-2", 1024 * 1024));
    device.connect();
    device.ended(0);
    trace(
        "ends-a-stranger",
        "the server does not know the session: its shell is ended, and nothing is sent of it",
        device.steps(),
    )
}

fn device_keeps_the_link_alive() -> Value {
    let mut device = Device::new();
    device.connect();
    device
        .hear(&longwire_link::wire::OnLink::Ping.to_message())
        .unwrap();
    device.wait(MINUTE / 3);
    device.wait(Duration::from_secs(8));
    device.wait(MINUTE);
    trace(
        "keeps-the-link-alive",
        "a ping is answered; after 28 silent seconds one is sent; after 60, the link is given up",
        device.steps(),
    )
}

fn device_gives_up_a_server_that_leaves_bytes_out() -> Value {
    let mut device = Device::running();
    let hole = ToShell::Input {
        offset: 7,
        epoch: 1,
        bytes: Bytes::from_static(b"hi"),
    };
    device.hear(&hole.to_message(SID)).unwrap_err();
    trace(
        "gives-up-a-server-that-leaves-bytes-out",
        "a broken rule ends the link, with an error that says why",
        device.steps(),
    )
}

/// Every example of the specification is a message of some trace.
#[test]
fn examples_of_the_specification_are_real() {
    let mut messages = BTreeSet::new();
    for file in ["client.json", "device.json"] {
        let text = fs::read_to_string(folder().join(file)).unwrap();
        let traces: Vec<Value> = serde_json::from_str(&text).unwrap();
        for step in traces
            .iter()
            .flat_map(|trace| trace["steps"].as_array().unwrap())
        {
            for way in ["send", "receive"] {
                messages.extend(step[way].as_str().map(str::to_owned));
            }
        }
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol.md");
    let page = fs::read_to_string(page).unwrap();
    let examples: Vec<&str> = page
        .lines()
        .map(str::trim)
        .filter(|line| line.len() > 20 && line.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .collect();
    assert!(examples.len() >= 10, "only {} examples", examples.len());
    for example in examples {
        assert!(messages.contains(example), "in no trace: {example}");
    }
}
