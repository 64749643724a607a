//! One configuration file: which keys it sets. Follows Go's JSON rules, as mender-connect's users
//! rely on them: keys in any case, unknown keys ignored, null as if absent, later values win.

use std::io::ErrorKind;
use std::path::Path;

use serde_json::Value;

use super::ConfigError;

/// The keys the files have set so far. Objects merge key by key, arrays are replaced.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Keys {
    pub(super) shell_command: String,
    pub(super) shell_arguments: Option<Vec<String>>,
    pub(super) user: String,
    pub(super) terminal_width: u16,
    pub(super) terminal_height: u16,
    pub(super) terminal_disable: bool,
    pub(super) mender_client_disable: bool,
    pub(super) stop_expired: bool,
    pub(super) expire_after: u32,
    pub(super) expire_after_idle: u32,
    pub(super) expire_after_idle_job: Option<u32>,
    pub(super) max_per_user: u32,
    pub(super) max_shells: u32,
}

/// Adds the keys of the file at `path`; false when there is no such file.
pub(super) fn read(path: &Path, keys: &mut Keys) -> Result<bool, ConfigError> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        // The latter for `--config /dev/null/none`, which is one way to say that there is none.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(false);
        }
        Err(error) => return Err(ConfigError::unreadable(path, &error)),
    };
    add(&text, keys)?;
    Ok(true)
}

fn add(text: &[u8], keys: &mut Keys) -> Result<(), ConfigError> {
    let root: Value =
        serde_json::from_slice(text).map_err(|error| ConfigError::Syntax(error.to_string()))?;
    keys.root(&root)
}

impl Keys {
    fn root(&mut self, root: &Value) -> Result<(), ConfigError> {
        each(root, "the file", |key, at| match key {
            "shellcommand" => at.string(&mut self.shell_command),
            "shellarguments" => {
                self.shell_arguments = at.strings()?;
                Ok(())
            }
            "user" => at.string(&mut self.user),
            "terminal" => each(at.value, at.name, |key, at| match key {
                "width" => at.number(&mut self.terminal_width),
                "height" => at.number(&mut self.terminal_height),
                "disable" => at.switch(&mut self.terminal_disable),
                _ => Ok(()),
            }),
            "sessions" => self.sessions(&at),
            "menderclient" => each(at.value, at.name, |key, at| match key {
                "disable" => at.switch(&mut self.mender_client_disable),
                _ => Ok(()),
            }),
            // Read by mender-connect and without effect here until what they configure exists.
            "filetransfer" | "portforward" | "limits" => each(at.value, at.name, |_, _| Ok(())),
            "serverurl" | "servers" | "clientprotocol" | "skipverify" | "servercertificate" => {
                at.warn_deprecated(at.name);
                Ok(())
            }
            "httpsclient" => {
                at.warn_deprecated("HTTPSClient");
                Ok(())
            }
            _ => Ok(()),
        })
    }

    fn sessions(&mut self, at: &At<'_>) -> Result<(), ConfigError> {
        each(at.value, at.name, |key, at| match key {
            "stopexpired" => at.switch(&mut self.stop_expired),
            "expireafter" => at.number(&mut self.expire_after),
            "expireafteridle" => at.number(&mut self.expire_after_idle),
            "maxperuser" => at.number(&mut self.max_per_user),
            "maxshells" => at.number(&mut self.max_shells),
            "expireafteridlejob" => {
                self.expire_after_idle_job = at.any_number()?.or(self.expire_after_idle_job);
                Ok(())
            }
            _ => Ok(()),
        })
    }
}

/// A value that is not null, and its key as the documentation spells it.
struct At<'a> {
    name: &'a str,
    value: &'a Value,
}

/// Calls `apply` with every key of an object in lower case. Null is an object without keys.
fn each(
    value: &Value,
    name: &str,
    mut apply: impl FnMut(&str, At<'_>) -> Result<(), ConfigError>,
) -> Result<(), ConfigError> {
    if value.is_null() {
        return Ok(());
    }
    let at = At { name, value };
    let entries = value.as_object().ok_or_else(|| at.wrong("an object"))?;
    for (key, value) in entries {
        apply(&key.to_ascii_lowercase(), At { name: key, value })?;
    }
    Ok(())
}

impl At<'_> {
    /// The value as `read` sees it, or None for null.
    fn take<'v, T>(
        &'v self,
        wanted: &str,
        read: impl Fn(&'v Value) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        if self.value.is_null() {
            return Ok(None);
        }
        read(self.value).map(Some).ok_or_else(|| self.wrong(wanted))
    }

    fn string(&self, target: &mut String) -> Result<(), ConfigError> {
        if let Some(text) = self.take("a string", Value::as_str)? {
            text.clone_into(target);
        }
        Ok(())
    }

    fn strings(&self) -> Result<Option<Vec<String>>, ConfigError> {
        self.take("an array of strings", |value| {
            value
                .as_array()?
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect()
        })
    }

    fn switch(&self, target: &mut bool) -> Result<(), ConfigError> {
        if let Some(on) = self.take("true or false", Value::as_bool)? {
            *target = on;
        }
        Ok(())
    }

    fn number<N: TryFrom<u64>>(&self, target: &mut N) -> Result<(), ConfigError> {
        if let Some(number) = self.any_number()? {
            *target = number;
        }
        Ok(())
    }

    /// For a key whose absence is not the same as zero.
    fn any_number<N: TryFrom<u64>>(&self) -> Result<Option<N>, ConfigError> {
        let wanted = number_range::<N>();
        self.take(&wanted, |value| N::try_from(value.as_u64()?).ok())
    }

    fn wrong(&self, wanted: &str) -> ConfigError {
        ConfigError::Type(format!(
            "{} must be {wanted}, not {}",
            self.name,
            kind(self.value)
        ))
    }

    /// Warns in mender-connect's words, unless the value is as good as absent.
    fn warn_deprecated(&self, name: &str) {
        if !is_empty(self.value) {
            log::warn!("{} field is deprecated, ignoring.", documented_case(name));
        }
    }
}

fn number_range<N>() -> String {
    format!(
        "a whole number from 0 to {}",
        u64::MAX >> (64 - 8 * size_of::<N>())
    )
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(on) => on.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) | Value::Number(_) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.values().all(is_empty),
    }
}

/// A deprecated key as its warning spells it, however the file does.
fn documented_case(name: &str) -> &str {
    [
        "ServerURL",
        "Servers",
        "ClientProtocol",
        "SkipVerify",
        "ServerCertificate",
    ]
    .into_iter()
    .find(|known| known.eq_ignore_ascii_case(name))
    .unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(texts: &[&str]) -> Result<Keys, ConfigError> {
        let mut keys = Keys::default();
        for text in texts {
            add(text.as_bytes(), &mut keys)?;
        }
        Ok(keys)
    }

    #[test]
    fn item_52_keys_are_read_in_any_case_and_unknown_ones_ignored() {
        let keys = keys(&[
            r#"{"USER":"a","shellcommand":"/bin/sh","Terminal":{"WIDTH":7,"x":[]},
            "sessions":{"stopexpired":true,"ExpireAfterIdleJob":0,"maxSHELLS":3},"Colour":"red"}"#,
        ])
        .unwrap();
        assert_eq!(
            keys,
            Keys {
                user: "a".into(),
                shell_command: "/bin/sh".into(),
                terminal_width: 7,
                stop_expired: true,
                expire_after_idle_job: Some(0),
                max_shells: 3,
                ..Keys::default()
            }
        );
    }

    #[test]
    fn item_52_the_later_file_wins_key_by_key() {
        let keys = keys(&[
            r#"{"User":"a","ShellArguments":["-x","-y"],"Terminal":{"Width":1,"Height":2}}"#,
            r#"{"User":"b","ShellArguments":["-z"],"Terminal":{"Height":3},"ShellCommand":null}"#,
        ])
        .unwrap();
        assert_eq!(keys.user, "b");
        assert_eq!(keys.shell_arguments, Some(vec!["-z".to_owned()]));
        assert_eq!((keys.terminal_width, keys.terminal_height), (1, 3));
    }

    #[test]
    fn item_52_null_is_absent_and_takes_arguments_back() {
        let keys = keys(&[
            r#"{"User":"a","ShellArguments":["-x"],"Sessions":{"MaxPerUser":4}}"#,
            r#"{"User":null,"ShellArguments":null,"Sessions":null}"#,
            r#"{"Sessions":{"ExpireAfterIdleJob":null}}"#,
        ])
        .unwrap();
        assert_eq!(keys.expire_after_idle_job, None);
        assert_eq!((keys.user.as_str(), keys.max_per_user), ("a", 4));
        assert_eq!(keys.shell_arguments, None);
    }

    #[test]
    fn item_52_a_file_that_cannot_be_there_is_none() {
        let mut keys = Keys::default();
        for path in ["/nonexistent/file", "/dev/null/file"] {
            assert_eq!(read(Path::new(path), &mut keys), Ok(false));
        }
    }

    #[test]
    fn item_52_wrong_types_and_bad_syntax_are_told_apart() {
        for (text, message) in [
            (
                r#"{"User":3}"#,
                "Error parsing config file: User must be a string, not 3",
            ),
            (
                r#"{"Terminal":{"Width":70000}}"#,
                "Error parsing config file: Width must be a whole number from 0 to 65535, not 70000",
            ),
            (
                r#"{"Sessions":{"MaxPerUser":-1}}"#,
                "Error parsing config file: MaxPerUser must be a whole number from 0 to 4294967295, \
                 not -1",
            ),
            (
                r#"{"Sessions":[]}"#,
                "Error parsing config file: Sessions must be an object, not an array",
            ),
            (
                "[]",
                "Error parsing config file: the file must be an object, not an array",
            ),
        ] {
            assert_eq!(keys(&[text]).unwrap_err().to_string(), message);
        }
        for text in ["", "{", "{} {"] {
            let message = keys(&[text]).unwrap_err().to_string();
            assert!(
                message.starts_with("Error parsing mender configuration file: "),
                "{message}"
            );
        }
    }

    #[test]
    fn item_52_deprecated_keys_are_tolerated_whatever_they_hold() {
        let keys = keys(&[
            r#"{"ServerURL":3,"Servers":"x","SkipVerify":"yes","HttpsClient":[],
            "ServerCertificate":{},"ClientProtocol":false}"#,
        ]);
        assert_eq!(keys, Ok(Keys::default()));
        assert_eq!(documented_case("serverurl"), "ServerURL");
        assert!(is_empty(&serde_json::json!({"Certificate": "", "Key": ""})));
        assert!(!is_empty(
            &serde_json::json!({"Certificate": "", "Key": "x"})
        ));
    }
}
