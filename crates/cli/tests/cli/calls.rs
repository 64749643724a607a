//! Commands and the calls they make.

use crate::endpoint::{Endpoint, TOKEN};
use crate::program::{Done, Home, run};

fn longwire(home: &Home, arguments: &[&str]) -> Done {
    run(home.longwire(arguments), b"")
}

#[test]
fn item_56_login_keeps_the_token_for_later_commands_and_for_mender_cli() {
    let endpoint = Endpoint::start();
    let home = Home::signed_in(&endpoint.url());
    assert_eq!(
        endpoint.asked(|asked| asked.calls.clone()),
        ["POST /api/management/v1/useradm/auth/login"]
    );
    let token = std::fs::read_to_string(home.path(".cache/mender/authtoken")).expect("a token");
    assert_eq!(token, TOKEN);

    // The only server there is a login for needs no naming.
    let done = longwire(&home, &["devices", "list"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.out.starts_with("ID: d1\nStatus: accepted\n-----"),
        "{done:?}"
    );
    let done = longwire(&home, &["devices", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&done.out).expect("JSON");
    assert_eq!(listed[0]["name"], "pump-17");
    assert_eq!(listed[0]["connected"], true);
    assert_eq!(listed[1]["status"], "pending");

    let done = longwire(&home, &["logout"]);
    assert_eq!(
        (done.code, done.out.as_str()),
        (Some(0), "logged out\n"),
        "{done:?}"
    );
    assert!(!home.path(".cache/mender/authtoken").exists());
    let done = longwire(&home, &["--server", &endpoint.url(), "devices", "list"]);
    assert_eq!(done.code, Some(3));
    assert!(
        done.err.starts_with("FAILURE: Please Login first"),
        "{done:?}"
    );
}

#[test]
fn item_56_failures_have_their_prefix_and_code() {
    let endpoint = Endpoint::start();
    let home = Home::signed_in(&endpoint.url());
    let cases: [(&[&str], i32, &str); 9] = [
        (
            &["terminal", "nope"],
            4,
            "unable to get the device: Get http",
        ),
        (&["terminal", "away"], 5, "the device is not connected"),
        (&["terminal", "forbidden"], 3, "unable to get the device: "),
        (&["terminal", "twin"], 2, "several devices are called twin"),
        (&["--token-value", "bad", "devices", "list"], 3, "Get http"),
        (
            &["--token", "x", "--token-value", "y", "devices", "list"],
            2,
            "cannot specify both",
        ),
        (
            &["--server", "http://example.com", "devices", "list"],
            2,
            "refusing to send",
        ),
        (
            &["devices", "list", "--bogus"],
            2,
            "unexpected argument '--bogus'",
        ),
        (
            &[
                "--server",
                "http://127.0.0.1:1",
                "--token-value",
                "x",
                "devices",
                "list",
            ],
            1,
            "cannot",
        ),
    ];
    for (arguments, code, words) in cases {
        let done = longwire(&home, arguments);
        assert_eq!(done.code, Some(code), "{arguments:?}: {done:?}");
        assert!(
            done.err.starts_with(&format!("FAILURE: {words}")),
            "{arguments:?}: {done:?}"
        );
    }
    let wrong = [
        "login",
        "--username",
        "me@example.com",
        "--password",
        "wrong",
    ];
    let done = longwire(&home, &wrong);
    assert_eq!(done.code, Some(3));
    assert!(
        done.err
            .starts_with("FAILURE: login failed with status 401"),
        "{done:?}"
    );
}

#[test]
fn a_token_is_sent_to_the_server_that_issued_it_and_to_no_other() {
    let endpoint = Endpoint::start();
    let other = Endpoint::start();
    let home = Home::signed_in(&endpoint.url());
    let done = longwire(&home, &["--server", &other.url(), "devices", "list"]);
    assert_eq!(done.code, Some(3), "{done:?}");
    assert!(done.err.contains("Please Login first"), "{done:?}");
    assert!(other.asked(|asked| asked.calls.is_empty()));

    // A configuration found in the current folder changes the server, not whose token it is.
    std::fs::create_dir(home.path("here")).expect("a folder");
    let config = format!(r#"{{"server":"{}"}}"#, other.url());
    std::fs::write(home.path("here/.mender-clirc"), config).expect("a configuration");
    let mut command = home.longwire(&["devices", "list"]);
    command.current_dir(home.path("here"));
    let done = run(command, b"");
    assert_eq!(done.code, Some(3), "{done:?}");
    assert!(other.asked(|asked| asked.calls.is_empty()));
}

#[test]
fn mender_clis_configuration_gives_the_server_and_its_login() {
    let endpoint = Endpoint::start();
    let home = Home::new();
    let config = format!(
        r#"{{"server":"{}","username":"me@example.com","password":"secret"}}"#,
        endpoint.url()
    );
    std::fs::write(home.path(".mender-clirc"), config).expect("a configuration");
    let done = longwire(&home, &["login"]);
    assert_eq!(
        (done.code, done.out.as_str()),
        (Some(0), "login successful\n"),
        "{done:?}"
    );
    assert!(done.err.contains("Using configuration file: "), "{done:?}");

    // A token that only mender-cli has, for the server it is set up for.
    std::fs::remove_file(home.path(".config/longwire/logins.json")).expect("our own");
    let done = longwire(&home, &["devices", "list"]);
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[test]
fn a_login_may_go_to_a_file_and_come_from_it() {
    let endpoint = Endpoint::start();
    let home = Home::new();
    let file = home.path("deep/token");
    let file = file.to_str().expect("a path");
    let server = endpoint.url();
    let login = [
        "--server",
        &server,
        "--token",
        file,
        "login",
        "--username",
        "me@example.com",
    ];
    let done = run(home.longwire(&login), b"secret");
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(std::fs::read_to_string(file).expect("a token"), TOKEN);
    assert!(!home.path(".cache").exists() && !home.path(".config").exists());
    let done = longwire(
        &home,
        &["--server", &server, "--token", file, "devices", "list"],
    );
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[test]
fn a_device_is_let_in_by_name_and_a_new_key_only_by_explicit_wish() {
    let endpoint = Endpoint::start();
    let home = Home::signed_in(&endpoint.url());
    let done = longwire(&home, &["devices", "accept", "d2"]);
    assert_eq!(
        (done.code, done.out.as_str()),
        (Some(0), "accepted d2 with key k3\n"),
        "{done:?}"
    );

    endpoint.forget();
    let done = longwire(&home, &["devices", "accept", "pump-17"]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.err
            .contains("is known by another key, which would be replaced"),
        "{done:?}"
    );
    assert!(
        done.err.contains("known: k1") && done.err.contains("new:   k2"),
        "{done:?}"
    );
    assert!(endpoint.asked(|asked| asked.calls.iter().all(|call| call.starts_with("GET "))));

    let done = longwire(&home, &["devices", "accept", "pump-17", "--replace-key"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.err
            .contains("WARNING: this device is known by another key"),
        "{done:?}"
    );
    let last = endpoint.asked(|asked| asked.calls.last().cloned());
    let expected = "PUT /api/management/v2/devauth/devices/d1/auth/k2/status";
    assert_eq!(last.as_deref(), Some(expected));

    let done = longwire(&home, &["devices", "reject", "d2"]);
    assert_eq!(
        (done.code, done.out.as_str()),
        (Some(0), "rejected d2 with key k3\n"),
        "{done:?}"
    );
    let done = longwire(&home, &["devices", "remove", "d2"]);
    assert_eq!(
        (done.code, done.out.as_str()),
        (Some(0), "removed d2\n"),
        "{done:?}"
    );
    let last = endpoint.asked(|asked| asked.calls.last().cloned());
    assert_eq!(
        last.as_deref(),
        Some("DELETE /api/management/v2/devauth/devices/d2")
    );
    let done = longwire(&home, &["devices", "show", "d1"]);
    assert!(
        done.out
            .contains("Name:         pump-17\nID:           d1\n"),
        "{done:?}"
    );
}

#[test]
fn help_has_examples_and_completions_know_the_commands() {
    let home = Home::new();
    for command in [
        &["--help"] as &[&str],
        &["login", "--help"],
        &["devices", "list", "--help"],
        &["terminal", "--help"],
    ] {
        let done = longwire(&home, command);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(done.out.contains("Example"), "{command:?}: {done:?}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let done = longwire(&home, &["completions", shell]);
        assert!(
            done.code == Some(0) && done.out.contains("terminal"),
            "{shell}"
        );
    }
    assert_eq!(longwire(&home, &[]).code, Some(2));
    assert!(longwire(&home, &["--version"]).out.starts_with("longwire "));
}
