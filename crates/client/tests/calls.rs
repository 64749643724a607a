//! The calls as a server sees them.
#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::io;

use longwire_client::session::{Opened, Start, Who, Wish};
use longwire_client::{AuthStatus, Client, Error, ServerUrl, Trust};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Answers one request with `answer` and returns the request.
async fn server(answer: &'static str) -> (Client, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("its address"));
    let server = ServerUrl::parse(&address, false).expect("loopback may be plain");
    let client = Client::new(server, Trust::System).expect("a client");
    let seen = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        let mut request = Vec::new();
        let mut expected = None;
        loop {
            if let Some(end) = find(&request, b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&request).to_lowercase();
                let length = head
                    .split_once("content-length: ")
                    .and_then(|(_, rest)| rest.lines().next()?.parse().ok())
                    .unwrap_or(0);
                expected = Some(end + 4 + length);
            }
            if expected.is_some_and(|expected| request.len() >= expected) {
                break;
            }
            let read = socket
                .read_buf(&mut request)
                .await
                .expect("more of the request");
            assert!(read > 0, "the request was cut");
        }
        socket
            .write_all(answer.as_bytes())
            .await
            .expect("the answer is taken");
        String::from_utf8(request).expect("a request")
    });
    (client, seen)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\n\r\n";

#[tokio::test]
async fn item_56_login_is_basic_with_an_empty_json_body() {
    let (client, seen) = server(
        "HTTP/1.1 200 OK\r\nContent-Type: application/jwt\r\nContent-Length: 5\r\n\r\na.b.c",
    )
    .await;
    assert_eq!(
        client
            .login("a@example.com", "pä:ss", None)
            .await
            .expect("a token"),
        "a.b.c"
    );
    let request = seen.await.expect("a request").to_lowercase();
    assert!(request.starts_with("post /api/management/v1/useradm/auth/login http/1.1\r\n"));
    // a@example.com:pä:ss
    assert!(request.contains("authorization: basic "), "{request}");
    assert!(
        request.contains("content-type: application/json\r\n"),
        "{request}"
    );
    assert!(request.contains("content-length: 0\r\n"), "{request}");
    assert!(request.contains(&format!(
        "host: {}\r\n",
        client.server().to_string().split_off(7)
    )));
}

#[tokio::test]
async fn a_second_factor_goes_into_the_body() {
    let (client, seen) = server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na.b.c").await;
    client
        .login("a@example.com", "x", Some("123456"))
        .await
        .expect("a token");
    assert!(
        seen.await
            .expect("a request")
            .ends_with("\r\n\r\n{\"token2fa\":\"123456\"}")
    );
}

#[tokio::test]
async fn a_decision_names_device_and_key() {
    let (client, seen) = server(NO_CONTENT).await;
    let client = client.with_token(" t.o.k\n").expect("a token");
    client
        .set_auth_status("d/1", "k", AuthStatus::Accepted)
        .await
        .expect("done");
    let request = seen.await.expect("a request");
    assert!(request.starts_with("PUT /api/management/v2/devauth/devices/d%2F1/auth/k/status "));
    assert!(
        request.contains("authorization: Bearer t.o.k\r\n"),
        "{request}"
    );
    assert!(
        request.ends_with("\r\n\r\n{\"status\":\"accepted\"}"),
        "{request}"
    );
}

#[tokio::test]
async fn an_error_has_status_address_and_the_servers_words() {
    let (client, _seen) = server(
        "HTTP/1.1 404 Not Found\r\nContent-Length: 28\r\n\r\n{\"error\":\"device not found\"}",
    )
    .await;
    let error = client.device_state("x").await.expect_err("404");
    assert_eq!(error.status(), Some(404));
    assert_eq!(
        error.to_string(),
        format!(
            "Get {}/api/management/v1/deviceconnect/devices/x request failed with status 404: \
             device not found",
            client.server()
        )
    );
}

#[tokio::test]
async fn a_refused_terminal_is_an_http_error_too() {
    let (client, seen) = server(
        "HTTP/1.1 404 Not Found\r\nContent-Length: 55\r\n\r\n\
         {\"error\":\"failed to connect to device: device offline\"}",
    )
    .await;
    let error = client
        .with_token("t")
        .expect("a token")
        .session("x", &wish(Start::New))
        .await
        .map(drop)
        .expect_err("404");
    assert_eq!(error.status(), Some(404));
    assert!(
        error
            .to_string()
            .ends_with("failed to connect to device: device offline"),
        "{error}"
    );
    let request = seen.await.expect("a request").to_lowercase();
    assert!(request.starts_with("get /api/management/v1/deviceconnect/devices/x/connect "));
    assert!(request.contains("authorization: bearer t\r\n"), "{request}");
    assert!(!request.contains("sec-websocket-extensions"), "{request}");
    let offered = "sec-websocket-protocol: longwire.v1, protomsg/msgpack\r\n";
    assert!(request.contains(offered), "{request}");
}

fn wish(start: Start) -> Wish {
    Wish {
        start,
        size: None,
        who: Who::Person,
    }
}

/// What a client makes of a server that answers its handshake with this header as well.
async fn opened(header: &'static str) -> Result<Opened, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("its address"));
    let server = ServerUrl::parse(&address, false).expect("loopback may be plain");
    let client = Client::new(server, Trust::System).expect("a client");
    let serving = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        let mut request = Vec::new();
        while find(&request, b"\r\n\r\n").is_none() {
            assert!(socket.read_buf(&mut request).await.expect("a request") > 0);
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        let (_, rest) = text.split_once("sec-websocket-key: ").expect("a key");
        let accept = derive_accept_key(rest.lines().next().expect("a line").as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{header}\r\n"
        );
        socket
            .write_all(answer.as_bytes())
            .await
            .expect("an answer");
        socket
    });
    let opened = client.session("x", &wish(Start::New)).await;
    drop(serving.await.expect("a server"));
    opened
}

#[tokio::test]
async fn the_server_chooses_what_is_spoken() {
    let chosen = opened("Sec-WebSocket-Protocol: longwire.v1\r\n").await;
    assert!(matches!(chosen, Ok(Opened::Longwire(..))), "{chosen:?}");
    for header in ["", "Sec-WebSocket-Protocol: protomsg/msgpack\r\n"] {
        let chosen = opened(header).await;
        assert!(matches!(chosen, Ok(Opened::Plain(..))), "{chosen:?}");
    }
    let chosen = opened("Sec-WebSocket-Protocol: other\r\n").await;
    assert!(matches!(chosen, Err(Error::Unexpected(_))), "{chosen:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("its address"));
    drop(listener);
    let server = ServerUrl::parse(&address, false).expect("an address");
    let client = Client::new(server, Trust::System).expect("a client");
    let Err(Error::Unreachable { source, .. }) = client.device("x").await else {
        panic!("it answered");
    };
    assert_eq!(source.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn an_answer_that_is_not_what_it_should_be_is_an_error() {
    let (client, _seen) = server("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnope").await;
    assert!(matches!(
        client.device("x").await,
        Err(Error::Unexpected(_))
    ));
    let (client, _seen) = server("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{}").await;
    assert!(
        matches!(client.device("x").await, Err(Error::Lost(_))),
        "the answer was cut"
    );
}

#[tokio::test]
async fn sessions_are_listed_page_by_page_and_ended_by_id() {
    let (client, seen) = server(
        "HTTP/1.1 200 OK\r\nContent-Length: 113\r\n\r\n\
         [{\"id\":\"s1\",\"device_id\":\"d1\",\"owner\":{\"email\":\"me@example.com\"},\
         \"state\":\"detached\",\"epoch\":3,\"viewers\":[],\"x\":1}]",
    )
    .await;
    let sessions = client.sessions(Some("d1"), true).await.expect("sessions");
    assert!(
        sessions.len() == 1
            && sessions
                .iter()
                .all(longwire_client::SessionRow::is_detached)
    );
    let request = seen.await.expect("a request");
    let asked =
        "GET /api/management/v1/longwire/sessions?page=1&per_page=500&device_id=d1&mine=true ";
    assert!(request.starts_with(asked), "{request}");

    let (client, seen) = server(NO_CONTENT).await;
    client.end_session("s/1").await.expect("it is ended");
    let request = seen.await.expect("a request");
    let asked = "DELETE /api/management/v1/longwire/sessions/s%2F1 ";
    assert!(request.starts_with(asked), "{request}");
}
