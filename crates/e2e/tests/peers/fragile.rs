//! What would hang, crash or cut off a real mender-connect or mender-cli, and does not behind our
//! server.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use longwire_client::AuthStatus;
use longwire_e2e::peers::connect_config;
use longwire_e2e::until::until;
use longwire_e2e::viewer::{Next, Viewer};
use longwire_protocol::shell::FromUser;
use nix::sys::signal::Signal;
use tokio::process::Command;
use tokio::time::{Instant, timeout_at};

use crate::scene::{SIZE, Scene, four_shells_a_user};

/// Types one command whose answer is not what was typed.
async fn answers(viewer: &mut Viewer) -> Result<()> {
    viewer.types("echo answer=$((6*7))\r").await?;
    viewer.shows("answer=42\r\n").await
}

/// Ends the shell, and leaves when its end was told, as a terminal does.
async fn end(mut viewer: Viewer) -> Result<()> {
    viewer.types("exit\r").await?;
    viewer.stopped().await?;
    viewer.send(&FromUser::Stop { error: None }).await?;
    viewer.vanish();
    Ok(())
}

/// Pastes `size` bytes in one message and compares what arrives at a raw tty by its checksum.
async fn paste_arrives_whole(size: usize) -> Result<()> {
    let scene = Scene::real(&connect_config()).await?;
    let since = scene.admin.connected_since(&scene.id).await?;
    let mut viewer = scene.viewer().await?;
    let command = format!("stty raw -echo; echo re''ady; head -c {size} | sha256sum; stty sane\r");
    viewer.types(command).await?;
    viewer.shows("ready\n").await?;

    // Every byte value, in no simple rhythm.
    let paste: Vec<u8> = (0..size).map(|at| (at * 31 + at / 251) as u8).collect();
    let file = scene.lab.folder("paste")?.join("bytes");
    std::fs::write(&file, &paste)?;
    let sum = Command::new("sha256sum").arg(&file).output().await?.stdout;
    let sum = String::from_utf8(sum)?;
    viewer.types(paste).await?;
    viewer
        .shows(sum.split_whitespace().next().context("a sum")?)
        .await?;

    answers(&mut viewer).await?;
    end(viewer).await?;
    assert_eq!(
        scene.admin.connected_since(&scene.id).await?,
        since,
        "the same link"
    );
    scene.end().await
}

#[tokio::test]
async fn a_paste_of_64_kib_reaches_a_real_agent_whole() -> Result<()> {
    paste_arrives_whole(64 * 1024).await
}

#[tokio::test]
async fn item_06_a_paste_of_100_kib_reaches_a_real_agent_whole_and_in_order() -> Result<()> {
    paste_arrives_whole(100 * 1024).await
}

#[tokio::test]
async fn item_05_what_would_cost_a_real_agent_its_link_never_reaches_it() -> Result<()> {
    let scene = Scene::real(&connect_config()).await?;
    let since = scene.admin.connected_since(&scene.id).await?;
    let mut viewer = scene.viewer().await?;

    // `stop` of an old web UI for a second session: its body is a map. Header as map16, too.
    let mut other = Viewer::connect(&scene.lab.url, &scene.admin.token, &scene.id).await?;
    let map_body = b"\x82\xa3hdr\x83\xa5proto\x01\xa3typ\xa4stop\xa5props\x80\xa4body\x80";
    other.send_raw(map_body.to_vec().into()).await?;
    // Not a message at all: at most the sender's own connection ends.
    other.send_raw(b"\xc1\xc1\xc1".to_vec().into()).await?;
    let mut types = Vec::new();
    loop {
        match other.next().await {
            Ok(Next::Message(message)) => types.push(message.typ),
            Ok(Next::Closed(code, reason)) => {
                assert!(
                    code != 1006 && !reason.is_empty(),
                    "{code} {reason}: a reason in words"
                );
                break;
            }
            Err(error) => panic!("no close frame: {error} after {types:?}"),
        }
    }

    answers(&mut viewer).await?;
    end(viewer).await?;
    assert_eq!(
        scene.admin.connected_since(&scene.id).await?,
        since,
        "the same link"
    );
    scene.end().await
}

#[tokio::test]
async fn item_24_item_50_a_tab_that_wakes_up_late_finds_a_real_agent_alive() -> Result<()> {
    let scene = Scene::real(&connect_config()).await?;
    let since = scene.admin.connected_since(&scene.id).await?;
    let mut viewer = scene.viewer().await?;
    answers(&mut viewer).await?;

    // A suspended page's websocket goes on answering the websocket's pings; its scripts answer no
    // shell ping. The agent asks every 60 s, gives 65 s for an answer, and would then hang for ever
    // at the next one that comes.
    let awake = Instant::now() + Duration::from_secs(130);
    while let Ok(next) = timeout_at(awake, viewer.next()).await {
        ensure!(
            matches!(next?, Next::Message(_)),
            "a tab that is there keeps its terminal"
        );
    }
    viewer.send(&FromUser::Pong).await?;
    viewer.send(&FromUser::Pong).await?;
    answers(&mut viewer).await?;
    end(viewer).await?;
    scene.connect.alone().await?;
    let mut next = scene.viewer().await?;
    answers(&mut next).await?;
    end(next).await?;
    assert_eq!(
        scene.admin.connected_since(&scene.id).await?,
        since,
        "the same link"
    );
    scene.end().await
}

#[tokio::test]
async fn item_50_late_and_unasked_pongs_do_not_hang_a_real_agent() -> Result<()> {
    let scene = Scene::real(&connect_config()).await?;
    let mut viewer = scene.viewer().await?;
    for _ in 0..10 {
        viewer.send(&FromUser::Pong).await?;
    }
    answers(&mut viewer).await?;
    end(viewer).await?;
    scene.end().await
}

#[tokio::test]
async fn a_reloaded_page_gets_its_shell_though_the_old_one_is_still_being_stopped() -> Result<()> {
    let scene = Scene::real(&connect_config()).await?;
    let mut first = scene.viewer().await?;
    answers(&mut first).await?;
    // mender-connect takes one shell of a user and needs four seconds to stop it.
    first.vanish();
    let mut second = scene.viewer().await?;
    answers(&mut second).await?;
    end(second).await?;
    scene.end().await
}

#[tokio::test]
async fn item_12_a_vanished_operator_leaves_no_shell_behind() -> Result<()> {
    let scene = Scene::real(&connect_config()).await?;
    let mut viewer = scene.viewer().await?;
    answers(&mut viewer).await?;
    viewer.vanish();
    scene.end().await
}

#[tokio::test]
async fn item_14_a_shell_that_ends_by_itself_gives_its_slot_back() -> Result<()> {
    let scene = Scene::real(&connect_config()).await?;
    let mut silent = Vec::new();
    for _ in 0..2 {
        let mut viewer = scene.viewer().await?;
        answers(&mut viewer).await?;
        viewer.types("exit\r").await?;
        viewer.stopped().await?;
        scene.connect.alone().await?;
        // Its end says nothing more, and is still there when the slot is taken again.
        silent.push(viewer);
    }
    scene.end().await
}

#[tokio::test]
async fn item_27_two_operators_on_one_device_see_only_their_own_shell() -> Result<()> {
    let scene = Scene::real(&four_shells_a_user()).await?;
    scene.lab.add_user("other@example.com", "terminal").await?;
    let other = scene.lab.operator("other@example.com").await?;
    let mut mine = scene.viewer().await?;
    let mut theirs = Viewer::open(&scene.lab.url, &other.token, &scene.id, Some(SIZE)).await?;
    assert_ne!(mine.sid, theirs.sid);
    mine.types("for i in $(seq 200); do echo mi''ne; done; echo my''end\r")
        .await?;
    theirs
        .types("for i in $(seq 200); do echo the''irs; done; echo their''end\r")
        .await?;
    mine.shows("myend").await?;
    theirs.shows("theirend").await?;
    assert!(!mine.output().contains("theirs"));
    assert!(!theirs.output().contains("mine"));
    end(mine).await?;
    end(theirs).await?;
    scene.end().await
}

/// A token change costs the websocket, which mender-client relays, and nothing else.
async fn a_shell_survives_a_new_token(scene: Scene) -> Result<()> {
    let since = scene.admin.connected_since(&scene.id).await?;
    let mut viewer = scene.viewer().await?;
    answers(&mut viewer).await?;
    scene.device.fetch_token().await?;
    until("a new link", async || {
        let row = scene.admin.api.device_row(&scene.id).await?;
        Ok(row.connected_since.filter(|now| *now != since))
    })
    .await?;
    answers(&mut viewer).await?;
    end(viewer).await?;
    scene.end().await
}

#[tokio::test]
async fn a_real_agents_slow_reconnect_does_not_end_its_operators_sessions() -> Result<()> {
    a_shell_survives_a_new_token(Scene::real(&connect_config()).await?).await
}

#[tokio::test]
async fn item_44_a_new_token_keeps_the_shells_of_our_agent_behind_the_same_proxy() -> Result<()> {
    a_shell_survives_a_new_token(Scene::ours(&connect_config()).await?).await
}

#[tokio::test]
async fn item_31_a_rejected_device_loses_its_link_and_comes_back_when_accepted() -> Result<()> {
    let scene = Scene::real(&connect_config()).await?;
    let mut viewer = scene.viewer().await?;
    answers(&mut viewer).await?;
    scene.admin.decide(&scene.id, AuthStatus::Rejected).await?;
    scene.admin.disconnected(&scene.id).await?;
    viewer.closed(Duration::from_secs(60)).await?;
    scene.admin.decide(&scene.id, AuthStatus::Accepted).await?;
    scene.admin.connected(&scene.id).await?;
    let mut viewer = scene.viewer().await?;
    answers(&mut viewer).await?;
    end(viewer).await?;
    scene.end().await
}

#[tokio::test]
async fn a_suspended_operator_in_a_flood_does_not_stall_the_other_one() -> Result<()> {
    let scene = Scene::real(&four_shells_a_user()).await?;
    let home = scene.lab.mender_login().await?;
    let mut flooded = scene
        .lab
        .mender_cli(&home, &["terminal", &scene.id])
        .await?;
    flooded.types("echo answer=$((6*7))\r")?;
    flooded.shows("answer=42\r\n").await?;
    let mut viewer = scene.viewer().await?;
    answers(&mut viewer).await?;

    flooded.types("yes\r")?;
    flooded.shows("y\r\ny\r\n").await?;
    flooded.signal(Signal::SIGSTOP)?;
    for _ in 0..5 {
        answers(&mut viewer).await?;
    }
    flooded.signal(Signal::SIGKILL)?;
    end(viewer).await?;
    scene.end().await
}
