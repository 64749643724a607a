//! A server on embedded defaults in a folder of its own, and devices beside it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::peers::Device;
use crate::program::{Program, ours};

/// The administrator of every lab's server.
pub const ADMIN: &str = "admin@example.com";
/// Their password.
pub const PASSWORD: &str = "correct horse battery";

/// A folder with a running server.
#[derive(Debug)]
pub struct Lab {
    folder: TempDir,
    /// The server, running from the start.
    pub server: Program,
    /// Where it listens, as `http://127.0.0.1:PORT`.
    pub url: String,
}

impl Lab {
    /// Starts a server with one administrator and nothing else.
    ///
    /// # Errors
    /// When our programs are not built, or the server does not come up.
    pub async fn start() -> Result<Self> {
        let folder = TempDir::with_prefix("longwire-lab-")?;
        add_user(folder.path(), ADMIN, "admin", PASSWORD).await?;
        let (server, url) = serve(folder.path(), "127.0.0.1:0").await?;
        Ok(Self {
            folder,
            server,
            url,
        })
    }

    /// Adds an operator.
    ///
    /// # Errors
    /// When the server's command refuses.
    pub async fn add_user(&self, email: &str, role: &str) -> Result<()> {
        add_user(self.folder.path(), email, role, PASSWORD).await
    }

    /// Starts the server again on the same data and the same port, after it was ended or killed.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn restart_server(&mut self) -> Result<()> {
        let address = self
            .url
            .strip_prefix("http://")
            .context("the lab's server speaks http")?;
        (self.server, self.url) = serve(self.folder.path(), address).await?;
        Ok(())
    }

    /// A folder in the lab, made if need be.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// A new device with a bus and a mender-client that asks this server to be accepted.
    ///
    /// # Errors
    /// When one of them does not start.
    pub async fn device(&self, mac: &str) -> Result<Device> {
        let mut device = Device::new(
            &self.folder(&format!("device-{}", mac.replace(':', "")))?,
            mac,
        )?;
        device.start_bus().await?;
        device.start_client(&self.url)?;
        Ok(device)
    }
}

fn data_dir(folder: &Path) -> PathBuf {
    folder.join("server")
}

async fn serve(folder: &Path, listen: &str) -> Result<(Program, String)> {
    let mut command = Command::new(ours("longwire-server")?);
    command
        .args(["serve", "--listen", listen, "--data-dir"])
        .arg(data_dir(folder));
    let mut server = Program::start("longwire-server", folder, command)?;
    let line = server.printed("listening on ").await?;
    let url = line
        .strip_prefix("listening on ")
        .context("an address on the first line")?;
    Ok((server, url.trim().to_owned()))
}

async fn add_user(folder: &Path, email: &str, role: &str, password: &str) -> Result<()> {
    let mut child = Command::new(ours("longwire-server")?)
        .args([
            "user",
            "add",
            email,
            "--role",
            role,
            "--password-stdin",
            "--data-dir",
        ])
        .arg(data_dir(folder))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let mut input = child.stdin.take().context("a pipe to the command")?;
    input.write_all(format!("{password}\n").as_bytes()).await?;
    drop(input);
    ensure!(child.wait().await?.success(), "user add {email} failed");
    Ok(())
}
