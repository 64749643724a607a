//! Debian's unmodified programs, set up to live beside each other in a folder.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use serde_json::json;
use tokio::process::Command;

use crate::program::{Containment, Program};
use crate::until::until;

/// Lets everyone own names, send and receive: the bus is private to one device of one lab.
const BUS_POLICY: &str = r#"<policy context="default">
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow send_type="method_call"/>
    <allow receive_sender="*"/>
    <allow receive_type="signal"/>
  </policy>"#;

/// One device's folder: its bus, its identity and the state of its programs.
#[derive(Debug)]
pub struct Device {
    folder: PathBuf,
    containment: Containment,
    /// What its programs find in their environment beside the address of the bus.
    pub environment: Vec<(&'static str, &'static str)>,
    /// The device's private D-Bus.
    pub bus: Option<Program>,
    /// mender-client, once started.
    pub client: Option<Program>,
}

impl Device {
    /// Lays out the folder of a device whose identity is `{"mac": mac}`.
    ///
    /// # Errors
    /// When files cannot be written.
    pub fn new(folder: &Path, mac: &str) -> Result<Self> {
        let containment = Containment {
            etc: folder.join("etc"),
            identity: folder.join("identity"),
        };
        fs::create_dir_all(&containment.etc)?;
        fs::create_dir_all(&containment.identity)?;
        fs::create_dir_all(folder.join("data"))?;
        fs::write(containment.etc.join("artifact_info"), "artifact_name=lab\n")?;
        fs::write(folder.join("data/device_type"), "device_type=lab\n")?;
        let script = containment.identity.join("mender-device-identity");
        fs::write(&script, format!("#!/bin/sh\necho mac={mac}\n"))?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
        Ok(Self {
            folder: folder.to_path_buf(),
            containment,
            environment: Vec::new(),
            bus: None,
            client: None,
        })
    }

    /// Starts the device's own system bus.
    ///
    /// # Errors
    /// When dbus-daemon does not come up.
    pub async fn start_bus(&mut self) -> Result<()> {
        let socket = self.folder.join("bus");
        let config = self.folder.join("bus.conf");
        fs::write(
            &config,
            format!(
                "<busconfig>\n  <type>system</type>\n  <listen>unix:path={}</listen>\n  \
                 <auth>EXTERNAL</auth>\n  {BUS_POLICY}\n</busconfig>\n",
                socket.display()
            ),
        )?;
        let mut command = Command::new("dbus-daemon");
        command
            .arg("--config-file")
            .arg(&config)
            .args(["--nofork", "--nopidfile"]);
        self.bus = Some(Program::start("dbus-daemon", &self.folder, command)?);
        until("the bus", async || Ok(socket.exists().then_some(()))).await
    }

    /// Starts mender-client against a server.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_client(&mut self, server: &str) -> Result<()> {
        let config = self.folder.join("mender.conf");
        let intervals = json!({
            "ServerURL": server,
            "InventoryPollIntervalSeconds": 1,
            "UpdatePollIntervalSeconds": 1,
            "RetryPollIntervalSeconds": 1,
        });
        fs::write(&config, intervals.to_string())?;
        let data = self.folder.join("data");
        let arguments = [
            OsStr::new("--config"),
            config.as_os_str(),
            OsStr::new("--data"),
            data.as_os_str(),
            OsStr::new("--no-syslog"),
            OsStr::new("daemon"),
        ];
        self.client = Some(self.start("mender-client", "mender", &arguments)?);
        Ok(())
    }

    /// Starts the real mender-connect with the given configuration.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_connect(&self, config: &serde_json::Value) -> Result<Program> {
        self.start_terminal_end("mender-connect", OsStr::new("mender-connect"), config)
    }

    /// Starts our agent in mender-connect's place, with the same command line and configuration.
    ///
    /// # Errors
    /// When it is not built or cannot be started.
    pub fn start_agent(&self, config: &serde_json::Value) -> Result<Program> {
        let agent = crate::program::ours("longwire-agent")?;
        self.start_terminal_end("longwire-agent", agent.as_os_str(), config)
    }

    /// Starts any program inside the device.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        &self,
        name: &str,
        program: impl AsRef<OsStr>,
        arguments: &[&OsStr],
    ) -> Result<Program> {
        let mut bus = OsString::from("unix:path=");
        bus.push(self.folder.join("bus"));
        let mut environment = vec![("DBUS_SYSTEM_BUS_ADDRESS", bus)];
        environment.extend(
            self.environment
                .iter()
                .map(|(name, value)| (*name, value.into())),
        );
        Program::start_contained(
            name,
            &self.folder,
            &self.containment,
            program,
            arguments,
            &environment,
        )
    }

    /// Has mender-client fetch a token, as any program on the device may.
    ///
    /// # Errors
    /// When it refuses.
    pub async fn fetch_token(&self) -> Result<()> {
        let mut address = OsString::from("--bus=unix:path=");
        address.push(self.folder.join("bus"));
        let output = Command::new("dbus-send")
            .arg(address)
            .args(["--print-reply", "--dest=io.mender.AuthenticationManager"])
            .args([
                "/io/mender/AuthenticationManager",
                "io.mender.Authentication1.FetchJwtToken",
            ])
            .output()
            .await?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// Ends mender-client and the bus, and sees that nothing was left beside them.
    ///
    /// # Errors
    /// When something does not end by the deadline.
    pub async fn end(&mut self) -> Result<()> {
        if let Some(client) = &mut self.client {
            client.alone().await?;
            client.terminate().await?;
        }
        if let Some(bus) = &mut self.bus {
            bus.terminate().await?;
        }
        Ok(())
    }

    fn start_terminal_end(
        &self,
        name: &str,
        program: &OsStr,
        config: &serde_json::Value,
    ) -> Result<Program> {
        let file = self.folder.join("connect.conf");
        fs::write(&file, config.to_string())?;
        let arguments = [
            OsStr::new("--debug"),
            OsStr::new("--config"),
            file.as_os_str(),
            OsStr::new("--fallback-config"),
            OsStr::new("/nonexistent"),
            OsStr::new("daemon"),
        ];
        self.start(name, program, &arguments)
    }
}

/// What Debian's package configures, for root instead of nobody: one shell a user. Without anybody's
/// start-up files, which may read what is typed, and take any time.
#[must_use]
pub fn connect_config() -> serde_json::Value {
    json!({
        "ShellCommand": "/bin/bash",
        "ShellArguments": ["--noprofile", "--norc"],
        "User": "root",
    })
}
