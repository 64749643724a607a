//! Where files lie.

use std::path::{Path, PathBuf};

/// The folders that everything else is found in, as the environment gives them.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) home: PathBuf,
    cache: PathBuf,
    config: PathBuf,
    /// Configuration for all users of the machine.
    system: PathBuf,
    /// Where the program was started.
    here: PathBuf,
}

impl Places {
    pub(crate) fn from_env() -> Self {
        let dir = |name| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path: &PathBuf| path.is_absolute())
        };
        let home = dir("HOME").unwrap_or_else(|| PathBuf::from("/"));
        Places {
            cache: dir("XDG_CACHE_HOME").unwrap_or_else(|| home.join(".cache")),
            config: dir("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")),
            system: PathBuf::from("/etc"),
            here: PathBuf::from("."),
            home,
        }
    }

    /// All below one folder.
    #[cfg(test)]
    pub(crate) fn below(folder: &Path) -> Self {
        let home = folder.join("home");
        Places {
            cache: home.join(".cache"),
            config: home.join(".config"),
            system: folder.join("etc"),
            here: folder.join("here"),
            home,
        }
    }

    /// Our tokens.
    pub(crate) fn logins(&self) -> PathBuf {
        self.config.join("longwire").join("logins.json")
    }

    /// mender-cli's token.
    pub(crate) fn mender_token(&self) -> PathBuf {
        self.cache.join("mender").join("authtoken")
    }

    /// Where mender-cli looks for its configuration, in its order. Whether a file may say whose
    /// token lies on this machine: the one in the current folder may be anybody's.
    pub(crate) fn mender_configs(&self) -> [(PathBuf, bool); 3] {
        let name = Path::new(".mender-clirc");
        [
            (self.system.join("mender-cli").join(name), true),
            (self.home.join(name), true),
            (self.here.join(name), false),
        ]
    }
}
