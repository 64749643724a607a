//! Terminals whose input is a file or a pipe.

use crate::endpoint::Endpoint;
use crate::program::{Done, Home, run};

fn terminal(input: &[u8]) -> (Done, Endpoint) {
    let endpoint = Endpoint::start();
    let home = Home::signed_in(&endpoint.url());
    let done = run(home.longwire(&["terminal", "d1"]), input);
    endpoint.wait_for_end();
    (done, endpoint)
}

#[test]
fn a_command_from_a_pipe_runs_and_the_shell_is_ended() {
    let (done, endpoint) = terminal(b"uptime\n");
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.out, "$ <uptime>\r\n$ $ ");
    assert!(
        done.err.starts_with("Connecting to the device d1..."),
        "{done:?}"
    );
    // Said again, as the first was lost.
    assert_eq!(endpoint.asked(|asked| asked.input()), b"uptime\n\x04\x04");
    assert_eq!(
        endpoint.asked(|asked| asked.kinds()),
        ["new", "shell", "stop"]
    );
}

#[test]
fn a_last_line_without_an_end_gets_one() {
    let (done, endpoint) = terminal(b"uptime");
    assert!(done.out.contains("<uptime>"), "{done:?}");
    assert!(
        endpoint
            .asked(|asked| asked.input())
            .starts_with(b"uptime\n\x04")
    );
}

#[test]
fn nothing_in_a_file_is_special() {
    let (done, endpoint) = terminal(b"\x1d\x03ab\n");
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        endpoint
            .asked(|asked| asked.input())
            .starts_with(b"\x1d\x03ab\n")
    );
}

#[test]
fn a_large_file_arrives_whole() {
    let mut input = Vec::new();
    for number in 0..20_000 {
        input.extend_from_slice(format!("line {number}\n").as_bytes());
    }
    let (done, endpoint) = terminal(&input);
    assert_eq!(done.code, Some(0));
    assert!(endpoint.asked(|asked| asked.input()).starts_with(&input));
    assert!(done.out.contains("<line 19999>"));
}

#[test]
fn the_exit_code_is_the_shells_else_255() {
    let cases: [(&[u8], i32, &str); 6] = [
        (b"exit 3\n", 3, ""),
        (b"plain exit\n", 0, ""),
        (
            b"idle\n",
            255,
            "FAILURE: nothing was typed or shown for 600 s",
        ),
        (b"cut\n", 255, "FAILURE: connection to the server lost"),
        (
            b"close\n",
            255,
            "FAILURE: the server closed the connection: internal error (1011)",
        ),
        (
            b"fail\n",
            0,
            "[longwire] input was not delivered: pipe is broken",
        ),
    ];
    for (input, code, words) in cases {
        let (done, _) = terminal(input);
        assert_eq!(done.code, Some(code), "{done:?}");
        assert!(done.err.contains(words), "{done:?}");
        assert!(
            !done.out.contains("pipe is broken"),
            "no output of the device: {done:?}"
        );
    }
}

#[test]
fn a_name_will_do() {
    let endpoint = Endpoint::start();
    let home = Home::signed_in(&endpoint.url());
    endpoint.forget();
    let done = run(home.longwire(&["terminal", "pump-17"]), b"exit 3\n");
    assert_eq!(done.code, Some(3), "{done:?}");
    assert_eq!(
        endpoint.asked(|asked| asked.calls.clone()),
        [
            "GET /api/management/v1/deviceconnect/devices/pump-17",
            "GET /api/management/v1/longwire/devices",
            "GET /api/management/v1/deviceconnect/devices/d1",
            "GET /api/management/v1/deviceconnect/devices/d1/connect",
        ]
    );
}

/// The refusal comes with the narrowest integer, with which mender-cli hangs.
#[test]
fn item_59_a_refusal_is_a_failure_whatever_the_width_of_its_status() {
    let endpoint = Endpoint::start();
    let home = Home::signed_in(&endpoint.url());
    let done = run(home.longwire(&["terminal", "refused"]), b"");
    assert_eq!(done.code, Some(1), "{done:?}");
    assert_eq!(done.out, "");
    let words = "FAILURE: Unable to start the shell: user has too many open sessions\n";
    assert!(done.err.ends_with(words), "{done:?}");
}
