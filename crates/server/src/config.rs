//! The server's settings.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::devices::admission;

/// Settings of a running server, resolved from flags, environment and file.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to accept connections.
    pub listen: SocketAddr,
    /// Folder of the database and the keys.
    pub data_dir: PathBuf,
    /// Certificate chain and private key (PEM files) when the server speaks TLS itself.
    pub tls: Option<TlsFiles>,
    /// Origin under which browsers reach the server (`https://host[:port]`), without a path.
    pub public_url: Option<String>,
    /// Plain HTTP is allowed on addresses other than loopback.
    pub insecure_http: bool,
    /// How many unknown devices are remembered.
    pub admission: admission::Limits,
    /// How long a session lives on with nobody looking at it.
    pub detach_grace: Duration,
    /// What recorded output survives.
    pub sync: Sync,
}

/// What output has to survive before its device may let it go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sync {
    /// A killed server: the system has it.
    #[default]
    Killed,
    /// A power failure as well: the disk has it.
    PowerLoss,
}

/// The two PEM files TLS needs.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// Certificate chain, the server's own first.
    pub cert: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

impl Config {
    /// Whether browsers reach the server over TLS, so that cookies can be `Secure`.
    #[must_use]
    pub fn browsers_use_tls(&self) -> bool {
        match &self.public_url {
            Some(url) => url.starts_with("https://"),
            None => self.tls.is_some(),
        }
    }
}
