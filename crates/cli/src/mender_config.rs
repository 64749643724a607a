//! mender-cli's configuration file, which serves us as well.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use longwire_client::ServerUrl;
use serde::Deserialize;

use crate::failure::Failure;
use crate::places::Places;

/// What a `.mender-clirc` says.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct MenderConfig {
    /// The file it was read from; none if there is none.
    #[serde(skip)]
    pub(crate) file: Option<PathBuf>,
    /// Whether the file belongs to the user or the machine, so that it can say which server
    /// mender-cli's token is for.
    #[serde(skip)]
    pub(crate) trusted: bool,
    #[serde(default)]
    pub(crate) server: Option<String>,
    #[serde(default)]
    pub(crate) username: Option<String>,
    #[serde(default)]
    pub(crate) password: Option<String>,
}

impl MenderConfig {
    /// Reads the first file there is.
    pub(crate) fn read(places: &Places) -> Result<Self, Failure> {
        for (file, trusted) in places.mender_configs() {
            let text = match fs::read_to_string(&file) {
                Ok(text) => text,
                Err(error)
                    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
                {
                    continue;
                }
                Err(error) => return Err(Failure::plain(format!("{}: {error}", file.display()))),
            };
            let config: MenderConfig = serde_json::from_str(&text)
                .map_err(|error| Failure::plain(format!("{}: {error}", file.display())))?;
            return Ok(MenderConfig {
                file: Some(file),
                trusted,
                ..config
            });
        }
        Ok(MenderConfig::default())
    }

    /// Whether the file names this server.
    pub(crate) fn is_for(&self, server: &ServerUrl) -> bool {
        // What is plain here was allowed when `server` was made.
        let named = self
            .server
            .as_deref()
            .map(|text| ServerUrl::parse(text, true));
        named.is_some_and(|named| named.is_ok_and(|named| named == *server))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_file_counts_and_one_in_the_current_folder_is_not_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::below(folder.path());
        assert!(MenderConfig::read(&places).unwrap().file.is_none());

        let [etc, home, here] = places.mender_configs().map(|(file, _)| file);
        for (file, server, trusted) in [
            (&here, "https://c", false),
            (&home, "https://b", true),
            (&etc, "https://a", true),
        ] {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, format!(r#"{{"server":"{server}","later":1}}"#)).unwrap();
            let config = MenderConfig::read(&places).unwrap();
            assert_eq!(config.server.as_deref(), Some(server));
            assert_eq!(config.trusted, trusted);
        }
        fs::write(&etc, "{").unwrap();
        assert!(
            MenderConfig::read(&places).is_err(),
            "a broken file is no missing file"
        );
    }
}
