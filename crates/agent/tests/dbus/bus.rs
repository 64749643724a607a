//! A private message bus with an authentication service on it.

use std::future::Future;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use zbus::message::Header;

pub(crate) const NAME: &str = "io.mender.AuthenticationManager";
pub(crate) const PATH: &str = "/io/mender/AuthenticationManager";
pub(crate) const INTERFACE: &str = "io.mender.Authentication1";

/// Waits for something that must happen; generous, since the machine may be busy.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(Duration::from_secs(30), future).await {
        Ok(output) => output,
        Err(_) => panic!("waited 30 s for {what}"),
    }
}

/// A `dbus-daemon` that lets everyone do everything; it ends with this value.
pub(crate) struct Bus {
    folder: TempDir,
    daemon: Child,
}

impl Bus {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let daemon = Self::launch(&folder).await;
        Self { folder, daemon }
    }

    /// Ends the daemon, whereupon everybody loses their connection.
    pub(crate) async fn stop(&mut self) {
        self.daemon.kill().await.unwrap();
    }

    /// Starts it again at the same address.
    pub(crate) async fn restart(&mut self) {
        self.daemon = Self::launch(&self.folder).await;
    }

    pub(crate) fn address(&self) -> String {
        address(&self.folder)
    }

    async fn launch(folder: &TempDir) -> Child {
        let config = folder.path().join("bus.conf");
        let text = format!(
            "<busconfig><type>system</type><listen>{}</listen><policy context=\"default\">\
             <allow user=\"*\"/><allow own=\"*\"/><allow send_destination=\"*\"/>\
             <allow receive_sender=\"*\"/><allow send_type=\"signal\"/></policy></busconfig>",
            address(folder)
        );
        std::fs::write(&config, text).unwrap();
        let _ = std::fs::remove_file(folder.path().join("bus"));
        let mut daemon = Command::new("dbus-daemon")
            .arg("--config-file")
            .arg(&config)
            .args(["--nofork", "--nopidfile", "--print-address"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("dbus-daemon, from the Debian package dbus-daemon");
        // It prints its address once it listens there.
        let mut lines = BufReader::new(daemon.stdout.take().unwrap()).lines();
        soon("the bus", lines.next_line()).await.unwrap().unwrap();
        daemon
    }
}

fn address(folder: &TempDir) -> String {
    format!("unix:path={}", folder.path().join("bus").display())
}

/// What the service answers to `GetJwtToken`, and who has asked for what.
#[derive(Default)]
struct State {
    answer: (String, String),
    /// Unique names of those who called `GetJwtToken`, in order.
    asked: Vec<String>,
    fetched: usize,
}

#[derive(Clone)]
struct Authentication(Arc<watch::Sender<State>>);

#[zbus::interface(name = "io.mender.Authentication1")]
impl Authentication {
    fn get_jwt_token(&self, #[zbus(header)] header: Header<'_>) -> (String, String) {
        let sender = header.sender().map(ToString::to_string).unwrap_or_default();
        self.0.send_modify(|state| state.asked.push(sender));
        self.0.borrow().answer.clone()
    }

    fn fetch_jwt_token(&self) -> bool {
        self.0.send_modify(|state| state.fetched += 1);
        true
    }
}

/// An authentication service; it leaves the bus when dropped.
pub(crate) struct Service {
    connection: zbus::Connection,
    state: Arc<watch::Sender<State>>,
}

impl Service {
    pub(crate) async fn start(bus: &Bus, token: &str, url: &str) -> Self {
        let state = Arc::new(watch::Sender::new(State::default()));
        state.send_modify(|state| state.answer = (token.into(), url.into()));
        let connection = zbus::connection::Builder::address(bus.address().as_str())
            .serve_at(PATH, Authentication(Arc::clone(&state)))
            .name(NAME)
            .build();
        let connection = soon("the service's connection", connection).await.unwrap();
        Self { connection, state }
    }

    /// Changes what `GetJwtToken` answers, without a signal.
    pub(crate) fn set(&self, token: &str, url: &str) {
        self.state
            .send_modify(|state| state.answer = (token.into(), url.into()));
    }

    /// Sends `JwtTokenStateChange`, to everybody or to one.
    pub(crate) async fn signal(&self, to: Option<&str>, token: &str, url: &str) {
        signal(&self.connection, to, token, url).await;
    }

    /// Waits until `GetJwtToken` has been called this often and returns who called it last.
    pub(crate) async fn until_asked(&self, count: usize) -> String {
        let mut state = self.state.subscribe();
        let state = soon(
            "GetJwtToken",
            state.wait_for(|state| state.asked.len() >= count),
        )
        .await;
        state.unwrap().asked.last().unwrap().clone()
    }

    pub(crate) fn asked(&self) -> usize {
        self.state.borrow().asked.len()
    }

    pub(crate) async fn until_fetched(&self, count: usize) {
        let mut state = self.state.subscribe();
        let waited = state.wait_for(|state| state.fetched >= count);
        soon("FetchJwtToken", waited).await.unwrap();
    }

    pub(crate) async fn leave(self) {
        self.connection.close().await.unwrap();
    }
}

/// Sends the service's signal from any connection.
pub(crate) async fn signal(from: &zbus::Connection, to: Option<&str>, token: &str, url: &str) {
    from.emit_signal(to, PATH, INTERFACE, "JwtTokenStateChange", &(token, url))
        .await
        .unwrap();
}
