//! A server that is killed, as a process of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::agent::{Agent, output};
use crate::lab::Lab;
use crate::peer::within;
use crate::viewer::Viewer;

const MIB: u64 = 1024 * 1024;

/// Starts the program and waits until it listens.
async fn start(data: &Path) -> (Child, SocketAddr) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_longwire-server"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = within(lines.next_line()).await.unwrap().unwrap();
    let address = line.strip_prefix("listening on http://").unwrap();
    (child, address.parse().unwrap())
}

#[tokio::test]
async fn a_server_that_is_killed_in_a_flood_loses_nothing() {
    let lab = Lab::start().await;
    let (gadget, operator) = (lab.gadget().await, lab.operator().await);
    let dir = lab.stop().await;
    let data = dir.path().join("data");
    let (mut server, mut address) = start(&data).await;
    let mut agent = Agent::start();
    agent.connect(address, &gadget.token);
    let mut viewer = Viewer::new("viewer-1", gadget.id, &operator.token);
    let sid = uuid::Uuid::new_v4().to_string();
    // The device may not be there yet: a shell is asked for until it is.
    loop {
        viewer.connect(address).await;
        viewer.open(&sid);
        viewer
            .until("answered", |seen| seen.started || seen.refused.is_some())
            .await;
        if viewer.seen.started {
            break;
        }
        viewer = Viewer::new("viewer-1", gadget.id, &operator.token);
    }
    viewer.until_in_control(&sid).await;
    agent.write_to(4 * MIB);
    let mut typed = Vec::new();
    for mib in 1..4 {
        let line = format!("line {mib}\r");
        viewer.type_in(&sid, line.as_bytes());
        typed.extend_from_slice(line.as_bytes());
        viewer.until("on", |seen| seen.end() > mib * MIB).await;
        kill(
            Pid::from_raw(server.id().unwrap().cast_signed()),
            Signal::SIGKILL,
        )
        .unwrap();
        server.wait().await.unwrap();
        viewer.until("cut", |seen| seen.closed.is_some()).await;
        (server, address) = start(&data).await;
        agent.connect(address, &gadget.token);
        viewer.connect(address).await;
    }
    let applied = typed.len() as u64;
    viewer
        .until("with all input applied", |seen| seen.applied == applied)
        .await;
    assert_eq!(agent.shells()[&sid].typed, typed);
    agent.end_shells();
    viewer
        .until("at the end", |seen| seen.ended.is_some())
        .await;
    assert_eq!((viewer.seen.from, viewer.seen.end()), (0, 4 * MIB));
    assert!(viewer.seen.output == output(0, 4 * MIB), "output differs");
    let shells = agent.until(|shells| shells[&sid].stopped).await;
    assert_eq!(shells.len(), 1);
}
