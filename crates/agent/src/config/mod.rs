//! Configuration: mender-connect's two files, the same keys, the same defaults (those of 2.1.0).
//!
//! [`load`] reads the files ([`file`]), fills in what they leave open and checks the result in
//! mender-connect's order ([`resolve`]). `docs/agent-configuration.md` lists the keys.

mod account;
mod file;
mod resolve;

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;

pub use account::User;

use crate::cli::Options;

/// Everything the rest of the agent needs to know; nothing in it is left to be defaulted.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Absolute path of the program started as shell.
    pub shell_command: PathBuf,
    /// Its arguments, without the program's name.
    pub shell_arguments: Vec<String>,
    /// Start it as a login shell by a `-` before its name in `argv[0]`.
    pub login_shell: bool,
    /// Whom shells run as.
    pub user: User,
    /// Columns of a terminal whose opener names no size.
    pub width: u16,
    /// Rows of a terminal whose opener names no size.
    pub height: u16,
    /// No terminals at all.
    pub terminal_disabled: bool,
    /// No orders to the Mender client.
    pub mender_client_disabled: bool,
    /// Shells one operator may have at a time; at least 1.
    pub max_per_user: usize,
    /// Shells of all operators together; at least 1.
    pub max_shells: usize,
    /// Age at which a shell is ended.
    pub expire_after: Option<Duration>,
    /// Time without input and output after which a shell is ended.
    pub expire_after_idle: Option<Duration>,
    /// How long a silent foreground job may delay [`Self::expire_after_idle`].
    pub expire_after_idle_job: Duration,
}

/// Why the agent cannot start. The texts are mender-connect's where it has one.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// A file is not JSON.
    #[error("Error parsing mender configuration file: {0}")]
    Syntax(String),
    /// A key has a value of the wrong type or range.
    #[error("Error parsing config file: {0}")]
    Type(String),
    /// A file exists and cannot be read, in Go's words: `open FILE: permission denied`.
    #[error("open {path}: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// The operating system's reason.
        reason: String,
    },
    /// `ShellCommand` is relative.
    #[error("given shell ({0}) is not an absolute path")]
    ShellNotAbsolute(String),
    /// `ShellCommand` does not exist or nobody may execute it.
    #[error("given shell ({0}) is not executable")]
    ShellNotExecutable(String),
    /// `User` is missing.
    #[error("please provide a user to run the shell as")]
    NoUser,
    /// `User` has no passwd entry.
    #[error("user: unknown user {0}")]
    UnknownUser(String),
    /// `ShellCommand` is not a line of /etc/shells.
    #[error("ShellCommand {0} is not present in /etc/shells")]
    ShellNotListed(String),
    /// An agent that is not root cannot start shells as somebody else.
    #[error(
        "shells are to run as {wanted}, but the agent runs as {own} and only root can change \
         user: set User to {own} or start the agent as root"
    )]
    CannotChangeUser {
        /// The configured user.
        wanted: String,
        /// The agent's own user.
        own: String,
    },
    /// The agent runs under a user id without passwd entry and no `User` is set.
    #[error("user id {0} has no passwd entry: set User in the configuration file")]
    Nameless(u32),
}

impl ConfigError {
    fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        let reason = match error.raw_os_error() {
            Some(number) => Errno::from_raw(number).desc().to_lowercase(),
            None => error.to_string(),
        };
        Self::Unreadable {
            path: path.display().to_string(),
            reason,
        }
    }
}

/// Reads both files and resolves them for the way the agent was started.
///
/// # Errors
/// The first thing wrong, in mender-connect's order of checks.
pub fn load(options: &Options) -> Result<Config, ConfigError> {
    let mut keys = file::Keys::default();
    let mut found = false;
    for path in [&options.fallback_config, &options.config] {
        match file::read(path, &mut keys) {
            Ok(true) => {
                found = true;
                log::info!("Loaded configuration file: {}", path.display());
            }
            Ok(false) => log::debug!("Configuration file does not exist: {}", path.display()),
            Err(error) => {
                log::error!(
                    "Error loading configuration from file: {} ({error})",
                    path.display()
                );
                return Err(error);
            }
        }
    }
    if !found && options.server.is_none() {
        log::info!("No configuration files present. Using defaults");
    }
    let defaults = match options.server {
        Some(_) => resolve::Defaults::OwnIdentity,
        None => resolve::Defaults::MenderConnect,
    };
    resolve::resolve(keys, defaults, &resolve::System::real())
}
