//! How the program says that it failed, and with which exit code.

use std::fmt;
use std::io;
use std::process::ExitCode;

use longwire_client::Error;

use crate::words::plain;

/// Exit codes, a promise to scripts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Code {
    /// Anything that has no code of its own.
    Failure = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// Not signed in, or without the right.
    NotAllowed = 3,
    /// No such device.
    NotFound = 4,
    /// The device has no link to the server.
    Offline = 5,
}

/// A failure, with words for people.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    text: String,
}

impl Failure {
    pub(crate) fn new(code: Code, text: impl Into<String>) -> Self {
        Failure {
            code,
            text: text.into(),
        }
    }

    /// A failure without a code of its own.
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Failure::new(Code::Failure, text)
    }

    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Failure::new(Code::Usage, text)
    }

    /// The same failure, saying first what was to be done.
    pub(crate) fn while_doing(self, what: &str) -> Self {
        Failure {
            code: self.code,
            text: format!("{what}: {}", self.text),
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code as u8)
    }
}

/// Without control characters: words of servers and devices are in it.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, line) in self.text.trim_end().lines().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&plain(line))?;
        }
        Ok(())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::BadServerUrl { .. } | Error::PlainHttp(_) => Code::Usage,
            Error::Status {
                status: 401 | 403, ..
            } => Code::NotAllowed,
            Error::Status { status: 404, .. } => Code::NotFound,
            Error::Status { .. }
            | Error::Unreachable { .. }
            | Error::Tls { .. }
            | Error::Timeout(_)
            | Error::Unexpected(_)
            | Error::Lost(_) => Code::Failure,
        };
        let hint = match &error {
            Error::Status { status: 401, .. } => {
                "\nThe login may have expired: run longwire login."
            }
            Error::Tls { .. } => "\nA certificate of your own can be named in SSL_CERT_FILE.",
            Error::Status { .. }
            | Error::BadServerUrl { .. }
            | Error::PlainHttp(_)
            | Error::Unreachable { .. }
            | Error::Timeout(_)
            | Error::Unexpected(_)
            | Error::Lost(_) => "",
        };
        Failure::new(code, format!("{error}{hint}"))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::plain(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16) -> Code {
        let error = Error::Status {
            method: "Get",
            url: "https://example.com".into(),
            status,
            message: String::new(),
        };
        Failure::from(error).code
    }

    #[test]
    fn codes_are_those_promised_to_scripts() {
        assert_eq!(status(401) as u8, 3);
        assert_eq!(status(403) as u8, 3);
        assert_eq!(status(404) as u8, 4);
        assert_eq!(status(500) as u8, 1);
        assert_eq!(Code::Offline as u8, 5);
        assert_eq!(Failure::from(Error::PlainHttp("x".into())).code as u8, 2);
        assert_eq!(Failure::from(Error::Timeout("x".into())).code as u8, 1);
    }

    #[test]
    fn words_of_others_cannot_draw() {
        let failure = Failure::plain("no\x1b[31m\nreally\r\n");
        assert_eq!(failure.to_string(), "no\u{fffd}[31m\nreally");
    }
}
