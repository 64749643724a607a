//! Sessions that outlive their links, as people and scripts with our command line have them: our server,
//! our agent, and a network that breaks on either side.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test; what cannot happen fails it"
)]

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use longwire_e2e::faults::{Cut, Proxy};
use longwire_e2e::lab::Lab;
use longwire_e2e::operator::Operator;
use longwire_e2e::program::{Program, ours};
use longwire_e2e::terminal::Terminal;
use longwire_e2e::until::until;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::sleep;

/// Everything of ours, with a proxy on either side of the server.
struct Stage {
    lab: Lab,
    admin: Operator,
    agent: Program,
    /// Between agent and server.
    near_device: Proxy,
    /// Between operators and server.
    near_operator: Proxy,
    home: PathBuf,
    id: String,
}

impl Stage {
    async fn set() -> Result<Self> {
        let lab = Lab::start().await?;
        let address = lab.url.strip_prefix("http://").context("http")?.parse()?;
        let near_device = Proxy::start(address).await?;
        let near_operator = Proxy::start(address).await?;
        let agent = lab.agent_by("ours", &near_device.url())?;
        let admin = lab.admin().await?;
        let id = admin.accept_first().await?;
        admin.connected(&id).await?;
        let home = lab.login().await?;
        Ok(Stage {
            lab,
            admin,
            agent,
            near_device,
            near_operator,
            home,
            id,
        })
    }

    fn arguments(&self, rest: &[&str]) -> Vec<String> {
        let token = self.home.join(".cache/mender/authtoken");
        let own = [
            "--server".to_owned(),
            self.near_operator.url(),
            "--token".to_owned(),
            token.to_string_lossy().into_owned(),
        ];
        let rest = rest.iter().map(|word| (*word).to_owned());
        own.into_iter().chain(rest).collect()
    }

    /// Our command line on a terminal of its own.
    async fn longwire(&self, arguments: &[&str]) -> Result<Terminal> {
        let arguments = self.arguments(arguments);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let home = self.home.to_string_lossy().into_owned();
        Terminal::start(ours("longwire")?, &arguments, &[("HOME", home)], (40, 120)).await
    }

    /// A terminal whose shell has answered.
    async fn terminal(&self) -> Result<Terminal> {
        let mut terminal = self.longwire(&["terminal", &self.id]).await?;
        terminal.shows("and the shell runs on").await?;
        terminal.types("stty -echo; mark=kept; echo rea''dy\r")?;
        terminal.shows("ready\r\n").await?;
        Ok(terminal)
    }

    /// The only session there is.
    async fn session(&self) -> Result<String> {
        let sessions = self.admin.api.sessions(Some(&self.id), false).await?;
        ensure!(sessions.len() == 1, "{sessions:?}");
        Ok(sessions[0].id.clone())
    }

    async fn ends(&self) -> Result<()> {
        until("the end of all sessions", async || {
            let sessions = self.admin.api.sessions(None, false).await?;
            Ok(sessions.is_empty().then_some(()))
        })
        .await
    }

    async fn end(mut self) -> Result<()> {
        self.agent.terminate().await?;
        self.lab.end().await
    }
}

#[tokio::test]
async fn a_cut_link_is_said_and_the_same_shell_comes_back_by_itself() -> Result<()> {
    let stage = Stage::set().await?;
    let mut terminal = stage.terminal().await?;
    stage
        .near_operator
        .weather(|weather| weather.refusing = true);
    stage.near_operator.cut(Cut::Reset);
    terminal
        .shows("the shell runs on, connecting again")
        .await?;
    // Typed without a connection, delivered with the next.
    terminal.types("echo $mark=$((6*7))\r")?;
    stage
        .near_operator
        .weather(|weather| weather.refusing = false);
    terminal.shows("connected again").await?;
    terminal.shows("kept=42\r\n").await?;
    terminal.types("exit 5\r")?;
    assert_eq!(terminal.ends().await?.code(), Some(5));
    assert_eq!(terminal.modes().await?, terminal.first_modes);
    stage.ends().await?;
    stage.end().await
}

#[tokio::test]
async fn a_device_that_is_away_is_said_and_keys_are_not_taken_until_it_is_back() -> Result<()> {
    let stage = Stage::set().await?;
    let mut terminal = stage.terminal().await?;
    terminal.types("(sleep 1; echo meanwhile) &\r")?;
    stage.near_device.weather(|weather| weather.refusing = true);
    stage.near_device.cut(Cut::Reset);
    terminal.shows("the device is away since ").await?;
    terminal.types("echo not taken\r")?;
    terminal.shows("what you type is not taken").await?;
    stage
        .near_device
        .weather(|weather| weather.refusing = false);
    terminal.shows("the device is back").await?;
    terminal.shows("meanwhile").await?;
    terminal.types("echo $mark=$((6*7))\r")?;
    terminal.shows("kept=42\r\n").await?;
    assert!(!terminal.screen().contains("not taken\r\n$"));
    terminal.types("exit\r")?;
    assert_eq!(terminal.ends().await?.code(), Some(0));
    stage.end().await
}

#[tokio::test]
async fn a_killed_server_costs_nothing_but_a_moment() -> Result<()> {
    let mut stage = Stage::set().await?;
    let mut terminal = stage.terminal().await?;
    let session = stage.session().await?;
    stage.lab.server.kill().await?;
    terminal
        .shows("the shell runs on, connecting again")
        .await?;
    stage.lab.restart_server().await?;
    terminal.shows("connected again").await?;
    stage.admin.connected(&stage.id).await?;
    assert_eq!(stage.session().await?, session);
    terminal.types("echo $mark=$((6*7))\r")?;
    terminal.shows("kept=42\r\n").await?;
    terminal.types("exit\r")?;
    assert_eq!(terminal.ends().await?.code(), Some(0));
    stage.ends().await?;
    stage.end().await
}

#[tokio::test]
async fn a_session_that_was_left_is_offered_and_is_as_it_was() -> Result<()> {
    let stage = Stage::set().await?;
    let mut terminal = stage.terminal().await?;
    terminal.types("echo left be''hind\r")?;
    terminal.shows("left behind\r\n").await?;
    terminal.types("\x1d")?;
    terminal
        .shows("The session runs on. Back to it: longwire terminal ")
        .await?;
    assert_eq!(terminal.ends().await?.code(), Some(0));
    assert_eq!(terminal.modes().await?, terminal.first_modes);
    let session = stage.session().await?;

    let mut again = stage.longwire(&["terminal", &stage.id]).await?;
    again.shows("You have sessions on this device:").await?;
    again.shows(&session).await?;
    again.types("\r")?;
    again.shows("left behind").await?;
    again.types("echo $mark=$((6*7))\r")?;
    again.shows("kept=42\r\n").await?;
    again.types("\x1d")?;
    assert_eq!(again.ends().await?.code(), Some(0));

    let mut killing = stage.longwire(&["sessions", "kill", &session]).await?;
    killing.shows("ended").await?;
    assert_eq!(killing.ends().await?.code(), Some(0));
    stage.ends().await?;
    let mut gone = stage.longwire(&["sessions", "attach", &session]).await?;
    gone.shows("no such session").await?;
    assert_eq!(gone.ends().await?.code(), Some(4));
    stage.end().await
}

#[tokio::test]
async fn a_second_window_looks_on_and_takes_over() -> Result<()> {
    let stage = Stage::set().await?;
    let mut first = stage.terminal().await?;
    let session = stage.session().await?;
    let mut second = stage.longwire(&["sessions", "watch", &session]).await?;
    second.shows("You look on").await?;
    second.shows("ready").await?;
    second.types("x")?;
    second.shows("t takes control").await?;
    first.types("echo se''en\r")?;
    second.shows("seen").await?;
    second.types("t")?;
    second.shows("you are in control").await?;
    first.shows("is in control; you look on").await?;
    second.types("echo $mark=$((6*7))\r")?;
    first.shows("kept=42\r\n").await?;
    // The first has no say any more, but can leave.
    first.types("q")?;
    assert_eq!(first.ends().await?.code(), Some(0));
    second.types("exit 3\r")?;
    assert_eq!(second.ends().await?.code(), Some(3));
    stage.ends().await?;
    stage.end().await
}

#[tokio::test]
async fn a_script_gets_every_byte_however_often_links_break() -> Result<()> {
    const LINES: usize = 40_000;
    let stage = Stage::set().await?;
    let mut script = Command::new(ours("longwire")?)
        .args(stage.arguments(&["terminal", &stage.id]))
        .env("HOME", &stage.home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut input = script.stdin.take().context("its input")?;
    let commands = format!(
        "stty -echo; PS1=; echo\nfor i in $(seq 8); do seq {LINES}; sleep 0.5; done; exit 9\n"
    );
    input.write_all(commands.as_bytes()).await?;
    drop(input);
    let cuts = async {
        for _ in 0..4 {
            sleep(Duration::from_millis(400)).await;
            stage.near_operator.cut(Cut::Reset);
            sleep(Duration::from_millis(400)).await;
            stage.near_device.cut(Cut::Reset);
        }
    };
    let (output, ()) = tokio::join!(script.wait_with_output(), cuts);
    let output = output?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(9), "{said}");
    assert!(said.contains("connecting again"), "nothing was cut: {said}");
    let shown = String::from_utf8_lossy(&output.stdout);
    let numbers = shown
        .lines()
        .filter_map(|line| line.trim_end().parse::<usize>().ok());
    let wanted = (0..8).flat_map(|_| 1..=LINES);
    assert!(numbers.eq(wanted), "not the bytes that were written");
    assert!(
        !shown.contains("[longwire]"),
        "no words of ours in the output"
    );
    stage.ends().await?;
    stage.end().await
}
