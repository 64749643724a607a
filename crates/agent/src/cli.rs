//! The command line: mender-connect's, and four flags for the way without an auth service.
//!
//! Parsed by hand because what exists in service files must go on working: Go's flag syntax
//! (`-config F`, `--config=F`, `--dd`) is not what Rust's parsers accept, and they cost the
//! binary several hundred kilobytes.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use log::LevelFilter;

use crate::server_url::PlainHttp;

/// What `longwire-agent --help` prints.
pub const HELP: &str = include_str!("help.txt");

/// What the program was asked to do.
#[derive(Debug, PartialEq)]
pub enum Invocation {
    /// Run until told to stop.
    Daemon(Box<Options>),
    /// `longwire-agent version`
    Version,
    /// `longwire-agent --version`: the same with the program's name before it.
    VersionWithName,
    /// Print [`HELP`].
    Help,
}

/// The flags of `daemon`.
#[derive(Debug, PartialEq)]
pub struct Options {
    /// Main configuration file; its keys win.
    pub config: PathBuf,
    /// Fallback configuration file.
    pub fallback_config: PathBuf,
    /// How much is logged.
    pub log_level: LevelFilter,
    /// Origin of the server to dial with the agent's own identity. None: D-Bus.
    pub server: Option<String>,
    /// Where the own identity's key and token are kept.
    pub data_dir: PathBuf,
    /// PEM file with the only certificate authorities to trust, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Allows plain http to hosts other than this one.
    pub insecure_http: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            config: "/etc/mender/mender-connect.conf".into(),
            fallback_config: "/var/lib/mender/mender-connect.conf".into(),
            log_level: LevelFilter::Info,
            server: None,
            data_dir: "/var/lib/longwire-agent".into(),
            ca_file: None,
            insecure_http: false,
        }
    }
}

impl Options {
    /// Which servers plain http is allowed to.
    #[must_use]
    pub fn plain_http(&self) -> PlainHttp {
        if self.insecure_http {
            PlainHttp::Anywhere
        } else {
            PlainHttp::ToThisMachine
        }
    }
}

/// Why the command line was not understood. The first three texts are mender-connect's.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum UsageError {
    /// No such flag.
    #[error("flag provided but not defined: -{0}")]
    UnknownFlag(String),
    /// The flag is last on the line, or its value is empty.
    #[error("flag needs an argument: -{0}")]
    MissingValue(&'static str),
    /// No such command.
    #[error("No help topic for '{0}'")]
    UnknownCommand(String),
    /// A flag that takes no value got one.
    #[error("flag takes no argument: -{0}")]
    UnexpectedValue(&'static str),
    /// The value is not text.
    #[error("value of -{0} is not valid UTF-8")]
    NotText(&'static str),
    /// Something after the command that is not a flag.
    #[error("unexpected argument: {0}")]
    UnexpectedArgument(String),
    /// A flag of the own identity beside the D-Bus one, which would be without effect.
    #[error("-{0} is only used with -server, which makes the agent its own identity")]
    NeedsServer(&'static str),
}

impl UsageError {
    /// The process's exit code: mender-connect ends with 3 on an unknown command, 1 otherwise.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Self::UnknownCommand(_)) {
            3
        } else {
            1
        }
    }
}

#[derive(Clone, Copy)]
enum Flag {
    Config,
    FallbackConfig,
    Debug,
    Trace,
    Server,
    DataDir,
    CaFile,
    InsecureHttp,
    Help,
    Version,
}

/// Every spelling, without dashes, and the flag's full name for messages.
const FLAGS: &[(&[&str], Flag)] = &[
    (&["config", "c"], Flag::Config),
    (&["fallback-config", "b"], Flag::FallbackConfig),
    (&["debug", "d"], Flag::Debug),
    (&["trace", "dd"], Flag::Trace),
    (&["server"], Flag::Server),
    (&["data-dir"], Flag::DataDir),
    (&["ca-file"], Flag::CaFile),
    (&["insecure-http"], Flag::InsecureHttp),
    (&["help", "h"], Flag::Help),
    (&["version", "v"], Flag::Version),
];

/// Reads the arguments, without the program's name. Flags may stand before or after the command.
///
/// # Errors
/// [`UsageError`] says what was not understood.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, UsageError> {
    let mut arguments = arguments.into_iter();
    let mut options = Options::default();
    let mut command = None;
    let mut own_identity_flag = None;
    let mut flags_ended = false;

    while let Some(argument) = arguments.next() {
        let Some((name, inline)) = split_flag(&argument).filter(|_| !flags_ended) else {
            if command.is_some() {
                return Err(UsageError::UnexpectedArgument(
                    argument.to_string_lossy().into(),
                ));
            }
            command = Some(argument);
            continue;
        };
        if name.is_empty() && inline.is_none() {
            flags_ended = true;
            continue;
        }
        let (name, flag) = find_flag(name)?;
        let mut value = || {
            let value = inline
                .clone()
                .or_else(|| arguments.next())
                .unwrap_or_default();
            if value.is_empty() {
                Err(UsageError::MissingValue(name))
            } else {
                Ok(value)
            }
        };
        match flag {
            Flag::Config => options.config = value()?.into(),
            Flag::FallbackConfig => options.fallback_config = value()?.into(),
            Flag::Server => {
                let text = value()?
                    .into_string()
                    .map_err(|_| UsageError::NotText(name))?;
                options.server = Some(text);
            }
            Flag::DataDir => {
                options.data_dir = value()?.into();
                own_identity_flag = Some(name);
            }
            Flag::CaFile => {
                options.ca_file = Some(value()?.into());
                own_identity_flag = Some(name);
            }
            Flag::Debug if switch(name, inline.as_deref())? => {
                options.log_level = options.log_level.max(LevelFilter::Debug);
            }
            Flag::Trace if switch(name, inline.as_deref())? => {
                options.log_level = LevelFilter::Trace;
            }
            Flag::InsecureHttp => options.insecure_http = switch(name, inline.as_deref())?,
            Flag::Help if switch(name, inline.as_deref())? => return Ok(Invocation::Help),
            Flag::Version if switch(name, inline.as_deref())? => {
                return Ok(Invocation::VersionWithName);
            }
            Flag::Debug | Flag::Trace | Flag::Help | Flag::Version => {}
        }
    }

    match command.as_deref().map(OsStr::as_bytes) {
        Some(b"daemon") => match (own_identity_flag, &options.server) {
            (Some(flag), None) => Err(UsageError::NeedsServer(flag)),
            _ => Ok(Invocation::Daemon(Box::new(options))),
        },
        Some(b"version") => Ok(Invocation::Version),
        Some(b"help" | b"h") | None => Ok(Invocation::Help),
        Some(other) => Err(UsageError::UnknownCommand(
            String::from_utf8_lossy(other).into_owned(),
        )),
    }
}

/// `--name=value`, `--name` or the same with one dash, as name and value; None for anything else.
fn split_flag(argument: &OsStr) -> Option<(&[u8], Option<OsString>)> {
    let bytes = argument.as_bytes();
    let name = bytes
        .strip_prefix(b"--")
        .or_else(|| bytes.strip_prefix(b"-"))?;
    if name.is_empty() && bytes.len() == 1 {
        return None;
    }
    let mut halves = name.splitn(2, |byte| *byte == b'=');
    let name = halves.next()?;
    Some((
        name,
        halves
            .next()
            .map(|value| OsString::from_vec(value.to_vec())),
    ))
}

fn find_flag(name: &[u8]) -> Result<(&'static str, Flag), UsageError> {
    FLAGS
        .iter()
        .find(|(names, _)| names.iter().any(|known| known.as_bytes() == name))
        .and_then(|(names, flag)| names.first().map(|full| (*full, *flag)))
        .ok_or_else(|| UsageError::UnknownFlag(String::from_utf8_lossy(name).into_owned()))
}

/// A switch's value: on when it stands alone, or as `--debug=false` says.
fn switch(name: &'static str, inline: Option<&OsStr>) -> Result<bool, UsageError> {
    match inline.map(OsStr::as_bytes) {
        None | Some(b"true" | b"1") => Ok(true),
        Some(b"false" | b"0") => Ok(false),
        Some(_) => Err(UsageError::UnexpectedValue(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Invocation, UsageError> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn options(line: &str) -> Options {
        match parsed(line) {
            Ok(Invocation::Daemon(options)) => *options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn flags_of_mender_connect_in_every_spelling() {
        for line in [
            "--config F --fallback-config B --trace daemon",
            "-c F -b B --dd daemon",
            "-config=F --b=B -dd daemon",
            "daemon --config F --fallback-config=B --trace=true",
        ] {
            let options = options(line);
            assert_eq!(options.config, PathBuf::from("F"), "{line}");
            assert_eq!(options.fallback_config, PathBuf::from("B"), "{line}");
            assert_eq!(options.log_level, LevelFilter::Trace, "{line}");
        }
        assert_eq!(options("-d daemon").log_level, LevelFilter::Debug);
        assert_eq!(options("--dd -d daemon").log_level, LevelFilter::Trace);
        assert_eq!(options("--debug=false daemon").log_level, LevelFilter::Info);
        assert_eq!(options("daemon"), Options::default());
    }

    #[test]
    fn flags_of_the_own_identity() {
        let options = options("daemon --server https://h --data-dir D --ca-file C --insecure-http");
        assert_eq!(options.server.as_deref(), Some("https://h"));
        assert_eq!(options.data_dir, PathBuf::from("D"));
        assert_eq!(options.ca_file, Some(PathBuf::from("C")));
        assert!(options.insecure_http);
        assert_eq!(
            parsed("daemon --ca-file C"),
            Err(UsageError::NeedsServer("ca-file"))
        );
    }

    #[test]
    fn commands_and_their_absence() {
        for line in ["", "help", "h", "--help", "-h", "daemon --help"] {
            assert_eq!(parsed(line), Ok(Invocation::Help), "{line}");
        }
        assert_eq!(parsed("version"), Ok(Invocation::Version));
        assert_eq!(parsed("-v"), Ok(Invocation::VersionWithName));
    }

    #[test]
    fn mistakes_are_named_as_mender_connect_names_them() {
        for (line, text, code) in [
            ("bogus", "No help topic for 'bogus'", 3),
            ("--bogus daemon", "flag provided but not defined: -bogus", 1),
            ("--config", "flag needs an argument: -config", 1),
            ("--config= daemon", "flag needs an argument: -config", 1),
            ("daemon now", "unexpected argument: now", 1),
            ("--debug=maybe daemon", "flag takes no argument: -debug", 1),
        ] {
            let error = parsed(line).unwrap_err();
            assert_eq!(error.to_string(), text);
            assert_eq!(error.exit_code(), code);
        }
    }

    #[test]
    fn help_names_every_flag() {
        for (names, _) in FLAGS {
            for name in *names {
                let spelling = if name.len() == 1 {
                    format!("-{name}")
                } else {
                    format!("--{name}")
                };
                assert!(HELP.contains(&spelling), "{spelling}");
            }
        }
    }
}
