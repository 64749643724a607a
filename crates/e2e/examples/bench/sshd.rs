//! OpenSSH with a configuration, keys and a port of its own.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use longwire_e2e::program::Program;
use longwire_e2e::until::until;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::cpu::Whose;

/// Where Debian's sshd wants an empty folder, which its service makes.
const PRIVILEGE_SEPARATION: &str = "/run/sshd";

/// A running sshd.
#[derive(Debug)]
pub(crate) struct Sshd {
    folder: PathBuf,
    port: u16,
    program: Program,
}

impl Sshd {
    pub(crate) async fn start(folder: &Path) -> Result<Self> {
        fs::create_dir_all(PRIVILEGE_SEPARATION)?;
        for key in ["host_key", "user_key"] {
            let status = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(folder.join(key))
                .status()
                .await
                .context("ssh-keygen, from the Debian package openssh-client")?;
            ensure!(status.success(), "ssh-keygen ended with {status}");
        }
        // Free now; sshd does not say which port it has got when it is asked for any.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {host}\nPidFile none\nUsePAM no\n\
             StrictModes no\nAuthorizedKeysFile {user}\nPasswordAuthentication no\n\
             PrintMotd no\nPrintLastLog no\nPermitUserRC no\n\
             # A shell that is not the first reads no start-up files.\nSetEnv SHLVL=2\n",
            host = folder.join("host_key").display(),
            user = folder.join("user_key.pub").display(),
        );
        let file = folder.join("sshd_config");
        fs::write(&file, config)?;
        // Wants to be called by its whole name.
        let mut command = Command::new("/usr/sbin/sshd");
        command.args(["-D", "-e", "-f"]).arg(&file);
        let program = Program::start("sshd", folder, command)?;
        let listening = until("sshd", async || {
            Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok())
        });
        listening
            .await
            .with_context(|| program.output().unwrap_or_default())?;
        Ok(Self {
            folder: folder.to_path_buf(),
            port,
            program,
        })
    }

    /// ssh, which runs a command on a terminal.
    pub(crate) fn ssh(&self, command: &str) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-tt", "-q", "-p", &self.port.to_string()])
            .args(["-o", "StrictHostKeyChecking=no", "-o", "EscapeChar=none"])
            .args([
                "-o",
                "UserKnownHostsFile=/dev/null",
                "-o",
                "IdentitiesOnly=yes",
            ])
            .arg("-i")
            .arg(self.folder.join("user_key"))
            .args(["root@127.0.0.1", command]);
        ssh
    }

    /// All its processes.
    pub(crate) async fn processes(&self) -> Result<Whose> {
        Ok(Whose::Family(self.program.pid().await?))
    }

    pub(crate) async fn end(mut self) -> Result<()> {
        self.program.terminate().await?;
        Ok(())
    }
}
