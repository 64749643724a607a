//! A small server that speaks `longwire.v1`: the stream's other end, what has come over it, and one
//! websocket at a time.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::{FutureExt, SinkExt, StreamExt};
use longwire_agent::config::Config;
use longwire_link::{Generation, Hello, ToUserEnd, UserEnd, limits};
use longwire_protocol::control::Control;
use longwire_protocol::shell::{Stop, Winsize};
use longwire_protocol::{Message, Props, Receiver, decode, encode, prop};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message as Frame;

use super::{Agent, DEADLINE, Peer, Server, eventually, state_of};

/// What a server knows of one session.
#[derive(Default, Debug)]
pub struct Known {
    pub output: Vec<u8>,
    pub times_ms: Vec<u64>,
    pub sizes: Vec<(u64, Winsize)>,
    pub gaps: Vec<(u64, u64)>,
    pub applied: u64,
    pub dropped: u64,
    pub epoch: u64,
    pub started: bool,
    pub refused: Option<String>,
    pub lost: bool,
    pub end: Option<Stop>,
    /// Input that is to be typed as there is room.
    pub to_type: VecDeque<u8>,
}

/// The server and its link.
pub struct Longwire {
    pub server: Server,
    pub end: UserEnd,
    pub known: BTreeMap<String, Known>,
    pub hellos: Vec<Hello>,
    pub others: Vec<Message>,
    pub strangers: Vec<String>,
    /// Whether what comes is safe at once, and acknowledged.
    pub records: bool,
    link: Option<(Peer, Generation)>,
    begun: Instant,
}

impl Longwire {
    /// A server without sessions that nobody is connected to.
    pub async fn start() -> Self {
        Self {
            server: Server::start().await,
            end: UserEnd::new(Hello::new("server-1", limits::OUTPUT_WINDOW)),
            known: BTreeMap::new(),
            hellos: Vec::new(),
            others: Vec::new(),
            strangers: Vec::new(),
            records: true,
            link: None,
            begun: Instant::now(),
        }
    }

    /// A server and an agent with a link to it.
    pub async fn connected(config: Config) -> (Agent, Self) {
        let mut server = Self::start().await;
        let agent = Agent::start(config);
        agent.authorise("token", &server.server);
        server.accept().await;
        (agent, server)
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Waits for the agent's next link and its introduction. A link that the agent gives up before
    /// that, for other credentials, does not count.
    pub async fn accept(&mut self) {
        let hellos = self.hellos.len();
        while self.hellos.len() == hellos {
            let peer = self.server.accept_choosing(Some("longwire.v1")).await;
            assert_eq!(
                peer.headers["sec-websocket-protocol"],
                "longwire.v1, protomsg/msgpack"
            );
            let generation = self.end.connected(self.now());
            self.link = Some((peer, generation));
            while self.hellos.len() == hellos && self.step().await {}
        }
    }

    /// Cuts the link without a word, whatever is under way.
    pub fn cut(&mut self) {
        if let Some((_, generation)) = self.link.take() {
            self.end.disconnected(generation);
        }
    }

    /// The link as it is.
    pub fn peer(&mut self) -> &mut Peer {
        &mut self.link.as_mut().unwrap().0
    }

    /// Asks for a shell on behalf of an operator.
    pub fn ask_for(&mut self, sid: &str, user: &str, size: Option<Winsize>) {
        let more = Props::new().with(prop::USER_ID, user);
        self.end.open(sid, 1, size, more).unwrap();
        self.known.insert(sid.to_owned(), Known::default());
    }

    /// Opens a shell, with a short prompt and no echo.
    pub async fn open(&mut self, sid: &str) {
        self.ask_for(sid, "op", Winsize::new(40, 80));
        self.until("the shell", |server| server.known[sid].started)
            .await;
        self.run(sid, "PS1='> '; stty -echo").await;
    }

    /// Types something, now or as soon as there is room for it.
    pub fn type_in(&mut self, sid: &str, text: &[u8]) {
        self.known.get_mut(sid).unwrap().to_type.extend(text);
    }

    /// Runs a command line and returns what it printed.
    pub async fn run(&mut self, sid: &str, line: &str) -> String {
        let from = self.known[sid].output.len();
        self.type_in(sid, format!("{line}; echo 'en''d-of-line'\n").as_bytes());
        self.until_output(sid, from, "end-of-line\r\n> ").await;
        let seen = String::from_utf8_lossy(&self.known[sid].output[from..]).into_owned();
        let (before, _) = seen.split_once("end-of-line").unwrap();
        let before = before.rsplit("> ").next().unwrap_or(before);
        before.replace("\r\n", "\n")
    }

    /// Waits for a text in a session's output from an offset on.
    pub async fn until_output(&mut self, sid: &str, from: usize, text: &str) {
        let mut looked_at = from;
        self.until(text, |server| {
            let output = &server.known[sid].output;
            let begin = looked_at.saturating_sub(text.len()).max(from);
            looked_at = output.len();
            output[begin..]
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        })
        .await;
    }

    /// Starts a program in a session and returns its process id.
    pub async fn foreground(&mut self, sid: &str, program: &str) -> String {
        let from = self.known[sid].output.len();
        let line = format!("sh -c 'echo pid $$ begi\"\"ns; exec {program}'\n");
        self.type_in(sid, line.as_bytes());
        self.until_output(sid, from, "begins").await;
        let seen = String::from_utf8_lossy(&self.known[sid].output[from..]).into_owned();
        let before = seen.split_once(" begins").unwrap().0;
        before.rsplit(' ').next().unwrap().to_owned()
    }

    /// Starts `yes` in a session and returns its process id.
    pub async fn flood(&mut self, sid: &str) -> String {
        self.foreground(sid, "yes").await
    }

    /// Has a session do something as soon as a file appears.
    pub async fn when_file(&mut self, sid: &str, file: &Path, then: &str) {
        let line = format!(
            "while [ ! -e {} ]; do sleep 0.02; done; {then}\n",
            file.display()
        );
        let typed = self.known[sid].applied + line.len() as u64;
        self.type_in(sid, line.as_bytes());
        self.until("the line is typed", |server| {
            server.known[sid].applied >= typed
        })
        .await;
    }

    /// Opens a session that ends with these commands while its link is cut, which it stays. Returns how
    /// much it had said before.
    pub async fn ends_while_cut(&mut self, sid: &str, commands: &str) -> usize {
        self.open(sid).await;
        let pid = self.run(sid, "echo $$").await;
        let folder = tempfile::tempdir().unwrap();
        let go = folder.path().join("go");
        let from = self.known[sid].output.len();
        self.when_file(sid, &go, commands).await;
        self.cut();
        std::fs::write(&go, "").unwrap();
        eventually("the shell is reaped", || state_of(&pid).is_none()).await;
        from
    }

    /// Waits for a session's end.
    pub async fn ended(&mut self, sid: &str) -> Stop {
        self.until("the end", |server| server.known[sid].end.is_some())
            .await;
        self.known[sid].end.clone().unwrap()
    }

    /// Keeps the link going until something holds.
    pub async fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE * 2;
        while !holds(self) {
            assert!(Instant::now() < deadline, "never: {what}");
            assert!(self.step().await, "the link is gone before: {what}");
        }
    }

    /// Waits until the agent has read everything sent so far: it answers in order.
    pub async fn all_read(&mut self) {
        assert!(self.send_all().await);
        let answers = |server: &Self| {
            let answers = server.others.iter().filter(|other| other.sid == "order");
            answers.count()
        };
        let before = answers(self);
        self.peer().send(&Control::Ping.to_message("order")).await;
        self.until("an answer", |server| answers(server) > before)
            .await;
    }

    /// Sends what there is and takes what comes within a moment. False when the link is gone.
    pub async fn step(&mut self) -> bool {
        if !self.send_all().await {
            return false;
        }
        let (peer, generation) = self.link.as_mut().unwrap();
        let generation = *generation;
        let Ok(mut next) = timeout(Duration::from_millis(20), peer.socket.next()).await else {
            return true;
        };
        loop {
            match next {
                Some(Ok(Frame::Binary(bytes))) => {
                    let message = decode(bytes).unwrap();
                    let now = self.now();
                    self.end.receive(generation, message, now).unwrap();
                    self.attend();
                }
                Some(Ok(Frame::Close(_)) | Err(_)) | None => {
                    self.cut();
                    return false;
                }
                Some(Ok(_)) => {}
            }
            // What has come together is answered together.
            match self.peer().socket.next().now_or_never() {
                Some(more) => next = more,
                None => return self.send_all().await,
            }
        }
    }

    /// Sends what there is; false when the link is gone.
    pub async fn send_all(&mut self) -> bool {
        let now = self.now();
        for (sid, known) in &mut self.known {
            let room = self.end.input_room(sid).min(known.to_type.len());
            let bytes: Vec<u8> = known.to_type.iter().take(room).copied().collect();
            if room > 0 && self.end.input(sid, &bytes, now).is_ok() {
                known.to_type.drain(..room);
            }
        }
        let Some((peer, _)) = &mut self.link else {
            return false;
        };
        while let Some(message) = self.end.transmit(now) {
            let bytes = encode(&message, Receiver::Device);
            if peer.socket.feed(Frame::Binary(bytes)).await.is_err() {
                self.cut();
                return false;
            }
        }
        if peer.socket.flush().await.is_err() {
            self.cut();
            return false;
        }
        true
    }

    fn attend(&mut self) {
        while let Some(event) = self.end.event() {
            self.happened(event);
        }
    }

    fn happened(&mut self, event: ToUserEnd) {
        match event {
            ToUserEnd::Hello(hello) => self.hellos.push(hello),
            ToUserEnd::Other(message) => self.others.push(message),
            ToUserEnd::Stranger { sid } => self.strangers.push(sid),
            ToUserEnd::Started { sid } => self.of(&sid).started = true,
            ToUserEnd::Refused { sid, why } => self.of(&sid).refused = Some(why),
            ToUserEnd::Resumed { .. } | ToUserEnd::InputHeld { .. } => {}
            ToUserEnd::Gap { sid, from, to } => self.of(&sid).gaps.push((from, to)),
            ToUserEnd::Output {
                sid,
                offset,
                time_ms,
                bytes,
            } => {
                let known = self.of(&sid);
                let missing: u64 = known.gaps.iter().map(|(from, to)| to - from).sum();
                assert_eq!(offset, known.output.len() as u64 + missing, "{sid}");
                known.output.extend_from_slice(&bytes);
                known.times_ms.push(time_ms);
                let end = offset + bytes.len() as u64;
                if self.records {
                    self.end.recorded(&sid, end).unwrap();
                }
            }
            ToUserEnd::Resized {
                sid, offset, size, ..
            } => self.of(&sid).sizes.push((offset, size)),
            ToUserEnd::Applied {
                sid,
                offset,
                dropped,
            } => {
                let known = self.of(&sid);
                (known.applied, known.dropped) = (offset, dropped);
            }
            ToUserEnd::Epoch { sid, epoch, .. } => self.of(&sid).epoch = epoch,
            ToUserEnd::Lost { sid } => self.of(&sid).lost = true,
            ToUserEnd::Ended { sid, stop, offset } => {
                let known = self.of(&sid);
                let missing: u64 = known.gaps.iter().map(|(from, to)| to - from).sum();
                assert_eq!(offset, known.output.len() as u64 + missing, "{sid}");
                known.end = Some(stop);
                if self.records {
                    self.end.end_recorded(&sid).unwrap();
                }
            }
            ToUserEnd::Screen { .. } | ToUserEnd::PeerError(_) => panic!("{event:?}"),
        }
    }

    fn of(&mut self, sid: &str) -> &mut Known {
        self.known.get_mut(sid).unwrap()
    }
}
