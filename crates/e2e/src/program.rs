//! One program under test: started, watched, ended by its pid.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use crate::process::{Process, children, in_namespace_of};
use crate::until::until;

/// Runs what follows as the only child of a namespace's first process, which also reaps what
/// others orphan. The folders bound over are those whose paths are built into mender-client.
const FIRST_PROCESS: &str = r#"
mount --bind "$1" /etc/mender &&
mount --bind "$2" /usr/share/mender/identity || exit 125
shift 2
"$@"
exit $?
"#;

/// A running program whose output goes to a file in the lab's folder.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    /// Standard output and standard error, in the order written.
    pub log: PathBuf,
    contained: bool,
}

/// The folders a contained program sees as `/etc/mender` and `/usr/share/mender/identity`.
#[derive(Debug, Clone)]
pub struct Containment {
    /// Bound over `/etc/mender`.
    pub etc: PathBuf,
    /// Bound over `/usr/share/mender/identity`.
    pub identity: PathBuf,
}

/// The path of one of our programs: in the folder that `LONGWIRE_PROGRAMS` names, or beside the test
/// that runs.
///
/// # Errors
/// When it has not been built.
pub fn ours(name: &str) -> Result<PathBuf> {
    let folder = match std::env::var_os("LONGWIRE_PROGRAMS") {
        Some(folder) => PathBuf::from(folder),
        None => std::env::current_exe()?
            .parent()
            .and_then(Path::parent)
            .context("a test lies in target/PROFILE/deps")?
            .to_path_buf(),
    };
    let program = folder.join(name);
    ensure!(
        program.is_file(),
        "{} is not built; scripts/test peers does it",
        program.display()
    );
    Ok(program)
}

impl Program {
    /// Starts a program that needs no containment.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, folder: &Path, command: Command) -> Result<Self> {
        Self::spawn(name, folder, command, false)
    }

    /// Starts a program in mount and pid namespaces of its own, so that the paths built into it can
    /// be given other contents, and that whatever it leaves behind can be seen and ends with it.
    ///
    /// # Errors
    /// When it cannot be started. Without root this fails in the program's log.
    pub fn start_contained(
        name: &str,
        folder: &Path,
        containment: &Containment,
        program: impl AsRef<OsStr>,
        arguments: &[&OsStr],
        environment: &[(&str, OsString)],
    ) -> Result<Self> {
        let mut command = Command::new("unshare");
        command
            .args([
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "sh",
                "-c",
            ])
            .args([FIRST_PROCESS, "sh"])
            .args([&containment.etc, &containment.identity])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)));
        Self::spawn(name, folder, command, true)
    }

    fn spawn(name: &str, folder: &Path, mut command: Command, contained: bool) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log)?;
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
            contained,
        })
    }

    /// What it has printed so far.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn output(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.log)?).into_owned())
    }

    /// Waits until it has printed a line that contains `text` and returns that line.
    ///
    /// # Errors
    /// When it ends first, or the deadline passes.
    pub async fn printed(&mut self, text: &str) -> Result<String> {
        until(format!("“{text}” from {}", self.name), async || {
            let output = self.output()?;
            if let Some(line) = output.lines().find(|line| line.contains(text)) {
                return Ok(Some(line.to_owned()));
            }
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "{} ended ({status}) before it printed “{text}”:\n{output}",
                    self.name
                );
            }
            Ok(None)
        })
        .await
    }

    /// The pid of the program itself.
    ///
    /// # Errors
    /// When it has ended.
    pub async fn pid(&self) -> Result<Pid> {
        let outer = self.outer_pid()?;
        if !self.contained {
            return Ok(outer);
        }
        until(format!("{} in its namespace", self.name), async || {
            let first = children(outer).into_iter().next();
            let program = first.and_then(|first| {
                // While the folders are still being bound, the child is a mount.
                children(first)
                    .into_iter()
                    .find(|child| name_of(*child) != "mount")
            });
            Ok(program)
        })
        .await
    }

    fn outer_pid(&self) -> Result<Pid> {
        let id = self
            .child
            .id()
            .with_context(|| format!("{} has ended", self.name))?;
        Ok(Pid::from_raw(id.cast_signed()))
    }

    /// The processes beside a contained program: its shells, and whatever these have started.
    ///
    /// # Errors
    /// When the program has ended, or is not contained.
    pub async fn others(&self) -> Result<Vec<Process>> {
        ensure!(
            self.contained,
            "{} shares its pid namespace with everything else",
            self.name
        );
        let program = self.pid().await?;
        let mut processes = in_namespace_of(program)?;
        processes.retain(|process| process.pid != program && process.inner_pid != 1);
        Ok(processes)
    }

    /// Waits until nothing runs beside a contained program, zombies included.
    ///
    /// # Errors
    /// When something is still there at the deadline.
    pub async fn alone(&self) -> Result<()> {
        let mut last = Vec::new();
        let waited = until("no process left behind", async || {
            last = self.others().await?;
            Ok(last.is_empty().then_some(()))
        })
        .await;
        waited.with_context(|| format!("beside {}: {last:?}", self.name))
    }

    /// Sends a signal to the program itself.
    ///
    /// # Errors
    /// When it has ended.
    pub async fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(self.pid().await?, signal)?)
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When it has not at the deadline.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        let Self { name, child, .. } = self;
        until(format!("the end of {name}"), async || Ok(child.try_wait()?)).await
    }

    /// Asks it to end, as a service manager would, and waits for it.
    ///
    /// # Errors
    /// When it does not end by the deadline.
    pub async fn terminate(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM).await?;
        self.ended().await
    }

    /// Kills it, and with it everything in its namespaces.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}

fn name_of(pid: Pid) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm"))
        .unwrap_or_default()
        .trim()
        .to_owned()
}
