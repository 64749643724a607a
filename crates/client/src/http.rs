//! One HTTP request on a connection of its own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, USER_AGENT,
};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use serde::Deserialize;

use crate::connect::connect;
use crate::{Error, ServerUrl};

/// How long a whole call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The largest answer we read, in bytes.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;

/// How we name ourselves.
pub(crate) const AGENT: &str = concat!("longwire/", env!("CARGO_PKG_VERSION"));

/// A call: what differs between one and the other.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    /// Path and query below the server's address.
    pub(crate) path: &'a str,
    /// The whole value of the `Authorization` header.
    pub(crate) authorization: Option<HeaderValue>,
    /// JSON, or nothing; with POST and PUT only.
    pub(crate) json: Option<Bytes>,
}

/// A good answer.
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Makes a call; an answer of 300 or above is an error.
pub(crate) async fn call(
    server: &ServerUrl,
    tls: Option<&Arc<ClientConfig>>,
    call: Call<'_>,
) -> Result<Answer, Error> {
    tokio::time::timeout(CALL_TIMEOUT, call_untimed(server, tls, call))
        .await
        .map_err(|_| Error::Timeout(server.to_string()))?
}

async fn call_untimed(
    server: &ServerUrl,
    tls: Option<&Arc<ClientConfig>>,
    call: Call<'_>,
) -> Result<Answer, Error> {
    let method = call.method.clone();
    let url = format!("{server}{}", call.path);
    let request = request(server, call)?;
    let stream = connect(server, tls).await?;
    let lost = |error: hyper::Error| Error::Lost(error.to_string());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(lost)?;
    // The connection does its work only while it is polled, and ends with this call.
    let exchange = async {
        let response = sender.send_request(request).await.map_err(lost)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_LIMIT)
            .collect()
            .await
            .map_err(|error| Error::Lost(error.to_string()))?
            .to_bytes();
        Ok((head, body))
    };
    tokio::pin!(exchange);
    tokio::pin!(connection);
    let answered = tokio::select! {
        biased;
        answered = &mut exchange => answered,
        // The connection may be done before the answer has been read to its end.
        _ = &mut connection => exchange.await,
    };
    let (head, body) = answered?;
    if head.status.is_success() {
        return Ok(Answer {
            headers: head.headers,
            body,
        });
    }
    Err(Error::Status {
        method: spelled(&method),
        url,
        status: head.status.as_u16(),
        message: public_message(&body),
    })
}

fn request(server: &ServerUrl, call: Call<'_>) -> Result<Request<Full<Bytes>>, Error> {
    let mut request = Request::builder()
        .method(call.method.clone())
        .uri(server.path(call.path))
        .header(HOST, server.authority())
        .header(USER_AGENT, AGENT)
        .header(ACCEPT, "application/json, application/jwt");
    if let Some(authorization) = call.authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    let body = call.json.unwrap_or_default();
    if call.method == Method::POST || call.method == Method::PUT {
        // Said even when it is 0, as Go does: some proxies insist.
        request = request
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    request
        .body(Full::new(body))
        .map_err(|error| Error::Unexpected(error.to_string()))
}

/// The `error` of a server's JSON; anything else is not for people.
pub(crate) fn public_message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Public {
        error: String,
    }
    serde_json::from_slice::<Public>(body)
        .map(|public| public.error)
        .unwrap_or_default()
}

/// A method as Go's HTTP client spells it in errors, which scripts may look for.
fn spelled(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "Get",
        "POST" => "Post",
        "PUT" => "Put",
        "DELETE" => "Delete",
        _ => "Request",
    }
}

/// A piece of a path, with everything in it that could mean something else escaped.
pub(crate) fn segment(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
            escaped.push(byte.into());
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_id_is_one_piece_of_the_path() {
        assert_eq!(segment("0a-B_9"), "0a-B_9");
        assert_eq!(segment("../users?x=1#"), "%2E%2E%2Fusers%3Fx%3D1%23");
        assert_eq!(segment("ä"), "%C3%A4");
    }

    #[test]
    fn only_the_servers_words_are_shown() {
        assert_eq!(public_message(br#"{"error":"no","request_id":"1"}"#), "no");
        assert_eq!(public_message(b"<html>502</html>"), "");
    }
}
