//! Where a server is, and whether it may be talked to.

use std::fmt;

/// The origin of a server: scheme, host and port. A path is not kept, since the protocol names
/// its own.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl {
    secure: bool,
    host: String,
    port: u16,
}

/// Which servers may be reached by plain http.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PlainHttp {
    /// This machine only.
    ToThisMachine,
    /// Any: `--insecure-http` was given.
    Anywhere,
}

/// Why an address is not used.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum UrlError {
    /// Not `http://host[:port]` or `https://host[:port]`.
    #[error("{0:?} is not an http or https address")]
    Malformed(String),
    /// Somebody on the way could read and type.
    #[error("{0} is plain http to another machine: use https, or --insecure-http to allow it")]
    Insecure(ServerUrl),
}

impl ServerUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// [`UrlError`] when it is no address or one that may not be used.
    pub fn parse(text: &str, plain_http: PlainHttp) -> Result<Self, UrlError> {
        let url = Self::read(text).ok_or_else(|| UrlError::Malformed(text.to_owned()))?;
        if url.secure || plain_http == PlainHttp::Anywhere || url.is_this_machine() {
            Ok(url)
        } else {
            Err(UrlError::Insecure(url))
        }
    }

    fn read(text: &str) -> Option<Self> {
        let uri: hyper::Uri = text.parse().ok()?;
        let secure = match uri.scheme_str()?.to_ascii_lowercase().as_str() {
            "https" | "wss" => true,
            "http" | "ws" => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        // A name before the host (`https://server@evil/`) is there to mislead.
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return None;
        }
        // `Authority::port` hides a port that is out of range.
        let port = match authority.as_str().strip_prefix(authority.host())? {
            "" if secure => 443,
            "" => 80,
            port => port
                .strip_prefix(':')?
                .parse()
                .ok()
                .filter(|port| *port != 0)?,
        };
        Some(Self {
            secure,
            host: authority.host().to_ascii_lowercase(),
            port,
        })
    }

    /// Whether TLS is spoken there.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host without the brackets of an IPv6 address, for dialling and certificates.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(&self.host)
    }

    /// The port, explicit or the scheme's own.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Host and port as in a `Host` header: the scheme's own port is left out.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.port == if self.secure { 443 } else { 80 } {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// A loopback address, or the name that by RFC 6761 means one.
    #[must_use]
    pub fn is_this_machine(&self) -> bool {
        match self.host().parse::<std::net::IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback(),
            Err(_) => self.is_localhost(),
        }
    }

    /// The name `localhost`, which is never asked of a name server.
    #[must_use]
    pub fn is_localhost(&self) -> bool {
        self.host == "localhost"
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<ServerUrl, UrlError> {
        ServerUrl::parse(text, PlainHttp::ToThisMachine)
    }

    #[test]
    fn an_origin_is_what_counts() {
        for (text, origin) in [
            ("https://Example.com", "https://example.com"),
            ("https://h:8443/a/b?c", "https://h:8443"),
            ("http://127.0.0.1:37001", "http://127.0.0.1:37001"),
            ("http://[::1]:80/", "http://[::1]"),
            ("ws://localhost", "http://localhost"),
        ] {
            assert_eq!(parsed(text).unwrap().to_string(), origin);
        }
        assert_eq!(parsed("http://[::1]:1").unwrap().host(), "::1");
        assert_eq!(parsed("https://h").unwrap().port(), 443);
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        for text in [
            "http://10.0.0.1",
            "http://localhost.example.com",
            "ws://127.0.0.1.nip.io",
        ] {
            assert!(matches!(parsed(text), Err(UrlError::Insecure(_))), "{text}");
            assert!(ServerUrl::parse(text, PlainHttp::Anywhere).is_ok());
        }
        for text in [
            "http://127.9.9.9",
            "http://[::ffff:127.0.0.1]:1",
            "http://LOCALHOST",
        ] {
            assert!(parsed(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "h",
            "h:80",
            "//h",
            "ftp://h",
            "https://",
            "https://:1",
            "https://h:",
            "https://h:0",
            "https://h:99999",
            "https://a@h",
            "http://127.0.0.1@evil",
            "https://h h",
        ] {
            assert!(
                matches!(parsed(text), Err(UrlError::Malformed(_))),
                "{text}"
            );
        }
    }
}
