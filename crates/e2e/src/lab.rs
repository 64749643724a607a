//! A server on embedded defaults in a folder of its own, and devices beside it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::operator::Operator;
use crate::peers::{Device, connect_config};
use crate::program::{Program, ours};
use crate::terminal::Terminal;

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
        let mut folder = TempDir::with_prefix("longwire-lab-")?;
        // To look at the programs' logs after a test has failed.
        folder.disable_cleanup(std::env::var_os("LONGWIRE_KEEP_LABS").is_some());
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

    /// The administrator, signed in.
    ///
    /// # Errors
    /// When the server does not let them in.
    pub async fn admin(&self) -> Result<Operator> {
        self.operator(ADMIN).await
    }

    /// A user of the server, signed in.
    ///
    /// # Errors
    /// When the server does not let them in.
    pub async fn operator(&self, email: &str) -> Result<Operator> {
        Operator::login(&self.url, email, PASSWORD).await
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

    /// A device with nothing on it but our agent, which is its own identity.
    ///
    /// # Errors
    /// When it does not start.
    pub fn agent(&self, name: &str) -> Result<Program> {
        self.agent_by(name, &self.url)
    }

    /// The same, but the agent reaches the server at another address, a proxy's say.
    ///
    /// # Errors
    /// When it does not start.
    pub fn agent_by(&self, name: &str, server: &str) -> Result<Program> {
        let folder = self.folder(name)?;
        let device = Device::new(&folder, "02:00:00:00:00:00")?;
        let data = folder.join("agent");
        let config = folder.join("agent.conf");
        std::fs::write(&config, connect_config().to_string())?;
        let arguments = [
            OsStr::new("daemon"),
            OsStr::new("--server"),
            OsStr::new(server),
            OsStr::new("--data-dir"),
            data.as_os_str(),
            OsStr::new("--config"),
            config.as_os_str(),
            OsStr::new("--fallback-config"),
            OsStr::new("/nonexistent"),
        ];
        device.start("longwire-agent", ours("longwire-agent")?, &arguments)
    }

    /// Signs the administrator in with mender-cli and returns the home folder that holds the token.
    ///
    /// # Errors
    /// When mender-cli does not succeed.
    pub async fn mender_login(&self) -> Result<PathBuf> {
        let home = self.folder("mender-home")?;
        let arguments = ["login", "--username", ADMIN, "--password", PASSWORD];
        let output = self
            .command("mender-cli".into(), &home, &arguments)
            .output()
            .await?;
        ensure!(output.status.success(), "mender-cli login: {output:?}");
        Ok(home)
    }

    /// Signs the administrator in with our command line, in the same way.
    ///
    /// # Errors
    /// When it does not succeed.
    pub async fn login(&self) -> Result<PathBuf> {
        let home = self.folder("home")?;
        let arguments = ["login", "--username", ADMIN, "--password", PASSWORD];
        let output = self
            .command(ours("longwire")?, &home, &arguments)
            .output()
            .await?;
        ensure!(output.status.success(), "longwire login: {output:?}");
        Ok(home)
    }

    /// A command line program of either kind, to be run without a terminal.
    #[must_use]
    pub fn command(&self, program: PathBuf, home: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(["--server", &self.url])
            .args(arguments)
            .env("HOME", home)
            .env_remove("XDG_CACHE_HOME")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// mender-cli on a terminal of 40 rows and 120 columns.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn mender_cli(&self, home: &Path, arguments: &[&str]) -> Result<Terminal> {
        self.on_terminal("mender-cli".into(), home, arguments).await
    }

    /// Our command line on such a terminal.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn longwire(&self, home: &Path, arguments: &[&str]) -> Result<Terminal> {
        self.on_terminal(ours("longwire")?, home, arguments).await
    }

    /// A command line program of either kind on such a terminal.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn on_terminal(
        &self,
        program: PathBuf,
        home: &Path,
        arguments: &[&str],
    ) -> Result<Terminal> {
        let arguments: Vec<&str> = ["--server", &self.url]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        let home = home.to_string_lossy().into_owned();
        let cache = format!("{home}/.cache");
        Terminal::start(
            program,
            &arguments,
            &[("HOME", home), ("XDG_CACHE_HOME", cache)],
            (40, 120),
        )
        .await
    }

    /// Ends the server as a service manager would.
    ///
    /// # Errors
    /// When it does not end cleanly by the deadline.
    pub async fn end(mut self) -> Result<()> {
        let status = self.server.terminate().await?;
        ensure!(
            status.success(),
            "the server ended with {status}: {}",
            self.server.output()?
        );
        Ok(())
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
