//! What a flood through the agent costs, beside the same flood through a bare terminal.
//!
//!     flood PATH-TO-AGENT [MEBIBYTES]
//!
//! Starts the agent, opens a shell over `longwire.v1` that prints so much, acknowledges everything at
//! once, and prints throughput, the agent's processor time and its private memory; then how long a
//! key's echo takes, alone and beside a flood in another session; then its memory while sixteen floods
//! wait for an acknowledgement, and after it; and at last how often it wakes in an idle minute.

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures_util::{FutureExt, SinkExt, StreamExt};
use longwire_link::{Hello, ToUserEnd, UserEnd, limits};
use longwire_protocol::{Props, Receiver, decode, encode, prop};
use nix::pty::openpty;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

const MIB: u64 = 1024 * 1024;
const ECHOES: usize = 500;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let agent = arguments.next().context("the agent's path is missing")?;
    let mib: u64 = arguments.next().map_or(Ok(1024), |text| text.parse())?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let folder = tempfile::tempdir()?;
    let command = format!(
        "stty raw -echo; read -r what; if [ \"$what\" = flood ]; then head -c {} /dev/zero; \
         elif [ \"$what\" = yes ]; then yes; else cat; fi",
        mib * MIB
    );
    let mut agent = start(&agent, &listener, folder.path(), &command)?;
    let mut endpoint = Endpoint::accept(&listener).await?;
    println!("idle: {}", memory(&agent)?);

    for _ in 0..3 {
        let own = std::process::id();
        let before = processor_time(own)?;
        let bare = bare_terminal(mib * MIB)?;
        let bare_cpu = processor_time(own)? - before;
        let before = processor_time(agent.id())?;
        let begun = Instant::now();
        let came = endpoint.session("flood\n").await?;
        let taken = begun.elapsed();
        let cpu = processor_time(agent.id())? - before;
        let (rate, bare) = (per_second(came, taken), per_second(mib * MIB, bare));
        let per_gib = |cpu: Duration| cpu.as_secs_f64() * 1024.0 / mib as f64;
        println!(
            "{rate:.0} MiB/s, bare terminal {bare:.0} MiB/s, ratio {:.2}; CPU-s per GiB: agent {:.2}, \
             reader of the bare terminal {:.2}; {}",
            rate / bare,
            per_gib(cpu),
            per_gib(bare_cpu),
            memory(&agent)?
        );
    }
    endpoint.echoes("echo alone").await?;
    endpoint.open("yes\n").await?;
    endpoint.echoes("echo beside a flood").await?;
    endpoint.stop_all().await?;

    endpoint.records = false;
    for _ in 0..16 {
        endpoint.open("yes\n").await?;
    }
    endpoint.until_silent().await?;
    println!("sixteen floods wait: {}", memory(&agent)?);
    endpoint.records = true;
    endpoint.stop_all().await?;
    println!("none is left: {}", memory(&agent)?);

    let before = wake_ups(&agent)?;
    endpoint.idle(Duration::from_secs(60)).await?;
    println!("wake-ups in an idle minute: {}", wake_ups(&agent)? - before);
    agent.kill()?;
    agent.wait()?;
    Ok(())
}

fn start(agent: &str, at: &TcpListener, folder: &Path, shell: &str) -> anyhow::Result<Child> {
    let config = folder.join("agent.conf");
    let keys = serde_json::json!({"ShellCommand": "/bin/sh", "ShellArguments": ["-c", shell]});
    std::fs::write(&config, keys.to_string())?;
    Ok(Command::new(agent)
        .args(["daemon", "--server"])
        .arg(format!("http://{}", at.local_addr()?))
        .args(["--fallback-config", "/nonexistent", "--config"])
        .arg(&config)
        .arg("--data-dir")
        .arg(folder.join("data"))
        .stderr(Stdio::null())
        .spawn()?)
}

/// The same flood, read by nobody but us.
fn bare_terminal(bytes: u64) -> anyhow::Result<Duration> {
    let pty = openpty(None, None)?;
    let mut settings = tcgetattr(&pty.slave)?;
    cfmakeraw(&mut settings);
    tcsetattr(&pty.slave, SetArg::TCSANOW, &settings)?;
    let mut flood = Command::new("head")
        .args(["-c", &bytes.to_string(), "/dev/zero"])
        .stdout(pty.slave)
        .spawn()?;
    let (mut master, mut buffer, mut left) = (File::from(pty.master), vec![0; 65_536], bytes);
    let begun = Instant::now();
    while left > 0 {
        left = left.saturating_sub(master.read(&mut buffer)? as u64);
    }
    let taken = begun.elapsed();
    flood.wait()?;
    Ok(taken)
}

/// A server that takes everything and keeps nothing.
struct Endpoint {
    socket: WebSocketStream<TcpStream>,
    end: UserEnd,
    link: longwire_link::Generation,
    begun: Instant,
    sessions: usize,
    arrived: std::collections::BTreeMap<String, u64>,
    ended: std::collections::BTreeSet<String>,
    started: std::collections::BTreeSet<String>,
    /// Whether what comes is acknowledged.
    records: bool,
}

impl Endpoint {
    /// Answers whatever the agent asks until it asks for a websocket.
    async fn accept(listener: &TcpListener) -> anyhow::Result<Self> {
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let mut head = Vec::new();
            while !head.windows(4).any(|window| window == b"\r\n\r\n") {
                if stream.read_buf(&mut head).await? == 0 {
                    bail!("the agent hung up");
                }
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let key = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("sec-websocket-key")
                    .then_some(value)
            });
            let Some(key) = key else {
                let answer =
                    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\ntoken";
                stream.write_all(answer.as_bytes()).await?;
                continue;
            };
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Protocol: {}\r\nSec-WebSocket-Accept: {}\r\n\r\n",
                limits::SUBPROTOCOL,
                derive_accept_key(key.as_bytes())
            );
            stream.write_all(answer.as_bytes()).await?;
            let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
            let mut end = UserEnd::new(Hello::new("endpoint", limits::OUTPUT_WINDOW));
            let link = end.connected(Duration::ZERO);
            return Ok(Self {
                socket,
                end,
                link,
                begun: Instant::now(),
                sessions: 0,
                arrived: Default::default(),
                ended: Default::default(),
                started: Default::default(),
                records: true,
            });
        }
    }

    async fn open(&mut self, first_line: &str) -> anyhow::Result<String> {
        self.sessions += 1;
        let sid = format!("session-{}", self.sessions);
        let more = Props::new().with(prop::USER_ID, "op");
        self.end.open(&sid, 1, None, more)?;
        while !self.started.contains(&sid) {
            self.step().await?;
        }
        self.end
            .input(&sid, first_line.as_bytes(), self.begun.elapsed())?;
        Ok(sid)
    }

    /// Opens a session and returns how much it printed until its end.
    async fn session(&mut self, first_line: &str) -> anyhow::Result<u64> {
        let sid = self.open(first_line).await?;
        while !self.ended.contains(&sid) {
            self.step().await?;
        }
        Ok(self.arrived.get(&sid).copied().unwrap_or_default())
    }

    async fn echoes(&mut self, what: &str) -> anyhow::Result<()> {
        let sid = self.open("cat\n").await?;
        let mut times = Vec::new();
        for _ in 0..ECHOES {
            let before = self.arrived.get(&sid).copied().unwrap_or_default();
            let begun = Instant::now();
            self.end.input(&sid, b"x", self.begun.elapsed())?;
            while self.arrived.get(&sid).copied().unwrap_or_default() == before {
                self.step().await?;
            }
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
        times.sort_by(f64::total_cmp);
        let at = |part: usize| {
            times
                .get(times.len() * part / 100)
                .copied()
                .unwrap_or_default()
        };
        println!("{what}: p50 {:.2} ms, p99 {:.2} ms", at(50), at(99));
        Ok(())
    }

    /// Acknowledges what has come and ends every session.
    async fn stop_all(&mut self) -> anyhow::Result<()> {
        let sids: Vec<String> = self.end.sessions().map(str::to_owned).collect();
        for sid in &sids {
            let end = self.arrived.get(sid).copied().unwrap_or_default();
            self.end.recorded(sid, end)?;
            self.end.stop(sid, None)?;
        }
        while !sids.iter().all(|sid| self.ended.contains(sid)) {
            self.step().await?;
        }
        self.send_all().await
    }

    /// Goes on until nothing has come for a second.
    async fn until_silent(&mut self) -> anyhow::Result<()> {
        while let Ok(step) = timeout(Duration::from_secs(1), self.step()).await {
            step?;
        }
        Ok(())
    }

    /// Keeps the link for a while.
    async fn idle(&mut self, time: Duration) -> anyhow::Result<()> {
        let end = self.begun.elapsed() + time;
        while self.begun.elapsed() < end {
            let due = self.end.deadline().unwrap_or(end).min(end);
            let wait = due.saturating_sub(self.begun.elapsed());
            if let Ok(step) = timeout(wait, self.step()).await {
                step?;
            }
            self.end.tick(self.begun.elapsed())?;
        }
        Ok(())
    }

    async fn step(&mut self) -> anyhow::Result<()> {
        self.send_all().await?;
        let mut next = self.socket.next().await;
        loop {
            let Some(frame) = next else {
                bail!("the agent hung up");
            };
            if let Frame::Binary(bytes) = frame? {
                let now = self.begun.elapsed();
                self.end.receive(self.link, decode(bytes)?, now)?;
                self.attend()?;
                self.send_all().await?;
            }
            match self.socket.next().now_or_never() {
                Some(more) => next = more,
                None => return Ok(()),
            }
        }
    }

    async fn send_all(&mut self) -> anyhow::Result<()> {
        while let Some(message) = self.end.transmit(self.begun.elapsed()) {
            let bytes = encode(&message, Receiver::Device);
            self.socket.feed(Frame::Binary(bytes)).await?;
        }
        Ok(self.socket.flush().await?)
    }

    fn attend(&mut self) -> anyhow::Result<()> {
        while let Some(event) = self.end.event() {
            if let ToUserEnd::Output {
                sid, offset, bytes, ..
            } = event
            {
                let end = offset + bytes.len() as u64;
                if self.records {
                    self.end.recorded(&sid, end)?;
                }
                self.arrived.insert(sid, end);
            } else if let ToUserEnd::Started { sid } = event {
                self.started.insert(sid);
            } else if let ToUserEnd::Ended { sid, .. } = event {
                self.end.end_recorded(&sid)?;
                self.ended.insert(sid);
            }
        }
        Ok(())
    }
}

fn per_second(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / MIB as f64 / time.as_secs_f64()
}

/// User and system time of a process; Linux counts 100 ticks a second.
fn processor_time(process: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").context("no process")?;
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>);
    Ok(Duration::from_millis(10 * ticks.sum::<Result<u64, _>>()?))
}

/// How often a process has waited for something and was woken.
fn wake_ups(child: &Child) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let mut lines = status.lines();
    let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    Ok(count.context("no count")?.trim().parse()?)
}

fn memory(child: &Child) -> anyhow::Result<String> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let lines = status.lines().filter(|line| line.starts_with("RssAnon"));
    Ok(lines
        .collect::<String>()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" "))
}
