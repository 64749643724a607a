//! What can go wrong between this end and a server.

use std::io;

/// Why a call failed. Each variant is something a caller acts on differently.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address of the server is no address we can use, and why.
    #[error("{url}: {why}")]
    BadServerUrl {
        /// As given.
        url: String,
        /// For people.
        why: &'static str,
    },
    /// Plain http to another machine was not explicitly allowed.
    #[error("refusing to send anything to {0} without encryption; use https, or --insecure-http")]
    PlainHttp(String),
    /// The server cannot be reached.
    #[error("cannot reach {server}: {source}")]
    Unreachable {
        /// Host and port.
        server: String,
        /// The system's words.
        source: io::Error,
    },
    /// The server's certificate is not trusted, or TLS failed otherwise.
    #[error("no trusted connection to {server}: {why}")]
    Tls {
        /// Host and port.
        server: String,
        /// For people.
        why: String,
    },
    /// The server did not answer in time.
    #[error("{0} did not answer in time")]
    Timeout(String),
    /// The server answered with an error.
    #[error("{method} {url} request failed with status {status}{}", public_words(.message))]
    Status {
        /// Method, spelled like `Get`.
        method: &'static str,
        /// The whole address.
        url: String,
        /// HTTP status.
        status: u16,
        /// The server's words for people; may be empty.
        message: String,
    },
    /// The answer is not what the call promises; `0` says what is wrong.
    #[error("unexpected answer from the server: {0}")]
    Unexpected(String),
    /// The connection broke during a call.
    #[error("connection to the server lost: {0}")]
    Lost(String),
}

impl Error {
    /// The HTTP status of the server's answer, if that is what failed.
    pub fn status(&self) -> Option<u16> {
        if let Error::Status { status, .. } = self {
            Some(*status)
        } else {
            None
        }
    }
}

fn public_words(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}
