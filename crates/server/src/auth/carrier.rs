//! Where a request carries its token, and whether a browser sent it from our own pages.

use axum::http::{HeaderMap, HeaderValue, header};

use super::Refusal;

/// Our cookie under TLS: bound to this very host, sent over TLS only.
pub const SECURE_COOKIE: &str = "__Host-longwire";
/// Our cookie on plain HTTP, where a browser would not take the other.
pub const INSECURE_COOKIE: &str = "longwire-insecure";
/// The cookie that Mender's own UI sets.
const MENDER_COOKIE: &str = "JWT";

/// What a request is about to do; decides which carriers count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UseOf {
    /// It only reads.
    Read,
    /// It changes something.
    Change,
    /// It opens a websocket.
    Websocket,
}

/// What the server knows about itself that the rules need.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// Browsers reach the server over TLS.
    pub tls: bool,
    /// The origin they use, when it is configured.
    pub public_url: Option<&'a str>,
}

impl Site<'_> {
    /// The name of our cookie here.
    #[must_use]
    pub const fn cookie(&self) -> &'static str {
        if self.tls {
            SECURE_COOKIE
        } else {
            INSECURE_COOKIE
        }
    }
}

/// The bearer token of an `Authorization` header: scheme in any case, exactly two words.
///
/// # Errors
/// [`Refusal::Missing`] without the header, [`Refusal::Malformed`] with another form.
pub fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let value = headers
        .get(header::AUTHORIZATION)
        .ok_or(Refusal::Missing)?
        .to_str()
        .map_err(|_| Refusal::Malformed)?;
    let mut words = value.split_ascii_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some(scheme), Some(token), None) if scheme.eq_ignore_ascii_case("bearer") => Ok(token),
        _ => Err(Refusal::Malformed),
    }
}

/// A person's token: the header if there is one, else our cookie, else (not for changes) Mender's.
///
/// # Errors
/// As [`bearer`], and [`Refusal::ForeignOrigin`] when a cookie would be used for a change or a websocket
/// that does not come from this server's own pages.
pub fn user_token<'h>(
    headers: &'h HeaderMap,
    use_of: UseOf,
    site: Site<'_>,
) -> Result<&'h str, Refusal> {
    if headers.contains_key(header::AUTHORIZATION) {
        return bearer(headers);
    }
    let token = cookie(headers, site.cookie())
        .or_else(|| match use_of {
            UseOf::Read | UseOf::Websocket => cookie(headers, MENDER_COOKIE),
            UseOf::Change => None,
        })
        .ok_or(Refusal::Missing)?;
    match use_of {
        UseOf::Read => Ok(token),
        UseOf::Change | UseOf::Websocket if from_own_pages(headers, site) => Ok(token),
        UseOf::Change | UseOf::Websocket => Err(Refusal::ForeignOrigin),
    }
}

/// Whether a browser says that one of this server's own pages made the request. Every browser sends at
/// least one of the two headers with a change or a websocket; a request with neither is not from one.
#[must_use]
pub fn from_own_pages(headers: &HeaderMap, site: Site<'_>) -> bool {
    if let Some(fetch_site) = headers.get("sec-fetch-site") {
        if fetch_site != "same-origin" {
            return false;
        }
        if !headers.contains_key(header::ORIGIN) {
            return true;
        }
    }
    headers
        .get(header::ORIGIN)
        .is_some_and(|origin| is_own_origin(origin, headers.get(header::HOST), site))
}

/// Whether a browser says that another site's page made the request. False for programs.
#[must_use]
pub fn from_other_pages(headers: &HeaderMap, site: Site<'_>) -> bool {
    let browser = headers.contains_key("sec-fetch-site") || headers.contains_key(header::ORIGIN);
    browser && !from_own_pages(headers, site)
}

fn is_own_origin(origin: &HeaderValue, host: Option<&HeaderValue>, site: Site<'_>) -> bool {
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    if let Some(public) = site.public_url {
        return origin.eq_ignore_ascii_case(public);
    }
    let scheme = if site.tls { "https" } else { "http" };
    let Some((found, authority)) = origin.split_once("://") else {
        return false;
    };
    let Some(host) = host.and_then(|host| host.to_str().ok()) else {
        return false;
    };
    found.eq_ignore_ascii_case(scheme)
        && without_default_port(authority, scheme)
            .eq_ignore_ascii_case(without_default_port(host, scheme))
}

fn without_default_port<'a>(authority: &'a str, scheme: &str) -> &'a str {
    let default = if scheme == "https" { ":443" } else { ":80" };
    authority.strip_suffix(default).unwrap_or(authority)
}

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, value)| *key == name && !value.is_empty())
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Site<'static> = Site {
        tls: false,
        public_url: None,
    };
    const PUBLIC: Site<'static> = Site {
        tls: true,
        public_url: Some("https://fleet.example"),
    };

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    name.parse::<axum::http::HeaderName>().unwrap(),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn a_bearer_header_is_two_words() {
        for good in ["Bearer t", "bearer t", "BEARER  t "] {
            assert_eq!(bearer(&headers(&[("authorization", good)])), Ok("t"));
        }
        for bad in ["", "t", "Basic t", "Bearer", "Bearer a b"] {
            assert_eq!(
                bearer(&headers(&[("authorization", bad)])),
                Err(Refusal::Malformed)
            );
        }
        assert_eq!(bearer(&HeaderMap::new()), Err(Refusal::Missing));
    }

    #[test]
    fn item_34_the_header_wins_and_the_mender_cookie_never_changes_anything() {
        let own = ("origin", "http://127.0.0.1:8080");
        let host = ("host", "127.0.0.1:8080");
        let mender = headers(&[own, host, ("cookie", "a=b; JWT=m")]);
        assert_eq!(user_token(&mender, UseOf::Read, PLAIN), Ok("m"));
        assert_eq!(user_token(&mender, UseOf::Websocket, PLAIN), Ok("m"));
        assert_eq!(
            user_token(&mender, UseOf::Change, PLAIN),
            Err(Refusal::Missing)
        );
        let both = headers(&[own, host, ("cookie", "JWT=m; longwire-insecure=o")]);
        assert_eq!(user_token(&both, UseOf::Change, PLAIN), Ok("o"));
        let header = headers(&[("authorization", "Bearer h"), ("cookie", "JWT=m")]);
        assert_eq!(user_token(&header, UseOf::Change, PLAIN), Ok("h"));
        let broken = headers(&[("authorization", "nonsense"), ("cookie", "JWT=m")]);
        assert_eq!(
            user_token(&broken, UseOf::Read, PLAIN),
            Err(Refusal::Malformed)
        );
    }

    #[test]
    fn each_cookie_name_counts_only_where_it_is_set() {
        let both = headers(&[("cookie", "__Host-longwire=s; longwire-insecure=o")]);
        assert_eq!(user_token(&both, UseOf::Read, PLAIN), Ok("o"));
        assert_eq!(user_token(&both, UseOf::Read, PUBLIC), Ok("s"));
    }

    #[test]
    fn a_cookie_needs_our_own_pages_for_changes_and_websockets() {
        let cookie = ("cookie", "longwire-insecure=o");
        let host = ("host", "127.0.0.1:8080");
        for (pairs, own) in [
            (vec![cookie, host], false),
            (
                vec![cookie, host, ("origin", "http://127.0.0.1:8080")],
                true,
            ),
            (
                vec![cookie, host, ("origin", "https://127.0.0.1:8080")],
                false,
            ),
            (
                vec![cookie, host, ("origin", "http://127.0.0.1:8081")],
                false,
            ),
            (vec![cookie, host, ("origin", "http://evil.example")], false),
            (vec![cookie, host, ("origin", "null")], false),
            (vec![cookie, ("origin", "http://127.0.0.1:8080")], false),
            (vec![cookie, host, ("sec-fetch-site", "same-origin")], true),
            (vec![cookie, host, ("sec-fetch-site", "same-site")], false),
            (vec![cookie, host, ("sec-fetch-site", "none")], false),
            (
                vec![
                    cookie,
                    host,
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "http://127.0.0.1:8080"),
                ],
                false,
            ),
        ] {
            let headers = headers(&pairs);
            let expected = if own {
                Ok("o")
            } else {
                Err(Refusal::ForeignOrigin)
            };
            for use_of in [UseOf::Change, UseOf::Websocket] {
                assert_eq!(user_token(&headers, use_of, PLAIN), expected, "{pairs:?}");
            }
        }
    }

    #[test]
    fn a_public_url_is_the_only_origin_then() {
        let with = |origin| headers(&[("host", "10.0.0.1:8443"), ("origin", origin)]);
        assert!(from_own_pages(&with("https://fleet.example"), PUBLIC));
        assert!(!from_own_pages(&with("http://fleet.example"), PUBLIC));
        assert!(!from_own_pages(&with("https://10.0.0.1:8443"), PUBLIC));
    }

    #[test]
    fn a_default_port_may_be_left_out() {
        let plain = headers(&[("host", "box:80"), ("origin", "http://box")]);
        assert!(from_own_pages(&plain, PLAIN));
    }
}
