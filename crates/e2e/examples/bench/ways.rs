//! The ways to a shell that are compared.

use std::cell::Cell;
use std::time::Duration;

use anyhow::{Context, Result};
use longwire_e2e::endpoint::{self, Endpoint, Speaks};
use longwire_e2e::lab::Lab;
use longwire_e2e::line::{Line, far_end};
use longwire_e2e::operator::Operator;
use longwire_e2e::peers::{Device, connect_config};
use longwire_e2e::program::{Program, ours};
use longwire_protocol::shell::Winsize;
use serde_json::json;
use tokio::process::Command;

use crate::cpu::Whose;
use crate::sshd::Sshd;
use crate::{authority, piped, raw_pty};

const SIZE: Winsize = Winsize { rows: 24, cols: 80 };

/// mender-connect may start a shell and stay mute; then another one is asked for.
const MUTE_AFTER: Duration = Duration::from_secs(8);
const TRIES: usize = 5;

/// What stands between a shell and its viewer.
enum Between {
    Nothing,
    OpenSsh(Sshd),
    /// An agent and the least that it can be connected to.
    Endpoint {
        device: endpoint::Device,
        agent: Program,
        opened: Cell<usize>,
    },
    /// An agent, our server and our command line.
    Server {
        id: String,
        agent: Program,
    },
}

/// One way to a shell.
pub(crate) struct Way {
    name: &'static str,
    between: Between,
    server: Option<(String, String, Whose)>,
    slow: bool,
}

/// All of them, and what they need.
pub(crate) struct Ways {
    lab: Lab,
    admin: Operator,
    ways: Vec<Way>,
    buses: Vec<Device>,
    _rest: (Endpoint, Endpoint, zbus::Connection),
}

impl Ways {
    /// Starts everybody.
    pub(crate) async fn start() -> Result<Self> {
        let lab = Lab::start().await?;
        let admin = lab.admin().await?;
        let sshd = Sshd::start(&lab.folder("ssh")?).await?;
        let mut config = connect_config();
        if let Some(keys) = config.as_object_mut() {
            keys.insert("Sessions".to_owned(), json!({ "MaxPerUser": 8 }));
        }

        let mut plain = Endpoint::start(Speaks::Plain).await?;
        let folder = lab.folder("theirs-alone")?;
        let mut theirs_alone = Device::new(&folder, "02:00:00:00:00:01")?;
        theirs_alone.start_bus().await?;
        let authority = authority::serve(&folder, &plain.url).await?;
        let theirs_alone_agent = theirs_alone.start_connect(&config)?;
        let theirs_alone_link = plain.device().await?;

        let theirs = lab.device("02:00:00:00:00:02").await?;
        let theirs_id = admin.accept("02:00:00:00:00:02").await?;
        let theirs_agent = theirs.start_connect(&config)?;
        admin.connected(&theirs_id).await?;

        let ours_agent = lab.agent("ours")?;
        let ours_id = admin.accept_first().await?;
        admin.connected(&ours_id).await?;

        let mut v1 = Endpoint::start(Speaks::Longwire).await?;
        let ours_alone_agent = lab.agent_by("ours-alone", &v1.url)?;
        let ours_alone_link = v1.device().await?;

        let server = Whose::Program(lab.server.pid().await?);
        let server = || Some((lab.url.clone(), admin.token.clone(), server.clone()));
        let way = |name, between| Way {
            name,
            between,
            server: None,
            slow: false,
        };
        let alone = |device, agent| Between::Endpoint {
            device,
            agent,
            opened: Cell::new(0),
        };
        let ways = vec![
            way("raw pty", Between::Nothing),
            way("OpenSSH", Between::OpenSsh(sshd)),
            way(
                "longwire-agent alone",
                alone(ours_alone_link, ours_alone_agent),
            ),
            Way {
                server: server(),
                ..way(
                    "longwire-agent, server, CLI",
                    Between::Server {
                        id: ours_id,
                        agent: ours_agent,
                    },
                )
            },
            Way {
                slow: true,
                ..way(
                    "mender-connect alone",
                    alone(theirs_alone_link, theirs_alone_agent),
                )
            },
            Way {
                server: server(),
                slow: true,
                ..way(
                    "mender-connect, our server, CLI",
                    Between::Server {
                        id: theirs_id,
                        agent: theirs_agent,
                    },
                )
            },
        ];
        Ok(Self {
            lab,
            admin,
            ways,
            buses: vec![theirs_alone, theirs],
            _rest: (plain, v1, authority),
        })
    }

    pub(crate) fn all(&self) -> &[Way] {
        &self.ways
    }

    /// Ends everybody.
    pub(crate) async fn end(self) -> Result<()> {
        for way in self.ways {
            match way.between {
                Between::Nothing => {}
                Between::OpenSsh(sshd) => sshd.end().await?,
                Between::Endpoint { mut agent, .. } | Between::Server { mut agent, .. } => {
                    agent.terminate().await?;
                }
            }
        }
        for mut device in self.buses {
            device.end().await?;
        }
        drop(self.admin);
        self.lab.end().await
    }
}

impl Way {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// How much is sent to see how fast it goes.
    pub(crate) fn flood(&self) -> u64 {
        if self.slow { 16 << 20 } else { 64 << 20 }
    }

    /// Whose processor time counts as the device's.
    pub(crate) async fn device_end(&self) -> Result<Whose> {
        match &self.between {
            Between::Nothing => Ok(Whose::Nobody),
            Between::OpenSsh(sshd) => sshd.processes().await,
            Between::Endpoint { agent, .. } | Between::Server { agent, .. } => {
                Ok(Whose::Program(agent.pid().await?))
            }
        }
    }

    /// Whose as the server's.
    pub(crate) fn server(&self) -> Whose {
        let whose = self.server.as_ref().map(|(_, _, whose)| whose.clone());
        whose.unwrap_or(Whose::Nobody)
    }

    /// Runs `far_end` with these arguments.
    pub(crate) async fn open(&self, arguments: &[&str]) -> Result<Line> {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut line = self.line(arguments).await?;
            match line.ready(MUTE_AFTER).await {
                Ok(_) => return Ok(line),
                Err(error) if tries == TRIES => return Err(error),
                Err(_) => {}
            }
        }
    }

    async fn line(&self, arguments: &[&str]) -> Result<Line> {
        let far_end = far_end()?;
        let far_end = far_end.to_str().context("a path in UTF-8")?;
        let command = format!("exec {far_end} {}", arguments.join(" "));
        // Whoever replaces an interactive shell has it save its history first.
        let typed = format!("unset HISTFILE; {command}\r");
        match &self.between {
            Between::Nothing => raw_pty::line(arguments),
            Between::OpenSsh(sshd) => piped::line(sshd.ssh(&command)),
            Between::Endpoint { device, opened, .. } => {
                opened.set(opened.get() + 1);
                let line = device
                    .open(&format!("bench-{}", opened.get()), SIZE)
                    .await?;
                line.types(typed).await?;
                Ok(line)
            }
            Between::Server { id, .. } => {
                let (url, token, _) = self.server.as_ref().context("a server")?;
                let mut longwire = Command::new(ours("longwire")?);
                longwire
                    .args(["--server", url, "--token-value", token])
                    .args(["terminal", id]);
                let line = piped::line(longwire)?;
                line.types(typed).await?;
                Ok(line)
            }
        }
    }
}
