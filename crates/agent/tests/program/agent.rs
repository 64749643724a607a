//! The agent as a process.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};

use crate::server::soon;

/// A command that sees no configuration of the machine it runs on.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longwire-agent"));
    command
        .env_remove("SSL_CERT_FILE")
        .env_remove("SSL_CERT_DIR")
        .env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs the agent to its end; returns its exit code, standard output and standard error.
pub(crate) async fn run<A: AsRef<OsStr>>(arguments: &[A]) -> (i32, String, String) {
    let output = command().args(arguments).output();
    let output = soon("the agent's end", output).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// A running agent with its own identity in `folder`.
pub(crate) struct Agent {
    child: Child,
    log: tokio::io::Lines<BufReader<ChildStderr>>,
}

impl Agent {
    pub(crate) fn start(folder: &Path, server: &str, more: impl FnOnce(&mut Command)) -> Self {
        // A shell every machine has, whatever the passwd entry of the user who tests says.
        let config = folder.join("agent.conf");
        std::fs::write(&config, r#"{"ShellCommand":"/bin/sh"}"#).unwrap();
        let mut command = command();
        command
            .args([
                "daemon",
                "--server",
                server,
                "--fallback-config",
                "/nonexistent",
                "--config",
            ])
            .arg(&config)
            .arg("--data-dir")
            .arg(folder.join("data"));
        more(&mut command);
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, log }
    }

    /// Waits for a log line that contains `part`, and returns it.
    pub(crate) async fn says(&mut self, part: &str) -> String {
        let found = async {
            let mut seen = Vec::new();
            while let Some(line) = self.log.next_line().await.unwrap() {
                if line.contains(part) {
                    return line;
                }
                seen.push(line);
            }
            panic!(
                "the agent ended without saying {part:?}, but\n{}",
                seen.join("\n")
            );
        };
        soon(part, found).await
    }

    /// Asks for a status report.
    pub(crate) fn ask_for_status(&self) {
        self.send(Signal::SIGUSR1);
    }

    fn send(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Asks it to end; returns its exit code and what it still had to say.
    pub(crate) async fn end(mut self) -> (i32, String) {
        self.send(Signal::SIGTERM);
        let status = soon("the agent's end", self.child.wait()).await.unwrap();
        let mut rest = String::new();
        self.log
            .into_inner()
            .read_to_string(&mut rest)
            .await
            .unwrap();
        (status.code().unwrap(), rest)
    }
}
