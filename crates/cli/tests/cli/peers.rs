//! Beside Debian's mender-cli 1.9.0: the same calls, the same files.

use std::fs::File;
use std::io::Write;
use std::process::Stdio;

use crate::endpoint::{Asked, Endpoint, TOKEN};
use crate::program::{Home, exit_code, run, wait_until};

/// Every call and message of one program that signs in, lists, and runs a command.
fn asked_by(mender: bool) -> Asked {
    let endpoint = Endpoint::start();
    let home = Home::new();
    let server = endpoint.url();
    let commands: [&[&str]; 3] = [
        &[
            "--server",
            &server,
            "login",
            "--username",
            "me@example.com",
            "--password",
            "secret",
        ],
        &["--server", &server, "devices", "list"],
        &["--server", &server, "terminal", "d1"],
    ];
    for command in commands {
        let command = if mender {
            home.mender_cli(command)
        } else {
            home.longwire(command)
        };
        let done = run(command, b"plain exit\n");
        assert_eq!(done.code, Some(0), "{done:?}");
    }
    endpoint.wait_for_end();
    endpoint.forget()
}

#[test]
fn item_56_both_make_the_same_calls_in_the_same_order() {
    let ours = asked_by(false);
    let theirs = asked_by(true);
    assert_eq!(ours.calls, theirs.calls);
    assert_eq!(ours.authorizations, theirs.authorizations);
    assert_eq!(ours.kinds(), theirs.kinds());
    assert_eq!(
        ours.said[0], theirs.said[0],
        "the size when there is no terminal"
    );
    assert_eq!(ours.input()[..11], theirs.input()[..11]);
}

#[test]
fn item_56_both_use_the_same_token() {
    let endpoint = Endpoint::start();
    let home = Home::signed_in(&endpoint.url());
    let server = endpoint.url();
    let done = run(
        home.mender_cli(&["--server", &server, "devices", "list"]),
        b"",
    );
    assert_eq!(done.code, Some(0), "{done:?}");
    let last = endpoint.asked(|asked| asked.authorizations.last().cloned());
    assert_eq!(last, Some(format!("Bearer {TOKEN}")));

    // And the same lines, but for the one about a configuration.
    let theirs = done.out.split_once('\n').expect("lines").1.to_owned();
    let ours = run(
        home.longwire(&["--server", &server, "devices", "list"]),
        b"",
    );
    assert_eq!(ours.out, theirs);
    let theirs = run(
        home.mender_cli(&["--server", &server, "devices", "list", "-d", "3"]),
        b"",
    );
    let ours = run(
        home.longwire(&["--server", &server, "devices", "list", "-d", "3"]),
        b"",
    );
    assert_eq!(
        Some(ours.out.as_str()),
        theirs.out.split_once('\n').map(|(_, rest)| rest)
    );
}

#[test]
fn item_57_each_plays_what_the_other_recorded() {
    let endpoint = Endpoint::start();
    let home = Home::signed_in(&endpoint.url());
    let server = endpoint.url();
    let record = |file| ["--server", &server, "terminal", "d1", "--record", file];
    let play = |file| ["--server", &server, "terminal", "--playback", file];

    let done = run(
        home.longwire(&record("ours.rec")),
        "grün\nexit 3\n".as_bytes(),
    );
    assert_eq!(done.code, Some(3), "{done:?}");
    let theirs = run(home.mender_cli(&play("ours.rec")), b"");
    assert_eq!(theirs.code, Some(0), "{theirs:?}");
    assert!(theirs.out.contains("Device ID: d1\0"), "{theirs:?}");
    assert!(theirs.out.contains("$ <grün>\r\n$ "), "{theirs:?}");

    // It records on the side, and what it has not recorded when it ends is lost.
    let mut recording = home
        .mender_cli(&record("theirs.rec"))
        .stdin(Stdio::piped())
        .stdout(File::create(home.path("shown")).expect("a file"))
        .stderr(Stdio::null())
        .spawn()
        .expect("mender-cli starts");
    let mut keys = recording.stdin.take().expect("its input");
    let recorded = |text: &str| {
        wait_until(&format!("{text:?} is recorded"), || {
            run(home.longwire(&play("theirs.rec")), b"")
                .out
                .ends_with(text)
        });
    };
    recorded("\n$ ");
    keys.write_all(b"hello\n").expect("input");
    recorded("$ <hello>\r\n$ ");
    keys.write_all(b"plain exit\n").expect("input");
    assert_eq!(exit_code(&mut recording), Some(0));
    let ours = run(home.longwire(&play("theirs.rec")), b"");
    assert_eq!(ours.code, Some(0), "{ours:?}");
    assert!(
        ours.out
            .contains("Device ID: d1\nTerminal type: xterm-256color\n"),
        "{ours:?}"
    );
    assert!(ours.out.ends_with("$ <hello>\r\n$ "), "{ours:?}");

    // Neither needs a server or a login here.
    let nobody = Home::new();
    let path = home.path("ours.rec");
    let ours = run(
        nobody.longwire(&["terminal", "--playback", path.to_str().unwrap()]),
        b"",
    );
    assert_eq!(ours.code, Some(0), "{ours:?}");
    let again = run(home.longwire(&record("ours.rec")), b"exit 3\n");
    assert_eq!(again.code, Some(1), "an existing file: {again:?}");
    assert!(
        again.err.contains("FAILURE: cannot record to ours.rec: "),
        "{again:?}"
    );
}
