//! Debian's mender-cli against our server, and our command line in its ways.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context, Result};
use longwire_e2e::lab::{ADMIN, Lab, PASSWORD};
use longwire_e2e::peers::connect_config;
use longwire_e2e::program::ours;
use longwire_e2e::until::until;

use crate::scene::Scene;

const THEIRS: &str = "mender-cli";

/// Our own exit code for whoever is not signed in; mender-cli has 1 for everything.
const NOT_ALLOWED: i32 = 3;

/// Runs a command line program without a terminal.
async fn run(lab: &Lab, program: &Path, home: &Path, arguments: &[&str]) -> Result<Output> {
    Ok(lab
        .command(program.to_path_buf(), home, arguments)
        .output()
        .await?)
}

/// Both programs, each signed in as the administrator with a home folder of its own.
async fn both(lab: &Lab) -> Result<[(PathBuf, PathBuf); 2]> {
    let theirs = (THEIRS.into(), lab.mender_login().await?);
    Ok([theirs, (ours("longwire")?, lab.login().await?)])
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn item_33_item_56_login_says_and_keeps_the_same_with_both_programs() -> Result<()> {
    let lab = Lab::start().await?;
    for (program, refused) in [(THEIRS.into(), 1), (ours("longwire")?, NOT_ALLOWED)] {
        let home = tempfile::tempdir()?;
        let arguments = ["login", "--username", ADMIN, "--password", "wrong"];
        let wrong = run(&lab, &program, home.path(), &arguments).await?;
        assert_eq!(wrong.status.code(), Some(refused), "{wrong:?}");
        assert!(
            stderr(&wrong).contains("FAILURE: login failed with status 401"),
            "{wrong:?}"
        );

        let arguments = ["login", "--username", ADMIN, "--password", PASSWORD];
        let right = run(&lab, &program, home.path(), &arguments).await?;
        assert!(right.status.success(), "{right:?}");
        assert!(stdout(&right).contains("login successful"), "{right:?}");
        let file = home.path().join(".cache/mender/authtoken");
        assert_eq!(
            fs::metadata(&file)?.permissions().mode() & 0o777,
            0o600,
            "{program:?}"
        );
        assert_eq!(
            fs::read_to_string(&file)?.split('.').count(),
            3,
            "{program:?}"
        );
    }
    lab.end().await
}

#[tokio::test]
async fn item_56_without_login_both_programs_say_failure() -> Result<()> {
    let lab = Lab::start().await?;
    for (program, refused) in [(THEIRS.into(), 1), (ours("longwire")?, NOT_ALLOWED)] {
        let home = tempfile::tempdir()?;
        let output = run(&lab, &program, home.path(), &["terminal", "nothing"]).await?;
        assert!(stderr(&output).contains("FAILURE: "), "{output:?}");
        assert_eq!(output.status.code(), Some(refused), "{output:?}");
    }
    lab.end().await
}

#[tokio::test]
async fn item_56_the_device_list_is_the_same_with_both_programs() -> Result<()> {
    let scene = Scene::real(&connect_config()).await?;
    for (program, home) in both(&scene.lab).await? {
        let output = run(&scene.lab, &program, &home, &["devices", "list"]).await?;
        assert!(output.status.success(), "{output:?}");
        for line in [format!("ID: {}", scene.id), "Status: accepted".to_owned()] {
            assert!(stdout(&output).contains(&line), "{output:?}");
        }
    }
    scene.end().await
}

#[tokio::test]
async fn item_10_a_second_terminal_is_refused_in_words_not_by_a_blank_screen() -> Result<()> {
    let scene = Scene::real(&connect_config()).await?;
    let home = scene.lab.mender_login().await?;
    let mut first = scene
        .lab
        .mender_cli(&home, &["terminal", &scene.id])
        .await?;
    first.types("echo answer=$((6*7))\r")?;
    first.shows("answer=42\r\n").await?;

    let mut second = scene
        .lab
        .mender_cli(&home, &["terminal", &scene.id])
        .await?;
    second
        .shows("Unable to start the shell: user has too many open sessions")
        .await?;
    assert_eq!(second.ends().await?.code(), Some(1));

    first.types("exit\r")?;
    assert!(first.ends().await?.success());
    scene.end().await
}

#[tokio::test]
async fn item_11_mender_cli_ends_when_the_device_is_gone_for_good() -> Result<()> {
    let mut scene = Scene::real(&connect_config()).await?;
    let home = scene.lab.mender_login().await?;
    let mut terminal = scene
        .lab
        .mender_cli(&home, &["terminal", &scene.id])
        .await?;
    terminal.types("echo answer=$((6*7))\r")?;
    terminal.shows("answer=42\r\n").await?;

    scene.connect.kill().await?;
    assert_eq!(terminal.ends().await?.code(), Some(0));
    scene.device.end().await?;
    scene.lab.end().await
}

#[tokio::test]
async fn item_58_both_programs_follow_a_resize_and_restore_the_tty_on_ctrl_bracket() -> Result<()> {
    let scene = Scene::real(&connect_config()).await?;
    for (program, home) in both(&scene.lab).await? {
        let is_ours = program == ours("longwire")?;
        let mut terminal = scene
            .lab
            .on_terminal(program, &home, &["terminal", &scene.id])
            .await?;
        terminal.types("stty size\r")?;
        terminal.shows("40 120\r\n").await?;
        terminal.resize(30, 100).await?;
        let wait = "until [ \"$(stty size)\" = '30 100' ]; do sleep 0.1; done; echo re''sized\r";
        terminal.types(wait)?;
        terminal.shows("resized\r\n").await?;
        assert_ne!(
            terminal.modes().await?,
            terminal.first_modes,
            "raw while it runs"
        );
        terminal.types("\x1d")?;
        assert!(terminal.ends().await?.success());
        assert_eq!(terminal.modes().await?, terminal.first_modes);
        if is_ours {
            // It leaves the shell running, until somebody says that it is enough.
            let left = scene.admin.api.sessions(Some(&scene.id), true).await?;
            let session = left.first().context("a session that was left")?;
            scene.admin.api.end_session(&session.id).await?;
        }
        scene.connect.alone().await?;
    }
    scene.end().await
}

#[tokio::test]
async fn item_58_a_killed_server_is_waited_for_and_ctrl_bracket_restores_the_tty() -> Result<()> {
    let mut scene = Scene::real(&connect_config()).await?;
    let home = scene.lab.login().await?;
    let mut terminal = scene.lab.longwire(&home, &["terminal", &scene.id]).await?;
    terminal.types("echo answer=$((6*7))\r")?;
    terminal.shows("answer=42\r\n").await?;
    scene.lab.server.kill().await?;
    terminal.shows("connecting again").await?;
    terminal.types("\x1d")?;
    assert_eq!(terminal.ends().await?.code(), Some(0));
    assert_eq!(terminal.modes().await?, terminal.first_modes);
    Ok(())
}

#[tokio::test]
async fn item_57_each_program_plays_what_the_other_has_recorded() -> Result<()> {
    let scene = Scene::real(&connect_config()).await?;
    let [theirs, ours] = both(&scene.lab).await?;
    let recording = scene.lab.folder("recordings")?.join("recording");
    let recording = recording.to_str().context("a path in UTF-8")?;
    for (recorder, player) in [(&theirs, &ours), (&ours, &theirs)] {
        let (program, home) = recorder.clone();
        let arguments = ["terminal", &scene.id, "--record", recording];
        let mut terminal = scene.lab.on_terminal(program, &home, &arguments).await?;
        terminal.types("echo recorded $((6*7))\r")?;
        terminal.shows("recorded 42").await?;
        terminal.types("exit\r")?;
        assert!(terminal.ends().await?.success());
        scene.connect.alone().await?;

        let (program, home) = player.clone();
        let arguments = ["terminal", "--playback", recording];
        let mut playback = scene.lab.on_terminal(program, &home, &arguments).await?;
        playback.shows("recorded 42").await?;
        assert!(playback.ends().await?.success());
        fs::remove_file(recording)?;
    }
    scene.end().await
}

#[tokio::test]
async fn item_32_mender_client_sends_its_inventory_and_asks_for_updates_in_peace() -> Result<()> {
    let mut scene = Scene::real(&connect_config()).await?;
    until("the inventory", async || {
        let device = scene.admin.api.device_row(&scene.id).await?;
        let has = |name: &str, value: &str| {
            let attributes = device.more["attributes"].as_array();
            attributes.into_iter().flatten().any(|attribute| {
                attribute["name"] == name
                    && attribute["value"] == value
                    && attribute["scope"] == "inventory"
            })
        };
        Ok((has("device_type", "lab") && has("artifact_name", "lab")).then_some(()))
    })
    .await?;
    let client = scene.device.client.as_mut().context("mender-client runs")?;
    client
        .printed("State transition: update-check [Sync] -> check-wait [Idle]")
        .await?;
    scene.end().await
}
