//! Defaults and checks, in mender-connect's order.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::Keys;
use super::{Config, ConfigError, User, account};

/// Shells of all operators together, unless configured.
const DEFAULT_MAX_SHELLS: usize = 16;
/// Unless configured, a silent foreground job keeps an idle shell this long.
const DEFAULT_IDLE_JOB: Duration = Duration::from_secs(8 * 3600);

/// What a missing key means.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Defaults {
    /// As in mender-connect 2.1.0: `User` is required, the shell is `/bin/sh --login`.
    MenderConnect,
    /// No configuration is needed: the agent's own user, their login shell, and as many shells
    /// for one operator as for all.
    OwnIdentity,
}

/// What is asked of the machine.
pub(super) struct System<'a> {
    pub(super) etc_shells: &'a Path,
    pub(super) user: &'a dyn Fn(&str) -> Option<User>,
    pub(super) own_user: &'a dyn Fn() -> Option<User>,
    pub(super) own_uid: u32,
}

impl System<'static> {
    pub(super) fn real() -> Self {
        Self {
            etc_shells: Path::new("/etc/shells"),
            user: &account::by_name,
            own_user: &account::own,
            own_uid: nix::unistd::Uid::effective().as_raw(),
        }
    }
}

pub(super) fn resolve(
    keys: Keys,
    defaults: Defaults,
    system: &System<'_>,
) -> Result<Config, ConfigError> {
    let own_identity = defaults == Defaults::OwnIdentity;
    let shell_command = match keys.shell_command {
        command if !command.is_empty() => command,
        // Whose shell it is shows only when the user is known, so its checks come after theirs.
        _ if own_identity => String::new(),
        _ => {
            log::warn!("ShellCommand is empty, defaulting to /bin/sh");
            "/bin/sh".to_owned()
        }
    };
    let (shell_arguments, login_shell) = match keys.shell_arguments {
        Some(arguments) => (arguments, false),
        None if own_identity => (Vec::new(), true),
        None => {
            log::warn!("ShellArguments is empty, defaulting to [--login]");
            (vec!["--login".to_owned()], false)
        }
    };

    if !shell_command.is_empty() {
        check_program(&shell_command)?;
    }
    let user = find_user(&keys.user, own_identity, system)?;
    let shell_command = if shell_command.is_empty() {
        let command = user.shell.to_string_lossy().into_owned();
        check_program(&command)?;
        command
    } else {
        shell_command
    };
    check_listed(&shell_command, system.etc_shells)?;
    if system.own_uid != 0 && system.own_uid != user.uid {
        return Err(ConfigError::CannotChangeUser {
            wanted: user.name,
            own: (system.own_user)().map_or_else(|| system.own_uid.to_string(), |own| own.name),
        });
    }

    let max_shells = match keys.max_shells {
        0 => DEFAULT_MAX_SHELLS,
        shells => saturating_usize(shells),
    };
    let expiry = |seconds: u32| {
        (keys.stop_expired && seconds > 0).then(|| Duration::from_secs(seconds.into()))
    };
    Ok(Config {
        shell_command: PathBuf::from(shell_command),
        shell_arguments,
        login_shell,
        user,
        width: if keys.terminal_width == 0 {
            80
        } else {
            keys.terminal_width
        },
        height: if keys.terminal_height == 0 {
            40
        } else {
            keys.terminal_height
        },
        terminal_disabled: keys.terminal_disable,
        mender_client_disabled: keys.mender_client_disable,
        max_per_user: match keys.max_per_user {
            0 if own_identity => max_shells,
            0 => 1,
            shells => saturating_usize(shells),
        },
        max_shells,
        expire_after: expiry(keys.expire_after),
        expire_after_idle: expiry(keys.expire_after_idle),
        expire_after_idle_job: keys
            .expire_after_idle_job
            .map_or(DEFAULT_IDLE_JOB, |seconds| {
                Duration::from_secs(seconds.into())
            }),
    })
}

fn saturating_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn check_program(command: &str) -> Result<(), ConfigError> {
    if !command.starts_with('/') {
        return Err(ConfigError::ShellNotAbsolute(command.to_owned()));
    }
    match std::fs::metadata(command) {
        Ok(metadata) if metadata.permissions().mode() & 0o111 != 0 => Ok(()),
        _ => Err(ConfigError::ShellNotExecutable(command.to_owned())),
    }
}

fn find_user(name: &str, own_identity: bool, system: &System<'_>) -> Result<User, ConfigError> {
    match name {
        "" if own_identity => (system.own_user)().ok_or(ConfigError::Nameless(system.own_uid)),
        "" => Err(ConfigError::NoUser),
        name => (system.user)(name).ok_or_else(|| ConfigError::UnknownUser(name.to_owned())),
    }
}

/// A shell must be a whole line of /etc/shells. Where that file is missing, only /bin/sh passes.
fn check_listed(command: &str, etc_shells: &Path) -> Result<(), ConfigError> {
    match std::fs::read(etc_shells) {
        Ok(text)
            if text
                .split(|byte| *byte == b'\n')
                .any(|line| line == command.as_bytes()) =>
        {
            Ok(())
        }
        Ok(_) => Err(ConfigError::ShellNotListed(command.to_owned())),
        Err(_) if command == "/bin/sh" => Ok(()),
        Err(error) => Err(ConfigError::unreadable(etc_shells, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> User {
        User {
            name: "alice".into(),
            uid: 1000,
            gid: 1000,
            groups: vec![1000, 20],
            home: "/home/alice".into(),
            shell: "/bin/sh".into(),
        }
    }

    fn keys() -> Keys {
        Keys {
            user: "alice".into(),
            shell_command: "/bin/sh".into(),
            ..Keys::default()
        }
    }

    /// Resolves on a machine with one user, alice, where /etc/shells says `shells`.
    fn resolved(keys: Keys, defaults: Defaults, shells: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let etc_shells = folder.path().join("shells");
        std::fs::write(&etc_shells, shells).unwrap();
        let system = System {
            etc_shells: &etc_shells,
            user: &|name| (name == "alice").then(alice),
            own_user: &|| Some(alice()),
            own_uid: 1000,
        };
        resolve(keys, defaults, &system)
    }

    fn as_mender_connect(keys: Keys) -> Result<Config, ConfigError> {
        resolved(keys, Defaults::MenderConnect, "# comment\n/bin/sh\n")
    }

    #[test]
    fn item_52_defaults_are_those_of_2_1_0() {
        let config = as_mender_connect(Keys {
            user: "alice".into(),
            ..Keys::default()
        })
        .unwrap();
        assert_eq!(
            config,
            Config {
                shell_command: "/bin/sh".into(),
                shell_arguments: vec!["--login".into()],
                login_shell: false,
                user: alice(),
                width: 80,
                height: 40,
                terminal_disabled: false,
                mender_client_disabled: false,
                max_per_user: 1,
                max_shells: 16,
                expire_after: None,
                expire_after_idle: None,
                expire_after_idle_job: Duration::from_secs(28_800),
            }
        );
        let none = Keys {
            shell_arguments: Some(Vec::new()),
            ..keys()
        };
        assert!(as_mender_connect(none).unwrap().shell_arguments.is_empty());
    }

    #[test]
    fn item_52_shells_expire_only_when_told_to() {
        let expiring = |stop_expired| {
            let keys = Keys {
                stop_expired,
                expire_after: 9,
                expire_after_idle: 5,
                ..keys()
            };
            as_mender_connect(keys).unwrap()
        };
        assert_eq!(expiring(false).expire_after, None);
        assert_eq!(expiring(false).expire_after_idle, None);
        assert_eq!(expiring(true).expire_after, Some(Duration::from_secs(9)));
        assert_eq!(
            expiring(true).expire_after_idle,
            Some(Duration::from_secs(5))
        );
        let config = as_mender_connect(Keys {
            stop_expired: true,
            ..keys()
        })
        .unwrap();
        assert_eq!(
            (config.expire_after, config.expire_after_idle),
            (None, None)
        );
    }

    #[test]
    fn item_52_checks_come_in_mender_connects_order_with_its_texts() {
        // Each step repairs what the one before complained about.
        let mut keys = Keys {
            shell_command: "sh".into(),
            ..Keys::default()
        };
        let complaint = |keys: &Keys| {
            let copy = Keys {
                shell_command: keys.shell_command.clone(),
                user: keys.user.clone(),
                ..Keys::default()
            };
            as_mender_connect(copy).unwrap_err().to_string()
        };
        assert_eq!(complaint(&keys), "given shell (sh) is not an absolute path");
        keys.shell_command = "/etc/passwd".into();
        assert_eq!(
            complaint(&keys),
            "given shell (/etc/passwd) is not executable"
        );
        keys.shell_command = "/usr/bin/env".into();
        assert_eq!(
            complaint(&keys),
            "please provide a user to run the shell as"
        );
        keys.user = "bob".into();
        assert_eq!(complaint(&keys), "user: unknown user bob");
        keys.user = "alice".into();
        assert_eq!(
            complaint(&keys),
            "ShellCommand /usr/bin/env is not present in /etc/shells"
        );
    }

    #[test]
    fn item_52_without_etc_shells_only_bin_sh_passes() {
        let missing = Path::new("/nonexistent/shells");
        assert_eq!(check_listed("/bin/sh", missing), Ok(()));
        assert_eq!(
            check_listed("/bin/bash", missing).unwrap_err().to_string(),
            "open /nonexistent/shells: no such file or directory"
        );
    }

    #[test]
    fn an_own_identity_needs_no_configuration() {
        let config = resolved(Keys::default(), Defaults::OwnIdentity, "/bin/sh\n").unwrap();
        assert_eq!(config.user, alice());
        assert_eq!(config.shell_command, PathBuf::from("/bin/sh"));
        assert!(config.login_shell && config.shell_arguments.is_empty());
        assert_eq!((config.max_per_user, config.max_shells), (16, 16));

        let two = Keys {
            max_per_user: 2,
            max_shells: 5,
            ..Keys::default()
        };
        let config = resolved(two, Defaults::OwnIdentity, "/bin/sh\n").unwrap();
        assert_eq!((config.max_per_user, config.max_shells), (2, 5));
        assert_eq!(
            resolved(Keys::default(), Defaults::OwnIdentity, "").unwrap_err(),
            ConfigError::ShellNotListed("/bin/sh".into())
        );
    }

    #[test]
    fn without_root_only_the_own_user_gets_shells() {
        let system = System {
            etc_shells: Path::new("/nonexistent"),
            user: &|_| Some(alice()),
            own_user: &|| {
                Some(User {
                    name: "www".into(),
                    uid: 33,
                    ..alice()
                })
            },
            own_uid: 33,
        };
        let error = resolve(keys(), Defaults::MenderConnect, &system).unwrap_err();
        assert_eq!(
            error,
            ConfigError::CannotChangeUser {
                wanted: "alice".into(),
                own: "www".into()
            }
        );
    }
}
