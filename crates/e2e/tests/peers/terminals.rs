//! Four ways to put a terminal together, from all real to all ours. Each types, resizes, reads
//! UTF-8 back, ends, and leaves no process behind.

use anyhow::{Result, ensure};
use longwire_e2e::lab::Lab;
use longwire_e2e::peers::connect_config;
use longwire_e2e::terminal::Terminal;

use crate::scene::Scene;

/// What everybody does with a terminal, in a shell on 40 rows and 120 columns. Each step waits for
/// words that are not what was typed: split by quotes there, whole in the answer.
///
/// Returns what the program on the terminal returned after `exit 7` in the shell.
async fn converse(mut terminal: Terminal) -> Result<Option<i32>> {
    terminal.types("PS1='rea''dy '\r")?;
    terminal.shows("ready ").await?;
    terminal.types("echo answer=$((6*7)); stty size\r")?;
    terminal.shows("answer=42\r\n40 120\r\n").await?;
    terminal.resize(25, 90).await?;
    // The size travels beside what is typed; whoever asks too early asks again.
    terminal.types("until [ \"$(stty size)\" = '25 90' ]; do sleep 0.1; done; echo re''sized\r")?;
    terminal.shows("resized\r\n").await?;
    terminal.types("echo list''ening; cat\r")?;
    terminal.shows("listening\r\n").await?;
    terminal.types("Grüße, 世界 🙂\r")?;
    terminal
        .shows("Grüße, 世界 🙂\r\nGrüße, 世界 🙂\r\n")
        .await?;
    terminal.types("\x04")?;
    terminal.shows("ready ").await?;
    terminal.types("sh -c 'echo sle\"\"eping; exec sleep 1000'\r")?;
    terminal.shows("sleeping\r\n").await?;
    terminal.types("\x03")?;
    terminal.shows("ready ").await?;
    terminal.types("exit 7\r")?;
    Ok(terminal.ends().await?.code())
}

#[tokio::test]
async fn all_real_peers_meet_at_our_server() -> Result<()> {
    let scene = Scene::real(&connect_config()).await?;
    let home = scene.lab.mender_login().await?;
    let terminal = scene
        .lab
        .mender_cli(&home, &["terminal", &scene.id])
        .await?;
    assert_eq!(
        converse(terminal).await?,
        Some(0),
        "mender-cli knows no status"
    );
    scene.end().await
}

#[tokio::test]
async fn item_41_our_agent_serves_a_real_mender_cli_through_mender_clients_proxy() -> Result<()> {
    let scene = Scene::ours(&connect_config()).await?;
    let home = scene.lab.mender_login().await?;
    let terminal = scene
        .lab
        .mender_cli(&home, &["terminal", &scene.id])
        .await?;
    assert_eq!(
        converse(terminal).await?,
        Some(0),
        "mender-cli knows no status"
    );
    scene.end().await
}

#[tokio::test]
async fn our_command_line_reaches_a_real_mender_connect() -> Result<()> {
    let scene = Scene::real(&connect_config()).await?;
    let home = scene.lab.login().await?;
    let terminal = scene.lab.longwire(&home, &["terminal", &scene.id]).await?;
    assert_eq!(
        converse(terminal).await?,
        Some(0),
        "mender-connect tells no status"
    );
    scene.end().await
}

#[tokio::test]
async fn everything_ours_needs_nothing_but_the_three_programs() -> Result<()> {
    let lab = Lab::start().await?;
    let mut agent = lab.agent("ours")?;
    let admin = lab.admin().await?;
    let id = admin.accept_first().await?;
    admin.connected(&id).await?;
    let home = lab.login().await?;
    let terminal = lab.longwire(&home, &["terminal", &id]).await?;
    assert_eq!(converse(terminal).await?, Some(7));
    agent.alone().await?;
    ensure!(agent.terminate().await?.success(), "{}", agent.output()?);
    lab.end().await
}
