//! The program itself: how it starts and ends, what it refuses, accounts beside a running server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;

use axum::http::{Method, StatusCode};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use support::{DEADLINE, PASSWORD, call};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longwire-server"));
    command.kill_on_drop(true).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LONGWIRE_") {
            command.env_remove(name);
        }
    }
    command
}

/// A running program and the address it says it listens on.
struct Program {
    child: Child,
    out: BufReader<ChildStdout>,
    url: String,
}

impl Program {
    async fn start(data: &Path, flags: &[&str]) -> Self {
        let mut child = program()
            .arg("serve")
            .arg("--data-dir")
            .arg(data)
            .args(["--listen", "127.0.0.1:0"])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        timeout(DEADLINE, out.read_line(&mut line))
            .await
            .unwrap()
            .unwrap();
        let url = line
            .strip_prefix("listening on ")
            .unwrap()
            .trim_end()
            .to_owned();
        Self { child, out, url }
    }

    fn address(&self) -> SocketAddr {
        self.url.split_once("://").unwrap().1.parse().unwrap()
    }

    /// Sends a signal and waits for the end; gives the exit status and what else was printed.
    async fn end(mut self, signal: Signal) -> (i32, String) {
        let pid = Pid::from_raw(self.child.id().unwrap().try_into().unwrap());
        kill(pid, signal).unwrap();
        let mut rest = String::new();
        let status = timeout(DEADLINE, async {
            self.out.read_to_string(&mut rest).await.unwrap();
            self.child.wait().await.unwrap()
        });
        let status = status.await.expect("it does not end");
        (status.code().unwrap(), rest)
    }
}

async fn output(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may have ended without reading.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    timeout(DEADLINE, child.wait_with_output())
        .await
        .expect("the command does not end")
        .unwrap()
}

async fn user(data: &Path, flags: &[&str], input: &str) -> Output {
    let mut command = program();
    command.arg("user").args(flags).arg("--data-dir").arg(data);
    output(&mut command, input).await
}

#[track_caller]
fn failed(output: &Output, code: i32, text: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(error.contains(text), "{error}");
}

async fn login(address: SocketAddr, password: &str) -> StatusCode {
    call(
        address,
        Method::POST,
        "/api/management/v1/useradm/auth/login",
    )
    .basic("ada@fleet.example", password)
    .send()
    .await
    .status
}

#[tokio::test]
async fn it_starts_on_an_empty_folder_and_ends_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let running = Program::start(&data, &[]).await;
        assert!(running.url.starts_with("http://127.0.0.1:"));
        let info = call(running.address(), Method::GET, "/api/openapi.json");
        assert_eq!(info.send().await.status, StatusCode::OK);
        assert_eq!(running.end(signal).await, (0, String::new()));
    }
    for name in ["signing.key", "longwire.db"] {
        let mode = data.join(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn accounts_are_managed_whether_it_runs_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let add = [
        "add",
        "Ada@fleet.example",
        "--role",
        "admin",
        "--password-stdin",
    ];
    let added = user(&data, &add, &format!("{PASSWORD}\n")).await;
    assert!(added.status.success());
    failed(
        &user(&data, &add, PASSWORD).await,
        1,
        "there is an account for Ada@fleet.example already",
    );
    let running = Program::start(&data, &[]).await;
    assert_eq!(login(running.address(), PASSWORD).await, StatusCode::OK);
    let changed = ["passwd", "ada@fleet.example", "--password-stdin"];
    let changed = user(&data, &changed, "another password").await;
    assert!(changed.status.success());
    assert_eq!(
        login(running.address(), PASSWORD).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        login(running.address(), "another password").await,
        StatusCode::OK
    );
    let list = user(&data, &["list", "--json"], "").await;
    let list: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(list[0]["email"], "ada@fleet.example");
    assert_eq!(list[0]["roles"], serde_json::json!(["admin"]));
    assert!(list[0]["login_at"].is_string());
    let list = user(&data, &["list"], "").await;
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(
        list.starts_with("ada@fleet.example  admin       signed in "),
        "{list}"
    );
    let removed = user(&data, &["remove", "ada@fleet.example"], "").await;
    assert!(removed.status.success());
    assert_eq!(
        login(running.address(), "another password").await,
        StatusCode::UNAUTHORIZED
    );
    failed(
        &user(&data, &["remove", "ada@fleet.example"], "").await,
        1,
        "there is no account for ada@fleet.example",
    );
    running.end(Signal::SIGTERM).await;
}

#[tokio::test]
async fn accounts_that_could_not_be_used_are_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let add = |email: &'static str, role: &'static str| {
        let data = folder.path().join("data");
        async move {
            let flags = ["add", email, "--role", role, "--password-stdin"];
            user(&data, &flags, "short\n").await
        }
    };
    failed(
        &add("ada", "admin").await,
        1,
        "\"ada\" is not an e-mail address",
    );
    failed(
        &add("ada@fleet.example", "admin").await,
        1,
        "password must have at least 8 characters",
    );
    failed(
        &add("ada@fleet.example", "king").await,
        2,
        "unknown role \"king\"",
    );
    let data = folder.path().join("data");
    let unsaid = ["add", "ada@fleet.example", "--role", "admin"];
    failed(&user(&data, &unsaid, "").await, 2, "--password-stdin");
}

#[tokio::test]
async fn a_folder_serves_one_program_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let running = Program::start(folder.path(), &[]).await;
    let mut second = program();
    second
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder.path());
    let second = output(&mut second, "").await;
    failed(
        &second,
        1,
        "another longwire-server is using this data directory",
    );
    assert!(second.stdout.is_empty());
    // A killed one leaves nothing that would stop the next.
    let (mut child, pid) = (running.child, running.out);
    child.kill().await.unwrap();
    drop(pid);
    let running = Program::start(folder.path(), &[]).await;
    running.end(Signal::SIGTERM).await;
}

#[tokio::test]
async fn plain_http_leaves_loopback_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program();
    command
        .args(["serve", "--listen", "0.0.0.0:0", "--data-dir"])
        .arg(folder.path());
    let refused = output(&mut command, "").await;
    failed(&refused, 1, "refusing to listen on 0.0.0.0:0 without TLS");
    assert!(refused.stdout.is_empty());
    let flags = ["--listen", "0.0.0.0:0", "--insecure-http"];
    let mut command = program();
    let mut child = command
        .arg("serve")
        .args(flags)
        .arg("--data-dir")
        .arg(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    timeout(DEADLINE, out.read_line(&mut line))
        .await
        .unwrap()
        .unwrap();
    assert!(line.starts_with("listening on http://0.0.0.0:"), "{line}");
    child.kill().await.unwrap();
}

#[tokio::test]
async fn variables_win_over_the_file_and_flags_over_both() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.toml");
    let text = format!(
        "data_dir = {:?}\nlisten = \"192.0.2.1:1\"\npublic_url = \"https://one.example\"\n",
        folder.path().join("data")
    );
    std::fs::write(&file, text).unwrap();
    let mut child = program()
        .args(["serve", "--config"])
        .arg(&file)
        .args(["--listen", "127.0.0.1:0"])
        .env("LONGWIRE_LISTEN", "192.0.2.1:2")
        .env("LONGWIRE_PUBLIC_URL", "https://two.example")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    timeout(DEADLINE, out.read_line(&mut line))
        .await
        .unwrap()
        .unwrap();
    let address: SocketAddr = line.trim_end().rsplit('/').next().unwrap().parse().unwrap();
    // The origin that counts tells which setting won.
    let sign_in = |origin: &'static str| {
        call(address, Method::POST, "/api/management/v1/longwire/login")
            .header("origin", origin)
            .json(&serde_json::json!({ "email": "a@b", "password": "x" }))
            .send()
    };
    assert_eq!(
        sign_in("https://one.example").await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        sign_in("https://two.example").await.status,
        StatusCode::UNAUTHORIZED
    );
    assert!(folder.path().join("data/signing.key").exists());
    child.kill().await.unwrap();
}

fn tls_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tls")
        .join(name)
}

#[tokio::test]
async fn it_speaks_tls_with_the_certificate_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (tls_file("cert.pem"), tls_file("key.pem"));
    let flags = [
        "--tls-cert",
        cert.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
    ];
    let running = Program::start(folder.path(), &flags).await;
    assert!(running.url.starts_with("https://127.0.0.1:"));
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(&cert).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(running.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    timeout(DEADLINE, stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age=31536000\r\n"));
    // Whoever speaks no TLS gets no answer in the clear.
    let mut plain = TcpStream::connect(running.address()).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(DEADLINE, plain.read_to_end(&mut answer));
    let _ = read.await.expect("the connection stays open");
    assert!(!answer.starts_with(b"HTTP/"));
    assert_eq!(running.end(Signal::SIGTERM).await.0, 0);
}

#[tokio::test]
async fn a_certificate_that_is_none_is_told_before_anything_listens() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program();
    command
        .args(["serve", "--tls-cert", "/dev/null", "--tls-key", "/dev/null"])
        .arg("--data-dir")
        .arg(folder.path());
    failed(
        &output(&mut command, "").await,
        1,
        "/dev/null: no certificate in it",
    );
}
