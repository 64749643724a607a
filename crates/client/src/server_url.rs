//! The address of a server, checked once.

use std::fmt;
use std::net::IpAddr;

use hyper::Uri;

use crate::Error;

/// Scheme, host, port and an optional path below which the API lies. Two equal ones are the same
/// server as far as credentials go.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ServerUrl {
    https: bool,
    /// Without the brackets of an IPv6 address, in lower case.
    host: String,
    port: u16,
    /// Empty or like `/below/this`.
    prefix: String,
}

impl ServerUrl {
    /// Reads an address; one without a scheme is https. Plain http to anything but this very
    /// machine is refused unless `allow_plain_http`.
    pub fn parse(text: &str, allow_plain_http: bool) -> Result<Self, Error> {
        let bad = |why| Error::BadServerUrl {
            url: text.to_owned(),
            why,
        };
        let trimmed = text.trim();
        let full = if trimmed.contains("://") {
            trimmed.to_owned()
        } else {
            format!("https://{trimmed}")
        };
        let uri: Uri = full.parse().map_err(|_| bad("not a server address"))?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(bad("the address must begin with https:// or http://")),
        };
        let authority = uri
            .authority()
            .ok_or_else(|| bad("the address names no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("the address must not hold a user or password"));
        }
        if uri.query().is_some() {
            return Err(bad("the address must not hold a query"));
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        if host.is_empty() {
            return Err(bad("the address names no host"));
        }
        let port = match authority.port_u16() {
            Some(0) => return Err(bad("the port is out of range")),
            Some(port) => port,
            // `port_u16` is also none for a port that is no number.
            None if authority.as_str().ends_with(authority.host()) => {
                if https {
                    443
                } else {
                    80
                }
            }
            None => return Err(bad("the port is out of range")),
        };
        let server = ServerUrl {
            https,
            host: host.to_ascii_lowercase(),
            port,
            prefix: uri.path().trim_end_matches('/').to_owned(),
        };
        if !https && !allow_plain_http && !server.is_loopback() {
            return Err(Error::PlainHttp(server.to_string()));
        }
        Ok(server)
    }

    /// Whether the connection is encrypted.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Whether the server is this very machine.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self
                .host
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }

    /// Host name or address, as DNS and certificates have it.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Host and port as the `Host` header has them: a scheme's own port is left out.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        let own = if self.https { 443 } else { 80 };
        if self.port == own {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// The path on the server of an API path.
    pub(crate) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }
}

/// The one way to write this address, without a slash at the end.
impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        ServerUrl::parse(text, true).unwrap().to_string()
    }

    #[test]
    fn one_server_has_one_address() {
        for text in [
            "https://example.com",
            "https://example.com/",
            "https://EXAMPLE.com:443",
            "example.com",
            " example.com:443/ ",
        ] {
            assert_eq!(canonical(text), "https://example.com", "{text}");
        }
        assert_eq!(canonical("http://127.0.0.1:8080/"), "http://127.0.0.1:8080");
        assert_eq!(canonical("http://[::1]:8080"), "http://[::1]:8080");
        assert_eq!(
            canonical("https://example.com/mender/"),
            "https://example.com/mender"
        );
    }

    #[test]
    fn what_is_no_server_address_is_refused() {
        for text in [
            "",
            "ftp://example.com",
            "https://",
            "https://user:secret@example.com",
            "https://example.com?x=1",
            "https://example.com:0",
            "https://example.com:99999",
            "https://example.com:x",
            "https://exa mple.com",
        ] {
            assert!(
                matches!(
                    ServerUrl::parse(text, true),
                    Err(Error::BadServerUrl { .. })
                ),
                "{text:?}"
            );
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_unless_allowed() {
        for text in [
            "http://localhost:8080",
            "http://127.0.0.1",
            "http://127.8.8.8",
            "http://[::1]",
        ] {
            assert!(ServerUrl::parse(text, false).is_ok(), "{text}");
        }
        for text in [
            "http://example.com",
            "http://192.0.2.1",
            "http://localhost.example.com",
        ] {
            assert!(
                matches!(ServerUrl::parse(text, false), Err(Error::PlainHttp(_))),
                "{text}"
            );
            assert!(ServerUrl::parse(text, true).is_ok(), "{text}");
        }
    }
}
