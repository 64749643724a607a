//! How long a token is good for, and its copy on disk.
//!
//! The device's clock may be wrong by decades. So the lifetime is what the token itself says, the
//! span from its issue to its expiry, counted from when it was received on a clock that does not
//! step. Only a token read from disk is held against the wall clock, and only to drop it early;
//! the server has the last word on every token.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::identity::Token;
use crate::private_file;
use crate::server_url::ServerUrl;

/// Assumed of a token that does not say.
const UNKNOWN_LIFETIME: Duration = Duration::from_secs(7 * 86_400);
/// A server that issues shorter tokens is not asked more often.
const MIN_LIFETIME: Duration = Duration::from_secs(120);
/// Longer ones are renewed early. Also keeps timers within their range.
const MAX_LIFETIME: Duration = Duration::from_secs(90 * 86_400);

/// The two claims that matter here, in seconds since 1970.
#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    iat: f64,
    exp: f64,
}

fn claims(token: &Token) -> Option<Claims> {
    let payload = token.expose().split('.').nth(1)?;
    let json = BASE64_URL_SAFE_NO_PAD
        .decode(payload.trim_end_matches('='))
        .ok()?;
    serde_json::from_slice(&json).ok()
}

/// How long a token just received is good for.
pub(super) fn lifetime(token: &Token) -> Duration {
    claims(token)
        .and_then(|claims| Duration::try_from_secs_f64(claims.exp - claims.iat).ok())
        .unwrap_or(UNKNOWN_LIFETIME)
        .clamp(MIN_LIFETIME, MAX_LIFETIME)
}

/// What a token from disk has left, or None when it is of no use any more.
fn remaining(token: &Token, now: SystemTime) -> Option<Duration> {
    let Some(claims) = claims(token) else {
        return Some(UNKNOWN_LIFETIME);
    };
    let now = now
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64();
    let left = Duration::try_from_secs_f64(claims.exp - now).ok()?;
    // More than a whole life left: the clock is behind.
    (!left.is_zero()).then(|| left.min(lifetime(token)))
}

/// The last token, on disk, so that a restarted agent is connected without asking first.
pub(super) struct TokenFile {
    path: PathBuf,
}

/// A token is only good where and for whom it was issued.
#[derive(Serialize, Deserialize)]
struct Kept {
    server: String,
    fingerprint: String,
    token: String,
}

impl TokenFile {
    pub(super) fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// The kept token and how long it is good for.
    pub(super) fn load(
        &self,
        server: &ServerUrl,
        fingerprint: &str,
        now: SystemTime,
    ) -> Option<(Token, Duration)> {
        let kept: Kept = serde_json::from_slice(&private_file::read(&self.path).ok()??).ok()?;
        if kept.server != server.to_string() || kept.fingerprint != fingerprint {
            return None;
        }
        let token = Token::new(&kept.token)?;
        let left = remaining(&token, now)?;
        Some((token, left))
    }

    /// Keeps a token. That it cannot be kept costs one request at the next start.
    pub(super) fn save(&self, server: &ServerUrl, fingerprint: &str, token: &Token) {
        let kept = Kept {
            server: server.to_string(),
            fingerprint: fingerprint.to_owned(),
            token: token.expose().to_owned(),
        };
        let result = serde_json::to_vec(&kept)
            .map_err(std::io::Error::from)
            .and_then(|json| private_file::write(&self.path, &json));
        if let Err(error) = result {
            log::warn!("cannot keep the token in {}: {error}", self.path.display());
        }
    }

    /// Forgets a token that is not good any more.
    pub(super) fn clear(&self) {
        if let Err(error) = private_file::remove(&self.path) {
            log::warn!("cannot remove {}: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::server_url::PlainHttp;

    const WEEK: u64 = 7 * 86_400;

    pub(crate) fn jwt(claims: &str) -> Token {
        Token::new(&format!(
            "e30.{}.c2ln",
            BASE64_URL_SAFE_NO_PAD.encode(claims)
        ))
        .unwrap()
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_lifetime_is_counted_from_issue_to_expiry() {
        for (claims, seconds) in [
            (r#"{"iat":1000000,"exp":1604800}"#, WEEK),
            (r#"{"iat":1000000,"exp":1000001}"#, 120),
            (r#"{"iat":9,"exp":3}"#, WEEK),
            (r#"{"exp":1e300}"#, WEEK),
            (r#"{"iat":0,"exp":31536000}"#, 90 * 86_400),
            ("{}", WEEK),
        ] {
            assert_eq!(
                lifetime(&jwt(claims)),
                Duration::from_secs(seconds),
                "{claims}"
            );
        }
        assert_eq!(lifetime(&Token::new("opaque").unwrap()), UNKNOWN_LIFETIME);
    }

    #[test]
    fn a_clock_at_1970_costs_no_good_token() {
        let token = jwt(r#"{"iat":1800000000,"exp":1800604800}"#);
        assert_eq!(remaining(&token, at(60)), Some(Duration::from_secs(WEEK)));
        assert_eq!(
            remaining(&token, at(1_800_600_000)),
            Some(Duration::from_secs(4800))
        );
        assert_eq!(remaining(&token, at(1_800_604_800)), None);
        assert_eq!(remaining(&token, at(1_900_000_000)), None);
    }

    #[test]
    fn a_token_goes_to_no_other_server_and_with_no_other_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::at(&folder.path().join("token.json"));
        let server = |text| ServerUrl::parse(text, PlainHttp::ToThisMachine).unwrap();
        let token = jwt(r#"{"iat":1000,"exp":2000}"#);
        let home = server("https://h");
        assert_eq!(file.load(&home, "SHA256:x", at(1500)), None);
        file.save(&home, "SHA256:x", &token);
        assert_eq!(
            file.load(&home, "SHA256:x", at(1500)),
            Some((token, Duration::from_secs(500)))
        );
        assert_eq!(
            file.load(&server("https://other"), "SHA256:x", at(1500)),
            None
        );
        assert_eq!(
            file.load(&server("https://h:444"), "SHA256:x", at(1500)),
            None
        );
        assert_eq!(file.load(&home, "SHA256:y", at(1500)), None);
        file.clear();
        assert_eq!(file.load(&home, "SHA256:x", at(1500)), None);
    }
}
