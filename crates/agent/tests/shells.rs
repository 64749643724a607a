//! What a shell is given, how it lives, and how it ends.

mod support;

use std::time::{Duration, Instant};

use bytes::Bytes;
use longwire_agent::config::Config;
use longwire_protocol::shell::{Ended, FromDevice, FromUser, Stop, Winsize};
use longwire_protocol::{Message, proto};
use support::{config, connected, eventually, lives, state_of};

fn hex(text: &str) -> Vec<u8> {
    let nibbles: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    nibbles
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |byte, nibble| byte << 4 | nibble))
        .collect()
}

#[tokio::test]
async fn item_42_answers_are_byte_for_byte_those_of_real_agents() {
    let (agent, _server, mut peer) = connected(Config {
        max_per_user: 1,
        ..config()
    })
    .await;
    // A real CLI's request: 80x40, no session id of its own but the server's.
    peer.say(
        "sid-b",
        "u",
        &FromUser::New {
            size: Winsize::new(40, 80),
        },
    )
    .await;
    assert_eq!(
        peer.recv_raw().await,
        hex(
            "82a368647284a570726f746fcd0001a3747970a36e6577a3736964a57369642d62a570726f707381\
             a673746174757301a4626f6479c40d5368656c6c2073746172746564"
        )
    );
    peer.say("sid-c", "u", &FromUser::New { size: None }).await;
    let refused = loop {
        let bytes = peer.recv_raw().await;
        if longwire_protocol::decode(bytes.clone()).unwrap().sid == "sid-c" {
            break bytes;
        }
    };
    assert_eq!(
        refused,
        hex(
            "82a368647284a570726f746fcd0001a3747970a36e6577a3736964a57369642d63a570726f707381\
             a673746174757302a4626f6479c41f757365722068617320746f6f206d616e79206f70656e207365\
             7373696f6e73"
        )
    );
    agent.end().await;
}

#[tokio::test]
async fn item_46_the_error_texts_are_those_users_know() {
    let (agent, _server, mut peer) = connected(config()).await;
    let stop = |text: &str| {
        FromDevice::Stop(Stop {
            error: true,
            text: text.into(),
            ..Stop::default()
        })
    };
    let failed = |typ: &str, text: &str| FromDevice::Failed {
        typ: typ.into(),
        text: text.into(),
    };

    peer.say("no", "u", &FromUser::Input(Bytes::from_static(b"x")))
        .await;
    assert_eq!(
        peer.answer("no").await,
        FromDevice::InputFailed("session not found".into())
    );
    peer.say("no", "u", &FromUser::Stop { error: None }).await;
    let text = "routeMessage: StopShellMessage: session not found for id no";
    assert_eq!(peer.answer("no").await, stop(text));
    peer.say("", "", &FromUser::Stop { error: None }).await;
    let text = "StopShellMessage: sessionId not given and userId empty";
    assert_eq!(peer.answer("").await, stop(text));
    peer.say("", "stranger", &FromUser::Stop { error: None })
        .await;
    assert_eq!(peer.answer("").await, stop("session not found"));
    for typ in ["ping", "dance"] {
        let message = Message {
            proto: proto::SHELL,
            typ: typ.into(),
            sid: "x".into(),
            ..Message::default()
        };
        peer.send(&message).await;
        let text = format!("unknown message protocol and type: 1/{typ}");
        assert_eq!(peer.answer("x").await, failed(typ, &text));
    }
    agent.end().await;
}

#[tokio::test]
async fn item_46_a_disabled_terminal_understands_no_shell_message() {
    let (agent, _server, mut peer) = connected(Config {
        terminal_disabled: true,
        ..config()
    })
    .await;
    let refused = peer.new_shell("s", "u").await;
    let text = "unknown message protocol and type: 1/new";
    assert_eq!(refused, FromDevice::Refused(text.into()));
    agent.end().await;
}

#[tokio::test]
async fn item_47_a_session_has_one_shell() {
    let (agent, _server, mut peer) = connected(config()).await;
    peer.open("s").await;
    let text = "failed to start shell: shell is already running";
    assert_eq!(
        peer.new_shell("s", "op").await,
        FromDevice::Refused(text.into())
    );
    assert_eq!(peer.run("s", "echo unharmed").await, "unharmed\n");
    agent.end().await;
}

#[tokio::test]
async fn item_47_the_limits_are_told_apart() {
    let (agent, _server, mut peer) = connected(Config {
        max_per_user: 9,
        ..config()
    })
    .await;
    for n in 0..9 {
        assert_eq!(
            peer.new_shell(&format!("a{n}"), "alice").await,
            FromDevice::Started
        );
    }
    let per_user = FromDevice::Refused("user has too many open sessions".into());
    assert_eq!(peer.new_shell("a9", "alice").await, per_user);
    for n in 0..7 {
        assert_eq!(
            peer.new_shell(&format!("b{n}"), "bob").await,
            FromDevice::Started
        );
    }
    let total = FromDevice::Refused("too many shells spawned".into());
    assert_eq!(peer.new_shell("b7", "bob").await, total);
    peer.say("a0", "alice", &FromUser::Stop { error: None })
        .await;
    peer.stopped("a0").await;
    assert_eq!(peer.new_shell("b7", "bob").await, FromDevice::Started);
    agent.end().await;
}

#[tokio::test]
async fn item_47_a_failed_start_frees_the_slot() {
    let bad = Config {
        shell_command: "/nonexistent/shell".into(),
        max_per_user: 1,
        max_shells: 1,
        ..config()
    };
    let (agent, _server, mut peer) = connected(bad).await;
    for _ in 0..3 {
        let FromDevice::Refused(text) = peer.new_shell("s", "u").await else {
            panic!("it cannot start");
        };
        assert!(
            text.starts_with("failed to start shell: /nonexistent/shell: No such"),
            "{text}"
        );
    }
    agent.end().await;
}

#[tokio::test]
async fn item_48_a_login_has_its_environment_and_home() {
    let user = support::own_user();
    let (agent, _server, mut peer) = connected(config()).await;
    peer.open("s").await;
    let env = peer.run("s", "env").await;
    for line in [
        format!("HOME={}", user.home.display()),
        format!("USER={}", user.name),
        format!("LOGNAME={}", user.name),
        "SHELL=/bin/bash".into(),
        "TERM=xterm-256color".into(),
    ] {
        assert!(env.lines().any(|have| have == line), "no {line} in {env}");
    }
    assert!(
        env.contains("\nPATH=/") || env.starts_with("PATH=/"),
        "{env}"
    );
    assert!(env.to_lowercase().contains("utf-8"), "{env}");
    assert!(
        !env.contains("CARGO"),
        "the agent's own environment leaks: {env}"
    );
    assert_eq!(
        peer.run("s", "pwd").await.trim(),
        user.home.display().to_string()
    );
    agent.end().await;
}

#[tokio::test]
async fn item_48_a_missing_home_is_no_obstacle() {
    let mut config = config();
    config.user.home = "/nonexistent/home".into();
    let (agent, _server, mut peer) = connected(config).await;
    peer.open("s").await;
    assert_eq!(peer.run("s", "pwd").await, "/\n");
    agent.end().await;
}

#[tokio::test]
async fn item_48_a_shell_runs_as_the_configured_user() {
    // Somebody else when the tests may become somebody else, with a supplementary group.
    let mut config = config();
    if nix::unistd::geteuid().is_root() {
        let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
        config.user = support::user(nobody);
        config.user.groups.push(4);
    }
    let user = config.user.clone();
    let (agent, _server, mut peer) = connected(config).await;
    peer.open("s").await;
    let mut groups = user.groups.clone();
    groups.sort_unstable();
    groups.dedup();
    assert_eq!(
        peer.run("s", "id -u; id -g").await,
        format!("{}\n{}\n", user.uid, user.gid)
    );
    let mut have: Vec<u32> = peer
        .run("s", "id -G")
        .await
        .split_whitespace()
        .map(|group| group.parse().unwrap())
        .collect();
    have.sort_unstable();
    assert_eq!(have, groups);
    // The terminal is theirs: programs open it again by its name.
    let owner = peer
        .run("s", "stat -c %u $(tty); true > $(tty) && echo mine")
        .await;
    assert_eq!(owner, format!("{}\nmine\n", user.uid));
    agent.end().await;
}

#[tokio::test]
async fn a_shell_starts_clean() {
    // A descriptor that is not close-on-exec, as a service manager may hand it to the agent.
    let leak = nix::unistd::dup(std::io::stdin()).unwrap();
    nix::fcntl::fcntl(&leak, nix::fcntl::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
    // And a signal that is blocked where the agent runs.
    nix::sys::signal::SigSet::from(nix::sys::signal::Signal::SIGUSR1)
        .thread_block()
        .unwrap();
    let (agent, _server, mut peer) = connected(config()).await;
    peer.open("s").await;
    // Standard ones and the folder itself.
    assert_eq!(
        peer.run("s", "ls -1 /proc/self/fd").await,
        "0
1
2
3
"
    );
    let signals = peer
        .run("s", "/bin/grep -E 'Sig(Blk|Ign)' /proc/self/status")
        .await;
    assert_eq!(signals.matches("0000000000000000").count(), 2, "{signals}");
    // Leader of its own session and process group, and the terminal is its controlling one.
    let ids = "read -r pid _ _ _ pgrp session _ < /proc/$$/stat; \
               [ $$ = $pid ] && [ $$ = $pgrp ] && [ $$ = $session ] && echo leader";
    assert_eq!(peer.run("s", ids).await, "leader\n");
    assert_eq!(
        peer.run("s", ": < /dev/tty && echo controls").await,
        "controls\n"
    );
    assert_eq!(peer.run("s", "umask").await, "0022\n");
    agent.end().await;
}

#[tokio::test]
async fn a_login_shell_is_told_by_a_dash() {
    let login = Config {
        login_shell: true,
        // Nobody's own start-up files, which may do anything and take any time.
        shell_arguments: vec!["--noprofile".to_owned()],
        ..config()
    };
    let (agent, _server, mut peer) = connected(login).await;
    assert_eq!(peer.new_shell("s", "op").await, FromDevice::Started);
    peer.type_in("s", "echo \"<$0>\"\n").await;
    peer.output_until("s", "<-bash>").await;
    agent.end().await;
}

#[tokio::test]
async fn the_size_is_right_at_once_and_follows() {
    let (agent, _server, mut peer) = connected(Config {
        width: 101,
        height: 33,
        ..config()
    })
    .await;
    peer.say("d", "op", &FromUser::New { size: None }).await;
    assert_eq!(peer.answer("d").await, FromDevice::Started);
    peer.type_in("d", "stty size\n").await;
    peer.output_until("d", "33 101").await;
    peer.open("s").await;
    assert_eq!(peer.run("s", "stty size").await, "40 80\n");
    peer.run("s", "trap 'echo \"now $(stty size)\"' WINCH")
        .await;
    peer.say("s", "op", &FromUser::Resize(Winsize::new(50, 132).unwrap()))
        .await;
    peer.type_in("s", "\n").await;
    peer.output_until("s", "now 50 132").await;
    // A size that is none is not answered and changes nothing.
    let mut none = FromUser::Resize(Winsize::new(1, 1).unwrap()).to_message("s");
    none.props.set("terminal_height", 0);
    peer.send(&none).await;
    assert_eq!(peer.run("s", "stty size").await, "50 132\n");
    agent.end().await;
}

#[tokio::test]
async fn signals_and_job_control_work() {
    let (agent, _server, mut peer) = connected(config()).await;
    peer.open("s").await;
    // What the job repeats proves that it has the terminal: a key typed before is the shell's.
    peer.type_in("s", "cat\nbefore\n").await;
    peer.output_until("s", "before").await;
    peer.type_in("s", "\x1a").await;
    peer.output_until("s", "Stopped").await;
    assert!(peer.run("s", "jobs").await.contains("cat"));
    peer.type_in("s", "fg\nafter\n").await;
    peer.output_until("s", "after").await;
    peer.type_in("s", "\x03").await;
    // The shell, too, drops what was typed before it has taken note.
    peer.output_until("s", "> ").await;
    let status = peer.run("s", "echo \"status $?\"").await;
    assert!(status.contains("status 130\n"), "{status}");
    assert_eq!(peer.run("s", "jobs").await, "");
    agent.end().await;
}

#[tokio::test]
async fn utf8_passes_whole_in_both_directions() {
    let (agent, _server, mut peer) = connected(config()).await;
    peer.open("s").await;
    assert_eq!(
        peer.run("s", "echo 'grüße 中文 🎉'").await,
        "grüße 中文 🎉\n"
    );
    agent.end().await;
}

#[tokio::test]
async fn the_end_is_when_the_shell_has_ended() {
    let (agent, _server, mut peer) = connected(config()).await;
    peer.open("s").await;
    let job = peer.run("s", "sleep 1000 & echo $!").await;
    let job = job.lines().last().unwrap().to_owned();
    let since = Instant::now();
    peer.type_in("s", "echo last words; exit 3\n").await;
    peer.output_until("s", "last words").await;
    let stop = peer.stopped("s").await;
    support::took_at_most(3, since);
    assert_eq!(
        (stop.reason, stop.exit_status),
        (Some(Ended::Exited), Some(3))
    );
    assert!(stop.error);
    assert_eq!(stop.text, "shell exited with status 3");
    // As with ssh, a background job outlives the shell that was left.
    assert!(lives(&job));
    let pid = nix::unistd::Pid::from_raw(job.parse().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    // User ends send a stop then; it is answered as real agents do.
    peer.say("s", "op", &FromUser::Stop { error: None }).await;
    assert!(!peer.stopped("s").await.error);
    agent.end().await;
}

#[tokio::test]
async fn a_shell_that_ends_at_once_has_started_first() {
    let (agent, _server, mut peer) = connected(Config {
        shell_command: "/bin/true".into(),
        ..config()
    })
    .await;
    for n in 0..30 {
        let sid = n.to_string();
        assert_eq!(peer.new_shell(&sid, "op").await, FromDevice::Started);
        let stop = peer.stopped(&sid).await;
        assert_eq!(
            (stop.reason, stop.exit_status),
            (Some(Ended::Exited), Some(0))
        );
    }
    agent.end().await;
}

#[tokio::test]
async fn the_last_words_of_a_shell_are_never_lost() {
    let (agent, _server, mut peer) = connected(Config {
        shell_command: "/bin/sh".into(),
        shell_arguments: vec![
            "-c".into(),
            "echo 1; sleep 0.01; echo 2; echo last words".into(),
        ],
        ..config()
    })
    .await;
    for n in 0..100 {
        let sid = n.to_string();
        assert_eq!(peer.new_shell(&sid, "op").await, FromDevice::Started);
        peer.output_until(&sid, "last words").await;
        assert_eq!(peer.stopped(&sid).await.exit_status, Some(0));
    }
    agent.end().await;
}

#[tokio::test]
async fn input_that_crosses_the_end_of_its_shell_is_no_complaint() {
    let (agent, _server, mut peer) = connected(config()).await;
    for n in 0..10 {
        let sid = n.to_string();
        peer.open(&sid).await;
        // As a script does: the command, and an end-of-file behind it.
        peer.type_in(&sid, "exit 4\n").await;
        for _ in 0..20 {
            peer.type_in(&sid, "\x04").await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let stop = peer.stopped(&sid).await;
        assert_eq!(
            (stop.reason, stop.exit_status),
            (Some(Ended::Exited), Some(4))
        );
        peer.all_read().await;
    }
    agent.end().await;
}

#[tokio::test]
async fn a_background_flood_does_not_keep_the_session() {
    let (agent, _server, mut peer) = connected(config()).await;
    peer.open("s").await;
    peer.type_in("s", "(trap '' HUP; while echo flood; do :; done) & exit\n")
        .await;
    let stop = peer.stopped("s").await;
    assert_eq!(
        (stop.reason, stop.exit_status),
        (Some(Ended::Exited), Some(0))
    );
    agent.end().await;
}

#[tokio::test]
async fn a_shell_killed_by_a_signal_says_which() {
    let (agent, _server, mut peer) = connected(config()).await;
    peer.open("s").await;
    peer.type_in("s", "kill -KILL $$\n").await;
    let stop = peer.stopped("s").await;
    assert_eq!(
        (stop.reason, stop.exit_status),
        (Some(Ended::Signaled), None)
    );
    assert_eq!(stop.text, "shell killed by SIGKILL");
    agent.end().await;
}

#[tokio::test]
async fn item_49_a_stop_is_answered_with_status_1_and_frees_the_slot() {
    let (agent, _server, mut peer) = connected(Config {
        max_per_user: 1,
        ..config()
    })
    .await;
    for sid in ["a", "b", "c"] {
        peer.open(sid).await;
        let pid = peer.run(sid, "echo $$").await;
        let since = Instant::now();
        peer.say(sid, "op", &FromUser::Stop { error: None }).await;
        let stop = peer.stopped(sid).await;
        support::took_at_most(3, since);
        assert_eq!((stop.error, stop.reason), (false, Some(Ended::Stopped)));
        assert_eq!(state_of(&pid), None, "the shell is not reaped");
    }
    agent.end().await;
}

#[tokio::test]
async fn item_49_nothing_waits_for_a_shell_that_will_not_end() {
    let (agent, _server, mut peer) = connected(config()).await;
    peer.open("stubborn").await;
    let pid = peer.make_stubborn("stubborn").await;
    peer.open("other").await;
    let since = Instant::now();
    peer.say("stubborn", "op", &FromUser::Stop { error: None })
        .await;
    let mut slowest = Duration::ZERO;
    let mut echoes = 0;
    let stop = loop {
        let sent = Instant::now();
        peer.type_in("other", "echo e''cho\n").await;
        let mut seen = String::new();
        let mut stop = None;
        while !seen.contains("echo") {
            let message = peer.recv().await;
            match FromDevice::try_from(&message).unwrap() {
                FromDevice::Output(bytes) => seen.push_str(&String::from_utf8_lossy(&bytes)),
                FromDevice::Stop(ended) => stop = Some(ended),
                FromDevice::Started
                | FromDevice::Refused(_)
                | FromDevice::InputFailed(_)
                | FromDevice::Ping { .. }
                | FromDevice::Failed { .. }
                | FromDevice::Delay { .. }
                | FromDevice::Resize(_) => panic!("{message:?}"),
            }
        }
        slowest = slowest.max(sent.elapsed());
        echoes += 1;
        if let Some(stop) = stop {
            break stop;
        }
    };
    assert!(!stop.error);
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    assert!(echoes > 2, "{echoes}");
    support::took_at_most(6, since);
    assert_eq!(state_of(&pid), None);
    agent.end().await;
}

#[tokio::test]
async fn stopping_ends_the_whole_session_but_not_what_detached_itself() {
    let (agent, _server, mut peer) = connected(config()).await;
    peer.open("s").await;
    // Jobs of their own process groups, one stopped, one that ignores what a terminal sends.
    let pids = peer
        .run(
            "s",
            "sleep 1001 & a=$!; sh -c 'trap \"\" TERM; trap : HUP; while :; do sleep 1; done' & b=$!; \
             sleep 1002 & c=$!; kill -STOP $c; \
             nohup sleep 1003 >/dev/null 2>&1 & d=$!; \
             e=$(setsid sh -c 'sleep 1004 >/dev/null 2>&1 & echo $!'); \
             echo; echo $a $b $c $d $e",
        )
        .await;
    let pids: Vec<String> = pids
        .lines()
        .last()
        .unwrap()
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    eventually("nohup has taken effect", || {
        let status = std::fs::read_to_string(format!("/proc/{}/cmdline", pids[3]));
        status.is_ok_and(|line| line.starts_with("sleep"))
    })
    .await;
    peer.say("s", "op", &FromUser::Stop { error: None }).await;
    assert!(!peer.stopped("s").await.error);
    for (pid, what) in pids
        .iter()
        .zip(["a job", "a stubborn job", "a stopped job"])
    {
        eventually(what, || !lives(pid)).await;
    }
    for (pid, what) in pids.iter().skip(3).zip(["nohup", "setsid"]) {
        assert!(lives(pid), "{what} did not survive");
        let pid = nix::unistd::Pid::from_raw(pid.parse().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    }
    agent.end().await;
}

#[tokio::test]
async fn a_stop_without_session_ends_all_shells_of_its_user() {
    let (agent, _server, mut peer) = connected(config()).await;
    assert_eq!(peer.new_shell("a1", "alice").await, FromDevice::Started);
    assert_eq!(peer.new_shell("a2", "alice").await, FromDevice::Started);
    peer.open("b").await;
    peer.say("", "alice", &FromUser::Stop { error: None }).await;
    let mut ended = Vec::new();
    while ended.len() < 2 {
        let message = peer.recv().await;
        if let Ok(FromDevice::Stop(stop)) = FromDevice::try_from(&message) {
            assert!(!stop.error);
            ended.push(message.sid);
        }
    }
    ended.sort();
    assert_eq!(ended, ["a1", "a2"]);
    assert_eq!(peer.run("b", "echo here").await, "here\n");
    agent.end().await;
}

#[tokio::test]
async fn item_50_pongs_that_nobody_asked_for_are_harmless() {
    let (agent, _server, mut peer) = connected(config()).await;
    peer.say("gone", "op", &FromUser::Pong).await;
    peer.open("s").await;
    for _ in 0..3 {
        peer.say("s", "op", &FromUser::Pong).await;
    }
    assert_eq!(peer.run("s", "echo fine").await, "fine\n");
    peer.type_in("s", "exit\n").await;
    peer.stopped("s").await;
    peer.say("s", "op", &FromUser::Pong).await;
    peer.open("t").await;
    agent.end().await;
}

#[tokio::test]
async fn an_idle_shell_expires_and_says_why() {
    let idle = Config {
        expire_after_idle: Some(Duration::from_secs(1)),
        ..config()
    };
    let (agent, _server, mut peer) = connected(idle).await;
    peer.open("s").await;
    let pid = peer.run("s", "echo $$").await;
    let stop = peer.stopped("s").await;
    assert_eq!((stop.error, stop.reason), (true, Some(Ended::Idle)));
    assert_eq!(state_of(&pid), None);
    agent.end().await;
}

#[tokio::test]
async fn a_silent_job_delays_the_idle_limit_only_so_long() {
    let idle = Config {
        expire_after_idle: Some(Duration::from_millis(500)),
        expire_after_idle_job: Duration::from_millis(1500),
        ..config()
    };
    let (agent, _server, mut peer) = connected(idle).await;
    peer.open("s").await;
    peer.type_in("s", "sleep 1000\n").await;
    let since = Instant::now();
    let stop = peer.stopped("s").await;
    assert_eq!(stop.reason, Some(Ended::Idle));
    assert!(
        since.elapsed() >= Duration::from_millis(1900),
        "{:?}",
        since.elapsed()
    );
    agent.end().await;
}

#[tokio::test]
async fn a_shell_lives_no_longer_than_allowed() {
    let short = Config {
        expire_after: Some(Duration::from_secs(1)),
        ..config()
    };
    let (agent, _server, mut peer) = connected(short).await;
    peer.open("s").await;
    peer.type_in("s", "while :; do echo busy; sleep 0.05; done\n")
        .await;
    let stop = peer.stopped("s").await;
    assert_eq!((stop.error, stop.reason), (true, Some(Ended::Expired)));
    agent.end().await;
}

#[tokio::test]
async fn a_flood_does_not_starve_the_other_shell() {
    let (agent, _server, mut peer) = connected(config()).await;
    peer.open("flood").await;
    peer.open("other").await;
    peer.type_in("flood", "yes\n").await;
    peer.output_until("flood", "y\r\ny").await;
    for _ in 0..20 {
        peer.type_in("other", "echo e''cho\n").await;
        let mut flooded = 0;
        let mut seen = String::new();
        while !seen.contains("echo") {
            let message = peer.recv().await;
            match (
                message.sid.as_str(),
                FromDevice::try_from(&message).unwrap(),
            ) {
                ("other", FromDevice::Output(bytes)) => {
                    seen.push_str(&String::from_utf8_lossy(&bytes));
                }
                ("flood", FromDevice::Output(_)) => flooded += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!(flooded < 2000, "{flooded} messages of the flood came first");
    }
    // Ctrl-C gets through, too.
    peer.type_in("flood", "\x03").await;
    peer.output_until("flood", "> ").await;
    assert_eq!(
        peer.run("flood", "echo; echo quiet").await.lines().last(),
        Some("quiet")
    );
    agent.end().await;
}

#[tokio::test]
async fn input_for_a_program_that_does_not_read_is_refused_at_last() {
    let (agent, _server, mut peer) = connected(config()).await;
    peer.open("stuck").await;
    peer.type_in("stuck", "stty raw; echo 'ra''w'; sleep 1000\n")
        .await;
    peer.output_until("stuck", "raw").await;
    peer.open("other").await;
    let block = Bytes::from(vec![b'x'; 512 * 1024]);
    for _ in 0..4 {
        peer.say("stuck", "op", &FromUser::Input(block.clone()))
            .await;
    }
    let FromDevice::InputFailed(text) = peer.answer("stuck").await else {
        panic!("two mebibytes were taken");
    };
    let start = "routeMessage: shell command execution error, session_id=stuck: ";
    assert!(text.starts_with(start), "{text}");
    assert_eq!(peer.run("other", "echo unharmed").await, "unharmed\n");
    peer.say("stuck", "op", &FromUser::Stop { error: None })
        .await;
    while !matches!(peer.answer("stuck").await, FromDevice::Stop(stop) if !stop.error) {}
    agent.end().await;
}
