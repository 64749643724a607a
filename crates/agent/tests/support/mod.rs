//! An agent's link, shells and all, in this process, and the server it talks to: a list of
//! messages sent and awaited over a real websocket on loopback.

// Each test program uses a part of this, and what fails here fails the test.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::result_large_err,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

pub mod longwire;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use longwire_agent::config::{Config, User};
use longwire_agent::identity::{self, Authorization, Credentials, Publisher, Token};
use longwire_agent::server_url::{PlainHttp, ServerUrl};
use longwire_agent::{connection, tls};
use longwire_protocol::shell::{FromDevice, FromUser, Stop, Winsize};
use longwire_protocol::{Message, Receiver, decode, encode, prop};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_util::sync::CancellationToken;

/// How long anything that must happen may take on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Whom the tests run as.
pub fn own_user() -> User {
    user(
        nix::unistd::User::from_uid(nix::unistd::geteuid())
            .unwrap()
            .unwrap(),
    )
}

/// A passwd entry with its groups.
pub fn user(entry: nix::unistd::User) -> User {
    let name = std::ffi::CString::new(entry.name.as_str()).unwrap();
    let groups = nix::unistd::getgrouplist(&name, entry.gid).unwrap();
    User {
        name: entry.name,
        uid: entry.uid.as_raw(),
        gid: entry.gid.as_raw(),
        groups: groups.into_iter().map(nix::unistd::Gid::as_raw).collect(),
        home: entry.dir,
        shell: entry.shell,
    }
}

/// A shell without start-up files and with a prompt that is easy to find.
pub fn config() -> Config {
    Config {
        shell_command: "/bin/bash".into(),
        shell_arguments: ["--norc", "--noprofile", "--noediting"]
            .map(str::to_owned)
            .to_vec(),
        login_shell: false,
        user: own_user(),
        width: 80,
        height: 40,
        terminal_disabled: false,
        mender_client_disabled: false,
        max_per_user: 16,
        max_shells: 16,
        expire_after: None,
        expire_after_idle: None,
        expire_after_idle_job: Duration::from_secs(28_800),
    }
}

/// A running agent (its link and its shells; identity is played by the test).
pub struct Agent {
    pub publisher: Publisher,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Agent {
    /// Starts an agent that knows no server yet.
    pub fn start(config: Config) -> Self {
        let (publisher, identity) = identity::channel();
        let shutdown = CancellationToken::new();
        let tls = tls::client_config(None).unwrap();
        let run = connection::run(Arc::new(config), identity, tls, shutdown.clone());
        Self {
            publisher,
            shutdown,
            task: tokio::spawn(run),
        }
    }

    /// Tells the agent a token and where to use it.
    pub fn authorise(&self, token: &str, server: &Server) {
        self.publisher.publish(granted(token, &server.url));
    }

    /// Ends the agent and waits for it.
    pub async fn end(self) {
        self.shutdown.cancel();
        timeout(DEADLINE, self.task)
            .await
            .expect("the agent ends")
            .unwrap();
    }

    /// Asks the agent to end without waiting.
    pub fn ask_to_end(&self) {
        self.shutdown.cancel();
    }
}

pub fn granted(token: &str, url: &str) -> Authorization {
    Authorization::Granted(Credentials {
        token: Token::new(token).unwrap(),
        server: ServerUrl::parse(url, PlainHttp::ToThisMachine).unwrap(),
    })
}

/// The server's listening end.
pub struct Server {
    listener: TcpListener,
    /// With a path, as the address may have one.
    pub url: String,
}

impl Server {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/some/path", listener.local_addr().unwrap());
        Self { listener, url }
    }

    /// Waits for the agent's next connection.
    pub async fn tcp(&self) -> TcpStream {
        timeout(DEADLINE, self.listener.accept())
            .await
            .expect("the agent connects")
            .unwrap()
            .0
    }

    /// Waits for the agent's next connection and answers it with something else than a websocket.
    pub async fn refuse(&self, answer: &str) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = self.tcp().await;
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    }

    /// Waits for the agent's next websocket, and chooses none of the protocols it offers.
    pub async fn accept(&self) -> Peer {
        self.accept_choosing(None).await
    }

    /// Waits for the agent's next websocket and answers with this protocol. One that the agent gives
    /// up at once, for other credentials say, does not count.
    pub async fn accept_choosing(&self, protocol: Option<&'static str>) -> Peer {
        loop {
            if let Some(peer) = self.shake_hands(protocol).await {
                return peer;
            }
        }
    }

    async fn shake_hands(&self, protocol: Option<&'static str>) -> Option<Peer> {
        let stream = self.tcp().await;
        stream.set_nodelay(true).unwrap();
        let (mut path, mut headers) = (String::new(), HeaderMap::new());
        let look = |request: &Request, mut response: Response| {
            path = request.uri().to_string();
            headers = request.headers().clone();
            if let Some(protocol) = protocol {
                let chosen = HeaderValue::from_static(protocol);
                response
                    .headers_mut()
                    .insert("sec-websocket-protocol", chosen);
            }
            Ok(response)
        };
        let socket = tokio_tungstenite::accept_hdr_async(stream, look).await;
        Some(Peer {
            socket: socket.ok()?,
            path,
            headers,
        })
    }
}

/// Starts an agent with a link to a server.
pub async fn connected(config: Config) -> (Agent, Server, Peer) {
    let server = Server::start().await;
    let agent = Agent::start(config);
    agent.authorise("token", &server);
    let peer = server.accept().await;
    (agent, server, peer)
}

/// The server's end of one link.
pub struct Peer {
    pub socket: WebSocketStream<TcpStream>,
    pub path: String,
    pub headers: HeaderMap,
}

impl Peer {
    pub async fn send(&mut self, message: &Message) {
        self.send_raw(encode(message, Receiver::Device)).await;
    }

    pub async fn send_raw(&mut self, bytes: Bytes) {
        self.socket.send(Frame::Binary(bytes)).await.unwrap();
    }

    /// The next message as bytes; pings and pongs are passed over.
    pub async fn recv_raw(&mut self) -> Bytes {
        loop {
            match self.frame().await {
                Frame::Binary(bytes) => return bytes,
                Frame::Close(frame) => panic!("the agent closed: {frame:?}"),
                _ => {}
            }
        }
    }

    pub async fn frame(&mut self) -> Frame {
        timeout(DEADLINE * 2, self.socket.next())
            .await
            .expect("the agent says something")
            .expect("the link stands")
            .expect("the link stands")
    }

    pub async fn recv(&mut self) -> Message {
        decode(self.recv_raw().await).unwrap()
    }

    /// Waits for the close frame, whatever comes before it.
    pub async fn closed(&mut self) -> Option<CloseFrame> {
        loop {
            if let Frame::Close(frame) = self.frame().await {
                return frame;
            }
        }
    }

    pub async fn close(mut self, code: u16, reason: &str) {
        let frame = CloseFrame {
            code: CloseCode::from(code),
            reason: reason.to_owned().into(),
        };
        self.socket.close(Some(frame)).await.unwrap();
        while let Some(Ok(_)) = timeout(DEADLINE, self.socket.next()).await.unwrap() {}
    }

    /// Says something for a session on behalf of the operator `user`.
    pub async fn say(&mut self, sid: &str, user: &str, order: &FromUser) {
        let mut message = order.to_message(sid);
        message.props.set(prop::USER_ID, user);
        self.send(&message).await;
    }

    pub async fn type_in(&mut self, sid: &str, text: &str) {
        self.say(
            sid,
            "op",
            &FromUser::Input(Bytes::copy_from_slice(text.as_bytes())),
        )
        .await;
    }

    /// Asks for a shell and returns the answer.
    pub async fn new_shell(&mut self, sid: &str, user: &str) -> FromDevice {
        let size = Winsize::new(40, 80);
        self.say(sid, user, &FromUser::New { size }).await;
        self.answer(sid).await
    }

    /// Opens a shell and waits until it takes commands.
    pub async fn open(&mut self, sid: &str) {
        assert_eq!(self.new_shell(sid, "op").await, FromDevice::Started);
        self.run(sid, "PS1='> '; stty -echo").await;
    }

    /// The next message for a session that is no output.
    pub async fn answer(&mut self, sid: &str) -> FromDevice {
        loop {
            let message = self.recv().await;
            if message.sid != sid {
                continue;
            }
            match FromDevice::try_from(&message).unwrap() {
                FromDevice::Output(_) => {}
                other => return other,
            }
        }
    }

    /// Output of a session until it contains `text`, and all of it.
    pub async fn output_until(&mut self, sid: &str, text: &str) -> String {
        let mut seen = Vec::new();
        let waiting = timeout(DEADLINE, async {
            loop {
                let message = self.recv().await;
                if message.sid != sid {
                    continue;
                }
                let looked_at = seen.len().saturating_sub(text.len());
                match FromDevice::try_from(&message).unwrap() {
                    FromDevice::Output(bytes) => seen.extend_from_slice(&bytes),
                    other => panic!("{other:?} instead of {text:?}"),
                }
                let new = &seen[looked_at..];
                if new
                    .windows(text.len())
                    .any(|window| window == text.as_bytes())
                {
                    return;
                }
            }
        });
        let found = waiting.await.is_ok();
        let seen = String::from_utf8_lossy(&seen).into_owned();
        assert!(found, "no {text:?} in {seen:?}");
        seen
    }

    /// Runs a command line and returns what it printed.
    pub async fn run(&mut self, sid: &str, line: &str) -> String {
        // The quotes keep the echo of the line from looking like its end.
        self.type_in(sid, &format!("{line}; echo 'en''d-of-line'\n"))
            .await;
        let seen = self.output_until(sid, "end-of-line").await;
        let (before, _) = seen.split_once("end-of-line").unwrap();
        before
            .rsplit("> ")
            .next()
            .unwrap_or(before)
            .replace("\r\n", "\n")
    }

    /// Waits until the agent has read everything sent so far: it answers in order.
    pub async fn all_read(&mut self) {
        let ping = longwire_protocol::control::Control::Ping.to_message("order");
        self.send(&ping).await;
        while self.recv().await.sid != "order" {}
    }

    /// Makes a shell that ignores everything but SIGKILL, and returns its process id.
    pub async fn make_stubborn(&mut self, sid: &str) -> String {
        let line = "trap '' HUP INT TERM; echo $$ 'stub''born'; while :; do sleep 0.2; done\n";
        self.type_in(sid, line).await;
        let seen = self.output_until(sid, "stubborn").await;
        let pid = seen.split_whitespace().rev().nth(1).unwrap();
        pid.to_owned()
    }

    /// Waits for a session's `stop`.
    pub async fn stopped(&mut self, sid: &str) -> Stop {
        match self.answer(sid).await {
            FromDevice::Stop(stop) => stop,
            other => panic!("{other:?} instead of a stop"),
        }
    }
}

/// Checks that something took no longer than several times what is promised: the promise is for a
/// machine that is not busy with a hundred other tests.
pub fn took_at_most(seconds: u64, since: Instant) {
    let took = since.elapsed();
    assert!(took < Duration::from_secs(seconds), "took {took:?}");
}

/// Waits until `holds` does, looking again from time to time.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whether a process exists and is no zombie.
pub fn lives(pid: &str) -> bool {
    state_of(pid).is_some_and(|state| state != 'Z')
}

/// The state letter of a process.
pub fn state_of(pid: &str) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}
