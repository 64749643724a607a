//! Changes of devices as they happen.

use axum::http::{Request, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{DEADLINE, Device, Server};

/// An open event stream.
struct Watch {
    body: Incoming,
    text: String,
}

impl Watch {
    async fn open(server: &Server, token: &str) -> Self {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        let request = Request::get("/api/management/v1/longwire/events")
            .header(header::HOST, "x")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Empty::<Bytes>::new())
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut watch = Self {
            body: answer.into_body(),
            text: String::new(),
        };
        assert_eq!(watch.next().await.unwrap().0, "resync");
        watch
    }

    /// The next event; none at the end of the stream.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    event
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .unwrap()
                        .trim()
                        .to_owned()
                };
                let event = (
                    field("event:"),
                    serde_json::from_str(&field("data:")).unwrap(),
                );
                self.text = rest.to_owned();
                return Some(event);
            }
            let frame = tokio::time::timeout(DEADLINE, self.body.frame())
                .await
                .expect("no event in time")?;
            let data = frame.unwrap().into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&data).unwrap());
        }
    }

    /// The next event that `wanted` likes.
    async fn until(&mut self, wanted: impl Fn(&str, &Value) -> bool) {
        loop {
            let (name, data) = self.next().await.expect("the stream ended");
            if wanted(&name, &data) {
                return;
            }
        }
    }
}

#[tokio::test]
async fn a_watcher_sees_devices_come_change_and_go() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let mut watch = Watch::open(&server, &admin).await;
    let device = Device::new(json!({ "mac": "1" }));
    server.ask(&device).await;
    let pending = |name: &str, data: &Value| name == "device" && data["status"] == "pending";
    watch.until(pending).await;
    let (id, set) = server.find(&admin, &device).await;
    server.decide(&admin, &id, &set, "accepted").await;
    let accepted = |name: &str, data: &Value| {
        name == "device" && data["status"] == "accepted" && data["id"] == id.as_str()
    };
    watch.until(accepted).await;
    let path = format!("/api/management/v2/devauth/devices/{id}");
    server.delete(&path).bearer(&admin).send().await;
    watch
        .until(|name, data| name == "removed" && data["id"] == id.as_str())
        .await;
}

#[tokio::test]
async fn a_stream_ends_with_the_sign_in_and_with_the_server() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let other = server
        .login("admin@localhost", crate::support::PASSWORD)
        .await;
    let mut ended = Watch::open(&server, &admin).await;
    let mut stays = Watch::open(&server, &other.text()).await;
    let logout = server.post("/api/management/v1/useradm/auth/logout");
    logout.bearer(&admin).send().await;
    server.ask(&Device::new(json!({ "mac": "1" }))).await;
    assert!(ended.next().await.is_none());
    assert_eq!(stays.next().await.unwrap().0, "device");
    tokio::time::timeout(DEADLINE, server.stop()).await.unwrap();
    assert!(stays.next().await.is_none());
}

/// A device's link, opened by hand: what is told about it is of interest here, not what it carries.
async fn link(server: &Server, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = format!(
        "GET /api/devices/v1/deviceconnect/connect HTTP/1.1\r\nHost: x\r\n\
         Authorization: Bearer {token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    let read = stream.read_exact(&mut answer);
    tokio::time::timeout(DEADLINE, read).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    stream
}

#[tokio::test]
async fn a_watcher_sees_links_come_and_go() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let device = server.accepted(&admin, json!({ "mac": "1" })).await;
    let mut watch = Watch::open(&server, &admin).await;
    let stream = link(&server, &device.token).await;
    watch
        .until(|name, data| name == "device" && data["connected_since"].is_string())
        .await;
    let path = format!("/api/management/v1/deviceconnect/devices/{}", device.id);
    let state = async || {
        let answer = server.get(&path).bearer(&admin).send().await.json();
        (answer["status"].clone(), answer["updated_ts"].clone())
    };
    let (status, since) = state().await;
    assert_eq!(status, "connected");
    drop(stream);
    watch
        .until(|name, data| name == "device" && data["connected"] == false)
        .await;
    let (status, until) = state().await;
    assert_eq!(status, "disconnected");
    assert!(until.as_str() > since.as_str());
}
