//! Starts agents as devices run them, waits until each is connected and idle, and has `xtask
//! footprint` measure them: ours with an identity of its own over TLS, ours beside mender-client,
//! and Debian's mender-connect. Then once more for ours after 100 MiB of output.
//!
//! `footprint AGENT [SECONDS]`; `scripts/footprint` builds what it needs.
#![allow(
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "a command line tool that waits for two kinds of message"
)]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use longwire_client::{AuthStatus, Client, ServerUrl, Trust};
use longwire_e2e::lab::{ADMIN, Lab, PASSWORD};
use longwire_e2e::peers::connect_config;
use longwire_e2e::program::{Program, ours};
use longwire_e2e::until::until;
use longwire_e2e::viewer::Viewer;
use longwire_protocol::shell::FromDevice;
use nix::unistd::Pid;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Bytes a shell prints before the second measurement.
const FLOOD: usize = 100 << 20;
/// A program is idle when what came with its start (an inventory report, say) is over.
const SETTLES: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let agent = arguments
        .next()
        .context("usage: footprint AGENT [SECONDS]")?;
    let agent = std::fs::canonicalize(agent)?;
    let seconds = arguments.next().unwrap_or_else(|| "60".to_owned());

    let lab = Lab::start().await?;
    let (api, token) = sign_in(&lab.url).await?;
    let ours_beside = lab.device("52:54:00:00:00:01").await?;
    let theirs_beside = lab.device("52:54:00:00:00:02").await?;
    let config = ours_beside_config(&lab)?;
    let arguments = [
        "--config",
        config.as_str(),
        "--fallback-config",
        "/nonexistent",
        "daemon",
    ];
    let arguments = arguments.map(OsStr::new);
    let beside = ours_beside.start("longwire-agent", &agent, &arguments)?;
    let theirs = theirs_beside.start_connect(&connect_config())?;
    accept_all(&api, 2).await?;

    let secure = SecureLab::start(&lab.folder("secure")?).await?;
    let (secure_api, _) = sign_in(&secure.url).await?;
    let alone = secure.start_agent(&agent)?;
    accept_all(&secure_api, 1).await?;

    let beside_pid = beside.pid().await?;
    measure(
        &seconds,
        &[
            ("longwire-agent (TLS)", alone.pid().await?),
            ("longwire-agent (mender-client)", beside_pid),
            ("mender-connect", theirs.pid().await?),
        ],
    )
    .await?;

    let device = device_with_mac(&api, "52:54:00:00:00:01").await?;
    flood(&lab.url, &token, &device).await?;
    measure(&seconds, &[("longwire-agent (after 100 MiB)", beside_pid)]).await
}

fn ours_beside_config(lab: &Lab) -> Result<String> {
    let path = lab.folder("agent")?.join("agent.conf");
    std::fs::write(&path, connect_config().to_string())?;
    Ok(path.display().to_string())
}

async fn sign_in(url: &str) -> Result<(Client, String)> {
    // The lab's servers are on this machine; no test certificate can be trusted system-wide.
    let api = Client::new(ServerUrl::parse(url, false)?, Trust::Anyone)?;
    let token = api.login(ADMIN, PASSWORD, None).await?;
    Ok((api.with_token(&token)?, token))
}

/// Accepts `count` devices as they ask, and waits until all of them are connected.
async fn accept_all(api: &Client, count: usize) -> Result<()> {
    until(format!("{count} connected devices"), async || {
        let mut connected = 0;
        for device in api.devices(None).await? {
            if device.status == "pending" {
                let set = device.auth_sets.first().context("a device has a key")?;
                api.set_auth_status(&device.id, &set.id, AuthStatus::Accepted)
                    .await?;
            } else if api.device_state(&device.id).await?.is_connected() {
                connected += 1;
            }
        }
        Ok((connected == count).then_some(()))
    })
    .await
}

async fn device_with_mac(api: &Client, mac: &str) -> Result<String> {
    let devices = api.devices(None).await?;
    let has_it = |identity: &serde_json::Map<String, serde_json::Value>| {
        identity.get("mac").and_then(|value| value.as_str()) == Some(mac)
    };
    let device = devices
        .into_iter()
        .find(|device| has_it(&device.identity_data));
    Ok(device.context("the device is known")?.id)
}

/// Has a shell print a lot, reads all of it, and ends the shell.
async fn flood(server: &str, token: &str, device: &str) -> Result<()> {
    let mut viewer = Viewer::open(server, token, device, None).await?;
    viewer
        .types(format!("head -c {FLOOD} /dev/zero | tr '\\0' x; exit\r"))
        .await?;
    let mut seen = 0;
    loop {
        match viewer.message().await? {
            FromDevice::Output(bytes) => seen += bytes.len(),
            FromDevice::Stop(_) => break,
            _ => {}
        }
    }
    ensure!(seen >= FLOOD, "only {seen} bytes of output arrived");
    Ok(())
}

/// Measures programs that have had time to come to rest.
async fn measure(seconds: &str, programs: &[(&str, Pid)]) -> Result<()> {
    tokio::time::sleep(SETTLES).await;
    let output = Command::new(ours("xtask")?)
        .args(["footprint", seconds])
        .args(programs.iter().map(|(name, pid)| format!("{name}={pid}")))
        .output()
        .await?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    println!("{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}

/// A server that speaks TLS, with a certificate of the agent's tests.
struct SecureLab {
    folder: PathBuf,
    _server: Program,
    url: String,
}

impl SecureLab {
    async fn start(folder: &Path) -> Result<Self> {
        let data = folder.join("server");
        let mut add = Command::new(ours("longwire-server")?)
            .args([
                "user",
                "add",
                ADMIN,
                "--role",
                "admin",
                "--password-stdin",
                "--data-dir",
            ])
            .arg(&data)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()?;
        let mut input = add.stdin.take().context("a piped standard input")?;
        input.write_all(PASSWORD.as_bytes()).await?;
        drop(input);
        ensure!(add.wait().await?.success(), "cannot add a user");

        let mut command = Command::new(ours("longwire-server")?);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&data)
            .arg("--tls-cert")
            .arg(test_data("server.pem"))
            .arg("--tls-key")
            .arg(test_data("server-key.pem"));
        let mut server = Program::start("longwire-server-tls", folder, command)?;
        let line = server.printed("listening on ").await?;
        let url = line
            .strip_prefix("listening on ")
            .context("an address")?
            .trim()
            .to_owned();
        Ok(Self {
            folder: folder.to_owned(),
            _server: server,
            url,
        })
    }

    /// Starts an agent that finds the server's authority among the system's.
    fn start_agent(&self, agent: &Path) -> Result<Program> {
        let system = std::fs::read("/etc/ssl/certs/ca-certificates.crt")
            .context("the Debian package ca-certificates")?;
        let roots = self.folder.join("roots.pem");
        std::fs::write(
            &roots,
            [system, std::fs::read(test_data("ca.pem"))?].concat(),
        )?;
        let mut command = Command::new(agent);
        command
            .args(["daemon", "--server", &self.url, "--data-dir"])
            .arg(self.folder.join("agent"))
            .args([
                "--config",
                "/nonexistent",
                "--fallback-config",
                "/nonexistent",
            ])
            .env("SSL_CERT_FILE", &roots)
            .env_remove("SSL_CERT_DIR");
        Program::start("longwire-agent-tls", &self.folder, command)
    }
}

fn test_data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../agent/tests/data")
        .join(name)
}
