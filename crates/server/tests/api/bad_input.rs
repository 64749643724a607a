//! What is too large, cut off or not understood is refused with a reason, and disturbs nothing.

use axum::http::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{DEADLINE, Server};

const SEARCH: &str = "/api/management/v2/inventory/filters/search";
const ATTRIBUTES: &str = "/api/devices/v1/inventory/device/attributes";
const TOO_LARGE: &str = "request body is over the limit of 1048576 bytes";

#[tokio::test]
async fn oversized_bodies_are_refused() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let device = server.accepted(&admin, json!({ "mac": "1" })).await;
    let large = vec![b' '; 1024 * 1024 + 1];
    for (path, token) in [
        (SEARCH, &admin),
        ("/api/management/v2/devauth/devices", &admin),
    ] {
        let call = server.post(path).bearer(token);
        let answer = call.body("application/json", large.clone()).send().await;
        answer.refused(413, TOO_LARGE);
    }
    let call = server.put(ATTRIBUTES).bearer(&device.token);
    let answer = call.body("application/json", large.clone()).send().await;
    answer.refused(413, TOO_LARGE);
    let text = String::from_utf8(large).unwrap();
    let answer = server.ask_with(text, "AAAA").await;
    answer.refused(413, TOO_LARGE);
    let answer = server.get(SEARCH).bearer(&admin).send().await;
    answer.refused(405, "method not allowed");
}

/// A hundred megabytes in chunks, whose length nobody announces, are cut off at the limit.
#[tokio::test]
async fn an_endless_body_is_cut_off() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let head = format!(
        "POST {SEARCH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {admin}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut chunk = b"10000\r\n".to_vec();
    chunk.extend_from_slice(&[b' '; 0x10000]);
    chunk.extend_from_slice(b"\r\n");
    let mut sent = 0_usize;
    let answer = tokio::time::timeout(DEADLINE, async {
        let (mut read, mut write) = stream.split();
        let mut answer = vec![0; 4096];
        loop {
            tokio::select! {
                length = read.read(&mut answer) => {
                    let length = length.unwrap_or_default();
                    answer.truncate(length);
                    return answer;
                }
                wrote = write.write_all(&chunk) => match wrote {
                    Ok(()) => sent += 0x10000,
                    // Cut off already; what was answered can still be read.
                    Err(_) => {
                        let length = read.read(&mut answer).await.unwrap_or_default();
                        answer.truncate(length);
                        return answer;
                    }
                },
            }
            assert!(sent < 100 * 1024 * 1024, "nobody stops it");
        }
    })
    .await
    .unwrap();
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.1 413 "), "{text}");
    // Others are not disturbed.
    let answer = server.post(SEARCH).bearer(&admin).json(&json!({}));
    assert_eq!(answer.send().await.status, StatusCode::OK);
}

#[tokio::test]
async fn bodies_that_are_no_json_are_refused() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let post = |body: &'static str, media_type: &'static str| {
        let call = server.post(SEARCH).bearer(&admin);
        call.body(media_type, body).send()
    };
    for bad in ["{", "[]", "{\"page\":\"x\"}", "\u{0}", "{\"page\":-1}"] {
        let answer = post(bad, "application/json").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
        let text = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(
            text.starts_with("failed to decode request body: "),
            "{text}"
        );
    }
    let deep = "[".repeat(100_000);
    let call = server.post(SEARCH).bearer(&admin);
    let answer = call.body("application/json", deep).send().await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let answer = post("", "application/json").await;
    answer.refused(400, "request body is empty");
    for wrong in ["text/plain", "application/x-www-form-urlencoded"] {
        let answer = post("{}", wrong).await;
        answer.refused(415, "Content-Type must be application/json");
    }
    let answer = post("{}", "application/json; charset=utf-8").await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn attributes_that_are_not_taken_change_nothing() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let device = server.accepted(&admin, json!({ "mac": "1" })).await;
    let put = |body: serde_json::Value| {
        let call = server.put(ATTRIBUTES).bearer(&device.token);
        async move { call.json(&body).send().await }
    };
    let good = json!([{ "name": "hostname", "value": "box" }]);
    assert_eq!(put(good).await.status, StatusCode::OK);
    let many: Vec<_> = (0..501)
        .map(|number| json!({ "name": number.to_string(), "value": 1 }))
        .collect();
    for (bad, text) in [
        (
            json!([{ "name": "", "value": 1 }]),
            "name: cannot be blank.",
        ),
        (
            json!([{ "name": "x".repeat(257), "value": 1 }]),
            "name: too long.",
        ),
        (
            json!([{ "name": "a", "value": null }]),
            "value of a: must be a string, a number, a boolean or an array of one of these.",
        ),
        (
            json!([{ "name": "a", "value": [1, "x"] }]),
            "value of a: must be a string, a number, a boolean or an array of one of these.",
        ),
        (
            json!([{ "name": "a", "value": "x".repeat(9000) }]),
            "value of a: too long.",
        ),
        (json!(many), "more than 500 attributes"),
    ] {
        put(bad).await.refused(400, text);
    }
    let path = format!("/api/management/v1/longwire/devices/{}", device.id);
    let known = server.get(&path).bearer(&admin).send().await.json();
    assert_eq!(known["name"], "box");
    assert_eq!(known["attributes"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn ids_that_are_none_are_not_found() {
    let server = Server::start().await;
    let admin = server.admin().await;
    for id in [
        "x",
        "..%2f..",
        "%00",
        "00000000-0000-0000-0000-000000000000",
    ] {
        let path = format!("/api/management/v2/devauth/devices/{id}");
        let answer = server.get(&path).bearer(&admin).send().await;
        answer.refused(404, "device not found");
    }
}

#[tokio::test]
async fn a_request_id_is_taken_over_only_if_it_is_sane() {
    let server = Server::start().await;
    let ask = |id: &'static str| server.get("/api/none").header("x-men-requestid", id).send();
    assert_eq!(ask("abc-1").await.header("x-men-requestid"), "abc-1");
    let long = "x".repeat(65);
    let answer = server.get("/api/none").header("x-men-requestid", &long);
    assert_eq!(answer.send().await.header("x-men-requestid").len(), 36);
    assert_eq!(ask("a b").await.header("x-men-requestid").len(), 36);
    ask("abc-1").await.refused(404, "no such resource");
}
