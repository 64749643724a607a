//! Sessions that outlive their links: what comes over, and what becomes of it when the link is lost.

mod support;

use std::time::Duration;

use longwire_agent::config::Config;
use longwire_agent::identity::Authorization;
use longwire_protocol::shell::{Ended, Winsize};
use longwire_protocol::{Message, proto};
use support::longwire::Longwire;
use support::{Agent, config, connected, eventually, lives, state_of};

#[tokio::test]
async fn a_shell_is_opened_typed_into_resized_and_ended() {
    let (agent, mut server) = Longwire::connected(config()).await;
    server.open("s").await;
    assert_eq!(server.run("s", "echo hello").await, "hello\n");
    server
        .end
        .resize("s", Winsize::new(50, 132).unwrap())
        .unwrap();
    server
        .until("the size", |server| server.known["s"].sizes.len() == 2)
        .await;
    assert_eq!(server.run("s", "stty size").await, "50 132\n");
    let sizes = &server.known["s"].sizes;
    assert_eq!(sizes[0], (0, Winsize::new(40, 80).unwrap()));
    assert_eq!(sizes[1].1, Winsize::new(50, 132).unwrap());
    server.type_in("s", b"exit 3\n");
    let stop = server.ended("s").await;
    assert_eq!(
        (stop.reason, stop.exit_status),
        (Some(Ended::Exited), Some(3))
    );
    assert!(server.known["s"].times_ms.is_sorted());
    agent.end().await;
}

#[tokio::test]
async fn refusals_have_the_words_users_know() {
    let limited = Config {
        max_per_user: 1,
        max_shells: 2,
        ..config()
    };
    let (agent, mut server) = Longwire::connected(limited).await;
    server.open("a").await;
    for (sid, user, why) in [
        ("b", "op", "user has too many open sessions"),
        ("c", "other", ""),
        ("d", "third", "too many shells spawned"),
    ] {
        server.ask_for(sid, user, None);
        server
            .until("an answer", |server| {
                let known = &server.known[sid];
                known.started || known.refused.is_some()
            })
            .await;
        assert_eq!(server.known[sid].refused.as_deref().unwrap_or(""), why);
    }
    assert_eq!(
        server.known["c"].sizes[0],
        (0, Winsize::new(40, 80).unwrap())
    );
    agent.end().await;
}

/// Makes numbers that differ from run to run of the loop and not from run to run of the test.
fn numbers(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state >> 33
    }
}

#[tokio::test]
async fn a_flood_both_ways_survives_cut_links_byte_for_byte() {
    let (agent, mut server) = Longwire::connected(config()).await;
    server.open("s").await;
    let folder = tempfile::tempdir().unwrap();
    let typed = folder.path().join("typed");
    let mut number = numbers(7);
    let input: Vec<u8> = (0..200_000).map(|_| number() as u8).collect();
    // The terminal changes nothing, in either direction.
    let line = format!(
        "stty raw; echo 're''ady'; seq 1 300000 & head -c {} > {}; wait; echo 'do''ne'; stty sane\n",
        input.len(),
        typed.display()
    );
    let from = server.known["s"].output.len();
    server.type_in("s", line.as_bytes());
    server.until_output("s", from, "ready\n").await;
    server.type_in("s", &input);
    for cut in 0..25 {
        let more = server.known["s"].output.len() + number() as usize % 120_000;
        let is_done = |output: &[u8]| {
            let last = &output[output.len().saturating_sub(20)..];
            last.windows(4).any(|window| window == b"done")
        };
        while server.known["s"].output.len() < more
            && !is_done(&server.known["s"].output)
            && server.step().await
        {}
        server.cut();
        // Other credentials are worth a try at once.
        agent.authorise(&format!("token-{cut}"), &server.server);
        server.accept().await;
    }
    server.until_output("s", from, "done\n").await;
    let known = &server.known["s"];
    assert_eq!((&known.gaps, known.dropped), (&vec![], 0));
    let output = String::from_utf8(known.output[from..].to_vec()).unwrap();
    let output = output.split_once("ready\n").unwrap().1;
    let mut lines = output.lines().filter(|line| !line.contains(['[', 'd']));
    for expected in 1..=300_000 {
        assert_eq!(lines.next(), Some(expected.to_string().as_str()));
    }
    assert!(std::fs::read(&typed).unwrap() == input, "input differs");
    agent.end().await;
}

#[tokio::test]
async fn ctrl_c_takes_effect_while_no_output_is_taken() {
    let (agent, mut server) = Longwire::connected(config()).await;
    server.open("s").await;
    let pid = server.flood("s").await;
    // From now on nothing is acknowledged: what the agent may keep fills up, and the program waits.
    server.records = false;
    server
        .until("yes waits", |_| state_of(&pid) == Some('S'))
        .await;
    let before = server.known["s"].output.len();
    server.type_in("s", b"\x03");
    server.until("yes is gone", |_| !lives(&pid)).await;
    assert!(server.known["s"].output.len() <= before + (1 << 20));
    server.records = true;
    let all = server.known["s"].output.len() as u64;
    server.end.recorded("s", all).unwrap();
    assert_eq!(
        server.run("s", "echo; echo quiet").await.lines().last(),
        Some("quiet")
    );
    assert_eq!(server.known["s"].dropped, 0, "nothing was typed in vain");
    agent.end().await;
}

#[tokio::test]
async fn ctrl_c_passes_input_that_nobody_reads() {
    let (agent, mut server) = Longwire::connected(config()).await;
    server.open("s").await;
    // Within the window, and beyond it.
    for amount in [30_000, 110_000] {
        let from = server.known["s"].output.len();
        let pid = server.foreground("s", "sleep 1000").await;
        server.type_in("s", &b"junk\n".repeat(amount / 5));
        server.type_in("s", b"\x03");
        let dropped = server.known["s"].dropped;
        server.until("sleep is gone", |_| !lives(&pid)).await;
        server
            .until("it is said how much is lost", |server| {
                server.known["s"].dropped > dropped
            })
            .await;
        let lost = server.known["s"].dropped - dropped;
        assert!((1..amount as u64).contains(&lost), "{lost}");
        // Nothing of it is left to be taken for commands.
        assert_eq!(
            server.run("s", "echo; echo quiet").await.lines().last(),
            Some("quiet")
        );
        let seen = String::from_utf8_lossy(&server.known["s"].output[from..]).into_owned();
        assert!(!seen.contains("junk"), "{seen}");
    }
    agent.end().await;
}

#[tokio::test]
async fn an_interrupt_key_of_a_raw_terminal_is_a_byte_like_any_other() {
    let (agent, mut server) = Longwire::connected(config()).await;
    server.open("s").await;
    let folder = tempfile::tempdir().unwrap();
    let (go, typed) = (folder.path().join("go"), folder.path().join("typed"));
    let line = format!(
        "stty raw; echo 're''ady'; while [ ! -e {} ]; do sleep 0.02; done; head -c 50001 > {}; \
         stty sane; echo 'do''ne'\n",
        go.display(),
        typed.display()
    );
    let from = server.known["s"].output.len();
    server.type_in("s", line.as_bytes());
    server.until_output("s", from, "ready").await;
    let mut input = vec![b'x'; 50_000];
    input.push(3);
    server.type_in("s", &input);
    let applied = server.known["s"].applied;
    server
        .until("the terminal is full", |server| {
            server.known["s"].applied > applied
        })
        .await;
    std::fs::write(&go, "").unwrap();
    server.until_output("s", from, "done").await;
    assert!(std::fs::read(&typed).unwrap() == input);
    assert_eq!(server.known["s"].dropped, 0);
    agent.end().await;
}

#[tokio::test]
async fn a_new_controller_is_not_preceded_by_what_the_old_one_typed() {
    let (agent, mut server) = Longwire::connected(config()).await;
    server.open("s").await;
    let from = server.known["s"].output.len();
    server.type_in(
        "s",
        b"stty raw; echo 're''ady'; sleep 1; stty sane; cat > /dev/null; echo 'do''ne'\n",
    );
    server.until_output("s", from, "ready").await;
    server.type_in("s", &b"old\n".repeat(20_000));
    let applied = server.known["s"].applied;
    server
        .until("some has been taken", |server| {
            server.known["s"].applied > applied
        })
        .await;
    server.known.get_mut("s").unwrap().to_type.clear();
    server.end.begin_epoch("s", 2).unwrap();
    server
        .until("the epoch", |server| server.known["s"].epoch == 2)
        .await;
    server.type_in("s", b"\n\x04");
    server.until_output("s", from, "done").await;
    assert!(
        server.known["s"].applied < 30_000,
        "{}",
        server.known["s"].applied
    );
    assert_eq!(
        server.run("s", "echo; echo mine").await.lines().last(),
        Some("mine")
    );
    agent.end().await;
}

#[tokio::test]
async fn a_flood_leaves_the_other_session_its_turn() {
    let (agent, mut server) = Longwire::connected(config()).await;
    server.open("flood").await;
    server.open("other").await;
    server.flood("flood").await;
    let begun = server.known["flood"].output.len();
    for _ in 0..50 {
        assert_eq!(server.run("other", "echo; echo here").await, "\nhere\n");
    }
    let flooded = server.known["flood"].output.len() - begun;
    assert!(
        flooded < 50 * (4 << 20),
        "{flooded} bytes of the flood came first"
    );
    server.type_in("flood", b"\x03");
    let quiet = server.run("flood", "echo; echo quiet").await;
    assert_eq!(quiet.lines().last(), Some("quiet"));
    agent.end().await;
}

#[tokio::test]
async fn an_empty_token_closes_the_link_and_ends_no_session() {
    let (agent, mut server) = Longwire::connected(config()).await;
    server.open("s").await;
    let pid = server.run("s", "kept=yes; echo $$").await;
    agent.publisher.publish(Authorization::Denied);
    let close = server.peer().closed().await.unwrap();
    assert_eq!(close.code, 1000.into());
    server.cut();
    agent.authorise("again", &server.server);
    server.accept().await;
    assert_eq!(server.run("s", "echo $kept $$").await, format!("yes {pid}"));
    agent.end().await;
}

#[tokio::test]
async fn a_server_that_breaks_a_rule_loses_the_link_and_nothing_else() {
    let (agent, mut server) = Longwire::connected(config()).await;
    server.open("s").await;
    let ahead = Message {
        proto: proto::SHELL,
        typ: "ack".to_owned(),
        sid: "s".to_owned(),
        ..Message::default()
    };
    server.peer().send(&ahead).await;
    let said = loop {
        let message = server.peer().recv().await;
        if message.proto == proto::CONTROL && message.typ == "error" {
            break String::from_utf8_lossy(&message.body).into_owned();
        }
    };
    assert!(said.contains("missing or malformed offset"), "{said}");
    assert_eq!(server.peer().closed().await.unwrap().code, 1002.into());
    server.cut();
    server.accept().await;
    assert_eq!(server.run("s", "echo here").await, "here\n");
    agent.end().await;
}

#[tokio::test]
async fn the_end_of_the_agent_is_told_of_every_session() {
    let (agent, mut server) = Longwire::connected(config()).await;
    server.open("s").await;
    let pid = server.run("s", "echo $$").await;
    agent.ask_to_end();
    let stop = server.ended("s").await;
    assert_eq!(stop.reason, Some(Ended::Stopped));
    assert_eq!(stop.text, "shell stopped: the agent is ending");
    while server.step().await {}
    agent.end().await;
    assert!(!lives(&pid));
}

#[tokio::test]
async fn a_restarted_agent_is_another_instance_and_has_no_session() {
    let (agent, mut server) = Longwire::connected(config()).await;
    server.open("s").await;
    server.cut();
    agent.end().await;
    let agent = Agent::start(config());
    agent.authorise("token", &server.server);
    server.accept().await;
    let instances: Vec<_> = server.hellos.iter().map(|hello| &hello.instance).collect();
    assert_ne!(instances[0], instances[1]);
    assert_eq!(instances[0].len(), 32);
    assert!(server.hellos[1].sessions.as_ref().unwrap().is_empty());
    assert!(server.known["s"].lost);
    agent.end().await;
}

#[tokio::test]
async fn what_a_server_does_not_know_is_ended_and_forgotten() {
    let (agent, mut server) = Longwire::connected(config()).await;
    server.open("s").await;
    let pid = server.run("s", "echo $$").await;
    server.cut();
    server.end.leave("s");
    agent.authorise("other", &server.server);
    server.accept().await;
    assert_eq!(server.strangers, ["s"]);
    server.all_read().await;
    eventually("its shell is gone", || state_of(&pid).is_none()).await;
    // Nobody waits for its end.
    server.cut();
    agent.authorise("third", &server.server);
    server.accept().await;
    assert!(server.hellos[2].sessions.as_ref().unwrap().is_empty());
    agent.end().await;
}

#[tokio::test]
async fn a_shell_of_a_plain_link_has_no_place_on_the_stream() {
    let (agent, plain, mut peer) = connected(config()).await;
    peer.open("p").await;
    let pid = peer.run("p", "echo $$").await;
    let mut server = Longwire::start().await;
    agent.authorise("other", &server.server);
    server.accept().await;
    assert!(server.hellos[0].sessions.as_ref().unwrap().is_empty());
    server.open("s").await;
    server
        .until("its shell is gone", |_| state_of(&pid).is_none())
        .await;
    // And the other way round it waits.
    agent.authorise("third", &plain);
    let mut peer = plain.accept().await;
    peer.open("q").await;
    server.cut();
    agent.authorise("fourth", &server.server);
    server.accept().await;
    assert_eq!(server.run("s", "echo here").await, "here\n");
    agent.end().await;
}

#[tokio::test]
async fn an_idle_shell_is_announced_to_end_until_somebody_types() {
    let idle = Config {
        expire_after_idle: Some(Duration::from_secs(4)),
        ..config()
    };
    let (agent, mut server) = Longwire::connected(idle).await;
    server.open("s").await;
    let kinds = |server: &Longwire| -> Vec<String> {
        let kind = |notice: &Message| notice.props.get_str("kind").unwrap().to_owned();
        server.others.iter().map(kind).collect()
    };
    server
        .until("a warning", |server| kinds(server) == ["idle"])
        .await;
    let warning = &server.others[0];
    assert_eq!(
        (warning.typ.as_str(), warning.sid.as_str()),
        ("notice", "s")
    );
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_millis() as i64;
    let ends_in = warning.props.get_int("ends_at").unwrap() - now;
    assert!((0..=4000).contains(&ends_in), "{ends_in}");
    server.type_in("s", b"#\n");
    server
        .until("it is taken back", |server| {
            kinds(server) == ["idle", "idle_over"]
        })
        .await;
    // The next one is said again to whoever comes back.
    server
        .until("a warning", |server| kinds(server).len() == 3)
        .await;
    server.cut();
    agent.authorise("other", &server.server);
    server.accept().await;
    let stop = server.ended("s").await;
    assert_eq!(stop.reason, Some(Ended::Idle));
    assert_eq!(kinds(&server), ["idle", "idle_over", "idle", "idle"]);
    agent.end().await;
}
