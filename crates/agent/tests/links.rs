//! How the agent connects, stays connected and comes back.

mod support;

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::SinkExt;
use longwire_agent::identity::Authorization;
use longwire_protocol::control::Control;
use longwire_protocol::shell::{Ended, FromDevice, FromUser};
use longwire_protocol::{Message, proto};
use support::{Agent, DEADLINE, Server, config, connected, eventually, granted, lives};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message as Frame;

/// Proves that nothing new comes for a while.
async fn nobody_connects(server: &Server, time: Duration) {
    assert!(
        timeout(time, server.tcp()).await.is_err(),
        "the agent connected"
    );
}

#[tokio::test]
async fn item_41_connects_to_the_fixed_path_with_a_bearer_token_and_no_extension() {
    let (agent, server, peer) = connected(config()).await;
    assert_eq!(peer.path, "/api/devices/v1/deviceconnect/connect");
    assert_eq!(peer.headers["authorization"], "Bearer token");
    assert!(!peer.headers.contains_key("sec-websocket-extensions"));
    assert_eq!(
        peer.headers["sec-websocket-protocol"],
        "longwire.v1, protomsg/msgpack"
    );
    assert!(!peer.headers.contains_key("origin"));
    nobody_connects(&server, Duration::from_millis(300)).await;
    agent.end().await;
}

#[tokio::test]
async fn item_41_a_busy_proxy_is_tried_again() {
    let server = Server::start().await;
    let agent = Agent::start(config());
    agent.authorise("token", &server);
    let busy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 30\r\n\r\n\
                too many websocket connections";
    server.refuse(busy).await;
    server.refuse(busy).await;
    server.accept().await;
    agent.end().await;
}

#[tokio::test]
async fn item_43_connects_at_once_when_a_token_is_known() {
    let server = Server::start().await;
    let agent = Agent::start(config());
    nobody_connects(&server, Duration::from_millis(100)).await;
    let since = Instant::now();
    agent.authorise("token", &server);
    server.accept().await;
    support::took_at_most(10, since);
    agent.end().await;
}

#[tokio::test]
async fn item_43_comes_back_soon_after_a_single_loss() {
    let (agent, server, peer) = connected(config()).await;
    let since = Instant::now();
    drop(peer);
    server.accept().await;
    support::took_at_most(10, since);
    agent.end().await;
}

#[tokio::test]
async fn item_43_a_restarting_server_names_the_time_of_the_first_try() {
    let (agent, server, peer) = connected(config()).await;
    // Over an hour: that a device draws its first seconds will be seen once in a thousand runs.
    peer.close(1012, "restarting, retry in 3600 s").await;
    nobody_connects(&server, Duration::from_secs(2)).await;
    // New credentials are worth a try at once.
    agent.authorise("other", &server);
    let peer = server.accept().await;
    assert_eq!(peer.headers["authorization"], "Bearer other");
    agent.end().await;
}

#[tokio::test]
async fn item_43_retry_after_is_heeded() {
    let server = Server::start().await;
    let agent = Agent::start(config());
    agent.authorise("token", &server);
    let later =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n";
    server.refuse(later).await;
    nobody_connects(&server, Duration::from_secs(2)).await;
    agent.end().await;
}

#[tokio::test]
async fn refusals_are_reported_and_tried_again() {
    let server = Server::start().await;
    let mut agent = Agent::start(config());
    agent.authorise("token", &server);
    for answer in ["401 Unauthorized", "403 Forbidden", "404 Not Found"] {
        server
            .refuse(&format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n"))
            .await;
    }
    timeout(DEADLINE, agent.publisher.refused())
        .await
        .expect("the source hears of it");
    server.accept().await;
    agent.end().await;
}

#[tokio::test]
async fn a_server_that_cannot_be_trusted_yet_is_tried_again() {
    // As with a certificate that is not valid at this time: the handshake fails, and again.
    let server = Server::start().await;
    let agent = Agent::start(config());
    agent
        .publisher
        .publish(granted("token", &server.url.replace("http:", "https:")));
    for _ in 0..2 {
        let mut tcp = server.tcp().await;
        // A fatal TLS alert: handshake failure.
        tcp.write_all(&[0x15, 3, 3, 0, 2, 2, 40]).await.unwrap();
    }
    agent.end().await;
}

#[tokio::test]
async fn item_44_a_token_change_keeps_shells() {
    let (agent, server, mut peer) = connected(config()).await;
    peer.open("s").await;
    let pid = peer.run("s", "kept=yes; echo $$").await;
    let since = Instant::now();
    agent.authorise("second", &server);
    let mut next = server.accept().await;
    support::took_at_most(10, since);
    assert_eq!(next.headers["authorization"], "Bearer second");
    assert_eq!(peer.closed().await.unwrap().code, 1000.into());
    assert_eq!(next.run("s", "echo $kept $$").await, format!("yes {pid}"));
    agent.end().await;
}

#[tokio::test]
async fn item_44_a_token_change_in_the_middle_of_output_loses_nothing() {
    let (agent, server, mut peer) = connected(config()).await;
    peer.open("s").await;
    peer.type_in("s", "seq 1 200000; echo 'do''ne'\n").await;
    let mut seen = peer.output_until("s", "\n1000\r\n").await.into_bytes();
    agent.authorise("second", &server);
    while let Frame::Binary(bytes) = peer.frame().await {
        seen.extend_from_slice(&longwire_protocol::decode(bytes).unwrap().body);
    }
    let mut next = server.accept().await;
    let mut text = String::from_utf8(seen).unwrap();
    text.push_str(&next.output_until("s", "done").await);
    assert_counts_to(200_000, &text);
    agent.end().await;
}

#[tokio::test]
async fn item_44_an_empty_token_ends_all_shells_within_three_seconds() {
    let (agent, server, mut peer) = connected(config()).await;
    let mut pids = Vec::new();
    for sid in ["a", "b", "c"] {
        peer.open(sid).await;
        pids.push(peer.make_stubborn(sid).await);
    }
    peer.open("d").await;
    pids.push(peer.run("d", "echo $$").await);
    let since = Instant::now();
    agent.publisher.publish(Authorization::Denied);
    // The shell that goes at once is told of first; all are told of before the link closes.
    let mut told = Vec::new();
    let close = loop {
        match peer.frame().await {
            Frame::Binary(bytes) => {
                let message = longwire_protocol::decode(bytes).unwrap();
                if let Ok(FromDevice::Stop(stop)) = FromDevice::try_from(&message) {
                    assert_eq!((stop.error, stop.reason), (true, Some(Ended::Stopped)));
                    told.push(message.sid);
                }
            }
            Frame::Close(frame) => break frame.unwrap(),
            Frame::Text(_) | Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_) => {}
        }
    };
    support::took_at_most(6, since);
    assert_eq!(close.code, 1000.into());
    assert_eq!(told.first().map(String::as_str), Some("d"));
    told.sort();
    assert_eq!(told, ["a", "b", "c", "d"]);
    for pid in pids {
        assert!(support::state_of(&pid).is_none(), "{pid} is still there");
    }
    nobody_connects(&server, Duration::from_millis(300)).await;
    agent.authorise("again", &server);
    server.accept().await;
    agent.end().await;
}

#[tokio::test]
async fn item_44_shells_also_end_when_the_link_is_down() {
    let (agent, server, mut peer) = connected(config()).await;
    peer.open("s").await;
    let pid = peer.make_stubborn("s").await;
    drop(server);
    drop(peer);
    let since = Instant::now();
    agent.publisher.publish(Authorization::Denied);
    eventually("the shell is gone", || support::state_of(&pid).is_none()).await;
    support::took_at_most(6, since);
    agent.end().await;
}

#[tokio::test]
async fn an_auth_service_that_restarts_disturbs_nothing() {
    let (agent, server, mut peer) = connected(config()).await;
    peer.open("s").await;
    agent.publisher.publish(Authorization::Unknown);
    assert_eq!(peer.run("s", "echo still here").await, "still here\n");
    agent.authorise("token", &server);
    assert_eq!(peer.run("s", "echo and here").await, "and here\n");
    agent.end().await;
}

#[tokio::test]
async fn item_45_pings_of_the_server_are_answered_with_their_payload() {
    let (agent, _server, mut peer) = connected(config()).await;
    peer.socket
        .send(Frame::Ping(Bytes::from_static(b"abc")))
        .await
        .unwrap();
    assert_eq!(peer.frame().await, Frame::Pong(Bytes::from_static(b"abc")));
    agent.end().await;
}

#[tokio::test]
async fn item_55_a_message_of_one_mebibyte_is_taken() {
    let (agent, _server, mut peer) = connected(config()).await;
    peer.open("s").await;
    peer.type_in(
        "s",
        "stty raw; echo 'rea''dy'; head -c 1048000 | sha256sum; stty sane
",
    )
    .await;
    peer.output_until("s", "ready").await;
    // Far more than a tty takes: it has to wait in the agent, and arrive whole.
    let body = vec![b'x'; 1_048_000];
    let packed = {
        let mut message = FromUser::Input(Bytes::from(body)).to_message("s");
        message.props.set("user_id", "op");
        longwire_protocol::encode(&message, longwire_protocol::Receiver::Device)
    };
    assert!(packed.len() <= 1 << 20);
    peer.send_raw(packed).await;
    let seen = peer.output_until("s", "  -").await;
    assert!(seen.contains(&sha256_of_x(1_048_000)), "{seen}");
    agent.end().await;
}

/// What `sha256sum` says of so many `x`.
fn sha256_of_x(count: usize) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, &vec![b'x'; count]);
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[tokio::test]
async fn item_55_a_larger_message_closes_the_link_before_it_has_come() {
    let (agent, server, mut peer) = connected(config()).await;
    // The header of a binary frame of 100 MB, and nothing behind it.
    let mut header = vec![0x82, 127];
    header.extend_from_slice(&100_000_000u64.to_be_bytes());
    peer.socket.get_mut().write_all(&header).await.unwrap();
    let frame = peer.closed().await.unwrap();
    assert_eq!(frame.code, 1009.into());
    assert!(frame.reason.contains("too large"), "{}", frame.reason);
    server.accept().await;
    agent.end().await;
}

/// Checks that the output of `seq` up to the word "done" is whole and in order. A prompt may stand
/// before it.
fn assert_counts_to(last: u32, seen: &str) {
    let seen = seen.trim_start_matches(['\r', '\n', '>', ' ']);
    let mut lines = seen.lines();
    for expected in 1..=last {
        assert_eq!(lines.next(), Some(expected.to_string().as_str()));
    }
    assert_eq!(lines.next(), Some("done"));
}

#[tokio::test]
async fn item_55_the_reason_reaches_a_server_that_is_still_sending() {
    let (agent, server, mut peer) = connected(config()).await;
    peer.send_raw(Bytes::from(vec![0; 8 << 20])).await;
    let frame = peer.closed().await.unwrap();
    assert_eq!(frame.code, 1009.into());
    server.accept().await;
    agent.end().await;
}

#[tokio::test]
async fn item_55_output_is_packed_into_messages_of_at_most_64_kib() {
    let (agent, _server, mut peer) = connected(config()).await;
    peer.open("s").await;
    peer.type_in("s", "seq 1 300000; echo 'do''ne'\n").await;
    let mut seen = Vec::new();
    let mut largest = 0;
    while !seen.ends_with(b"done\r\n> ") {
        let bytes = peer.recv_raw().await;
        largest = largest.max(bytes.len());
        let message = longwire_protocol::decode(bytes).unwrap();
        seen.extend_from_slice(&message.body);
    }
    assert!(largest <= 65_536, "{largest}");
    assert!(largest > 4096, "output is not gathered: {largest}");
    assert_counts_to(300_000, &String::from_utf8(seen).unwrap());
    agent.end().await;
}

#[tokio::test]
async fn a_malformed_message_disturbs_no_shell() {
    let (agent, _server, mut peer) = connected(config()).await;
    peer.open("s").await;
    peer.send_raw(Bytes::from_static(b"\x82\xa3hdr\xc1")).await;
    let complaint = peer.recv().await;
    let Ok(Control::Error(error)) = Control::try_from(&complaint) else {
        panic!("no complaint: {complaint:?}");
    };
    assert!(error.err.starts_with("malformed message: "), "{error:?}");
    peer.socket
        .send(Frame::Text("no message".into()))
        .await
        .unwrap();
    assert_eq!(peer.recv().await.proto, proto::CONTROL);
    assert_eq!(peer.run("s", "echo fine").await, "fine\n");
    agent.end().await;
}

#[tokio::test]
async fn control_messages_are_answered_on_the_link() {
    let (agent, _server, mut peer) = connected(config()).await;
    peer.send(&Control::Open { versions: vec![1] }.to_message("ft-1"))
        .await;
    let accept = Control::Accept {
        version: 1,
        protocols: vec![proto::SHELL, proto::MENDER_CLIENT],
    };
    assert_eq!(peer.recv().await, accept.to_message("ft-1"));
    let stat = Message {
        proto: proto::FILE_TRANSFER,
        typ: "stat".into(),
        sid: "ft-1".into(),
        ..Message::default()
    };
    peer.send(&stat).await;
    let Ok(Control::Error(error)) = Control::try_from(&peer.recv().await) else {
        panic!("no error");
    };
    assert_eq!(error.err, "no handler registered for protocol: 0x0002");
    peer.send(&Control::Ping.to_message("ft-1")).await;
    assert_eq!(peer.recv().await, Control::Pong.to_message("ft-1"));
    agent.end().await;
}

#[tokio::test]
async fn the_end_of_the_agent_ends_its_shells_and_says_so() {
    let (agent, _server, mut peer) = connected(config()).await;
    peer.open("s").await;
    let pids = peer.run("s", "trap '' HUP; sleep 1000 & echo $$ $!").await;
    agent.ask_to_end();
    let stop = peer.stopped("s").await;
    assert_eq!((stop.error, stop.reason), (true, Some(Ended::Stopped)));
    assert_eq!(stop.text, "shell stopped: the agent is ending");
    assert_eq!(peer.closed().await.unwrap().code, 1001.into());
    agent.end().await;
    let shell = pids.split_whitespace().next().unwrap();
    assert!(!lives(shell));
    // It has inherited the ignored SIGHUP: as with nohup, it stays.
    let sleep = pids.split_whitespace().nth(1).unwrap();
    assert!(lives(sleep));
    let pid = nix::unistd::Pid::from_raw(sleep.parse().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn what_is_not_held_while_the_link_is_down_waits_in_the_program() {
    let (agent, server, mut peer) = connected(config()).await;
    peer.open("s").await;
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let line = format!(
        "while [ ! -e {0} ]; do sleep 0.02; done; seq 1 200000; echo 'do''ne'\n",
        go.display()
    );
    peer.type_in("s", &line).await;
    peer.all_read().await;
    peer.close(1000, "").await;
    std::fs::write(&go, "").unwrap();
    // The next connection is not answered for a while; the program cannot get far.
    let tcp = server.tcp().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(tcp);
    let mut peer = server.accept().await;
    let seen = peer.output_until("s", "done").await;
    assert_counts_to(200_000, &seen);
    agent.end().await;
}

#[tokio::test]
async fn some_output_is_held_while_the_link_is_down() {
    let (agent, server, mut peer) = connected(config()).await;
    peer.open("s").await;
    let folder = tempfile::tempdir().unwrap();
    let (go, out) = (folder.path().join("go"), folder.path().join("out"));
    let line = format!(
        "while [ ! -e {} ]; do sleep 0.02; done; seq 1 10000; echo 'do''ne'; touch {}\n",
        go.display(),
        out.display()
    );
    peer.type_in("s", &line).await;
    peer.all_read().await;
    peer.close(1000, "").await;
    let tcp = server.tcp().await;
    std::fs::write(&go, "").unwrap();
    eventually("the program is through", || out.exists()).await;
    drop(tcp);
    let mut peer = server.accept().await;
    let seen = peer.output_until("s", "done").await;
    assert_counts_to(10_000, &seen);
    agent.end().await;
}

#[tokio::test]
async fn a_shell_that_ends_while_the_link_is_down_says_so_on_return() {
    let (agent, server, mut peer) = connected(config()).await;
    peer.open("s").await;
    let pid = peer.run("s", "echo $$").await;
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let line = format!(
        "while [ ! -e {} ]; do sleep 0.02; done; echo last words; exit 7\n",
        go.display()
    );
    peer.type_in("s", &line).await;
    peer.all_read().await;
    peer.close(1000, "").await;
    let tcp = server.tcp().await;
    std::fs::write(&go, "").unwrap();
    eventually("the shell is reaped", || support::state_of(&pid).is_none()).await;
    drop(tcp);
    let mut peer = server.accept().await;
    peer.output_until("s", "last words").await;
    let stop = peer.stopped("s").await;
    assert_eq!(
        (stop.reason, stop.exit_status),
        (Some(Ended::Exited), Some(7))
    );
    agent.end().await;
}

#[tokio::test]
async fn item_44_the_end_of_a_shell_that_was_lost_with_its_link_is_said_again() {
    let (agent, server, mut peer) = connected(config()).await;
    peer.open("s").await;
    peer.type_in("s", "exit 3\n").await;
    // The agent has sent it; what became of it then, it cannot know.
    peer.stopped("s").await;
    drop(peer);
    let mut peer = server.accept().await;
    // What a server sends for a session that it believes to be running.
    peer.type_in("s", "").await;
    let stop = peer.stopped("s").await;
    assert_eq!(
        (stop.reason, stop.exit_status),
        (Some(Ended::Exited), Some(3))
    );
    agent.end().await;
}
