//! The few requests that devices make of a server.

use anyhow::{Context, Result};
use longwire_link::limits::SUBPROTOCOL;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{Socket, Speaks};

/// What every device gets; nothing in it is looked at.
pub(super) const TOKEN: &str = "token.for.everybody";

/// More than any device says of itself.
const HEAD_MAX: usize = 64 * 1024;

/// Answers requests on one connection until the client leaves or has a websocket.
pub(super) async fn answer(mut stream: TcpStream, speaks: Speaks) -> Result<Option<Socket>> {
    stream.set_nodelay(true)?;
    let mut bytes = Vec::new();
    while let Some(request) = read(&mut stream, &mut bytes).await? {
        let Some(key) = request.header("sec-websocket-key") else {
            let body = if request.line.contains("/auth_requests ") {
                TOKEN
            } else {
                ""
            };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all((head + body).as_bytes()).await?;
            continue;
        };
        let protocol = match speaks {
            Speaks::Plain => String::new(),
            Speaks::Longwire => {
                let offered = request.header("sec-websocket-protocol").unwrap_or_default();
                let mut offered = offered.split(',').map(str::trim);
                offered
                    .find(|name| *name == SUBPROTOCOL)
                    .context("the device does not offer longwire.v1")?;
                format!("Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n")
            }
        };
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {}\r\n{protocol}\r\n",
            derive_accept_key(key.as_bytes())
        );
        stream.write_all(head.as_bytes()).await?;
        let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        return Ok(Some(socket));
    }
    Ok(None)
}

struct Request {
    line: String,
    head: String,
}

impl Request {
    fn header(&self, wanted: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    }
}

/// The next request; its body is skipped. `bytes` holds what was read beyond the one before.
async fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<Option<Request>> {
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        anyhow::ensure!(bytes.len() < HEAD_MAX, "a head without an end");
        if stream.read_buf(bytes).await? == 0 {
            return Ok(None);
        }
    };
    let head: Vec<u8> = bytes.drain(..end).collect();
    let head = String::from_utf8(head)?;
    let line = head.lines().next().unwrap_or_default().to_owned();
    let request = Request { line, head };
    let length = match request.header("content-length") {
        Some(length) => length.parse()?,
        None => 0,
    };
    while bytes.len() < length {
        if stream.read_buf(bytes).await? == 0 {
            return Ok(None);
        }
    }
    bytes.drain(..length);
    Ok(Some(request))
}
