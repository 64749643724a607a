//! The tokens kept on this machine, each with the server that issued it.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use longwire_client::ServerUrl;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::mender_config::MenderConfig;
use crate::places::Places;

/// The file with our tokens.
#[derive(Default, Deserialize, Serialize)]
pub(crate) struct Logins {
    #[serde(default)]
    logins: Vec<Login>,
}

/// A token and whom it is for.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Login {
    /// The canonical address.
    server: String,
    /// For people.
    #[serde(default)]
    email: String,
    token: String,
}

impl Logins {
    pub(crate) fn read(places: &Places) -> Result<Self, Failure> {
        let file = places.logins();
        match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|error| Failure::plain(format!("{}: {error}", file.display()))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Logins::default()),
            Err(error) => Err(Failure::plain(format!("{}: {error}", file.display()))),
        }
    }

    /// The addresses of all servers there is a token for.
    pub(crate) fn servers(&self) -> Vec<&str> {
        self.logins
            .iter()
            .map(|login| login.server.as_str())
            .collect()
    }

    /// The token for a server: ours, else mender-cli's if it is set up for that very server.
    pub(crate) fn token(
        &self,
        server: &ServerUrl,
        places: &Places,
        mender: &MenderConfig,
    ) -> Result<Option<String>, Failure> {
        let address = server.to_string();
        if let Some(login) = self.logins.iter().find(|login| login.server == address) {
            return Ok(Some(login.token.clone()));
        }
        if !mender_is_for(mender, server) {
            return Ok(None);
        }
        read_token(&places.mender_token())
    }

    /// Keeps a token in place of an older one for the same server, and gives it to mender-cli too
    /// unless that is set up for another server.
    pub(crate) fn keep(
        places: &Places,
        mender: &MenderConfig,
        server: &ServerUrl,
        email: &str,
        token: &str,
    ) -> Result<(), Failure> {
        let mut kept = Logins::read(places)?;
        let address = server.to_string();
        kept.logins.retain(|login| login.server != address);
        kept.logins.push(Login {
            server: address,
            email: email.to_owned(),
            token: token.trim().to_owned(),
        });
        kept.write(places)?;
        if mender.server.is_none() || mender_is_for(mender, server) {
            write_private(&places.mender_token(), token.as_bytes())?;
        }
        Ok(())
    }

    /// Forgets the token for a server, also where mender-cli keeps it.
    pub(crate) fn forget(places: &Places, server: &ServerUrl) -> Result<(), Failure> {
        let mut kept = Logins::read(places)?;
        let address = server.to_string();
        let (gone, rest) = kept
            .logins
            .into_iter()
            .partition(|login| login.server == address);
        kept.logins = rest;
        kept.write(places)?;
        let gone: Vec<Login> = gone;
        let mender = read_token(&places.mender_token())?;
        if gone
            .iter()
            .any(|login| Some(&login.token) == mender.as_ref())
        {
            fs::remove_file(places.mender_token())?;
        }
        Ok(())
    }

    fn write(&self, places: &Places) -> Result<(), Failure> {
        let mut text =
            serde_json::to_vec_pretty(self).map_err(|error| Failure::plain(error.to_string()))?;
        text.push(b'\n');
        write_private(&places.logins(), &text)
    }
}

/// Whether mender-cli's only token is for this server: a configuration that may say so must.
fn mender_is_for(mender: &MenderConfig, server: &ServerUrl) -> bool {
    mender.trusted && mender.is_for(server)
}

/// The token in a file, without the white space around it; none if there is no file.
pub(crate) fn read_token(file: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(file) {
        Ok(token) => Ok(Some(token.trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::plain(format!("{}: {error}", file.display()))),
    }
}

/// Writes a file that only its owner can read, whole or not at all.
pub(crate) fn write_private(file: &Path, content: &[u8]) -> Result<(), Failure> {
    write_private_io(file, content)
        .map_err(|error| Failure::plain(format!("{}: {error}", file.display())))
}

fn write_private_io(file: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = Path::new(&name);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(temporary)
        .and_then(|mut open| open.write_all(content))
        .and_then(|()| fs::rename(temporary, file));
    if written.is_err() {
        // What failed is worth telling, not that the rest could not be cleared away.
        let _ = fs::remove_file(temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn url(text: &str) -> ServerUrl {
        ServerUrl::parse(text, true).unwrap()
    }

    fn config(server: Option<&str>, trusted: bool) -> MenderConfig {
        MenderConfig {
            server: server.map(str::to_owned),
            trusted,
            ..MenderConfig::default()
        }
    }

    fn token(places: &Places, mender: &MenderConfig, server: &str) -> Option<String> {
        Logins::read(places)
            .unwrap()
            .token(&url(server), places, mender)
            .unwrap()
    }

    #[test]
    fn item_56_a_token_is_kept_for_its_server_and_where_mender_cli_looks() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::below(folder.path());
        let none = config(None, false);
        Logins::keep(&places, &none, &url("https://a"), "me", "t.a\n").unwrap();
        Logins::keep(&places, &none, &url("https://b"), "me", "t.b").unwrap();
        assert_eq!(
            token(&places, &none, "https://a:443/").as_deref(),
            Some("t.a")
        );
        assert_eq!(token(&places, &none, "https://b").as_deref(), Some("t.b"));
        assert_eq!(
            token(&places, &none, "http://a"),
            None,
            "not without encryption"
        );
        assert_eq!(token(&places, &none, "https://a.evil"), None);
        assert_eq!(
            Logins::read(&places).unwrap().servers(),
            ["https://a", "https://b"]
        );

        let authtoken = folder.path().join("home/.cache/mender/authtoken");
        assert_eq!(
            fs::read_to_string(&authtoken).unwrap(),
            "t.b",
            "exactly as received"
        );
        for (path, mode) in [
            (authtoken.as_path(), 0o600),
            (authtoken.parent().unwrap(), 0o700),
            (places.logins().as_path(), 0o600),
            (places.logins().parent().unwrap(), 0o700),
        ] {
            let found = fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(found, mode, "{}", path.display());
        }

        Logins::forget(&places, &url("https://b")).unwrap();
        assert!(!authtoken.exists());
        assert_eq!(token(&places, &none, "https://b"), None);
        assert_eq!(token(&places, &none, "https://a").as_deref(), Some("t.a"));
    }

    #[test]
    fn mender_clis_token_goes_to_the_server_it_is_set_up_for_and_to_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::below(folder.path());
        write_private(&places.mender_token(), b"theirs").unwrap();
        let set_up = config(Some("hosted.example"), true);
        assert_eq!(
            token(&places, &set_up, "https://hosted.example").as_deref(),
            Some("theirs")
        );
        assert_eq!(token(&places, &set_up, "https://other"), None);
        assert_eq!(
            token(&places, &config(None, false), "https://hosted.example"),
            None
        );
        let planted = config(Some("https://evil"), false);
        assert_eq!(
            token(&places, &planted, "https://evil"),
            None,
            "a file found lying about"
        );

        Logins::keep(&places, &set_up, &url("https://other"), "me", "ours").unwrap();
        assert_eq!(fs::read_to_string(places.mender_token()).unwrap(), "theirs");
        Logins::forget(&places, &url("https://other")).unwrap();
        assert!(places.mender_token().exists());
    }
}
