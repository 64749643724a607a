//! The agent as people and service files start it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test"
)]

mod agent;
mod clock;
mod server;

use agent::{Agent, run};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use longwire_agent::fingerprint;
use ring::signature::{ED25519, UnparsedPublicKey};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use server::{Request, Server, data};

/// Checks the request as the server does; returns the key's fingerprint.
fn verified(request: &Request) -> String {
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    let pem = body["pubkey"].as_str().unwrap();
    let key = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).unwrap();
    let raw = &key[key.len() - 32..];
    let signature = BASE64_STANDARD
        .decode(&request.headers["x-men-signature"])
        .unwrap();
    UnparsedPublicKey::new(&ED25519, raw)
        .verify(&request.body, &signature)
        .unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(body["id_data"].as_str().unwrap()).is_ok());
    fingerprint::of(&key)
}

#[tokio::test]
async fn item_28_29_it_asks_until_accepted_then_connects_and_tells_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(true).await;
    let url = format!("https://localhost:{}", server.port);
    let trusting = |command: &mut tokio::process::Command| {
        command.arg("--ca-file").arg(data("ca.pem"));
    };
    let mut agent = Agent::start(folder.path(), &url, trusting);
    let printed = agent.says("device key fingerprint: ").await;
    agent.says("waiting to be accepted").await;
    let asked = server
        .request("POST /api/devices/v1/authentication/auth_requests ", 1)
        .await;
    assert!(printed.contains(&verified(&asked)), "{printed}");
    assert!(!asked.headers.contains_key("authorization"));

    server.accept("first.token");
    let connect = server
        .request("GET /api/devices/v1/deviceconnect/connect ", 1)
        .await;
    assert_eq!(connect.headers["authorization"], "Bearer first.token");
    assert_eq!(
        connect.headers["host"],
        format!("localhost:{}", server.port)
    );
    agent.says("connected to https://localhost").await;
    agent.ask_for_status();
    agent.says("status: authorized for https://localhost").await;
    let told = server
        .request("PUT /api/devices/v1/inventory/device/attributes ", 1)
        .await;
    assert_eq!(told.headers["authorization"], "Bearer first.token");
    assert!(
        String::from_utf8(told.body)
            .unwrap()
            .contains("agent_version")
    );
    let (code, log) = agent.end().await;
    assert_eq!(code, 0);
    assert!(!log.contains("first.token"), "{log}");

    // The next time the token is at hand.
    let questions = server.count("auth_requests");
    let agent = Agent::start(folder.path(), &url, trusting);
    server
        .request("GET /api/devices/v1/deviceconnect/connect ", 2)
        .await;
    assert_eq!(server.count("auth_requests"), questions);
    assert_eq!(agent.end().await.0, 0);
}

#[tokio::test]
async fn item_31_a_token_that_is_not_taken_any_more_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(false).await;
    server.accept("first.token");
    let url = format!("http://127.0.0.1:{}", server.port);
    let agent = Agent::start(folder.path(), &url, |_| {});
    server.request("/connect ", 1).await;
    agent.end().await;

    server.accept("second.token");
    let before = server.count("");
    let agent = Agent::start(folder.path(), &url, |_| {});
    // The link and the inventory report both find out; whichever comes first has it replaced.
    let refused = server.request("", before + 1).await;
    assert_eq!(refused.headers["authorization"], "Bearer first.token");
    server.connected_with("second.token").await;
    agent.end().await;
}

#[tokio::test]
async fn a_server_that_cannot_prove_who_it_is_hears_nothing() {
    let server = Server::start(true).await;
    server.accept("token");
    // The system's authorities do not know this one.
    let folder = tempfile::tempdir().unwrap();
    let url = format!("https://localhost:{}", server.port);
    let mut agent = Agent::start(folder.path(), &url, |_| {});
    agent
        .says("no secure connection to https://localhost")
        .await;
    agent.end().await;

    // They do, but the server is another than the one dialled.
    let folder = tempfile::tempdir().unwrap();
    let other = format!("https://127.0.0.2:{}", server.port);
    let mut agent = Agent::start(folder.path(), &other, |command| {
        command.arg("--ca-file").arg(data("ca.pem"));
    });
    agent
        .says("no secure connection to https://127.0.0.2")
        .await;
    agent.end().await;

    // mender-connect's key to skip verification skips nothing.
    let folder = tempfile::tempdir().unwrap();
    let fallback = folder.path().join("skip.conf");
    let skip = r#"{"SkipVerify":true,"ServerCertificate":"/x","HttpsClient":{"Key":"k"}}"#;
    std::fs::write(&fallback, skip).unwrap();
    let mut agent = Agent::start(folder.path(), &url, |command| {
        command.arg("--fallback-config").arg(&fallback);
    });
    agent
        .says("HTTPSClient field is deprecated, ignoring.")
        .await;
    agent
        .says("ServerCertificate field is deprecated, ignoring.")
        .await;
    agent
        .says("SkipVerify field is deprecated, ignoring.")
        .await;
    agent
        .says("no secure connection to https://localhost")
        .await;
    agent.end().await;
    assert_eq!(server.count("/"), 0);
}

#[tokio::test]
async fn the_systems_authorities_are_those_of_openssl() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(true).await;
    server.accept("token");
    let url = format!("https://127.0.0.1:{}", server.port);
    let agent = Agent::start(folder.path(), &url, |command| {
        command.env("SSL_CERT_FILE", data("ca.pem"));
    });
    server.request("/connect ", 1).await;
    agent.end().await;
}

#[tokio::test]
async fn plain_http_to_another_machine_needs_a_flag() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = "http://192.0.2.1:9";
    let mut agent = Agent::start(folder.path(), elsewhere, |_| {});
    let said = agent.says("level=error").await;
    assert!(
        said.contains("http://192.0.2.1:9 is plain http to another machine"),
        "{said}"
    );

    let mut agent = Agent::start(folder.path(), elsewhere, |command| {
        command.arg("--insecure-http");
    });
    agent
        .says("anyone on the way can read and type in terminals")
        .await;
    assert_eq!(agent.end().await.0, 0);
}

#[tokio::test]
async fn two_agents_do_not_share_a_data_directory() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(false).await;
    let url = format!("http://127.0.0.1:{}", server.port);
    let mut first = Agent::start(folder.path(), &url, |_| {});
    first.says("waiting to be accepted").await;
    let mut second = Agent::start(folder.path(), &url, |_| {});
    assert!(
        second
            .says("level=error")
            .await
            .contains("is in use by another agent")
    );
    first.end().await;
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_is_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data"), "a file").unwrap();
    let mut agent = Agent::start(folder.path(), "https://localhost:1", |_| {});
    let said = agent.says("level=error").await;
    assert!(
        said.ends_with("/data: File exists (os error 17)\""),
        "{said}"
    );
}

#[tokio::test]
async fn item_52_mistakes_in_the_configuration_end_it_with_mender_connects_words() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let fallback = file(
        "fallback",
        r#"{"User":"no-such-user","ShellCommand":"relative"}"#,
    );
    let main = file("main", r#"{"shellcommand":"/bin/sh"}"#);
    let nothing = "/nonexistent".to_owned();
    for (config, fallback, text) in [
        (
            &nothing,
            &nothing,
            "please provide a user to run the shell as",
        ),
        (
            &nothing,
            &fallback,
            "given shell (relative) is not an absolute path",
        ),
        (&main, &fallback, "user: unknown user no-such-user"),
        (
            &file("bad", "{"),
            &nothing,
            "Error parsing mender configuration file: ",
        ),
        (
            &file("typed", r#"{"User":1}"#),
            &nothing,
            "Error parsing config file: User ",
        ),
    ] {
        let (code, _, log) = run(&["-c", config, "-b", fallback, "daemon"]).await;
        assert_eq!(code, 1, "{text}");
        let last = log.lines().last().unwrap();
        assert!(last.contains("level=error") && last.contains(text), "{log}");
    }
    let (_, _, log) = run(&["-c", &nothing, "-b", &nothing, "daemon"]).await;
    assert!(
        log.contains("No configuration files present. Using defaults"),
        "{log}"
    );
    assert!(
        log.contains("ShellCommand is empty, defaulting to /bin/sh"),
        "{log}"
    );
    assert!(
        log.contains("ShellArguments is empty, defaulting to [--login]"),
        "{log}"
    );
}

#[tokio::test]
async fn without_a_bus_it_ends_and_says_what_else_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("agent.conf");
    let user = nix::unistd::User::from_uid(nix::unistd::getuid())
        .unwrap()
        .unwrap()
        .name;
    std::fs::write(
        &config,
        format!(r#"{{"User":"{user}","ShellCommand":"/bin/sh"}}"#),
    )
    .unwrap();
    let (code, _, log) = run(&["--config", config.to_str().unwrap(), "daemon"]).await;
    assert_eq!(code, 1);
    assert!(
        log.contains("cannot connect to the system bus at unix:path=/nonexistent/bus"),
        "{log}"
    );
    assert!(log.contains("use --server"), "{log}");
}

#[tokio::test]
async fn version_and_help_go_to_standard_output() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        run(&["version"]).await,
        (0, format!("{version}\truntime: rust\n"), String::new())
    );
    let (code, out, _) = run(&["--version"]).await;
    assert_eq!(
        (code, out),
        (
            0,
            format!("longwire-agent version {version}\truntime: rust\n")
        )
    );
    let (code, out, _) = run(&["--help"]).await;
    assert!(code == 0 && out.contains("USAGE"), "{out}");
    let (code, _, log) = run(&["--no-such-flag"]).await;
    assert_eq!(code, 1);
    assert!(
        log.contains("flag provided but not defined: -no-such-flag"),
        "{log}"
    );
    assert_eq!(run(&["no-such-command"]).await.0, 3);
}
