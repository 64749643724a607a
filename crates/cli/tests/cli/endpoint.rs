//! A server as small as can be: the calls the program makes, a device that acts on what is typed.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use longwire_protocol::shell::{Ended, FromDevice, FromUser, Stop, text};
use longwire_protocol::{Receiver, decode, encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::program::wait_until;

/// The token that a login gives.
pub const TOKEN: &str = "head.claims.signature";

/// What has been asked so far.
#[derive(Default)]
pub struct Asked {
    /// `METHOD path`, without query.
    pub calls: Vec<String>,
    /// Values of the `Authorization` header, in the order of the calls.
    pub authorizations: Vec<String>,
    /// What came over terminals.
    pub said: Vec<FromUser>,
    /// Terminals that have ended, in whatever way.
    pub ended: usize,
}

impl Asked {
    /// Everything typed.
    pub fn input(&self) -> Vec<u8> {
        let mut whole = Vec::new();
        for said in &self.said {
            if let FromUser::Input(bytes) = said {
                whole.extend_from_slice(bytes);
            }
        }
        whole
    }

    /// Kinds of messages, each once where several of a kind follow each other.
    pub fn kinds(&self) -> Vec<&'static str> {
        let mut kinds: Vec<_> = self
            .said
            .iter()
            .map(|said| match said {
                FromUser::New { .. } => "new",
                FromUser::Input(_) => "shell",
                FromUser::Resize(_) => "resize",
                FromUser::Stop { .. } => "stop",
                FromUser::Pong => "pong",
                FromUser::Ack { .. } => "ack",
            })
            .collect();
        kinds.dedup();
        kinds
    }
}

/// A running endpoint; it ends when dropped.
pub struct Endpoint {
    address: SocketAddr,
    asked: Arc<Mutex<Asked>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoint {
    pub fn start() -> Self {
        let asked = Arc::new(Mutex::new(Asked::default()));
        let (stop, stopped) = oneshot::channel();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket for tokio");
        let address = listener.local_addr().expect("its address");
        let seen = asked.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    () = serve(listener, seen) => {}
                    _ = stopped => {}
                }
            });
        });
        Endpoint {
            address,
            asked,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Looks at what has been asked.
    pub fn asked<T>(&self, look: impl FnOnce(&Asked) -> T) -> T {
        look(&self.asked.lock().expect("nobody panicked"))
    }

    /// Forgets what has been asked.
    pub fn forget(&self) -> Asked {
        std::mem::take(&mut *self.asked.lock().expect("nobody panicked"))
    }

    /// Waits until a terminal has come to its end here.
    pub fn wait_for_end(&self) {
        wait_until("the terminal ends", || self.asked(|asked| asked.ended > 0));
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, asked: Arc<Mutex<Asked>>) {
    loop {
        let (socket, _) = listener.accept().await.expect("a connection");
        let asked = asked.clone();
        // A peer that breaks off ends its own connection only.
        tokio::spawn(async move { answer(socket, asked).await });
    }
}

/// Waits for a whole head without taking it, so that the websocket library can read it again.
async fn peek_head(socket: &TcpStream) -> Option<String> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        socket.readable().await.ok()?;
        let len = socket.peek(&mut buffer).await.ok()?;
        let text = String::from_utf8_lossy(buffer.get(..len)?).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            return Some(head.to_owned());
        }
        if len == 0 {
            return None;
        }
        tokio::task::yield_now().await;
    }
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map_or("", |(_, value)| value)
}

async fn answer(mut socket: TcpStream, asked: Arc<Mutex<Asked>>) {
    while let Some(head) = peek_head(&socket).await {
        let mut words = head.split(' ');
        let method = words.next().unwrap_or_default().to_owned();
        let target = words.next().unwrap_or_default().to_owned();
        let path = target.split('?').next().unwrap_or_default().to_owned();
        {
            let mut asked = asked.lock().expect("nobody panicked");
            asked.calls.push(format!("{method} {path}"));
            asked
                .authorizations
                .push(header(&head, "authorization").to_owned());
        }
        if path.ends_with("/connect") {
            if let Ok(websocket) = tokio_tungstenite::accept_async(socket).await {
                let refuses = path.contains("/refused/");
                let asked = asked.clone();
                Device {
                    websocket,
                    asked,
                    line: Vec::new(),
                    ends: 0,
                    refuses,
                }
                .run()
                .await;
            }
            asked.lock().expect("nobody panicked").ended += 1;
            return;
        }
        let length: usize = header(&head, "content-length").parse().unwrap_or(0);
        let mut request = vec![0; head.len() + 4 + length];
        if socket.read_exact(&mut request).await.is_err() {
            return;
        }
        let (status, kind, body) = reply(&method, &target, header(&head, "authorization"));
        let answer = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if socket.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

const DEVICES: &str = r#"[
 {"id":"d1","identity_data":{"mac":"0e:fa"},"status":"accepted","created_ts":"2026-11-25T08:00:00Z",
  "updated_ts":"2026-11-25T08:00:01Z","decommissioning":false,
  "auth_sets":[{"id":"k1","pubkey":"","status":"accepted","ts":"2026-11-25T08:00:00Z"},
               {"id":"k2","pubkey":"","status":"pending","ts":"2026-11-25T09:00:00Z"}]},
 {"id":"d2","identity_data":{"mac":"0e:fb"},"status":"pending","created_ts":"2026-11-25T08:00:00Z",
  "updated_ts":"2026-11-25T08:00:01Z","decommissioning":false,
  "auth_sets":[{"id":"k3","pubkey":"","status":"pending","ts":"2026-11-25T08:00:00Z"}]}
]"#;

fn reply(method: &str, target: &str, authorization: &str) -> (u16, &'static str, String) {
    const JSON: &str = "application/json";
    let public = |status: u16, text: &str| (status, JSON, format!(r#"{{"error":"{text}"}}"#));
    if let Some(rest) = target.strip_prefix("/api/management/v1/useradm/auth/") {
        return match (rest, authorization) {
            // me@example.com:secret
            ("login", "Basic bWVAZXhhbXBsZS5jb206c2VjcmV0") => {
                (200, "application/jwt", TOKEN.to_owned())
            }
            ("login", _) => public(401, "unauthorized"),
            _ => (202, JSON, String::new()),
        };
    }
    if authorization != format!("Bearer {TOKEN}") {
        return public(401, "invalid token");
    }
    if let Some(id) = target.strip_prefix("/api/management/v1/deviceconnect/devices/") {
        return match id {
            "d1" | "refused" => (
                200,
                JSON,
                format!(r#"{{"device_id":"{id}","status":"connected"}}"#),
            ),
            "away" => (
                200,
                JSON,
                r#"{"device_id":"away","status":"disconnected"}"#.to_owned(),
            ),
            "forbidden" => public(403, "access denied"),
            _ => public(404, "device not found"),
        };
    }
    if let Some(rest) = target.strip_prefix("/api/management/v2/devauth/devices") {
        let all: Vec<serde_json::Value> = serde_json::from_str(DEVICES).expect("devices");
        let id = rest
            .trim_start_matches('/')
            .split('/')
            .next()
            .unwrap_or_default();
        return match (method, rest) {
            ("GET", "") => (200, JSON, DEVICES.to_owned()),
            ("GET", _) if rest.starts_with('?') => (200, JSON, DEVICES.to_owned()),
            ("GET", _) => match all.iter().find(|device| device["id"] == id) {
                Some(device) => (200, JSON, device.to_string()),
                None => public(404, "device not found"),
            },
            _ => (204, JSON, String::new()),
        };
    }
    if let Some(rest) = target.strip_prefix("/api/management/v1/longwire/devices") {
        let row = r#"{"id":"d1","name":"pump-17","connected":true,"status":"accepted"}"#;
        let twins = r#"{"id":"t1","name":"twin"},{"id":"t2","name":"twin"}"#;
        return match rest {
            _ if rest.ends_with("&q=twin") => (200, JSON, format!("[{twins}]")),
            _ if rest.starts_with('?') => (200, JSON, format!("[{row}]")),
            "/d1" => (200, JSON, row.to_owned()),
            _ => public(404, "device not found"),
        };
    }
    public(404, "not found")
}

/// A device whose shell knows a few words.
struct Device {
    websocket: WebSocketStream<TcpStream>,
    asked: Arc<Mutex<Asked>>,
    line: Vec<u8>,
    /// How often the end of input was said.
    ends: usize,
    /// Whether it starts no shell.
    refuses: bool,
}

/// What comes after a message: the connection stays or is over.
#[derive(PartialEq)]
enum Then {
    Stay,
    Over,
}

impl Device {
    async fn run(mut self) {
        while let Some(Ok(frame)) = self.websocket.next().await {
            let Frame::Binary(bytes) = frame else {
                continue;
            };
            let said = decode(bytes).expect("a message");
            let said = FromUser::try_from(&said).expect("a shell message");
            self.asked
                .lock()
                .expect("nobody panicked")
                .said
                .push(said.clone());
            if self.heard(said).await == Then::Over {
                return;
            }
        }
    }

    /// In the narrowest form of integers, as a real agent's answers come through a real server.
    async fn say(&mut self, said: FromDevice) {
        let message = encode(&said.to_message("SID"), Receiver::Server);
        // The peer may be gone.
        let _ = self.websocket.send(Frame::Binary(message)).await;
    }

    async fn print(&mut self, text: &'static str) {
        self.say(FromDevice::Output(Bytes::from_static(text.as_bytes())))
            .await;
    }

    async fn heard(&mut self, said: FromUser) -> Then {
        match said {
            FromUser::New { .. } if self.refuses => {
                self.say(FromDevice::Refused(text::TOO_MANY_SESSIONS.into()))
                    .await;
            }
            FromUser::New { .. } => {
                self.say(FromDevice::Started).await;
                self.print("$ ").await;
            }
            FromUser::Input(bytes) => {
                for byte in bytes {
                    if self.typed(byte).await == Then::Over {
                        return Then::Over;
                    }
                }
            }
            FromUser::Stop { .. } => self.say(FromDevice::Stop(Stop::default())).await,
            _ => {}
        }
        Then::Stay
    }

    async fn typed(&mut self, byte: u8) -> Then {
        if byte == 4 {
            self.ends += 1;
            // Lost once, as it is on a shell that is just starting.
            if self.ends == 1 {
                self.print("$ ").await;
            } else {
                self.exit(0).await;
            }
            return Then::Stay;
        }
        if !matches!(byte, b'\r' | b'\n') {
            self.line.push(byte);
            return Then::Stay;
        }
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        match line.as_str() {
            "exit 3" => self.exit(3).await,
            "plain exit" => {
                let text = text::READ_ERROR.to_owned();
                self.say(FromDevice::Stop(Stop {
                    error: true,
                    text,
                    ..Stop::default()
                }))
                .await;
            }
            "idle" => {
                self.say(FromDevice::Stop(Stop {
                    error: true,
                    reason: Some(Ended::Idle),
                    text: "nothing was typed or shown for 600 s".to_owned(),
                    ..Stop::default()
                }))
                .await;
            }
            "cut" => return Then::Over,
            "close" => {
                let reason = CloseFrame {
                    code: 1011.into(),
                    reason: "internal error".into(),
                };
                let _ = self.websocket.close(Some(reason)).await;
                return Then::Over;
            }
            "vim" => self.print("\x1b[?1049h\x1b[?25l\x1b[?2004hVIM").await,
            "fail" => {
                self.say(FromDevice::InputFailed("pipe is broken".into()))
                    .await;
                self.print("$ ").await;
            }
            _ => {
                let answer = format!("<{line}>\r\n$ ");
                self.say(FromDevice::Output(answer.into())).await;
            }
        }
        Then::Stay
    }

    async fn exit(&mut self, status: i32) {
        self.say(FromDevice::Stop(Stop {
            error: true,
            reason: Some(Ended::Exited),
            exit_status: Some(status),
            text: format!("shell exited with status {status}"),
        }))
        .await;
    }
}
