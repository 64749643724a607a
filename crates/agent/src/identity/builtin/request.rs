//! The authentication request and what its answers mean. No IO.

use std::time::Duration;

use hyper::StatusCode;
use serde::Serialize;

use super::key::DeviceKey;
use crate::http::Answer;
use crate::identity::Token;

/// Where a device asks to be let in.
pub(super) const PATH: &str = "/api/devices/v1/authentication/auth_requests";
/// What is shown of a server's error text.
const MAX_TEXT: usize = 200;

/// A signed request.
#[derive(Clone, Debug, PartialEq)]
pub struct AuthRequest {
    /// The exact bytes that are signed.
    pub body: Vec<u8>,
    /// Base64, for the header `X-MEN-Signature`.
    pub signature: String,
}

/// In mender-client's order and with all of its keys.
#[derive(Serialize)]
struct Body<'a> {
    id_data: &'a str,
    tenant_token: &'a str,
    pubkey: &'a str,
}

impl AuthRequest {
    /// As mender-client 3.4.0 makes it, down to the line end, which is part of what is signed.
    pub(super) fn new(key: &DeviceKey, identity_data: &str) -> Result<Self, serde_json::Error> {
        let pubkey = key.public_pem();
        let body = Body {
            id_data: identity_data,
            tenant_token: "",
            pubkey: &pubkey,
        };
        let mut body = serde_json::to_vec(&body)?;
        body.push(b'\n');
        let signature = key.sign(&body);
        Ok(Self { body, signature })
    }
}

/// What the server decided.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// Accepted.
    Accepted(Token),
    /// Not accepted, or not yet; with the server's reason.
    NotAccepted(String),
    /// No decision: something is wrong there, or it is busy. With the reason, and how long it
    /// wants to be left alone.
    Undecided(String, Option<Duration>),
}

pub(super) fn judge(answer: &Answer) -> Verdict {
    match answer.status {
        StatusCode::OK => {
            let token = std::str::from_utf8(&answer.body)
                .ok()
                .map(str::trim)
                .and_then(Token::new);
            match token {
                Some(token) => Verdict::Accepted(token),
                None => Verdict::Undecided("an answer without a token".to_owned(), None),
            }
        }
        StatusCode::UNAUTHORIZED => Verdict::NotAccepted(reason(answer)),
        status => {
            let reason = format!("status {}: {}", status.as_u16(), reason(answer));
            Verdict::Undecided(reason, answer.retry_after)
        }
    }
}

/// The `error` of a JSON answer, or as much as there is.
fn reason(answer: &Answer) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
    let text = match json.as_ref().and_then(|json| json.get("error")?.as_str()) {
        Some(text) => text.to_owned(),
        None => String::from_utf8_lossy(&answer.body).into_owned(),
    };
    text.trim().chars().take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        let status = StatusCode::from_u16(status).unwrap();
        Answer {
            status,
            retry_after: Some(Duration::from_secs(9)),
            body: body.into(),
        }
    }

    #[test]
    fn item_28_the_body_is_mender_clients_to_the_byte() {
        let folder = tempfile::tempdir().unwrap();
        let key = DeviceKey::open(&folder.path().join("key.pem")).unwrap();
        let request = AuthRequest::new(&key, r#"{"mac":"52:54:00:00:00:01"}"#).unwrap();
        let pem = key.public_pem().replace('\n', "\\n");
        let expected = format!(
            "{{\"id_data\":\"{{\\\"mac\\\":\\\"52:54:00:00:00:01\\\"}}\",\"tenant_token\":\"\",\
             \"pubkey\":\"{pem}\"}}\n"
        );
        assert_eq!(String::from_utf8(request.body.clone()).unwrap(), expected);
        assert_eq!(request.signature, key.sign(&request.body));
    }

    #[test]
    fn item_29_what_answers_mean() {
        assert_eq!(
            judge(&answer(200, "a.b.c")),
            Verdict::Accepted(Token::new("a.b.c").unwrap())
        );
        assert_eq!(
            judge(&answer(
                401,
                r#"{"error":"dev auth: unauthorized","request_id":"x"}"#
            )),
            Verdict::NotAccepted("dev auth: unauthorized".into())
        );
        assert_eq!(
            judge(&answer(429, "slow down")),
            Verdict::Undecided("status 429: slow down".into(), Some(Duration::from_secs(9)))
        );
        assert!(matches!(judge(&answer(200, "")), Verdict::Undecided(..)));
        assert!(
            matches!(judge(&answer(500, &"x".repeat(999))), Verdict::Undecided(text, _) if text.len() < 250)
        );
    }
}
