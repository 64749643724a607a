//! Settings: flags win over `LONGWIRE_*` variables (both are clap's), these over the file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use longwire_server::config::{Config, Sync, TlsFiles};
use longwire_server::devices::admission;
use longwire_server::session::DETACH_GRACE;
use serde::Deserialize;

const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
const DEFAULT_DATA_DIR: &str = "longwire-data";

/// Where the settings and the data are.
#[derive(Args)]
pub(super) struct PlaceArgs {
    /// Configuration file (TOML; keys are the flags' names with underscores).
    #[arg(long, value_name = "FILE", env = "LONGWIRE_CONFIG", global = true)]
    config: Option<PathBuf>,
    /// Folder of the database and the keys [default: longwire-data].
    #[arg(long, value_name = "DIR", env = "LONGWIRE_DATA_DIR", global = true)]
    data_dir: Option<PathBuf>,
}

/// Flags of `serve`.
#[derive(Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Where to accept connections [default: 127.0.0.1:8080]; port 0 picks a free one.
    #[arg(long, value_name = "ADDR", env = "LONGWIRE_LISTEN")]
    listen: Option<SocketAddr>,
    /// Certificate chain (PEM), for TLS.
    #[arg(long, value_name = "FILE", env = "LONGWIRE_TLS_CERT")]
    tls_cert: Option<PathBuf>,
    /// Private key (PEM), for TLS.
    #[arg(long, value_name = "FILE", env = "LONGWIRE_TLS_KEY")]
    tls_key: Option<PathBuf>,
    /// Origin under which browsers reach the server, such as https://fleet.example.
    #[arg(long, value_name = "URL", env = "LONGWIRE_PUBLIC_URL")]
    public_url: Option<String>,
    /// Allow plain HTTP on addresses other than loopback (something in front speaks TLS).
    #[arg(long, env = "LONGWIRE_INSECURE_HTTP")]
    insecure_http: bool,
    /// How long a terminal session lives on with nobody looking at it, such as 90m or 7d [default: 24h].
    /// What its agent has configured ends it all the same.
    #[arg(long, value_name = "TIME", env = "LONGWIRE_DETACH_GRACE")]
    detach_grace: Option<String>,
    /// What recorded output survives before its device may let it go: a killed server, or a power loss
    /// as well [default: killed].
    #[arg(long, value_name = "WHAT", env = "LONGWIRE_SYNC", value_parser = ["killed", "power-loss"])]
    sync: Option<String>,
}

/// The configuration file.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    data_dir: Option<PathBuf>,
    listen: Option<SocketAddr>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    public_url: Option<String>,
    insecure_http: bool,
    detach_grace: Option<String>,
    sync: Option<Sync>,
}

impl File {
    fn read(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))
    }
}

impl PlaceArgs {
    /// The data folder.
    pub(super) fn data_dir(&self) -> anyhow::Result<PathBuf> {
        let file = File::read(self.config.as_deref())?;
        Ok(self.or_default(file.data_dir))
    }

    fn or_default(&self, from_file: Option<PathBuf>) -> PathBuf {
        self.data_dir
            .clone()
            .or(from_file)
            .unwrap_or_else(|| DEFAULT_DATA_DIR.into())
    }
}

impl ServeArgs {
    /// The settings of a server.
    pub(super) fn resolve(self) -> anyhow::Result<Config> {
        let file = File::read(self.place.config.as_deref())?;
        let tls = match (
            self.tls_cert.or(file.tls_cert),
            self.tls_key.or(file.tls_key),
        ) {
            (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
            (None, None) => None,
            (Some(_), None) => bail!("--tls-cert needs --tls-key"),
            (None, Some(_)) => bail!("--tls-key needs --tls-cert"),
        };
        let public_url = self.public_url.or(file.public_url);
        let detach_grace = self.detach_grace.or(file.detach_grace);
        let sync = match self.sync.as_deref() {
            Some("power-loss") => Some(Sync::PowerLoss),
            Some(_) => Some(Sync::Killed),
            None => file.sync,
        };
        Ok(Config {
            data_dir: self.place.or_default(file.data_dir),
            listen: self.listen.or(file.listen).unwrap_or(DEFAULT_LISTEN),
            tls,
            public_url: public_url.as_deref().map(origin).transpose()?,
            insecure_http: self.insecure_http || file.insecure_http,
            admission: admission::Limits::default(),
            detach_grace: detach_grace
                .as_deref()
                .map_or(Ok(DETACH_GRACE), |text| duration("--detach-grace", text))?,
            sync: sync.unwrap_or_default(),
        })
    }
}

/// A whole number of seconds, minutes, hours or days: `30s`, `90m`, `24h`, `7d`.
fn duration(flag: &str, text: &str) -> anyhow::Result<Duration> {
    let wrong = || format!("{flag} {text:?} is not a time such as 30s, 90m, 24h or 7d");
    let unit = text.chars().last().with_context(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86400,
        _ => bail!(wrong()),
    };
    let number = text.strip_suffix(unit).unwrap_or_default();
    let number: u32 = number.parse().ok().with_context(wrong)?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

/// Checks that a URL is an origin, and writes it as browsers do.
fn origin(url: &str) -> anyhow::Result<String> {
    let url = url.strip_suffix('/').unwrap_or(url).to_ascii_lowercase();
    let wrong = || format!("--public-url {url:?} is not http(s)://HOST[:PORT]");
    let (scheme, authority) = url.split_once("://").with_context(wrong)?;
    let default_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => bail!(wrong()),
    };
    let parsed: axum::http::uri::Authority = authority.parse().with_context(wrong)?;
    if parsed.host().is_empty() || authority.contains('@') {
        bail!(wrong());
    }
    let authority = authority.strip_suffix(default_port).unwrap_or(authority);
    Ok(format!("{scheme}://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Test {
        #[command(flatten)]
        args: ServeArgs,
    }

    fn resolve(flags: &[&str]) -> anyhow::Result<Config> {
        let flags = std::iter::once("test").chain(flags.iter().copied());
        Test::try_parse_from(flags)?.args.resolve()
    }

    #[test]
    fn without_anything_it_listens_on_loopback() {
        let config = resolve(&[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.data_dir, Path::new("longwire-data"));
        assert!(config.tls.is_none() && !config.insecure_http);
    }

    #[test]
    fn flags_win_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.toml");
        std::fs::write(
            &path,
            "listen = \"127.0.0.1:1\"\ndata_dir = \"/srv/a\"\npublic_url = \"https://Fleet.example/\"\n",
        )
        .unwrap();
        let path = path.to_str().unwrap();
        let config = resolve(&["--config", path, "--listen", "127.0.0.1:2"]).unwrap();
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.data_dir, Path::new("/srv/a"));
        assert_eq!(config.public_url.as_deref(), Some("https://fleet.example"));
        std::fs::write(path, "listne = \"127.0.0.1:1\"\n").unwrap();
        let error = resolve(&["--config", path]).unwrap_err();
        assert!(format!("{error:#}").contains("listne"), "{error:#}");
    }

    #[test]
    fn sessions_live_on_for_a_day_and_survive_a_killed_server_unless_told_otherwise() {
        let config = resolve(&[]).unwrap();
        assert_eq!(config.detach_grace, Duration::from_secs(86400));
        assert_eq!(config.sync, Sync::Killed);
        let config = resolve(&["--detach-grace", "90m", "--sync", "power-loss"]).unwrap();
        assert_eq!(config.detach_grace, Duration::from_secs(5400));
        assert_eq!(config.sync, Sync::PowerLoss);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.toml");
        std::fs::write(&path, "detach_grace = \"7d\"\nsync = \"power-loss\"\n").unwrap();
        let path = path.to_str().unwrap();
        let config = resolve(&["--config", path]).unwrap();
        assert_eq!(config.detach_grace, Duration::from_secs(7 * 86400));
        assert_eq!(config.sync, Sync::PowerLoss);
        for bad in ["", "h", "24", "-1h", "1.5h", "24 h", "24ä"] {
            assert!(resolve(&["--detach-grace", bad]).is_err(), "{bad}");
        }
        assert!(resolve(&["--sync", "never"]).is_err());
    }

    #[test]
    fn a_public_url_is_an_origin() {
        for (given, taken) in [
            ("https://fleet.example", "https://fleet.example"),
            ("https://Fleet.Example:443/", "https://fleet.example"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(origin(given).unwrap(), taken);
        }
        for bad in [
            "fleet.example",
            "ftp://fleet.example",
            "https://",
            "https://fleet.example/path",
            "https://me@fleet.example",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_certificate_needs_a_key() {
        assert!(resolve(&["--tls-cert", "c"]).is_err());
        assert!(resolve(&["--tls-key", "k"]).is_err());
    }
}
