//! What happens to a session while there is no link, and what is known of it afterwards.

mod support;

use longwire_agent::config::Config;
use longwire_protocol::shell::{Ended, Winsize};
use support::longwire::Longwire;
use support::{Agent, config, eventually, lives, state_of};

async fn come_back(agent: &Agent, server: &mut Longwire) {
    agent.authorise(&format!("token-{}", server.hellos.len()), &server.server);
    server.accept().await;
}

#[tokio::test]
async fn the_shell_runs_on_until_its_ring_is_full_and_then_its_program_waits() {
    let (agent, mut server) = Longwire::connected(config()).await;
    server.open("s").await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let (go, passed, pid, out) = (file("go"), file("passed"), file("pid"), file("out"));
    let then = format!(
        "seq 1 50000; touch {}; sh -c 'echo $$ > {}; exec seq 50001 300000'; touch {}; echo 'do''ne'",
        passed.display(),
        pid.display(),
        out.display()
    );
    let from = server.known["s"].output.len();
    server.when_file("s", &go, &then).await;
    server.cut();
    std::fs::write(&go, "").unwrap();
    // 290 KB have a place, two megabytes have not.
    eventually("the first part is out", || passed.exists()).await;
    let waits = || state_of(&std::fs::read_to_string(&pid).unwrap_or_default()) == Some('S');
    eventually("the second part waits", waits).await;
    assert!(!out.exists());
    come_back(&agent, &mut server).await;
    server.until_output("s", from, "done\r\n").await;
    let output = String::from_utf8(server.known["s"].output[from..].to_vec()).unwrap();
    let mut lines = output.lines();
    for expected in 1..=300_000 {
        assert_eq!(lines.next(), Some(expected.to_string().as_str()));
    }
    assert!(server.known["s"].gaps.is_empty());
    agent.end().await;
}

#[tokio::test]
async fn a_stop_is_heard_on_return() {
    let (agent, mut server) = Longwire::connected(config()).await;
    server.open("s").await;
    let pid = server.run("s", "echo $$").await;
    server.cut();
    let why = "the device is not accepted any more";
    server.end.stop("s", Some(why.to_owned())).unwrap();
    assert!(lives(&pid));
    come_back(&agent, &mut server).await;
    let stop = server.ended("s").await;
    assert_eq!((stop.error, stop.reason), (true, Some(Ended::Stopped)));
    assert_eq!(stop.text, why);
    assert_eq!(state_of(&pid), None);
    agent.end().await;
}

#[tokio::test]
async fn an_end_and_what_was_said_before_it_are_kept() {
    let (agent, mut server) = Longwire::connected(config()).await;
    let commands = "seq 1 1000; echo last words; exit 7";
    let from = server.ends_while_cut("s", commands).await;
    come_back(&agent, &mut server).await;
    let stop = server.ended("s").await;
    assert_eq!(
        (stop.reason, stop.exit_status),
        (Some(Ended::Exited), Some(7))
    );
    let output = &server.known["s"].output[from..];
    assert!(output.starts_with(b"1\r\n2\r\n"));
    // An interactive shell's own last word.
    assert!(output.ends_with(b"1000\r\nlast words\r\nexit\r\n"));
    // What was acknowledged is forgotten.
    server.all_read().await;
    server.cut();
    come_back(&agent, &mut server).await;
    let held = &server.hellos.last().unwrap().sessions;
    assert!(held.as_ref().unwrap().is_empty(), "{held:?}");
    agent.end().await;
}

#[tokio::test]
async fn last_words_have_a_place_in_a_full_ring() {
    let (agent, mut server) = Longwire::connected(config()).await;
    // More than the ring takes without its place for last words, by less than the kernel does, which may
    // be as little as 8 KiB: the shell never has to wait.
    let commands = "head -c 510000 /dev/zero | tr '\\0' y; exit 7";
    let from = server.ends_while_cut("s", commands).await;
    come_back(&agent, &mut server).await;
    assert_eq!(server.ended("s").await.exit_status, Some(7));
    let output = &server.known["s"].output[from..];
    let count = output.iter().filter(|byte| **byte == b'y').count();
    assert_eq!((count, &server.known["s"].gaps), (510_000, &vec![]));
    agent.end().await;
}

#[tokio::test]
async fn of_many_that_ended_the_last_sixteen_keep_their_words_and_all_their_end() {
    let many = Config {
        max_shells: 19,
        max_per_user: 19,
        ..config()
    };
    let (agent, mut server) = Longwire::connected(many).await;
    let folder = tempfile::tempdir().unwrap();
    let mut pids = Vec::new();
    for n in 0..19 {
        let sid = format!("s{n:02}");
        server.open(&sid).await;
        pids.push(server.run(&sid, "echo $$").await);
        let go = folder.path().join(n.to_string());
        server
            .when_file(&sid, &go, &format!("echo last words; exit {n}"))
            .await;
    }
    server.cut();
    for (n, pid) in pids.iter().enumerate() {
        std::fs::write(folder.path().join(n.to_string()), "").unwrap();
        eventually("the shell is reaped", || state_of(pid).is_none()).await;
    }
    // They hold no slots.
    server.ask_for("next", "op", None);
    come_back(&agent, &mut server).await;
    server
        .until("another shell", |server| server.known["next"].started)
        .await;
    for n in 0..19 {
        let sid = format!("s{n:02}");
        assert_eq!(server.ended(&sid).await.exit_status, Some(n));
        let known = &server.known[&sid];
        let has_words = known.output.ends_with(b"last words\r\nexit\r\n");
        assert_eq!(
            (has_words, known.gaps.len()),
            (n >= 3, usize::from(n < 3)),
            "{sid}"
        );
    }
    agent.end().await;
}

#[tokio::test]
async fn an_ended_shell_that_is_not_recorded_yet_holds_no_slot() {
    let one = Config {
        max_shells: 1,
        max_per_user: 1,
        ..config()
    };
    let (agent, mut server) = Longwire::connected(one).await;
    server.open("s").await;
    server.records = false;
    server.type_in("s", b"exit 5\n");
    server.ended("s").await;
    server.ask_for("t", "op", None);
    server
        .until("another shell", |server| server.known["t"].started)
        .await;
    // Said again on every link, until it is safe.
    server.known.get_mut("s").unwrap().end = None;
    server.cut();
    come_back(&agent, &mut server).await;
    assert!(server.hellos[1].sessions.as_ref().unwrap().contains("s"));
    let all = server.known["s"].output.len() as u64;
    server.end.recorded("s", all).unwrap();
    server.end.end_recorded("s").unwrap();
    server.records = true;
    let all = server.known["t"].output.len() as u64;
    server.end.recorded("t", all).unwrap();
    server.all_read().await;
    server.cut();
    come_back(&agent, &mut server).await;
    let held: Vec<_> = server.hellos[2]
        .sessions
        .iter()
        .flatten()
        .cloned()
        .collect();
    assert_eq!(held, ["t"]);
    agent.end().await;
}

#[tokio::test]
async fn the_size_of_whoever_comes_back_counts() {
    let (agent, mut server) = Longwire::connected(config()).await;
    server.open("s").await;
    server.cut();
    server
        .end
        .resize("s", Winsize::new(10, 20).unwrap())
        .unwrap();
    come_back(&agent, &mut server).await;
    server
        .until("the size", |server| {
            server.known["s"].sizes.last().unwrap().1 == Winsize::new(10, 20).unwrap()
        })
        .await;
    assert_eq!(server.run("s", "stty size").await, "10 20\n");
    agent.end().await;
}
